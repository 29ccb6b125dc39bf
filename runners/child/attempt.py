"""Compile, import, find the class, run it: a document with the numbers or with what went wrong."""

import ctypes
import linecache
import mmap
import os
import sys
import types

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from rbi_child.exceptions import NoStrategyClassError, describe, environment_read

FILE = "strategy.py"
COLUMNS = ["Open", "High", "Low", "Close", "Volume"]
BAR_BYTES = 8 * (1 + len(COLUMNS))


def load_bars(fd):
    """The bars as the frame that strategies see: its columns are the descriptor's pages, copied when written to.

    The descriptor holds the columns time (int64, ns UTC) and `COLUMNS` (float64), little-endian, one after the other.
    """
    rows = os.fstat(fd).st_size // BAR_BYTES
    columns = np.frombuffer(private_pages(fd, rows * BAR_BYTES), dtype="<f8").reshape(1 + len(COLUMNS), rows)
    index = pd.DatetimeIndex(columns[0].view("datetime64[ns]"), name="Date")
    return pd.DataFrame(columns[1:].T, columns=COLUMNS, index=index, copy=False)


def private_pages(fd, size):
    """The first ``size`` bytes of ``fd``, writable without changing it, until the process ends.

    `mmap.mmap` would keep a descriptor, which other jobs share: its position alone could carry news to the next one.
    """
    map_pages = ctypes.CDLL(None, use_errno=True).mmap
    map_pages.restype = ctypes.c_void_p
    map_pages.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    address = map_pages(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "the bars cannot be mapped")
    return (ctypes.c_char * size).from_address(address)


def attempt(request, scenario, bars, observer, first_read):
    """``{"result": ...}`` or ``{"failure": ...}``; every exception ends here, the strategy's exits too."""
    stage = "compile"
    observer.forget()
    first_read.place = None
    try:
        code = compile(request["source"], FILE, "exec", dont_inherit=True)
        stage = "import"
        module = import_strategy(request["source"], code)
        stage = "find"
        strategy = find_strategy(module)
        stage = "run"
        backtest = Backtest(bars, strategy, finalize_trades=True, **scenario["terms"])
        backtest.run(**scenario["params"])
        document = {"result": observer.result(bars_given=True)}
    except BaseException as error:  # noqa: BLE001 - it is reported
        document = {"failure": describe(error, stage)}
    if first_read.place is not None:  # also when the strategy caught the exception
        return {"failure": environment_read(*first_read.place)}
    return document


def import_strategy(source, code):
    """Execute ``code`` as the module ``strategy``, with its lines where tracebacks look for them."""
    module = types.ModuleType("strategy")
    module.__file__ = FILE
    sys.modules["strategy"] = module
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    exec(code, module.__dict__)  # noqa: S102 - this is the place for it
    return module


def find_strategy(module):
    """The one strategy class that the module defines; a base class of another one does not count."""
    defined = {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == "strategy"
    }
    bases = {base for found in defined for base in found.__mro__[1:]}
    found = sorted(defined - bases, key=lambda strategy: strategy.__name__)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoStrategyClassError("the module defines no subclass of backtesting.Strategy")
    names = ", ".join(strategy.__name__ for strategy in found)
    raise NoStrategyClassError(f"the module defines {len(found)} strategies: {names}")
