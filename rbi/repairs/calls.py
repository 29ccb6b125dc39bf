"""The kind of what a call of a library, or of an array's or a series' method, gives."""

from __future__ import annotations

import ast

from rbi.repairs.kind import Kind
from rbi.repairs.libraries import PANDAS_TA_SERIES, TALIB, TALIB_SEVERAL
from rbi.repairs.series_names import SERIES_METHODS
from rbi.repairs.words import words

_SAME = words(
    """
    shift diff pct_change fillna ffill bfill abs cumsum cumprod cummax cummin clip astype where mask
    round replace rank apply map interpolate copy isna notna isnull notnull between rename add sub mul
    div
    """
)
_SINGLE = words(
    """
    mean sum min max std var median prod any all argmax argmin item quantile idxmax idxmin skew kurt
    """
)
_ARRAY_SAME = words("astype copy clip cumsum cumprod flatten ravel")
_NUMPY_ELEMENTWISE = words(
    """
    numpy.log numpy.exp numpy.sqrt numpy.abs numpy.absolute numpy.sign numpy.maximum numpy.minimum
    numpy.square numpy.log1p numpy.nan_to_num numpy.isnan numpy.tanh numpy.fabs numpy.power numpy.divide
    numpy.cumsum numpy.cumprod numpy.fmax numpy.fmin numpy.clip
    """
)
_NUMPY_ARRAYS = words(
    """
    numpy.where numpy.array numpy.asarray numpy.zeros numpy.ones numpy.full numpy.empty numpy.zeros_like
    numpy.full_like numpy.ones_like numpy.empty_like numpy.arange numpy.linspace numpy.concatenate
    numpy.convolve numpy.roll numpy.gradient numpy.logical_and numpy.logical_or numpy.logical_not
    numpy.append
    """
)
_NUMPY_SINGLE = words(
    """
    numpy.mean numpy.sum numpy.min numpy.max numpy.std numpy.var numpy.median numpy.nanmean numpy.nanmax
    numpy.nanmin numpy.nanstd numpy.percentile numpy.nanpercentile numpy.quantile numpy.dot
    """
)


def is_indicator_call(node: ast.AST) -> bool:
    """Whether it is ``self.I(...)``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "I"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "self"
    )


def gets_series(node: ast.Call) -> bool:
    """Whether it is an ``apply`` whose function is given Series: its ``raw`` is not set."""
    return getattr(node.func, "attr", "") == "apply" and not any(
        k.arg in ("raw", None) for k in node.keywords
    )


def method_kind(owner: Kind, name: str) -> Kind:
    """What a method of a known kind gives."""
    if owner is Kind.FRAME:
        return Kind.FRAME if name == "copy" else Kind.UNKNOWN
    if owner.is_series:
        if name in ("rolling", "ewm", "expanding"):
            return owner.window
        if name in ("to_numpy", "ravel"):
            return Kind.ARRAY
        return owner if name in _SAME else Kind.NUMBER if name in _SINGLE else Kind.UNKNOWN
    if owner.under is not Kind.UNKNOWN:
        return Kind.UNKNOWN if name in ("agg", "aggregate") else owner.under
    if owner.is_array:
        if name in SERIES_METHODS:
            return method_kind(Kind.SERIES, name)  # it raises, or has been repaired to that
        if name in ("to_numpy", "round"):
            return Kind.ARRAY
        return owner if name in _ARRAY_SAME else Kind.NUMBER if name in _SINGLE else Kind.UNKNOWN
    return Kind.UNKNOWN


_TABLES = {Kind.SERIES: Kind.TABLE, Kind.DATED: Kind.TABLE_DATED}
_ROWS = {table: series for series, table in _TABLES.items()}


def of_rows(owner: Kind, node: ast.Call) -> Kind:
    """What a figure of each row of a table is."""
    by_row = any(k.arg == "axis" and getattr(k.value, "value", None) in (1, "columns") for k in node.keywords)
    return _ROWS.get(owner, Kind.UNKNOWN) if by_row else Kind.UNKNOWN


def side_by_side(node: ast.Call, columns: list[Kind]) -> Kind:
    """What ``pd.concat([...], axis=1)`` is, if all columns have the same index."""
    by_row = any(k.arg == "axis" and getattr(k.value, "value", None) in (1, "columns") for k in node.keywords)
    same = columns and all(kind is columns[0] for kind in columns)
    return _TABLES.get(columns[0], Kind.UNKNOWN) if by_row and same else Kind.UNKNOWN


def called_kind(name: str, node: ast.Call, arguments: list[Kind]) -> Kind:
    """What a function of that full name gives; without one, it may be a built-in one."""
    if not name:
        return _built_in(node, arguments)
    library, _, function = name.rpartition(".")
    if name == "pandas.Series":
        return _series(node, arguments)
    if library == "talib" and function in TALIB:
        return _talib(function, arguments)
    if library in ("pandas_ta", "pandas_ta_classic"):
        series = [kind for kind in arguments if kind.is_series]
        return series[0] if series and function in PANDAS_TA_SERIES else Kind.UNKNOWN
    if name in _NUMPY_ELEMENTWISE:
        return _elementwise(arguments)
    if name in _NUMPY_ARRAYS:
        return Kind.ARRAY
    if name in _NUMPY_SINGLE:
        return Kind.UNKNOWN if any(k.arg == "axis" for k in node.keywords) else Kind.NUMBER
    return Kind.UNKNOWN


def _built_in(node: ast.Call, arguments: list[Kind]) -> Kind:
    if not isinstance(node.func, ast.Name):
        return Kind.UNKNOWN
    if node.func.id in ("len", "int"):
        return Kind.INTEGER
    if node.func.id == "abs" and arguments:
        figures = arguments[0].is_number or arguments[0].is_array or arguments[0].is_series
        return arguments[0] if figures else Kind.UNKNOWN
    return Kind.NUMBER if node.func.id == "float" else Kind.UNKNOWN


def _series(node: ast.Call, arguments: list[Kind]) -> Kind:
    index = [keyword.value for keyword in node.keywords if keyword.arg == "index"]
    if index or len(arguments) != 1:
        dated = index and ast.unparse(index[0]) in ("self.data.index", "self.data.df.index")
        return Kind.DATED if dated else Kind.LABELLED
    if arguments[0].is_array or arguments[0] is Kind.INDEX:
        return Kind.SERIES
    return arguments[0] if arguments[0].is_series else Kind.LABELLED


def _talib(function: str, arguments: list[Kind]) -> Kind:
    prices = [kind for kind in arguments if not kind.is_number]
    if any(kind.is_series for kind in prices):
        return Kind.UNKNOWN if function in TALIB_SEVERAL else next(k for k in prices if k.is_series)
    if not prices or not all(kind.is_array for kind in prices):
        return Kind.UNKNOWN
    return Kind.SEVERAL if function in TALIB_SEVERAL else Kind.ARRAY


def _elementwise(arguments: list[Kind]) -> Kind:
    given = [kind for kind in arguments if not kind.is_number]
    if given and all(kind.is_array for kind in given):
        return given[0]
    series = {kind for kind in given if kind.is_series}
    known = all(kind.is_series or kind.is_array for kind in given)
    return next(iter(series)) if known and len(series) == 1 else Kind.UNKNOWN
