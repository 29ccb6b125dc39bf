"""What a strategy's process says a backtest produced, as arrays, before anything of it is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runners.base import Account
from runners.stats import BacktestStats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BarArrays:
    """Prices, one value a bar. ``time`` is int64, ns since 1970 UTC, ascending; ``None`` for data without times."""

    time: Ints | None
    open: Floats
    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Closed trades in the order in which they were closed; bars are 0-based, ``return_pct`` is a fraction."""

    size: Floats
    entry_bar: Ints
    exit_bar: Ints
    entry_price: Floats
    exit_price: Floats
    pnl: Floats
    commission: Floats
    return_pct: Floats


@dataclass(frozen=True, slots=True)
class OpenTrades:
    """Trades that are still open after the last bar."""

    size: Floats
    entry_bar: Ints
    entry_price: Floats


@dataclass(frozen=True, slots=True)
class Claim:
    """One finished backtest as claimed.

    ``order_prices`` are the limit, stop, stop-loss and take-profit prices of all orders. ``warmup_bars`` is how many
    bars the indicators needed: the first on which an order can be filled comes after it, and buying and holding
    starts there.
    """

    stats: BacktestStats
    equity: Floats
    trades: TradeColumns
    open_trades: OpenTrades
    order_prices: Floats
    account: Account
    warmup_bars: int


class DifferenceError(Exception):
    """The claim contradicts itself or the bars; the message is one sentence with both values."""


class Doubts(list[str]):
    """Why something of a claim cannot be checked, the first reason first."""


def shown(value: float) -> str:
    """A figure as sentences name it."""
    return f"{value:.12g}"


def first(wrong: NDArray[np.bool_]) -> int | None:
    """The index of the first true value."""
    return int(wrong.argmax()) if wrong.any() else None
