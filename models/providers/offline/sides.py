"""Rules as conditions for long and for short: which side the text speaks for, and what must hold at once."""

from __future__ import annotations

from dataclasses import replace

from models.providers.offline.catalogue import series
from models.providers.offline.describe import condition_in_words
from models.providers.offline.rules import (
    Compare,
    Condition,
    Op,
    Recent,
    Rule,
    Series,
    Stance,
    Value,
)
from models.providers.offline.scope import Scope, rule

_MEMORY = 5.0


def settle(entries: list[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
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


def _same(item: Rule, other: Rule) -> bool:
    """Whether two rules compare the same two lines on the same side: once as an event, once as a state."""
    one, two = item.literal, other.literal
    if not (isinstance(one, Compare) and isinstance(two, Compare)) or one == two:
        return False
    falls = {Op.BELOW, Op.CROSSES_BELOW}
    return one.left == two.left and one.right == two.right and (one.op in falls) == (two.op in falls)


def share_squeeze(rules: list[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
    """A squeeze that the text names once comes before a breakout either way, whichever side it stands beside."""
    ways = [way for item, way in rules if item.family == "squeeze"]
    return [(item, "" if item.family == "squeeze" and len(ways) == 1 else way) for item, way in rules]


def lacks_event(rules: list[tuple[Rule, str]], directions: set[str]) -> bool:
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


def unnamed_breakout(scope: Scope, rules: list[tuple[Rule, str]]) -> Rule:
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


def assign_sides(
    rules: list[tuple[Rule, str]], directions: set[str], assumed: list[str]
) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """Conditions for long and for short; an empty tuple where the idea does not trade that way."""
    if not rules:
        return (), ()
    ways = {way for item, way in rules if way and not item.family.startswith("not ")}
    if {"long", "short"} <= ways:
        long = [_side(item, Stance.BULL) for item, way in rules if way != "short"]
        short = [_side(item, Stance.BEAR) for item, way in rules if way != "long"]
        return _conjoin(rules, long, assumed), _conjoin(rules, short, assumed)
    anchor = _anchor(rules)
    if anchor is Stance.NEUTRAL and not (ways or directions) & {"long", "short"}:
        return (), ()
    both = "both" in directions or {"long", "short"} <= directions
    if both and anchor is Stance.NEUTRAL:
        return (), ()
    if both:
        literal_is_long = "long" in ways or (anchor is not Stance.BEAR and ways != {"short"})
        long = [
            _of_both(item, literal=literal_is_long, way=way)
            for item, way in rules
            if not _kept_out(item, way, "short")
        ]
        short = [
            _of_both(item, literal=not literal_is_long, way=way, short=True)
            for item, way in rules
            if not _kept_out(item, way, "long")
        ]
        return _conjoin(rules, long, assumed), _conjoin(rules, short, assumed)
    if directions:
        side = Stance.BULL if "long" in directions else Stance.BEAR
    elif anchor is Stance.BOTH:
        long = [item.literal for item, _ in rules]
        short = [item.mirror for item, _ in rules]
        return _conjoin(rules, long, assumed), _conjoin(rules, short, assumed)
    else:
        side = anchor
        name = "long" if side is Stance.BULL else "short"
        assumed.append(f"{name} only: the conditions are stated for that side alone")
    conditions = _conjoin(rules, [_side(item, side) for item, _ in rules], assumed)
    return (conditions, ()) if side is Stance.BULL else ((), conditions)


def _side(item: Rule, side: Stance) -> Condition:
    """What the text says for a side that it names: the words as they stand, unless they state both sides."""
    return item.mirror if item.stance is Stance.BOTH and side is Stance.BEAR else item.literal


def _kept_out(item: Rule, way: str, side: str) -> bool:
    """Whether the rule is an exception that the text makes for ``side`` alone ("no longs below the SMA")."""
    return way == side and item.family.startswith("not ")


def _of_both(item: Rule, *, literal: bool, way: str, short: bool = False) -> Condition:
    """What a rule of a two-sided idea says for one side: its words, or their mirror."""
    if item.family.startswith("not ") and way:
        return item.literal
    if item.stance is Stance.BOTH:
        return item.mirror if short else item.literal
    return item.literal if literal else item.mirror


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
    rules: list[tuple[Rule, str]], conditions: list[Condition], assumed: list[str]
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
                assumed.append(
                    "two crossings need not fall on one bar: the first is the event, others are states"
                )
            crossed = True
        waits = family == "squeeze" or family.endswith("divergence")
        if isinstance(condition, Compare) and waits and len(conditions) > 1 and stances:
            condition = Recent(condition, Value("memory", _MEMORY, said=False))
            assumed.append(
                f"a squeeze or divergence counts when it was there within the last {_MEMORY:g} bars"
            )
        out.append(condition)
    return tuple({condition_in_words(item): item for item in out}.values())


def contradicts(conditions: tuple[Condition, ...]) -> bool:
    """Whether one series would have to be above and below the same line, or below a level and above a higher one."""
    floors: dict[Series, float] = {}
    ceilings: dict[Series, float] = {}
    for item in conditions:
        if isinstance(item, Compare) and isinstance(item.right, Value):
            if item.op in {Op.ABOVE, Op.CROSSES_ABOVE}:
                floors[item.left] = max(item.right.number, floors.get(item.left, item.right.number))
            elif item.op in {Op.BELOW, Op.CROSSES_BELOW}:
                ceilings[item.left] = min(item.right.number, ceilings.get(item.left, item.right.number))
    if any(line in ceilings and ceilings[line] <= floor for line, floor in floors.items()):
        return True
    ways = {
        (item.left, item.right, item.op in {Op.ABOVE, Op.CROSSES_ABOVE})
        for item in conditions
        if isinstance(item, Compare) and isinstance(item.right, Series)
        if item.factor is None and item.op is not Op.CROSSES
    }
    return any((left, right, not above) in ways for left, right, above in ways)


def reverts(long: tuple[Condition, ...], short: tuple[Condition, ...]) -> bool:
    """Whether the entry bets on a return: long at a lower edge, or short at an upper one."""
    return any(
        isinstance(item, Compare) and isinstance(item.right, Series) and item.right.kind.endswith(suffix)
        for conditions, suffix in ((long, "_lower"), (short, "_upper"))
        for item in conditions
    )
