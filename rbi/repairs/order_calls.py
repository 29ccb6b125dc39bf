"""How buy and sell are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import ORDER_KEYWORDS_MEANT
from rbi.repairs.module import Module

RULE = "arguments"


def order_calls(module: Module, flow: Flow) -> Iterator[tuple[ast.Call, str]]:
    """Every ``self.buy(...)`` and ``self.sell(...)`` of a strategy, with its side."""
    for node in module.nodes:
        if (
            (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("buy", "sell")
            )
            and flow.of(node.func.value) is Kind.STRATEGY
            and module.plain_strategy(node)
        ):
            yield node, node.func.attr


def keywords(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Names of arguments that mean one of the engine's, and a size that is given without its name."""
    for node, _ in order_calls(module, flow):
        if module.is_guarded(node):
            continue
        given = {keyword.arg for keyword in node.keywords}
        for keyword in node.keywords:
            meant = ORDER_KEYWORDS_MEANT.get(keyword.arg or "")
            same = [k for k in node.keywords if ORDER_KEYWORDS_MEANT.get(k.arg or "") == meant]
            if meant and meant not in given and len(same) == 1:
                start = module.text.offset(keyword.lineno, keyword.col_offset)
                edit = Edit(start, start + len(keyword.arg or ""), meant)
                yield Proposal(RULE, f"orders have no {keyword.arg}=: it is called {meant}=", (edit,))
        if len(node.args) == 1 and "size" not in given and not isinstance(node.args[0], ast.Starred):
            start = module.text.start(node.args[0])
            yield Proposal(RULE, "orders take names only: size=", (Edit(start, start, "size="),))
