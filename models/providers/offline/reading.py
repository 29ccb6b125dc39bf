"""Every phrase as rules: conditions for the entry, conditions and distances for the exit."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.leaving import Leaving, read_leaving
from models.providers.offline.oscillators import read_oscillator
from models.providers.offline.phrases import Phrase
from models.providers.offline.price import read_price
from models.providers.offline.quiet import read_quiet
from models.providers.offline.rules import (
    AnyOf,
    Rule,
    Stance,
)
from models.providers.offline.scope import Scope
from models.providers.offline.volume import read_volume

_READERS = (read_quiet, read_volume, read_price, read_oscillator)
_LINES = frozenset(kind for kind, row in CATALOGUE.items() if row.shape == "line" and row.group == "")
_OSCILLATORS = frozenset(kind for kind, row in CATALOGUE.items() if row.centre is not None)


@dataclass(slots=True)
class Reading:
    """What was read so far. ``entries`` are rules with ``long``, ``short``, ``both`` or an empty string."""

    entries: list[tuple[Rule, str]] = field(default_factory=list)
    exits: list[Rule] = field(default_factory=list)
    leaving: Leaving = field(default_factory=Leaving)
    assumed: list[str] = field(default_factory=list)


def read_entries(phrases: list[Phrase], scope: Scope, reading: Reading) -> None:
    """Read every entry phrase into ``reading.entries``, with the side it was said for."""
    scope.subject = scope.compare = scope.line = scope.oscillator = None
    for phrase in phrases:
        if phrase.leaving or phrase.unread:
            continue
        found = _read(phrase, scope, most=len(phrase.lexemes))
        for item in found:
            if phrase.alternative and reading.entries and reading.entries[-1][1] == phrase.direction:
                last, direction = reading.entries.pop()
                item = _either(last, item)
                reading.entries.append((item, direction))
            else:
                reading.entries.append((item, phrase.direction))
        _remember(phrase, scope)


def _read(phrase: Phrase, scope: Scope, *, most: int) -> list[Rule]:
    found: list[Rule] = []
    while len(found) < most:
        item = next((item for reader in _READERS if (item := reader(phrase, scope)) is not None), None)
        if item is None:
            break
        found.append(item)
    return found


def _remember(phrase: Phrase, scope: Scope) -> None:
    subject = next((lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES"), None)
    scope.subject = subject or scope.subject
    oscillators = (
        lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES" and lexeme.value in _OSCILLATORS
    )
    scope.oscillator = next(oscillators, scope.oscillator)
    lines = (lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES" and lexeme.value in _LINES)
    scope.line = next(lines, scope.line)


def _either(last: Rule, item: Rule) -> Rule:
    """``below 30 or above 70`` states both sides; any other "or" means either will do."""
    stances = {last.stance, item.stance}
    if stances == {Stance.BULL, Stance.BEAR} and last.family == item.family:
        bull, bear = (last, item) if last.stance is Stance.BULL else (item, last)
        return Rule(bull.literal, bear.literal, Stance.BOTH, last.family, last.vague, last.assumed)
    literal, mirrored = AnyOf((last.literal, item.literal)), AnyOf((last.mirror, item.mirror))
    return Rule(literal, mirrored, last.stance, last.family, last.vague, last.assumed + item.assumed)


def read_exits(phrases: list[Phrase], scope: Scope, reading: Reading, *, both: bool) -> None:
    """Read every exit phrase into ``reading.exits`` and ``reading.leaving``; ``both`` sides are traded or one."""
    scope.subject = scope.compare = scope.line = scope.oscillator = None
    follows = False
    for phrase in phrases:
        if not phrase.leaving or phrase.unread:
            follows = False
            _remember(phrase, scope)
            continue
        condition = read_leaving(phrase, scope, reading.leaving)
        if condition is not None:
            reading.exits.append(condition)
        before = set(phrase.used)
        if _is_stop(phrase):
            continue
        for item in _read(phrase, scope, most=1):
            if item.family == "volume" and (
                follows or not any(lexeme.kind == "COMPARE" for lexeme in phrase.lexemes)
            ):
                phrase.used = before
                continue
            _add_exit(reading.exits, item, alternative=phrase.alternative, both=both)
        follows = True
        _remember(phrase, scope)


def _is_stop(phrase: Phrase) -> bool:
    """Whether the phrase only speaks of a stop: an indicator in it measures the stop and is no exit of its own."""
    if not any(lexeme.kind in {"STOP", "TRAIL"} for lexeme in phrase.lexemes):
        return False
    return not any(
        lexeme.kind in {"EDGE", "ANY_EDGE"} or lexeme.value in {"sar", "supertrend"}
        for lexeme in phrase.lexemes
    )


def _add_exit(exits: list[Rule], item: Rule, *, alternative: bool, both: bool) -> None:
    """``below 70 or above 30`` for a strategy of both sides: the first ends the long, the second the short."""
    last = exits[-1] if exits else None
    opposed = last is not None and {last.stance, item.stance} == {Stance.BULL, Stance.BEAR}
    if alternative and both and opposed and last is not None and last.family == item.family:
        exits[-1] = Rule(last.literal, item.literal, last.stance, last.family, 0, last.assumed + item.assumed)
        return
    exits.append(item)
