"""Indicators that give several lines: how they are told apart, by name or by place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from rbi.repairs.calls import is_indicator_call
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import PANDAS_TA_TABLES, TALIB_OUTPUTS
from rbi.repairs.module import Module

RULE = "indicator_shape"
_WHOLE_FACTOR = re.compile(r"((?:BB[LMUBP]|SUPERT[dls]?)_\d+_\d+)(?:\.0_\d+\.0)?")


def unpacked(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``macd, signal = MACD(...)``: TA-Lib gives three lines, and the names say which two are meant."""
    for node in module.nodes:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Call)):
            continue
        target, call = node.targets[0], node.value
        function = call.args[0] if is_indicator_call(call) and call.args else call.func
        library, _, name = module.full_name(function).rpartition(".")
        outputs = TALIB_OUTPUTS.get(name, ()) if library == "talib" else ()
        if not isinstance(target, ast.Tuple) or not 2 <= len(target.elts) < len(outputs):
            continue
        places = [_place(part, outputs) for part in target.elts]
        if -1 in places or places != sorted(set(places)) or module.is_guarded(node):
            continue
        texts = ["_"] * len(outputs)
        for place, part in zip(places, target.elts, strict=True):
            texts[place] = module.text.of(part)
        edit = Edit(module.text.start(target.elts[0]), module.text.end(target.elts[-1]), ", ".join(texts))
        yield Proposal(RULE, f"talib.{name} gives {len(outputs)} lines", (edit,))


def _place(target: ast.expr, outputs: tuple[tuple[str, ...], ...]) -> int:
    """Which of the outputs a name means: ``macd_signal`` is the signal. -1 if that is not clear."""
    name = getattr(target, "attr", getattr(target, "id", "")).lower()
    found = [place for place, words in enumerate(outputs) if any(word in name for word in words)]
    return max(found) if len(found) == 1 or (len(found) == 2 and outputs[0][0] == "macd") else -1


def by_name(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``x["BBL_20_2"]``: a table's column by a name that it does not have, or of an indicator, which has no names."""
    made = dict(_tables(module))
    for node in module.nodes:
        if not (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)):
            continue
        key, written = getattr(node.slice, "value", None), ast.unparse(node.value)
        owner = _owner(module, node, written)
        table, indicator = made.get((owner, written), ("", False))
        if not isinstance(key, str) or not table or module.is_guarded(node):
            continue
        prefixes = PANDAS_TA_TABLES[table]
        prefix = key.split("_")[0]
        if prefix not in prefixes:
            continue
        if indicator:
            edit = module.text.replace(node.slice, str(prefixes.index(prefix)))
            reason = f"self.I gives arrays without names: {prefix} is the one at {prefixes.index(prefix)}"
            yield Proposal(RULE, reason, (edit,))
            continue
        match = _WHOLE_FACTOR.fullmatch(key)
        if match and _whole_factor(module, table):
            quote = module.text.of(node.slice)[0]
            edit = module.text.replace(node.slice, f"{quote}{match[1]}.0{quote}")
            yield Proposal("column", f"pandas_ta calls the column {match[1]}.0", (edit,))


def _owner(module: Module, node: ast.AST, written: str) -> ast.AST | None:
    """Where a name means the same: the class for an attribute, the outermost function for a name bound once."""
    if written.startswith("self."):
        return module.strategy(node)
    functions = [above for above in module.above(node) if isinstance(above, ast.FunctionDef)]
    return functions[-1] if functions and module.bound[written] == 1 else None


def _whole_factor(module: Module, table: str) -> bool:
    """Whether no name is given to the columns in another way."""
    calls = [n for n in module.nodes if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == table]
    return not any(k.arg in ("suffix", "prefix", "col_names") for call in calls for k in call.keywords)


def _tables(module: Module) -> Iterator[tuple[tuple[ast.AST | None, str], tuple[str, bool]]]:
    """What is assigned a table of pandas_ta in one place only: whose name it is, the function, and if by ``self.I``."""
    stores: dict[tuple[ast.AST | None, str], list[tuple[str, bool]]] = {}
    for node in module.nodes:
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            written = ast.unparse(node)
            owner = _owner(module, node, written)
            stores.setdefault((owner, written), []).append(_made(module, node))
    for place, made in stores.items():
        if place[0] is not None and len(made) == 1 and made[0][0]:
            yield place, made[0]


def _made(module: Module, target: ast.AST) -> tuple[str, bool]:
    statement = module.parents[target]
    call = statement.value if isinstance(statement, ast.Assign) else None
    if (
        not isinstance(call, ast.Call)
        or not isinstance(statement, ast.Assign)
        or target not in statement.targets
    ):
        return "", False
    indicator = is_indicator_call(call)
    function: ast.AST = call.args[0] if indicator and call.args else call.func
    if isinstance(function, ast.Lambda) and isinstance(function.body, ast.Call):
        function = function.body.func
    library, _, name = module.full_name(function).rpartition(".")
    known = library in ("pandas_ta", "pandas_ta_classic") and name in PANDAS_TA_TABLES
    return (name, indicator) if known else ("", False)
