"""Order guards: orders that the engine refuses are left out or rounded. On request only: other orders are placed then.

A guarded strategy has methods ``buy`` and ``sell`` of its own, which go on to the engine's. An order with a stop, limit
or target on the wrong side, or with a size that is not above 0, is left out; a size of more than one unit is rounded
down to whole ones. Whatever else is wrong with an order raises as before, and all other orders are the same.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from models.syntax import parse
from rbi.repairs.findings import Edit, Fix
from rbi.repairs.libraries import COLUMNS
from rbi.repairs.module import Module
from rbi.repairs.text import difference
from runners.base import Mode

RULE = "order_guard"
MARK = "_rbi_order"  # the name of a method that no strategy has by itself
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
    try:
        module = Module(source, parse(source), mode, COLUMNS)
        strategies = _run(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Guarded(source, why_not=f"not valid Python: {getattr(error, 'msg', error)}")
    why_not = _why_not(module, strategies)
    if why_not:
        return Guarded(source, why_not=why_not)
    edits = {strategy: _addition(module, strategy) for strategy in strategies}
    guarded = module.text.apply(edits.values())
    try:
        compile(guarded, "strategy.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return Guarded(
            source, why_not=f"the class has no place for more methods: {getattr(error, 'msg', error)}"
        )
    fixes = tuple(
        Fix(
            RULE, _REASON, strategy.lineno, difference(source, module.text.apply([edit])), changes_orders=True
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


def _names(strategy: ast.ClassDef) -> set[str]:
    """What a class body defines or assigns, and what its methods set on ``self``."""
    names = {getattr(item, "name", "") for item in strategy.body}
    for node in ast.walk(strategy):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def _addition(module: Module, strategy: ast.ClassDef) -> Edit:
    """The methods behind the class's last statement, indented and with line ends as the class has them."""
    text, last = module.text, strategy.body[-1]
    first = strategy.body[0]
    written = text.line(first.lineno)
    own_line = text.starts_line(first)
    indent = written[: len(written) - len(written.lstrip())] if own_line else "    "
    end = text.line_end()
    lines = [
        indent + line.removeprefix("    ") if line.strip() else ""
        for line in _METHODS.rstrip("\n").split("\n")
    ]
    place = text.end(last)
    behind = text.line(last.end_lineno or last.lineno)
    # A comment on the last line stays with it.
    place += len(behind.encode()[last.end_col_offset or 0 :].decode().rstrip("\r\n"))
    return Edit(place, place, end + end.join(lines))
