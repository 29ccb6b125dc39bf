"""How a position ends: conditions turned to the side they end, and defaults where the text names nothing."""

from __future__ import annotations

from dataclasses import replace

from models.providers.offline.leaving import STOP_ATR, Leaving
from models.providers.offline.mirror import mirror, negate
from models.providers.offline.reading import Reading
from models.providers.offline.rules import (
    AllOf,
    Compare,
    Condition,
    Distance,
    Exits,
    Op,
    Rule,
    Stance,
    StopKind,
    Value,
)

_HOLD = 20.0


def settle_exits(reading: Reading, long: tuple[Condition, ...], short: tuple[Condition, ...]) -> Exits:
    """Turn what was read into exits of the sides that are traded; adds to ``reading.leaving.assumed``."""
    leaving, both = reading.leaving, bool(long and short)
    exact = {item.family for item in reading.exits if not item.vague}
    rules = [item for item in reading.exits if not (item.vague and item.family in exact)]
    if leaving.target is not None and leaving.target.kind is StopKind.RISK and leaving.stop is None:
        leaving.stop = _risk(leaving)
    turned = None if both or not leaving.opposite_entry else _opposite_event(long or short)
    if not both and leaving.opposite_entry:
        leaving.opposite_entry = False
    if not rules and turned is None and not leaving.complete:
        _without_exit(leaving, both=both)
    if both and any(item.stance is not Stance.BOTH and item.literal != item.mirror for item in rules):
        leaving.assumed.append("an exit that the text states once is mirrored for short positions")
    if leaving.otherwise:
        leaving.assumed.append("the position is closed when an entry condition no longer holds")
    extra = (turned,) if turned is not None else ()
    long_exits = [*(_exit_side(item, for_long=True, both=both) for item in rules), *extra] if long else []
    short_exits = [*(_exit_side(item, for_long=False, both=both) for item in rules), *extra] if short else []
    if set(long_exits) & set(long) or set(short_exits) & set(short):
        leaving.assumed.append("an exit that repeats an entry condition is left out")
        long_exits = [item for item in long_exits if item not in long]
        short_exits = [item for item in short_exits if item not in short]
    if leaving.otherwise:
        long_exits += _failing(long)
        short_exits += _failing(short)
    return replace(
        leaving.exits(), long=tuple(dict.fromkeys(long_exits)), short=tuple(dict.fromkeys(short_exits))
    )


def _failing(conditions: tuple[Condition, ...]) -> list[Condition]:
    """Each entry condition turned into the one that holds when it does not."""
    return [turned for item in conditions if (turned := negate(item)) is not None]


def _risk(leaving: Leaving) -> Distance:
    """What a reward is a multiple of: the trailing stop's distance, else an assumed stop."""
    if leaving.trail is not None:
        amount = leaving.trail.amount
        return replace(leaving.trail, amount=replace(amount, name=amount.name.replace("trail", "stop")))
    leaving.assumed.append(f"the risk is a stop {STOP_ATR:g} x ATR(14) away")
    period = Value("atr_period", 14.0, said=False)
    return Distance(StopKind.ATR, Value("stop_atr", STOP_ATR, said=False), period)


def _without_exit(leaving: Leaving, *, both: bool) -> None:
    if both:
        leaving.opposite_entry = True
        leaving.assumed.append("the text names no exit: the opposite entry closes the position")
    else:
        leaving.bars = Value("max_bars", _HOLD, said=False)
        leaving.assumed.append(f"the text names no exit: the position is closed after {_HOLD:g} bars")


def _opposite_event(conditions: tuple[Condition, ...]) -> Condition | None:
    """The entry's crossing the other way round, for a strategy that trades one side only."""
    events = {Op.CROSSES_ABOVE, Op.CROSSES_BELOW}
    found = (item for item in conditions if isinstance(item, Compare) and item.op in events)
    event = next(found, None)
    return mirror(event) if event is not None else None


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
    if isinstance(condition, AllOf):
        return any(_ends_long(part) for part in condition.conditions)
    if not isinstance(condition, Compare):
        return False
    return condition.left.kind in {"high", "low"} or condition.op in {Op.BELOW, Op.CROSSES_BELOW}
