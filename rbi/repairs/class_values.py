"""Class attributes that are read by their bare names."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator

from rbi.repairs.findings import Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.module import Module


def bare(module: Module, _flow: Flow) -> Iterator[Proposal]:
    """``period`` in a method, where the class has one and the module has not: ``self.period``."""
    if any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in module.nodes):
        return
    own = {strategy: _values(strategy) for strategy in module.strategies}
    bound = sum(own.values(), Counter[str]())
    for node in module.nodes:
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or module.is_guarded(node):
            continue
        name, strategy = node.id, module.strategy(node)
        if strategy is None or not own[strategy][name] or module.bound[name] != bound[name]:
            continue
        if hasattr(builtins, name):
            continue  # Python's own is read
        if _has_self(module, node):
            edit = module.text.replace(node, f"self.{name}")
            yield Proposal("undefined", f"{name} belongs to the class: it is self.{name}", (edit,))


def _values(strategy: ast.ClassDef) -> Counter[str]:
    """The names that statements of a class body assign, and how often."""
    return Counter(
        node.id
        for item in strategy.body
        if isinstance(item, ast.Assign | ast.AnnAssign)
        for node in ast.walk(item)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def _has_self(module: Module, node: ast.AST) -> bool:
    """Whether ``self`` is the strategy there: in the body of its method, where nothing else has that name."""
    method = module.method(node)
    if method is None or [a.arg for a in method.args.args][:1] != ["self"]:
        return False
    above = [node, *module.above(node)]
    if above[above.index(method) - 1] not in method.body:
        return False
    inner = [n for n in above[: above.index(method)] if isinstance(n, ast.FunctionDef | ast.Lambda)]
    return all("self" not in [a.arg for a in function.args.args] for function in inner)
