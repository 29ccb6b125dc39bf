"""Where the trades of a claim were filled: only prices that the bar had and that an order could get are possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runners.claim import BarArrays, Claim, DifferenceError, Doubts, Floats, Ints, first, shown

Flags = NDArray[np.bool_]
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Fills:
    """Entries or exits. ``price`` is without the spread; ``at`` is the bar on which the broker filled the order.

    ``at`` is the trade's own bar, or with trade_on_close the one after it for a market order, which is filled at the
    close of the bar before. ``unsure`` are those where more than one bar is possible.
    """

    price: Floats
    at: Ints
    unsure: Flags


@dataclass(frozen=True, slots=True)
class _Prices:
    """Which of the possible prices each fill has."""

    open: Flags
    order: Flags
    close: Flags
    previous_close: Flags


def entries_of(claim: Claim, bars: BarArrays, doubts: Doubts) -> Fills:
    """The entries of closed trades, then those of open ones. Raises `DifferenceError` for an impossible one."""
    trades, left = claim.trades, claim.open_trades
    size = np.concatenate([trades.size, left.size])
    bar = np.concatenate([trades.entry_bar, left.entry_bar])
    paid = np.concatenate([trades.entry_price, left.entry_price])
    price = paid / (1 + np.sign(size) * claim.account.spread)
    found = _find(price, bar, claim, bars)
    if not claim.account.trade_on_close:
        nowhere = np.zeros(len(bar), dtype=np.bool_)
        found = _Prices(found.open, found.order, nowhere, nowhere)
    _require(price, bar, size > 0, found, bars, doubts, name=lambda row: f"{_name(row, claim)} was entered")
    late = found.close & (bar < len(bars.close) - 1)
    return Fills(price, bar + late, late & (found.open | found.order | found.previous_close))


def exits_of(claim: Claim, bars: BarArrays, doubts: Doubts) -> Fills:
    """The exits of closed trades. Raises `DifferenceError` for an impossible one.

    When the account has lost everything, the broker closes trades at that bar's close.
    """
    trades = claim.trades
    bar, price = trades.exit_bar, trades.exit_price
    found = _find(price, bar, claim, bars)
    bust = found.close & (claim.equity[bar] <= 0)
    if not claim.account.trade_on_close:
        found = _Prices(found.open, found.order, bust, np.zeros(len(bar), dtype=np.bool_))
    _require(
        price, bar, trades.size < 0, found, bars, doubts, name=lambda row: f"{_name(row, claim)} was closed"
    )
    late = found.close & ~bust & (bar < len(bars.close) - 1)
    unsure = late & (found.open | found.order | found.previous_close)
    if (
        claim.account.trade_on_close and claim.equity[0] <= 0
    ):  # also where the first bar with a figure is later
        unsure |= bust
    return Fills(price, bar + late, unsure)


def _find(price: Floats, bar: Ints, claim: Claim, bars: BarArrays) -> _Prices:
    return _Prices(
        open=_near(price, bars.open[bar]),
        order=_among(price, claim.order_prices),
        close=_near(price, bars.close[bar]),
        previous_close=_near(price, bars.close[np.maximum(bar - 1, 0)]) & (bar > 0),
    )


def _near(one: Floats, other: Floats) -> Flags:
    return np.abs(one - other) <= _TOLERANCE * np.abs(other)


def _among(price: Floats, offered: Floats) -> Flags:
    """Whether each price is one of those ``offered``, which may hold anything."""
    offered = np.sort(offered[np.isfinite(offered)])
    if not len(offered):
        return np.zeros(len(price), dtype=np.bool_)
    above = np.searchsorted(offered, price)
    at_or_above = offered[np.minimum(above, len(offered) - 1)]
    below = offered[np.maximum(above - 1, 0)]
    return _near(price, at_or_above) | _near(price, below)


def _require(
    price: Floats,
    bar: Ints,
    buys: Flags,
    found: _Prices,
    bars: BarArrays,
    doubts: Doubts,
    *,
    name: Callable[[int], str],
) -> None:
    low, high = np.minimum(bars.open, bars.low)[bar], np.maximum(bars.open, bars.high)[bar]
    at_close = found.close | found.previous_close
    above = (price > high * (1 + _TOLERANCE)) & ~at_close
    below = (price < low * (1 - _TOLERANCE)) & ~at_close
    # Where the market jumps over the stop of a stop-limit order, or with trade_on_close of any stop order, backtesting
    # 0.6.6 fills it at the stop: better than any price of the bar. No other order can be.
    jumped = found.order & ((below & buys) | (above & ~buys))
    outside = (above | below) & ~jumped
    elsewhere = ~(found.open | found.order | at_close)
    if (row := first(outside | elsewhere)) is not None:
        where = f"{name(row)} at {shown(price[row])} on bar {bar[row]}"
        if outside[row]:
            raise DifferenceError(
                f"{where}, whose prices go from {shown(low[row])} to {shown(high[row])} (without the spread)"
            )
        raise DifferenceError(
            f"{where}, which is neither its open {shown(bars.open[bar[row]])} nor the price of an order"
        )
    if (row := first(jumped)) is not None:
        doubts.append(
            f"{name(row)} at {shown(price[row])} on bar {bar[row]}, whose prices go from {shown(low[row])} to "
            f"{shown(high[row])}: the market jumped over a stop order, which was filled at its stop nevertheless"
        )


def _name(row: int, claim: Claim) -> str:
    return name_of(row, len(claim.trades.size))


def name_of(row: int, closed: int) -> str:
    """How a trade is called: closed ones are counted from 1, then come the open ones."""
    return f"trade {row + 1} of {closed}" if row < closed else f"open trade {row - closed + 1}"
