"""Numbers that were changed after or around an honest backtest are refused, with the first difference."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from engine_runs import (
    AGREED,
    AGREED_TERMS,
    TwoTrades,
    rising,
    run_engine,
    two_trades,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.base import CheckStatus, NumbersCheck
from runners.claim import BarArrays, Claim
from runners.recomputation import recompute
from runners.stats import STATISTICS, BacktestStats
from runners.verification import check_numbers


def changed(claim: Claim, **columns: Any) -> Claim:
    return replace(claim, trades=replace(claim.trades, **columns))


def without(claim: Claim, row: int) -> Claim:
    columns = {f.name: np.delete(getattr(claim.trades, f.name), row) for f in fields(claim.trades)}
    return changed(claim, **columns)


def made_consistent(claim: Claim, bars: BarArrays, *, rate: float = 0.001) -> Claim:
    """All that follows from sizes, prices and bars of the trades: what a careful forger would write."""
    trades, equity = claim.trades, np.full(len(bars.close), claim.account.cash)
    entry, exit_, size = trades.entry_price, trades.exit_price, np.abs(trades.size)
    commission = rate * size * (entry + exit_)
    pnl = trades.size * (exit_ - entry) - commission
    for row in range(len(size)):
        start, end = trades.entry_bar[row], trades.exit_bar[row]
        held = bars.close[start:end] - entry[row]
        equity[start:end] += trades.size[row] * held - rate * size[row] * entry[row]
        equity[end:] += pnl[row]
    share = np.sign(trades.size) * (exit_ / entry - 1) - commission / (size * entry)
    forged = replace(changed(claim, commission=commission, pnl=pnl, return_pct=share), equity=equity)
    stats = recompute(equity, forged.trades, bars, warmup_bars=claim.warmup_bars)
    return replace(forged, stats=stats)


def check(claim: Claim, bars: BarArrays) -> NumbersCheck:
    return check_numbers(claim, bars, agreed=AGREED)


def assert_invalid(claim: Claim, bars: BarArrays, *parts: str) -> None:
    found = check(claim, bars)
    assert found.status is CheckStatus.INVALID
    for part in parts:
        assert part in found.detail


@pytest.mark.parametrize("name", STATISTICS)
def test_no_statistic_can_be_changed(name: str) -> None:
    claim, bars = two_trades()
    value = getattr(claim.stats, name)
    other = value + timedelta(days=1) if isinstance(value, datetime) else 1 if value != value else value + 1
    assert_invalid(replace(claim, stats=replace(claim.stats, **{name: other})), bars, f"'{STATISTICS[name]}'")


@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf])
def test_a_statistic_cannot_be_left_out_or_made_undefined(value: float | None) -> None:
    claim, bars = two_trades()
    assert_invalid(replace(claim, stats=replace(claim.stats, sqn=value)), bars, "'SQN'")


@settings(max_examples=100)
@given(data=st.data())
def test_no_figure_of_a_trade_and_no_bar_of_the_equity_can_be_changed(data: st.DataObject) -> None:
    claim, bars = two_trades()
    factor = data.draw(st.sampled_from([-1.0, 0.0, 0.5, 0.999, 1.00001, 1.5, np.nan, np.inf]))
    column = data.draw(
        st.sampled_from(["equity", "entry_price", "exit_price", "pnl", "commission", "return_pct"])
    )
    values = (claim.equity if column == "equity" else getattr(claim.trades, column)).copy()
    values[data.draw(st.integers(0, len(values) - 1))] *= factor
    forged = replace(claim, equity=values) if column == "equity" else changed(claim, **{column: values})
    assert_invalid(forged, bars)


@pytest.mark.parametrize("column", ["entry_bar", "exit_bar"])
@pytest.mark.parametrize("shift", [-1000, -1, 1, 1000])
def test_a_trade_cannot_be_moved_in_time(column: str, shift: int) -> None:
    claim, bars = two_trades()
    assert_invalid(
        changed(claim, **{column: getattr(claim.trades, column) + np.array([shift, 0])}), bars, "trade 1 of 2"
    )


def test_equity_cannot_be_scaled() -> None:
    claim, bars = two_trades()
    assert_invalid(
        replace(claim, equity=claim.equity * 2), bars, "equity is 200000 on bar 0, its trades give 100000"
    )


def test_a_losing_trade_cannot_be_dropped() -> None:
    claim, bars = two_trades()
    assert claim.trades.pnl[1] < 0
    assert_invalid(without(claim, 1), bars, "equity is", "on bar 30")


def test_a_losing_trade_cannot_be_dropped_with_an_equity_that_fits_if_the_statistics_are_kept() -> None:
    claim, bars = two_trades()
    forged = replace(made_consistent(without(claim, 1), bars), stats=claim.stats)
    assert_invalid(forged, bars, "the statistic 'Exposure Time [%]' is")


def test_more_cash_than_agreed_is_refused() -> None:
    claim, bars = two_trades()
    richer = replace(claim, account=replace(claim.account, cash=200_000.0), equity=claim.equity + 100_000)
    assert_invalid(richer, bars, "the account's cash is 200000.0, agreed was 100000.0")


@pytest.mark.parametrize(
    "terms",
    [
        {"commission": 0.0}, {"spread": 0.0}, {"margin": 0.1}, {"commission_fixed": 1.0}, {"hedging": True},
        {"trade_on_close": True}, {"exclusive_orders": True}, {"finalize_trades": False}, {"commission": None},
    ],
)  # fmt: skip
def test_an_account_with_other_terms_than_agreed_is_refused(terms: dict[str, Any]) -> None:
    claim, bars = two_trades()
    name = next(iter(terms))
    assert_invalid(
        replace(claim, account=replace(claim.account, **terms)), bars, f"the account's {name} is", "agreed"
    )


@pytest.mark.parametrize(
    "terms",
    [
        {"commission": -0.05}, {"commission": 0.1}, {"commission": np.nan}, {"commission_fixed": -1.0}, {"cash": 0.0},
        {"cash": np.inf}, {"margin": 0.0}, {"margin": 1.5}, {"spread": -0.1}, {"spread": np.nan},
    ],
)  # fmt: skip
def test_a_script_cannot_choose_terms_that_pay_it(terms: dict[str, Any]) -> None:
    claim, bars = two_trades()
    forged = replace(claim, account=replace(claim.account, **terms))
    found = check_numbers(forged, bars, agreed=None)
    assert found.status is CheckStatus.INVALID
    assert next(iter(terms)).split("_")[0] in found.detail


def test_a_fill_outside_of_its_bar_is_refused() -> None:
    claim, bars = two_trades()
    cheaper = claim.trades.entry_price * np.array([0.9, 1])
    forged = made_consistent(changed(claim, entry_price=cheaper), bars)
    assert_invalid(forged, bars, "trade 1 of 2 was entered at", "on bar 5, whose prices go from 104 to 105.5")


def test_a_dearer_fill_outside_of_its_bar_is_refused_even_if_an_order_is_said_to_have_that_price() -> None:
    claim, bars = two_trades()
    dearer = changed(claim, exit_price=np.array([125.0, claim.trades.exit_price[1]]))
    forged = replace(made_consistent(dearer, bars), order_prices=np.array([125.0, np.nan]))
    assert check(forged, bars).status is not CheckStatus.CONFIRMED
    worse = changed(claim, entry_price=claim.trades.entry_price * np.array([1.1, 1]))
    prices = worse.trades.entry_price / 1.0005
    assert_invalid(
        replace(made_consistent(worse, bars), order_prices=prices), bars, "on bar 5, whose prices go from"
    )


def test_a_fill_inside_of_its_bar_needs_an_order_of_that_price() -> None:
    claim, bars = two_trades()
    forged = made_consistent(changed(claim, exit_price=np.array([120.25, claim.trades.exit_price[1]])), bars)
    assert_invalid(
        forged, bars, "trade 1 of 2 was closed at 120.25 on bar 20", "neither its open 119.5 nor the price"
    )
    assert check(replace(forged, order_prices=np.array([120.25])), bars).status is CheckStatus.CONFIRMED


def test_commissions_cannot_be_waived() -> None:
    claim, bars = two_trades()
    assert_invalid(made_consistent(claim, bars, rate=0.0), bars, "the commission of trade 1 of 2 is 0")


def test_a_position_cannot_be_larger_than_the_account_carries() -> None:
    claim, bars = two_trades()
    forged = made_consistent(changed(claim, size=claim.trades.size * np.array([20, 1])), bars)
    assert_invalid(forged, bars, "trade 1 of 2 on bar 5 is worth", "more than the account could carry")


@pytest.mark.parametrize("size", [1e12, 1e17, 1e300])
def test_figures_that_overflow_prove_nothing(size: float) -> None:
    claim, bars = two_trades()
    huge = changed(claim, size=np.array([size, -50.0]), pnl=np.array([size, -1.0]))
    assert_invalid(huge, bars, "trade 1 of 2")
    with np.errstate(all="ignore"):
        consistent = made_consistent(huge, bars)
    assert_invalid(consistent, bars)
    enormous = replace(bars, **{n: getattr(bars, n) * 1e300 for n in ("open", "high", "low", "close")})
    trades = replace(
        claim.trades, entry_price=claim.trades.entry_price * 1e300, exit_price=claim.trades.exit_price * 1e300
    )
    with np.errstate(all="ignore"):
        forged = made_consistent(
            replace(claim, trades=replace(trades, size=np.array([size, -50.0]))), enormous
        )
    found = check_numbers(replace(forged, equity=claim.equity), enormous, agreed=None)
    assert found.status is CheckStatus.INVALID


def test_a_position_cannot_be_split_to_be_larger_than_the_account_carries() -> None:
    claim, bars = two_trades()
    columns = {f.name: np.repeat(getattr(claim.trades, f.name), [20, 1]) for f in fields(claim.trades)}
    assert_invalid(
        made_consistent(changed(claim, **columns), bars), bars, "the trades open after bar 5 are worth"
    )


def test_gains_within_one_bar_do_not_vouch_for_each_other() -> None:
    claim, bars = two_trades()
    columns = {f.name: np.repeat(getattr(claim.trades, f.name), [2, 1]) for f in fields(claim.trades)}
    columns["size"] = np.array([1e9, 1e9, -50])
    columns["exit_bar"][:2] = 5
    columns["exit_price"][:2] = 105.4
    forged = replace(made_consistent(changed(claim, **columns), bars), order_prices=np.array([105.4]))
    assert_invalid(forged, bars, "trade 1 of 3 on bar 5 is worth", "more than the account could carry")


def test_a_backtest_on_altered_prices_is_refused() -> None:
    frame = rising()
    frame.iloc[20:25] *= 1.2
    claim = run_engine(frame, TwoTrades, {}, **AGREED_TERMS).claim
    assert_invalid(
        claim, two_trades()[1], "trade 1 of 2 was closed at 143.4 on bar 20, whose prices go from 119 to"
    )


def test_altered_closes_show_in_the_equity() -> None:
    frame = rising()
    frame.iloc[10, 3] += 0.25
    claim = run_engine(frame, TwoTrades, {}, **AGREED_TERMS).claim
    assert_invalid(claim, two_trades()[1], "equity is", "on bar 10")


def test_an_account_that_lost_everything_cannot_recover() -> None:
    frame = rising()
    claim = run_engine(frame, TwoTrades, {}, **{**AGREED_TERMS, "cash": 6_000.0}).claim
    frame.iloc[10, 2:] = 20.0
    bars = replace(two_trades()[1], low=frame["Low"].to_numpy(), close=frame["Close"].to_numpy())
    forged = made_consistent(claim, bars)
    assert forged.equity[10] < 0 < forged.equity[11]
    hidden = replace(forged, equity=np.where(forged.equity > 0, forged.equity, 1.0))
    found = check_numbers(hidden, bars, agreed=replace(AGREED, cash=6_000.0))
    assert found.status is CheckStatus.INVALID
    assert found.detail == "equity is 1 on bar 10, its trades give 0: the account was worth nothing on bar 10"


def test_nothing_is_traded_after_the_account_lost_everything() -> None:
    claim, bars = two_trades()
    equity = claim.equity.copy()
    equity[25:] = 0
    assert_invalid(replace(claim, equity=equity), bars, "equity is 0 on bar 25, its trades give")


def test_losing_trades_cannot_be_left_open_where_all_are_closed_at_the_end() -> None:
    claim, bars = two_trades()
    trades = claim.trades
    left = replace(
        claim.open_trades,
        size=trades.size[1:],
        entry_bar=trades.entry_bar[1:],
        entry_price=trades.entry_price[1:],
    )
    equity = claim.equity.copy()
    equity[40:] = equity[39] - 50 * (bars.close[40:] - bars.close[39])
    forged = replace(without(claim, 1), open_trades=left, equity=equity)
    assert_invalid(forged, bars, "open trade 1 was left open")


def test_long_and_short_at_once_needs_hedging() -> None:
    hedged = run_engine(rising(), TwoTrades, {}, **AGREED_TERMS).claim
    bars = two_trades()[1]
    moved = changed(
        hedged,
        entry_bar=np.array([5, 10]),
        entry_price=np.array([hedged.trades.entry_price[0], bars.open[10] * (1 - 0.0005)]),
    )
    assert_invalid(made_consistent(moved, bars), bars, "on bar 10 both long and short trades are open")


@pytest.mark.parametrize("column", ["size", "entry_price", "pnl"])
def test_columns_of_different_lengths_are_refused(column: str) -> None:
    claim, bars = two_trades()
    forged = changed(claim, **{column: getattr(claim.trades, column)[:1]})
    assert_invalid(forged, bars, "the columns of the trades have different lengths: [1, 2]")


def test_an_equity_of_another_length_is_refused() -> None:
    claim, bars = two_trades()
    assert_invalid(replace(claim, equity=claim.equity[:-1]), bars, "there are 59 values of equity")


@pytest.mark.parametrize("size", [0.0, 1.5])
def test_sizes_are_whole_numbers_of_units(size: float) -> None:
    claim, bars = two_trades()
    assert_invalid(
        changed(claim, size=np.array([size, -50.0])), bars, f"the size of trade 1 of 2 is {size:g}"
    )


def test_bars_of_prices_that_are_not_positive_cannot_be_told() -> None:
    claim, bars = two_trades()
    found = check_numbers(claim, replace(bars, low=bars.low - 200), agreed=None)
    assert found.status is CheckStatus.CANNOT_TELL
    assert "not positive" in found.detail


def test_empty_statistics_are_refused() -> None:
    claim, bars = two_trades()
    assert_invalid(replace(claim, stats=BacktestStats()), bars, "'Start' is absent")
