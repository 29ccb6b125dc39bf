"""Conditions as Python expressions over the lines and parameters of a written strategy."""

from __future__ import annotations

from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.names import Names, key
from models.providers.offline.rules import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Op,
    Recent,
    Series,
    Value,
)

_CROSSINGS = {Op.CROSSES_ABOVE: "crossed_above", Op.CROSSES_BELOW: "crossed_below", Op.CROSSES: "crossed"}


def predicate(
    name: str, conditions: tuple[Condition, ...], names: Names, side: str, *, joined: str, leaving: bool
) -> list[str]:
    """The lines of a method that is true when all (``and``) or any (``or``) of the conditions hold."""
    parts = [_expression(item, names, side, leaving=leaving) for item in conditions]
    lines = ["", f"    def {name}(self):"]
    if len(parts) == 1:
        return [*lines, f"        return bool({parts[0]})"]
    return [
        *lines,
        "        return bool(",
        f"            {parts[0]}",
        *(f"            {joined} {part}" for part in parts[1:]),
        "        )",
    ]


def _expression(condition: Condition, names: Names, side: str, *, leaving: bool) -> str:
    if isinstance(condition, AnyOf):
        parts = [_expression(part, names, side, leaving=leaving) for part in condition.conditions]
        return "(" + " or ".join(parts) + ")"
    if isinstance(condition, AllOf):
        return (
            "("
            + " and ".join(_expression(part, names, side, leaving=leaving) for part in condition.conditions)
            + ")"
        )
    compare = condition.condition if isinstance(condition, Recent) else condition
    text = _compare(condition, compare, names, side, leaving=leaving)
    if only_volume(compare.left) and not leaving:
        return f"(self.volume_seen[-1] == 0 or {text})"
    return text


def _compare(condition: Compare | Recent, compare: Compare, names: Names, side: str, *, leaving: bool) -> str:
    left = operand(compare.left, names)
    level = compare.right if isinstance(compare.right, Value) else None
    if level is not None:
        constant = level.number == 0 and not level.said
        right = "0" if constant else f"self.{names.value(compare.left, level, side, leaving=leaving)}"
    else:
        right = operand(compare.right, names) if isinstance(compare.right, Series) else ""
    if compare.op in _CROSSINGS and compare.factor is None:
        return f"{_CROSSINGS[compare.op]}({left}, {right})"
    sign = "<" if compare.op in {Op.BELOW, Op.CROSSES_BELOW} else ">"
    factor = ""
    if compare.factor is not None:
        factor = f"self.{names.value(compare.left, compare.factor, side, leaving=leaving)} * "
    if isinstance(condition, Recent):
        bars = f"[-self.{names.parameter('memory', number=int(condition.bars.number))} :]"
        return f"({left}{bars} {sign} {factor}{right}{bars if level is None else ''}).any()"
    return f"{left}[-1] {sign} {factor}{right}{'[-1]' if level is None else ''}"


def operand(side: Series, names: Names) -> str:
    """The attribute that holds a line: one of the strategy, or a column of the bars."""
    row = CATALOGUE[side.kind]
    return f"self.{names.lines[key(side)]}" if row.function else f"self.data.{row.columns[0]}"


def only_volume(line: Series) -> bool:
    """Whether the line compares nothing but the volume itself."""
    root = line
    while root.source is not None:
        root = root.source
    return root.kind == "volume"
