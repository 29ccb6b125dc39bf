"""Facts about a module that every rule asks for: imports, strategy classes, scopes, and what is guarded by ``try``."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
_DYNAMIC = frozenset(
    {"setattr", "__setattr__", "__dict__", "vars", "__getattr__", "__getattribute__", "exec", "eval"}
)
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
        return strategy is not None and self.plain(strategy) and not self.given & {"buy", "sell"}

    @cached_property
    def given(self) -> frozenset[str]:
        """Attributes that strategies may have from elsewhere than by ``self.x = ...`` in one of their methods.

        They stand in the body of a strategy or of what it derives from, or are set on anything but ``self``: a class,
        the engine, or what a function is given. A method of one strategy may run as another's that derives from it.
        """
        return self.set_from_outside | {
            name for node in self._family for item in node.body for name in _named_in(item)
        }

    @cached_property
    def set_from_outside(self) -> frozenset[str]:
        """Attributes that are set on anything but ``self``."""
        return frozenset(
            node.attr
            for node in self.nodes
            if isinstance(node, ast.Attribute)
            and not isinstance(node.ctx, ast.Load)
            and not self.is_self(node.value)
        )

    @cached_property
    def _family(self) -> tuple[ast.ClassDef, ...]:
        """The strategies and the module's other classes that they derive from."""
        classes = {n.name: n for n in self.nodes if isinstance(n, ast.ClassDef)}
        found, waiting = [], list(self.strategies)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.append(node)
                names = [getattr(base, "id", "") for base in node.bases]
                waiting += [classes[name] for name in names if name in classes]
        return tuple(found)

    @cached_property
    def dynamic(self) -> bool:
        """Whether attributes may come and go in ways that are not seen."""
        names = {getattr(n, "id", "") for n in self.nodes} | {getattr(n, "attr", "") for n in self.nodes}
        names |= {n.name for n in self.nodes if isinstance(n, ast.FunctionDef)}
        return bool(names & _DYNAMIC)

    @cached_property
    def attributes_set(self) -> Mapping[ast.ClassDef, Sequence[ast.Attribute]]:
        """By strategy, the attributes of anything that are set or deleted in it."""
        return {
            strategy: [
                n
                for n in ast.walk(strategy)
                if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)
            ]
            for strategy in self.strategies
        }

    @cached_property
    def after_init(self) -> frozenset[str]:
        """Names that the strategies' methods mention, ``init`` left out: what ``next`` may call."""
        return frozenset(
            getattr(n, "attr", getattr(n, "id", ""))
            for strategy in self.strategies
            for method in strategy.body
            if isinstance(method, ast.FunctionDef) and method.name != "init"
            for n in ast.walk(method)
        )

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
        waiting = {name for node in self._catching for name in _mentioned(node.body)}
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

    @cached_property
    def _catching(self) -> frozenset[ast.Try | ast.TryStar | ast.With]:
        """Statements whose body may raise without that being the end."""
        return frozenset(
            node
            for node in self.nodes
            if (isinstance(node, ast.Try | ast.TryStar) and self._goes_on(node) and not self._is_guard(node))
            or (isinstance(node, ast.With) and any(map(self._may_suppress, node.items)))
        )

    def _is_guard(self, node: ast.AST) -> bool:
        """Whether it is a guard's, added behind what its author wrote: what that catches is not mended here."""
        return any(getattr(above, "name", "") in GUARDS for above in self.above(node))

    def _may_suppress(self, item: ast.withitem) -> bool:
        """Whether a context is ``suppress``, or one of the module's own."""
        maker = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
        name = self.full_name(maker)
        own = not name and isinstance(maker, ast.Name) and self.bound[maker.id] > 0
        return own or name.endswith("suppress") or "suppress" in ast.dump(maker)

    @cached_property
    def _catches_anything(self) -> bool:
        """Whether a function calls what it is given and goes on if that raises: it may be given any function."""
        for node in self._catching:
            given = {
                argument.arg
                for above in self.above(node)
                if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef)
                for argument in ast.walk(above.args)
                if isinstance(argument, ast.arg)
            }
            calls = [n for statement in node.body for n in ast.walk(statement) if isinstance(n, ast.Call)]
            if any(isinstance(call.func, ast.Name) and call.func.id in given for call in calls):
                return True
        return False

    def _goes_on(self, node: ast.Try | ast.TryStar) -> bool:
        """Whether backtests may follow a failure inside: in a strategy always, around one if it tries again."""
        if any(isinstance(n, _LEAVING) for statement in node.finalbody for n in ast.walk(statement)):
            return True
        if not node.handlers or all(_ends(handler) for handler in node.handlers):
            return False
        if self.method(node) is not None or "run" not in _mentioned(node.body):
            return True
        inside = {id(n) for statement in node.body for n in ast.walk(statement)}
        runs = [n for n in self.nodes if isinstance(n, ast.Attribute) and n.attr == "run"]
        return any(id(n) not in inside for n in runs) or any(
            isinstance(a, ast.For | ast.While) for a in self.above(node)
        )

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
        if self._catches_anything or not self._is_placed(node):
            return True
        inner: ast.AST = node
        for above in self.above(node):
            if above in self._catching and inner in getattr(above, "body", ()):
                return True
            if getattr(above, "name", None) in self._guarded:
                return True
            if isinstance(above, ast.Call) and getattr(above.func, "id", "") in ("hasattr", "getattr"):
                return True
            inner = above
        return False


GUARDS = ("_rbi_order", "_rbi_bar")  # names of methods that no strategy has by itself
_LEAVING = (ast.Return, ast.Break, ast.Continue)


def _ends(handler: ast.ExceptHandler) -> bool:
    leaves = any(isinstance(n, _LEAVING) for statement in handler.body for n in ast.walk(statement))
    return isinstance(handler.body[-1], ast.Raise) and not leaves


def _named_in(item: ast.stmt) -> set[str]:
    """What a statement of a class body gives the class."""
    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {item.name}
    return {n.id for n in ast.walk(item) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


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
