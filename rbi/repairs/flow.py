"""Which kind each expression of a module is, found by following assignments and calls."""

from __future__ import annotations

import ast
from collections import defaultdict

from rbi.repairs.expressions import Expressions
from rbi.repairs.kind import Kind, join
from rbi.repairs.module import Module

_ROUNDS = 4  # attributes, arguments and results are known one round after what they come from

Names = dict[str, Kind]


class Flow:
    """`of` gives the kind of an expression. Loops are followed twice, branches apart and joined again."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._expressions = Expressions(module)
        self._results: dict[str, list[Kind]] = defaultdict(list)
        for _ in range(_ROUNDS):
            self._round()

    def of(self, node: ast.AST) -> Kind:
        """The kind of an expression, where control gets to it."""
        return self._expressions.kinds.get(node, Kind.UNKNOWN)

    def arguments(self, function: ast.AST) -> bool:
        """Whether all calls of a function were seen, so that its arguments' kinds are known."""
        return function in self._expressions.called

    def _round(self) -> None:
        self._expressions.begin_round({name: join(kinds) for name, kinds in self._results.items()})
        self._results = defaultdict(list)
        for node in self._module.tree.body:
            if isinstance(node, ast.ClassDef) and node in self._module.strategies:
                for item in node.body:
                    if isinstance(item, ast.FunctionDef):
                        self._function(item, {"self": Kind.STRATEGY})
        names: Names = {}
        self._body([n for n in self._module.tree.body if n not in self._module.strategies], names)

    def _function(self, function: ast.FunctionDef | ast.AsyncFunctionDef, outer: Names) -> None:
        names = {**outer, **self._expressions.parameters(function)}
        if "self" in outer and function.args.args and function.args.args[0].arg == "self":
            names["self"] = Kind.STRATEGY
        self._expressions.function = function
        self._body(function.body, names)

    def _body(self, body: list[ast.stmt], names: Names) -> None:
        for statement in body:
            self._statement(statement, names)

    def _statement(self, node: ast.stmt, names: Names) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            outer = self._expressions.function
            self._function(node, dict(names))
            self._expressions.function = outer
        elif isinstance(node, ast.Assign):
            kind = self._expressions.of(node.value, names)
            for target in node.targets:
                self._assign(target, node.value, kind, names)
        elif isinstance(node, ast.AnnAssign):
            if node.value:
                self._assign(node.target, node.value, self._expressions.of(node.value, names), names)
        elif isinstance(node, ast.AugAssign):
            self._augmented(node, names)
        elif isinstance(node, ast.If):
            self._expressions.of(node.test, names)
            self._branches([node.body, node.orelse], names)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            self._loop(node, names)
        elif isinstance(node, ast.Match):
            self._expressions.of(node.subject, names)
            names |= {name: Kind.UNKNOWN for case in node.cases for name in _captured(case.pattern)}
            for case in node.cases:
                self._expressions.of(case.guard, names)
            self._branches([*(case.body for case in node.cases), []], names)
        elif isinstance(node, ast.Try | ast.TryStar):
            self._branches([node.body, *(h.body for h in node.handlers), node.orelse], names)
            self._body(node.finalbody, names)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                self._expressions.of(item.context_expr, names)
                if item.optional_vars:
                    self._assign(item.optional_vars, None, Kind.UNKNOWN, names)
            self._body(node.body, names)
        elif isinstance(node, ast.Return):
            self._return(node, names)
        elif not isinstance(node, ast.ClassDef):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._expressions.of(child, names)

    def _return(self, node: ast.Return, names: Names) -> None:
        kind = self._expressions.of(node.value, names) if node.value else Kind.UNKNOWN
        function = self._expressions.function
        if isinstance(function, ast.FunctionDef):
            self._results[function.name].append(kind)

    def _branches(self, bodies: list[list[ast.stmt]], names: Names) -> None:
        ends = []
        for body in bodies:
            inner = dict(names)
            self._body(body, inner)
            if not (body and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)):
                ends.append(inner)
        _merge(ends or [dict(names)], names)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, names: Names) -> None:
        for _ in range(2):
            inner = dict(names)
            if isinstance(node, ast.While):
                self._expressions.of(node.test, inner)
            else:
                item = self._expressions.item(node.iter, inner)
                self._assign(node.target, None, item, inner)
            self._body(node.body, inner)
            _merge([dict(names), inner], names)
        self._body(node.orelse, names)

    def _augmented(self, node: ast.AugAssign, names: Names) -> None:
        self._expressions.of(node.value, names)
        if isinstance(node.target, ast.Name):
            names[node.target.id] = Kind.UNKNOWN
        else:
            self._assign(node.target, None, Kind.UNKNOWN, names)

    def _assign(self, target: ast.expr, value: ast.expr | None, kind: Kind, names: Names) -> None:
        if isinstance(target, ast.Name):
            names[target.id] = kind
        elif isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for number, part in enumerate(target.elts):
                if len(parts) == len(target.elts):
                    self._assign(part, parts[number], self._expressions.of(parts[number], names), names)
                else:
                    self._assign(part, None, self._expressions.row(value, kind), names)
        elif isinstance(target, ast.Attribute):
            self._expressions.of(target.value, names)
            self._expressions.keep(target, kind)
        elif isinstance(target, ast.Subscript):
            self._expressions.of(target.value, names)
            self._expressions.of(target.slice, names)


def _captured(pattern: ast.pattern) -> set[str]:
    nodes = list(ast.walk(pattern))
    found = {getattr(n, "name", None) for n in nodes} | {getattr(n, "rest", None) for n in nodes}
    return {name for name in found if name}


def _merge(ends: list[Names], names: Names) -> None:
    """What is known of every name, whichever way was taken."""
    for name in {name for end in ends for name in end}:
        names[name] = join([end.get(name, Kind.UNKNOWN) for end in ends])
