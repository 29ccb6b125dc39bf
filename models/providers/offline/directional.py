"""Phrases about indicators of two lines, one for rising prices and one for falling ones: Vortex, Aroon, +DI and -DI."""

from __future__ import annotations

from models.providers.offline.catalogue import series
from models.providers.offline.measures import operator
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Op, Rule, Stance, Value
from models.providers.offline.scope import Scope, rule

_OTHER_LINE = {
    "di_plus": "di_minus",
    "di_minus": "di_plus",
    "aroon_up": "aroon_down",
    "aroon_down": "aroon_up",
    "vortex_plus": "vortex_minus",
    "vortex_minus": "vortex_plus",
}
_PAIRS = {"VORTEX": ("vortex_plus", "vortex_minus"), "AROON": ("aroon_up", "aroon_down")}


def read_directional(phrase: Phrase, _: Scope) -> Rule | None:
    """The two lines against each other, or one of them against a number."""
    return _pair(phrase) or _directional_level(phrase)


def _pair(phrase: Phrase) -> Rule | None:
    """``Vortex crossover``, ``Vortex trend confirmation``: the rising line against the falling one."""
    for kind, (plus, minus) in _PAIRS.items():
        place = phrase.find(kind)
        if place is None:
            continue
        if phrase.find("SERIES", plus, minus) is not None:
            phrase.used.add(place)
            return None
        verb = phrase.take_first("CROSSOVER", "REVERSAL", "COMPARE", "CONFIRM", "OPPOSITE_SIGNAL", "TREND")
        if verb is None:
            return None
        numbers = phrase.lexemes[place].numbers[:1]
        phrase.used.add(place)
        phrase.use("CONFIRM", "CROSSOVER", "REVERSAL")
        state = verb.kind in {"CONFIRM", "TREND"}
        op = Op.ABOVE if state else Op.CROSSES_ABOVE
        if verb.value.startswith("down"):
            literal = Compare(series(plus, *numbers), Op.CROSSES_BELOW, series(minus, *numbers))
            return rule(literal, Stance.BEAR, kind.lower())
        stance = Stance.BULL if verb.value.startswith("up") else Stance.BOTH
        return rule(Compare(series(plus, *numbers), op, series(minus, *numbers)), stance, kind.lower())
    return None


def _directional_level(phrase: Phrase) -> Rule | None:
    """``+DI above 25``, ``Aroon up > 70``: one line of a pair against a number."""
    place = phrase.find("SERIES", *_OTHER_LINE)
    if (
        place is None
        or not phrase.has("COMPARE")
        or not phrase.has("NUMBER")
        or sum(lexeme.value in _OTHER_LINE for lexeme in phrase.lexemes) != 1
    ):
        return None
    verb, lexeme = phrase.lexemes[phrase.find("COMPARE") or 0], phrase.lexemes[place]
    if verb.value.startswith("either"):
        return None
    level = phrase.take("NUMBER")
    phrase.used.add(place)
    phrase.use("COMPARE")
    op = operator(verb.value.split()[0], "event" in verb.value)
    value = Value("level", level.numbers[0] if level is not None else 0.0)
    literal = Compare(series(lexeme.value, *lexeme.numbers[:1]), op, value)
    mirrored = Compare(series(_OTHER_LINE[lexeme.value], *lexeme.numbers[:1]), op, value)
    rising = (lexeme.value in {"di_plus", "aroon_up", "vortex_plus"}) == (op in {Op.ABOVE, Op.CROSSES_ABOVE})
    return Rule(literal, mirrored, Stance.BULL if rising else Stance.BEAR, lexeme.value)
