"""A plan as a strategy module: indicator functions, one class, every number a named parameter."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.describe import (
    all_series,
    entries_in_words,
    exits_in_words,
    needs_volume,
    plan_conditions,
    risk_in_words,
)
from models.providers.offline.expressions import only_volume, operand, predicate
from models.providers.offline.names import Names, key, name_everything
from models.providers.offline.orders import enter, follow, risk_lines
from models.providers.offline.rules import (
    Plan,
)
from models.providers.offline.text import printable
from models.providers.offline.titles import class_name
from models.syntax import parse

_LINE = 92


def compose(plan: Plan, idea: str) -> str:
    """The source of a module with exactly one strategy class. ``plan`` must have an entry."""
    names = name_everything(plan)
    methods = _methods(plan, names)
    init = _init(plan, names)
    body = _class(plan, names, init, methods)
    functions = _functions(body)
    pandas = "import pandas as pd\n" if any("pd." in function for function in functions) else ""
    header = (
        f"# Idea: {printable(idea, 100)}\n\nimport numpy as np\n{pandas}from backtesting import Strategy\n"
    )
    alias = "\nLine = np.ndarray  # one value a bar\n"
    return "\n\n".join([header + alias, *functions, body])


@cache
def _library() -> dict[str, tuple[str, frozenset[str]]]:
    """Each indicator function's source and the library functions that it calls."""
    source = (files(__package__) / "indicators.py").read_text(encoding="utf-8")
    nodes = [node for node in parse(source).body if isinstance(node, ast.FunctionDef)]
    names = {node.name for node in nodes}
    library = {}
    for node in nodes:
        called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in names}
        library[node.name] = (ast.get_source_segment(source, node) or "", frozenset(called - {node.name}))
    return library


def _functions(body: str) -> list[str]:
    library = _library()
    wanted = {node.id for node in ast.walk(parse(body)) if isinstance(node, ast.Name) and node.id in library}
    while more := {name for wants in wanted for name in library[wants][1]} - wanted:
        wanted |= more
    return [source + "\n" for name, (source, _) in library.items() if name in wanted]


def _class(plan: Plan, names: Names, init: list[str], methods: list[str]) -> str:
    lines = [f"class {class_name(plan)}(Strategy):", *_docstring(plan), ""]
    lines += [f"    {name} = {_literal(number)}" for name, number in names.parameters.items()]
    lines += ["    size = 0.95", "", "    def init(self):"]
    lines += [f"        {line}" for line in init or ["pass"]]
    return "\n".join([*lines, *methods]) + "\n"


def _literal(number: float) -> str:
    return repr(int(number) if isinstance(number, int) else float(number))


def _docstring(plan: Plan) -> list[str]:
    said = [*entries_in_words(plan), *exits_in_words(plan.exits), *risk_in_words(plan.exits)]
    if needs_volume(plan):
        said.append("Where the bars have no volume, conditions that only compare volume are not applied")
    out = ['    """Written from rules, one line each.', ""]
    for line in said:
        out += [f"    {part}" for part in _wrap(line + ".")]
    return [*out, '    """']


def _wrap(line: str, width: int = 100) -> list[str]:
    parts, current = [], "-"
    for word in line.split():
        if len(current) + len(word) + 1 > width:
            parts.append(current)
            current = " "
        current += f" {word}"
    return [*parts, current]


def _init(plan: Plan, names: Names) -> list[str]:
    lines = []
    for line in names.order:
        row = CATALOGUE[line.kind]
        arguments = [f"self.data.{column}" for column in row.columns]
        if line.source is not None:
            arguments.append(operand(line.source, names))
        arguments += [f"self.{name}" for name in names.arguments[key(line)]]
        lines += _call(names.lines[key(line)], row.function, arguments)
    lines += risk_lines(plan, names)
    if any(only_volume(line) for line in all_series(plan_conditions(plan))):
        lines.append("self.volume_seen = self.I(lambda volume: np.nancumsum(volume), self.data.Volume)")
    return lines


def _call(attribute: str, function: str, arguments: list[str]) -> list[str]:
    line = f"self.{attribute} = self.I({function}, {', '.join(arguments)})"
    if len(line) <= _LINE:
        return [line]
    return [f"self.{attribute} = self.I(", *(f"    {part}," for part in (function, *arguments)), ")"]


def _methods(plan: Plan, names: Names) -> list[str]:
    lines = ["", "    def next(self):", *(f"        {line}" for line in _next(plan))]
    for side, conditions, leaving in (
        ("long", plan.long, plan.exits.long),
        ("short", plan.short, plan.exits.short),
    ):
        if not conditions:
            continue
        lines += predicate(f"wants_{side}", conditions, names, side, joined="and", leaving=False)
        if leaving:
            lines += predicate(f"leaves_{side}", leaving, names, side, joined="or", leaving=True)
        lines += enter(plan, side, names)
    if plan.exits.trail is not None or plan.exits.chandelier is not None:
        lines += follow(plan, names)
    if plan.exits.bars is not None:
        bars = names.parameter("max_bars", number=int(plan.exits.bars.number))
        lines += [
            "",
            "    def held_too_long(self):",
            f"        return len(self.data) - 1 - self.trades[0].entry_bar >= self.{bars}",
        ]
    return lines


def _next(plan: Plan) -> Iterable[str]:
    exits = plan.exits
    if exits.trail is not None or exits.chandelier is not None:
        yield "self.follow_price()"
    for side, conditions, other in (("long", exits.long, "short"), ("short", exits.short, "long")):
        if not (plan.long if side == "long" else plan.short):
            continue
        tests = [f"self.leaves_{side}()"] if conditions else []
        tests += ["self.held_too_long()"] if exits.bars is not None else []
        if tests:
            joined = " or ".join(tests)
            joined = f"({joined})" if len(tests) > 1 else joined
            yield f"if self.position.is_{side} and {joined}:"
            yield "    self.position.close()"
            yield "    return"
        if exits.opposite_entry:
            yield f"if self.position.is_{side} and self.wants_{other}():"
            yield "    self.position.close()"
            yield f"    self.enter_{other}()"
            yield "    return"
    yield "if self.position:"
    yield "    return"
    sides = [side for side, conditions in (("long", plan.long), ("short", plan.short)) if conditions]
    for place, side in enumerate(sides):
        yield f"{'if' if place == 0 else 'elif'} self.wants_{side}():"
        yield f"    self.enter_{side}()"
