"""Whether the numbers of a backtest can be true, judged from the bars alone.

They come out of a process that ran a stranger's code. What is checked is that the trades were possible, that they
add up to the equity, and that the statistics follow. A strategy that looks ahead passes: its trades were possible.
"""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from runners.account_replay import Ledger, Worth, check_directions, check_equity, check_leverage
from runners.base import Account, CheckStatus, NumbersCheck, Terms
from runners.claim import (
    BarArrays,
    Claim,
    DifferenceError,
    Doubts,
    Floats,
    OpenTrades,
    TradeColumns,
    first,
    shown,
)
from runners.fills import entries_of, exits_of, name_of
from runners.stats_comparison import check_statistics

__all__ = ["BarArrays", "Claim", "OpenTrades", "TradeColumns", "check_numbers"]

_EXACT = 1e-9
_HIGHEST_COMMISSION = 0.1
_NO_TIME = np.iinfo(np.int64).min  # as pandas writes NaT
_LARGEST_SIZE = 2.0**53  # whole numbers above it are not all floats


def check_numbers(claim: Claim, bars: BarArrays, *, agreed: Terms | None) -> NumbersCheck:
    """Recompute everything that ``claim`` says of a backtest on ``bars``; the first difference makes it invalid.

    ``agreed`` are the terms that the runner asked for; ``None`` if a script chose its own, and then ``bars`` may be
    the script's too. Nothing in ``claim`` needs to make sense.
    """
    doubts = Doubts()
    try:
        with np.errstate(all="ignore"):
            _check(claim, bars, agreed, doubts)
    except DifferenceError as difference:
        if claim.account.own_bars and _of_low_precision(bars):
            return NumbersCheck(
                CheckStatus.CANNOT_TELL, f"the script's prices are of single precision: {difference}"
            )
        return NumbersCheck(CheckStatus.INVALID, str(difference))
    if doubts:
        return NumbersCheck(CheckStatus.CANNOT_TELL, doubts[0])
    return NumbersCheck(CheckStatus.CONFIRMED)


def _check(claim: Claim, bars: BarArrays, agreed: Terms | None, doubts: Doubts) -> None:
    _check_account(claim.account, agreed)
    _check_shapes(claim, bars)
    if (claim.account.commission or 0) < 0:
        doubts.append(
            f"the script's account is paid for trading: its commission is {claim.account.commission}"
        )
    if not _bars_make_sense(bars):
        doubts.append("the bars are not in order, or have prices that are not positive")
        return
    _check_trades(claim)
    entries, exits = entries_of(claim, bars, doubts), exits_of(claim, bars, doubts)
    rates = _commission_rates(claim, doubts)
    _check_gains(claim)
    if rates is not None:
        _check_commissions(claim, *rates)
        ledger = Ledger.of(claim, entries, exits, rate=rates[0], fixed=rates[1])
        unsure = bool(entries.unsure.any() or exits.unsure.any())
        _check_account_history(claim, bars, ledger, unsure, doubts)
    check_statistics(claim, bars, doubts, own_bars=agreed is None)


def _check_account(account: Account, agreed: Terms | None) -> None:
    if agreed is not None:
        for name in ("cash", "commission", "spread", "margin"):
            if getattr(account, name) != getattr(agreed, name):
                raise DifferenceError(
                    f"the account's {name} is {getattr(account, name)}, agreed was {getattr(agreed, name)}"
                )
        agreed_rules = {
            "trade_on_close": False,
            "hedging": False,
            "exclusive_orders": False,
            "finalize_trades": True,
        }
        for name, rule in {"commission_fixed": 0.0, **agreed_rules}.items():
            if getattr(account, name) != rule:
                raise DifferenceError(f"the account's {name} is {getattr(account, name)}, agreed was {rule}")
    if not 0 < account.cash < math.inf:
        raise DifferenceError(f"the account's cash is {account.cash}: it must be positive")
    if not 0 < account.margin <= 1:
        raise DifferenceError(f"the account's margin is {account.margin}: it must be above 0 and at most 1")
    if not 0 <= account.spread < 1:
        raise DifferenceError(f"the account's spread is {account.spread}: it must be at least 0 and below 1")
    rate = account.commission
    if rate is not None and not -_HIGHEST_COMMISSION <= rate < _HIGHEST_COMMISSION:
        raise DifferenceError(f"the account's commission is {rate}: it must be at least -0.1 and below 0.1")
    if not 0 <= account.commission_fixed < math.inf:
        raise DifferenceError(
            f"the account's fixed commission is {account.commission_fixed}: it must not be negative"
        )


def _check_shapes(claim: Claim, bars: BarArrays) -> None:
    rows = len(bars.close)
    if not rows:
        raise DifferenceError("there are no bars")
    if not len(claim.equity) == claim.account.bars == rows:
        raise DifferenceError(
            f"there are {len(claim.equity)} values of equity and {claim.account.bars} bars in the account, "
            f"the data has {rows}"
        )
    if (bar := first(~np.isfinite(claim.equity))) is not None:
        raise DifferenceError(f"equity is {claim.equity[bar]} on bar {bar}: it must be finite")
    if not 0 <= claim.warmup_bars < rows:
        raise DifferenceError(f"the indicators needed {claim.warmup_bars} bars, the data has {rows}")
    for columns in (claim.trades, claim.open_trades):
        lengths = {len(getattr(columns, field.name)) for field in fields(columns)}
        if len(lengths) > 1:
            raise DifferenceError(f"the columns of the trades have different lengths: {sorted(lengths)}")


def _bars_make_sense(bars: BarArrays) -> bool:
    prices = (bars.open, bars.high, bars.low, bars.close)
    return all(bool(((price > 0) & (price < math.inf)).all()) for price in prices) and (
        bars.time is None or bool((bars.time > _NO_TIME).all() and (np.diff(bars.time) >= 0).all())
    )


def _of_low_precision(bars: BarArrays) -> bool:
    """Whether prices were computed with in less than double precision: the engine's own sums are rough then."""
    prices = (bars.open, bars.high, bars.low, bars.close)
    return any(np.array_equal(price.astype(np.float32), price) for price in prices)


def _check_trades(claim: Claim) -> None:
    """Every figure by itself: finite, in range, whole where it has to be."""
    closed, last = len(claim.trades.size), len(claim.equity) - 1
    for columns, offset in ((claim.trades, 0), (claim.open_trades, closed)):
        for field in fields(columns):
            values = getattr(columns, field.name)
            if (row := first(~np.isfinite(values))) is not None:
                raise DifferenceError(
                    f"{field.name} of {name_of(row + offset, closed)} is {values[row]}: it must be finite"
                )
            if field.name.endswith("_bar") and (row := first((values < 0) | (values > last))) is not None:
                raise DifferenceError(
                    f"{field.name} of {name_of(row + offset, closed)} is {values[row]}, the last bar is {last}"
                )
            if field.name.endswith("_price") and (row := first(values <= 0)) is not None:
                raise DifferenceError(
                    f"{field.name} of {name_of(row + offset, closed)} is {shown(values[row])}: it must be positive"
                )
    _check_sizes(np.concatenate([claim.trades.size, claim.open_trades.size]), closed)
    earliest = claim.trades.entry_bar - claim.account.trade_on_close
    if (row := first(claim.trades.exit_bar < earliest)) is not None:
        raise DifferenceError(
            f"{name_of(row, closed)} was closed on bar {claim.trades.exit_bar[row]}, "
            f"before it was entered on bar {claim.trades.entry_bar[row]}"
        )
    rate = claim.account.commission
    if (row := first(claim.trades.commission < 0)) is not None and rate is not None and rate >= 0:
        raise DifferenceError(
            f"the commission of {name_of(row, closed)} is {shown(claim.trades.commission[row])}: it is negative"
        )


def _check_sizes(size: Floats, closed: int) -> None:
    if (row := first(size == 0)) is not None:
        raise DifferenceError(f"the size of {name_of(row, closed)} is 0")
    if (row := first(np.abs(size) > _LARGEST_SIZE)) is not None:
        raise DifferenceError(
            f"the size of {name_of(row, closed)} is {shown(size[row])}: no account holds that"
        )
    if (row := first(size != np.rint(size))) is not None:
        raise DifferenceError(
            f"the size of {name_of(row, closed)} is {shown(size[row])}, which is not a whole number of units"
        )


def _commission_rates(claim: Claim, doubts: Doubts) -> tuple[float, float] | None:
    """Relative and fixed commission; ``None`` if a function computed it."""
    if claim.account.commission is not None:
        return claim.account.commission, claim.account.commission_fixed
    # Of trades that are still open it is not known what they were charged.
    if not claim.trades.commission.any() and not len(claim.open_trades.size):
        return 0.0, 0.0
    doubts.append("the commission is computed by a function of the script: what it charged cannot be checked")
    return None


def _check_gains(claim: Claim) -> None:
    trades, closed = claim.trades, len(claim.trades.size)
    size, entry, exit_, cost = np.abs(trades.size), trades.entry_price, trades.exit_price, trades.commission
    gain = trades.size * (exit_ - entry) - cost
    if (
        row := first(~(np.abs(trades.pnl - gain) <= _EXACT * (size * (entry + exit_) + np.abs(cost))))
    ) is not None:
        raise DifferenceError(
            f"the profit of {name_of(row, closed)} is {shown(trades.pnl[row])}, its prices and commission give "
            f"{shown(gain[row])}"
        )
    share = np.sign(trades.size) * (exit_ / entry - 1) - cost / (size * entry)
    scale = 1 + exit_ / entry + np.abs(cost) / (size * entry)
    if (row := first(~(np.abs(trades.return_pct - share) <= _EXACT * scale))) is not None:
        raise DifferenceError(
            f"the return of {name_of(row, closed)} is {shown(trades.return_pct[row])}, its prices and commission "
            f"give {shown(share[row])}"
        )


def _check_commissions(claim: Claim, rate: float, fixed: float) -> None:
    trades = claim.trades
    due = 2 * fixed + rate * np.abs(trades.size) * (trades.entry_price + trades.exit_price)
    if (row := first(~(np.abs(trades.commission - due) <= _EXACT * (1 + np.abs(due))))) is not None:
        raise DifferenceError(
            f"the commission of {name_of(row, len(trades.size))} is {shown(trades.commission[row])}, "
            f"the account's terms give {shown(due[row])}"
        )


def _check_account_history(
    claim: Claim, bars: BarArrays, ledger: Ledger, unsure: bool, doubts: Doubts
) -> None:
    """Equity, directions and leverage, which need the bar on which each order was filled."""
    worth = Worth.of(ledger, claim.account.cash, bars.close)
    try:
        if (row := first((ledger.entry_at < 1) | (ledger.exit_at < ledger.entry_at))) is not None:
            raise DifferenceError(  # noqa: TRY301 - all differences are told apart in one place
                f"{name_of(row, ledger.closed)} was entered on bar {ledger.entry_at[row]} and closed on bar "
                f"{ledger.exit_at[row]}: the first bar on which orders are filled is 1"
            )
        _doubt_early_entries(claim, ledger, doubts)
        check_equity(claim, ledger, worth)
        check_directions(claim, ledger, worth)
        check_leverage(claim, ledger, worth)
    except DifferenceError as difference:
        if not unsure:
            raise
        doubts.append(
            f"with trade_on_close it is not known on which bar every order was filled: {difference}"
        )


def _doubt_early_entries(claim: Claim, ledger: Ledger, doubts: Doubts) -> None:
    """The engine counts the warm-up before the first bar and again after the last: indicators may change meanwhile."""
    if (row := first(ledger.entry_at <= claim.warmup_bars)) is not None:
        doubts.append(
            f"{name_of(row, ledger.closed)} was entered on bar {ledger.entry_at[row]}, but the indicators needed "
            f"{claim.warmup_bars} bars: what buying and holding would have brought is not known"
        )
