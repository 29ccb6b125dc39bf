"""Runs one strategy on one set of bars and writes one JSON document. The process ends with it.

The result channel carries ``ready`` before any strategy code has run, so that a broken environment cannot be mistaken
for a broken strategy, nor the other way round.
"""

import atexit
import faulthandler
import json
import os
import random
import signal
import sys
import threading

from rbi_child import stand_ins
from rbi_child.environment_guard import guard_environment
from rbi_child.warning_limit import limit_warnings

SEED = 0
READY = b"ready\n"
CHANNEL_LOST = 81  # exit status: the strategy closed or replaced the result channel


def run(plan):
    """Never returns: the process exits with 0 once the document is written."""
    owner = os.getpid()
    try:
        request, bars = prepare(plan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the environment is broken
        send(plan["result"], json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    send(plan["result"], READY)
    from rbi_child.attempt import attempt

    document = attempt(request, bars, guard_environment())
    if os.getpid() != owner:
        os._exit(0)  # a copy that the strategy forked: only the original speaks
    send(plan["result"], json.dumps(document, allow_nan=False).encode())
    leave()


def prepare(plan):
    """Everything that is not the strategy's: the request, the libraries, the bars, the seeds."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    sys.argv = ["strategy.py"]
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


def send(channel, data):
    """All of it: a pipe takes it in parts."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(channel, view) :]
    except OSError:
        os._exit(CHANNEL_LOST)


def leave():
    """End as the interpreter would (threads joined, exit handlers run) without its slow tear-down."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the strategy closed or replaced it
    os._exit(0)
