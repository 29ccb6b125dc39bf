"""A plan as a strategy module: indicator functions, one class, every number a named parameter."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.describe import (
    all_series,
    class_name,
    entries_in_words,
    exits_in_words,
    needs_volume,
    plan_conditions,
    risk_in_words,
)
from models.providers.offline.names import Names, key, name_everything
from models.providers.offline.rules import (
    AnyOf,
    Compare,
    Condition,
    Distance,
    Op,
    Plan,
    Recent,
    Series,
    StopKind,
    Value,
)
from models.providers.offline.text import printable

_CROSSINGS = {Op.CROSSES_ABOVE: "crossed_above", Op.CROSSES_BELOW: "crossed_below", Op.CROSSES: "crossed"}
_CHANDELIER_BARS = 22
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
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    names = {node.name for node in nodes}
    library = {}
    for node in nodes:
        called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in names}
        library[node.name] = (ast.get_source_segment(source, node) or "", frozenset(called - {node.name}))
    return library


def _functions(body: str) -> list[str]:
    library = _library()
    wanted = {
        node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name) and node.id in library
    }
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
            arguments.append(_operand(line.source, names))
        arguments += [f"self.{name}" for name in names.arguments[key(line)]]
        lines += _call(names.lines[key(line)], row.function, arguments)
    lines += _risk_lines(plan, names)
    if any(_only_volume(line) for line in all_series(plan_conditions(plan))):
        lines.append("self.volume_seen = self.I(lambda volume: np.nancumsum(volume), self.data.Volume)")
    return lines


def _call(attribute: str, function: str, arguments: list[str]) -> list[str]:
    line = f"self.{attribute} = self.I({function}, {', '.join(arguments)})"
    if len(line) <= _LINE:
        return [line]
    return [f"self.{attribute} = self.I(", *(f"    {part}," for part in (function, *arguments)), ")"]


def _risk_lines(plan: Plan, names: Names) -> list[str]:
    exits, lines = plan.exits, []
    for distance in (exits.stop, exits.target, exits.trail):
        if distance is None or distance.period is None:
            continue
        attribute, parameter = _risk_atr(distance, names)
        line = f"self.{attribute} = self.I(atr, self.data.High, self.data.Low, self.data.Close, self.{parameter})"
        if line not in lines:
            lines.append(line)
    if exits.stop is not None and exits.stop.kind is StopKind.SWING:
        bars = names.parameter("swing_bars", number=int(exits.stop.amount.number))
        lines.append(f"self.swing_low = self.I(lowest, self.data.Low, self.{bars})")
        lines.append(f"self.swing_high = self.I(highest, self.data.High, self.{bars})")
    if exits.chandelier is not None:
        bars = names.parameter("chandelier_bars", number=_CHANDELIER_BARS)
        lines.append(f"self.chandelier_high = self.I(highest, self.data.High, self.{bars})")
        lines.append(f"self.chandelier_low = self.I(lowest, self.data.Low, self.{bars})")
        lines.append(
            f"self.chandelier_range = self.I(atr, self.data.High, self.data.Low, self.data.Close, self.{bars})"
        )
    return lines


def _risk_atr(distance: Distance, names: Names) -> tuple[str, str]:
    period = int(distance.period.number) if distance.period is not None else 14
    parameter = names.parameter("risk_atr_period", number=period)
    return parameter.replace("_period", ""), parameter


def _operand(side: Series, names: Names) -> str:
    row = CATALOGUE[side.kind]
    return f"self.{names.lines[key(side)]}" if row.function else f"self.data.{row.columns[0]}"


def _methods(plan: Plan, names: Names) -> list[str]:
    lines = ["", "    def next(self):", *(f"        {line}" for line in _next(plan))]
    for side, conditions, leaving in (
        ("long", plan.long, plan.exits.long),
        ("short", plan.short, plan.exits.short),
    ):
        if not conditions:
            continue
        lines += _predicate(f"wants_{side}", conditions, names, side, joined="and", leaving=False)
        if leaving:
            lines += _predicate(f"leaves_{side}", leaving, names, side, joined="or", leaving=True)
        lines += _enter(plan, side, names)
    if plan.exits.trail is not None or plan.exits.chandelier is not None:
        lines += _follow(plan, names)
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


def _predicate(
    name: str, conditions: tuple[Condition, ...], names: Names, side: str, *, joined: str, leaving: bool
) -> list[str]:
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
    compare = condition.condition if isinstance(condition, Recent) else condition
    text = _compare(condition, compare, names, side, leaving=leaving)
    if _only_volume(compare.left) and not leaving:
        return f"(self.volume_seen[-1] == 0 or {text})"
    return text


def _compare(condition: Compare | Recent, compare: Compare, names: Names, side: str, *, leaving: bool) -> str:
    left = _operand(compare.left, names)
    level = compare.right if isinstance(compare.right, Value) else None
    if level is not None:
        constant = level.number == 0 and not level.said
        right = "0" if constant else f"self.{names.value(compare.left, level, side, leaving=leaving)}"
    else:
        right = _operand(compare.right, names) if isinstance(compare.right, Series) else ""
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


def _only_volume(line: Series) -> bool:
    root = line
    while root.source is not None:
        root = root.source
    return root.kind == "volume"


def _enter(plan: Plan, side: str, names: Names) -> list[str]:
    exits, lines = plan.exits, ["", f"    def enter_{side}(self):"]
    away = "+" if side == "long" else "-"
    stop, target = _stop_expression(plan, side, names), exits.target
    order = "buy" if side == "long" else "sell"
    if stop is None and target is None:
        return [*lines, f"        self.{order}(size=self.size)"]
    lines.append("        price = self.data.Close[-1]")
    given, bounds = [], ["price"]
    if stop is not None:
        lines.append(f"        stop = {stop}")
        given.append("sl=stop")
        bounds = ["stop", "price"] if side == "long" else ["price", "stop"]
    if target is not None:
        lines.append(f"        target = {_target_expression(target, away, names)}")
        given.append("tp=target")
        bounds = [*bounds, "target"] if side == "long" else ["target", *bounds]
    chain = " < ".join(["0", *bounds])
    upper = " < np.inf" if side == "short" else ""
    lines.append(f"        if {chain}{upper}:  # false while a distance is still unknown (NaN)")
    lines.append(f"            self.{order}(size=self.size, {', '.join(given)})")
    return lines


def _stop_expression(plan: Plan, side: str, names: Names) -> str | None:
    sign = "-" if side == "long" else "+"
    exits = plan.exits
    if exits.stop is not None and exits.stop.kind is StopKind.SWING:
        return "self.swing_low[-1]" if side == "long" else "self.swing_high[-1]"
    if exits.stop is not None:
        return f"price {sign} {_reach(exits.stop, names)}"
    if exits.trail is not None:
        return f"price {sign} {_reach(exits.trail, names)}"
    if exits.chandelier is not None:
        factor = f"self.{names.parameter(exits.chandelier.name, number=exits.chandelier.number)}"
        return f"price {sign} {factor} * self.chandelier_range[-1]"
    return None


def _reach(distance: Distance, names: Names) -> str:
    amount = f"self.{names.parameter(distance.amount.name, number=distance.amount.number)}"
    if distance.kind is StopKind.ATR:
        return f"{amount} * self.{_risk_atr(distance, names)[0]}[-1]"
    return f"price * {amount} / 100"


def _target_expression(target: Distance, sign: str, names: Names) -> str:
    if target.kind is StopKind.RISK:
        ratio = f"self.{names.parameter(target.amount.name, number=target.amount.number)}"
        return f"price + {ratio} * (price - stop)"
    return f"price {sign} {_reach(target, names)}"


def _chandelier(multiple: Value, side: str, names: Names) -> str:
    factor = f"self.{names.parameter(multiple.name, number=multiple.number)}"
    if side == "long":
        return f"self.chandelier_high[-1] - {factor} * self.chandelier_range[-1]"
    return f"self.chandelier_low[-1] + {factor} * self.chandelier_range[-1]"


def _follow(plan: Plan, names: Names) -> list[str]:
    exits = plan.exits
    lines = [
        "",
        "    def follow_price(self):",
        "        price = self.data.Close[-1]",
        "        for trade in self.trades:",
    ]
    for side in ("long", "short"):
        sign = "-" if side == "long" else "+"
        if exits.trail is not None:
            stop = f"price {sign} {_reach(exits.trail, names)}"
        elif exits.chandelier is not None:
            stop = _chandelier(exits.chandelier, side, names)
        else:
            return []
        lines += [
            f"            {'if' if side == 'long' else 'elif'} trade.is_{side}:",
            f"                stop = {stop}",
        ]
        if side == "long":
            lines += [
                "                if (trade.sl or 0) < stop < price:",
                "                    trade.sl = stop",
            ]
        else:
            lines += [
                "                if price < stop < (trade.sl or np.inf):",
                "                    trade.sl = stop",
            ]
    return lines
