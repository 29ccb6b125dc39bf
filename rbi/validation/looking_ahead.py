"""Looking ahead, tried out: on bars with another future a strategy must have decided the same until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rbi.domain import Backtest
from runners.base import RunResult, Trade

MOST_CUTS = 3
"""Bars at which one dataset's future is changed. They are where the strategy itself decided something."""
_DIGITS = 9


def cuts(backtest: Backtest, opens: Sequence[float]) -> tuple[int, ...]:
    """Bars (0-based) from whose open on to change the future: where trades began, spread over the trades.

    An order that was filled at the open was decided before that bar, any other may have been filled by what happened
    in it: for those the change begins a bar later. ``opens`` are the open prices of the bars.
    """
    trades = backtest.result.trades
    at_open = _filled_at_open(trades, opens)
    firsts = sorted({t.entry_bar + (t.entry_bar not in at_open) for t in trades})
    possible = [first for first in firsts if 0 < first < backtest.bars.rows - 1]
    count = min(MOST_CUTS, len(possible))
    return tuple(possible[(2 * n + 1) * len(possible) // (2 * count)] for n in range(count))


def difference(backtest: Backtest, other: RunResult, first: int, opens: Sequence[float]) -> str:
    """How the trades until ``first`` differ from those of ``other``, whose future is another from there on."""
    if not other.completed:
        return f"it fails when the bars from {first} on are others"
    trades = backtest.result.trades
    at_open = _filled_at_open(trades, opens)
    begun = {_entry(t) for t in trades if t.entry_bar < first}
    due = {_entry(t) for t in trades if t.entry_bar == first and first in at_open}
    found = {_entry(t) for t in other.trades if t.entry_bar <= first}
    if not begun | due <= found or {entry for entry in found if entry[0] < first} - begun:
        return f"other orders by bar {first} when the bars from there on are others"
    ended = {(*_entry(t), t.exit_bar) for t in trades if t.exit_bar < first}
    if ended != {(*_entry(t), t.exit_bar) for t in other.trades if t.exit_bar < first}:
        return f"other exits before bar {first} when the bars from there on are others"
    return ""


def _entry(trade: Trade) -> tuple[int, float, float]:
    # One that is closed in parts is several trades, whose sizes depend on what came later: its direction does not.
    return trade.entry_bar, 1.0 if trade.size > 0 else -1.0, round(trade.entry_price, _DIGITS)


def _filled_at_open(trades: Sequence[Trade], opens: Sequence[float]) -> frozenset[int]:
    """The bars at whose open trades began, that is at the open and half the spread, which is the same for many."""
    distances = {t.entry_bar: round(abs(t.entry_price / opens[t.entry_bar] - 1), _DIGITS) for t in trades}
    common, count = Counter(distances.values()).most_common(1)[0] if distances else (0.0, 0)
    return frozenset(bar for bar, distance in distances.items() if count > 1 and distance == common)
