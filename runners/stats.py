"""The statistics of one backtest, typed, under backtesting.py's own names on the outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_KEYS = {
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestStats:
    """Every statistic that backtesting.py 0.6.6 reports.

    ``*_pct`` are percent (12.5 is 12.5%), ``*_s`` are seconds, money is in account currency, the rest are
    ratios or counts. ``None`` means that the key was absent, NaN that the figure is undefined (the Sharpe ratio
    of no trades); infinities are kept. ``max_drawdown_pct`` and ``avg_drawdown_pct`` are negative or zero.
    ``sharpe_ratio`` is backtesting.py's geometric ratio, and 0.0 for an account that lost everything.
    """

    start: datetime
    end: datetime
    duration_s: float
    exposure_time_pct: float
    equity_final: float
    equity_peak: float
    commissions: float | None = None
    return_pct: float
    buy_and_hold_return_pct: float
    return_ann_pct: float
    volatility_ann_pct: float
    cagr_pct: float | None = None
    sharpe_ratio: float
    sortino_ratio: float
    calmar_ratio: float
    alpha_pct: float | None = None
    beta: float | None = None
    max_drawdown_pct: float
    avg_drawdown_pct: float
    max_drawdown_duration_s: float
    avg_drawdown_duration_s: float
    trades: int
    win_rate_pct: float
    best_trade_pct: float
    worst_trade_pct: float
    avg_trade_pct: float
    max_trade_duration_s: float
    avg_trade_duration_s: float
    profit_factor: float
    expectancy_pct: float
    sqn: float
    kelly_criterion: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The statistics as strict JSON values, keyed as backtesting.py does; absent ones are left out.

        Times are ``{"ts": iso}``, durations ``{"seconds": s}``, undefined and infinite figures the strings
        ``"nan"``, ``"inf"`` and ``"-inf"``.
        """
        values = ((name, key, getattr(self, name)) for name, key in _KEYS.items())
        return {key: _encode(name, value) for name, key, value in values if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BacktestStats:
        """The inverse of `to_json`.

        Raises `ValueError` naming the key for one that is unknown, missing or of the wrong type.
        """
        if unknown := sorted(set(data) - set(_KEYS.values())):
            raise ValueError(f"unknown statistic: {', '.join(map(repr, unknown))}")
        optional = {f.name for f in fields(cls) if f.default is None}
        if missing := [k for name, k in _KEYS.items() if k not in data and name not in optional]:
            raise ValueError(f"missing statistic: {', '.join(map(repr, missing))}")
        return cls(**{name: _decode(key, name, data[key]) for name, key in _KEYS.items() if key in data})


def _encode(name: str, value: datetime | float) -> Any:
    if isinstance(value, datetime):
        return {"ts": value.isoformat()}
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return {"seconds": value} if name.endswith("_s") else value


def _decode(key: str, name: str, value: Any) -> Any:
    if name in ("start", "end"):
        return _timestamp(key, value)
    if isinstance(value, str) and value in _NOT_FINITE and name != "trades":
        return _NOT_FINITE[value]
    if name.endswith("_s"):
        if not (isinstance(value, Mapping) and set(value) == {"seconds"}):
            raise ValueError(f"the statistic {key!r} is not a duration: {value!r:.80}")
        value = value["seconds"]
    return _number(key, value, whole=name == "trades")


def _timestamp(key: str, value: Any) -> datetime:
    if isinstance(value, Mapping) and set(value) == {"ts"} and isinstance(value["ts"], str):
        try:
            return datetime.fromisoformat(value["ts"])
        except ValueError as error:
            raise ValueError(f"the statistic {key!r} is not a time: {value!r:.80}") from error
    raise ValueError(f"the statistic {key!r} is not a time: {value!r:.80}")


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
