"""Check: what is certain to fail or mislead is repaired without a model, or known without running anything."""

from __future__ import annotations

import ast
from dataclasses import replace

from models.syntax import parse
from rbi.domain import Attempt, Draft
from rbi.repairs import examine
from rbi.stages.context import Context
from runners.base import Failure, FailureKind


def check(draft: Draft, context: Context) -> Draft:  # noqa: ARG001 - every stage has the same shape
    """Repair the newest attempt, and mark it if it cannot run."""
    attempt = draft.attempts[-1]
    return replace(draft, attempts=(*draft.attempts[:-1], checked(attempt)))


def checked(attempt: Attempt) -> Attempt:
    """The attempt with its certain fixes made, the problems that are left, and what keeps it from being run."""
    if attempt.problem:
        return attempt
    problem = find_problem(attempt.source)
    if problem:
        return replace(attempt, problem=problem)
    found = examine(attempt.source)
    return replace(attempt, source=found.source, fixes=found.fixes, problems=found.problems)


def find_problem(source: str) -> Failure | None:
    """The first reason why a module cannot run as a strategy, or ``None``."""
    try:
        tree = parse(source)
    except SyntaxError as error:
        line = error.lineno or 1
        return Failure(
            FailureKind.SYNTAX,
            f"not valid Python: {error.msg}",
            "correct the syntax and answer with the whole module",
            line=line,
            source_line=(source.splitlines() or [""])[min(line, source.count("\n") + 1) - 1].strip(),
        )
    except (ValueError, RecursionError, MemoryError) as error:
        return Failure(FailureKind.SYNTAX, f"not valid Python: {error}", "answer with one plain module")
    if any(isinstance(node, ast.ClassDef) for node in ast.walk(tree)):
        return None
    return Failure(
        FailureKind.NO_STRATEGY_CLASS,
        "the module defines no class",
        "define exactly one subclass of backtesting.Strategy",
    )
