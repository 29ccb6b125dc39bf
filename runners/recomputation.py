"""The statistics of a backtest, computed from its bars, equity and trades with numpy alone.

The definitions are those of backtesting.py 0.6.6 (`backtesting/_stats.py`, `compute_stats`), to the last digit where
an order of operations decides between NaN and a number. Importing pandas would cost more than all of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from runners.claim import BarArrays, Floats, Ints, TradeColumns
from runners.stats import BacktestStats

DAY_NS = 86_400 * 10**9
_SECOND_NS = 10**9
_RESOLUTIONS_NS = (DAY_NS, 3600 * _SECOND_NS, 60 * _SECOND_NS, _SECOND_NS, 10**6, 10**3, 1)
_EPOCH = datetime(1970, 1, 1)
_PERIODS_PER_YEAR = {7: 52, 31: 12, 365: 1}
_PERIODS_SAMPLED = 100
_WEEKEND_SHARE = 2 / 7 * 0.6


@dataclass(frozen=True, slots=True)
class Clock:
    """When each bar is: ``position`` in ns since 1970 UTC, or for data ``by_bars`` the values of its integer index.

    ``tick`` is the unit that durations are counted in, in ns: averages are cut to it before they are rounded.
    """

    position: Ints
    by_bars: bool
    tick: int = 1

    @classmethod
    def of(cls, bars: BarArrays, *, first_bar: int = 0, bar_step: int = 1, tick: int = 1) -> Clock:
        """The clock of ``bars``; without times they are numbered ``first_bar``, ``first_bar + bar_step``, and so on."""
        if bars.time is None:
            return cls(first_bar + bar_step * np.arange(len(bars.close), dtype=np.int64), by_bars=True)
        return cls(bars.time, by_bars=False, tick=tick)

    @property
    def period(self) -> int | None:
        """Median distance of the last hundred bars in ns; ``None`` if there is only one bar."""
        gaps = np.diff(self.position[-_PERIODS_SAMPLED:]) // self.tick
        return int(np.median(gaps)) * self.tick if len(gaps) else None

    def at(self, bar: int) -> datetime | int:
        """The start or end of the data, as a statistic."""
        where = int(self.position[bar])
        return where if self.by_bars else _EPOCH + timedelta(microseconds=where // 1000)

    def longest(self, durations: Ints) -> float:
        """The longest duration, in seconds or bars; NaN of none."""
        return self._shown(float(durations.max()), int(durations.max())) if len(durations) else np.nan

    def average(self, durations: Ints) -> float:
        """The mean duration, in seconds or bars; NaN of none."""
        if not len(durations):
            return np.nan
        mean = (durations // self.tick).sum(dtype=np.float64) / len(durations)
        return self._shown(float(mean), int(mean) * self.tick)

    def _shown(self, bars: float, nanoseconds: int) -> float:
        """Durations in time are rounded up to the finest unit that the distance of two bars needs."""
        if self.by_bars:
            return bars
        period = self.period or 0
        unit = next(unit for unit in _RESOLUTIONS_NS if period % unit == 0)
        return -(-nanoseconds // unit) * unit / _SECOND_NS


@dataclass(frozen=True, slots=True)
class Returns:
    """The account's growth from one calendar period to the next, and what a year of it is (fractions)."""

    growth: Floats
    per_year: float
    annual: float
    volatility: float

    @property
    def sharpe(self) -> float:
        """Annual return over annual volatility; NaN without volatility."""
        return self.annual * 100 / (self.volatility * 100 or np.nan)

    @property
    def sortino(self) -> float:
        """Annual return over the annualised root mean square of the losing periods; infinite without one."""
        losses = _mean(np.minimum(self.growth, 0) ** 2)
        return float(np.float64(self.annual) / (np.sqrt(losses) * np.sqrt(self.per_year)))


def recompute(
    equity: Floats, trades: TradeColumns, bars: BarArrays, *, warmup_bars: int, clock: Clock | None = None
) -> BacktestStats:
    """Every statistic that backtesting.py gives for a run with this outcome; ``equity`` has one value a bar.

    Needs at least one bar. ``warmup_bars`` is the bar that buying and holding starts on.
    """
    clock = clock or Clock.of(bars)
    with np.errstate(all="ignore"):
        returns = _returns(equity, clock)
        total_pct = float((equity[-1] - equity[0]) / equity[0] * 100)
        close = bars.close
        hold_pct = float((close[-1] - close[warmup_bars]) / close[warmup_bars] * 100)
        beta = _beta(equity, close)
        commissions = sum(trades.commission.tolist())
        return BacktestStats(
            start=clock.at(0),
            end=clock.at(-1),
            duration_s=float(clock.position[-1] - clock.position[0]) / (1 if clock.by_bars else _SECOND_NS),
            exposure_time_pct=_exposure(trades, len(equity)) * 100,
            equity_final=float(equity[-1]),
            equity_peak=float(equity.max()),
            commissions=commissions or None,
            return_pct=total_pct,
            buy_and_hold_return_pct=hold_pct,
            return_ann_pct=returns.annual * 100,
            volatility_ann_pct=returns.volatility * 100,
            cagr_pct=None if clock.by_bars else _cagr(equity, clock) * 100,
            sharpe_ratio=returns.sharpe,
            sortino_ratio=returns.sortino,
            alpha_pct=total_pct - beta * hold_pct,
            beta=beta,
            **_drawdowns(equity, clock, returns.annual),
            **_trade_statistics(trades, clock),
        )


def _returns(equity: Floats, clock: Clock) -> Returns:
    """Growth by day, or by week, month or year where the bars are that far apart, annualised geometrically.

    Volatility is that of the product of a year's independent periods: sqrt((s^2 + m^2)^n - m^(2n)) with m the mean
    growth factor and s the standard deviation of one period. The powers are taken just so: in an account that never
    moves, their rounding decides between 0 and NaN.
    """
    if clock.by_bars:
        return Returns(np.array([np.nan]), np.nan, annual=0.0, volatility=np.nan)  # 0, as the engine has it
    period = clock.period
    period_days = None if period is None else period // DAY_NS
    days = clock.position // DAY_NS
    sampled = equity[_last_of_each_period(clock.position, days, period_days)]
    growth = sampled[1:] / sampled[:-1] - 1
    growth = growth[~np.isnan(growth)]
    weekend = np.mean((days + 3) % 7 >= 5)  # 1970 began on a Thursday
    trading_days = 365 if weekend > _WEEKEND_SHARE else 252
    per_year = _PERIODS_PER_YEAR.get(period_days or 0, trading_days)
    mean = np.float64(_geometric_mean(growth)) + 1
    volatility = np.sqrt((_variance(growth) + mean**2) ** per_year - mean ** (2 * per_year))
    return Returns(growth, per_year, float(mean**per_year - 1), float(volatility))


def _last_of_each_period(time: Ints, days: Ints, period_days: int | None) -> Ints:
    """The last bar of each calendar day, week (to Sunday), month or year that has bars."""
    if period_days == 7:
        labels = (days + 3) // 7
    elif period_days in (31, 365):
        unit = "M" if period_days == 31 else "Y"
        labels = time.view("datetime64[ns]").astype(f"datetime64[{unit}]").astype(np.int64)
    else:
        labels = days
    return np.append(np.flatnonzero(np.diff(labels)), len(labels) - 1)


def _cagr(equity: Floats, clock: Clock) -> float:
    duration = int(clock.position[-1] - clock.position[0])
    years = (duration // DAY_NS + duration % DAY_NS // _SECOND_NS / 86400) / 365.25
    return float((equity[-1] / equity[0]) ** (1 / years) - 1) if years else np.nan


def _beta(equity: Floats, close: Floats) -> float:
    """Covariance of the bars' log returns of account and market over the market's variance."""
    if len(equity) < 3:
        return np.nan
    covariance = np.cov(np.log(equity[1:] / equity[:-1]), np.log(close[1:] / close[:-1]))
    return float(covariance[0, 1] / covariance[1, 1])


def _exposure(trades: TradeColumns, bars: int) -> float:
    """Share of the bars on which a closed trade was open, its first and last bar included."""
    change = np.zeros(bars + 1, dtype=np.int64)
    np.add.at(change, trades.entry_bar, 1)
    np.add.at(change, trades.exit_bar + 1, -1)
    return float(np.mean(np.cumsum(change[:-1]) > 0))


def _drawdowns(equity: Floats, clock: Clock, annual_return: float) -> dict[str, Any]:
    """A drawdown lasts from one peak to the next, or to the last bar; one of a single step is not counted.

    If no drawdown lasts longer than that, the average depth is that of all bars below a peak.
    """
    depth = 1 - equity / np.maximum.accumulate(equity)
    ends = np.unique(np.append(np.flatnonzero(depth == 0), len(depth) - 1))
    lasting = np.diff(ends) > 1
    deepest = float(np.nan_to_num(depth.max()))
    if lasting.any():
        peaks = np.maximum(np.maximum.reduceat(depth, ends[:-1]), depth[ends[1:]])[lasting]
        durations = np.diff(clock.position[ends])[lasting]
        # The engine files a drawdown under the time it ends at, so bars of the same time all have it.
        times = clock.position
        last = times[ends[1:][lasting]]
        same_time = np.searchsorted(times, last, "right") - np.searchsorted(times, last, "left")
        peaks, durations = np.repeat(peaks, same_time), np.repeat(durations, same_time)
    else:
        peaks, durations = depth[depth > 0], np.empty(0, dtype=np.int64)
    return {
        "calmar_ratio": annual_return / (deepest or np.nan),
        "max_drawdown_pct": -deepest * 100,
        "avg_drawdown_pct": -_mean(peaks) * 100,
        "max_drawdown_duration_s": clock.longest(durations),
        "avg_drawdown_duration_s": clock.average(durations),
    }


def _trade_statistics(trades: TradeColumns, clock: Clock) -> dict[str, Any]:
    count, pnl, returns = len(trades.size), trades.pnl, trades.return_pct
    durations = clock.position[trades.exit_bar] - clock.position[trades.entry_bar]
    win_rate = float(np.mean(pnl > 0)) if count else np.nan
    won, lost = _mean(pnl[pnl > 0]), _mean(pnl[pnl < 0])
    return {
        "trades": count,
        "win_rate_pct": win_rate * 100,
        "best_trade_pct": float(returns.max()) * 100 if count else np.nan,
        "worst_trade_pct": float(returns.min()) * 100 if count else np.nan,
        "avg_trade_pct": _geometric_mean(returns) * 100,
        "max_trade_duration_s": clock.longest(durations),
        "avg_trade_duration_s": clock.average(durations),
        "profit_factor": float(returns[returns > 0].sum() / (abs(returns[returns < 0].sum()) or np.nan)),
        "expectancy_pct": _mean(returns) * 100,
        "sqn": float(np.sqrt(count)) * _mean(pnl) / (float(np.sqrt(_variance(pnl))) or np.nan),
        "kelly_criterion": float(win_rate - (1 - win_rate) / (np.float64(won) / -lost)),
    }


def _geometric_mean(returns: Floats) -> float:
    """Mean growth as a fraction; 0 if anything was lost entirely, NaN of none."""
    factors = returns + 1
    if (factors <= 0).any():
        return 0.0
    return float(np.exp(np.log(factors).sum() / (len(factors) or np.nan)) - 1)


def _mean(values: Floats) -> float:
    return float(values.sum() / len(values)) if len(values) else np.nan


def _variance(values: Floats) -> float:
    """The sample variance; NaN of fewer than two values."""
    if len(values) < 2:
        return np.nan
    return float(((_mean(values) - values) ** 2).sum() / (len(values) - 1))
