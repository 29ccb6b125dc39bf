"""What a strategy is called: the condition that triggers it, the filters beside it, and the sides it trades."""

from __future__ import annotations

import re
from collections.abc import Iterator

from models.providers.offline.catalogue import CATALOGUE, IN_A_ROW
from models.providers.offline.rules import AllOf, AnyOf, Compare, Condition, Op, Plan, Recent, Series, Value

_EVENTS = frozenset({Op.CROSSES, Op.CROSSES_ABOVE, Op.CROSSES_BELOW})
_RISES = frozenset({Op.ABOVE, Op.CROSSES_ABOVE})
_AVERAGES = frozenset({"sma", "ema", "wma", "hma", "dema", "tema", "vwma", "vwap"})
_NAMES = {
    "bollinger": "Bollinger",
    "keltner": "Keltner",
    "channel": "Donchian",
    "vwap_band": "VWAP band",
    "cloud": "Ichimoku cloud",
    "di": "DI",
    "vortex": "Vortex",
    "aroon": "Aroon",
    "macd": "MACD",
    "volume_macd": "volume MACD",
    "stochastic": "Stochastic",
    "roc": "ROC",
    "mfi": "MFI",
    "cmo": "CMO",
    "cmf": "CMF",
    "tsi": "TSI",
    "obv": "OBV",
    "volatility": "Volatility",
    "zscore": "Z-score",
    "vwma": "VWMA",
    "vwap": "VWAP",
    "sar": "Parabolic SAR",
    "squeeze": "Squeeze",
    "heikin": "Heikin-Ashi",
    "engulfing": "Engulfing",
}
_MOST_FILTERS = 3


def title(plan: Plan) -> str:
    """``RSI(2) reversion + SMA 200 filter, long``."""
    long = bool(plan.long)
    conditions = [part for item in plan.long or plan.short for part in _comparisons(item)]
    lead = max(conditions, key=_weight)
    filters = [_filter(item) for item in conditions if item is not lead]
    names = [name for name in dict.fromkeys(filters) if name not in _lead(lead, long=long)]
    side = {"long": "long", "short": "short", "both": "long and short"}[plan.direction]
    return " + ".join([_lead(lead, long=long), *names[:_MOST_FILTERS]]) + f", {side}"


def class_name(plan: Plan) -> str:
    """The title as an identifier, such as ``Rsi2ReversionSma200FilterLong``."""
    words = re.findall(r"[A-Za-z]+|\d+", title(plan).replace("long and short", "both"))
    name = "".join(word.capitalize() for word in words)[:70]
    return name if name[:1].isalpha() else f"Rules{name}"


def _comparisons(condition: Condition) -> Iterator[Compare]:
    if isinstance(condition, AnyOf | AllOf):
        for part in condition.conditions:
            yield from _comparisons(part)
    else:
        yield condition.condition if isinstance(condition, Recent) else condition


def _weight(item: Compare) -> tuple[bool, bool, bool]:
    """What leads a title: a crossing before a state, something that points a way before a filter or a trend."""
    root = _root(item.left)
    filters = root.kind == "volume" or (
        CATALOGUE[root.kind].centre is None and not CATALOGUE[root.kind].shape
    )
    trend = item.left.kind == "close" and isinstance(item.right, Series) and item.right.kind in _AVERAGES
    return not filters or root.kind in IN_A_ROW, item.op in _EVENTS, not trend


def _root(line: Series) -> Series:
    return _root(line.source) if line.source is not None else line


def _lead(item: Compare, *, long: bool) -> str:
    left, right = item.left, item.right
    rises = (item.op in _RISES) == long
    event = item.op in _EVENTS
    if left.kind in IN_A_ROW:
        return (
            f"{CATALOGUE[left.kind].label.removesuffix(' in a row').capitalize()} ({left.values[0].number:g})"
        )
    if left.kind == "engulfing":
        return "Engulfing candle"
    if isinstance(right, Value):
        level = right.number if long else 2 * (CATALOGUE[left.kind].centre or 0) - right.number
        centre = CATALOGUE[left.kind].centre
        if left.source is not None or centre is None or level == centre:
            return f"{_name(left)} {_way(left, event=event)}"
        return f"{_name(left)} {'momentum' if rises and level > centre else 'reversion'}"
    if left.kind in _AVERAGES and right.kind in _AVERAGES:
        other = _numbers(right) if right.kind == left.kind else _name(right)
        return f"{_name(left)}/{other} {'cross' if event else 'trend'}"
    if left.kind in {"close", "high", "low"}:
        return _price_lead(_root(right) if right.kind.startswith("atr_") else right, rises=rises, event=event)
    return f"{_name(left)} cross" if event else f"{_name(left)} trend"


def _way(line: Series, *, event: bool) -> str:
    if line.kind == "change":
        return "turn" if event else "slope"
    if line.source is not None:
        return line.kind.replace("_", " ")
    return "cross" if event else "momentum"


def _price_lead(line: Series, *, rises: bool, event: bool) -> str:
    if CATALOGUE[line.kind].shape == "edge" or line.source is not None:
        return f"{_name(line)} {'breakout' if rises else 'reversion'}"
    return f"{_name(line)} {'cross' if event else 'trend' if rises else 'reversion'}"


def _filter(item: Compare) -> str:
    line = (
        item.right
        if item.left.kind in {"close", "high", "low"} and isinstance(item.right, Series)
        else item.left
    )
    if line.kind in IN_A_ROW:
        return f"{CATALOGUE[line.kind].label}".removesuffix(" in a row")
    return f"{_name(_root(line))} filter"


def _name(line: Series) -> str:
    if line.kind in {"highest", "lowest"}:
        return f"Close {_numbers(line)}"
    if line.source is not None:
        return _name(line.source)
    row = CATALOGUE[line.kind]
    name = _NAMES.get(row.group, _NAMES.get(line.kind, row.label))
    if line.kind in _AVERAGES or row.group == "channel":
        return f"{name} {_numbers(line)}"
    shown = len(line.values) == 1 and not row.group and line.values[0].said
    return f"{name}({_numbers(line)})" if shown else name


def _numbers(line: Series) -> str:
    return f"{line.values[0].number:g}" if line.values else ""
