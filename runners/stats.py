"""The statistics of one backtest, typed, under backtesting.py's own names on the outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

# The fields of `BacktestStats` and backtesting.py's names for them, in the order in which it prints them.
STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "start": "Start",
        "end": "End",
        "duration_s": "Duration",
        "exposure_time_pct": "Exposure Time [%]",
        "equity_final": "Equity Final [$]",
        "equity_peak": "Equity Peak [$]",
        "commissions": "Commissions [$]",
        "return_pct": "Return [%]",
        "buy_and_hold_return_pct": "Buy & Hold Return [%]",
        "return_ann_pct": "Return (Ann.) [%]",
        "volatility_ann_pct": "Volatility (Ann.) [%]",
        "cagr_pct": "CAGR [%]",
        "sharpe_ratio": "Sharpe Ratio",
        "sortino_ratio": "Sortino Ratio",
        "calmar_ratio": "Calmar Ratio",
        "alpha_pct": "Alpha [%]",
        "beta": "Beta",
        "max_drawdown_pct": "Max. Drawdown [%]",
        "avg_drawdown_pct": "Avg. Drawdown [%]",
        "max_drawdown_duration_s": "Max. Drawdown Duration",
        "avg_drawdown_duration_s": "Avg. Drawdown Duration",
        "trades": "# Trades",
        "win_rate_pct": "Win Rate [%]",
        "best_trade_pct": "Best Trade [%]",
        "worst_trade_pct": "Worst Trade [%]",
        "avg_trade_pct": "Avg. Trade [%]",
        "max_trade_duration_s": "Max. Trade Duration",
        "avg_trade_duration_s": "Avg. Trade Duration",
        "profit_factor": "Profit Factor",
        "expectancy_pct": "Expectancy [%]",
        "sqn": "SQN",
        "kelly_criterion": "Kelly Criterion",
    }
)
# Those that not every backtest has: they depend on costs, on a time index, or on the version of backtesting.py.
SOMETIMES_REPORTED = frozenset({"commissions", "cagr_pct", "alpha_pct", "beta", "kelly_criterion"})
# Nor does the runner get those that no `datetime` is: an index may have NaT there, or a year beyond 9999.
SOMETIMES_KNOWN = SOMETIMES_REPORTED | {"start", "end"}
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestStats:
    """Every statistic that backtesting.py 0.6.6 reports.

    ``*_pct`` are percent (12.5 is 12.5%), ``*_s`` are seconds, money is in account currency, the rest are
    ratios or counts. ``None`` means that the key was absent, NaN that the figure is undefined (the Sharpe ratio
    of no trades); infinities are kept. ``max_drawdown_pct`` and ``avg_drawdown_pct`` are negative or zero.
    ``sharpe_ratio`` is backtesting.py's geometric ratio, and 0.0 for an account that lost everything.

    Data without times (`by_bars`): ``start`` and ``end`` are bar numbers, and ``*_s`` count bars, not seconds.
    """

    start: datetime | int | None = None
    end: datetime | int | None = None
    duration_s: float | None = None
    exposure_time_pct: float | None = None
    equity_final: float | None = None
    equity_peak: float | None = None
    commissions: float | None = None
    return_pct: float | None = None
    buy_and_hold_return_pct: float | None = None
    return_ann_pct: float | None = None
    volatility_ann_pct: float | None = None
    cagr_pct: float | None = None
    sharpe_ratio: float | None = None
    sortino_ratio: float | None = None
    calmar_ratio: float | None = None
    alpha_pct: float | None = None
    beta: float | None = None
    max_drawdown_pct: float | None = None
    avg_drawdown_pct: float | None = None
    max_drawdown_duration_s: float | None = None
    avg_drawdown_duration_s: float | None = None
    trades: int | None = None
    win_rate_pct: float | None = None
    best_trade_pct: float | None = None
    worst_trade_pct: float | None = None
    avg_trade_pct: float | None = None
    max_trade_duration_s: float | None = None
    avg_trade_duration_s: float | None = None
    profit_factor: float | None = None
    expectancy_pct: float | None = None
    sqn: float | None = None
    kelly_criterion: float | None = None

    @property
    def by_bars(self) -> bool:
        """Whether the data had no times, so that everything in time is counted in bars."""
        return isinstance(self.start, int) or isinstance(self.end, int)

    def to_json(self) -> dict[str, Any]:
        """The statistics as strict JSON values, keyed as backtesting.py does; absent ones are left out.

        Times are ``{"ts": iso}``, durations ``{"seconds": s}``, without times ``{"bar": n}`` and ``{"bars": n}``;
        undefined and infinite figures are the strings ``"nan"``, ``"inf"`` and ``"-inf"``.
        """
        values = ((name, key, getattr(self, name)) for name, key in STATISTICS.items())
        unit = "bars" if self.by_bars else "seconds"
        return {key: _encode(name, value, unit) for name, key, value in values if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, complete: bool = True) -> BacktestStats:
        """The inverse of `to_json`.

        Raises `ValueError` naming the key for one that is unknown or of the wrong type, and if the statistics are
        to be ``complete``, for a missing one that every backtest has.
        """
        if unknown := sorted(set(data) - set(STATISTICS.values())):
            raise ValueError(f"unknown statistic: {', '.join(map(repr, unknown))}")
        needed = (key for name, key in STATISTICS.items() if complete and name not in SOMETIMES_KNOWN)
        if missing := [key for key in needed if key not in data]:
            raise ValueError(f"missing statistic: {', '.join(map(repr, missing))}")
        found = {name: key for name, key in STATISTICS.items() if key in data}
        times = {name: _time(key, data[key]) for name, key in found.items() if name in ("start", "end")}
        if len({type(time) for time in times.values()}) > 1:
            raise ValueError("the statistics 'Start' and 'End' are not both times or both bar numbers")
        unit = "bars" if any(isinstance(time, int) for time in times.values()) else "seconds"
        figures = {
            name: _figure(key, name, data[key], unit) for name, key in found.items() if name not in times
        }
        return cls(**times, **figures)


def _encode(name: str, value: datetime | float, unit: str) -> Any:
    if isinstance(value, datetime):
        return {"ts": value.isoformat()}
    if name in ("start", "end"):
        return {"bar": value}
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return {unit: value} if name.endswith("_s") else value


def _time(key: str, value: Any) -> Any:
    """A `datetime` or a bar number."""
    if isinstance(value, Mapping) and set(value) == {"bar"}:
        return _number(key, value["bar"], whole=True)
    if isinstance(value, Mapping) and set(value) == {"ts"} and isinstance(value["ts"], str):
        try:
            return datetime.fromisoformat(value["ts"])
        except ValueError as error:
            raise ValueError(f"the statistic {key!r} is not a time: {value!r:.80}") from error
    raise ValueError(f"the statistic {key!r} is not a time: {value!r:.80}")


def _figure(key: str, name: str, value: Any, unit: str) -> Any:
    """A float, or an int for a count; ``unit`` is what durations must be in."""
    if isinstance(value, str) and value in _NOT_FINITE and name != "trades":
        return _NOT_FINITE[value]
    if name.endswith("_s"):
        if not (isinstance(value, Mapping) and set(value) == {unit}):
            raise ValueError(f"the statistic {key!r} is not a duration in {unit}: {value!r:.80}")
        value = value[unit]
    return _number(key, value, whole=name == "trades")


def _number(key: str, value: Any, *, whole: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ValueError(  # noqa: TRY004 - it is the content of a document that is wrong
            f"the statistic {key!r} is not a {'whole ' if whole else ''}number: {value!r:.80}"
        )
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"the statistic {key!r} is too large") from error
    if not math.isfinite(number):
        raise ValueError(f"the statistic {key!r} must be written as a string when it is not finite")
    return value if whole else number
