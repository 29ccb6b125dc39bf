"""Honest backtests of every kind are confirmed, or it is said what cannot be checked."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from backtesting import Strategy
from backtesting.lib import FractionalBacktest
from engine_runs import (
    AGREED,
    AGREED_TERMS,
    RandomOrders,
    TwoTrades,
    claim_of,
    random_bars,
    random_run,
    rising,
    run_engine,
    stats_of,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runners.base import CheckStatus, NumbersCheck
from runners.claim import BarArrays
from runners.recomputation import recompute
from runners.verification import check_numbers

SEEDS = st.integers(0, 2**32)


@settings(max_examples=120)
@given(seed=SEEDS)
def test_every_honest_backtest_is_confirmed(seed: int) -> None:
    run = random_run(seed, trade_on_close=False)
    assume(run is not None)
    assert run is not None
    assert check_numbers(run.claim, run.bars, agreed=None) == NumbersCheck(CheckStatus.CONFIRMED)


@settings(max_examples=60)
@given(seed=SEEDS)
def test_an_honest_backtest_under_agreed_terms_is_confirmed(seed: int) -> None:
    run = random_run(seed, calendar="hours", **AGREED_TERMS)
    assume(run is not None)
    assert run is not None
    assert check_numbers(run.claim, run.bars, agreed=AGREED) == NumbersCheck(CheckStatus.CONFIRMED)


@settings(max_examples=60)
@given(seed=SEEDS)
def test_trading_on_the_close_and_orders_that_markets_jump_over_never_make_a_backtest_invalid(
    seed: int,
) -> None:
    run = random_run(seed, stop_limits=True, activity=0.9)
    assume(run is not None)
    assert run is not None
    assert check_numbers(run.claim, run.bars, agreed=None).status is not CheckStatus.INVALID


def test_market_orders_filled_at_the_close_are_confirmed() -> None:
    run = run_engine(
        rising(), TwoTrades, {}, cash=100_000, commission=0.001, spread=0.001, trade_on_close=True
    )
    assert run.claim.trades.entry_price[0] == pytest.approx(104 * 1.001)
    assert check_numbers(run.claim, run.bars, agreed=None).status is CheckStatus.CONFIRMED


@pytest.mark.parametrize(
    "terms", [{"commission": 0.002}, {"spread": 0.001, "trade_on_close": True}, {"margin": 0.2}]
)
def test_prices_of_single_precision_cannot_be_told(terms: dict[str, float]) -> None:
    frame = random_bars(np.random.default_rng(3), "hours", 400).astype("float32")
    run = run_engine(frame, RandomOrders, {"seed": 3, "activity": 0.5}, cash=1e6, **terms)
    claim = replace(run.claim, account=replace(run.claim.account, own_bars=True))
    found = check_numbers(claim, run.bars, agreed=None)
    assert found.status is CheckStatus.CANNOT_TELL
    assert "single precision" in found.detail


def test_an_account_that_is_paid_for_trading_cannot_be_told() -> None:
    run = run_engine(rising(), TwoTrades, {}, cash=100_000, commission=-0.0002)
    assert run.claim.trades.commission[0] < 0
    found = check_numbers(run.claim, run.bars, agreed=None)
    assert found.status is CheckStatus.CANNOT_TELL
    assert "-0.0002" in found.detail
    forged = replace(run.claim, equity=run.claim.equity * 1.01)
    assert check_numbers(forged, run.bars, agreed=None).status is CheckStatus.INVALID


def test_summer_time_that_begins_after_the_first_bar_does_not_make_a_backtest_invalid() -> None:
    frame = random_bars(np.random.default_rng(3), "hours", 1500)
    frame.index = pd.date_range("2023-03-01", periods=len(frame), freq="h", tz="Europe/London")
    run = run_engine(frame, RandomOrders, {"seed": 3, "activity": 0.5}, cash=1e6, finalize_trades=True)
    assert run.stats.start.tzinfo is not None
    assert check_numbers(run.claim, run.bars, agreed=None).status is CheckStatus.CANNOT_TELL


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_bars_in_a_time_zone_or_a_coarser_unit_are_confirmed_or_cannot_be_told(zone: str, unit: str) -> None:
    frame = random_bars(np.random.default_rng(3), "hours", 400)
    frame.index = frame.index.as_unit(unit).tz_localize("UTC").tz_convert(zone)
    run = run_engine(frame, RandomOrders, {"seed": 3, "activity": 0.5}, cash=1e6, finalize_trades=True)
    fixed_offset = zone != "America/New_York"
    found = check_numbers(run.claim, run.bars, agreed=None).status
    assert found is CheckStatus.CONFIRMED if fixed_offset else found is not CheckStatus.INVALID


def test_a_commission_that_a_function_computes_cannot_be_told() -> None:
    run = run_engine(
        rising(), TwoTrades, {}, cash=100_000, commission=lambda size, price: 3.0 + abs(size) * 0.01
    )
    found = check_numbers(run.claim, run.bars, agreed=None)
    assert found.status is CheckStatus.CANNOT_TELL
    assert "computed by a function" in found.detail


def test_what_a_function_charges_for_a_trade_that_stays_open_cannot_be_told() -> None:
    class Bought(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            if len(self.data) == 5:
                self.buy(size=10)

    run = run_engine(rising(), Bought, {}, cash=100_000, commission=lambda _size, _price: 3.0)
    assert not len(run.claim.trades.size)
    assert check_numbers(run.claim, run.bars, agreed=None).status is CheckStatus.CANNOT_TELL


def test_a_function_that_never_charges_is_confirmed() -> None:
    run = run_engine(rising(), TwoTrades, {}, cash=100_000, commission=lambda _size, _price: 0.0)
    assert check_numbers(run.claim, run.bars, agreed=None).status is CheckStatus.CONFIRMED


def test_a_warm_up_that_ends_after_the_first_trade_cannot_be_told() -> None:
    run = run_engine(rising(), TwoTrades, {}, **AGREED_TERMS)
    for warmup, expected in ((4, CheckStatus.CONFIRMED), (5, CheckStatus.CANNOT_TELL)):
        stats = recompute(run.claim.equity, run.claim.trades, run.bars, warmup_bars=warmup)
        claim = replace(run.claim, warmup_bars=warmup, stats=stats)
        assert check_numbers(claim, run.bars, agreed=AGREED).status is expected


def test_fractions_of_units_as_the_engine_trades_them_are_confirmed() -> None:
    backtest = FractionalBacktest(
        rising().assign(Volume=1.0), TwoTrades, fractional_unit=1 / 1000, cash=100_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series = backtest.run()
    scaled = backtest._FractionalBacktest__data
    bars = BarArrays(
        scaled.index.as_unit("ns").asi8, *(scaled[c].to_numpy() for c in ("Open", "High", "Low", "Close"))
    )
    claim = claim_of(series, stats_of(series), {"cash": 100_000}, len(scaled))
    assert check_numbers(claim, bars, agreed=None).status is CheckStatus.CONFIRMED


def test_a_stop_limit_order_filled_below_the_market_cannot_be_told() -> None:
    class Jumped(Strategy):  # type: ignore[misc]
        prices = (90.0, 1000.0)

        def init(self) -> None:
            pass

        def next(self) -> None:
            if len(self.data) == 5:
                self.buy(size=10, stop=90.0, limit=1000.0)

    run = run_engine(rising(), Jumped, {}, **AGREED_TERMS)
    assert run.claim.trades.entry_price[0] == pytest.approx(90 * 1.0005)
    found = check_numbers(run.claim, run.bars, agreed=AGREED)
    assert found.status is CheckStatus.CANNOT_TELL
    assert "jumped over a stop" in found.detail


def test_what_is_forged_is_invalid_even_where_something_else_cannot_be_told() -> None:
    run = run_engine(rising(), TwoTrades, {}, cash=100_000, commission=lambda _size, _price: 3.0)
    forged = replace(run.claim, stats=replace(run.claim.stats, sharpe_ratio=9.0))
    assert check_numbers(forged, run.bars, agreed=None).status is CheckStatus.INVALID
