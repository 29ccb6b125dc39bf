"""Arrays, Series and indicators that are not what the code takes them for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.arrays import raises
from rbi.repairs.calls import is_indicator_call
from rbi.repairs.flow import Flow
from rbi.repairs.indicators import outside_init
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import TRADE_MEANT
from rbi.repairs.module import Module
from rbi.repairs.report import Found

_FIXED = frozenset({"data", "position", "equity", "trades", "orders", "closed_trades"})
_NOT_SHOWN = (
    "Wrap it in self.I, which shows next no more of it than of the bars: self.x = self.I(lambda: values)."
)


def problems(module: Module, flow: Flow) -> Iterator[Found]:
    """All of them."""
    yield from _indicators(module, flow)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and raises(module, flow, node):
            hint = "Wrap the array in pd.Series before using Series methods."
            yield Found("array_as_series", node, f"an array has no .{node.attr}", hint)
        elif (
            isinstance(node, ast.Attribute) and flow.of(node) is Kind.KEPT and isinstance(node.ctx, ast.Load)
        ):
            message = f"{ast.unparse(node)} holds all bars, also those to come: next sees its future"
            yield Found("not_revealed", node, message, _NOT_SHOWN)
        elif isinstance(node, ast.BinOp):
            kinds = {flow.of(node.left), flow.of(node.right)}
            if kinds == {Kind.SERIES, Kind.DATED}:
                message = "two Series with different indexes: the result is NaN everywhere"
                yield Found("misaligned", node, message, "Use pd.Series(array) for both, or .s for both.")
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from _stored(flow, node)
        elif isinstance(node, ast.Call):
            yield from _crossed(module, flow, node)


def _indicators(module: Module, flow: Flow) -> Iterator[Found]:
    for node, _ in outside_init(module, flow):
        hint = "Declare indicators in init: self.x = self.I(...); in next read self.x[-1]."
        message = "self.I in next makes an indicator on every bar, and fails as soon as there are trades"
        yield Found("indicator_in_next", node, message, hint)


def _stored(flow: Flow, node: ast.Attribute | ast.Subscript) -> Iterator[Found]:
    kind = flow.of(node.value)
    if kind is Kind.DATA and isinstance(node, ast.Attribute):
        message = f"{ast.unparse(node)} is set on the data: next sees all of it, the bars to come included"
        yield Found("not_revealed", node, message, _NOT_SHOWN)
    elif kind is Kind.DATA:
        hint = "Make it an indicator: self.x = self.I(...)."
        yield Found("column", node, "the bars cannot be assigned to", hint)
    elif kind is Kind.POSITION and isinstance(node, ast.Attribute):
        message = f"setting {ast.unparse(node)} has no effect: the engine does not read it"
        hint = f"Set it on the trades: for trade in self.trades: trade.{node.attr} = ... (sl and tp only)."
        yield Found("no_effect", node, message, hint)
    elif kind is Kind.TRADE and TRADE_MEANT.get(getattr(node, "attr", "")) in ("sl", "tp"):
        message = f"setting {ast.unparse(node)} has no effect: the engine does not read it"
        yield Found("no_effect", node, message, "A trade's stop and target are sl and tp.")
    elif kind is Kind.STRATEGY and getattr(node, "attr", "") in _FIXED:
        yield Found("invented_attribute", node, f"{ast.unparse(node)} cannot be set", "Use another name.")


def _crossed(module: Module, flow: Flow, node: ast.Call) -> Iterator[Found]:
    name = module.full_name(node.func)
    crossing = name.startswith("backtesting.lib.cross") and len(node.args) == 2
    if crossing and all(flow.of(argument).is_number for argument in node.args):
        hint = "Give the whole arrays: crossover(self.fast, self.slow)."
        yield Found("never_true", node, "two single numbers never cross", hint)
    function = node.args[0] if is_indicator_call(node) and node.args else node.func
    if module.full_name(function).split(".")[0] in ("pandas_ta", "pandas_ta_classic"):
        for keyword in node.keywords:
            if keyword.arg in ("timeperiod", "period", "window"):
                message = f"pandas_ta ignores {keyword.arg}=: the default period is used"
                yield Found("no_effect", node, message, "It is called length=.")
