"""What ``init`` computes for ``next``: only what went through ``self.I`` is shown to it bar by bar."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.arrays import raises
from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.module import Module

_ORDERS = frozenset({"buy", "sell", "close"})


def through_indicator(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.x = <Series>`` in init becomes an indicator if the strategy cannot have run as it is."""
    for strategy in module.strategies:
        for name, statement in _kept_once(strategy):
            value = statement.value
            if not flow.of(value).is_series or is_indicator_call(value) or module.is_guarded(value):
                continue
            fails_at_once = any(raises(module, flow, node) for node in ast.walk(value))
            if fails_at_once or _fails_in_next(module, flow, strategy, name):
                start, end = module.text.start(value), module.text.end(value)
                source = module.text.source
                # Parentheses around the value are no part of it: they end up inside the call's.
                edits = (Edit(start, start, "self.I(lambda: "), Edit(end, end, f', name="{name}")'))
                if source[:start].rstrip().endswith("=") and "\n" not in source[start:end]:
                    reason = f"self.{name} is a Series of all bars: next needs it as an indicator"
                    yield Proposal("not_indicator", reason, edits)


def _kept_once(strategy: ast.ClassDef) -> Iterator[tuple[str, ast.Assign]]:
    """Attributes that are assigned in one place only, a statement of init's own."""
    stores = [
        n.attr for n in ast.walk(strategy) if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)
    ]
    init = next((n for n in strategy.body if isinstance(n, ast.FunctionDef) and n.name == "init"), None)
    for statement in init.body if init else ():
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if own and stores.count(getattr(target, "attr", "")) == 1:
                yield getattr(target, "attr", ""), statement


def _fails_in_next(module: Module, flow: Flow, strategy: ast.ClassDef, name: str) -> bool:
    """Whether every use outside init asks the Series for a bar by number, and one of them is certain to."""
    uses = [
        n
        for n in ast.walk(strategy)
        if isinstance(n, ast.Attribute)
        and n.attr == name
        and isinstance(n.ctx, ast.Load)
        and module.is_self(n.value)
    ]
    outside = [n for n in uses if flow.of(n) is Kind.KEPT]
    inside = [n for n in uses if flow.of(n) is not Kind.KEPT]
    methods = [module.method(n) for n in inside]
    if not outside or any(m is None or m.name != "init" for m in methods):
        return False
    fails = [n for n in outside if _counts_back(module.parents[n], n) and not module.is_guarded(n)]
    return len(fails) == len(outside) and any(_always_reached(module, n) for n in fails)


def _counts_back(parent: ast.AST, node: ast.AST) -> bool:
    return (
        isinstance(parent, ast.Subscript)
        and parent.value is node
        and isinstance(parent.slice, ast.UnaryOp)
        and isinstance(parent.slice.op, ast.USub)
        and isinstance(parent.slice.operand, ast.Constant)
    )


def _always_reached(module: Module, node: ast.AST) -> bool:
    """Whether ``next`` gets there before it can order anything."""
    statement: ast.AST = node
    for above in module.above(node):
        if isinstance(above, ast.FunctionDef):
            if above.name != "next" or statement not in above.body:
                return False
            before = above.body[: above.body.index(statement)]
            return not any(_orders(earlier) for earlier in before)
        if isinstance(above, ast.If | ast.While):
            if statement is not above.test:
                return False
        elif isinstance(above, ast.BoolOp):
            if statement is not above.values[0]:
                return False
        elif isinstance(above, ast.IfExp | ast.Lambda | ast.For | ast.Try | ast.With | ast.comprehension):
            return False
        statement = above
    return False


def _orders(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Call) and getattr(n.func, "attr", "") in _ORDERS for n in ast.walk(node))
