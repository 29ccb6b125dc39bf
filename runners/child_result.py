"""Reading what the harness wrote. It comes from a process that ran strategy code: nothing in it is taken on trust."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from runners.base import Account, EquityCurve, OrderDiagnostics, Trade
from runners.claim import BarArrays, Claim, Floats, Ints, OpenTrades, TradeColumns
from runners.stats import BacktestStats
from runners.untrusted_text import neutralise

_READY = b"ready\n"
_TAG_LENGTH = 100
_NAME_LENGTH = 200
_GARBAGE_LENGTH = 300
_VALUES = 50_000  # commas and brackets of a document: it has some hundreds, and short texts may hold more
_COUNT = 2**53  # no count of anything is larger
_BROKEN_LENGTH = 100_000
_ORDER_PRICES = 200_000  # as many as the harness gives at most
_SAME_PRICE = 1e-12  # text of prices does not always come back as the very same number
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_REASONS = ("margin", "by_strategy", "exclusive")
_BAR_COLUMNS = ("Open", "High", "Low", "Close")
_ERRORS = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class WithoutMargin:
    """The first order that was cancelled for want of margin. Money in account currency.

    ``size`` is in units if it is 1 or more, else a fraction of what was available; negative sells. ``price`` is that
    bar's close, ``available`` what there was for new positions, before leverage.
    """

    bar: int
    size: float
    price: float
    available: float


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """What was reported of one scenario.

    ``claim`` is what the last finished backtest is said to have produced, ``equity``, ``trades`` and ``orders`` the
    same for results. ``own_bars`` are the bars a script's backtest had; whether they differ from the runner's is in
    the claim's account. ``failure`` is an exception, as `rbi_child.exceptions` describes it. ``garbage`` says why
    what was reported is none of this. ``reported`` is false where nothing was reported at all.
    """

    reported: bool = False
    claim: Claim | None = None
    equity: EquityCurve | None = None
    trades: tuple[Trade, ...] = ()
    orders: OrderDiagnostics | None = None
    without_margin: WithoutMargin | None = None
    own_bars: BarArrays | None = None
    failure: Mapping[str, Any] | None = None
    garbage: str = ""

    @property
    def account(self) -> Account | None:
        """What the backtest is said to have run with."""
        return self.claim.account if self.claim else None


@dataclass(frozen=True, slots=True)
class ChildResult:
    """What came through the result channel.

    ``ready`` is false if strategy code never ran; then ``broken`` may say why. ``scenarios`` are those that were
    reported in full, in their order: a line cut short is none.
    """

    ready: bool
    broken: str = ""
    scenarios: tuple[ScenarioResult, ...] = ()


def read_child_result(data: bytes, bars: Sequence[BarArrays]) -> ChildResult:
    """Parse the channel's content; ``bars`` are those that each scenario was given."""
    if not data.startswith(_READY):
        return ChildResult(ready=False, broken=_broken(data))
    if data.count(b"\n") > len(bars) + 1:  # before it is split: there can be millions
        return _more(bars)
    *lines, rest = data[len(_READY) :].split(b"\n")
    if rest and len(lines) == len(bars):
        return _more(bars)
    return ChildResult(ready=True, scenarios=tuple(map(_scenario, range(len(lines)), lines, bars)))


def _more(bars: Sequence[BarArrays]) -> ChildResult:
    more = ScenarioResult(reported=True, garbage="there is more in the result than was asked for")
    return ChildResult(ready=True, scenarios=(more,) * len(bars))


def _broken(data: bytes) -> str:
    try:
        return neutralise(str(json.loads(data[:_BROKEN_LENGTH])["broken"]), 1000)
    except _ERRORS:
        return ""


def _scenario(number: int, line: bytes, bars: BarArrays) -> ScenarioResult:
    try:
        if sum(map(line.count, (b",", b"[", b"{"))) > _VALUES:
            raise ValueError("too many values in it")
        document = json.loads(line, parse_constant=_refuse_constant)
        if document["scenario"] != number:
            raise ValueError(f"scenario {number} calls itself {document['scenario']!r:.80}")
        result = _result(document["result"], bars) if "result" in document else ScenarioResult(reported=True)
        return replace(result, failure=dict(document["failure"])) if "failure" in document else result
    except _ERRORS as error:
        garbage = neutralise(f"{type(error).__name__}: {error}", _GARBAGE_LENGTH)
        return ScenarioResult(reported=True, garbage=garbage)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _result(result: Mapping[str, Any], given: BarArrays) -> ScenarioResult:
    own = None if result["bars"] is None else _own_bars(result["bars"])
    unit = _number(result["unit"])
    if not 0 < unit < math.inf or (own is None and unit != 1):
        raise ValueError(f"a unit of {unit}")
    used = own or given
    bars = len(used.close)
    if not 0 < bars <= _COUNT:
        raise ValueError("no bars")
    equity = _floats(result["equity"], bars)
    trades = _trade_columns(result["trades"], bars)
    account = _account(result["account"], bars, own_bars=own is not None and not _same(own, given, unit))
    claim = Claim(
        stats=BacktestStats.from_json(result["stats"]),
        equity=equity,
        trades=trades,
        open_trades=_open_trades(result["open_trades"], bars),
        order_prices=_order_prices(result["order_prices"]),
        account=account,
        warmup_bars=_count(result["hold_bar"], bars - 1),
    )
    times = tuple(range(bars)) if used.time is None else tuple(used.time.tolist())
    return ScenarioResult(
        reported=True,
        claim=claim,
        equity=EquityCurve(times, tuple(equity.tolist()), tuple(_drawdown(equity).tolist())),
        trades=_trades(result, trades, times, unit),
        orders=_orders(result["orders"], bars),
        without_margin=_without_margin(result["first_without_margin"], bars),
        own_bars=own,
    )


def _drawdown(equity: Floats) -> Floats:
    """How far below its highest value so far, as a fraction; NaN where that is undefined."""
    with np.errstate(all="ignore"):
        return 1 - equity / np.maximum.accumulate(equity)


def _own_bars(columns: Mapping[str, Any]) -> BarArrays:
    close = _floats(columns["Close"])
    time = None if columns["time"] is None else _column(columns["time"], "<i8", len(close)).astype(np.int64)
    return BarArrays(time, *(_floats(columns[name], len(close)) for name in _BAR_COLUMNS))


def _same(own: BarArrays, given: BarArrays, unit: float) -> bool:
    """Whether a script's bars are the ``given`` ones, priced by ``unit``."""
    if own.time is None or given.time is None or not np.array_equal(own.time, given.time):
        return False
    with np.errstate(all="ignore"):
        pairs = [
            (getattr(own, name), getattr(given, name) * unit) for name in ("open", "high", "low", "close")
        ]
        return all(np.array_equal(a, b) or np.allclose(a, b, rtol=_SAME_PRICE, atol=0.0) for a, b in pairs)


def _trade_columns(columns: Mapping[str, Any], bars: int) -> TradeColumns:
    size = _floats(columns["size"])
    entry, leave = _bar_numbers(columns["entry_bar"], bars), _bar_numbers(columns["exit_bar"], bars)
    names = ("entry_price", "exit_price", "pnl", "commission", "return_pct")
    prices = {name: _floats(columns[name], len(size)) for name in names}
    if not len(entry) == len(leave) == len(size):
        raise ValueError(f"{len(size)} trades with {len(entry)} entries and {len(leave)} exits")
    return TradeColumns(size=size, entry_bar=entry, exit_bar=leave, **prices)


def _open_trades(columns: Mapping[str, Any], bars: int) -> OpenTrades:
    entry = _bar_numbers(columns["entry_bar"], bars)
    return OpenTrades(
        _floats(columns["size"], len(entry)), entry, _floats(columns["entry_price"], len(entry))
    )


def _trades(
    result: Mapping[str, Any], columns: TradeColumns, times: tuple[int, ...], unit: float
) -> tuple[Trade, ...]:
    """The trades in the prices and sizes of the data: the engine computes fractional ones in a smaller unit."""
    count = len(columns.size)
    tags = _texts(result["tags"], count)
    stops = (_floats(result["trades"][name], count) for name in ("sl", "tp"))
    with np.errstate(all="ignore"):
        size = columns.size * unit
        entry, leave, sl, tp = (price / unit for price in (columns.entry_price, columns.exit_price, *stops))
    rows = zip(
        size.tolist(),
        columns.entry_bar.tolist(),
        columns.exit_bar.tolist(),
        entry.tolist(),
        leave.tolist(),
        map(_set, sl.tolist()),
        map(_set, tp.tolist()),
        columns.pnl.tolist(),
        columns.commission.tolist(),
        columns.return_pct.tolist(),
        map(times.__getitem__, columns.entry_bar.tolist()),
        map(times.__getitem__, columns.exit_bar.tolist()),
        (neutralise(tag[:_TAG_LENGTH]) if tag else "" for tag in tags),
        strict=True,
    )
    return tuple(Trade(*row) for row in rows)


def _set(price: float) -> float | None:
    return None if math.isnan(price) else price


def _orders(counts: Mapping[str, Any], bars: int) -> OrderDiagnostics:
    values = {field.name: counts[field.name] for field in fields(OrderDiagnostics)}
    cancelled, first = values.pop("cancelled"), values.pop("first_order_bar")
    if not set(cancelled) <= set(_REASONS):
        raise ValueError(f"orders cancelled for {sorted(cancelled)!r:.80}")
    return OrderDiagnostics(
        **{name: _count(value) for name, value in values.items()},
        cancelled={reason: _count(cancelled[reason]) for reason in _REASONS if reason in cancelled},
        first_order_bar=None if first is None else _count(first, bars - 1),
    )


def _without_margin(said: Mapping[str, Any] | None, bars: int) -> WithoutMargin | None:
    if said is None:
        return None
    numbers = {name: _number(said[name]) for name in ("size", "price", "available")}
    return WithoutMargin(_count(said["bar"], bars - 1), **numbers)


def _account(said: Mapping[str, Any], bars: int, *, own_bars: bool) -> Account:
    if said["bars"] != bars:
        raise ValueError(f"an account of {said['bars']!r:.80} bars, equity of {bars}")
    flags = ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades")
    return Account(
        strategy=neutralise(str(said["strategy"])[:_NAME_LENGTH]),
        cash=_number(said["cash"]),
        spread=_number(said["spread"]),
        commission=None if said["commission"] is None else _number(said["commission"]),
        commission_fixed=_number(said["commission_fixed"]),
        margin=_number(said["margin"]),
        **{name: _flag(said[name]) for name in flags},
        bars=bars,
        own_bars=own_bars,
        backtests=_count(said["backtests"]),
    )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"neither true nor false: {value!r:.80}")
    return value


def _count(value: Any, most: int = _COUNT) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"not a count up to {most}: {value!r:.80}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, str):
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a number: {value!r:.80}")
    return float(value)


def _bar_numbers(text: Any, bars: int) -> Ints:
    values = _floats(text)
    if not ((values >= 0) & (values < bars) & (values == np.floor(values))).all():
        raise ValueError(f"bar numbers outside 0 to {bars - 1}")
    return values.astype(np.int64)


def _order_prices(text: Any) -> Floats:
    if isinstance(text, str) and len(text) > 8 * 2 * _ORDER_PRICES:
        raise ValueError("too many prices of orders")
    return _floats(text)


def _floats(text: Any, length: int | None = None) -> Floats:
    return _column(text, "<f8", length).astype(np.float64)


def _texts(text: Any, count: int) -> list[str]:
    if not isinstance(text, str):
        raise TypeError(f"not a column: {text!r:.80}")
    joined = base64.b64decode(text, validate=True).decode("utf-8", "replace")
    if joined.count("\0") != max(0, count - 1):
        raise ValueError(f"{joined.count(chr(0)) + 1} texts instead of {count}")
    return joined.split("\0") if count else []


def _column(text: Any, kind: str, length: int | None) -> NDArray[Any]:
    if not isinstance(text, str):
        raise TypeError(f"not a column: {text!r:.80}")
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype=kind)
    if length is not None and len(values) != length:
        raise ValueError(f"{len(values)} values instead of {length}")
    return values
