"""The kind of one expression, given the kinds of the names in it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

from rbi.repairs.calls import called_kind, gets_series, is_indicator_call, method_kind, of_rows, side_by_side
from rbi.repairs.kind import Kind, combined, join
from rbi.repairs.libraries import PANDAS_TA_TABLES
from rbi.repairs.module import Module
from rbi.repairs.scopes import definitions, reached
from rbi.repairs.series_names import PLACES

Names = dict[str, Kind]
_OF_STRATEGY = {
    "data": Kind.DATA,
    "position": Kind.POSITION,
    "trades": Kind.TRADES,
    "closed_trades": Kind.CLOSED_TRADES,
    "equity": Kind.NUMBER,
}
_OF_TIMES = frozenset({"hour", "minute", "day", "month", "year", "dayofweek", "weekday", "dayofyear"})
_TIMES = frozenset({"date", "datetime", "time", "timestamp", "dates"})  # taken out of a frame to be its index
_COLUMNS_OF_FRAMES = frozenset({"Open", "High", "Low", "Close", "Volume"})


class Expressions:
    """Remembers the kind of each expression it was asked for in ``kinds``: the last answer counts."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._functions, self._methods = definitions(module)
        self._outside = reached(module, "next")
        self._inside = reached(module, "init")
        self._added = {
            getattr(n.slice, "value", None)
            for n in module.nodes
            if isinstance(n, ast.Subscript)
            and isinstance(n.ctx, ast.Store)
            and ast.unparse(n.value) == "self.data"
        } - {None}
        self._columns = frozenset(module.columns) | _stored_columns(module)
        self._attributes: Mapping[str, Kind] = {}  # of all strategies: they may derive from each other
        self._arguments: Mapping[ast.AST, list[list[Kind]]] = {}
        self._results: Mapping[str, Kind] = {}
        self.kinds: dict[ast.AST, Kind] = {}
        self.called: set[ast.AST] = set()
        self._stores: dict[str, list[Kind]] = defaultdict(list)
        self._calls: dict[ast.AST, list[list[Kind]]] = defaultdict(list)
        self.function: ast.AST | None = None

    def begin_round(self, results: Mapping[str, Kind]) -> None:
        """Start anew with what the last round found out."""
        self._attributes = {key: join(kinds) for key, kinds in self._stores.items()}
        self._arguments = dict(self._calls)
        self._results = results
        self.called = {function for function in self._arguments if not self._escapes(function)}
        self.kinds, self.function = {}, None
        self._stores, self._calls = defaultdict(list), defaultdict(list)

    def parameters(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Names:
        """The kinds of a function's parameters, as far as all its calls agree."""
        names = [arg.arg for arg in function.args.args if arg.arg != "self"]
        kinds = dict.fromkeys([*names, *(arg.arg for arg in function.args.kwonlyargs)], Kind.UNKNOWN)
        calls = self._arguments.get(function, []) if function in self.called else []
        for number, name in enumerate(names):
            if calls and all(len(call) > number for call in calls):
                kinds[name] = join([call[number] for call in calls])
        return kinds

    def keep(self, target: ast.Attribute, kind: Kind) -> None:
        """An attribute of the strategy was assigned."""
        strategy = self._module.strategy(target)
        if strategy is None or self.kinds.get(target.value) is not Kind.STRATEGY:
            return
        method = self._module.method(target)
        name = method.name if method else ""
        whole = kind.is_series or kind in (Kind.ARRAY, Kind.SEVERAL, Kind.FRAME)
        if whole and name in self._outside and name in self._inside:
            kind = Kind.UNKNOWN
        self._stores[target.attr].append(kind)

    def item(self, node: ast.expr, names: Names) -> Kind:
        """The kind of what a loop over an expression goes through."""
        kind = self.of(node, names)
        if kind in (Kind.TRADES, Kind.CLOSED_TRADES):
            return Kind.TRADE
        ranged = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"
        return Kind.INTEGER if ranged else Kind.UNKNOWN

    def row(self, value: ast.expr | None, kind: Kind) -> Kind:
        """The kind of each part, where several names are assigned at once."""
        if value is not None and is_indicator_call(value):
            return Kind.INDICATOR
        return Kind.ARRAY if kind is Kind.SEVERAL else Kind.UNKNOWN

    def of(self, node: ast.expr | None, names: Names) -> Kind:
        """The kind of an expression; those inside it are remembered, too."""
        if node is None:
            return Kind.UNKNOWN
        kind = self._of(node, names)
        self.kinds[node] = kind
        return kind

    def _of(self, node: ast.expr, names: Names) -> Kind:
        if isinstance(node, ast.Name):
            return names.get(node.id, Kind.UNKNOWN)
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, names)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, names)
        if isinstance(node, ast.Call):
            return self._call(node, names)
        if isinstance(node, ast.BinOp):
            return combined(self.of(node.left, names), self.of(node.right, names))
        if isinstance(node, ast.UnaryOp):
            kind = self.of(node.operand, names)
            return Kind.UNKNOWN if isinstance(node.op, ast.Not) else kind
        if isinstance(node, ast.Compare):
            kinds = [self.of(part, names) for part in (node.left, *node.comparators)]
            return (
                combined(*kinds) if len(kinds) == 2 and not all(k.is_number for k in kinds) else Kind.UNKNOWN
            )
        if isinstance(node, ast.IfExp):
            self.of(node.test, names)
            return join([self.of(node.body, names), self.of(node.orelse, names)])
        return self._others(node, names)

    def _others(self, node: ast.expr, names: Names) -> Kind:
        if isinstance(node, ast.Lambda):
            inner = {**names, **dict.fromkeys([a.arg for a in node.args.args], Kind.UNKNOWN)}
            self.of(node.body, inner)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            self._comprehension(node, names)
        elif isinstance(node, ast.NamedExpr):
            names[node.target.id] = self.of(node.value, names)
            return names[node.target.id]
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.of(child, names)
        return Kind.UNKNOWN

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, names: Names
    ) -> None:
        inner = dict(names)
        for generator in node.generators:
            item = self.item(generator.iter, inner)
            if isinstance(generator.target, ast.Name):
                inner[generator.target.id] = item
            else:
                inner.update(
                    {n.id: Kind.UNKNOWN for n in ast.walk(generator.target) if isinstance(n, ast.Name)}
                )
            for test in generator.ifs:
                self.of(test, inner)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.of(part, inner)

    def _attribute(self, node: ast.Attribute, names: Names) -> Kind:
        kind = self.of(node.value, names)
        if kind is Kind.STRATEGY:
            engine = node.attr not in self._module.given
            return (_OF_STRATEGY.get(node.attr) if engine else None) or self._kept(node)
        if kind is Kind.DATA:
            return self._of_data(node.attr)
        if kind is Kind.FRAME:
            return Kind.DATED if node.attr in _COLUMNS_OF_FRAMES else Kind.UNKNOWN
        if kind is Kind.INDEX and node.attr in _OF_TIMES:
            return Kind.INDEX
        if kind.is_array and node.attr == "s":
            return Kind.DATED
        if kind.is_array and node.attr in ("T", "values"):
            return kind
        if kind.is_series and node.attr == "values":
            return Kind.ARRAY
        if kind is Kind.TRADE and node.attr in ("entry_price", "pl", "pl_pct", "size", "value"):
            return Kind.NUMBER
        if kind is Kind.POSITION and node.attr in ("size", "pl", "pl_pct"):
            return Kind.NUMBER
        return Kind.UNKNOWN

    def _of_data(self, name: str) -> Kind:
        if name in self._columns:
            return Kind.ARRAY
        return {"index": Kind.INDEX, "df": Kind.FRAME, "pip": Kind.NUMBER}.get(name, Kind.UNKNOWN)

    def _kept(self, node: ast.Attribute) -> Kind:
        strategy, method = self._module.strategy(node), self._module.method(node)
        if strategy is None or method is None:
            return Kind.UNKNOWN
        if node.attr not in self._attributes:
            return _class_value(strategy, node.attr)
        kind = self._attributes[node.attr]
        whole = kind.is_series or kind in (Kind.ARRAY, Kind.SEVERAL, Kind.FRAME)
        if not whole or method.name not in self._outside:
            return kind if method.name in self._inside or not whole else Kind.UNKNOWN
        if method.name in self._inside:
            return Kind.UNKNOWN
        return Kind.KEPT if self._stored_by_init(strategy, node.attr) else kind

    def _stored_by_init(self, strategy: ast.ClassDef, name: str) -> bool:
        stores = [
            n
            for n in ast.walk(strategy)
            if isinstance(n, ast.Attribute) and n.attr == name and isinstance(n.ctx, ast.Store)
        ]
        methods = [self._module.method(n) for n in stores]
        return all(m is not None and m.name in self._inside and m.name not in self._outside for m in methods)

    def _subscript(self, node: ast.Subscript, names: Names) -> Kind:
        kind, place = self.of(node.value, names), self.of(node.slice, names)
        if kind is Kind.DATA:
            name = getattr(node.slice, "value", None)
            if name in self._added and getattr(self._module.method(node), "name", "") == "init":
                return Kind.DATED  # in init it is only in the data frame, and will be read there
            return Kind.ARRAY if name in self._columns else Kind.UNKNOWN
        if kind is Kind.FRAME:
            named = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
            return Kind.DATED if named else Kind.UNKNOWN
        if kind in (Kind.TRADES, Kind.CLOSED_TRADES):
            return Kind.TRADE if place is Kind.INTEGER else Kind.UNKNOWN
        if kind.is_array:
            if isinstance(node.slice, ast.Slice):
                return kind
            return Kind.NUMBER if place is Kind.INTEGER else Kind.UNKNOWN
        if kind is Kind.SEVERAL:
            return Kind.ARRAY if place is Kind.INTEGER else Kind.UNKNOWN
        if kind is Kind.INDICATORS:
            return Kind.INDICATOR if place is Kind.INTEGER else Kind.UNKNOWN
        if isinstance(node.value, ast.Attribute) and node.value.attr in PLACES:
            return Kind.NUMBER if place is Kind.INTEGER else Kind.UNKNOWN
        return Kind.UNKNOWN

    def _call(self, node: ast.Call, names: Names) -> Kind:
        arguments = [self.of(argument, names) for argument in node.args]
        for keyword in node.keywords:
            self.of(keyword.value, names)
        if isinstance(node.func, ast.Attribute):
            owner = self.of(node.func.value, names)
            if owner is Kind.STRATEGY:
                return self._own_method(node, arguments, names)
            if owner in (Kind.TABLE, Kind.TABLE_DATED):
                return of_rows(owner, node)
            if owner.under is not Kind.UNKNOWN and node.func.attr == "apply":
                self._windows(node, names)
            if owner is not Kind.UNKNOWN:
                return method_kind(owner, node.func.attr)
        elif not isinstance(node.func, ast.Name):
            self.of(node.func, names)
        local = self._local(node.func)
        if local is not None:
            self._calls[local].append(_positional(node, arguments))
            return self._results.get(local.name, Kind.UNKNOWN)
        name = self._module.full_name(node.func)
        if name == "pandas.concat" and node.args and isinstance(node.args[0], ast.List):
            return side_by_side(node, [self.of(column, names) for column in node.args[0].elts])
        return called_kind(name, node, arguments)

    def _windows(self, node: ast.Call, names: Names) -> None:
        """A function that is applied to windows gets Series that keep their place in the index, unless ``raw``."""
        if not node.args or not gets_series(node):
            return
        function = node.args[0]
        local = self._local(function)
        if local is not None:
            self._calls[local].append([Kind.PART])
        elif isinstance(function, ast.Lambda) and len(function.args.args) == 1:
            self.of(function.body, {**names, function.args.args[0].arg: Kind.PART})

    def _own_method(self, node: ast.Call, arguments: list[Kind], names: Names) -> Kind:
        if is_indicator_call(node):
            return self._indicator(node, arguments, names)
        local = self._local(node.func)
        if local is None:
            return Kind.UNKNOWN
        self._calls[local].append(_positional(node, arguments))
        return self._results.get(local.name, Kind.UNKNOWN)

    def _indicator(self, node: ast.Call, arguments: list[Kind], names: Names) -> Kind:
        if not node.args:
            return Kind.UNKNOWN
        function, given = node.args[0], arguments[1:]
        local = self._local(function)
        if local is not None:
            self._calls[local].append([] if _starred(node) else given)
        if isinstance(function, ast.Lambda):
            inner = dict(names)
            for number, arg in enumerate(function.args.args):
                inner[arg.arg] = given[number] if number < len(given) else Kind.UNKNOWN
            self.of(function.body, inner)
        name = self._module.full_name(function)
        several = called_kind(name, node, [Kind.ARRAY]) is Kind.SEVERAL
        library, _, table = name.rpartition(".")
        several = several or (library in ("pandas_ta", "pandas_ta_classic") and table in PANDAS_TA_TABLES)
        return Kind.INDICATORS if several else Kind.INDICATOR

    def _local(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        if isinstance(node, ast.Name):
            return self._functions.get(node.id)
        if isinstance(node, ast.Attribute) and self._module.is_self(node.value):
            found = self._methods.get(node.attr)
            return found if found and self._module.parents[found] is self._module.strategy(node) else None
        return None

    def _escapes(self, function: ast.AST) -> bool:
        """Whether a function is used other than by calls that are seen."""
        name = getattr(function, "name", "")
        named = "attr" if isinstance(self._module.parents[function], ast.ClassDef) else "id"
        for node in self._module.nodes:
            if getattr(node, named, None) != name:
                continue
            parent = self._module.parents[node]
            if isinstance(parent, ast.Call) and (
                parent.func is node
                or (parent.args[:1] == [node] and (is_indicator_call(parent) or gets_series(parent)))
            ):
                continue
            return True
        return False


def _constant(value: object) -> Kind:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Kind.UNKNOWN
    return Kind.INTEGER if isinstance(value, int) else Kind.NUMBER


def _class_value(strategy: ast.ClassDef, name: str) -> Kind:
    for item in strategy.body:
        if isinstance(item, ast.Assign) and name in map(ast.unparse, item.targets):
            return _constant(item.value.value) if isinstance(item.value, ast.Constant) else Kind.UNKNOWN
    return Kind.UNKNOWN


def _stored_columns(module: Module) -> frozenset[str]:
    """Columns that a module adds to some frame: if ``self.data`` has them at all, they are arrays there."""
    stored = (n.slice for n in module.nodes if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store))
    names = {
        str(part.value)
        for place in stored
        for part in ([*place.elts, place] if isinstance(place, ast.Tuple) else [place])
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    return frozenset(name for name in names if name.lower() not in _TIMES)


def _starred(node: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in node.args)


def _positional(node: ast.Call, arguments: list[Kind]) -> list[Kind]:
    return [] if _starred(node) else arguments
