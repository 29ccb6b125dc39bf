"""Drift: a repair that trades otherwise than the version that ran, or by other rules than those of the note."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from models.syntax import parse
from rbi.domain import Backtest, Draft
from runners.base import Trade

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_SECTION = re.compile(r"^## +(\w+) *$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_DIRECTION = re.compile(r"^Direction: *both\b", re.MULTILINE | re.IGNORECASE)
_RULES = ("Entries", "Exits", "Risk", "Indicators")
_NAME = re.compile(r"[A-Za-z]{3,}")
_EVERYWHERE = (0.0, 1.0)  # numbers that any code holds for other reasons


def drift(draft: Draft, *, base: int, newer: int) -> str:
    """How the attempt ``newer`` leaves the attempt ``base`` that it was to repair (both from 1); empty if not."""
    return _other_trades(draft, base, newer) or _other_rules(draft, base, newer)


def _other_trades(draft: Draft, base: int, newer: int) -> str:
    after = {backtest.bars.name: backtest for backtest in draft.backtests_of(newer)}
    for before in draft.backtests_of(base):
        if not before.trades:
            continue
        difference = _difference(before, after.get(before.bars.name))
        if difference:
            return f"it ran on {before.bars.name} before, and {difference}"
    return ""


def _difference(before: Backtest, after: Backtest | None) -> str:
    if after is None or not after.result.completed:
        return "fails there now"
    pairs = zip(before.result.trades, after.result.trades, strict=False)
    differs = next((n for n, (old, new) in enumerate(pairs, start=1) if _essence(old) != _essence(new)), 0)
    if differs:
        return f"its trade {differs} is another one now"
    if before.trades != after.trades:
        return f"makes {after.trades} trades now instead of {before.trades}"
    return ""


def _essence(trade: Trade) -> tuple[float, ...]:
    return (trade.size, trade.entry_bar, trade.exit_bar, trade.entry_price, trade.exit_price)


def _other_rules(draft: Draft, base: int, newer: int) -> str:
    """What the note says, the version before does, and the newer one does no longer.

    Only for notes in the form that the research prompt asks for: what other texts mean by a number is not known.
    """
    sections = dict(_SECTION.findall(draft.note.markdown)) if draft.note else {}
    if "Entries" not in sections or "Indicators" not in sections:
        return ""
    before, after = _Code(draft.attempts[base - 1].source), _Code(draft.attempts[newer - 1].source)
    rules = "\n".join(sections.get(name, "") for name in _RULES)
    lost = next((n for n in _numbers(rules) if before.holds(n) and not after.holds(n)), None)
    if lost is not None:
        return f"the note says {lost:g}, and the code no longer does"
    gone = next(
        (n for n in _indicators(sections["Indicators"]) if n in before.names and n not in after.names), ""
    )
    if gone:
        return f"the note names the indicator {gone}, and the code no longer has it"
    both = draft.note is not None and _DIRECTION.search(draft.note.markdown)
    side = next((s for s in ("buy", "sell") if both and s in before.called and s not in after.called), "")
    return f"the note trades in both directions, and the code no longer has {side} orders" if side else ""


def _numbers(rules: str) -> Iterator[float]:
    return (n for n in map(float, _NUMBER.findall(rules)) if n not in _EVERYWHERE)


def _indicators(section: str) -> Iterator[str]:
    """The first word of each bullet, as it would stand in code."""
    for line in section.splitlines():
        word = _NAME.search(line)
        if word:
            yield word.group().lower()


class _Code:
    """The numbers, the text of the names and the methods called of a module; nothing of one that cannot be read."""

    def __init__(self, source: str) -> None:
        try:
            nodes = list(ast.walk(parse(source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            nodes = []  # the check has said so; such a version is not run
        constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
        self._numbers = {
            abs(float(n)) for n in constants if isinstance(n, int | float) and not isinstance(n, bool)
        }
        attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
        named = [node.id for node in nodes if isinstance(node, ast.Name)]
        defined = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
        self.names = " ".join([*attributes, *named, *defined]).lower()
        self.called = set(attributes)

    def holds(self, number: float) -> bool:
        """Whether the number is there, as it is, as a percentage, or as a factor that adds or takes that percentage."""
        part = number / 100
        return any(
            abs(found - form) < 1e-9 for found in self._numbers for form in (number, part, 1 + part, 1 - part)
        )
