"""What is mended only when a run has shown that it is needed: by its code alone it may be right."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from models.syntax import parse
from rbi.repairs.findings import Edit, Fix
from rbi.repairs.guards import Guarded, guard, guard_bars
from rbi.repairs.libraries import COLUMNS
from rbi.repairs.module import Module
from rbi.repairs.text import difference
from runners.base import Failure, FailureKind, Mode

_REFUSED = (FailureKind.ORDER_PRICE, FailureKind.ORDER_SIZE)
_FIGURES = re.compile(
    r"(ZeroDivisionError|IndexError: (index|list index|deque index) |"
    r"(ValueError|OverflowError): cannot convert float (NaN|infinity) to integer)"
)
_COMPARED = re.compile(r"TypeError: '[<>]=?' not supported between instances of .*'NoneType'")


def after_run(source: str, mode: Mode, failure: Failure) -> Guarded | None:
    """The source mended for how its run failed; ``None`` if nothing can be done about it. Never raises.

    Orders that the engine refuses get order guards, a bar whose figures are not there bar guards: both change which
    orders are placed. What is None yet is left out of ``max`` and ``min``, and a price is neither above nor below it:
    that changes nothing where it did not raise.
    """
    if failure.kind in _REFUSED:
        return guard(source, mode)
    remedy = _remedy(failure)
    made = None if remedy is None else remedy(source, mode)
    return made if made is not None and made.fixes else None


def _remedy(failure: Failure) -> Callable[[str, Mode], Guarded] | None:
    if _FIGURES.match(failure.message):
        return guard_bars
    return without_none if _COMPARED.match(failure.message) else None


def without_none(source: str, mode: Mode) -> Guarded:
    """``max(self.stop, x)`` where the attribute is None at first: the largest of what there is."""
    try:
        module = Module(source, parse(source), mode, COLUMNS)
        found = [*_extremes(module), *_comparisons(module)]
        edits = _apart([edit for _, edit in found])
        fixes = [_fix(module, node, edit) for node, edit in found if edit in edits]
        mended = module.text.apply(edits)
        compile(mended, "strategy.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Guarded(source, why_not=f"not valid Python: {getattr(error, 'msg', error)}")
    return Guarded(mended, tuple(fixes), "" if fixes else "what is None is not left out with certainty")


def _apart(edits: list[Edit]) -> list[Edit]:
    """Those that are not inside another."""
    return [e for e in edits if not any(o is not e and o.start <= e.start and e.end <= o.end for o in edits)]


def _fix(module: Module, node: ast.expr, edit: Edit) -> Fix:
    reason = "None is neither more nor less than a number: what is not there yet is left out"
    after = module.text.apply([edit])
    return Fix("none_compared", reason, node.lineno, difference(module.text.source, after))


def _extremes(module: Module) -> Iterator[tuple[ast.Call, Edit]]:
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)) or module.is_guarded(node):
            continue
        name = node.func.id
        if name not in ("max", "min") or module.bound[name] or len(node.args) < 2 or node.keywords:
            continue
        strategy = module.strategy(node)
        empty = _none_at_times(strategy) if strategy is not None else frozenset()
        unset = [
            isinstance(a, ast.Attribute) and module.is_self(a.value) and a.attr in empty for a in node.args
        ]
        if any(unset) and not all(unset):
            values = ", ".join(module.text.of(argument) for argument in node.args)
            text = f"{name}(value for value in ({values}) if value is not None)"
            yield node, module.text.replace(node, text)


def _comparisons(module: Module) -> Iterator[tuple[ast.Compare, Edit]]:
    """``price < self.stop`` as a condition, or a part of one, that is not turned round."""
    for node in module.nodes:
        strategy = module.strategy(node)
        if not isinstance(node, ast.Compare) or strategy is None or module.is_guarded(node):
            continue
        ordered = all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
        empty = _none_at_times(strategy)
        unset = dict.fromkeys(
            module.text.of(part)
            for part in (node.left, *node.comparators)
            if isinstance(part, ast.Attribute) and module.is_self(part.value) and part.attr in empty
        )
        if ordered and unset and _is_condition(module, node):
            there = " and ".join(f"{name} is not None" for name in unset)
            yield node, module.text.replace(node, f"({there} and {module.text.of(node)})")


def _is_condition(module: Module, node: ast.expr) -> bool:
    """Whether it stands for itself in the test of an if."""
    inner: ast.AST = node
    for above in module.above(node):
        if isinstance(above, ast.If):
            return inner is above.test
        if not isinstance(above, ast.BoolOp):
            return False
        inner = above
    return False


def _none_at_times(strategy: ast.ClassDef) -> frozenset[str]:
    """Attributes that the class, or one of its methods, sets to None."""
    found = set()
    for node in ast.walk(strategy):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            value = node.value
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(value, ast.Constant) and value.value is None:
                found |= {getattr(target, "attr", getattr(target, "id", "")) for target in targets}
    return frozenset(found)
