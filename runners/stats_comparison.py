"""Whether claimed statistics follow from the equity, the trades and the bars."""

from __future__ import annotations

import math
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import numpy as np

from runners.claim import BarArrays, Claim, DifferenceError, Doubts, shown
from runners.recomputation import Clock, recompute
from runners.stats import STATISTICS, BacktestStats

_RELATIVE = 1e-6
_ABSOLUTE = 1e-9
_DURATION = 1e-12
# A year's volatility is the root of a difference of two powers, whose rounding is of this size.
_VARIANCE_ROUNDING = 1e-11
_TICKS = (1, 10**3, 10**6, 10**9)
_BY_CALENDAR = {"return_ann_pct", "volatility_ann_pct", "sharpe_ratio", "sortino_ratio", "calmar_ratio"}


def check_statistics(claim: Claim, bars: BarArrays, doubts: Doubts, *, own_bars: bool) -> None:
    """Raise `DifferenceError` for the first statistic that is not what the rest of the claim gives.

    With ``own_bars`` the bars may be in a time zone, have times of a coarser unit than ns, or numbers that do not
    start at 0: none of this is known, but the statistics show it.
    """
    if own_bars and bars.time is None and not claim.stats.by_bars:
        doubts.append("the times of the script's bars are too far from now to be computed with")
        return
    offset = _offset(claim.stats) if own_bars else timedelta()
    clock = _clock(claim.stats, bars, offset, own_bars=own_bars)
    expected = _recomputed(claim, bars, clock)
    different = _difference(claim.stats, expected, offset)
    if different in ("avg_drawdown_duration_s", "avg_trade_duration_s") and own_bars:
        for tick in _coarser_ticks(clock):
            expected = _recomputed(claim, bars, Clock(clock.position, clock.by_bars, tick))
            if (different := _difference(claim.stats, expected, offset)) is None:
                return
    if different is None:
        return
    sentence = (
        f"the statistic {STATISTICS[different]!r} is {_named(getattr(claim.stats, different))}, "
        f"recomputed it is {_named(getattr(expected, different))}"
    )
    in_a_zone = isinstance(claim.stats.start, datetime) and claim.stats.start.tzinfo is not None
    if in_a_zone and own_bars and different in _BY_CALENDAR:
        doubts.append(f"the bars are in a time zone whose days are not known: {sentence}")
        return
    raise DifferenceError(sentence)


def _recomputed(claim: Claim, bars: BarArrays, clock: Clock) -> BacktestStats:
    return recompute(claim.equity, claim.trades, bars, warmup_bars=claim.warmup_bars, clock=clock)


def _offset(stats: BacktestStats) -> timedelta:
    """How far the data's clock is ahead of UTC where it starts."""
    return (stats.start.utcoffset() if isinstance(stats.start, datetime) else None) or timedelta()


def _clock(stats: BacktestStats, bars: BarArrays, offset: timedelta, *, own_bars: bool) -> Clock:
    if bars.time is not None:
        ahead = round(offset.total_seconds()) * 10**9
        return Clock(bars.time + ahead, by_bars=False)
    rows, start, end = len(bars.close), stats.start, stats.end
    if not own_bars or not isinstance(start, int) or not isinstance(end, int) or rows < 2:
        start = start if isinstance(start, int) and own_bars else 0
        return Clock.of(bars, first_bar=start)
    step = (end - start) // (rows - 1)
    if not (0 < step < 2**31 and abs(start) < 2**62):
        raise DifferenceError(f"the bars are numbered from {start} to {end}, the data has {rows}")
    return Clock.of(bars, first_bar=start, bar_step=step)


def _coarser_ticks(clock: Clock) -> list[int]:
    """Units of time in which all times are whole numbers, but for ns."""
    return [tick for tick in _TICKS[1:] if not clock.by_bars and not (clock.position % tick).any()]


def _difference(claimed: BacktestStats, expected: BacktestStats, offset: timedelta) -> str | None:
    """The name of the first statistic that differs."""
    for field in fields(BacktestStats):
        name = field.name
        one, other = getattr(claimed, name), getattr(expected, name)
        if name == "volatility_ann_pct":
            same = _same_volatility(one, other, claimed.return_ann_pct)
        elif name == "sharpe_ratio":
            same = _same(one, _ratio(claimed.return_ann_pct, claimed.volatility_ann_pct))
        elif isinstance(one, datetime) and isinstance(other, datetime):
            same = _same_time(one, other, offset)
        elif name == "trades":
            same = one == other
        elif name.endswith("_s"):
            same = _same(one, other, relative=_DURATION)
        else:
            same = _same(one, other)
        if not same:
            return name
    return None


def _same(one: float | None, other: float | None, *, relative: float = _RELATIVE) -> bool:
    if one is None or other is None or isinstance(one, datetime) or isinstance(other, datetime):
        return one is other
    if not (math.isfinite(one) and math.isfinite(other)):
        return one == other or (math.isnan(one) and math.isnan(other))
    return abs(one - other) <= max(_ABSOLUTE, relative * abs(other))


def _same_volatility(one: float | None, other: float | None, annual_pct: float | None) -> bool:
    if one is None or other is None or annual_pct is None:
        return one is other
    if _same(one, other):
        return True
    if math.isnan(annual_pct):
        return False
    rounding = _VARIANCE_ROUNDING * (1 + annual_pct / 100) ** 2
    variances = [0.0 if math.isnan(value) else (value / 100) ** 2 for value in (one, other)]
    return abs(variances[0] - variances[1]) <= rounding


def _ratio(annual_pct: float | None, volatility_pct: float | None) -> float | None:
    """The Sharpe ratio of figures that have been accepted, so that their rounding does not count twice."""
    if annual_pct is None or volatility_pct is None:
        return None
    return float(np.float64(annual_pct) / (volatility_pct or np.nan))


def _same_time(claimed: datetime, expected: datetime, offset: timedelta) -> bool:
    if claimed.tzinfo is None:
        return claimed == expected
    return claimed.astimezone(UTC).replace(tzinfo=None) == expected - offset


def _named(value: datetime | float | None) -> str:
    if value is None:
        return "absent"
    return str(value) if isinstance(value, datetime | int) else shown(value)
