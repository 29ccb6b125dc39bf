"""Words of other engines: what a strategy asks itself there, and what it is here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.engine_names import RULE, complete, own_names
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.holding import Holding, holding
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import POSITION, STRATEGY
from rbi.repairs.module import Module
from rbi.repairs.words import words

_HELD = words(
    """
    has_position in_position is_in_position has_open_position position_open is_position_open is_invested invested
    """
)
_ACTIVE = words("is_active active exists is_opened opened is_in_market in_market")
_NOT_ACTIVE = words("is_none none flat closed is_not_open")
_WORTH = words(
    """
    get_equity get_value getvalue get_portfolio_value get_account_value get_total_value get_total_equity
    """
)
_CANCELLING = words("cancel_all cancel_all_orders cancel_orders cancel_pending_orders cancel_open_orders")
_SETTINGS = frozenset({"params", "p", "parameters", "param", "config"})


def of_strategy(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Attributes and methods that strategies have in other engines and not in this one."""
    for strategy in module.strategies:
        own = own_names(module, flow)
        if not complete(module, strategy):
            continue
        for node in ast.walk(strategy):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                edit = _value(module, flow, strategy, own, node)
            elif isinstance(node, ast.Call):
                edit = _call(module, flow, own, node)
            else:
                continue
            if edit is not None and not module.is_guarded(node):
                yield Proposal(RULE, f"the engine has no {ast.unparse(node)}", (edit,))


def _value(
    module: Module, flow: Flow, strategy: ast.ClassDef, own: frozenset[str], node: ast.Attribute
) -> Edit | None:
    kind, name = flow.of(node.value), node.attr
    call = module.parents[node]
    called = isinstance(call, ast.Call) and call.func is node
    empty = isinstance(call, ast.Call) and not (call.args or call.keywords)
    if called and not empty:
        return None
    whole: ast.expr = call if called and isinstance(call, ast.Call) else node
    if kind is Kind.STRATEGY and name in _HELD - own:
        return module.text.replace(whole, "bool(self.position)")
    if kind is Kind.POSITION and name in (_ACTIVE | _NOT_ACTIVE) - own - POSITION:
        held = f"bool({module.text.of(node.value)})"
        return module.text.replace(whole, held if name in _ACTIVE else f"(not {held})")
    if called:
        return None
    settings = node.value
    if not (isinstance(settings, ast.Attribute) and settings.attr in _SETTINGS - own - STRATEGY):
        return None
    declared = {
        t.id for s in strategy.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)
    }
    if flow.of(settings.value) is Kind.STRATEGY and name in declared:
        return module.text.replace(node, f"{module.text.of(settings.value)}.{name}")
    return None


def _call(module: Module, flow: Flow, own: frozenset[str], node: ast.Call) -> Edit | None:
    function = node.func
    if isinstance(function, ast.Name):
        counted = function.id == "len" and not module.bound["len"] and len(node.args) == 1
        if counted and flow.of(node.args[0]) is Kind.STRATEGY:
            return module.text.replace(node.args[0], f"{module.text.of(node.args[0])}.data")
        return None
    if not isinstance(function, ast.Attribute):
        return None
    kind, name, alone = flow.of(function.value), function.attr, isinstance(module.parents[node], ast.Expr)
    given = bool(node.args or node.keywords)
    if kind is Kind.STRATEGY and name in own | STRATEGY:
        return None
    if kind is Kind.STRATEGY and name in _WORTH and not given:
        return module.text.replace(node, "self.equity")
    if kind is Kind.STRATEGY and name == "cancel" and alone and len(node.args) == 1 and not node.keywords:
        return module.text.replace(node, f"{module.text.of(node.args[0])}.cancel()")
    of_orders = name in ("cancel", "cancel_all", "clear") and ast.unparse(function.value) == "self.orders"
    if alone and not given and (of_orders or (kind is Kind.STRATEGY and name in _CANCELLING)):
        # With a position, its stop and target are among the orders.
        flat = holding(module, flow, node) is Holding.FLAT
        return module.text.replace(node, "[order.cancel() for order in self.orders]") if flat else None
    shown = kind is Kind.STRATEGY and name in ("log", "debug", "print") and alone and len(node.args) == 1
    if shown and not node.keywords and not module.bound["print"]:
        return module.text.replace(function, "print")
    return None
