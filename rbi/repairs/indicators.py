"""``self.I`` where it does not belong, and arrays that TA-Lib refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import TALIB, TALIB_SEVERAL
from rbi.repairs.module import Module
from runners.base import Mode

_SHOWN_ONLY = frozenset({"name", "plot", "overlay", "color", "scatter"})


RULE = "indicator_in_next"


def outside_init(module: Module, flow: Flow) -> Iterator[tuple[ast.Call, bool]]:
    """Every ``self.I`` in next, and whether calling its function does the same."""
    for node in module.nodes:
        method = module.method(node)
        if is_indicator_call(node) and isinstance(node, ast.Call) and method and method.name == "next":
            yield node, _plain(module, flow, node)


def in_next(module: Module, flow: Flow) -> Iterator[Proposal]:
    """What TA-Lib computes and bars are picked from by number needs no ``self.I``: the values are the same.

    The statistics of trades want every indicator's value at their bars: with ``self.I`` in next, a strategy only
    gets through to its end if it makes no trade.
    """
    for node, plain in outside_init(module, flow):
        if plain:
            function, *arguments = [module.text.of(a) for a in node.args]
            arguments += [
                f"{k.arg}={module.text.of(k.value)}" for k in node.keywords if k.arg not in _SHOWN_ONLY
            ]
            edit = module.text.replace(node, f"{function}({', '.join(arguments)})")
            reason = (
                "self.I in next fails as soon as there are trades; the function alone gives the same values"
            )
            yield Proposal(RULE, reason, (edit,))


def _plain(module: Module, flow: Flow, node: ast.Call) -> bool:
    library, _, name = module.full_name(node.args[0]).rpartition(".") if node.args else ("", "", "")
    if library != "talib" or name not in TALIB or module.is_guarded(node):
        return False
    if not all(flow.of(a).is_array or flow.of(a).is_number for a in node.args[1:]):
        return False
    statement = module.parents[node]
    if isinstance(statement, ast.Subscript):
        return name not in TALIB_SEVERAL
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return False
    target = statement.targets[0]
    several = isinstance(target, ast.Tuple)
    if several is not (name in TALIB_SEVERAL):
        return False
    return all(
        _picked_from(module, part) for part in (target.elts if isinstance(target, ast.Tuple) else [target])
    )


def _picked_from(module: Module, target: ast.expr) -> bool:
    """Whether a name or attribute is assigned here only, and read only to pick single bars or compare lines."""
    strategy = module.strategy(target)
    if strategy is None or not isinstance(target, ast.Name | ast.Attribute):
        return False
    written = ast.unparse(target)
    same = [n for n in ast.walk(strategy) if isinstance(n, type(target)) and ast.unparse(n) == written]
    stored = [n for n in same if not isinstance(n.ctx, ast.Load)]
    return stored == [target] and all(_picked(module, use) for use in same if use is not target)


def _picked(module: Module, use: ast.expr) -> bool:
    parent = module.parents[use]
    if isinstance(parent, ast.Subscript):
        return parent.value is use and not isinstance(parent.slice, ast.Slice)
    return isinstance(parent, ast.Call) and module.full_name(parent.func).startswith("backtesting.lib.cross")


def whole_numbers(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Arrays made whole numbers, and a script's volumes, which may be: TA-Lib refuses both."""
    for node in module.nodes:
        if not isinstance(node, ast.Call) or module.is_guarded(node):
            continue
        function = node.args[0] if is_indicator_call(node) and node.args else node.func
        if not module.full_name(function).startswith("talib."):
            continue
        for value in [*node.args, *(k.value for k in node.keywords)]:
            if flow.of(value).is_array and (
                (module.mode is Mode.SCRIPT and ast.unparse(value) == "self.data.Volume")
                or _made_whole(flow, value)
            ):
                place = module.text.end(value)
                edit = Edit(place, place, ".astype(float)")
                yield Proposal("indicator_shape", "TA-Lib takes no whole numbers", (edit,))


def _made_whole(flow: Flow, value: ast.expr) -> bool:
    """Whether an array is converted by ``.astype(int)``."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "astype"
        and flow.of(value.func.value).is_array
        and [ast.unparse(a).strip("'\"") for a in value.args] in (["int"], ["int64"], ["np.int64"])
    )


def differences(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``np.diff`` gives one value less than there are bars, and ``self.I`` refuses it: the first bar has none."""
    for node in module.nodes:
        called = isinstance(node, ast.Call) and module.full_name(node.func) == "numpy.diff"
        if not called or not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
            continue
        if _returned_to_indicator(module, node) and not module.is_guarded(node):
            place = module.text.end(node.args[0])
            numpy = module.text.of(node.func).rpartition(".")[0] or "np"
            edit = Edit(place, place, ', prepend=float("nan")')
            yield Proposal(
                "indicator_shape", f"{numpy}.diff gives one value less than there are bars", (edit,)
            )


def _returned_to_indicator(module: Module, node: ast.Call) -> bool:
    """Whether a value is all that a function returns, and the function is one for ``self.I`` only."""
    parent = module.parents[node]
    if isinstance(parent, ast.Lambda):
        call = module.parents[parent]
        return is_indicator_call(call) and isinstance(call, ast.Call) and call.args[:1] == [parent]
    function = module.function(node)
    if not isinstance(parent, ast.Return) or not isinstance(function, ast.FunctionDef):
        return False
    uses = [
        n
        for n in module.nodes
        if getattr(n, "attr", getattr(n, "id", "")) == function.name
        and isinstance(n, ast.Name | ast.Attribute)
    ]
    calls = [module.parents[use] for use in uses]
    return bool(calls) and all(
        is_indicator_call(call) and isinstance(call, ast.Call) and call.args[0] is use
        for use, call in zip(uses, calls, strict=True)
    )
