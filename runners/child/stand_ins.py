"""Modules put in the place of others before strategy code runs: faster, harmless, or under the usual name."""

import contextlib
import functools
import importlib
import importlib.abc
import importlib.util
import io
import os
import socket
import sys
import types

BARS_HINT = (
    "{name} is not there: bars come from the runner, to a strategy class as self.data, to a script as the CSV file "
    "it reads"
)
COLUMNS = ("Open", "High", "Low", "Close", "Volume")
BUNDLED = ("GOOG", "EURUSD", "BTCUSD")
EMPTY_PAGE = "<!DOCTYPE html><title>chart</title><p>Charts are not drawn here.</p>\n"


class BundledDataError(LookupError):
    """A strategy used a dataset that comes with backtesting.py."""


def install():
    """Put all of them in place. Call before anything imports backtesting."""
    sys.modules["backtesting._plotting"] = plotting()
    sys.modules["backtesting.test"] = bundled_data()
    sys.meta_path.append(PandasTaFinder())


def plotting():
    """Charts are drawn elsewhere. The real module loads bokeh, more than half of a cold start."""
    module = types.ModuleType("backtesting._plotting")
    module.set_bokeh_output = nothing
    module.plot = draw_no_chart
    module.plot_heatmaps = draw_no_heatmaps
    return module


def nothing(*_args, **_kwargs):
    """Take anything, do nothing."""


def draw_no_chart(*_args, results, filename="", **_kwargs):
    """A page without a chart: the real one's is named after the strategy if it is given no name."""
    leave_page(filename or str(results._strategy))


def draw_no_heatmaps(heatmap, agg="max", ncols=3, filename="", *_args, **_kwargs):  # noqa: ARG001 - as the real one
    """Refuse what cannot be drawn, as the real one does; draw nothing."""
    import pandas as pd

    drawable = isinstance(heatmap, pd.Series) and isinstance(heatmap.index, pd.MultiIndex)
    if not drawable or heatmap.index.nlevels < 2:
        raise ValueError("a heatmap is the series that Backtest.optimize gives for two parameters or more")
    if filename:
        leave_page(filename)


def leave_page(name):
    """Write a page where the chart would be: scripts move it, read it, or ask for its size."""
    path = name if name.endswith(".html") else f"{name}.html"
    # The folder is often one on its author's machine. A chart that nobody looks at is no reason to fail.
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(EMPTY_PAGE)


def bundled_data():
    """`backtesting.test` without its datasets: they hold what comes after the bars a strategy is tested on.

    Importing them does no harm (many strategies do, out of habit); using one is an error.
    """
    module = types.ModuleType("backtesting.test")
    module.SMA = SMA
    for name in BUNDLED:
        setattr(module, name, RefusedData(name))
    return module


def offer_dataset(name, served):
    """`backtesting.test` has the dataset of that name, if it is one of its own: the served one. Read at first use."""
    if name not in BUNDLED:
        return
    module = sys.modules["backtesting.test"]
    delattr(module, name)
    module.__getattr__ = functools.partial(read_dataset, module, name, served)


def read_dataset(module, name, served, attribute):
    """The frame as backtesting.test has it: times as the index, without a name; whole volumes as integers."""
    if attribute != name:
        raise AttributeError(
            f"module {module.__name__!r} has no attribute {attribute!r}", name=attribute, obj=module
        )
    import pandas as pd

    with served.open(served.file_name, "rb") as file:
        frame = pd.read_csv(file, index_col=0, parse_dates=True, skipinitialspace=True)
    frame = frame.rename(columns=lambda column: column.strip().title())[[*COLUMNS]]
    frame.index.name = None
    if (frame["Volume"] % 1 == 0).all():
        frame["Volume"] = frame["Volume"].astype("int64")
    setattr(module, name, frame)
    return frame


def SMA(arr, n):  # noqa: N802 - indicators, and columns of trades, are named after it
    """The mean of the last ``n`` values, NaN for the first ``n - 1``."""
    import pandas as pd

    return pd.Series(arr).rolling(n).mean()


class RefusedData:
    """Raises whatever is done with it, except being asked what it is (`isinstance`)."""

    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def __getattribute__(self, attribute):
        return RefusedData if attribute == "__class__" else refuse(self)

    def __getitem__(self, key):
        refuse(self)

    def __len__(self):
        refuse(self)

    def __iter__(self):
        refuse(self)

    def __repr__(self):
        refuse(self)


def refuse(data):
    """Raise, naming the dataset."""
    raise BundledDataError(BARS_HINT.format(name=object.__getattribute__(data, "_name")))


def allow_event_loops():
    """asyncio wakes itself through a pair of sockets. Where none may be made, it gets a pipe."""
    original = socket.socketpair

    @functools.wraps(original)
    def socketpair(*args, **kwargs):
        try:
            return original(*args, **kwargs)
        except PermissionError:
            return tuple(map(PipeEnd, os.pipe()))

    socket.socketpair = socketpair


class PipeEnd:
    """The reading or the writing end of a pipe, with as much of a socket as an event loop needs."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.setblocking = functools.partial(os.set_blocking, descriptor)
        self.recv = functools.partial(os.read, descriptor)
        self.send = functools.partial(os.write, descriptor)

    def fileno(self):
        """The descriptor; -1 once it is closed."""
        return self._descriptor

    def close(self):
        """Close it; again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class NoInput(io.RawIOBase):
    """Standard input that nobody types into: reading it, in any way, raises `EOFError`."""

    def readable(self):
        """Asked before anything is read."""
        return True

    def readinto(self, _buffer):
        """What every way of reading ends in."""
        raise EOFError("the strategy asked for input, and nobody answers")


class PandasTaFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports `pandas_ta` as pandas_ta_classic where there is no package of the first name.

    It is asked last, so an installed pandas_ta wins.
    """

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002 - the import system's signature
        """A spec for pandas_ta and what is in it."""
        if name != "pandas_ta" and not name.startswith("pandas_ta."):
            return None
        real = name.replace("pandas_ta", "pandas_ta_classic", 1)
        if importlib.util.find_spec(real) is None:
            return None
        return importlib.util.spec_from_loader(name, self)

    def create_module(self, spec):
        """The module under its real name."""
        module = importlib.import_module(spec.name.replace("pandas_ta", "pandas_ta_classic", 1))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        """Already executed under its own name, which it keeps."""
        module.__spec__ = module.__spec__.loader_state
