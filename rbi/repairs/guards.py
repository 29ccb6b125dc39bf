"""Guards, on request only, because other orders are placed with them: orders are left out or rounded, or bars left out.

A guarded strategy has methods ``buy`` and ``sell`` of its own, which go on to the engine's. An order with a stop, limit
or target on the wrong side, or with a size that is not above 0, is left out; a size of more than one unit is rounded
down to whole ones. Whatever else is wrong with an order raises as before, and all other orders are the same.

With bar guards its ``next`` is left where a figure is not there yet or not finite, on bars without an order so far.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from models.syntax import parse
from rbi.repairs.findings import Edit, Fix
from rbi.repairs.libraries import COLUMNS
from rbi.repairs.module import GUARDS, Module
from rbi.repairs.text import difference
from runners.base import Mode

RULE = "order_guard"
MARK, _BAR_MARK = GUARDS
_REASON = (
    "orders that the engine refuses are left out, and sizes of more than one unit rounded down to whole units: "
    "other orders are placed than the code asks for"
)
# The messages are those that `_Broker.new_order` of backtesting 0.6 raises, also for a price that is NaN.
_METHODS = """\

    # Added by rbi (order guards), not by the author. The engine ends the whole backtest when an order's stop, limit or
    # target is on the wrong side or its size is no fraction and no whole number. Here such an order is left out, and a
    # size of more than one unit is rounded down, so that other orders are placed than the code above asks for.
    orders_left_out = 0
    orders_rounded = 0

    class _RbiLeftOut:
        size = 0
        limit = stop = sl = tp = parent_trade = tag = None
        is_long = is_short = is_contingent = False

        def __bool__(self):
            return False

        def cancel(self):
            pass

    def buy(self, **order):
        return self._rbi_order(super().buy, order)

    def sell(self, **order):
        return self._rbi_order(super().sell, order)

    def _rbi_order(self, place, order):
        if "size" in order:
            size = order["size"]
            if not size > 0:
                self.orders_left_out += 1
                return self._RbiLeftOut()
            if 1 < size < float("inf") and size % 1:
                self.orders_rounded += 1
                order["size"] = size // 1
        try:
            return place(**order)
        except ValueError as error:
            if not str(error).startswith(("Long orders require: ", "Short orders require: ")):
                raise
            self.orders_left_out += 1
            return self._RbiLeftOut()
"""


BAR_RULE = "bar_guard"
_BAR_REASON = (
    "bars are left out on which a figure is not there yet, or not finite: no order is placed on them, whatever the "
    "code is meant to do there"
)
_BAR_METHODS = """\

    # Added by rbi (bar guards), not by the author. A value that is not there yet, a division by 0 or a size of NaN ends
    # the whole backtest. Here such a bar is left out, if it has placed no order before, so that other orders may be
    # placed than the code above asks for once it is mended.
    bars_left_out = 0

    def _rbi_bar(author_next):
        figures = ("cannot convert float ", "index ", "list index ", "deque index ", "division ", "float division ",
                   "float floor division ", "float modulo", "integer division ", "integer modulo ")

        def next(self):
            orders = len(self.orders)
            try:
                author_next(self)
            except (IndexError, ZeroDivisionError, OverflowError, ValueError) as error:
                if len(self.orders) != orders or not str(error).startswith(figures):
                    raise
                self.bars_left_out += 1
        return next

    next = _rbi_bar(next)
"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """``source`` with its ``fixes``, all of which change which orders are placed; or as it was, and ``why_not``."""

    source: str
    fixes: tuple[Fix, ...] = ()
    why_not: str = ""


def guard(source: str, mode: Mode = Mode.CLASS) -> Guarded:
    """Give the strategies that a source runs order guards. Guarding the result again changes nothing. Never raises.

    A class module runs its one strategy that no other derives from, a script those that it gives to a backtest.
    """
    return _guarded(source, mode, _Kind(RULE, _REASON, _METHODS), _why_not)


def guard_bars(source: str, mode: Mode = Mode.CLASS) -> Guarded:
    """Give the strategies that a source runs bar guards, as `guard` does with order guards. Never raises."""
    return _guarded(source, mode, _Kind(BAR_RULE, _BAR_REASON, _BAR_METHODS), _why_not_bars)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two kinds of guards: the ``methods`` are added to a class."""

    rule: str
    reason: str
    methods: str


def _guarded(
    source: str, mode: Mode, kind: _Kind, hindrance: Callable[[Module, tuple[ast.ClassDef, ...]], str]
) -> Guarded:
    try:
        module = Module(source, parse(source), mode, COLUMNS)
        strategies = _run(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Guarded(source, why_not=f"not valid Python: {getattr(error, 'msg', error)}")
    why_not = hindrance(module, strategies)
    if why_not:
        return Guarded(source, why_not=why_not)
    edits = {strategy: _addition(module, strategy, kind.methods) for strategy in strategies}
    guarded = module.text.apply(edits.values())
    try:
        compile(guarded, "strategy.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return Guarded(
            source, why_not=f"the class has no place for more methods: {getattr(error, 'msg', error)}"
        )
    fixes = tuple(
        Fix(
            kind.rule,
            kind.reason,
            strategy.lineno,
            difference(source, module.text.apply([edit])),
            changes_orders=True,
        )
        for strategy, edit in edits.items()
    )
    return Guarded(guarded, fixes)


def _run(module: Module) -> tuple[ast.ClassDef, ...]:
    """The strategies that are run, as far as that can be told; of those that derive from each other the last."""
    bases = {getattr(base, "id", "") for strategy in module.strategies for base in strategy.bases}
    last = [strategy for strategy in module.strategies if strategy.name not in bases]
    if module.mode is Mode.CLASS:
        return tuple(last)
    given = {
        argument.id
        for node in module.nodes
        if isinstance(node, ast.Call) and module.full_name(node.func).startswith("backtesting.")
        for argument in (*node.args, *(keyword.value for keyword in node.keywords))
        if isinstance(argument, ast.Name)
    }
    named = [strategy for strategy in module.strategies if strategy.name in given]
    inner = {getattr(base, "id", "") for strategy in named for base in strategy.bases}
    return tuple(strategy for strategy in named if strategy.name not in inner) or tuple(last)


def _why_not(module: Module, strategies: tuple[ast.ClassDef, ...]) -> str:
    if not strategies:
        return "there is no strategy class"
    if any(MARK in _names(strategy) for strategy in module.strategies):
        return "it has order guards already"
    own = [s.name for s in module.strategies if {"buy", "sell"} & _names(s)]
    if own:
        return f"{own[0]} defines buy or sell itself: what it does about refused orders is its own"
    return ""


def _why_not_bars(module: Module, strategies: tuple[ast.ClassDef, ...]) -> str:
    if not strategies:
        return "there is no strategy class"
    if any(_BAR_MARK in _names(strategy) for strategy in module.strategies):
        return "it has bar guards already"
    without = [s.name for s in strategies if "next" not in _names(s)]
    return f"{without[0]} does not define next itself" if without else ""


def _names(strategy: ast.ClassDef) -> set[str]:
    """What a class body defines or assigns, and what its methods set on ``self``."""
    names = {getattr(item, "name", "") for item in strategy.body}
    for node in ast.walk(strategy):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def _addition(module: Module, strategy: ast.ClassDef, methods: str) -> Edit:
    """The methods behind the class's last statement, indented and with line ends as the class has them."""
    text, last = module.text, strategy.body[-1]
    first = strategy.body[0]
    written = text.line(first.lineno)
    own_line = text.starts_line(first)
    indent = written[: len(written) - len(written.lstrip())] if own_line else "    "
    end = text.line_end()
    lines = [
        indent + line.removeprefix("    ") if line.strip() else ""
        for line in methods.rstrip("\n").split("\n")
    ]
    place = text.end(last)
    behind = text.line(last.end_lineno or last.lineno)
    # A comment on the last line stays with it.
    place += len(behind.encode()[last.end_col_offset or 0 :].decode().rstrip("\r\n"))
    return Edit(place, place, end + end.join(lines))
