"""The statistics are recomputed without pandas; the engine itself says what they should be."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from engine_runs import CALENDARS, EngineRun, RandomOrders, random_bars, random_run, run_engine
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runners.claim import BarArrays, TradeColumns
from runners.recomputation import Clock, recompute
from runners.stats import BacktestStats

SEEDS = st.integers(0, 2**32)


def recomputed(run: EngineRun) -> BacktestStats:
    start, end, rows = run.stats.start, run.stats.end, len(run.claim.equity)
    clock = Clock.of(run.bars)
    if isinstance(start, int) and isinstance(end, int):
        clock = Clock.of(run.bars, first_bar=start, bar_step=(end - start) // (rows - 1))
    return recompute(
        run.claim.equity, run.claim.trades, run.bars, warmup_bars=run.claim.warmup_bars, clock=clock
    )


def differences(one: BacktestStats, other: BacktestStats) -> list[str]:
    pairs = ((f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(BacktestStats))
    return [f"{name}: {a} is not {b}" for name, a, b in pairs if not same(a, b)]


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (
            one == other
            or (math.isnan(one) and math.isnan(other))
            or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
        )
    return one == other


@pytest.mark.parametrize("calendar", CALENDARS)
@settings(max_examples=15)
@given(seed=SEEDS)
def test_every_statistic_is_the_one_the_engine_reports(calendar: str, seed: int) -> None:
    run = random_run(seed, calendar=calendar)
    assume(run is not None)
    assert run is not None
    assert differences(recomputed(run), run.stats) == []


@settings(max_examples=15)
@given(seed=SEEDS)
def test_a_few_bars_are_enough_for_every_statistic(seed: int) -> None:
    run = random_run(seed, rows=(2, 9), activity=0.9)
    assume(run is not None)
    assert run is not None
    assert differences(recomputed(run), run.stats) == []


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_statistics_of_an_account_that_lost_everything_are_the_engines(seed: int) -> None:
    run = random_run(seed, margin=0.02, volatility=0.08, activity=0.9, rows=(60, 200))
    assume(run is not None and run.claim.equity[-1] == 0)
    assert run is not None
    assert differences(recomputed(run), run.stats) == []


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_averages_of_a_coarser_clock_are_cut_to_its_unit(unit: str) -> None:
    frame = random_bars(np.random.default_rng(5), "quarters", 300)
    frame.index = frame.index.as_unit(unit)
    run = run_engine(frame, RandomOrders, {"seed": 5, "activity": 0.5}, cash=1e6, finalize_trades=True)
    tick = {"s": 10**9, "ms": 10**6, "us": 10**3}[unit]
    clock = Clock.of(run.bars, tick=tick)
    found = recompute(run.claim.equity, run.claim.trades, run.bars, warmup_bars=3, clock=clock)
    assert run.stats.trades
    assert differences(found, run.stats) == []


def test_a_single_bar_has_no_returns() -> None:
    none, nowhere = np.empty(0), np.empty(0, dtype=np.int64)
    price = np.array([100.0])
    bars = BarArrays(np.array([10**18]), price, price, price, price)
    trades = TradeColumns(none, nowhere, nowhere, none, none, none, none, none)
    found = recompute(np.array([1e6]), trades, bars, warmup_bars=0)
    assert found.return_pct == 0.0
    assert found.duration_s == 0.0
    assert found.trades == 0
    assert found.commissions is None
    for name in (
        "return_ann_pct",
        "sharpe_ratio",
        "beta",
        "cagr_pct",
        "win_rate_pct",
        "max_drawdown_duration_s",
    ):
        assert math.isnan(getattr(found, name)), name
