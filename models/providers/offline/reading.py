"""Every phrase as rules: conditions for the entry, conditions and distances for the exit."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.providers.offline.bars import read_bars
from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.directional import read_directional
from models.providers.offline.leaving import Leaving, read_leaving
from models.providers.offline.mirror import mirror, negate
from models.providers.offline.oscillators import read_oscillator
from models.providers.offline.phrases import Phrase
from models.providers.offline.price import read_price
from models.providers.offline.quiet import read_quiet
from models.providers.offline.rules import (
    AllOf,
    AnyOf,
    Rule,
    Stance,
)
from models.providers.offline.scope import Scope
from models.providers.offline.sides import contradicts
from models.providers.offline.volume import read_volume

_READERS = (read_bars, read_quiet, read_volume, read_price, read_directional, read_oscillator)
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
    for place, phrase in enumerate(phrases):
        if phrase.leaving or phrase.unread:
            _remember(phrase, scope)
            continue
        found = _read(phrase, scope, most=len(phrase.lexemes))
        if phrase.title and any(not item.leaving and not item.unread for item in phrases[place + 1 :]):
            found = []  # "Donchian reversal: buy at ..." is only called so
        if phrase.negated:
            found = _negated(phrase, found, alone=_alone(phrases, place))
        shared = phrase.shared and all(item.stance is Stance.NEUTRAL for item in found)
        for item in found:
            if (
                not phrase.negated
                and reading.entries
                and reading.entries[-1][1] == phrase.direction in {"", "both"}
            ):
                merged = _opposites(reading.entries[-1][0], item)
                if merged is not None:
                    reading.entries[-1] = (merged, phrase.direction)
                    continue
            if (
                phrase.alternative
                and not phrase.negated
                and reading.entries
                and reading.entries[-1][1] == phrase.direction
            ):
                last, direction = reading.entries.pop()
                item = _either(last, item)
                reading.entries.append((item, direction))
            else:
                reading.entries.append((item, "" if shared else phrase.direction))
        _remember(phrase, scope)


def _read(phrase: Phrase, scope: Scope, *, most: int) -> list[Rule]:
    found: list[Rule] = []
    while len(found) < most:
        item = None
        for reader in _READERS:
            before = set(phrase.used)
            item = reader(phrase, scope)
            if item is not None:
                break
            phrase.used = before
        if item is None:
            break
        found.append(item)
    return found


def _alone(phrases: list[Phrase], place: int) -> bool:
    """Whether an exception is one condition: "unless A and B" holds when either is false, which no rule says."""
    following = phrases[place + 1 : place + 2]
    joined = bool(following) and following[0].negated and following[0].joined
    before = place > 0 and phrases[place - 1].negated and phrases[place].joined
    return not (joined or before)


def _negated(phrase: Phrase, found: list[Rule], *, alone: bool) -> list[Rule]:
    """What must hold for an exception not to apply; an exception that no rule can say is left unread."""
    turned = negate(found[0].literal) if len(found) == 1 and alone else None
    if turned is None:
        phrase.used.clear()
        phrase.unread = True
        return []
    item = found[0]
    return [Rule(turned, mirror(turned), Stance.NEUTRAL, f"not {item.family}", 0, item.assumed)]


def _remember(phrase: Phrase, scope: Scope) -> None:
    subject = next((lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES"), None)
    scope.subject = subject or scope.subject
    oscillators = (
        lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES" and lexeme.value in _OSCILLATORS
    )
    scope.oscillator = next(oscillators, scope.oscillator)
    lines = (lexeme for lexeme in phrase.lexemes if lexeme.kind == "SERIES" and lexeme.value in _LINES)
    scope.line = next(lines, scope.line)


def _opposites(last: Rule, item: Rule) -> Rule | None:
    """``oversold at 20, overbought at 80``: what cannot hold at once states both sides."""
    if {last.stance, item.stance} != {Stance.BULL, Stance.BEAR} or last.family != item.family:
        return None
    if not contradicts((last.literal, item.literal)):
        return None
    bull, bear = (last, item) if last.stance is Stance.BULL else (item, last)
    return Rule(bull.literal, bear.literal, Stance.BOTH, last.family, last.vague, last.assumed + item.assumed)


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
    read_last = False
    for phrase in phrases:
        if not phrase.leaving or phrase.unread:
            follows = read_last = False
            _remember(phrase, scope)
            continue
        if phrase.take("OTHERWISE") is not None:
            reading.leaving.otherwise = True
        condition = read_leaving(phrase, scope, reading.leaving)
        if condition is not None:
            reading.exits.append(condition)
        before = set(phrase.used)
        if _is_stop(phrase):
            read_last = False
            continue
        joined, read_last = phrase.joined and read_last, False
        for item in _read(phrase, scope, most=1):
            listed = item.family in {"adx", "choppiness"} and follows and phrase.cut == ","
            if listed or (
                item.family == "volume"
                and (follows or not any(lexeme.kind == "COMPARE" for lexeme in phrase.lexemes))
            ):
                phrase.used = before
                continue
            read_last = True
            if joined and reading.exits:
                reading.exits[-1] = _both(reading.exits[-1], item)
            else:
                _add_exit(reading.exits, item, alternative=phrase.alternative, both=both)
        follows = True
        _remember(phrase, scope)


def _both(last: Rule, item: Rule) -> Rule:
    """``exit when A and B``: neither alone ends the trade."""
    literal, mirrored = AllOf((last.literal, item.literal)), AllOf((last.mirror, item.mirror))
    return Rule(literal, mirrored, last.stance, last.family, last.vague, last.assumed + item.assumed)


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
