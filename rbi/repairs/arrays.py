"""Arrays that are used as pandas Series, and Series that are used as arrays."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.module import Module
from rbi.repairs.series_names import PLACES, SERIES_ONLY, SERIES_VALUES

RULE = "array_as_series"
_FITTED = frozenset({"fillna", "combine_first", "corr", "cov"})
_NEEDS_TIMES = frozenset({"vwap", "vp"})


def raises(module: Module, flow: Flow, node: ast.AST) -> bool:
    """Whether it is an attribute that only a Series has, of what is an array."""
    if not (isinstance(node, ast.Attribute) and flow.of(node.value).is_array) or module.is_guarded(node):
        return False
    return node.attr in SERIES_ONLY or _numbered(module, flow, node)


def _numbered(module: Module, flow: Flow, node: ast.Attribute) -> bool:
    """``x.loc[-1]`` and ``x.at[-1]``: by a whole number, what is meant is the place."""
    parent = module.parents[node]
    by = parent.slice if isinstance(parent, ast.Subscript) and parent.value is node else None
    return node.attr in ("loc", "at") and by is not None and flow.of(by) is Kind.INTEGER


def wrap(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Make a Series where a Series' method is called; leave out what an array does not need."""
    for node in module.nodes:
        if not (isinstance(node, ast.Attribute) and raises(module, flow, node)):
            continue
        dated = node.attr == "resample" and _has_times(node.value)
        edit = _plainer(module, node) or _as_series(module, flow, node.value, dated=dated)
        if edit:
            reason = f"an array has no .{node.attr}: only a pandas Series has it"
            yield Proposal(RULE, reason, (edit,))


def given_to_series(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``series.fillna(array)``: pandas fits what these methods are given by its index, and refuses an array."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1):
            continue
        owner, value = flow.of(node.func.value), node.args[0]
        if node.func.attr not in _FITTED or not owner.is_series or not flow.of(value).is_array:
            continue
        edit = None if module.is_guarded(node) else _as_series(module, flow, value)
        if edit:
            reason = f"{node.func.attr} takes no array: only a pandas Series"
            yield Proposal(RULE, reason, (edit,))


def _plainer(module: Module, node: ast.Attribute) -> Edit | None:
    """For what an array can do without the word: ``x.iloc[-1]`` is ``x[-1]``."""
    parent = module.parents[node]
    if node.attr in PLACES | {"loc", "at"} and isinstance(parent, ast.Subscript) and parent.value is node:
        return module.text.cut(node.value, node)
    if node.attr == "to_numpy" and isinstance(parent, ast.Call) and not (parent.args or parent.keywords):
        return module.text.cut(node.value, parent)
    if node.attr in SERIES_VALUES and not (isinstance(parent, ast.Call) and parent.func is node):
        return module.text.cut(node.value, node)
    return None


def _as_series(module: Module, flow: Flow, node: ast.expr, *, dated: bool = False) -> Edit | None:
    """Wrapped so that it has the same index as the other Series of its function; ``None`` if they differ."""
    function = module.function(node)
    unmade = _of_arrays(module, flow, function) if function else set()
    around = [flow.of(n) for n in ast.walk(function) if n not in unmade] if function else []
    if dated or Kind.DATED in around:
        if not dated and Kind.SERIES in around:
            return None
        text = module.text.of(node)
        if isinstance(node, ast.Attribute | ast.Name | ast.Subscript) and (not dated or _has_times(node)):
            return module.text.replace(node, f"{text}.s")
        if module.method(node) is None:
            return None
        return module.text.replace(node, f"{_pandas(module)}.Series({text}, index=self.data.index)")
    return module.text.replace(node, f"{_pandas(module)}.Series({module.text.of(node)})")


def _of_arrays(module: Module, flow: Flow, function: ast.AST) -> set[ast.AST]:
    """What is a Series only once the array that it is asked of is one: which index it has is not settled."""
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        if raises(module, flow, node):
            found |= {above for above in module.above(node) if isinstance(above, ast.expr)}
    return found


def concatenated(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``pd.concat([array, series])``: pandas puts nothing but Series and frames side by side."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and module.full_name(node.func) == "pandas.concat" and node.args):
            continue
        parts = node.args[0].elts if isinstance(node.args[0], ast.List | ast.Tuple) else []
        for part in parts:
            if flow.of(part).is_array and not module.is_guarded(node):
                edit = _as_series(module, flow, part)
                if edit is not None:
                    yield Proposal(RULE, "pandas.concat takes no array: only Series and frames", (edit,))


def _pandas(module: Module) -> str:
    return next((name for name, full in module.imported.items() if full == "pandas"), "pd")


def last_values(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Counting from the end is ``.iloc`` for a Series: its index has no -1."""
    for node in module.nodes:
        if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)):
            continue
        kind = flow.of(node.value)
        fails = (kind is Kind.SERIES and _from_end(node.slice)) or (
            kind in (Kind.DATED, Kind.PART) and flow.of(node.slice) is Kind.INTEGER
        )
        if fails and not module.is_guarded(node):
            place = module.text.end(node.value)
            bracket = module.text.source.find("[", place)
            reason = "a Series is asked by its index: its values by number are .iloc"
            yield Proposal(RULE, reason, (Edit(bracket, bracket, ".iloc"),))


def _from_end(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) is int
        and node.operand.value > 0
    )


def pandas_ta_arguments(module: Module, flow: Flow) -> Iterator[Proposal]:
    """pandas_ta takes Series only; for an array it answers None."""
    for node in module.nodes:
        if not isinstance(node, ast.Call) or module.is_guarded(node):
            continue
        given = node.args[1:] if is_indicator_call(node) and node.args else node.args
        name = module.full_name(node.args[0] if is_indicator_call(node) and node.args else node.func)
        library, _, function = name.partition(".")
        if library not in ("pandas_ta", "pandas_ta_classic") or _expects_none(module, node):
            continue
        values = [*given, *(k.value for k in node.keywords)]
        kinds, arrays = [flow.of(v) for v in values], [v for v in values if flow.of(v).is_array]
        # pandas fits what it is given by the index: within one call all have the same.
        dated = function in _NEEDS_TIMES or (
            is_indicator_call(node) and Kind.SERIES not in kinds and all(map(_has_times, arrays))
        )
        for value in arrays:
            edit = _as_series(module, flow, value, dated=dated)
            if edit:
                reason = f"pandas_ta.{function} gives None for an array: it takes a pandas Series"
                yield Proposal("indicator_shape", reason, (edit,))


def _has_times(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node).startswith("self.data.")


def _expects_none(module: Module, node: ast.Call) -> bool:
    """Whether the code around a call looks whether there is a result."""
    function = module.function(node)
    return function is not None and any(
        isinstance(n, ast.Constant) and n.value is None and isinstance(module.parents[n], ast.Compare)
        for n in ast.walk(function)
    )
