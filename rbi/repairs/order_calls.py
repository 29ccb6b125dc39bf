"""How buy and sell are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.holding import Holding, holding
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import ORDER_KEYWORDS_MEANT
from rbi.repairs.module import Module
from rbi.repairs.prints import only_prints

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


def stops_after(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.trades[-1].sl = x`` right behind an order: the trade is not there before the next bar.

    Without a position there is no trade at all, and it raises. What is meant is the order's own sl or tp.
    """
    if "hedging" in module.text.source:  # then trades may be open although the position is flat
        return
    for node, _ in order_calls(module, flow):
        statement = module.parents[node]
        if not isinstance(statement, ast.Expr) or node.args or module.is_guarded(node):
            continue
        parent = module.parents[statement]
        body = next(
            (b for b in (getattr(parent, "body", []), getattr(parent, "orelse", [])) if statement in b), []
        )
        if holding(module, flow, node) is not Holding.FLAT:
            continue
        taken = {keyword.arg for keyword in node.keywords}
        edits: list[Edit] = []
        for following in body[body.index(statement) + 1 :] if body else ():
            if isinstance(following, ast.Expr) and only_prints(following.value):
                continue
            name = _set_on_newest(flow, following)
            if not name or name in taken or not isinstance(following, ast.Assign):
                break
            taken.add(name)
            place = module.text.end(node) - 1
            before = "" if not node.keywords and not edits else ", "
            text = module.text.of(following.value)
            without = module.text.without(following)
            if without is None or module.text.source[place] != ")" or "\n" in text:
                break
            if edits:
                edits[0] = Edit(place, place, f"{edits[0].text}, {name}={text}")
                edits.append(without)
            else:
                edits += [Edit(place, place, f"{before}{name}={text}"), without]
        if edits:
            reason = "the trade of an order is there from the next bar on: the order itself takes sl= and tp="
            yield Proposal(RULE, reason, tuple(edits))


def _set_on_newest(flow: Flow, statement: ast.stmt) -> str:
    """``sl`` or ``tp`` if a statement sets it on the newest trade; else nothing."""
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return ""
    target = statement.targets[0]
    if not (isinstance(target, ast.Attribute) and target.attr in ("sl", "tp")):
        return ""
    newest = ast.unparse(target.value) == "self.trades[-1]" and flow.of(target.value) is Kind.TRADE
    # What is computed from the trade is not known when it is ordered.
    of_trade = any(flow.of(n) in (Kind.TRADES, Kind.POSITION) for n in ast.walk(statement.value))
    return target.attr if newest and not of_trade else ""
