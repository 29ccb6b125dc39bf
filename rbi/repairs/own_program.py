"""What a script does around its strategy: reading bars, making the backtest, looking at its statistics."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from rbi.repairs.engine_names import own_names
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import (
    BACKTEST_KEYWORDS,
    BACKTEST_KEYWORDS_MEANT,
    COLUMNS,
    STATISTICS,
    STATISTICS_MEANT,
)
from rbi.repairs.module import Module
from rbi.repairs.report import Found
from runners.base import Mode

_BACKTESTS = frozenset({"backtesting.Backtest", "backtesting.backtesting.Backtest"})
_SAVING = frozenset({"to_csv", "to_json", "to_excel", "to_pickle", "to_parquet", "to_html"})
_PRICES = {"open", "high", "low", "close"}
_STRIPPING = frozenset({"strip", "lstrip", "replace"})
_OTHER_HEADERS = frozenset(
    {"skipinitialspace", "sep", "delimiter", "names", "header", "chunksize", "iterator", "usecols", None}
)
_RENAMING = frozenset({"rename", "capitalize", "title", "upper", "set_axis", "add_prefix", "map", "replace"})
_OF_COLUMNS = (ast.Subscript, ast.Dict, ast.List, ast.Tuple, ast.Compare)
_UNITS = re.compile(r"\[.*?\]|\(.*?\)")


def keywords(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Names of arguments that mean one of ``Backtest``'s."""
    for node in _backtests(module):
        given = {keyword.arg for keyword in node.keywords}
        for keyword in node.keywords:
            meant = BACKTEST_KEYWORDS_MEANT.get(keyword.arg or "")
            same = [k for k in node.keywords if BACKTEST_KEYWORDS_MEANT.get(k.arg or "") == meant]
            if meant and meant not in given and len(same) == 1 and not module.is_guarded(node):
                start = module.text.offset(keyword.lineno, keyword.col_offset)
                edit = Edit(start, start + len(keyword.arg or ""), meant)
                reason = f"Backtest has no {keyword.arg}=: it is called {meant}="
                yield Proposal("arguments", reason, (edit,))
            if keyword.arg == "leverage" and "margin" not in given and not module.is_guarded(node):
                start, end = module.text.offset(keyword.lineno, keyword.col_offset), keyword.value
                edit = Edit(start, module.text.end(end), f"margin=1 / ({module.text.of(end)})")
                reason = "Backtest has no leverage=: the margin it asks for is 1 / leverage"
                yield Proposal("arguments", reason, (edit,))


_WORKERS = frozenset(
    {"n_jobs", "workers", "n_workers", "num_workers", "verbose", "progress", "show_progress"}
)


def workers(module: Module, flow: Flow) -> Iterator[Proposal]:
    """How many processes optimize takes is not for it to be told: any other word is a parameter of the strategy."""
    own = own_names(module, flow)
    for node in module.nodes:
        if not isinstance(node, ast.Call) or not _runs(module, node) or module.is_guarded(node):
            continue
        for before, keyword in pairwise([None, *node.keywords]):
            # The first one has no comma before it that could be taken out with it.
            if before is not None and keyword is not None and keyword.arg in _WORKERS - own:
                edit = module.text.cut(before.value, keyword.value)
                yield Proposal("arguments", f"optimize has no {keyword.arg}=", (edit,))


def problems(module: Module) -> Iterator[Found]:
    """Arguments that ``Backtest`` does not have."""
    for node in _backtests(module):
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in BACKTEST_KEYWORDS and not module.is_guarded(node):
                hint = f"Backtest takes {', '.join(BACKTEST_KEYWORDS)}, all by name."
                yield Found("arguments", node, f"Backtest has no {keyword.arg}=", hint)


def _backtests(module: Module) -> Iterator[ast.Call]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and _makes(module, node) and module.mode is Mode.SCRIPT:
            yield node


def padded(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Bars whose header has blanks behind its commas: prices are renamed by names that the columns do not have.

    Then there is no column ``Open``, and no backtest. Nothing is changed where the module deals with blanks itself, by
    any means, or names its columns by their places.
    """
    if module.mode is not Mode.SCRIPT or not _renames_prices(module) or _deals_with_blanks(module):
        return
    for node in module.nodes:
        if not isinstance(node, ast.Call) or module.full_name(node.func) != "pandas.read_csv":
            continue
        if not {k.arg for k in node.keywords} & _OTHER_HEADERS and not module.is_guarded(node):
            place = module.text.end(node)
            edit = Edit(place, place, ".rename(columns=str.strip)")
            reason = "a header may have blanks behind its commas: prices are renamed by their names without"
            yield Proposal("column", reason, (edit,))


def lowered(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Bars whose columns a script has in lower case when it makes its backtest, which takes ``Open`` to ``Close``.

    Nothing is changed where capitals may come from anywhere: a word of renaming, or such a name outside strategies.
    """
    if module.mode is not Mode.SCRIPT or not _in_lower_case(module) or _capitals(module):
        return
    for node in _backtests(module):
        frame = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "data"), None)
        if isinstance(frame, ast.Name) and not module.is_guarded(node):
            place = module.text.end(frame)
            names = ", ".join(f'"{name.lower()}": "{name}"' for name in COLUMNS)
            edit = Edit(place, place, f".rename(columns={{{names}}})")
            yield Proposal("column", "Backtest takes Open, High, Low, Close and Volume, written so", (edit,))


def _in_lower_case(module: Module) -> bool:
    """Whether a frame's columns are made lower case."""
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Attribute) and t.attr == "columns" for t in node.targets)
        and any(isinstance(n, ast.Attribute) and n.attr == "lower" for n in ast.walk(node.value))
        for node in module.nodes
    )


def _capitals(module: Module) -> bool:
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in _RENAMING and module.strategy(node) is None:
            return True
        prices = isinstance(node, ast.Constant) and node.value in COLUMNS
        if prices and module.strategy(node) is None:
            return True
    return False


def _renames_prices(module: Module) -> bool:
    """Whether columns are renamed that are called ``open`` to ``close``."""
    return any(
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "rename"
        and any(_keys(value) >= _PRICES for value in [*node.args, *(k.value for k in node.keywords)])
        for node in module.nodes
    )


def _keys(node: ast.AST) -> set[str]:
    keys = node.keys if isinstance(node, ast.Dict) else []
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def _deals_with_blanks(module: Module) -> bool:
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and (
            node.attr in _STRIPPING or (node.attr == "columns" and isinstance(node.ctx, ast.Store))
        ):
            return True
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text != text.strip() and isinstance(module.parents[node], _OF_COLUMNS):
            return True
    return False


def statistics(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Statistics of a run by names that the engine does not have, where it is clear which one is meant."""
    results = _results(module)
    added = {
        getattr(n.slice, "value", None)
        for n in module.nodes
        if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)
    }
    for node in module.nodes:
        value: ast.AST | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            value = node.slice if getattr(node.value, "id", "") in results else None
        elif isinstance(node, ast.keyword) and node.arg == "maximize":
            value = node.value if _runs(module, module.parents[node]) else None
        if not (isinstance(value, ast.Constant) and isinstance(value.value, str)) or module.is_guarded(value):
            continue
        meant, text = _meant(value.value), module.text.of(value)
        if meant and value.value not in added and text[1:-1] == value.value:
            edit = module.text.replace(value, f"{text[0]}{meant}{text[0]}")
            reason = f"there is no statistic {value.value}: it is called {meant}"
            yield Proposal("statistic", reason, (edit,))


def _meant(key: str) -> str:
    if key in STATISTICS or key.startswith("_"):
        return ""
    plain = _plain(key)
    found = [known for known in STATISTICS if _plain(known) == plain]
    return found[0] if len(found) == 1 else STATISTICS_MEANT.get(plain, "")


def _plain(key: str) -> str:
    return "".join(c for c in _UNITS.sub("", key).lower() if c.isalnum())


def saved(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """A script's own files of its results: the folders they go to are not there, and nobody reads them."""
    results = _results(module)
    parts = _named(
        module, lambda value: isinstance(value, ast.Subscript | ast.Attribute) and _root(value) in results
    )
    runs = [node.lineno for node in module.nodes if isinstance(node, ast.Call) and _runs(module, node)]
    for node in module.tree.body + [
        n for main in module.tree.body if isinstance(main, ast.If) for n in main.body
    ]:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or module.is_guarded(node):
            continue
        if any(line >= node.lineno for line in runs):
            continue  # what is saved may be for the next run
        function = node.value.func
        saving = isinstance(function, ast.Attribute) and function.attr in _SAVING
        if (saving and _root(function) in results | parts) or _makes_folder(module, node.value):
            yield Proposal("own_run", "results are kept without this", (module.text.replace(node, "pass"),))


def _makes_folder(module: Module, call: ast.Call) -> bool:
    """Whether a folder is made outside the one that the script runs in."""
    if module.mode is not Mode.SCRIPT or module.full_name(call.func) not in ("os.makedirs", "os.mkdir"):
        return False
    path = call.args[0] if call.args else None
    return isinstance(path, ast.Constant) and str(path.value).startswith("/")


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return getattr(node, "id", "")


def _results(module: Module) -> frozenset[str]:
    """Names of a script that stand for nothing but what a backtest's ``run`` or ``optimize`` gave."""
    if module.mode is not Mode.SCRIPT:
        return frozenset()
    found = _named(module, lambda value: _runs(module, value))
    parameters = _given_results(module, found | _stored(module))
    return found | parameters


def _stored(module: Module) -> frozenset[str]:
    """Names that a run's result is assigned to, whatever else they stand for in other functions."""
    return frozenset(
        target.id
        for node in module.nodes
        if isinstance(node, ast.Assign) and _runs(module, node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _given_results(module: Module, results: frozenset[str]) -> frozenset[str]:
    """Parameters of the module's functions that are given nothing but results, and results by the same name."""
    functions = {n.name: n for n in module.tree.body if isinstance(n, ast.FunctionDef)}
    found = set()
    for name, function in functions.items():
        uses = [n for n in module.nodes if isinstance(n, ast.Name) and n.id == name]
        calls = [module.parents[use] for use in uses]
        for place, parameter in enumerate(function.args.args):
            given = [
                getattr(call.args[place], "id", "")
                for call, use in zip(calls, uses, strict=True)
                if isinstance(call, ast.Call) and call.func is use and len(call.args) > place
            ]
            sure = bool(given) and len(given) == len(calls) and set(given) <= results
            assigned = sum(
                isinstance(node, ast.Assign)
                and _runs(module, node.value)
                and _names_only(node, parameter.arg)
                for node in module.nodes
            )
            if sure and module.bound[parameter.arg] == assigned + 1:
                found.add(parameter.arg)
    return frozenset(found)


def _names_only(node: ast.Assign, name: str) -> bool:
    return [getattr(target, "id", "") for target in node.targets] == [name]


def _runs(module: Module, node: ast.AST) -> bool:
    """Whether it is ``run`` or ``optimize`` of a backtest."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    made = _makes(module, owner) or getattr(owner, "id", "") in _named(module, lambda v: _makes(module, v))
    return made and node.func.attr in ("run", "optimize")


def _makes(module: Module, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and module.full_name(node.func) in _BACKTESTS


def _named(module: Module, fits: Callable[[ast.AST], bool]) -> frozenset[str]:
    """Names that are bound by nothing but assignments of values that fit."""
    counts = Counter(
        target.id
        for node in module.nodes
        if isinstance(node, ast.Assign) and fits(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    )
    return frozenset(name for name, count in counts.items() if module.bound[name] == count)
