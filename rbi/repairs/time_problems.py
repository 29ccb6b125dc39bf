"""Looking ahead, and reading the wrong bar."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.flow import Flow
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import COLUMNS
from rbi.repairs.module import Module
from rbi.repairs.report import Found
from rbi.repairs.words import words

_PAST_ONLY = "Use past bars only: shift by a positive number, and rolling or expanding windows."
_SMOOTHING = words(
    """
    argrelextrema argrelmax argrelmin find_peaks find_peaks_cwt savgol_filter filtfilt sosfiltfilt
    detrend hilbert gaussian_filter1d UnivariateSpline seasonal_decompose
    """
)
_OVER_ALL = words("max min mean std median quantile sum var percentile rank")
_NUMPY_OVER_ALL = words(
    """
    numpy.max numpy.min numpy.mean numpy.std numpy.median numpy.percentile numpy.quantile numpy.nanmax
    numpy.nanmin numpy.nanmean numpy.nanstd numpy.nanmedian numpy.polyfit numpy.fft.fft numpy.amax
    numpy.amin
    """
)


def problems(module: Module, flow: Flow) -> Iterator[Found]:
    """All of them."""
    for node in module.nodes:
        if isinstance(node, ast.Call):
            message = _ahead(module, flow, node)
            if message:
                yield Found("look_ahead", node, message, _PAST_ONLY)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            yield from _places(module, flow, node)


def _ahead(module: Module, flow: Flow, node: ast.Call) -> str:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    values = [*node.args, *(k.value for k in node.keywords)]
    if name == "shift" and any(isinstance(v, ast.UnaryOp) and isinstance(v.op, ast.USub) for v in values[:1]):
        return "a negative shift brings values of bars to come"
    if name in ("bfill", "backfill"):
        return f"{name} fills a gap with a value of a bar to come"
    if any(
        k.arg == "method" and getattr(k.value, "value", "") in ("bfill", "backfill") for k in node.keywords
    ):
        return f"{name} fills a gap with a value of a bar to come"
    if any(k.arg == "center" and getattr(k.value, "value", False) is True for k in node.keywords):
        return "a centred window holds bars to come"
    if name in _SMOOTHING and _sees_all(module, node):
        return f"{name} judges a bar by the bars after it"
    if name in ("fit", "fit_transform", "fit_predict") and _in_init(module, node):
        return "a model that is fitted on all bars knows those to come"
    if name == "interpolate":
        return "interpolate fills a gap with values of bars to come"
    return _over_all(module, flow, node, name)


def _over_all(module: Module, flow: Flow, node: ast.Call, name: str) -> str:
    """A figure of all bars, where all bars are there: in init and what it hands arrays to."""
    if not _sees_all(module, node) or _in_window(module, node):
        return ""
    if isinstance(node.func, ast.Attribute) and name in _OVER_ALL and not node.args:
        kind = flow.of(node.func.value)
        if kind.is_series or kind.is_array:
            return f"{name}() of a whole column is known only after the last bar"
    if module.full_name(node.func) in _NUMPY_OVER_ALL and node.args:
        kind = flow.of(node.args[-1 if name == "polyfit" else 0])
        whole = not isinstance(node.args[0], ast.Subscript)
        if whole and (kind.is_series or kind.is_array) and not any(k.arg == "axis" for k in node.keywords):
            return f"{name} of a whole column is known only after the last bar"
    return ""


def _in_init(module: Module, node: ast.AST) -> bool:
    method = module.method(node)
    return method is not None and method.name == "init"


def _sees_all(module: Module, node: ast.AST) -> bool:
    """In init, or in a function of the module that next does not call."""
    method = module.method(node)
    if method is not None:
        return method.name != "next" and method.name not in module.after_init
    function = module.function(node)
    name = getattr(function, "name", "")
    return bool(name) and name not in module.after_init


def _in_window(module: Module, node: ast.AST) -> bool:
    """Inside a function that a window is applied with, or in a loop over slices."""
    for above in module.above(node):
        if isinstance(above, ast.Lambda):
            outer = module.parents[above]
            return isinstance(outer, ast.Call) and getattr(outer.func, "attr", "") in ("apply", "agg", "map")
        if isinstance(above, ast.For | ast.While | ast.ListComp):
            return True
    return False


def _places(module: Module, flow: Flow, node: ast.Subscript) -> Iterator[Found]:
    backwards = (
        isinstance(node.slice, ast.Slice)
        and isinstance(node.slice.step, ast.UnaryOp)
        and isinstance(node.slice.step.op, ast.USub)
    )
    kind = flow.of(node.value)
    if backwards and (kind.is_array or kind.is_series) and _sees_all(module, node):
        yield Found("look_ahead", node, "a reversed column begins with the last bar", _PAST_ONLY)
    column = isinstance(node.value, ast.Attribute) and node.value.attr in COLUMNS and kind is Kind.ARRAY
    if (
        column
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == 0
        and not _in_init(module, node)
    ):
        message = f"{ast.unparse(node)} is the first bar of all, not the newest"
        yield Found("first_bar", node, message, "The newest bar is [-1], the one before it [-2].")
