"""Statements that print, and do nothing else."""

from __future__ import annotations

import ast

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


def only_prints(node: ast.expr) -> bool:
    """Whether it is a call of print whose arguments have no effects."""
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
