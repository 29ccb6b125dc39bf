"""Orders that the engine refuses, or that do something else than they say."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import ORDER_KEYWORDS
from rbi.repairs.module import Module
from rbi.repairs.order_calls import order_calls
from rbi.repairs.report import Found

_ROUNDED = frozenset({"int", "round", "floor", "max", "min", "ceil", "rint", "trunc"})
_SIDES = {"buy": (-1, 1), "sell": (1, -1)}  # on which side of the price sl and tp have to be


def problems(module: Module, flow: Flow) -> Iterator[Found]:
    """All of them."""
    for node, side in order_calls(module, flow):
        yield from _arguments(node)
        for keyword in node.keywords:
            if keyword.arg == "size":
                yield from _size(module, node, keyword.value)
            elif keyword.arg in ("sl", "tp"):
                yield from _wrong_side(module, node, side, keyword)
            elif keyword.arg == "stop":
                yield from _protective(module, node, side, keyword.value)
    for comparison in module.nodes:
        if isinstance(comparison, ast.Compare) and len(comparison.ops) == 1:
            yield from _position(flow, comparison)


def _arguments(node: ast.Call) -> Iterator[Found]:
    hint = "buy and sell take size, limit, stop, sl, tp and tag, all by name."
    if node.args and not any(isinstance(a, ast.Starred) for a in node.args):
        yield Found("arguments", node, "buy and sell take no arguments without a name", hint)
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in ORDER_KEYWORDS:
            yield Found("arguments", node, f"orders have no {keyword.arg}=", hint)


def _size(module: Module, node: ast.Call, value: ast.expr) -> Iterator[Found]:
    """A number of units that was divided out is hardly ever whole."""
    expression = _resolved(module, value)
    if expression is None or not _of_money(module, expression) or _is_whole(expression):
        return
    message = (
        f"size={ast.unparse(value)} is units with a fraction: refused from 1 on, below 1 a share of equity"
    )
    hint = (
        f"Use whole units, and order nothing below one: size = int({ast.unparse(value)}); if size >= 1: ..."
    )
    yield Found("units", node, message, hint)


def _resolved(module: Module, value: ast.expr) -> ast.expr | None:
    """What a local name stands for, if it was assigned once in its function."""
    for _ in range(3):
        function = module.function(value)
        if not isinstance(value, ast.Name) or function is None:
            return value
        stores = [
            n
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and n.id == value.id and not isinstance(n.ctx, ast.Load)
        ]
        statement = module.parents[stores[0]] if len(stores) == 1 else None
        if not isinstance(statement, ast.Assign) or stores[0] not in statement.targets:
            return None
        value = statement.value
    return None


def _of_money(module: Module, node: ast.expr) -> bool:
    """Whether an amount of the account is divided somewhere on the way to it."""
    parts = list(_on_the_way(module, node))
    names = {getattr(n, "attr", getattr(n, "id", "")) for n in parts}
    divided = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in parts)
    return divided and any(
        word in name for name in names for word in ("equity", "cash", "risk", "capital", "balance")
    )


def _on_the_way(module: Module, node: ast.expr, depth: int = 3) -> Iterator[ast.AST]:
    for part in ast.walk(node):
        yield part
        found = _resolved(module, part) if depth and isinstance(part, ast.Name) else None
        if found is not None and found is not part:
            yield from _on_the_way(module, found, depth - 1)


def _is_whole(node: ast.expr) -> bool:
    """Whether it is rounded, or a share: what is divided by the whole is below 1."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        return True
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("max", "min"):
            return any(_is_whole(argument) for argument in node.args)
        return name in _ROUNDED and (name != "round" or len(node.args) == 1)
    if isinstance(node, ast.IfExp):
        return _is_whole(node.body) or _is_whole(node.orelse)
    shared = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    return shared and "equity" in ast.unparse(node.right)  # type: ignore[attr-defined]


def _wrong_side(module: Module, node: ast.Call, side: str, keyword: ast.keyword) -> Iterator[Found]:
    expression = _resolved(module, keyword.value)
    direction = _direction(module, expression) if expression is not None else 0
    wanted = _SIDES[side][0 if keyword.arg == "sl" else 1]
    if direction and direction != wanted:
        place = "below" if wanted < 0 else "above"
        hint = (
            "A long's stop lies below and its target above the entry price; for a short the other way round."
        )
        message = f"{side}({keyword.arg}={ast.unparse(keyword.value)}): it has to be {place} the price"
        yield Found("order_price", node, message, hint)


def _direction(module: Module, node: ast.expr) -> int:
    """1 if it is above the newest close by how it is computed, -1 if below, 0 if that is not known."""
    if not isinstance(node, ast.BinOp):
        return 0
    if isinstance(node.op, ast.Mult):
        for price, factor in ((node.left, node.right), (node.right, node.left)):
            value = _value(module, factor)
            if _is_price(module, price) and value is not None and value > 0 and value != 1:
                return 1 if value > 1 else -1
        return 0
    if not _is_price(module, node.left) or not isinstance(node.op, ast.Add | ast.Sub):
        return 0
    if not _is_distance(module, node.right):
        return 0
    return 1 if isinstance(node.op, ast.Add) else -1


def _is_price(module: Module, node: ast.expr) -> bool:
    found = _resolved(module, node)
    return found is not None and ast.unparse(found) in ("self.data.Close[-1]", "self.data.Close[-1].item()")


def _is_distance(module: Module, node: ast.expr) -> bool:
    """Whether it is surely positive: a range such as the ATR, times a positive number."""
    found = _resolved(module, node)
    if isinstance(found, ast.BinOp) and isinstance(found.op, ast.Mult):
        return all(
            _is_distance(module, part) or (_value(module, part) or 0) > 0
            for part in (found.left, found.right)
        )
    return found is not None and "atr" in ast.unparse(found).lower() and isinstance(found, ast.Subscript)


def _value(module: Module, node: ast.expr) -> float | None:
    """A number that is written there, with the class's own settings."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp):
        left, right = _value(module, node.left), _value(module, node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left / right if isinstance(node.op, ast.Div) and right else None
    strategy = module.strategy(node)
    if strategy is not None and isinstance(node, ast.Attribute) and module.is_self(node.value):
        stores = [n for n in ast.walk(strategy) if isinstance(n, ast.Attribute) and n.attr == node.attr]
        if all(isinstance(n.ctx, ast.Load) for n in stores):
            return _setting(strategy, node.attr)
    return None


def _setting(strategy: ast.ClassDef, name: str) -> float | None:
    for item in strategy.body:
        if isinstance(item, ast.Assign) and name in map(ast.unparse, item.targets):
            value = getattr(item.value, "value", None)
            return float(value) if isinstance(value, int | float) else None
    return None


def _protective(module: Module, node: ast.Call, side: str, value: ast.expr) -> Iterator[Found]:
    expression = _resolved(module, value)
    direction = _direction(module, expression) if expression is not None else 0
    if direction == _SIDES[side][0]:
        message = f"stop={ast.unparse(value)} is the price to enter at, not a stop-loss"
        yield Found("order_price", node, message, "A stop-loss is sl=; stop= is a stop entry.")


def _position(flow: Flow, node: ast.Compare) -> Iterator[Found]:
    left, right = node.left, node.comparators[0]
    hint = "Write `if self.position:`, `if not self.position:`, or compare self.position.size."
    compared = isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
    if compared and Kind.POSITION in (flow.of(left), flow.of(right)):
        always = "never" if isinstance(node.ops[0], ast.Eq | ast.Is) else "always"
        yield Found(
            "never_true", node, f"{ast.unparse(node)} is {always} true: a position is an object", hint
        )
    percent = (
        isinstance(left, ast.Attribute) and left.attr == "pl_pct" and flow.of(left.value) is Kind.POSITION
    )
    if percent:
        text = right.operand if isinstance(right, ast.UnaryOp) else right
        if isinstance(text, ast.Constant) and isinstance(text.value, float) and 0 < text.value < 0.5:
            message = f"self.position.pl_pct is in percent: {text.value:g} is {text.value:g}%"
            yield Found("units", node, message, "Multiply the limit by 100; a trade's pl_pct is a fraction.")
