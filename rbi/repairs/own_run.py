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
    needed = set(needed_by_strategies(module)) - module.imported.keys() if statements else set()
    for statement in statements + statements[::-1]:
        if _names(module, statement) & needed:  # what it is made from is needed, too
            needed |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} - module.imported.keys()
    for statement in statements:
        if not _names(module, statement) & needed:
            edit = module.text.without(statement) or module.text.replace(statement, "pass")
            yield Proposal(RULE, "the runner loads the data and runs the backtest", (edit,))


def _names(module: Module, statement: ast.stmt) -> set[str]:
    """What a statement assigns or may change: names, what has attributes or items set, what a method is called of."""
    if _is_main(statement):
        return set()
    functions = {n.name: n for n in module.tree.body if isinstance(n, ast.FunctionDef)}
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(_root(node.func))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            inner = ast.walk(functions[node.func.id]) if node.func.id in functions else ()
            found |= {name for n in inner if isinstance(n, ast.Global) for name in n.names}
            if node.func.id == "setattr" and node.args:
                found.add(_root(node.args[0]))
    return found


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return getattr(node, "id", "")


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
            plain = drawn and not _runs_or_orders(node)
            if plain and (isinstance(node, ast.Expr) or not _used_elsewhere(module, node)):
                edit = module.text.replace(node, "pass")
                yield Proposal("chart", "charts are not drawn here", (edit,))
        drawn_on = isinstance(node, ast.Expr) and _drawn_on(module, node.value)
        if isinstance(node, ast.Expr) and drawn_on and not (module.is_guarded(node) or _runs_or_orders(node)):
            yield Proposal("chart", "charts are not drawn here", (module.text.replace(node, "pass"),))


def _runs_or_orders(node: ast.stmt) -> bool:
    """Whether what is drawn is made on the way there: that is more than drawing."""
    names = {getattr(n.func, "attr", "") for n in ast.walk(node) if isinstance(n, ast.Call)}
    return bool(names & {"run", "optimize", "buy", "sell", "close"})


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
