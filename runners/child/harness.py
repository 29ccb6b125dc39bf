"""Runs one strategy on one or more sets of bars and writes a line of JSON for each. The process ends with it.

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

READY = b"ready\n"
ENCODE = json.JSONEncoder(allow_nan=False).encode
LIBRARIES = ("numpy", "pandas", "backtesting", "backtesting.lib")


def preload():
    """Import what every run needs: done once by the warm server, at each start by a process of its own."""
    stand_ins.install()
    for name in LIBRARIES:
        __import__(name)
    from rbi_child import attempt, exceptions, observation, script, self_test  # noqa: F401 - for later


def load_and_run(plan):
    """`run`, in a process that has not imported anything for it yet."""
    try:
        preload()
    except Exception as error:  # noqa: BLE001 - a library is missing or broken
        give_up(plan, error)
    run(plan)


def give_up(plan, error):
    """Whatever it is, the environment is broken."""
    send(plan, ENCODE({"broken": f"{type(error).__name__}: {error}"}).encode() + b"\n")
    _exit(1)


def run(plan):
    """Never returns: the process exits with 0 once everything is written."""
    owner = getpid()
    try:
        request, bars, text = prepare(plan)
    except Exception as error:  # noqa: BLE001 - it is no strategy's fault
        give_up(plan, error)
    send(plan, READY)
    from rbi_child.exceptions import undescribed

    spare = ENCODE({"failure": undescribed("report")}).encode()
    for document in DOCUMENTS[request["mode"]](plan, request, bars, text):
        if getpid() != owner:
            _exit(0)  # a copy that the strategy forked: only the original speaks
        try:
            data = ENCODE(document).encode()
        except BaseException:  # noqa: BLE001 - the strategy damaged what encoding needs
            data = spare[:-1] + f', "scenario": {document["scenario"]:d}}}'.encode()
        send(plan, data + b"\n")
    leave()


def prepare(plan):
    """Everything that is not the strategy's: the request, the bars, the streams, the warnings."""
    renew_streams()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    os.chdir(plan["work"])
    for name in ("HOME", "TMPDIR", "NUMBA_CACHE_DIR"):
        os.environ[name] = plan["work"]
    sys.argv = ["strategy.py"]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(stand_ins.NoInput()))
    with os.fdopen(plan["request"], "rb") as file:
        request = json.load(file)
    from rbi_child.attempt import load_bars

    bars = [load_bars(fd) for fd in plan["bars"]]
    for fd in plan["bars"]:
        os.close(fd)
    limit_warnings()
    return request, bars, plan["text"]


def renew_streams():
    """Standard output and error as a fresh python has them: the server's were made over a file, not over a pipe."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        raw = io.FileIO(descriptor, "w", closefd=False)
        raw.name = f"<{name}>"
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=old.encoding,
            errors=old.errors,
            newline="\n",
            line_buffering=old.line_buffering,
            write_through=old.write_through,
        )
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def class_documents(_plan, request, bars, _text):
    """A document for each scenario of a module that defines one strategy class."""
    from rbi_child.attempt import attempt
    from rbi_child.observation import Observer

    observer = Observer()
    observer.install()
    first_read = guard_environment()
    for number, scenario in enumerate(request["scenarios"]):
        seed(scenario)
        document = attempt(request, scenario, bars[scenario["bars"]], observer, first_read)
        yield {"scenario": number, **document}


def script_documents(plan, request, bars, text):
    """The one document of a program that runs its backtests by itself."""
    from rbi_child.observation import Observer
    from rbi_child.script import script_document

    observer = Observer()
    observer.install()
    [scenario] = request["scenarios"]
    seed(scenario)
    document = script_document(request["source"], text, scenario["dataset"], observer, plan["work"])
    del bars
    yield {"scenario": 0, **document}


def test_documents(plan, _request, _bars, _text):
    """What the containment of this very process keeps from it: no strategy is run."""
    from rbi_child.self_test import examine

    yield {"scenario": 0, "self_test": examine(plan["work"], plan["confinement"]["foreign_file"])}


DOCUMENTS = {"class": class_documents, "script": script_documents, "self_test": test_documents}


def seed(scenario):
    """Every run starts from the same random numbers."""
    import numpy as np

    random.seed(scenario["seed"])
    np.random.seed(scenario["seed"])


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
        # The script may have put others in the place of python's own.
        for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
            try:
                getattr(sys, name).flush()
            except Exception:  # noqa: BLE001, S112 - the strategy closed, replaced or deleted it
                continue
    finally:
        _exit(0)  # also if the strategy damaged what leaving needs: the documents are already sent
