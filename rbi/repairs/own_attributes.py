"""Attributes of the engine that cannot be set, where a strategy means one of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from rbi.repairs.engine_names import complete, own_names
from rbi.repairs.findings import Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import POSITION
from rbi.repairs.module import Module

RULE = "invented_attribute"
_LISTS = frozenset({"trades", "orders", "closed_trades"})


def renamed(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.position = 'long'`` and ``self.trades = []``: the strategy's own book-keeping gets a name of its own.

    Nothing is changed where the engine's own is meant as well: its size, its closing, a trade's price.
    """
    for strategy in module.strategies:
        if not complete(module, strategy):
            continue
        for name in ("position", *sorted(_LISTS)):
            uses = [
                n
                for n in ast.walk(strategy)
                if isinstance(n, ast.Attribute) and n.attr == name and _of_itself(module, flow, n)
            ]
            stores = [n for n in uses if isinstance(n.ctx, ast.Store)]
            if not stores or any(map(module.is_guarded, uses)) or name in module.given:
                continue
            asked = {module.parents[n].attr for n in uses if isinstance(module.parents[n], ast.Attribute)}  # type: ignore[attr-defined]
            own, statements = f"own_{name}", [module.parents[store] for store in stores]
            if name == "position" and all(map(_clears, statements)):
                yield from _cleared(module, asked, statements)
            elif _is_own(name, asked) and own not in own_names(module, flow):
                edits = tuple(module.text.replace(n, f"self.{own}") for n in uses)
                reason = f"self.{name} is the engine's and cannot be set: {own} is the strategy's"
                yield Proposal(RULE, reason, edits)


def _of_itself(module: Module, flow: Flow, node: ast.Attribute) -> bool:
    return flow.of(node.value) is Kind.STRATEGY and module.text.of(node.value) == "self"


def _is_own(name: str, asked: set[str]) -> bool:
    return "append" in asked if name in _LISTS else not asked


def _clears(statement: ast.AST) -> bool:
    """Whether nothing but None, False, 0 or an empty text is assigned, to one target."""
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return False
    return isinstance(statement.value, ast.Constant) and not statement.value.value


def _cleared(module: Module, asked: set[str], statements: Sequence[ast.AST]) -> Iterator[Proposal]:
    """``self.position = None`` in init, where there is none anyway: all else is said of the engine's."""
    methods = [module.method(statement) for statement in statements]
    if asked <= POSITION and all(m is not None and m.name == "init" for m in methods):
        edits = tuple(module.text.replace(s, "pass") for s in statements if isinstance(s, ast.Assign))
        yield Proposal(RULE, "self.position is the engine's and cannot be set: at first there is none", edits)
