"""Reading what the harness wrote. It comes from a process that ran strategy code: nothing in it is taken on trust."""

from __future__ import annotations

import base64
import json
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from runners.base import EquityCurve, Trade
from runners.stats import BacktestStats
from runners.untrusted_text import neutralise

_READY = b"ready\n"
_TAG_LENGTH = 100
_COLUMNS = (
    "size",
    "entry_bar",
    "exit_bar",
    "entry_price",
    "exit_price",
    "sl",
    "tp",
    "pnl",
    "commission",
    "return_pct",
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a completed backtest produced."""

    stats: BacktestStats
    equity: EquityCurve
    trades: tuple[Trade, ...]


@dataclass(frozen=True, slots=True)
class ChildResult:
    """What came through the result channel.

    ``ready`` is false if strategy code never ran; then ``broken`` may say why. Otherwise one of ``numbers``,
    ``failure`` (an exception, as `rbi_child.exceptions` describes it) and ``garbage`` (why it is neither) is set,
    or none if the channel ended without a word.
    """

    ready: bool
    broken: str = ""
    numbers: Numbers | None = None
    failure: Mapping[str, Any] | None = None
    garbage: str = ""


def read_child_result(data: bytes, time: Sequence[int]) -> ChildResult:
    """Parse the channel's content; ``time`` are the times of the bars that the run was given."""
    if not data.startswith(_READY):
        return ChildResult(ready=False, broken=_broken(data))
    body = data[len(_READY) :]
    if not body:
        return ChildResult(ready=True)
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        if set(document) == {"failure"}:
            return ChildResult(ready=True, failure=dict(document["failure"]))
        return ChildResult(ready=True, numbers=_numbers(document["result"], time))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        return ChildResult(ready=True, garbage=neutralise(f"{type(error).__name__}: {error}", 300))


def _broken(data: bytes) -> str:
    try:
        return neutralise(str(json.loads(data)["broken"]), 1000)
    except (ValueError, KeyError, TypeError):
        return ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _numbers(result: Mapping[str, Any], time: Sequence[int]) -> Numbers:
    equity, drawdown = _column(result["equity"]), _column(result["drawdown"])
    if not len(equity) == len(drawdown) == len(time):
        raise ValueError(f"{len(equity)} values of equity for {len(time)} bars")
    return Numbers(
        stats=BacktestStats.from_json(result["stats"]),
        equity=EquityCurve(tuple(time), tuple(equity), tuple(drawdown)),
        trades=_trades(result["trades"], result["tags"], time),
    )


def _trades(columns: Mapping[str, str], tags: Sequence[str], time: Sequence[int]) -> tuple[Trade, ...]:
    rows = zip(*(_column(columns[name]) for name in _COLUMNS), tags, strict=True)
    return tuple(_trade(*row, time=time) for row in rows)


def _trade(
    size: float,
    entry_bar: float,
    exit_bar: float,
    entry_price: float,
    exit_price: float,
    sl: float,
    tp: float,
    pnl: float,
    commission: float,
    return_pct: float,
    tag: str,
    *,
    time: Sequence[int],
) -> Trade:
    if not 0 <= entry_bar <= exit_bar < len(time):
        raise ValueError(f"a trade from bar {entry_bar} to {exit_bar} of {len(time)}")
    return Trade(
        size=size,
        entry_bar=int(entry_bar),
        exit_bar=int(exit_bar),
        entry_price=entry_price,
        exit_price=exit_price,
        sl=_set(sl),
        tp=_set(tp),
        pnl=pnl,
        commission=commission,
        return_pct=return_pct,
        entry_time=time[int(entry_bar)],
        exit_time=time[int(exit_bar)],
        tag=neutralise(str(tag)[:_TAG_LENGTH]),
    )


def _set(price: float) -> float | None:
    return None if math.isnan(price) else price


def _column(text: str) -> array[float]:
    values = array("d")
    values.frombytes(base64.b64decode(text, validate=True))
    return values
