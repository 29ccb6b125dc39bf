"""Whether a place in ``next`` is only reached with, or only without, an open position."""

from __future__ import annotations

import ast
from enum import Enum

from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.module import Module


class Holding(Enum):
    """What is known of the position."""

    OPEN = "open"
    FLAT = "flat"
    UNKNOWN = "unknown"

    @property
    def opposite(self) -> Holding:
        """If the condition that says so does not hold."""
        return {Holding.OPEN: Holding.FLAT, Holding.FLAT: Holding.OPEN}.get(self, Holding.UNKNOWN)


_SURE = frozenset({"is_long", "is_short"})
_SIDES: dict[type[ast.cmpop], str] = {ast.Gt: "is_long", ast.Lt: "is_short"}


def holding(module: Module, flow: Flow, node: ast.AST, depth: int = 3) -> Holding:
    """What is known where an expression is, from the conditions around it and the early returns before it."""
    inner: ast.AST = node
    neither: set[str] = set()  # the sides that conditions around it rule out
    for above in module.above(node):
        if isinstance(above, ast.If | ast.IfExp):
            known = _branch(flow, above, inner)
            neither |= _ruled_out(flow, above, inner)
            if known is not Holding.UNKNOWN or len(neither) == 2:
                return known if len(neither) < 2 else Holding.FLAT
        elif isinstance(above, ast.BoolOp) and isinstance(above.op, ast.And) and inner in above.values:
            before = above.values[: above.values.index(inner)]
            known = _first_known([_said(flow, value) for value in before])
            if known is not Holding.UNKNOWN:
                return known
        if isinstance(above, ast.FunctionDef | ast.Lambda):
            known = _after_returns(flow, above, inner)
            return known if known is not Holding.UNKNOWN else _where_called(module, flow, above, depth)
        inner = above
    return Holding.UNKNOWN


def _where_called(module: Module, flow: Flow, function: ast.AST, depth: int) -> Holding:
    """What is known at all calls of one of the strategy's own methods."""
    name = getattr(function, "name", "next")
    if name in ("init", "next") or not depth or module.method(function) is not None:
        return Holding.UNKNOWN
    uses = [n for n in module.nodes if isinstance(n, ast.Attribute) and n.attr == name]
    found = {holding(module, flow, use, depth - 1) for use in uses if module.is_self(use.value)}
    return (
        found.pop() if len(found) == 1 and all(module.is_self(use.value) for use in uses) else Holding.UNKNOWN
    )


def _branch(flow: Flow, above: ast.If | ast.IfExp, inner: ast.AST) -> Holding:
    if inner is above.test:
        return Holding.UNKNOWN
    body = above.body if isinstance(above.body, list) else [above.body]
    if inner in body:
        return _said(flow, above.test)
    return _denied(flow, above.test)


def _ruled_out(flow: Flow, above: ast.If | ast.IfExp, inner: ast.AST) -> set[str]:
    """The side that an else is without: there, neither long nor short is flat."""
    if isinstance(above, ast.IfExp) or inner not in above.orelse:
        return set()
    test = above.test
    if isinstance(test, ast.Attribute) and flow.of(test.value) is Kind.POSITION and test.attr in _SURE:
        return {test.attr}
    if _compared(flow, test) is Holding.OPEN and isinstance(test, ast.Compare):
        sized = isinstance(test.left, ast.Attribute)
        return {_SIDES[type(test.ops[0])]} if sized and type(test.ops[0]) in _SIDES else set()
    return set()


def _after_returns(flow: Flow, function: ast.FunctionDef | ast.Lambda, inner: ast.AST) -> Holding:
    if isinstance(function, ast.Lambda) or inner not in function.body:
        return Holding.UNKNOWN
    before = function.body[: function.body.index(inner)]
    leaving = [
        n for n in before if isinstance(n, ast.If) and isinstance(n.body[-1], ast.Return) and not n.orelse
    ]
    return _first_known([_denied(flow, n.test) for n in leaving])


def _first_known(found: list[Holding]) -> Holding:
    return next((one for one in found if one is not Holding.UNKNOWN), Holding.UNKNOWN)


def _asked(test: ast.expr) -> ast.expr:
    """What ``bool(...)`` or ``len(...)`` is of: as a condition it says the same."""
    called = isinstance(test, ast.Call) and getattr(test.func, "id", "") in ("bool", "len")
    return test.args[0] if called and isinstance(test, ast.Call) and len(test.args) == 1 else test


def _said(flow: Flow, test: ast.expr) -> Holding:
    """What is true of the position where a condition holds."""
    test = _asked(test)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _denied(flow, test.operand)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return _first_known([_said(flow, value) for value in test.values])
    if isinstance(test, ast.BoolOp):
        found = {_said(flow, value) for value in test.values}
        return found.pop() if len(found) == 1 else Holding.UNKNOWN
    if flow.of(test) in (Kind.POSITION, Kind.TRADES):
        return Holding.OPEN
    if isinstance(test, ast.Attribute) and flow.of(test.value) is Kind.POSITION and test.attr in _SURE:
        return Holding.OPEN
    return _compared(flow, test)


def _denied(flow: Flow, test: ast.expr) -> Holding:
    """What is true where it does not hold."""
    test = _asked(test)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _said(flow, test.operand)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return _first_known([_denied(flow, value) for value in test.values])
    if isinstance(test, ast.BoolOp):
        return Holding.UNKNOWN
    if isinstance(test, ast.Attribute) and test.attr in _SURE:
        return Holding.UNKNOWN  # it may be the other side
    if isinstance(test, ast.Compare) and not isinstance(test.ops[0], ast.Eq | ast.NotEq):
        return Holding.UNKNOWN
    return _said(flow, test).opposite


def _compared(flow: Flow, test: ast.expr) -> Holding:
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return Holding.UNKNOWN
    left, right = test.left, test.comparators[0]
    sized = isinstance(left, ast.Attribute) and left.attr == "size" and flow.of(left.value) is Kind.POSITION
    counted = isinstance(left, ast.Call) and bool(left.args) and flow.of(left.args[0]) is Kind.TRADES
    if not (sized or counted) or not (isinstance(right, ast.Constant) and right.value == 0):
        return Holding.UNKNOWN
    if isinstance(test.ops[0], ast.Eq):
        return Holding.FLAT
    return Holding.OPEN if isinstance(test.ops[0], ast.NotEq | ast.Gt | ast.Lt) else Holding.UNKNOWN


def enters_flat_only(module: Module, flow: Flow, strategy: ast.ClassDef) -> bool:
    """Whether orders are only given at the market and without a position: there is one entry price at most."""
    orders = [
        node
        for node in ast.walk(strategy)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("buy", "sell")
        and flow.of(node.func.value) is Kind.STRATEGY
    ]
    return all(
        holding(module, flow, order) is Holding.FLAT
        and not any(keyword.arg in ("limit", "stop", None) for keyword in order.keywords)
        for order in orders
    )
