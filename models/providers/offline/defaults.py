"""What the plan holds that the text does not say: every number that was assumed, every number that was dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from models.providers.offline.catalogue import CATALOGUE, DERIVED
from models.providers.offline.describe import all_series, number, plan_conditions
from models.providers.offline.rules import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Distance,
    Plan,
    Recent,
    Series,
    StopKind,
    Value,
)

_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?:\.\d{1,6})?(?![\d.]*\d)")
_UNIT = re.compile(r"\b(\d{1,4}) (week|month|year)s?\b")
_BARS = {"week": 5, "month": 21, "year": 252}
_DAY = re.compile(r"\bdays?\b|\b\d+ ?d\b")
_LISTED = DERIVED | {"squeeze"}
"""Series whose readers list their own assumptions."""


def assumed_numbers(plan: Plan, words: str) -> Iterator[str]:
    """A line for each number in the plan that the text (``words``, normalised) does not give."""
    for line in all_series(plan_conditions(plan)):
        unsaid = [value for value in line.values if not value.said and value.number]
        if unsaid and line.kind not in _LISTED:
            numbers = ", ".join(
                f"{value.name.replace('_', ' ')} {number(abs(value.number))}" for value in unsaid
            )
            yield f"{CATALOGUE[line.kind].label}: {numbers}"
        if line.kind in {"kc_upper", "kc_lower", "kc_width"}:
            bars = number(line.values[0].number)
            yield f"the ATR of the Keltner Channel is taken over the {bars} bars of its average"
    exits = plan.exits
    for distance in (exits.stop, exits.target, exits.trail):
        period = distance.period if distance is not None and distance.kind is StopKind.ATR else None
        if period is not None and not period.said:
            yield f"the ATR of stops and targets is taken over {number(period.number)} bars"
    if _DAY.search(words):
        yield "a day counts as one bar, whatever the bars are"
    for count, unit in dict.fromkeys(_UNIT.findall(words)):
        span = _BARS["year"] if (count, unit) == ("52", "week") else int(count) * _BARS[unit]
        yield f"{count} {unit}{'s' if count != '1' else ''} count as {span} bars"


def unused_numbers(plan: Plan, words: str, ignored: Iterable[str]) -> tuple[str, ...]:
    """Numbers of the text that neither a rule holds nor an ignored phrase names: a rule has dropped them."""
    held = {round(abs(value), 6) for value in _numbers(plan)}
    listed = {float(found) for text in ignored for found in _NUMBER.findall(text)}
    bars = {
        float(count)
        for count, unit in _UNIT.findall(words)
        if float(count) * _BARS[unit] in held or unit == "week"
    }
    dropped = []
    for found in _NUMBER.findall(words):
        value = float(found)
        if value not in held | listed | bars | {0.0} and not _held_as_share(value, held):
            dropped.append(f"the number {number(value)}")
    return tuple(dict.fromkeys(dropped))


def _held_as_share(value: float, held: set[float]) -> bool:
    """Whether a percentage is held as a factor ("150% of", "5% below", "50% more")."""
    return any(
        round(share, 6) in held for share in (value / 100, 1 + value / 100, 1 - value / 100, value * 100)
    )


def _numbers(plan: Plan) -> Iterator[float]:
    for condition in plan_conditions(plan):
        yield from _condition(condition)
    exits = plan.exits
    for distance in (exits.stop, exits.target, exits.trail):
        if distance is not None:
            yield from _distance(distance)
    for value in (exits.bars, exits.chandelier):
        if value is not None:
            yield value.number


def _distance(distance: Distance) -> Iterator[float]:
    yield distance.amount.number
    if distance.kind is StopKind.RISK:
        yield from (1.0, 2.0, 3.0)  # the parts of a ratio: 3:2 is held as 1.5
    if distance.period is not None:
        yield distance.period.number


def _condition(condition: Condition) -> Iterator[float]:
    if isinstance(condition, AnyOf | AllOf):
        for part in condition.conditions:
            yield from _condition(part)
        return
    compare: Compare = condition.condition if isinstance(condition, Recent) else condition
    if compare.factor is not None:
        yield compare.factor.number
    for side in (compare.left, compare.right):
        yield from (side.number,) if isinstance(side, Value) else _series(side)


def _series(line: Series) -> Iterator[float]:
    yield from (value.number for value in line.values)
    if line.source is not None:
        yield from _series(line.source)
