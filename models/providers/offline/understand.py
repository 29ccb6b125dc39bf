"""From free text to a plan: read every phrase, settle the sides, and say what was assumed or left out."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from models.providers.offline.closing import settle_exits
from models.providers.offline.defaults import assumed_numbers, unused_numbers
from models.providers.offline.describe import all_series, plan_conditions
from models.providers.offline.fading import named_only, turned_round
from models.providers.offline.lexemes import Lexeme, lex
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
    share_squeeze,
    unnamed_breakout,
)
from models.providers.offline.text import MAX_CHARACTERS, normalise

_EDGES = frozenset({"upper", "lower", "middle", "opposite", "either"})
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
    directions = {phrase.direction for phrase in phrases if phrase.direction and not phrase.negated}
    directions |= {"both" for lexeme in lexemes if lexeme.kind == "DIRECTION" and lexeme.value == "both"}
    rules = settle(reading.entries)
    rules = share_squeeze(named_only(rules))
    fading = any(_fades(lexeme) for p in phrases if not p.leaving for lexeme in p.lexemes)
    breakout = any(lexeme.kind == "BREAKOUT" for p in phrases if not p.leaving for lexeme in p.lexemes)
    half_read = _half_read(phrases)
    if breakout and rules and not entry_missing and not half_read and lacks_event(rules, directions):
        rules.append((unnamed_breakout(scope, rules), ""))
    if fading:
        rules = turned_round(rules)
        for phrase in phrases:
            phrase.use("FADE")
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
    exits = settle_exits(reading, long, short)
    assumed = [line for item, _ in rules for line in item.assumed] + reading.assumed + reading.leaving.assumed
    assumed += [line for item in reading.exits for line in item.assumed]
    plan = Plan(Coverage.WHOLLY, long, short, exits, (), (), missing)
    ignored = _ignored(phrases, text.truncated, {line.kind for line in all_series(plan_conditions(plan))})
    ignored += tuple(item.text for item in lexemes if item.kind == "UNLESS" and item.value == "unread")
    if short and "short" not in text.words and any(lexeme.kind == "SELL" for lexeme in lexemes):
        assumed.append("to sell what was not bought is to sell short")
    assumed += assumed_numbers(plan, text.words)
    ignored += unused_numbers(plan, text.plain, ignored) + _unused_sides(plan, lexemes, reading)
    coverage = Coverage.PARTLY if ignored or missing else Coverage.WHOLLY
    return replace(
        plan, coverage=coverage, assumed=tuple(dict.fromkeys(assumed)), ignored=tuple(dict.fromkeys(ignored))
    )


def _fades(lexeme: Lexeme) -> bool:
    """Whether the words say that a move is traded against."""
    return lexeme.kind == "FADE" or (lexeme.kind == "REVERSION" and lexeme.text.startswith("mean re"))


def _unused_sides(plan: Plan, lexemes: tuple[Lexeme, ...], reading: Reading) -> tuple[str, ...]:
    """Sides and exits that the text speaks of and no rule came of: the words were used, the meaning was not."""
    ways = {lexeme.value for lexeme in lexemes if lexeme.kind == "DIRECTION"}
    lost = []
    if not plan.short and ways & {"short", "both"}:
        lost.append("the short side")
    if not plan.long and ways & {"long", "both"}:
        lost.append("the long side")
    leaves = any(lexeme.kind == "EXIT" for lexeme in lexemes)
    if leaves and not reading.exits and not reading.leaving.opposite_said and reading.leaving.only_assumed:
        lost.append("the exit")
    return tuple(lost)


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


def _ignored(phrases: list[Phrase], truncated: bool, kinds: Set[str] = frozenset()) -> tuple[str, ...]:
    if any(lexeme.value.startswith("vortex_") for phrase in phrases for lexeme in phrase.lexemes):
        for phrase in phrases:
            phrase.use("VORTEX")  # the lines of the indicator are named elsewhere
    named = {lexeme.value for phrase in phrases for lexeme in phrase.lexemes if phrase.used} | kinds
    words = [text for phrase in phrases for text in _content(phrase) if not _label(phrase, named)]
    if truncated:
        words.append(f"everything after the first {MAX_CHARACTERS} characters")
    return tuple(dict.fromkeys(words))


def _label(phrase: Phrase, named: set[str]) -> bool:
    """Whether a phrase only names an indicator that a rule uses ("CCI: buy ...")."""
    rest = [lexeme for lexeme in phrase.lexemes if lexeme.kind not in {"FILLER", "FADE"}]
    families = {"bollinger": "bb_", "keltner": "kc_", "donchian": "dc_"}
    return (
        len(rest) == 1
        and phrase.used <= {place for place, item in enumerate(phrase.lexemes) if item.kind == "FADE"}
        and rest[0].kind in {"SERIES", "PAIR"}
        and any(
            value == rest[0].value
            or value.startswith(families.get(rest[0].value, "?"))
            or (rest[0].kind == "PAIR" and value in _EDGES)
            for value in named
        )
    )


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
