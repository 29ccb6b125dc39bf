"""What is printed only: it decides nothing, and must not end a backtest."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.module import Module
from rbi.repairs.name_problems import invented_attributes, unknown_columns

_HARMLESS = frozenset(
    {
        "print",
        "round",
        "str",
        "len",
        "float",
        "int",
        "abs",
        "format",
        "min",
        "max",
        "strftime",
        "date",
        "time",
        "upper",
    }
)


def invented(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Leave out a print of what does not exist."""
    found = [*invented_attributes(module, flow), *unknown_columns(module, flow)]
    for one in found:
        statement = module.statement(one.node)
        if isinstance(statement, ast.Expr) and _only_prints(statement.value):
            edit = module.text.replace(statement, "pass")
            yield Proposal("shown_only", f"a print of what does not exist: {one.message}", (edit,))


def _only_prints(node: ast.expr) -> bool:
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    printed = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    effects = any(
        isinstance(n, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for n in ast.walk(node)
    )
    return (
        printed
        and not effects
        and all(getattr(c.func, "id", getattr(c.func, "attr", "")) in _HARMLESS for c in calls)
    )
