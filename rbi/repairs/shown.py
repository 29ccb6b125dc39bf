"""What is printed only: it decides nothing, and must not end a backtest."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.module import Module
from rbi.repairs.name_problems import invented_attributes, unknown_columns
from rbi.repairs.prints import only_prints


def invented(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Leave out a print of what does not exist."""
    found = [*invented_attributes(module, flow), *unknown_columns(module, flow)]
    for one in found:
        statement = module.statement(one.node)
        if isinstance(statement, ast.Expr) and only_prints(statement.value):
            edit = module.text.replace(statement, "pass")
            yield Proposal("shown_only", f"a print of what does not exist: {one.message}", (edit,))


def formatted(module: Module, flow: Flow) -> Iterator[Proposal]:
    """An array in an f-string with a format for numbers, which arrays do not take: its newest value is shown."""
    for node in module.nodes:
        if not isinstance(node, ast.FormattedValue) or node.format_spec is None or node.conversion != -1:
            continue
        method, value = module.method(node), node.value
        if method is None or method.name == "init" or not flow.of(value).is_array:
            continue
        if _is_number_format(node.format_spec) and not module.is_guarded(value):
            place = module.text.end(value)
            # In a string the place of a node may be wrong: only what is read there is changed.
            if isinstance(value, ast.Attribute | ast.Name) and module.text.of(value) == ast.unparse(value):
                reason = "an array cannot be shown as a number: its newest value is meant"
                yield Proposal("shown_only", reason, (Edit(place, place, "[-1]"),))
                continue
            statement = module.statement(node)
            if isinstance(statement, ast.Expr) and only_prints(statement.value):
                reason = "a print of an array as a number"
                yield Proposal("shown_only", reason, (module.text.replace(statement, "pass"),))


def _is_number_format(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text.rstrip("'\"")[-1:] in ("f", "e", "g", "d", "%")
