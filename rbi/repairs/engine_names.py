"""Attributes that the engine does not have, and what was meant by them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rbi.repairs.columns import added
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.flow import Flow
from rbi.repairs.holding import Holding, enters_flat_only, holding
from rbi.repairs.kind import Kind
from rbi.repairs.libraries import (
    BAR_NUMBER,
    ENTRY_PRICE,
    POSITION,
    POSITION_MEANT,
    STRATEGY,
    TRADE,
    TRADE_MEANT,
)
from rbi.repairs.module import Module
from rbi.repairs.scopes import reached
from rbi.repairs.words import words
from runners.base import Mode

RULE = "invented_attribute"
_WORTH = words(
    """
    portfolio_value portfolio_equity total_equity account_value account_equity account_balance account_size
    current_equity net_worth net_liquidation net_liquidation_value
    """
)
_WORTH_OF_ACCOUNTS = _WORTH | {"equity", "value", "total_value"}
_ACCOUNTS = frozenset({"broker", "_broker", "account", "portfolio"})
_OF_BROKER = frozenset({"equity", "_cash"})
_WORTH_CALLED = words(
    """
    getvalue get_value get_equity get_portfolio_value get_account_value get_total_value equity
    """
)
_LISTS = {
    "open_trades": "trades",
    "open_positions": "trades",
    "open_orders": "orders",
    "pending_orders": "orders",
}
_ENTERED = {
    "entry_time": "entry_time",
    "entry_date": "entry_time",
    "entry_datetime": "entry_time",
    "open_time": "entry_time",
    "opened_at": "entry_time",
    "entry_bar": "entry_bar",
    "entry_index": "entry_bar",
    "open_bar": "entry_bar",
}
_CASH_CALLED = frozenset({"get_cash", "getcash", "get_balance", "cash", "get_available_cash"})
_FREE = frozenset({"available_margin", "free_margin", "margin_free", "margin_left"})
_STOPS_MEANT = {
    **dict.fromkeys(("sl", "stop_loss", "stoploss", "sl_price", "stop_price", "stop_loss_price"), "sl"),
    **dict.fromkeys(
        ("tp", "take_profit", "takeprofit", "tp_price", "target_price", "take_profit_price"), "tp"
    ),
}
_SETTING = {
    **dict.fromkeys(
        ("set_sl", "set_stop_loss", "set_stop", "update_sl", "update_stop_loss", "modify_sl"), "sl"
    ),
    **dict.fromkeys(("set_tp", "set_take_profit", "set_target", "update_tp", "update_take_profit"), "tp"),
}
_NO_COLUMNS = frozenset({"i", "_i"})  # what no file has as a column, whatever a script reads
_AT_FIRST = words(
    """
    starting_cash initial_cash start_cash initial_capital starting_capital initial_equity initial_balance
    starting_balance
    """
)
_CASH = frozenset({"cash", "balance", "available_cash", "_cash", "free_cash", "buying_power"})


def set_on(module: Module, flow: Flow, strategy: ast.ClassDef, kind: Kind) -> frozenset[str]:
    """Attributes that are set somewhere on what is, or may be, of a kind."""
    return frozenset(
        n.attr for n in module.attributes_set[strategy] if flow.of(n.value) in (kind, Kind.UNKNOWN)
    )


def own_names(module: Module, flow: Flow) -> frozenset[str]:
    """What the module's strategies define or set on themselves, and what may be set on them from elsewhere."""
    found = [set_on(module, flow, strategy, Kind.STRATEGY) for strategy in module.strategies]
    return module.given.union(*found)


def complete(module: Module, strategy: ast.ClassDef) -> bool:
    """Whether all attributes of a strategy can be read off its class."""
    return module.plain(strategy) and not module.dynamic and not strategy.decorator_list


def attributes(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Rename or replace attributes of the strategy, its position and its trades that are not there."""
    for strategy in module.strategies:
        if not complete(module, strategy):
            continue
        own = {
            kind: module.set_from_outside | set_on(module, flow, strategy, kind)
            for kind in (Kind.POSITION, Kind.TRADE)
        }
        own[Kind.STRATEGY] = own_names(module, flow)
        for node in ast.walk(strategy):
            if not (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)):
                continue
            if (
                node.attr in own.get(flow.of(node.value), ())
                or _is_called(module, node)
                or module.is_guarded(node)
            ):
                continue
            meant = _meant(module, flow, strategy, node)
            if meant:
                # One level around an attribute is part of what is replaced: self.broker.cash.
                reason = f"there is no {ast.unparse(node)}: {meant} is meant"
                yield Proposal(RULE, reason, (module.text.replace(node, meant),))


def _is_called(module: Module, node: ast.AST) -> bool:
    parent = module.parents[node]
    return isinstance(parent, ast.Call) and parent.func is node


def _meant(module: Module, flow: Flow, strategy: ast.ClassDef, node: ast.Attribute) -> str:
    kind = flow.of(node.value)
    owner = module.text.of(node.value)
    if kind is Kind.POSITION:
        return _of_position(module, flow, strategy, node, owner)
    if kind is Kind.TRADE and node.attr not in TRADE:
        if node.attr == "is_open" and owner.startswith("self.trades"):
            return "True"
        return f"{owner}.{TRADE_MEANT[node.attr]}" if node.attr in TRADE_MEANT else ""
    if kind is Kind.STRATEGY and node.attr not in STRATEGY:
        return _of_strategy(module, flow, node)
    if (
        kind is Kind.DATA
        and node.attr in (BAR_NUMBER if module.mode is Mode.CLASS else _NO_COLUMNS)
        and node.attr not in {*module.columns, *added(module, flow)}
    ):
        return _bar_number(module, node)
    if isinstance(node.value, ast.Attribute) and node.value.attr in _ACCOUNTS:
        account = flow.of(node.value.value) is Kind.STRATEGY and node.value.attr not in own_names(
            module, flow
        )
        return _of_account(module, flow, node) if account else ""
    return ""


def _of_position(module: Module, flow: Flow, strategy: ast.ClassDef, node: ast.Attribute, owner: str) -> str:
    name = node.attr
    if name in POSITION:
        return ""
    if name in POSITION_MEANT:
        return f"{owner}.{POSITION_MEANT[name]}"
    if name == "is_open":
        return f"bool({owner})"
    if name in ("is_flat", "is_closed", "is_empty"):
        return f"(not {owner})"
    if name == "trades":
        return "self.trades"
    if name in _SHARES:
        return _share(module, flow, strategy, node, owner)
    single = enters_flat_only(module, flow, strategy)
    if name in ENTRY_PRICE:
        meant = (
            "self.trades[-1].entry_price"
            if single
            else f"(sum(t.size * t.entry_price for t in self.trades) / {owner}.size)"
        )
    elif name in _ENTERED:
        meant = f"self.trades[0].{_ENTERED[name]}"
    elif name in _STOPS_MEANT and single:
        meant = f"self.trades[-1].{_STOPS_MEANT[name]}"
    else:
        return ""
    if holding(module, flow, node) is Holding.OPEN:
        return meant
    quote = "'" if _in_double_quotes(module, node) else '"'
    return f"({meant} if self.trades else float({quote}nan{quote}))" if name in ENTRY_PRICE else ""


_SHARES = words(
    """
    pnl_pct pnl_percent pnl_percentage profit_pct profit_percent profit_percentage pl_percent unrealized_pnl_pct
    """
)


def _share(module: Module, flow: Flow, strategy: ast.ClassDef, node: ast.Attribute, owner: str) -> str:
    """The profit in percent, or as a fraction of one: which is meant is told by the limits it is compared with."""
    same = [
        n
        for n in ast.walk(strategy)
        if isinstance(n, ast.Attribute) and n.attr == node.attr and flow.of(n.value) is Kind.POSITION
    ]
    limits = [_limit(module, strategy, n) for n in same]
    compared = [abs(limit) for limit in limits if limit is not None]
    if compared and all(limit <= 0.1 for limit in compared):
        return f"({owner}.pl_pct / 100)"
    return f"{owner}.pl_pct" if compared and all(limit >= 1 for limit in compared) else ""


def _limit(module: Module, strategy: ast.ClassDef, node: ast.Attribute) -> float | None:
    """The number that a value is compared with: a constant, or one that the class declares."""
    test = module.parents[node]
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return None
    other = test.comparators[0] if test.left is node else test.left
    if isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.USub):
        other = other.operand
    if isinstance(other, ast.Attribute) and module.is_self(other.value):
        declared = [
            s.value
            for s in strategy.body
            if isinstance(s, ast.Assign) and [getattr(t, "id", "") for t in s.targets] == [other.attr]
        ]
        other = declared[0] if len(declared) == 1 else other
    number = isinstance(other, ast.Constant) and type(other.value) in (int, float)
    return float(other.value) if number and isinstance(other, ast.Constant) else None  # type: ignore[arg-type]


def _in_double_quotes(module: Module, node: ast.AST) -> bool:
    """Whether it stands in an f-string that a double quote would end."""
    strings = [above for above in module.above(node) if isinstance(above, ast.JoinedStr)]
    return bool(strings) and module.text.of(strings[-1])[-1:] == '"'


def _of_strategy(module: Module, flow: Flow, node: ast.Attribute) -> str:
    if node.attr in BAR_NUMBER:
        return _bar_number(module, node)
    if node.attr in _CASH and holding(module, flow, node) is Holding.FLAT:
        return "self.equity"
    if node.attr in _AT_FIRST | _CASH and _in_init(module, node):
        return "self.equity"
    return "self.equity" if node.attr in _WORTH else ""


def _bar_number(module: Module, node: ast.AST) -> str:
    method = module.method(node)
    name = method.name if method is not None else ""
    on_bars = name in reached(module, "next") and name not in reached(module, "init")
    return "(len(self.data) - 1)" if on_bars else ""


def _of_account(module: Module, flow: Flow, node: ast.Attribute) -> str:
    if isinstance(node.value, ast.Attribute) and node.value.attr == "_broker" and node.attr in _OF_BROKER:
        return ""
    if node.attr in _FREE:
        return "self._broker.margin_available"
    if node.attr in _LISTS:
        return f"self.{_LISTS[node.attr]}"
    if node.attr in _WORTH_OF_ACCOUNTS:
        return "self.equity"
    if node.attr in _AT_FIRST:
        return "self.equity" if _in_init(module, node) else ""
    flat = _in_init(module, node) or holding(module, flow, node) is Holding.FLAT
    return "self.equity" if node.attr in _CASH and flat else ""


def _in_init(module: Module, node: ast.AST) -> bool:
    """Whether it is computed by init itself, before the first bar."""
    function = module.function(node)
    return (
        function is not None and getattr(function, "name", "") == "init" and function is module.method(node)
    )


def stops(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.position.sl`` where it is read before it can be set: the stop of the one trade is meant."""
    for strategy in module.strategies:
        if not complete(module, strategy) or not enters_flat_only(module, flow, strategy):
            continue
        for name in ("sl", "tp"):
            found = [
                n
                for n in ast.walk(strategy)
                if isinstance(n, ast.Attribute) and n.attr == name and flow.of(n.value) in _MAY_BE_POSITION
            ]
            stores = [n for n in found if isinstance(n.ctx, ast.Store)]
            sure = all(
                flow.of(n.value) is Kind.POSITION
                and holding(module, flow, n) is Holding.OPEN
                and not module.is_guarded(n)
                for n in found
            )
            if stores and sure and all(_read_before(module, n) for n in stores):
                edits = tuple(module.text.replace(n, f"self.trades[-1].{name}") for n in found)
                yield Proposal(RULE, f"a position has no {name}: its trade has", edits)


def first_cash(module: Module, flow: Flow) -> Iterator[Proposal]:
    """What the account began with, which the engine does not keep: init does, before the first bar."""
    for strategy in module.strategies:
        methods = {n.name: n for n in strategy.body if isinstance(n, ast.FunctionDef)}
        own = own_names(module, flow)
        if not complete(module, strategy) or "init" not in methods or _KEPT in own:
            continue
        found = [
            n
            for n in ast.walk(strategy)
            if isinstance(n, ast.Attribute)
            and isinstance(n.ctx, ast.Load)
            and n.attr in _AT_FIRST - own
            and _is_accounts(flow, n.value, own)
            and not _is_called(module, n)
            and not _in_init(module, n)
        ]
        first = next((s for s in methods["init"].body if module.text.starts_line(s)), None)
        if not found or any(map(module.is_guarded, found)) or first is not methods["init"].body[0]:
            continue
        place, end = module.text.start(first), module.text.line_end()
        line = f"self.{_KEPT} = self.equity{end}{' ' * first.col_offset}"
        edits = [module.text.replace(n, f"self.{_KEPT}") for n in found]
        reason = f"there is no {ast.unparse(found[0])}: what the account begins with is its equity in init"
        yield Proposal(RULE, reason, (Edit(place, place, line), *edits))


_KEPT = "starting_equity"


def _is_accounts(flow: Flow, node: ast.expr, own: frozenset[str]) -> bool:
    """Whether it is the strategy itself, or what it calls its broker or account."""
    if flow.of(node) is Kind.STRATEGY:
        return True
    named = isinstance(node, ast.Attribute) and node.attr in _ACCOUNTS and node.attr not in own
    return named and isinstance(node, ast.Attribute) and flow.of(node.value) is Kind.STRATEGY


def functions_of_module(module: Module, flow: Flow) -> Iterator[Proposal]:
    """``self.f(...)`` where the module has the function ``f`` and the class has no such method."""
    functions = {n.name: n for n in module.tree.body if isinstance(n, ast.FunctionDef)}
    for node in module.nodes:
        if not (isinstance(node, ast.Attribute) and flow.of(node.value) is Kind.STRATEGY):
            continue
        function, strategy = functions.get(node.attr), module.strategy(node)
        if (
            function is None
            or strategy is None
            or not isinstance(node.ctx, ast.Load)
            or module.is_guarded(node)
        ):
            continue
        known = not complete(module, strategy) or node.attr in STRATEGY | own_names(module, flow)
        takes_self = [a.arg for a in function.args.args][:1] == ["self"]
        if not known and module.bound[node.attr] == 1 and not takes_self and not function.decorator_list:
            edit = module.text.replace(node, node.attr)
            yield Proposal(RULE, f"{node.attr} is a function of the module, not of the class", (edit,))


_MAY_BE_POSITION = (Kind.POSITION, Kind.UNKNOWN)


def _read_before(module: Module, store: ast.Attribute) -> bool:
    """Whether a condition around it reads the same attribute whenever it is asked, and so raises."""
    inner: ast.AST = store
    for above in module.above(store):
        if isinstance(above, ast.If) and inner in above.body and _certainly_reads(above.test, store.attr):
            return True
        if isinstance(above, ast.FunctionDef):
            return False
        inner = above
    return False


def _certainly_reads(test: ast.expr, name: str) -> bool:
    if isinstance(test, ast.BoolOp):
        # A body is only reached through all parts of an `and`.
        parts = test.values if isinstance(test.op, ast.And) else test.values[:1]
        return any(_certainly_reads(part, name) for part in parts)
    if isinstance(test, ast.Compare):
        return any(ast.unparse(part) == f"self.position.{name}" for part in (test.left, test.comparators[0]))
    return False


def calls(module: Module, flow: Flow) -> Iterator[Proposal]:
    """Values that are called like methods, and methods by other names."""
    for node in module.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or module.is_guarded(
            node
        ):
            continue
        strategy = module.strategy(node)
        if strategy is None or node.func.attr in own_names(module, flow) or not complete(module, strategy):
            continue
        edit = (
            _uncalled(module, flow, node, node.func)
            or _closing(module, flow, node, node.func)
            or _setting(module, flow, strategy, node)
        )
        if edit:
            yield Proposal(RULE, f"the engine has no {ast.unparse(node.func)}()", (edit,))


_POSITION_CALLED = frozenset({"get_position", "getposition", "get_current_position"})


def _uncalled(module: Module, flow: Flow, node: ast.Call, function: ast.Attribute) -> Edit | None:
    whole = [ast.unparse(a) for a in node.args] in (
        [],
        ["self.data"],
        ["self.data.Close"],
    ) and not node.keywords
    if (
        function.attr in _POSITION_CALLED
        and whole
        and _is_accounts(flow, function.value, own_names(module, flow))
    ):
        return module.text.replace(node, "self.position")
    if node.args or node.keywords:
        return None
    kind, name = flow.of(function.value), function.attr
    value = (
        (kind is Kind.POSITION and name in POSITION - {"close"})
        or (kind is Kind.TRADE and name in TRADE - {"close"})
        or (kind is Kind.STRATEGY and name in ("equity", "position"))
        or (kind is Kind.DATA and name in module.columns)
    )
    if value:
        return module.text.cut(function, node)
    account = function.value
    if not (isinstance(account, ast.Attribute) and flow.of(account.value) is Kind.STRATEGY):
        return None
    flat = name in _CASH_CALLED and holding(module, flow, node) is Holding.FLAT
    worth = account.attr in _ACCOUNTS and (name in _WORTH_CALLED or flat)
    return module.text.replace(node, "self.equity") if worth else None


def _setting(module: Module, flow: Flow, strategy: ast.ClassDef, node: ast.Call) -> Edit | None:
    """``self.position.set_sl(x)``: what is set is the stop of the one trade."""
    function, statement = node.func, module.parents[node]
    if not (isinstance(function, ast.Attribute) and isinstance(statement, ast.Expr)):
        return None
    kind, name = flow.of(function.value), _SETTING.get(function.attr, "")
    if not name or len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
        return None
    if kind is Kind.TRADE:
        owner = module.text.of(function.value)
    elif kind is Kind.POSITION and enters_flat_only(module, flow, strategy):
        owner = "self.trades[-1]" if holding(module, flow, node) is Holding.OPEN else ""
    else:
        return None
    text = f"{owner}.{name} = {module.text.of(node.args[0])}"
    return module.text.replace(node, text) if owner else None


_CLOSING = frozenset(
    {"close", "close_position", "close_all", "closeall", "close_trade", "exit", "exit_position", "flatten"}
)
_REMARKS = frozenset({"reason", "comment", "msg", "message", "tag", "note", "label", "exit_reason", "signal"})


def _closing(module: Module, flow: Flow, node: ast.Call, function: ast.Attribute) -> Edit | None:
    """Closing the position by another name, or with a remark that ``close`` does not take."""
    kind = flow.of(function.value)
    portion = _portion(node) if function.attr == "close" and kind in (Kind.POSITION, Kind.TRADE) else None
    if portion is not None:
        start = module.text.offset(portion.lineno, portion.col_offset)
        return Edit(start, start + len(portion.arg or ""), "portion")
    remarks = all(isinstance(a, ast.Constant | ast.JoinedStr) and not _number(a) for a in node.args) and all(
        k.arg in _REMARKS for k in node.keywords
    )
    if not remarks:
        return None
    if kind is Kind.STRATEGY and function.attr in _CLOSING:
        return module.text.replace(node, "self.position.close()")
    given = node.args or node.keywords
    if not given and kind is Kind.TRADE and function.attr in _CLOSING - {"close"}:
        return module.text.replace(node, f"{module.text.of(function.value)}.close()")
    if (kind is Kind.POSITION and function.attr in _CLOSING - {"close"}) or (
        kind in (Kind.POSITION, Kind.TRADE) and function.attr == "close" and given
    ):
        return module.text.replace(node, f"{module.text.of(function.value)}.close()")
    return None


_PORTIONS = frozenset({"size", "percent", "pct", "fraction", "percentage", "ratio"})


def _portion(node: ast.Call) -> ast.keyword | None:
    """The one argument of closing that is a fraction, under another name; 1 and more may be a number of units."""
    only = node.keywords[0] if len(node.keywords) == 1 and not node.args else None
    value = only.value if only is not None and only.arg in _PORTIONS else None
    fraction = isinstance(value, ast.Constant) and isinstance(value.value, float) and 0 < value.value < 1
    return only if fraction else None


def _number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def position_compared(module: Module, flow: Flow) -> Iterator[Proposal]:
    """A position has no order and no length: its size and its trades have."""
    for node in module.nodes:
        if not isinstance(node, ast.Compare | ast.Call) or module.is_guarded(node):
            continue
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            if isinstance(node.ops[0], ast.Gt | ast.Lt | ast.GtE | ast.LtE):
                for part in (node.left, node.comparators[0]):
                    if flow.of(part) is Kind.POSITION:
                        yield _sized(module, part)
        elif isinstance(node, ast.Call) and [flow.of(a) for a in node.args] == [Kind.POSITION]:
            function = getattr(node.func, "id", "")
            if function == "abs":
                yield _sized(module, node.args[0])
            elif function == "len":
                edit = module.text.replace(node.args[0], "self.trades")
                yield Proposal(RULE, "a position has no length: its trades are counted", (edit,))


def _sized(module: Module, node: ast.expr) -> Proposal:
    place = module.text.end(node)
    return Proposal(RULE, "a position is no number: its size is one", (Edit(place, place, ".size"),))
