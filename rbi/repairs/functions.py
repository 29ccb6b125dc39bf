"""Names of functions of talib, pandas_ta, numpy and pandas that are not, or no longer, there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import (
    FREQUENCIES,
    NUMPY_BUILTINS,
    NUMPY_RENAMED,
    PANDAS_TA,
    PANDAS_TA_MEANT,
    TALIB,
    TALIB_ARGUMENTS,
    TALIB_MEANT,
    TALIB_OTHERS,
    TALIB_PERIOD,
)
from rbi.repairs.module import Module

_FILLS = {"ffill": "ffill", "pad": "ffill", "bfill": "bfill", "backfill": "bfill"}
_TAKE_FREQUENCY = frozenset(
    {"resample", "resample_apply", "date_range", "Grouper", "asfreq", "floor", "ceil"}
)


_DEVIATIONS = ("std", "stdev", "stddev", "std_dev", "num_std", "nbdev", "dev", "multiplier", "mult")
_PERIODS = ("length", "period", "window", "n", "time_period", "timeframe")


def renamed(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Functions by a name that says which one is meant."""
    for node in module.nodes:
        if (
            not isinstance(node, ast.Attribute)
            or not isinstance(node.ctx, ast.Load)
            or node.attr in module.set_from_outside
            or module.is_guarded(node)
        ):
            continue
        library = module.full_name(node.value)
        name = function_meant(library, node.attr)
        if name:
            end = module.text.end(node)
            edit = Edit(end - len(node.attr), end, name)
            yield Proposal(_rule(library), f"{library} has no {node.attr}: it is called {name}", (edit,))
        elif library == "numpy" and node.attr in NUMPY_BUILTINS:
            edit = module.text.replace(node, NUMPY_BUILTINS[node.attr])
            yield Proposal(_rule(library), f"numpy.{node.attr} was removed: it was the built-in", (edit,))


def _rule(library: str) -> str:
    return "removed" if library == "numpy" else "invented_function"


def function_meant(library: str, name: str) -> str:
    """The right name; empty if the given one is right, or if it is not clear what is meant."""
    if library == "talib" and name not in TALIB and name not in TALIB_OTHERS:
        upper = name.upper()
        return upper if upper in TALIB else TALIB_MEANT.get(upper, "")
    if library in ("pandas_ta", "pandas_ta_classic") and name not in PANDAS_TA:
        lower = name.lower()
        return lower if lower in PANDAS_TA and name.isupper() else PANDAS_TA_MEANT.get(lower, "")
    return NUMPY_RENAMED.get(name, "") if library == "numpy" else ""


def periods(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """TA-Lib's periods are called timeperiod, or fastperiod and so on; by another name they are refused."""
    for node in module.nodes:
        if not isinstance(node, ast.Call) or module.is_guarded(node):
            continue
        function = node.args[0] if is_indicator_call(node) and node.args else node.func
        library, _, name = module.full_name(function).rpartition(".")
        if library != "talib":
            continue
        meant = (
            dict.fromkeys(_PERIODS, "timeperiod") if name in TALIB_PERIOD else TALIB_ARGUMENTS.get(name, {})
        )
        given = {keyword.arg for keyword in node.keywords}
        for keyword in node.keywords:
            if name == "BBANDS" and keyword.arg in _DEVIATIONS and not given & {"nbdevup", "nbdevdn"}:
                value = module.text.of(keyword.value)
                start = module.text.offset(keyword.lineno, keyword.col_offset)
                edit = Edit(start, module.text.end(keyword.value), f"nbdevup={value}, nbdevdn={value}")
                reason = f"talib.BBANDS takes nbdevup= and nbdevdn=, not {keyword.arg}="
                if isinstance(keyword.value, ast.Constant | ast.Attribute | ast.Name):
                    yield Proposal("arguments", reason, (edit,))
            if keyword.arg in meant:
                start = module.text.offset(keyword.lineno, keyword.col_offset)
                edit = Edit(start, start + len(keyword.arg), meant[keyword.arg])
                reason = f"talib.{name} takes {meant[keyword.arg]}=, not {keyword.arg}="
                yield Proposal("arguments", reason, (edit,))


def fills(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``fillna(method=...)`` was removed from pandas: ffill and bfill are methods."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or module.is_guarded(
            node
        ):
            continue
        only = node.keywords[0] if len(node.keywords) == 1 and not node.args else None
        if node.func.attr != "fillna" or only is None or only.arg != "method":
            continue
        method = _FILLS.get(str(getattr(only.value, "value", "")))
        if method:
            edit = module.text.cut(node.func.value, node, f".{method}()")
            yield Proposal("removed", "fillna has no method= any more", (edit,))


def fills_in_place(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``fillna(method=..., inplace=True)``, whose other arguments ffill and bfill take, too."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or module.is_guarded(
            node
        ):
            continue
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        method = _FILLS.get(str(getattr(named.get("method"), "value", "")))
        if node.func.attr == "fillna" and method and not node.args and set(named) <= {"method", *_OF_FILLS}:
            rest = ", ".join(
                f"{name}={module.text.of(value)}" for name, value in named.items() if name != "method"
            )
            if rest:
                edit = module.text.cut(node.func.value, node, f".{method}({rest})")
                yield Proposal("removed", "fillna has no method= any more", (edit,))


_OF_FILLS = frozenset({"inplace", "limit", "axis"})


def frequencies(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Old names of frequencies, which pandas 3 refuses."""
    for node in module.nodes:
        if not isinstance(node, ast.Call) or module.is_guarded(node):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in _TAKE_FREQUENCY:
            continue
        values = [*node.args[:1], *(k.value for k in node.keywords if k.arg in ("freq", "rule"))]
        for value in values:
            new = _frequency(value)
            if new:
                quote = module.text.of(value)[0]
                edit = module.text.replace(value, f"{quote}{new}{quote}")
                yield Proposal("removed", f"pandas calls this frequency {new}", (edit,))


def _frequency(node: ast.expr) -> str:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return ""
    unit = node.value.lstrip("0123456789")
    return node.value[: len(node.value) - len(unit)] + FREQUENCIES[unit] if unit in FREQUENCIES else ""


_WINDOWS = {"highest": "max", "lowest": "min", "max": "max", "min": "min"}


def windows(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """The highest and lowest of some bars, which pandas_ta has under no name."""
    for node in module.nodes:
        if not isinstance(node, ast.Attribute) or node.attr not in _WINDOWS or module.is_guarded(node):
            continue
        if module.full_name(node.value) not in ("pandas_ta", "pandas_ta_classic"):
            continue
        call = module.parents[node]
        given = call.args[1:] if is_indicator_call(call) and isinstance(call, ast.Call) else []
        pandas = next((name for name, full in module.imported.items() if full == "pandas"), "")
        if len(given) == 2 and pandas and isinstance(call, ast.Call) and not call.keywords:
            text = f"lambda x, n: {pandas}.Series(x).rolling(n).{_WINDOWS[node.attr]}()"
            reason = f"pandas_ta has no {node.attr}: pandas computes it"
            yield Proposal("invented_function", reason, (module.text.replace(node, text),))
        elif pandas and isinstance(call, ast.Call) and call.func is node and _window(call) is not None:
            values, n = module.text.of(call.args[0]), module.text.of(_window(call) or call)
            text = f"{pandas}.Series({values}).rolling({n}).{_WINDOWS[node.attr]}()"
            reason = f"pandas_ta has no {node.attr}: pandas computes it"
            yield Proposal("invented_function", reason, (module.text.replace(call, text),))


def _window(call: ast.Call) -> ast.expr | None:
    """The number of bars, where a call is given values and it, and nothing else."""
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    if len(call.args) == 2 and not call.keywords:
        return call.args[1]
    only = call.keywords[0] if len(call.args) == 1 and len(call.keywords) == 1 else None
    return only.value if only is not None and only.arg in _PERIODS else None
