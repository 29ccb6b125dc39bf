"""Ideas that trade against a move: the rules that a breakout or a crossing states, turned round."""

from __future__ import annotations

from models.providers.offline.rules import Compare, Op, Rule, Series, Stance

_UPWARDS = frozenset({Op.ABOVE, Op.CROSSES_ABOVE})
_DOWNWARDS = frozenset({Op.BELOW, Op.CROSSES_BELOW})


def named_only(rules: list[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
    """Without the breakouts that only name the idea: "Fade 20-day breakouts: short above the 20-day high, ...".

    A rule for both sides gives way where the text says for a side what it does at an edge of the same kind.
    """
    stated = {edge[:3] for item, way in rules if way in {"long", "short"} and (edge := _edge(item))}
    return [
        (item, way)
        for item, way in rules
        if way in {"long", "short"} or item.stance is not Stance.BOTH or _edge(item)[:3] not in stated
    ]


def turned_round(rules: list[tuple[Rule, str]]) -> list[tuple[Rule, str]]:
    """Rules for an idea that fades: what follows a move is traded the other way, unless the text states the side."""
    return [
        (_against(item) if item.stance is Stance.BOTH or way not in {"long", "short"} else item, way)
        for item, way in rules
    ]


def _against(item: Rule) -> Rule:
    if not _follows(item):
        return item
    if item.stance is Stance.BOTH:
        return Rule(item.mirror, item.literal, Stance.BOTH, item.family, item.vague, item.assumed)
    stance = Stance.BEAR if item.stance is Stance.BULL else Stance.BULL
    return Rule(item.literal, item.mirror, stance, item.family, item.vague, item.assumed)


def _follows(item: Rule) -> bool:
    """Whether the rule goes with a move: out of a band, or through a line as an event."""
    if item.family not in {"price", "cross"} or not isinstance(item.literal, Compare):
        return False
    ways = _DOWNWARDS if item.stance is Stance.BEAR else _UPWARDS
    crosses = item.literal.op in {Op.CROSSES_ABOVE, Op.CROSSES_BELOW}
    edge = _edge(item)
    out = edge.endswith("_lower" if item.stance is Stance.BEAR else "_upper")
    return item.literal.op in ways and item.stance is not Stance.NEUTRAL and (out if edge else crosses)


def _edge(item: Rule) -> str:
    """The band or channel edge that the price is compared with, if it is one."""
    right = item.literal.right if isinstance(item.literal, Compare) else None
    return right.kind if isinstance(right, Series) and right.kind.endswith(("_upper", "_lower")) else ""
