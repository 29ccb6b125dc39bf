"""What an account was worth on every bar, rebuilt from its trades, and whether it could carry them.

The rules are those of backtesting.py 0.6.6 (`_Broker` in `backtesting/backtesting.py`): commission is charged when a
trade is opened and when it, or a part of it, is closed; an account that is worth nothing at a close ends there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runners.claim import Claim, DifferenceError, Floats, Ints, first, shown
from runners.fills import Fills, name_of

_EXACT = 1e-9
_LEVERAGE = 1e-6


@dataclass(frozen=True, slots=True)
class Ledger:
    """All trades by the bars on which the broker handled them; of open ones ``exit_at`` is the number of bars.

    ``entry_cost`` has the fixed commission only for the first of those trades that may be parts of one; ``parts`` is
    1 for the others. ``closed`` is how many trades are closed; they come first.
    """

    closed: int
    size: Floats
    entry_at: Ints
    exit_at: Ints
    entry_price: Floats
    exit_price: Floats
    entry_cost: Floats
    exit_cost: Floats
    parts: Ints
    rate: float
    fixed: float

    @classmethod
    def of(cls, claim: Claim, entries: Fills, exits: Fills, *, rate: float, fixed: float) -> Ledger:
        """The ledger of a claim whose fills are possible."""
        trades, left, bars = claim.trades, claim.open_trades, len(claim.equity)
        size = np.concatenate([trades.size, left.size])
        entry_price = np.concatenate([trades.entry_price, left.entry_price])
        exit_price = np.concatenate([trades.exit_price, left.entry_price])
        repeated = _repeated(entries.at, entry_price, size)
        return cls(
            closed=len(trades.size),
            size=size,
            entry_at=entries.at,
            exit_at=np.concatenate([exits.at, np.full(len(left.size), bars)]),
            entry_price=entry_price,
            exit_price=exit_price,
            entry_cost=rate * np.abs(size) * entry_price + fixed * (1 - repeated),
            exit_cost=rate * np.abs(size) * exit_price + fixed,
            parts=repeated,
            rate=rate,
            fixed=fixed,
        )

    def sums(self, bars: int, at_entry: Floats, at_exit: Floats) -> Floats:
        """Running totals, one a bar, of what entries and exits add."""
        change = np.bincount(self.entry_at, at_entry, bars + 1) + np.bincount(self.exit_at, at_exit, bars + 1)
        return np.cumsum(change[:bars])


@dataclass(frozen=True, slots=True)
class Worth:
    """The account at each bar's close: ``cash``, ``units`` held (net), and their ``basis`` (units by entry price)."""

    cash: Floats
    units: Floats
    basis: Floats
    close: Floats
    tolerance: float

    @classmethod
    def of(cls, ledger: Ledger, cash: float, close: Floats) -> Worth:
        """Replay the ledger to its end, whatever the account is worth. Raises `DifferenceError` for absurd trades."""
        bars, size, basis = len(close), ledger.size, ledger.size * ledger.entry_price
        realised = size * ledger.exit_price - basis - ledger.exit_cost
        held = ledger.sums(bars, basis, -basis)
        money = cash + ledger.sums(bars, -ledger.entry_cost, realised)
        figures = np.concatenate([money, held, basis, [cash]])
        scale = float(np.abs(figures).max())
        if not np.isfinite(scale):
            raise DifferenceError("the sizes and prices of the trades are too large to be added up")
        return cls(money, ledger.sums(bars, size, -size), held, close, _EXACT * scale)

    @property
    def equity(self) -> Floats:
        """Cash and what the open trades would bring at the close."""
        return self.cash + self.units * self.close - self.basis

    @property
    def carried(self) -> Floats:
        """What the account is worth at each close if nothing is traded on that bar; the first bar's is its cash."""
        moved = self.cash[:-1] + self.units[:-1] * self.close[1:] - self.basis[:-1]
        return np.append(self.cash[0], moved)


def check_equity(claim: Claim, ledger: Ledger, worth: Worth) -> None:
    """Raise `DifferenceError` for the first bar with an equity that the trades do not give."""
    bars, equity = len(claim.equity), claim.equity
    expected = worth.equity - ledger.fixed * _more_openings(ledger, worth.equity, equity)
    begin = int(ledger.entry_at.min(initial=bars))
    if equity[0] == claim.account.cash or begin == bars or begin > claim.warmup_bars + 1:
        begin = 0
    lost = first((equity <= 0) & (np.arange(bars) >= begin))
    end = bars if lost is None else lost
    if end < bars and expected[end] <= worth.tolerance:
        expected[end:] = 0
        _require_no_fills_after(ledger, end)
    broke = first(expected[:end] < -worth.tolerance)
    if broke is not None:
        expected[broke:] = 0
    expected[:begin] = expected[begin]  # bars on which no order can be filled yet have no figure of their own
    different = ~(np.abs(equity - expected) <= worth.tolerance)
    if (bar := first(different)) is not None:
        over = broke is not None and broke <= bar
        reason = f": the account was worth nothing on bar {broke}" if over else ""
        raise DifferenceError(
            f"equity is {shown(equity[bar])} on bar {bar}, its trades give {shown(expected[bar])}{reason}"
        )


def _repeated(at: Ints, price: Floats, size: Floats) -> Ints:
    """1 for every trade after the first of those opened on one bar, at one price, in one direction; 0 for others."""
    order = np.lexsort((size > 0, price, at))
    repeated = np.zeros(len(at), dtype=np.int64)
    same = (np.diff(at[order]) == 0) & (np.diff(price[order]) == 0) & (np.diff(size[order] > 0) == 0)
    repeated[order[1:]] = same
    return repeated


def _more_openings(ledger: Ledger, replayed: Floats, equity: Floats) -> Floats:
    """How many more fixed commissions had been charged by each bar than `Ledger.entry_cost` has.

    A trade that is closed in parts was charged once when it was opened, several trades were each charged: which of
    the two it was, the trades do not say. The claimed equity may choose, once for each bar with such entries.
    """
    bars = len(equity)
    most = np.cumsum(np.bincount(ledger.entry_at, ledger.parts, bars + 1)[:bars])
    if not ledger.fixed or not most[-1]:
        return np.zeros(bars)
    places = np.flatnonzero(np.diff(most, prepend=0))
    found = np.clip(np.rint((replayed - equity)[places] / ledger.fixed), 0, most[places])
    found = np.minimum(np.maximum.accumulate(found), most[places])
    since = np.searchsorted(places, np.arange(bars), "right")
    return np.append(0.0, found)[since]


def _require_no_fills_after(ledger: Ledger, end: int) -> None:
    bars_out = np.where(np.arange(len(ledger.size)) < ledger.closed, ledger.exit_at, end)
    if (row := first((ledger.entry_at > end) | (bars_out > end))) is not None:
        raise DifferenceError(
            f"{name_of(row, ledger.closed)} was filled after bar {end}, on which the account had lost everything"
        )


def check_directions(claim: Claim, ledger: Ledger, worth: Worth) -> None:
    """Raise `DifferenceError` for long and short trades at once without hedging, and for open ones at the end."""
    gross = ledger.sums(len(claim.equity), np.abs(ledger.size), -np.abs(ledger.size))
    if not claim.account.hedging and (bar := first(gross != np.abs(worth.units))) is not None:
        raise DifferenceError(
            f"on bar {bar} both long and short trades are open, in an account without hedging"
        )
    last = len(claim.equity) - 1
    kept = (ledger.exit_at > last) & (ledger.entry_at < last)
    if claim.account.finalize_trades and claim.equity[-1] > 0 and (row := first(kept)) is not None:
        raise DifferenceError(
            f"{name_of(row, ledger.closed)} was left open, in an account whose trades are closed on the last bar"
        )


def check_leverage(claim: Claim, ledger: Ledger, worth: Worth) -> None:
    """Raise `DifferenceError` for an entry that is too large for its account.

    The broker lets an order pass if its cost times the margin is at most the equity, at the bar's close and prices,
    less the margin of open trades. In which order the fills of a bar came is not known, so each entry may have come
    after every gain of the bar but its own; taking entries from the smallest up, an entry never vouches for itself.
    """
    size, at, close = np.abs(ledger.size), ledger.entry_at, worth.close
    if not len(size):
        return
    bars, same_bar = len(close), ledger.exit_at == ledger.entry_at
    closed = np.arange(len(size)) < ledger.closed
    out = close[np.minimum(ledger.exit_at, bars - 1)]
    opened_gain = np.maximum(0, ledger.size * (close[at] - ledger.entry_price) - ledger.entry_cost)
    closed_gain = np.maximum(0, ledger.size * (ledger.exit_price - out) - ledger.exit_cost) * closed
    own_gain = opened_gain + closed_gain * same_bar
    others = np.bincount(ledger.exit_at, closed_gain * ~same_bar, bars + 1)[:bars]
    most = worth.carried + others
    unspread = ledger.entry_price / (1 + np.sign(ledger.size) * claim.account.spread)
    needed = size * (ledger.entry_price + ledger.rate * unspread) * claim.account.margin
    order = np.lexsort((needed, at))
    before = np.cumsum(own_gain[order]) - own_gain[order]
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    before -= np.repeat(before[starts], np.diff(np.append(starts, len(order))))
    limit = np.maximum(0, most[at[order]] + before) * (1 + _LEVERAGE) + worth.tolerance
    _require_carried(claim, ledger, order[~(needed[order] <= limit)], most)
    _check_total(claim, ledger, worth, most + np.bincount(at, own_gain, bars))


def _require_carried(claim: Claim, ledger: Ledger, too_large: Ints, most: Floats) -> None:
    if len(too_large):
        row = int(too_large[0])
        bar = int(ledger.entry_at[row])
        cost = abs(ledger.size[row]) * ledger.entry_price[row]
        raise DifferenceError(
            f"{name_of(row, ledger.closed)} on bar {bar} is worth {shown(cost)}, more than the account could carry: "
            f"at most {shown(most[bar])} at a margin of {shown(claim.account.margin)}"
        )


def _check_total(claim: Claim, ledger: Ledger, worth: Worth, most: Floats) -> None:
    """All trades that are open after a bar with entries; each counts at the lower of its entry price and the close."""
    bars, size, close = len(most), np.abs(ledger.size), worth.close
    staying = size * (ledger.exit_at > ledger.entry_at)
    entered = np.bincount(ledger.entry_at, staying, bars)
    held_before = ledger.sums(bars, size, -size) - entered
    lower = np.minimum(ledger.entry_price, close[ledger.entry_at])
    total = held_before * close + np.bincount(ledger.entry_at, staying * lower, bars)
    limit = np.maximum(0, most) * (1 + _LEVERAGE) + worth.tolerance
    if (bar := first((entered > 0) & ~(total * claim.account.margin <= limit))) is not None:
        raise DifferenceError(
            f"the trades open after bar {bar} are worth {shown(total[bar])}, more than the account could carry: "
            f"at most {shown(most[bar])} at a margin of {shown(claim.account.margin)}"
        )
