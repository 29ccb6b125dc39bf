"""The written modules run on real bars in a backtest, and look at no bar after their own."""

from __future__ import annotations

import re
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.base import Prompt
from models.providers.offline import OfflineWriter, indicators

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the chart library warns about notebooks while it is imported
    from backtesting import Backtest, Strategy
    from backtesting.test import EURUSD, GOOG

SHIPPED = [
    line
    for line in (Path(__file__).parents[3] / "ideas" / "ideas.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
][:-2]

VARIED = [
    "Long when price crosses above the parabolic SAR, exit on parabolic SAR reversal",
    "Long when price crosses above the supertrend, short when price crosses below the supertrend",
    "Long when price closes above the ichimoku cloud, exit when price closes below the kijun",
    "Long when the Fisher Transform crosses above zero, exit when it crosses below zero",
    "Long when MFI is below 20, exit when MFI is above 80, chandelier exit",
    "Long/short when Chaikin money flow crosses above/below zero, exit on the opposite signal",
    "Long on RSI bullish divergence, exit at the upper Bollinger Band",
    "Short when the stochastic is above 80, cover when the stochastic is below 20, stop loss above the swing high",
    "Long when price crosses above VWAP with volume above the 80th percentile, exit after 10 bars",
    "Long when the TSI crosses above its signal line, exit when TSI crosses below its signal line",
    "Long when the HMA(20) crosses above the WMA(50), take profit 4% and stop 2%",
    "Long when CMO is above 50 and choppiness index is below 38.2, exit when CMO is below 0",
    "Long when Heikin Ashi turns green while price is above the 50 EMA, exit when Heikin Ashi turns red",
    "Buy after 3 consecutive lower closes above the 200-day SMA, sell after 2 green candles in a row",
    "Buy when TEMA(10) crosses above SMA(30), otherwise flat; no trades when ADX(14) > 60",
    "Long when the z-score (20) is below -2, exit at z = 0",
    "Buy if the close rises 2 ATR above the 20-day EMA, exit when RSI(14) is below 50 and the close is below the EMA",
    "Long when the highest close of 20 days is made and SMA(50) is rising, exit at the lowest close of 10 days",
    "Long when the awesome oscillator crosses above zero, exit when TRIX crosses below zero",
]


def strategy_of(idea: str) -> type[Any]:
    text = OfflineWriter().generate(Prompt("write", "", "", {"idea": idea, "note": ""}), deadline_s=1.0).text
    match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert match is not None
    module = types.ModuleType("written_strategy")
    exec(compile(match[1], "strategy.py", "exec"), module.__dict__)
    (found,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    ]
    return found


def run(idea: str, bars: pd.DataFrame) -> Any:
    test = Backtest(bars, strategy_of(idea), cash=1_000_000, commission=0.001, finalize_trades=True)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # statistics of runs with few trades divide by zero inside the library
        return test.run()


def dev(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.iloc[: int(len(bars) * 0.75)]


@pytest.mark.parametrize("idea", SHIPPED)
def test_each_shipped_idea_trades_on_daily_or_hourly_bars(idea: str) -> None:
    trades = [int(run(idea, dev(bars))["# Trades"]) for bars in (GOOG, EURUSD)]
    assert max(trades) > 0


@pytest.mark.parametrize("idea", VARIED)
def test_each_kind_of_indicator_runs_and_trades_on_daily_bars(idea: str) -> None:
    assert int(run(idea, dev(GOOG))["# Trades"]) > 0


@pytest.mark.parametrize("idea", VARIED)
def test_trades_up_to_a_bar_do_not_depend_on_bars_after_it(idea: str) -> None:
    cut = 700
    short = run(idea, GOOG.iloc[:cut])["_trades"]
    long = run(idea, GOOG.iloc[: cut + 300])["_trades"]
    closed = short[short["ExitBar"] < cut - 2]
    same = long[long["ExitBar"] < cut - 2]
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice"]
    assert closed[columns].reset_index(drop=True).equals(same[columns].reset_index(drop=True))


@pytest.mark.parametrize("volume", [0.0, np.nan, None])
def test_a_volume_filter_is_not_applied_where_bars_have_no_volume(volume: float | None) -> None:
    bars = dev(GOOG).drop(columns="Volume")
    if volume is not None:
        bars = bars.assign(Volume=volume)
    idea = "Long when price closes above the 20-day high with volume above 2x its 20-day average, exit after 10 bars"
    plain = "Long when price closes above the 20-day high, exit after 10 bars"
    assert int(run(idea, bars)["# Trades"]) == int(run(plain, bars)["# Trades"]) > 0


def test_few_bars_flat_prices_and_gaps_do_not_raise() -> None:
    index = pd.date_range("2024-01-01", periods=60, freq="D")
    flat = pd.DataFrame({"Open": 10.0, "High": 10.0, "Low": 10.0, "Close": 10.0, "Volume": 0.0}, index=index)
    gaps = flat.assign(Close=np.where(np.arange(60) % 7 == 0, 5.0, 10.0), Low=4.0, High=30.0)
    for idea in [*SHIPPED, *VARIED]:
        for bars in (flat, gaps, dev(GOOG).iloc[:5]):
            run(idea, bars)


def test_the_indicator_source_is_valid_and_every_function_is_causal_on_its_own() -> None:
    bars = GOOG.iloc[:300]
    columns = {name: bars[name.title()].to_numpy(dtype=float) for name in ("high", "low", "close", "volume")}
    columns |= {"opened": bars["Open"].to_numpy(dtype=float), "line": columns["close"]}
    numbers = {"period": 10, "fast": 5, "slow": 12, "signal": 4, "span": 20, "deviations": 2.0, "factor": 1.5}
    numbers |= {"smoothing": 3}
    numbers |= {"step": 0.02, "limit": 0.2}
    checked = 0
    for name, function in vars(indicators).items():
        if not isinstance(function, types.FunctionType) or name.startswith("crossed"):
            continue
        wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
        whole = function(**{key: columns.get(key, numbers.get(key)) for key in wanted})
        part = function(**{key: columns[key][:200] if key in columns else numbers[key] for key in wanted})
        np.testing.assert_allclose(whole[:200], part, rtol=1e-9, atol=1e-9, err_msg=name)
        checked += 1
    assert checked > 50


def test_importing_the_writer_imports_no_pandas() -> None:
    import subprocess

    code = "import sys, models.providers.offline; assert 'pandas' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
