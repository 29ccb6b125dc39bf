"""Compile, import, find the class, run it: a document with the numbers or with what went wrong."""

import base64
import linecache
import sys
import types

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from rbi_child.exceptions import NoStrategyClassError, NotFiniteError, describe, environment_read

FILE = "strategy.py"
COLUMNS = ("Open", "High", "Low", "Close", "Volume")
TRADE_COLUMNS = {
    "size": "Size",
    "entry_bar": "EntryBar",
    "exit_bar": "ExitBar",
    "entry_price": "EntryPrice",
    "exit_price": "ExitPrice",
    "sl": "SL",
    "tp": "TP",
    "pnl": "PnL",
    "commission": "Commission",
    "return_pct": "ReturnPct",
}
TAG_LENGTH = 100


def load_bars(file):
    """The bars as the frame that strategies see. Volume is always there; NaN if the dataset has none."""
    with np.load(file, allow_pickle=False) as arrays:
        index = pd.DatetimeIndex(arrays["time"].view("datetime64[ns]"), name="Date")
        return pd.DataFrame({column: arrays[column] for column in COLUMNS}, index=index)


def attempt(request, bars, first_read):
    """``{"result": ...}`` or ``{"failure": ...}``; every exception ends here, the strategy's exits too."""
    stage = "compile"
    try:
        code = compile(request["source"], FILE, "exec", dont_inherit=True)
        stage = "import"
        module = import_strategy(request["source"], code)
        stage = "find"
        strategy = find_strategy(module)
        stage = "run"
        backtest = Backtest(bars, strategy, finalize_trades=True, **request["terms"])
        document = {"result": encode_result(backtest.run(**request["params"]))}
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


def encode_result(stats):
    """The series that `Backtest.run` returns as JSON values; columns are base64 of little-endian float64."""
    curve, trades = stats["_equity_curve"], stats["_trades"]
    require_finite(curve["Equity"].to_numpy(dtype=float))
    return {
        "stats": {key: encode_statistic(key, value) for key, value in stats.items() if key[0] != "_"},
        "equity": encode_column(curve["Equity"]),
        "drawdown": encode_column(curve["DrawdownPct"]),
        "trades": {name: encode_column(trades[column]) for name, column in TRADE_COLUMNS.items()},
        "tags": ["" if pd.isna(tag) is True else str(tag)[:TAG_LENGTH] for tag in trades["Tag"]],
    }


def require_finite(equity):
    """Raise for an account whose worth is infinite or undefined: no figure of it means anything."""
    bad = np.flatnonzero(~np.isfinite(equity))
    if bad.size:
        raise NotFiniteError(
            f"the account's figures are not finite: equity is {equity[bad[0]]} on bar {bad[0]}"
        )


def encode_column(column):
    """A column of numbers, as base64."""
    values = np.ascontiguousarray(column.to_numpy(dtype="<f8", na_value=np.nan))
    return base64.b64encode(values.tobytes()).decode("ascii")


def encode_statistic(key, value):
    """One statistic as strict JSON: times, durations and what is not finite are written out."""
    if value is pd.NaT:
        return "nan"
    if key.endswith("Duration") and not isinstance(value, pd.Timedelta):
        return "nan"  # of drawdowns that are all on the last bar, backtesting.py gives the depth instead
    if isinstance(value, pd.Timestamp):
        return {"ts": value.isoformat()}
    if isinstance(value, pd.Timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, (int, np.integer)):
        return int(value)
    value = float(value)
    if np.isnan(value):
        return "nan"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
