"""``self.I`` where it does not belong, and arrays that TA-Lib refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
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


def computed(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.I(talib.SMA(close, 20))``: self.I calls a function; what is computed already is no function."""
    for node in module.nodes:
        if not (is_indicator_call(node) and isinstance(node, ast.Call) and len(node.args) == 1):
            continue
        value = node.args[0]
        kind = flow.of(value)
        if (kind.is_array or kind.is_series or kind is Kind.SEVERAL) and not module.is_guarded(node):
            start = module.text.start(value)
            reason = "self.I takes a function: this one gives what is computed"
            yield Proposal("indicator_shape", reason, (Edit(start, start, "lambda: "),))


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
            volume = module.mode is Mode.SCRIPT and ast.unparse(value) == "self.data.Volume"
            if (volume and flow.of(value).is_array) or _made_whole(module, flow, value):
                place = module.text.end(value)
                edit = Edit(place, place, ".astype(float)")
                yield Proposal("indicator_shape", "TA-Lib takes no whole numbers", (edit,))


def _made_whole(module: Module, flow: Flow, value: ast.expr) -> bool:
    """Whether it is converted by ``.astype(int)``, or chosen from whole numbers, here or where it is named."""
    if isinstance(value, ast.Name):
        named = _named_value(module, value)
        return named is not None and _made_whole(module, flow, named)
    if isinstance(value, ast.Call) and module.full_name(value.func) == "numpy.where" and len(value.args) == 3:
        return all(flow.of(chosen) is Kind.INTEGER for chosen in value.args[1:])
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "astype"
        and [ast.unparse(a).strip("'\"") for a in value.args] in (["int"], ["int64"], ["np.int64"])
    )


def _named_value(module: Module, name: ast.Name) -> ast.expr | None:
    """What a name of a function stands for, if it is assigned once."""
    function = module.function(name)
    stores = [
        n
        for n in (ast.walk(function) if function is not None else ())
        if isinstance(n, ast.Name) and n.id == name.id and not isinstance(n.ctx, ast.Load)
    ]
    made = module.parents[stores[0]] if len(stores) == 1 and function is not None else None
    given = (
        {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
        if function is not None
        else set()
    )
    if not isinstance(made, ast.Assign) or made.targets != stores or name.id in given:
        return None
    return made.value


def lists(module: Module, flow: Flow) -> Iterator[Proposal]:
    """A list that the strategy fills itself: TA-Lib takes arrays only."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and module.full_name(node.func).startswith("talib.")):
            continue
        for value in node.args:
            kept = (
                value.value
                if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice)
                else value
            )
            if not module.is_guarded(node) and _is_list(module, flow, kept):
                numpy = next((name for name, full in module.imported.items() if full == "numpy"), "np")
                text = f"{numpy}.array({module.text.of(value)}, dtype=float)"
                reason = "TA-Lib takes arrays, not lists"
                yield Proposal("arguments", reason, (module.text.replace(value, text),))


def _is_list(module: Module, flow: Flow, node: ast.expr) -> bool:
    """Whether an attribute of the strategy is never set to anything but a list."""
    strategy = module.strategy(node)
    if strategy is None or not isinstance(node, ast.Attribute) or flow.of(node.value) is not Kind.STRATEGY:
        return False
    stores = [
        n
        for n in ast.walk(strategy)
        if isinstance(n, ast.Attribute) and n.attr == node.attr and not isinstance(n.ctx, ast.Load)
    ]
    made = [module.parents[store] for store in stores]
    return (
        bool(made)
        and node.attr not in module.given
        and all(isinstance(m, ast.Assign | ast.AnnAssign) and _makes_list(module, m.value) for m in made)
    )


def _makes_list(module: Module, value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        listed = isinstance(value.func, ast.Name) and value.func.id == "list" and not module.bound["list"]
        return listed or module.full_name(value.func) == "collections.deque"
    return isinstance(value, ast.List | ast.ListComp)


def later_less_earlier(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``x[n:] - x[:-n]`` gives n values less than there are bars, which ``self.I`` refuses: they are the first ones."""
    for node in module.nodes:
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div)):
            continue
        n = _distance(flow, node)
        if n and _returned_to_indicator(module, node) and not module.is_guarded(node):
            numpy = next((name for name, full in module.imported.items() if full == "numpy"), "np")
            text = f'{numpy}.append({numpy}.full({n}, float("nan")), {module.text.of(node)})'
            reason = f"it gives {n} values less than there are bars"
            yield Proposal("indicator_shape", reason, (module.text.replace(node, text),))


def _distance(flow: Flow, node: ast.BinOp) -> str:
    """``n`` in ``x[n:] - x[:-n]`` and in ``x[n:] / x[:-n]`` of an array; empty for anything else."""
    later, earlier = node.left, node.right
    if not (isinstance(later, ast.Subscript) and isinstance(earlier, ast.Subscript)):
        return ""
    first, second = later.slice, earlier.slice
    if not (isinstance(first, ast.Slice) and isinstance(second, ast.Slice)) or not isinstance(
        later.value, ast.Name
    ):
        return ""
    n, minus = first.lower, second.upper
    same = ast.unparse(later.value) == ast.unparse(earlier.value)
    if not flow.of(later.value).is_array:  # Series are fitted by their index
        return ""
    if n is None or not isinstance(minus, ast.UnaryOp) or not isinstance(minus.op, ast.USub) or not same:
        return ""
    alone = not (first.upper or first.step or second.lower or second.step)
    return ast.unparse(n) if alone and ast.unparse(n) == ast.unparse(minus.operand) else ""


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


def _returned_to_indicator(module: Module, node: ast.expr) -> bool:
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
