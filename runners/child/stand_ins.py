"""Modules put in the place of others before strategy code runs: faster, harmless, or under the usual name."""

import importlib
import importlib.abc
import importlib.util
import io
import sys
import types

BARS_HINT = (
    "bars come from the runner as self.data: the strategy class must not load {name} or any other data"
)


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
    module.plot = module.plot_heatmaps = module.set_bokeh_output = nothing
    return module


def nothing(*_args, **_kwargs):
    """Take anything, do nothing."""


def bundled_data():
    """`backtesting.test` without its datasets: they hold what comes after the bars a strategy is tested on.

    Importing them does no harm (many strategies do, out of habit); using one is an error.
    """
    module = types.ModuleType("backtesting.test")
    module.SMA = simple_moving_average
    for name in ("GOOG", "EURUSD", "BTCUSD"):
        setattr(module, name, RefusedData(name))
    return module


def simple_moving_average(arr, n):
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
