"""Facts about a module that every rule asks for: imports, strategy classes, scopes, and what is guarded by ``try``."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from models.syntax import parse
from rbi.repairs.text import Text
from runners.base import Mode

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ENGINE_BASES = frozenset(
    {
        "backtesting.Strategy",
        "backtesting.backtesting.Strategy",
        "backtesting.lib.SignalStrategy",
        "backtesting.lib.TrailingStrategy",
    }
)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Module:
    """A parsed source. ``columns`` are those of the bars; an attribute of the data by another name is not there."""

    def __init__(self, source: str, tree: ast.Module, mode: Mode, columns: tuple[str, ...]) -> None:
        self.text = Text(source)
        self.tree = tree
        self.mode = mode
        self.columns = columns
        self.nodes = tuple(ast.walk(tree))
        self.parents: dict[ast.AST, ast.AST] = {
            child: parent for parent in self.nodes for child in ast.iter_child_nodes(parent)
        }

    @cached_property
    def bound(self) -> dict[str, int]:
        """How often each name is bound, anywhere in the module."""
        counts: dict[str, int] = defaultdict(int)
        for node in self.nodes:
            for name in _bindings(node):
                counts[name] += 1
        return counts

    @cached_property
    def imported(self) -> dict[str, str]:
        """What a name is imported as, by its full name; without names that are bound in another way, too."""
        found: dict[str, set[str]] = defaultdict(set)
        counts: dict[str, int] = defaultdict(int)
        for node in self.nodes:
            for name, full in _imports(node):
                found[name].add(full)
                counts[name] += 1
        return {
            name: min(full)
            for name, full in found.items()
            if len(full) == 1 and self.bound[name] == counts[name]
        }

    def full_name(self, node: ast.AST) -> str:
        """``talib.RSI`` for what refers to it; empty for what is no imported name."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, "")
        if isinstance(node, ast.Attribute):
            inner = self.full_name(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        return ""

    @cached_property
    def strategies(self) -> tuple[ast.ClassDef, ...]:
        """Classes at the top of the module that derive from the engine's, directly or through each other."""
        found: list[ast.ClassDef] = []
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and any(
                self.full_name(base) in ENGINE_BASES
                or (isinstance(base, ast.Name) and base.id == "Strategy" and not self.bound["Strategy"])
                or (isinstance(base, ast.Name) and base.id in {other.name for other in found})
                for base in node.bases
            ):
                found.append(node)
        return tuple(found)

    def plain(self, strategy: ast.ClassDef) -> bool:
        """Whether a strategy derives from nothing but the engine's plain class: all it has is seen."""
        return [self.full_name(b).rsplit(".", 1)[-1] or getattr(b, "id", "") for b in strategy.bases] == [
            "Strategy"
        ] and not strategy.keywords

    def plain_strategy(self, node: ast.AST) -> bool:
        """Whether a place is in a strategy that does not define what the engine does itself."""
        strategy = self.strategy(node)
        own = {n.name for n in strategy.body if isinstance(n, ast.FunctionDef)} if strategy else set()
        return strategy is not None and self.plain(strategy) and not own & {"buy", "sell"}

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node is in, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function a node is in."""
        return next((above for above in self.above(node) if isinstance(above, _FUNCTIONS)), None)

    def strategy(self, node: ast.AST) -> ast.ClassDef | None:
        """The strategy class a node is in."""
        return next(
            (a for a in self.above(node) if isinstance(a, ast.ClassDef) and a in self.strategies), None
        )

    def method(self, node: ast.AST) -> ast.FunctionDef | None:
        """The strategy's method a node is in."""
        for above in self.above(node):
            if isinstance(above, ast.FunctionDef) and self.parents[above] in self.strategies:
                return above
        return None

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that a node is or is in."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def is_self(self, node: ast.AST) -> bool:
        """Whether it is ``self`` inside a strategy."""
        return isinstance(node, ast.Name) and node.id == "self" and self.method(node) is not None

    @cached_property
    def _guarded(self) -> frozenset[str]:
        """Functions by name that a ``try`` may reach whose handler goes on: there, raising is a result."""
        names: dict[str, set[str]] = defaultdict(set)
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names[node.name] |= _mentioned(node.body)
            elif isinstance(node, ast.ClassDef):
                names[node.name] |= {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        found: set[str] = set()
        waiting = {
            name
            for node in self.nodes
            if isinstance(node, ast.Try) and self._goes_on(node)
            for name in _mentioned(node.body)
        }
        if any(name in waiting for name in ("run", "optimize")):
            waiting |= {
                name for strategy in self.strategies for name in (strategy.name, *names[strategy.name])
            }
        while waiting:
            name = waiting.pop()
            if name in names and name not in found:
                found.add(name)
                waiting |= names[name]
        return frozenset(found)

    def _goes_on(self, node: ast.Try) -> bool:
        """Whether backtests may follow a failure inside: in a strategy always, around one if it tries again."""
        if not node.handlers or all(_ends(handler) for handler in node.handlers):
            return False
        if self.method(node) is not None or "run" not in _mentioned(node.body):
            return True
        after = {name for handler in node.handlers for name in _mentioned(handler.body)}
        return "run" in after or any(isinstance(a, ast.For | ast.While) for a in self.above(node))

    def _is_placed(self, node: ast.AST) -> bool:
        """Whether the text at a node's place is the node: not so for some inside f-strings, before Python 3.12."""
        for above in self.above(node):
            if isinstance(above, ast.FormattedValue):
                try:
                    there = parse(f"({self.text.of(above.value)})").body[0]
                except (SyntaxError, ValueError, IndexError):
                    return False
                return isinstance(there, ast.Expr) and ast.dump(there.value) == ast.dump(above.value)
        return True

    def is_guarded(self, node: ast.AST) -> bool:
        """Whether a place is not to be touched: an exception raised here may be caught by the code itself."""
        if not self._is_placed(node):
            return True
        inner: ast.AST = node
        for above in self.above(node):
            if isinstance(above, ast.Try) and inner in above.body and self._goes_on(above):
                return True
            if getattr(above, "name", None) in self._guarded:
                return True
            if isinstance(above, ast.With) and any("suppress" in ast.dump(i) for i in above.items):
                return True
            if isinstance(above, ast.Call) and getattr(above.func, "id", "") in ("hasattr", "getattr"):
                return True
            inner = above
        return False


def _ends(handler: ast.ExceptHandler) -> bool:
    return bool(handler.body) and isinstance(handler.body[-1], ast.Raise)


def _mentioned(body: list[ast.stmt]) -> set[str]:
    names = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    return names


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            if alias.name != "*":
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _bindings(node: ast.AST) -> Iterator[str]:
    yield from (name for name, _ in _imports(node))
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, _NAMED):
        yield node.name or ""
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
