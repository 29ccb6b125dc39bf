"""Runs one strategy on one set of bars and writes one JSON document. The process ends with it.

The result channel carries ``ready`` before any strategy code has run, so that a broken environment cannot be mistaken
for a broken strategy, nor the other way round.
"""

import atexit
import faulthandler
import io
import json
import os
import random
import signal
import sys
import threading
from os import _exit, getpid, write  # the strategy may replace them in their modules

from rbi_child import stand_ins
from rbi_child.environment_guard import guard_environment
from rbi_child.warning_limit import limit_warnings

SEED = 0
READY = b"ready\n"
ENCODE = json.JSONEncoder(allow_nan=False).encode


def run(plan):
    """Never returns: the process exits with 0 once the document is written."""
    owner = getpid()
    try:
        request, bars = prepare(plan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the environment is broken
        send(plan, ENCODE({"broken": f"{type(error).__name__}: {error}"}).encode())
        _exit(1)
    send(plan, READY)
    from rbi_child.attempt import attempt
    from rbi_child.exceptions import undescribed

    spare = ENCODE({"failure": undescribed("report")}).encode()
    document = attempt(request, bars, guard_environment())
    if getpid() != owner:
        _exit(0)  # a copy that the strategy forked: only the original speaks
    try:
        data = ENCODE(document).encode()
    except BaseException:  # noqa: BLE001 - the strategy damaged what encoding needs
        data = spare
    send(plan, data)
    leave()


def prepare(plan):
    """Everything that is not the strategy's: the request, the libraries, the bars, the seeds."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    sys.argv = ["strategy.py"]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(stand_ins.NoInput()))
    with os.fdopen(plan["request"], "rb") as file:
        request = json.load(file)
    stand_ins.install()
    import backtesting  # noqa: F401
    import numpy as np
    from rbi_child.attempt import load_bars

    with os.fdopen(plan["bars"], "rb") as file:
        bars = load_bars(file)
    random.seed(SEED)
    np.random.seed(SEED)
    limit_warnings()
    return request, bars


def send(plan, data):
    """All of it through the result channel: a pipe takes it in parts."""
    view = memoryview(data)
    try:
        while view:
            view = view[write(plan["result"], view) :]
    except OSError:
        plan["lost"][0] = 1  # the strategy closed or replaced it
        _exit(1)


def leave():
    """End as the interpreter would (threads joined, exit handlers run) without its slow tear-down."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        for name in ("stdout", "stderr"):
            try:
                getattr(sys, name).flush()
            except Exception:  # noqa: BLE001, S112 - the strategy closed, replaced or deleted it
                continue
    finally:
        _exit(0)  # also if the strategy damaged what leaving needs: the document is already sent
