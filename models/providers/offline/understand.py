"""From free text to a plan: read every phrase, settle the direction, and say what was assumed or left out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.leaving import STOP_ATR, Leaving, read_leaving
from models.providers.offline.lexemes import lex
from models.providers.offline.mirror import mirror
from models.providers.offline.oscillators import read_oscillator
from models.providers.offline.phrases import Phrase, split
from models.providers.offline.price import read_price
from models.providers.offline.quiet import read_quiet
from models.providers.offline.rules import (
    AnyOf,
    Compare,
    Condition,
    Coverage,
    Distance,
    Exits,
    Op,
    Plan,
    Recent,
    Rule,
    Series,
    Stance,
    StopKind,
    Value,
)
from models.providers.offline.scope import Scope, rule, survey
from models.providers.offline.text import MAX_CHARACTERS, normalise
from models.providers.offline.volume import read_volume

_READERS = (read_quiet, read_volume, read_price, read_oscillator)
_MEMORY = 5.0
_HOLD = 20.0
_LINES = frozenset(kind for kind, row in CATALOGUE.items() if row.shape == "line" and row.group == "")
_OSCILLATORS = frozenset(kind for kind, row in CATALOGUE.items() if row.centre is not None)
_NAMES_ONLY = frozenset({"CONFIRM", "REVERSION", "BREAKOUT", "SQUEEZE", "DIRECTION"})


@dataclass(slots=True)
class _Reading:
    entries: list[tuple[Rule, str]] = field(default_factory=list)
    exits: list[Rule] = field(default_factory=list)
    leaving: Leaving = field(default_factory=Leaving)
    assumed: list[str] = field(default_factory=list)


def understand(idea: str) -> Plan:
    """Parse an idea into rules. Never raises; an idea without an entry gives a plan with coverage ``NONE``."""
    text = normalise(idea)
    lexemes = lex(text.words)
    phrases = split(lexemes)
    scope = survey(lexemes)
    reading = _Reading()
    _read_entries(phrases, scope, reading)
    missing = _missing(phrases)
    entry_missing = any(lexeme.kind == "MISSING" for p in phrases if not p.leaving for lexeme in p.lexemes)
    directions = {phrase.direction for phrase in phrases if phrase.direction}
    rules = _settle(reading.entries)
    breakout = any(lexeme.kind == "BREAKOUT" for p in phrases if not p.leaving for lexeme in p.lexemes)
    if breakout and rules and not entry_missing and _lacks_event(rules, directions):
        rules.append((_breakout(scope, rules), ""))
    long, short = _directions(rules, directions, reading)
    ignored = _ignored(phrases, text.truncated)
    if not long and not short:
        return Plan(
            Coverage.NONE,
            ignored=ignored,
            missing_data=missing,
            why_not=_why_not(rules, missing, entry_missing=entry_missing),
        )
    if entry_missing and not any(item.family in {"price", "cross"} for item, _ in rules) and _leads(phrases):
        why = _why_not([], missing, entry_missing=True)
        return Plan(Coverage.NONE, ignored=ignored, missing_data=missing, why_not=why)
    if _contradicts(long) or _contradicts(short):
        why = "The entry conditions as read exclude each other."
        return Plan(Coverage.NONE, ignored=ignored, missing_data=missing, why_not=why)
    scope.reverting = _reverts(long, short)
    _read_exits(phrases, scope, reading, both=bool(long and short))
    ignored = _ignored(phrases, text.truncated)
    exits = _exits(reading, long, short)
    assumed = [line for item, _ in rules for line in item.assumed] + reading.assumed + reading.leaving.assumed
    assumed += [line for item in reading.exits for line in item.assumed]
    if any(lexeme.kind.startswith("PERIOD") and "period" not in lexeme.text for lexeme in lexemes):
        assumed.append("a day, or any other time in the text, counts as daily bars do: one day is one bar")
    coverage = Coverage.PARTLY if ignored or missing else Coverage.WHOLLY
    return Plan(coverage, long, short, exits, tuple(dict.fromkeys(assumed)), ignored, missing)


def _read_entries(phrases: list[Phrase], scope: Scope, reading: _Reading) -> None:
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


def _settle(entries: list[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
    """Drop what a more exact rule of the same family says better, and what is said twice."""
    exact = {item.family for item, _ in entries if not item.vague}
    kept: list[tuple[Rule, str]] = []
    for item, direction in entries:
        repeated = any(
            (item.literal == other.literal and direction == way)
            or (direction == "both" and item.literal == other.mirror)
            for other, way in kept
        )
        again = next(
            (place for place, (other, way) in enumerate(kept) if way == direction and _same(item, other)),
            None,
        )
        if again is not None:
            kept[again] = (item, direction)
            continue
        vaguer = next(
            (
                place
                for place, (other, _) in enumerate(kept)
                if other.family == item.family and other.vague > item.vague > 0
            ),
            None,
        )
        if vaguer is not None:
            kept[vaguer] = (item, direction)
            continue
        twice_vague = item.vague and any(other.family == item.family for other, _ in kept)
        if not repeated and not twice_vague and not (item.vague and item.family in exact):
            kept.append((item, direction))
    return kept


def _lacks_event(rules: list[tuple[Rule, str]], directions: set[str]) -> bool:
    """Whether nothing in the rules happens on a bar, and the text does not say long or short of a bare state."""
    directional = [item for item, _ in rules if item.stance is not Stance.NEUTRAL]
    if not directional:
        return directions not in ({"long"}, {"short"}) or all(item.vague for item, _ in rules)
    crossings = {Op.CROSSES, Op.CROSSES_ABOVE, Op.CROSSES_BELOW}
    return not any(
        item.family in {"price", "cross"}
        or (isinstance(item.literal, Compare) and item.literal.op in crossings)
        for item in directional
    )


def _same(item: Rule, other: Rule) -> bool:
    """Whether two rules compare the same two lines on the same side: once as an event, once as a state."""
    one, two = item.literal, other.literal
    if not (isinstance(one, Compare) and isinstance(two, Compare)) or one == two:
        return False
    falls = {Op.BELOW, Op.CROSSES_BELOW}
    return one.left == two.left and one.right == two.right and (one.op in falls) == (two.op in falls)


def _breakout(scope: Scope, rules: list[tuple[Rule, str]]) -> Rule:
    """The text says "breakout" without saying of what: the bands it speaks of, else the 20-bar range."""
    family = scope.bands
    if not family:
        family = (
            "bollinger" if any(item.family == "squeeze" and item.vague for item, _ in rules) else "donchian"
        )
    upper, _ = scope.edges(family)
    name = {"bollinger": "Bollinger Bands", "keltner": "Keltner Channel", "vwap": "VWAP band"}.get(
        family, "range of the 20 bars before"
    )
    assumed = (f"a breakout is a close that crosses out of the {name}, long upwards and short downwards",)
    return rule(Compare(series("close"), Op.CROSSES_ABOVE, upper), Stance.BOTH, "price", assumed=assumed)


def _directions(
    rules: list[tuple[Rule, str]], directions: set[str], reading: _Reading
) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """Conditions for long and for short; an empty tuple where the idea does not trade that way."""
    if not rules:
        return (), ()
    ways = {way for _, way in rules if way}
    if {"long", "short"} <= ways:
        long = [_side(item, Stance.BULL, explicit=way) for item, way in rules if way != "short"]
        short = [_side(item, Stance.BEAR, explicit=way) for item, way in rules if way != "long"]
        return _conjoin(rules, long, reading), _conjoin(rules, short, reading)
    anchor = _anchor(rules)
    if anchor is Stance.NEUTRAL and not (ways or directions) & {"long", "short"}:
        return (), ()
    both = "both" in directions or {"long", "short"} <= directions
    if both and anchor is Stance.NEUTRAL:
        return (), ()
    if both:
        literal_is_long = anchor is not Stance.BEAR and ways != {"short"}
        long = [
            item.literal if literal_is_long or item.stance is Stance.BOTH else item.mirror
            for item, _ in rules
        ]
        short = [
            item.mirror if literal_is_long or item.stance is Stance.BOTH else item.literal
            for item, _ in rules
        ]
        return _conjoin(rules, long, reading), _conjoin(rules, short, reading)
    if directions:
        side = Stance.BULL if "long" in directions else Stance.BEAR
    elif anchor is Stance.BOTH:
        long = [item.literal for item, _ in rules]
        short = [item.mirror for item, _ in rules]
        return _conjoin(rules, long, reading), _conjoin(rules, short, reading)
    else:
        side = anchor
        name = "long" if side is Stance.BULL else "short"
        reading.assumed.append(f"{name} only: the conditions are stated for that side alone")
    conditions = _conjoin(rules, [_side(item, side) for item, _ in rules], reading)
    return (conditions, ()) if side is Stance.BULL else ((), conditions)


def _side(item: Rule, side: Stance, explicit: str = "") -> Condition:
    if item.stance is Stance.BOTH and side is Stance.BEAR:
        return item.mirror
    if (
        explicit == ""
        and item.stance is not Stance.BOTH
        and side is Stance.BEAR
        and item.stance is Stance.BULL
    ):
        return item.literal
    return item.literal


def _anchor(rules: list[tuple[Rule, str]]) -> Stance:
    """The side that the price or a crossing states, else the one that an oscillator states."""
    one_sided = [item for item, _ in rules if item.stance in {Stance.BULL, Stance.BEAR}]
    for item in one_sided:
        if item.family in {"price", "cross"}:
            return item.stance
    if one_sided:
        return one_sided[0].stance
    return Stance.BOTH if any(item.stance is Stance.BOTH for item, _ in rules) else Stance.NEUTRAL


def _conjoin(
    rules: list[tuple[Rule, str]], conditions: list[Condition], reading: _Reading
) -> tuple[Condition, ...]:
    """One event on the bar; further crossings count as states, and quiet periods may lie a few bars back."""
    stances = {item.family for item, _ in rules if item.stance is not Stance.NEUTRAL}
    families = {id(side): item.family for item, _ in rules for side in (item.literal, item.mirror)}
    out: list[Condition] = []
    crossed = False
    for condition in conditions:
        family = families.get(id(condition), "")
        if isinstance(condition, Compare) and condition.op in {Op.CROSSES_ABOVE, Op.CROSSES_BELOW}:
            if crossed:
                state = Op.ABOVE if condition.op is Op.CROSSES_ABOVE else Op.BELOW
                condition = replace(condition, op=state)
                reading.assumed.append(
                    "two crossings need not fall on one bar: the first is the event, others are states"
                )
            crossed = True
        waits = family == "squeeze" or family.endswith("divergence")
        if isinstance(condition, Compare) and waits and len(conditions) > 1 and stances:
            condition = Recent(condition, Value("memory", _MEMORY, said=False))
            reading.assumed.append(
                f"a squeeze or divergence counts when it was there within the last {_MEMORY:g} bars"
            )
        out.append(condition)
    return tuple(dict.fromkeys(out))


def _contradicts(conditions: tuple[Condition, ...]) -> bool:
    """Whether one series would have to be below a level and above a higher one on the same bar."""
    floors: dict[Series, float] = {}
    ceilings: dict[Series, float] = {}
    for item in conditions:
        if isinstance(item, Compare) and isinstance(item.right, Value):
            if item.op in {Op.ABOVE, Op.CROSSES_ABOVE}:
                floors[item.left] = max(item.right.number, floors.get(item.left, item.right.number))
            elif item.op in {Op.BELOW, Op.CROSSES_BELOW}:
                ceilings[item.left] = min(item.right.number, ceilings.get(item.left, item.right.number))
    return any(line in ceilings and ceilings[line] <= floor for line, floor in floors.items())


def _reverts(long: tuple[Condition, ...], short: tuple[Condition, ...]) -> bool:
    """Whether the entry bets on a return: long at a lower edge, or short at an upper one."""
    for conditions, op, suffix in ((long, Op.BELOW, "_lower"), (short, Op.ABOVE, "_upper")):
        for item in conditions:
            if (
                isinstance(item, Compare)
                and isinstance(item.right, Series)
                and item.right.kind.endswith(suffix)
            ):
                return item.op in {op, Op.CROSSES_BELOW if op is Op.BELOW else Op.CROSSES_ABOVE}
    return False


def _read_exits(phrases: list[Phrase], scope: Scope, reading: _Reading, *, both: bool) -> None:
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


def _opposite_event(conditions: tuple[Condition, ...]) -> Condition | None:
    """The entry's crossing the other way round, for a strategy that trades one side only."""
    events = {Op.CROSSES_ABOVE, Op.CROSSES_BELOW}
    found = (item for item in conditions if isinstance(item, Compare) and item.op in events)
    event = next(found, None)
    return mirror(event) if event is not None else None


def _exits(reading: _Reading, long: tuple[Condition, ...], short: tuple[Condition, ...]) -> Exits:
    leaving = reading.leaving
    exact = {item.family for item in reading.exits if not item.vague}
    rules = [item for item in reading.exits if not (item.vague and item.family in exact)]
    needs_stop = leaving.target is not None and leaving.target.kind is StopKind.RISK and leaving.stop is None
    if needs_stop and leaving.trail is None:
        leaving.stop = Distance(
            StopKind.ATR, Value("stop_atr", STOP_ATR, said=False), Value("atr_period", 14.0, said=False)
        )
        leaving.assumed.append(f"the risk is a stop {STOP_ATR:g} x ATR(14) away")
    elif needs_stop and leaving.trail is not None:
        leaving.stop = Distance(
            leaving.trail.kind,
            replace(leaving.trail.amount, name=leaving.trail.amount.name.replace("trail", "stop")),
            leaving.trail.period,
        )
    extra: tuple[Condition, ...] = ()
    named_opposite = leaving.opposite_entry
    if not rules and not leaving.complete:
        if long and short:
            leaving.opposite_entry = True
            leaving.assumed.append("the text names no exit: the opposite entry closes the position")
        else:
            leaving.bars = Value("max_bars", _HOLD, said=False)
            leaving.assumed.append(f"the text names no exit: the position is closed after {_HOLD:g} bars")
    elif leaving.opposite_entry and not (long and short):
        leaving.opposite_entry = False
        event = _opposite_event(long or short)
        if event is not None:
            extra = (event,)
    if (
        leaving.opposite_entry is False
        and named_opposite
        and not extra
        and not (long and short)
        and not rules
    ):
        leaving.bars = Value("max_bars", _HOLD, said=False)
        leaving.assumed.append(f"there is no opposite entry: the position is closed after {_HOLD:g} bars")
    both = bool(long and short)
    long_exits = [_exit_side(item, for_long=True, both=both) for item in rules] if long else []
    short_exits = [_exit_side(item, for_long=False, both=both) for item in rules] if short else []
    return replace(
        leaving.exits(),
        long=tuple(dict.fromkeys([*long_exits, *(extra if long else ())])),
        short=tuple(dict.fromkeys([*short_exits, *(extra if short else ())])),
    )


def _exit_side(item: Rule, *, for_long: bool, both: bool) -> Condition:
    """What ends a long or a short position.

    A rule that states both sides is an entry turned round, except at an edge, where the readers already
    wrote the side that ends a long position. One that states a side is meant literally for the position
    the text speaks of, and mirrored for the other.
    """
    if item.stance is Stance.BOTH:
        written_for_exit = item.family == "price" and _ends_long(item.literal)
        turned = item.mirror if not written_for_exit else item.literal
        other = item.literal if not written_for_exit else item.mirror
        return turned if for_long else other
    if for_long or not both:
        return item.literal
    return item.mirror


def _ends_long(condition: Condition) -> bool:
    if not isinstance(condition, Compare):
        return False
    return condition.left.kind in {"high", "low"} or condition.op is Op.CROSSES_BELOW


def _missing(phrases: list[Phrase]) -> tuple[str, ...]:
    found = [lexeme.text for phrase in phrases for lexeme in phrase.lexemes if lexeme.kind == "MISSING"]
    return tuple(dict.fromkeys(found))


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
