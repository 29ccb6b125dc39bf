"""What a module does beside defining its strategy: loading data, running and plotting a backtest of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.libraries import CHARTS, FEEDS
from rbi.repairs.module import Module
from rbi.repairs.scopes import needed_by_strategies
from rbi.repairs.words import words
from runners.base import Mode

RULE = "own_run"
_RUNS = words(
    """
    backtesting.Backtest backtesting.lib.FractionalBacktest backtesting.lib.MultiBacktest
    backtesting.test.GOOG backtesting.test.EURUSD backtesting.test.BTCUSD backtesting.lib.plot_heatmaps
    open
    """
)
_READERS = frozenset(
    {"read_csv", "read_parquet", "read_excel", "read_feather", "read_json", "read_pickle", "read_hdf"}
)


def runs(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """Take out of a class module what belongs to a run of its own: the runner brings data and account."""
    if module.mode is not Mode.CLASS:
        return
    statements = _own_run(module)
    needed = needed_by_strategies(module) if statements else frozenset()
    for statement in statements:
        if not _names(statement) & needed:
            edit = module.text.without(statement) or module.text.replace(statement, "pass")
            yield Proposal(RULE, "the runner loads the data and runs the backtest", (edit,))


def _names(statement: ast.stmt) -> set[str]:
    if _is_main(statement):
        return set()
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _own_run(module: Module) -> list[ast.stmt]:
    """Statements at the top that run a backtest, read data, draw, or use what one of these made."""
    marked: set[str] = {
        n.name for n in module.tree.body if isinstance(n, ast.FunctionDef) and _does(module, n, set())
    }
    found: list[ast.stmt] = []
    for statement in module.tree.body:
        if isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        ):
            continue
        if _is_main(statement) or _does(module, statement, marked):
            found.append(statement)
            marked |= {
                n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return found


def _does(module: Module, statement: ast.stmt, marked: set[str]) -> bool:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in marked:
            return True
        name = module.full_name(node) or (getattr(node, "id", "") if isinstance(node, ast.Name) else "")
        if name in _RUNS or name.split(".")[0] in CHARTS | FEEDS:
            return True
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _READERS
            and module.full_name(node).startswith("pandas.")
        ):
            return True
    return False


def _is_main(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = statement.test
    return (
        isinstance(test, ast.Compare) and "__name__" in ast.unparse(test) and "__main__" in ast.unparse(test)
    )


def charts(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """In a script, drawing is left out: the libraries for it are not installed, and it decides nothing."""
    if module.mode is not Mode.SCRIPT:
        return
    for node in module.nodes:
        if isinstance(node, ast.Expr | ast.Assign) and not module.is_guarded(node):
            value = node.value
            drawn = isinstance(value, ast.Call) and module.full_name(value.func).split(".")[0] in CHARTS
            if drawn and (isinstance(node, ast.Expr) or not _used_elsewhere(module, node)):
                edit = module.text.replace(node, "pass")
                yield Proposal("chart", "charts are not drawn here", (edit,))
        if isinstance(node, ast.Expr) and not module.is_guarded(node) and _drawn_on(module, node.value):
            yield Proposal("chart", "charts are not drawn here", (module.text.replace(node, "pass"),))


def _drawn_on(module: Module, function: ast.expr) -> bool:
    """Whether a method is called of what a drawing library made."""
    if not isinstance(function, ast.Call):
        return False
    while isinstance(function, ast.Attribute | ast.Subscript | ast.Call):
        function = function.func if isinstance(function, ast.Call) else function.value
    if not isinstance(function, ast.Name):
        return False
    makers = [
        n
        for n in module.nodes
        if isinstance(n, ast.Assign)
        and any(
            isinstance(t, ast.Name) and t.id == function.id for target in n.targets for t in ast.walk(target)
        )
    ]
    return (
        bool(makers)
        and module.bound[function.id] == len(makers)
        and all(
            isinstance(n.value, ast.Call) and module.full_name(n.value.func).split(".")[0] in CHARTS
            for n in makers
        )
    )


def _used_elsewhere(module: Module, node: ast.Assign) -> bool:
    names = {t.id for target in node.targets for t in ast.walk(target) if isinstance(t, ast.Name)}
    return any(
        isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load) for n in module.nodes
    )


def terms_of_its_own(module: Module) -> dict[str, str]:
    """How the module's own backtest takes orders, where that is another way than the runner's."""
    found = {}
    for node in module.nodes:
        if isinstance(node, ast.Call) and module.full_name(node.func) in _RUNS:
            for keyword in node.keywords:
                on = getattr(keyword.value, "value", None) is True
                if on and keyword.arg in ("exclusive_orders", "hedging", "trade_on_close"):
                    found[keyword.arg] = ast.unparse(keyword)
    return found
