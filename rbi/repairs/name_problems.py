"""Names that nothing stands behind: attributes, functions, modules, columns, files and feeds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.columns import TIMES, added, may_stay
from rbi.repairs.engine_names import complete, own_names, set_on
from rbi.repairs.flow import Flow
from rbi.repairs.imports import available, unbound
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import (
    BACKTESTING,
    FEEDS,
    PANDAS_TA,
    POSITION,
    STRATEGY,
    TALIB,
    TALIB_OTHERS,
    TRADE,
)
from rbi.repairs.module import Module
from rbi.repairs.report import Found
from runners.base import Mode

_INSIDE = frozenset({"_broker", "_indicators", "_data", "_params", "_FULL_EQUITY", "_check_params"})
_DATA = frozenset({"df", "index", "pip", "_set_length", "_update"})
_NO_FUNCTIONS = frozenset(
    {"Strategy", "AllStrategy", "CommonStrategy", "Imports", "version", "Category", "cdl_pattern"}
)
_READERS = frozenset({"read_csv", "read_parquet", "read_excel", "read_json", "read_feather", "read_pickle"})


def problems(module: Module, flow: Flow) -> Iterator[Found]:
    """All of them."""
    yield from invented_attributes(module, flow)
    yield from unknown_columns(module, flow)
    yield from _functions(module)
    yield from _imports(module)
    yield from _sources(module)
    yield from _second_files(module)
    yield from _undefined(module)
    if module.mode is Mode.CLASS:
        yield from _classes(module)


def invented_attributes(module: Module, flow: Flow) -> Iterator[Found]:
    """Attributes of the strategy, its position and its trades that are not there."""
    for strategy in module.strategies:
        if not complete(module, strategy):
            continue
        own = own_names(module, flow)
        known = {
            Kind.STRATEGY: STRATEGY | _INSIDE | own,
            Kind.POSITION: POSITION | module.set_from_outside | set_on(module, flow, strategy, Kind.POSITION),
            Kind.TRADE: TRADE | module.set_from_outside | set_on(module, flow, strategy, Kind.TRADE),
        }
        for node in ast.walk(strategy):
            if (
                not isinstance(node, ast.Attribute)
                or not isinstance(node.ctx, ast.Load)
                or node.attr.startswith("__")
            ):
                continue
            names = known.get(flow.of(node.value))
            if names and node.attr not in names and not module.is_guarded(node):
                there = ", ".join(sorted(n for n in names - own - _INSIDE))
                what = "is not set anywhere" if flow.of(node.value) is Kind.STRATEGY else "does not exist"
                yield Found("invented_attribute", node, f"{ast.unparse(node)} {what}", f"There are: {there}.")


def unknown_columns(module: Module, flow: Flow) -> Iterator[Found]:
    """Columns that the bars do not have."""
    own = added(module, flow)
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            name, kinds = node.attr, (Kind.DATA,)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if not isinstance(node.slice.value, str) or not isinstance(node.ctx, ast.Load):
                continue
            name, kinds = node.slice.value, (Kind.DATA, Kind.FRAME)  # type: ignore[assignment]
        else:
            continue
        if flow.of(node.value) not in kinds or module.is_guarded(node):
            continue
        if name in TIMES and may_stay(module, name):
            continue
        if name not in module.columns and name not in own and name not in _DATA and not name.startswith("__"):
            hint = f"Bars have {', '.join(module.columns)} and nothing else: compute it from them."
            yield Found("data_missing", node, f"the bars have no column {name!r}", hint)


def _functions(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        if not isinstance(node, ast.Attribute) or module.is_guarded(node):
            continue
        library = module.full_name(node.value)
        if library == "talib" and node.attr not in TALIB | TALIB_OTHERS and not node.attr.startswith("__"):
            yield Found(
                "invented_function", node, f"TA-Lib has no {node.attr}", "Compute it with numpy or pandas."
            )
        elif library in ("pandas_ta", "pandas_ta_classic") and node.attr not in PANDAS_TA | _NO_FUNCTIONS:
            message = f"pandas_ta has no {node.attr}"
            yield Found("invented_function", node, message, "Compute it with pandas.")


def _imports(module: Module) -> Iterator[Found]:
    for node in module.nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom) or module.is_guarded(node):
            continue
        if isinstance(node, ast.ImportFrom):
            names, there = [node.module or ""], BACKTESTING.get(node.module or "")
            for alias in node.names if there else ():
                if alias.name not in there and alias.name != "*":  # type: ignore[operator]
                    hint = "Write the function yourself."
                    yield Found("import", node, f"{node.module} has no {alias.name}", hint)
        else:
            names = [alias.name for alias in node.names]
        for name in names:
            if not available(name):
                feed = name.split(".")[0] in FEEDS
                hint = (
                    "There is no network: bars come from the runner."
                    if feed
                    else "Use numpy, pandas, scipy, talib or pandas_ta."
                )
                yield Found("data_missing" if feed else "import", node, f"{name} is not installed", hint)


def _sources(module: Module) -> Iterator[Found]:
    """Files and feeds that the code asks for; a script's bars are not meant."""
    for node in module.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = module.full_name(node.func)
        called = name or getattr(node.func, "id", "")
        if name.split(".")[0] in FEEDS:
            hint = "There is no network: compute from the bars alone."
            yield Found("network", node, f"{ast.unparse(node.func)} needs the network", hint)
        elif called == "input":
            yield Found("input", node, "nobody answers input()", "Make it a class attribute.")
        reads = called == "open" or (name.startswith("pandas.") and name.rsplit(".", 1)[-1] in _READERS)
        at_import = module.mode is Mode.CLASS and module.function(node) is None
        elsewhere = module.mode is Mode.SCRIPT and _is_another_file(node, called)
        if reads and (at_import or elsewhere or module.strategy(node) is not None):
            what = ast.unparse(node.args[0])[:80] if node.args else "a file"
            hint = "Bars come from the runner as self.data; there is no other file."
            yield Found("data_missing", node, f"{what} is read, and is not there", hint)


def _second_files(module: Module) -> Iterator[Found]:
    """A script's CSV files beside the first one: all stand for the same bars, whatever they are called."""
    if module.mode is not Mode.SCRIPT:
        return
    texts = {
        target.id: node.value.value
        for node in module.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and module.bound[target.id] == 1
    }
    first = ""
    read = [
        n
        for n in module.nodes
        if isinstance(n, ast.Call) and n.args and module.full_name(n.func) == "pandas.read_csv"
    ]
    for node in sorted(read, key=lambda n: n.lineno):
        path = node.args[0]
        text = path.value if isinstance(path, ast.Constant) else texts.get(getattr(path, "id", ""))
        name = text.replace("\\", "/").rsplit("/", 1)[-1].lower() if isinstance(text, str) else ""
        first = first or name
        if name.endswith(".csv") and name != first and not module.is_guarded(node):
            hint = "Bars are all there is: compute from them what the other file was to bring."
            yield Found("data_missing", node, f"{name} is not there: the bars are read in its place", hint)


def _is_another_file(node: ast.Call, called: str) -> bool:
    """Whether a file is named that is no CSV file: those stand for the bars. Files that are written do not count."""
    path = node.args[0] if node.args else None
    mode = (
        node.args[1]
        if len(node.args) > 1
        else next((k.value for k in node.keywords if k.arg == "mode"), None)
    )
    if called == "open" and mode is not None and "r" not in str(getattr(mode, "value", "")):
        return False
    name = path.value if isinstance(path, ast.Constant) else None
    return isinstance(name, str) and not name.lower().endswith(".csv")


def _undefined(module: Module) -> Iterator[Found]:
    if any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in module.nodes):
        return
    for name in unbound(module):
        node = next(
            n for n in module.nodes if isinstance(n, ast.Name) and n.id == name and not module.is_guarded(n)
        )
        yield Found("undefined", node, f"{name} is not defined", "Define or import it before it is used.")


def _classes(module: Module) -> Iterator[Found]:
    bases = {base.id for s in module.strategies for base in s.bases if isinstance(base, ast.Name)}
    found = [s for s in module.strategies if s.name not in bases]
    if len(found) > 1:
        names = ", ".join(s.name for s in found)
        hint = "Define exactly one subclass of backtesting.Strategy in the module."
        yield Found(
            "no_strategy_class", found[1], f"the module defines {len(found)} strategies: {names}", hint
        )
    for strategy in found:
        methods = {n.name for n in strategy.body if isinstance(n, ast.FunctionDef)}
        for name in ("init", "next"):
            if module.plain(strategy) and name not in methods:
                yield Found(
                    "abstract", strategy, f"{strategy.name} defines no {name}", "Define init and next."
                )
