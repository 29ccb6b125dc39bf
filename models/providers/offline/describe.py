"""Rules in words, for the research note and the docstring of the strategy. Says only what the catalogue says."""

from __future__ import annotations

from collections.abc import Iterator

from models.providers.offline.catalogue import CATALOGUE, DERIVED, IN_A_ROW
from models.providers.offline.rules import (
    AllOf,
    AnyOf,
    Condition,
    Distance,
    Exits,
    Plan,
    Recent,
    Series,
    StopKind,
    Value,
)

_EXACT = {
    "lowest": "the lowest of the {} bars before",
    "highest": "the highest of the {} bars before",
    "dc_lower": "the lowest low of the {} bars before",
    "dc_upper": "the highest high of the {} bars before",
}


def number(value: float) -> str:
    """A number without a needless fraction."""
    return f"{value:g}"


def series_in_words(line: Series) -> str:
    """``RSI (14)``, ``the 20-bar average of volume``."""
    row = CATALOGUE[line.kind]
    numbers = ", ".join(number(abs(value.number)) for value in line.values)
    if line.kind in _EXACT:
        words = _EXACT[line.kind].format(numbers)
        closes = line.source is not None and line.source.kind == "close"
        return words.replace(" of the", " close of the", 1) if closes else words
    if line.kind in {"atr_above", "atr_below"} and line.source is not None:
        period, factor = (number(value.number) for value in line.values)
        return f"{factor} x ATR ({period}) {line.kind[4:]} {series_in_words(line.source)}"
    if line.kind in DERIVED and line.source is not None:
        source = series_in_words(line.source)
        return f"{row.label} ({numbers}) of {source}"
    return f"{row.label} ({numbers})" if numbers else row.label


def condition_in_words(condition: Condition) -> str:
    """One condition as a clause."""
    if isinstance(condition, AnyOf):
        return " or ".join(condition_in_words(part) for part in condition.conditions)
    if isinstance(condition, AllOf):
        return " and ".join(condition_in_words(part) for part in condition.conditions)
    if isinstance(condition, Recent):
        return (
            f"{condition_in_words(condition.condition)} within the last {number(condition.bars.number)} bars"
        )
    right = (
        number(condition.right.number)
        if isinstance(condition.right, Value)
        else series_in_words(condition.right)
    )
    factor = f"{number(condition.factor.number)} x " if condition.factor is not None else ""
    if condition.left.kind in IN_A_ROW:
        return f"{number(condition.left.values[0].number)} {CATALOGUE[condition.left.kind].label}"
    if condition.left.kind == "squeeze":
        return f"{CATALOGUE['squeeze'].label} ({', '.join(number(v.number) for v in condition.left.values)})"
    return f"{series_in_words(condition.left)} {condition.op} {factor}{right}"


def entries_in_words(plan: Plan) -> list[str]:
    """One line for each side that is traded."""
    lines = []
    for name, conditions in (("Long", plan.long), ("Short", plan.short)):
        if conditions:
            lines.append(f"{name} when " + " and ".join(condition_in_words(item) for item in conditions))
    return lines


def exits_in_words(exits: Exits) -> list[str]:
    """One line for each way out that is not a stop or target."""
    lines = [f"Long ends when {condition_in_words(item)}" for item in exits.long]
    lines += [f"Short ends when {condition_in_words(item)}" for item in exits.short]
    if exits.opposite_entry:
        lines.append("The opposite entry closes the position and opens the other")
    if exits.bars is not None:
        lines.append(f"The position is closed after {number(exits.bars.number)} bars")
    return lines


def risk_in_words(exits: Exits) -> list[str]:
    """Stops, targets and trailing stops."""
    lines = []
    for name, distance in (("Stop", exits.stop), ("Target", exits.target), ("Trailing stop", exits.trail)):
        if distance is not None:
            lines.append(f"{name}: {_distance(distance)}")
    if exits.chandelier is not None:
        lines.append(
            f"Trailing stop: highest high of 22 bars less {number(exits.chandelier.number)} x ATR (22)"
        )
    return lines


def _distance(distance: Distance) -> str:
    amount = number(distance.amount.number)
    if distance.kind is StopKind.ATR:
        period = number(distance.period.number) if distance.period is not None else "14"
        return f"{amount} x ATR ({period})"
    if distance.kind is StopKind.PERCENT:
        return f"{amount}%"
    if distance.kind is StopKind.RISK:
        return f"{amount} times the risk"
    return f"the extreme of the last {amount} bars"


def all_series(conditions: Iterator[Condition] | tuple[Condition, ...]) -> Iterator[Series]:
    """Every series in the conditions, sources before what is computed from them."""
    for condition in conditions:
        if isinstance(condition, AnyOf | AllOf):
            yield from all_series(condition.conditions)
            continue
        compare = condition.condition if isinstance(condition, Recent) else condition
        yield from _with_source(compare.left)
        if isinstance(compare.right, Series):
            yield from _with_source(compare.right)


def _with_source(line: Series) -> Iterator[Series]:
    if line.source is not None:
        yield from _with_source(line.source)
    yield line


def plan_conditions(plan: Plan) -> tuple[Condition, ...]:
    """Entry and exit conditions of both sides."""
    return (*plan.long, *plan.short, *plan.exits.long, *plan.exits.short)


def needs_volume(plan: Plan) -> bool:
    """Whether any series reads the volume."""
    return any("Volume" in CATALOGUE[line.kind].columns for line in all_series(plan_conditions(plan)))
