"""Honest backtests of every kind, from the real engine in this process, and what their process would claim of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from runners.base import Account, Terms
from runners.claim import BarArrays, Claim, OpenTrades, TradeColumns
from runners.stats import STATISTICS, BacktestStats

CALENDARS = (
    "days",
    "weekdays",
    "hours",
    "quarters",
    "weeks",
    "months",
    "years",
    "uneven",
    "repeated",
    "numbers",
)
_DATE_RANGES = {
    "days": "D", "weekdays": "B", "hours": "h", "quarters": "15min", "weeks": "W-SUN", "months": "ME", "years": "YE"
}  # fmt: skip


def random_bars(rng: np.random.Generator, calendar: str, rows: int, volatility: float = 0.02) -> pd.DataFrame:
    """A random walk, sometimes with gaps, with jumps, or with prices that do not move."""
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, rows)))
    opening = np.r_[100.0, close[:-1]] * np.exp(
        rng.normal(0, volatility / 3, rows) * (rng.random(rows) < 0.5)
    )
    if rng.random() < 0.3:
        opening, close = np.round(opening), np.round(close)
    high = np.maximum(opening, close) * (1 + abs(rng.normal(0, volatility / 2, rows)))
    low = np.minimum(opening, close) / (1 + abs(rng.normal(0, volatility / 2, rows)))
    if rng.random() < 0.2:  # data where some opens are outside of low..high
        opening = opening * np.where(rng.random(rows) < 0.1, rng.uniform(0.9, 1.1, rows), 1)
    columns = {"Open": opening, "High": high, "Low": low, "Close": close}
    return pd.DataFrame(columns, index=_index(rng, calendar, rows))


def _index(rng: np.random.Generator, calendar: str, rows: int) -> pd.Index:
    if calendar == "numbers":
        first, step = int(rng.integers(0, 50)), int(rng.integers(1, 4))
        return pd.RangeIndex(first, first + step * rows, step)
    if calendar in _DATE_RANGES:
        index = pd.date_range("2001-03-07 10:00", periods=rows, freq=_DATE_RANGES[calendar])
        return index.as_unit("ns")
    gaps = rng.integers(0 if calendar == "repeated" else 1, 4 if calendar == "repeated" else 400_000, rows)
    seconds = np.cumsum(gaps * (40_000 if calendar == "repeated" else 1))
    return pd.DatetimeIndex((1_000_000_000 + seconds) * 10**9)


class RandomOrders(Strategy):  # type: ignore[misc]
    """Does something of everything that a strategy can do with orders, by chance."""

    seed = 0
    activity = 0.3
    warmup = 3
    stop_limits = False
    early = False

    def init(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.prices: list[float] = []
        if self.warmup:
            self.mean = self.I(
                lambda close: pd.Series(close).rolling(self.warmup + 1).mean(), self.data.Close
            )
        if self.early:
            self._order()

    def next(self) -> None:
        if self.rng.random() > self.activity:
            return
        for _ in range(self.rng.integers(1, 4)):
            try:
                self._act()
            except (ValueError, AssertionError):
                continue

    def _act(self) -> None:
        choice = self.rng.random()
        if choice < 0.55:
            self._order()
        elif choice < 0.65:
            self.position.close(self._pick(1.0, 0.5, 0.3))
        elif choice < 0.8 and self.trades:
            trade = self.trades[self.rng.integers(len(self.trades))]
            trade.close(self._pick(1.0, 0.5, 0.1))
        elif choice < 0.9 and self.trades:
            trade = self.trades[self.rng.integers(len(self.trades))]
            side = 1 if trade.is_long else -1
            trade.sl = self._price(-side)
            trade.tp = self._price(side)
        elif self.orders:
            self.orders[self.rng.integers(len(self.orders))].cancel()

    def _order(self) -> None:
        side = int(self._pick(1, -1))
        terms: dict[str, Any] = {
            "size": self._pick(0.1, 0.5, 0.9999, 1, 3, 40, 1000),
            "tag": self._pick(None, "a"),
        }
        kind = self.rng.random()
        if kind < 0.25:
            terms["limit"] = self._price(-side)
        elif kind < 0.5:
            terms["stop"] = self._price(side)
        elif kind < 0.6 and self.stop_limits:
            terms["stop"], terms["limit"] = self._price(side), self._price(side)
        elif kind < 0.6:
            terms["limit"] = self._price(0)
        if self.rng.random() < 0.3:
            terms["sl"] = self._price(-side, 3)
        if self.rng.random() < 0.3:
            terms["tp"] = self._price(side, 3)
        (self.buy if side > 0 else self.sell)(**terms)

    def _price(self, side: int, reach: float = 1) -> float:
        distance = abs(self.rng.normal(0, 0.015)) * reach + (0.02 if reach > 1 else 0)
        self.prices.append(float(self.data.Close[-1]) * (1 + side * distance))
        return self.prices[-1]

    def _pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]


@dataclass(frozen=True)
class EngineRun:
    """One finished run: the engine's own statistics, and what is checked."""

    claim: Claim
    bars: BarArrays
    stats: BacktestStats
    series: pd.Series = field(repr=False)


def run_engine(
    frame: pd.DataFrame, strategy: type[Strategy], params: dict[str, Any], **terms: Any
) -> EngineRun:
    """Run the engine. Raises what the engine raises: an `AssertionError` where it trips over its own orders."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        backtest = Backtest(frame, strategy, **terms)
        series = backtest.run(**params)
    stats = stats_of(series)
    used = backtest._data
    bars = BarArrays(
        used.index.as_unit("ns").asi8 if isinstance(used.index, pd.DatetimeIndex) else None,
        *(used[name].to_numpy(dtype=float) for name in ("Open", "High", "Low", "Close")),
    )
    return EngineRun(claim_of(series, stats, terms, len(frame)), bars, stats, series)


def stats_of(series: pd.Series) -> BacktestStats:
    """The engine's statistics, typed, as the process that ran it writes them down."""
    return BacktestStats(**{n: _value(key, series[key]) for n, key in STATISTICS.items() if key in series})


def _value(key: str, value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if value is pd.NaT or ("Drawdown Dur" in key and isinstance(value, float) and value <= 1):
        return np.nan  # of drawdowns that are all on the last bar, the engine gives the depth
    return int(value) if key in ("Start", "End", "# Trades") else float(value)


def claim_of(series: pd.Series, stats: BacktestStats, terms: dict[str, Any], rows: int) -> Claim:
    """The claim that an honest process makes of a run."""
    strategy = series["_strategy"]
    closed, opened = strategy._broker.closed_trades, strategy._broker.trades
    commission = terms.get("commission", 0.0)
    fixed, rate = commission if isinstance(commission, tuple) else (0.0, commission)
    account = Account(
        strategy=type(strategy).__name__,
        cash=float(terms.get("cash", 10_000)),
        spread=terms.get("spread", 0.0),
        commission=None if callable(rate) else rate,
        commission_fixed=fixed,
        margin=terms.get("margin", 1.0),
        trade_on_close=terms.get("trade_on_close", False),
        hedging=terms.get("hedging", False),
        exclusive_orders=terms.get("exclusive_orders", False),
        finalize_trades=terms.get("finalize_trades", False),
        bars=rows,
    )
    return Claim(
        stats=stats,
        equity=series["_equity_curve"]["Equity"].to_numpy(dtype=float),
        trades=TradeColumns(
            size=_floats([t.size for t in closed]),
            entry_bar=_ints([t.entry_bar for t in closed]),
            exit_bar=_ints([t.exit_bar for t in closed]),
            entry_price=_floats([t.entry_price for t in closed]),
            exit_price=_floats([t.exit_price for t in closed]),
            pnl=_floats([t.pl for t in closed]),
            commission=_floats([t._commissions for t in closed]),
            return_pct=_floats([t.pl_pct for t in closed]),
        ),
        open_trades=OpenTrades(
            size=_floats([t.size for t in opened]),
            entry_bar=_ints([t.entry_bar for t in opened]),
            entry_price=_floats([t.entry_price for t in opened]),
        ),
        order_prices=_floats(getattr(strategy, "prices", [])),
        account=account,
        warmup_bars=getattr(strategy, "warmup", 0),
    )


def _floats(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def random_run(seed: int, **fixed: Any) -> EngineRun | None:
    """A run that ``seed`` alone decides, apart from what is ``fixed``; ``None`` if the engine broke down."""
    rng = np.random.default_rng(seed)

    def pick(name: str, *choices: Any) -> Any:
        choice = choices[rng.integers(len(choices))]
        return fixed.get(name, choice)

    rows = int(rng.integers(*pick("rows", (2, 12), (12, 80), (80, 400))))
    volatility = pick("volatility", 0.005, 0.02, 0.08)
    calendar = pick("calendar", *CALENDARS)
    rows = min(rows, 200) if calendar == "years" else rows
    frame = random_bars(rng, calendar, rows, volatility)
    params = {
        "seed": seed,
        "activity": pick("activity", 0.0, 0.05, 0.3, 0.9),
        "warmup": pick("warmup", 0, 3),
        "early": pick("early", False, False, False, True),
        "stop_limits": pick("stop_limits", False),
    }
    if params["warmup"] >= rows:
        params["warmup"] = 0
    terms = {
        "cash": pick("cash", 5_000, 100_000, 1e6),
        "commission": pick("commission", 0.0, 0.001, 0.02, (5.0, 0.001), (0.5, 0.0)),
        "spread": pick("spread", 0.0, 0.0005, 0.01),
        "margin": pick("margin", 1.0, 0.5, 0.02),
        "trade_on_close": pick("trade_on_close", False, False, True),
        "hedging": pick("hedging", False, False, True),
        "exclusive_orders": pick("exclusive_orders", False, False, False, True),
        "finalize_trades": pick("finalize_trades", True, False),
    }
    try:
        return run_engine(frame, RandomOrders, params, **terms)
    except (AssertionError, ValueError, IndexError):
        return None


CLASS_MODE = {
    "trade_on_close": False, "hedging": False, "exclusive_orders": False, "finalize_trades": True
}  # fmt: skip
AGREED = Terms(cash=100_000.0, commission=0.001, spread=0.0005, margin=0.5)
AGREED_TERMS = {"cash": 100_000.0, "commission": 0.001, "spread": 0.0005, "margin": 0.5, **CLASS_MODE}


class TwoTrades(Strategy):  # type: ignore[misc]
    """Buys 100 units on bar 5, closes them on bar 20; sells 50 on bar 30, closes them on bar 40."""

    def init(self) -> None:
        pass

    def next(self) -> None:
        bar = len(self.data)
        if bar == 5:
            self.buy(size=100)
        if bar == 30:
            self.sell(size=50)
        if bar in (20, 40):
            self.position.close()


def rising(rows: int = 60) -> pd.DataFrame:
    """One unit a day more from 100 on, each bar as wide as 1.5."""
    close = 100.0 + np.arange(rows)
    columns = {"Open": close - 0.5, "High": close + 0.5, "Low": close - 1.0, "Close": close}
    return pd.DataFrame(columns, index=pd.date_range("2020-01-01", periods=rows).as_unit("ns"))


def two_trades() -> tuple[Claim, BarArrays]:
    """A win of 100 units and a loss of 50, under the agreed terms."""
    run = run_engine(rising(), TwoTrades, {}, **AGREED_TERMS)
    return run.claim, run.bars
