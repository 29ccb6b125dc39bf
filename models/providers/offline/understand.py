"""From free text to a plan: read every phrase, settle the sides, and say what was assumed or left out."""

from __future__ import annotations

from models.providers.offline.closing import settle_exits
from models.providers.offline.lexemes import lex
from models.providers.offline.phrases import Phrase, split
from models.providers.offline.reading import Reading, read_entries, read_exits
from models.providers.offline.rules import (
    Coverage,
    Plan,
    Rule,
    Stance,
)
from models.providers.offline.scope import survey
from models.providers.offline.sides import (
    assign_sides,
    contradicts,
    lacks_event,
    reverts,
    settle,
    unnamed_breakout,
)
from models.providers.offline.text import MAX_CHARACTERS, normalise

_NAMES_ONLY = frozenset({"CONFIRM", "REVERSION", "BREAKOUT", "SQUEEZE", "DIRECTION"})


def understand(idea: str) -> Plan:
    """Parse an idea into rules. Never raises; an idea without an entry gives a plan with coverage ``NONE``."""
    text = normalise(idea)
    lexemes = lex(text.words)
    phrases = split(lexemes)
    scope = survey(lexemes)
    reading = Reading()
    read_entries(phrases, scope, reading)
    missing = _missing(phrases)
    entry_missing = any(lexeme.kind == "MISSING" for p in phrases if not p.leaving for lexeme in p.lexemes)
    directions = {phrase.direction for phrase in phrases if phrase.direction}
    rules = settle(reading.entries)
    breakout = any(lexeme.kind == "BREAKOUT" for p in phrases if not p.leaving for lexeme in p.lexemes)
    half_read = _half_read(phrases)
    if breakout and rules and not entry_missing and not half_read and lacks_event(rules, directions):
        rules.append((unnamed_breakout(scope, rules), ""))
    long, short = assign_sides(rules, directions, reading.assumed)
    ignored = _ignored(phrases, text.truncated)
    if not long and not short:
        return Plan(
            Coverage.NONE,
            ignored=ignored,
            missing_data=missing,
            why_not=_why_not(rules, missing, entry_missing=entry_missing),
        )
    if half_read and all(item.stance is Stance.NEUTRAL for item, _ in rules):
        why = "Only filters were read: the condition that they belong to was not."
        return Plan(Coverage.NONE, ignored=ignored, missing_data=missing, why_not=why)
    if entry_missing and not any(item.family in {"price", "cross"} for item, _ in rules) and _leads(phrases):
        why = _why_not([], missing, entry_missing=True)
        return Plan(Coverage.NONE, ignored=ignored, missing_data=missing, why_not=why)
    if contradicts(long) or contradicts(short):
        why = "The entry conditions as read exclude each other."
        return Plan(Coverage.NONE, ignored=ignored, missing_data=missing, why_not=why)
    scope.reverting = reverts(long, short)
    read_exits(phrases, scope, reading, both=bool(long and short))
    ignored = _ignored(phrases, text.truncated)
    exits = settle_exits(reading, long, short)
    assumed = [line for item, _ in rules for line in item.assumed] + reading.assumed + reading.leaving.assumed
    assumed += [line for item in reading.exits for line in item.assumed]
    if any(lexeme.kind.startswith("PERIOD") and "period" not in lexeme.text for lexeme in lexemes):
        assumed.append("a day, or any other time in the text, counts as daily bars do: one day is one bar")
    coverage = Coverage.PARTLY if ignored or missing else Coverage.WHOLLY
    return Plan(coverage, long, short, exits, tuple(dict.fromkeys(assumed)), ignored, missing)


def _missing(phrases: list[Phrase]) -> tuple[str, ...]:
    found = [lexeme.text for phrase in phrases for lexeme in phrase.lexemes if lexeme.kind == "MISSING"]
    return tuple(dict.fromkeys(found))


def _half_read(phrases: list[Phrase]) -> bool:
    """Whether the entry compares or crosses something that no rule reads."""
    return any(
        phrase.find(kind) is not None
        for phrase in phrases
        if not phrase.leaving and not phrase.unread
        for kind in ("COMPARE", "BREAK", "CROSSOVER", "TOUCH")
    )


def _leads(phrases: list[Phrase]) -> bool:
    """Whether the missing data comes before any indicator: then what remains only confirmed it."""
    for phrase in phrases:
        if not phrase.leaving:
            for lexeme in phrase.lexemes:
                if lexeme.kind in {"SERIES", "VORTEX", "PAIR", "EDGE"} and lexeme.value != "close":
                    return False
                if lexeme.kind == "MISSING":
                    return True
    return False


def _ignored(phrases: list[Phrase], truncated: bool) -> tuple[str, ...]:
    if any(lexeme.value.startswith("vortex_") for phrase in phrases for lexeme in phrase.lexemes):
        for phrase in phrases:
            phrase.use("VORTEX")  # the lines of the indicator are named elsewhere
    words = [text for phrase in phrases for text in _content(phrase)]
    if truncated:
        words.append(f"everything after the first {MAX_CHARACTERS} characters")
    return tuple(dict.fromkeys(words))


def _content(phrase: Phrase) -> list[str]:
    if phrase.unread:
        return [" ".join(lexeme.text for lexeme in phrase.lexemes)]
    return phrase.ignored(frozenset() if phrase.leaving else _NAMES_ONLY)


def _why_not(rules: list[tuple[Rule, str]], missing: tuple[str, ...], *, entry_missing: bool) -> str:
    if entry_missing and missing:
        return f"The entry depends on data that bars do not hold: {', '.join(missing)}."
    if rules:
        return "The conditions say when to enter but not which way: there are only filters, no direction."
    return "No entry rule was recognised."
