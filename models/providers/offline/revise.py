"""Changing one number of a strategy: to make it trade, or to look for a better setting."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.syntax import parse

_PERIODS = ("_period", "_window", "_bars", "_fast", "_slow", "_signal", "_span")
_STEPS: tuple[tuple[str, float, float, float], ...] = (
    ("_percent", 0.5, 50.0, 1.5),
    ("_atr", 0.5, 8.0, 1.25),
    ("_deviations", 0.5, 4.0, 1.25),
    ("_factor", 0.25, 6.0, 1.25),
    ("reward_risk", 0.5, 6.0, 1.5),
)
_ENOUGH_TRADES = 10
_NO_TRADES = ("no_trades", "never_ordered")  # what a looser entry can help against
_CROSSINGS = frozenset({"crossed_above", "crossed_below"})


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    number: float
    whole: bool
    line: int
    columns: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Change:
    parameter: _Parameter
    number: float
    why: str


def repair(code: str, failure: str, own: str | None) -> str:
    """The answer to a failed run: a sentence, and a module. ``own`` is what this writer writes for the idea, if any.

    Without trades one entry condition is loosened: levels first, then factors, then how long a squeeze is
    remembered. For any other failure, and for code without this writer's methods, ``own`` is the answer; only
    where ``own`` itself failed, or there is none, the code comes back unchanged.
    """
    kind = (failure.split() or [""])[0].strip(":.,").lower()
    tree = _parse(code)
    if kind not in _NO_TRADES or tree is None or not _has_entries(tree):
        if own is None:
            return _answer(
                code, f"The offline writer has no repair for {_word(kind)}: the code is unchanged."
            )
        if own.strip() == code.strip():
            why = "its own code failed, and it has no repair for that"
            return _answer(code, f"The offline writer leaves the code unchanged ({_word(kind)}): {why}.")
        return _answer(own, f"Written anew from the idea: the code before it failed ({_word(kind)}).")
    change = next(_loosenings(tree), None)
    if change is None:
        return _answer(code, "Every entry condition is as loose as the rules allow: the code is unchanged.")
    return _answer(_apply(code, change), _sentence(change))


def optimize(code: str, stats: str, history: str) -> str:
    """The module with one parameter moved a step, the first that ``history`` does not list, and what changed and why.

    ``history`` counts as listing a change when it holds this writer's own words for it, or ``name = number``
    (also ``name=number`` or ``"name": number``). Few trades in ``stats`` put looser entries first.
    """
    tree = _parse(code)
    if tree is None:
        return _answer(code, "The offline writer cannot read this code: it is unchanged.")
    candidates = list(_neighbours(tree))
    if _trades(stats) < _ENOUGH_TRADES:
        candidates = [*_loosenings(tree), *candidates]
    change = next((item for item in candidates if not _tried(item, history)), None)
    if change is None:
        return _answer(code, "Every step of every parameter was tried: the code is unchanged.")
    return _answer(_apply(code, change), _reasoned(change))


def _reasoned(change: _Change) -> str:
    """The sentence of a change as the prompt of optimizing asks for it."""
    said, _, why = _sentence(change).partition(": ")
    return f"Change: {said}.\nWhy: {why}"


def _answer(code: str, sentence: str) -> str:
    return f"{sentence}\n\n```python\n{code.rstrip()}\n```\n"


def _word(kind: str) -> str:
    return re.sub(r"[^a-z0-9_]", "", kind)[:40] or "this failure"


def _sentence(change: _Change) -> str:
    name, before, after = change.parameter.name, change.parameter.number, change.number
    return f"Changed `{name}` from {before:g} to {after:g}: {change.why}."


def _parse(code: str) -> ast.ClassDef | None:
    try:
        tree = parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the caller answers that the code cannot be read
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and _is_strategy(node)), None)


def _has_entries(tree: ast.ClassDef) -> bool:
    """Whether the class has this writer's entry methods, the only ones whose conditions it can loosen."""
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("wants_") for node in tree.body)


def _is_strategy(node: ast.ClassDef) -> bool:
    return any(getattr(base, "id", getattr(base, "attr", "")) == "Strategy" for base in node.bases)


def _parameters(tree: ast.ClassDef) -> dict[str, _Parameter]:
    found = {}
    for node in tree.body:
        if not (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            continue
        number = _number(node.value)
        if number is None or node.value.lineno != node.value.end_lineno or node.value.end_col_offset is None:
            continue
        columns = (node.value.col_offset, node.value.end_col_offset)
        name = node.targets[0].id
        found[name] = _Parameter(name, number, isinstance(number, int), node.value.lineno, columns)
    return found


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None  # an expression, not a number: not a parameter to move
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _apply(code: str, change: _Change) -> str:
    lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # as the parser counts lines
    place = change.parameter.line - 1
    start, end = change.parameter.columns
    line = lines[place].encode()
    lines[place] = (line[:start] + _literal(change).encode() + line[end:]).decode()
    return "\n".join(lines)


def _literal(change: _Change) -> str:
    return str(int(change.number)) if change.parameter.whole else repr(round(change.number, 6))


def _loosenings(tree: ast.ClassDef) -> Iterator[_Change]:
    """Steps that make entries more frequent: levels, then factors, then memory, then channel lengths."""
    parameters = _parameters(tree)
    sides = dict(_comparisons(tree))
    ordered = sorted(
        sides, key=lambda name: ("_factor" in name, list(parameters).index(name) if name in parameters else 0)
    )
    for name in ordered:
        parameter = parameters.get(name)
        if parameter is None or "exit_" in name:
            continue
        number = _looser(parameter, needs_more=sides[name])
        if number is not None:
            yield _Change(parameter, number, "it blocked entries")
    memory = parameters.get("memory")
    if memory is not None and memory.number < 40:
        yield _Change(memory, min(memory.number * 2, 40), "a squeeze and its breakout may lie further apart")
    for name, parameter in parameters.items():
        if name in {"channel_period", "bollinger_deviations"} and parameter.number > (
            5 if parameter.whole else 1.0
        ):
            number = (
                max(5, int(parameter.number * 0.6)) if parameter.whole else max(1.0, parameter.number - 0.5)
            )
            yield _Change(parameter, number, "a nearer band is left more often")


def _comparisons(tree: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    """Parameters that an entry compares with, and whether the line must be above them."""
    for method in tree.body:
        if not (isinstance(method, ast.FunctionDef) and method.name.startswith("wants_")):
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Compare) and len(node.ops) == 1:
                more = isinstance(node.ops[0], ast.Gt | ast.GtE)
                for name in _own_numbers(node.comparators[0]):
                    yield name, more
            elif (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CROSSINGS
            ):
                for name in _own_numbers(node.args[-1]):
                    yield name, node.func.id == "crossed_above"


def _own_numbers(node: ast.expr) -> Iterator[str]:
    """``self.level`` or ``self.factor * self.line[-1]``: the names that are plain attributes, not lines."""
    if isinstance(node, ast.BinOp):
        yield from _own_numbers(node.left)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        yield node.attr


def _looser(parameter: _Parameter, *, needs_more: bool) -> float | None:
    """One step towards holding more often, within bounds; ``None`` at the bound."""
    name, number = parameter.name, parameter.number
    if "_factor" in name:
        moved = max(number * 0.75, 0.5) if needs_more else min(number * 1.25, 2.0)
    elif "_percentile" in name:
        moved = max(number - 10, 50.0) if needs_more else min(number + 10, 50.0)
    elif "rsi" in name or "stoch" in name or "mfi" in name:
        moved = max(number - 5, 50.0) if needs_more else min(number + 5, 50.0)
        moved = number if (number < 50) == needs_more else moved
    elif "adx" in name or "choppiness" in name:
        moved = max(number - 5, 10.0) if needs_more else min(number + 5, 60.0)
    elif needs_more and number > 0:
        moved = number * 0.75 if number > 1e-3 else 0.0
    elif not needs_more and number < 0:
        moved = number * 0.75
    elif not needs_more and "_level" in name and number > 0:
        moved = number * 1.5
    else:
        moved = number
    return round(moved, 6) if moved != number else None


def _neighbours(tree: ast.ClassDef) -> Iterator[_Change]:
    """Every parameter a step up and a step down, in the order of the code, risk first."""
    parameters = sorted(
        _parameters(tree).values(), key=lambda item: not item.name.endswith(("_atr", "_percent"))
    )
    for parameter in parameters:
        for up in (True, False):
            number = _step(parameter, up=up)
            if number is not None:
                why = "a neighbouring setting shows whether the result depends on this number"
                yield _Change(parameter, number, why)


def _step(parameter: _Parameter, *, up: bool) -> float | None:
    name, number = parameter.name, parameter.number
    if name == "size":
        return None
    if parameter.whole or re.sub(r"_\d+$", "", name).endswith(_PERIODS):
        if number < 2:
            return None
        moved = round(number * (1.25 if up else 0.8))
        moved = moved if moved != number else int(number) + (1 if up else -1)
        return _within(moved, 2, 500, number)
    for suffix, low, high, ratio in _STEPS:
        if suffix in name:
            return _within(round(number * ratio if up else number / ratio, 2), low, high, number)
    if name.endswith("_level") or "percentile" in name:
        step = 5.0 if abs(number) >= 10 else abs(number) * 0.25
        return _within(round(number + (step if up else -step), 4), -200.0, 200.0, number)
    return None


def _within(moved: float, low: float, high: float, number: float) -> float | None:
    moved = min(max(moved, low), high)
    return moved if moved != number else None


def _tried(change: _Change, history: str) -> bool:
    name = re.escape(change.parameter.name)
    number = re.escape(f"{change.number:g}")
    before = re.escape(f"{change.parameter.number:g}")
    pattern = (
        rf"`{name}` from {before} to {number}(?![\d.]\d)|\b{name}\"?\s?[=:]\s?{number}(?:\.0+)?(?![\d.]*\d)"
    )
    return re.search(pattern, history) is not None


def _trades(stats: str) -> float:
    """Number of trades in stats given as JSON, or printed for one or more datasets; many when it is not said."""
    try:
        data = json.loads(stats)
    except ValueError:
        data = None  # printed stats: found by the pattern below
    if isinstance(data, dict):
        for name in ("# Trades", "trades", "n_trades"):
            value = data.get(name)
            if isinstance(value, int | float):
                return float(value)
    found = re.findall(r"# Trades\D{0,40}?(\d{1,9})", stats)
    return float(sum(map(int, found))) if found else float(_ENOUGH_TRADES)
