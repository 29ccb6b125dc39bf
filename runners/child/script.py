"""Runs a program that does its own backtests, as ``python strategy.py`` in a folder of the work folder would.

What differs: CSV files it reads are the served text, charts are not drawn, an optimization runs in this process, and
every `Backtest.run` is observed.
"""

import ast
import builtins
import importlib.machinery
import io
import linecache
import os
import sys
import threading
import types
from pathlib import Path

from rbi_child import serial_pool, served_data, stand_ins
from rbi_child.exceptions import describe
from rbi_child.written_names import written_names

FILE = "strategy.py"
# Programs look for data, and leave results, some folders above their own.
FOLDER = "projects/trading/src/backtests"


def script_document(source, text, dataset, observer, work):
    """The last finished backtest (``result``) and what went wrong (``failure``); either may be missing.

    ``text`` is a descriptor of the dataset's CSV text, ``dataset`` its name, ``work`` the work folder.
    """
    document, stage = {}, "compile"
    try:
        code = compile(source.encode(), FILE, "exec", dont_inherit=True)  # bytes: as python reads a file
        stage = "run"
        run_script(source, code, text, dataset, work)
    except BaseException as error:  # noqa: BLE001 - it is reported
        if not ends_well(error):
            document["failure"] = describe(error, stage)
    if observer.last is not None:
        try:
            document["result"] = observer.result(bars_given=False)
        except BaseException as error:  # noqa: BLE001 - the script's own classes are looked into
            document.setdefault("failure", describe(error, "run"))
    return document


def run_script(source, code, text, dataset, work):
    """Execute ``code`` as the main program and wait for its threads. Its exceptions propagate, `SystemExit` too."""
    folder = Path(work, FOLDER)
    folder.mkdir(parents=True)
    os.chdir(folder)
    served = served_data.ServedText(text, dataset, work, written_names(ast.parse(source.encode())))
    serial_pool.install()
    stand_ins.offer_dataset(dataset, served)
    stand_ins.allow_event_loops()
    main = main_module(source, folder)
    sys.modules["__main__"] = main
    sys.argv, sys.path[:0] = [FILE], [str(folder)]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    served_data.serve(served)
    try:
        exec(code, main.__dict__)  # noqa: S102 - this is the place for it
    finally:
        threading._shutdown()  # waits for its threads, as python does: a backtest may run in one


def main_module(source, folder):
    """An empty ``__main__`` whose file is there: for inspect, pickle and whoever looks beside ``__file__``."""
    file = folder / FILE
    file.write_bytes(source.encode())
    path, lines = str(file), source.splitlines(keepends=True)
    for name in (FILE, path):
        linecache.cache[name] = (len(source), None, lines, name)
    main = types.ModuleType("__main__")
    main.__file__, main.__builtins__, main.__annotations__ = path, builtins, {}
    main.__cached__ = None
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    return main


def ends_well(error):
    """Whether python's exit status would be 0: `sys.exit` with nothing, None or 0."""
    if not isinstance(error, SystemExit):
        return False
    return error.code is None or (isinstance(error.code, int) and error.code & 0xFF == 0)
