"""Run a strategy's source in this process, on a fixed random walk, with a small stand-in for TA-Lib."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

ROWS = 400


def bars() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "Open": opening,
            "High": np.maximum(opening, close) * 1.005,
            "Low": np.minimum(opening, close) * 0.995,
            "Close": close,
            "Volume": rng.integers(1000, 9000, ROWS).astype(float),
        },
        index=pd.date_range("2020-01-01", periods=ROWS, name="Date"),
    )


def trades(source: str) -> list[tuple[float, ...]]:
    """The trades of the module's one strategy. Raises what the strategy raises."""
    module = types.ModuleType("strategy")
    exec(compile(source, "strategy.py", "exec", dont_inherit=True), module.__dict__)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == "strategy"
    ]
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = Backtest(bars(), found[0], cash=1_000_000, commission=0.001, finalize_trades=True).run()
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice"]
    return [tuple(map(float, row)) for row in stats["_trades"][columns].to_numpy()]


def talib() -> types.ModuleType:
    """As much of TA-Lib as the strategies here use: arrays in, arrays out; a Series gives a Series."""
    module: Any = types.ModuleType("talib")
    module.SMA = _of_window("mean")
    module.MAX = _of_window("max")
    module.MIN = _of_window("min")
    module.STDDEV = _of_window("std")
    module.EMA = module.SMA
    module.RSI = _rsi
    module.ATR = lambda high, low, close, timeperiod=14: _like(
        high - low, pd.Series(high - low).rolling(timeperiod).mean()
    )
    module.MACD = lambda close: tuple(_rsi(close, n) - 50 for n in (5, 9, 14))
    return module  # type: ignore[no-any-return]


def _like(given: Any, result: pd.Series) -> Any:
    return (
        pd.Series(result.to_numpy(), index=given.index) if isinstance(given, pd.Series) else result.to_numpy()
    )


def _of_window(figure: str) -> Any:
    def of(values: Any, timeperiod: int = 30) -> Any:
        return _like(values, getattr(pd.Series(np.asarray(values)).rolling(timeperiod), figure)())

    return of


def _rsi(values: Any, timeperiod: int = 14) -> Any:
    change = pd.Series(np.asarray(values)).diff()
    up, down = (
        change.clip(lower=0).rolling(timeperiod).mean(),
        (-change).clip(lower=0).rolling(timeperiod).mean(),
    )
    return _like(values, 100 * up / (up + down))
