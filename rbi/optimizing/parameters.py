"""The parameters that a strategy class declares, the values around them, and the class with other values in it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from models.syntax import parse
from rbi.repairs.text import Text

Number = int | float

_WINDOW_STEPS = (1.5, 2 / 3, 2.0, 0.5)
_FRACTION_STEPS = (1.5, 2 / 3, 2.0, 0.5)
_NUMBER_STEPS = (1.25, 0.8, 1.5, 2 / 3)
_LEVEL_STEPS = (5, -5, 10, -10)  # points of an oscillator between 0 and 100
_LEVEL_WORDS = frozenset(
    {
        "level",
        "threshold",
        "overbought",
        "oversold",
        "upper",
        "lower",
        "percentile",
        "rsi",
        "adx",
        "stoch",
        "mfi",
    }
)
_PERIOD_WORDS = frozenset({"period", "window", "length", "lookback", "bars", "span", "len", "n"})
# How much is staked changes the return without changing what the rules know, so it is not searched over.
_STAKE_WORDS = frozenset(
    {
        "size",
        "stake",
        "risk",
        "leverage",
        "equity",
        "cash",
        "capital",
        "allocation",
        "quantity",
        "qty",
        "units",
    }
)
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that the strategy class declares under ``name`` and reads as ``self.name``; whole if it is an int."""

    name: str
    value: Number


def declared(source: str) -> tuple[Parameter, ...]:
    """The parameters of a module's one strategy class that can be searched over, in the order of the text.

    Left out are those that `with_values` and a run's own parameters would not change alike: values that the class
    computes others from, that a method assigns anew, or that are not a plain number; and those that say how much is
    staked. Empty for a module without exactly one strategy class.
    """
    return tuple(Parameter(name, value) for name, (value, _) in _places(source).items())


def with_values(source: str, values: Mapping[str, Number]) -> str:
    """The module with these values in the declarations of its class; everything else stays as it is.

    Raises `KeyError` for a name that `declared` does not give.
    """
    places, text = _places(source), Text(source)
    return text.apply([text.replace(places[name][1], repr(value)) for name, value in values.items()])


def steps(parameter: Parameter) -> tuple[Number, ...]:
    """Other values of a parameter, nearest first; none is the declared one.

    Whole numbers stay whole and do not fall below 2 (1 becomes 2 and 3); levels between 10 and 100 move by points
    and stay between 0 and 100; fractions between 0 and 1 stay there; a sign stays what it is.
    """
    value = parameter.value
    words = frozenset(parameter.name.lower().split("_"))
    size = abs(value)
    if words & _LEVEL_WORDS and not words & _PERIOD_WORDS and 10 <= size < 100:
        found = [size + step for step in _LEVEL_STEPS if 0 < size + step < 100]
    elif isinstance(value, int):
        found = [2, 3] if size == 1 else [max(2, round(size * step)) for step in _WINDOW_STEPS]
    elif size < 1:
        found = [size * step for step in _FRACTION_STEPS if size * step < 1]
    else:
        found = [size * step for step in _NUMBER_STEPS]
    sign = 1 if value > 0 else -1
    moved = [sign * (step if isinstance(value, int) else _rounded(step)) for step in found]
    return tuple(dict.fromkeys(step for step in moved if step != value))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _places(source: str) -> dict[str, tuple[Number, ast.expr]]:
    """Name -> value and place of each parameter."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # the check has said that it is not valid
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_strategy(node)]
    if len(classes) != 1:
        return {}
    assigned = list(_assigned(classes[0]))
    times = Counter(name for name, _ in assigned)
    read, taken = _read(classes[0]), _taken(classes[0])
    return {
        name: (number, place)
        for name, place in assigned
        if times[name] == 1
        and name in read - taken
        and not frozenset(name.lower().split("_")) & _STAKE_WORDS - ({"risk"} if "reward" in name else set())
        and (number := _number(place))  # 0 is most often a switch, and has no scale to step by
    }


def _is_strategy(node: ast.ClassDef) -> bool:
    """Whether a class derives from a strategy, be it one of backtesting.py's library."""
    return any(getattr(base, "attr", getattr(base, "id", "")).endswith("Strategy") for base in node.bases)


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _read(node: ast.ClassDef) -> set[str]:
    """The names that methods read as ``self.name``."""
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute) and _is_self(found) and isinstance(found.ctx, ast.Load)
    }


def _taken(node: ast.ClassDef) -> set[str]:
    """The names that are more than read as ``self.name``: used by the class itself, or assigned anew by a method."""
    names = {n.id for part in _class_scope(node) for n in ast.walk(part) if _is_loaded(n)}
    attributes = [found for found in ast.walk(node) if isinstance(found, ast.Attribute)]
    return names | {
        a.attr
        for a in attributes
        if (not isinstance(a.ctx, ast.Load) if _is_self(a) else _is_class(a.value, node.name))
    }


def _class_scope(node: ast.ClassDef) -> Iterator[ast.AST]:
    """What is evaluated when the class is made: its statements, and of its methods the defaults and decorators."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = statement.args
            yield from (*arguments.defaults, *filter(None, arguments.kw_defaults), *statement.decorator_list)
        else:
            yield statement


def _is_loaded(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _is_class(node: ast.expr, name: str) -> bool:
    """``Name``, ``cls``, ``type(self)`` or ``self.__class__``: what a run's own parameters do not reach."""
    match node:
        case ast.Name(id=found):
            return found in (name, "cls")
        case ast.Call(func=ast.Name(id="type")) | ast.Attribute(attr="__class__"):
            return True
    return False


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _number(node: ast.expr) -> Number | None:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            number: Number = -value
        case ast.Constant(value=int() | float() as value):
            number = value
        case _:
            return None
    return None if isinstance(value, bool) or abs(number) == float("inf") else number
