"""Phrases about volatility: squeezes, band widths, expansions."""

from __future__ import annotations

from models.providers.offline.catalogue import series
from models.providers.offline.measures import measure
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Op, Rule, Series, Stance, Value
from models.providers.offline.scope import Scope, rule

_SQUEEZE_LEVEL = 20.0
_WIDTHS = ("bb_width", "kc_width")


def read_quiet(phrase: Phrase, scope: Scope) -> Rule | None:
    """The first of: bands inside bands, a measured width, a bare squeeze or expansion."""
    for reader in (_bands_inside, _measured_width, _threshold, _bare):
        found = reader(phrase, scope)
        if found is not None:
            return found
    return None


def _bands_inside(phrase: Phrase, scope: Scope) -> Rule | None:
    bollinger = phrase.find("PAIR", "bollinger")
    if bollinger is None:
        bollinger = phrase.find("SERIES", "bb_width")
    keltner = phrase.find("PAIR", "keltner")
    if bollinger is None or keltner is None or not (phrase.has("INSIDE") or phrase.has("SQUEEZE")):
        return None
    phrase.used |= {bollinger, keltner}
    phrase.use("INSIDE", "SQUEEZE")
    return rule(_inside(scope.numbers.get("bollinger", ())), Stance.NEUTRAL, "squeeze")


def _inside(numbers: tuple[float, ...]) -> Compare:
    return Compare(series("squeeze", *numbers[:2]), Op.ABOVE, Value("level", 0.5, said=False))


def _width_subject(phrase: Phrase, scope: Scope) -> tuple[Series, int] | None:
    place = phrase.find("SERIES", *_WIDTHS)
    if place is not None:
        lexeme = phrase.lexemes[place]
        family = "bollinger" if lexeme.value == "bb_width" else "keltner"
        if lexeme.text.endswith("width") and phrase.find("SERIES", "close") is None:
            phrase.take("PAIR", family)
        return series(lexeme.value, *(lexeme.numbers or scope.numbers.get(family, ()))), place
    moving = _moving_verb(phrase)
    if not (phrase.has("SQUEEZE", "EXPANSION") or moving or phrase.find("COMPARE", "down") is not None):
        return None
    place = phrase.find("PAIR", "bollinger", "keltner", "donchian")
    if place is None:
        place = phrase.find("ANY_PAIR") if phrase.has("SQUEEZE", "EXPANSION") or moving else None
    if place is None:
        return None
    lexeme = phrase.lexemes[place]
    family = lexeme.value or scope.bands or "bollinger"
    kind = {"keltner": "kc_width", "donchian": "dc_width"}.get(family, "bb_width")
    price = phrase.find("SERIES", "close")
    if price is not None and price < place and not phrase.has("SQUEEZE"):
        return None
    compare = phrase.find("COMPARE", "down")
    if compare is not None and not phrase.lexemes[compare].text.startswith(("contract", "narrow", "is", "<")):
        return None
    return series(kind, *(lexeme.numbers or scope.numbers.get(family, ()))), place


def _moving_verb(phrase: Phrase) -> bool:
    """Whether the comparison itself says widening or narrowing ("expansion above", "contracts below")."""
    place = phrase.find("COMPARE")
    return place is not None and phrase.lexemes[place].text.startswith(("expan", "contract", "narrow"))


def _measured_width(phrase: Phrase, scope: Scope) -> Rule | None:
    """``width below its 20-day average``, ``contracts to a 10-day low``, ``below the 10th percentile``."""
    found = _width_subject(phrase, scope)
    if found is None:
        return None
    subject, place = found
    direction, explicit = _width_direction(phrase)
    if phrase.find("SERIES", "atr") is not None and direction == "down" and not phrase.has("ATRX"):
        phrase.used.add(place)
        phrase.use("COMPARE", "SQUEEZE")
        phrase.take("SERIES", "atr")
        assumed = (
            "bands tighter than the ATR means Bollinger Bands (20, 2) inside a Keltner Channel (20, 1.5 x ATR)",
        )
        return rule(_inside(()), Stance.NEUTRAL, "squeeze", assumed=assumed)
    if phrase.has("WORD_EXTREME") and phrase.find("EXPANSION") is not None:
        direction = "down"  # bands that expand from their narrowest were narrow before
    before = set(phrase.used)
    phrase.used.add(place)
    measured = measure(phrase, subject, direction or "down")
    if measured is None:
        phrase.used = before
        return _bare_width(phrase, subject, place, direction, explicit=explicit)
    phrase.use("COMPARE", "SQUEEZE", "EXPANSION", "TOUCH")
    family = "squeeze" if measured.compare.op is Op.BELOW else "expansion"
    vague = isinstance(measured.compare.right, Value) and not measured.compare.right.said
    return rule(measured.compare, Stance.NEUTRAL, family, vague=int(vague), assumed=measured.assumed)


def _width_direction(phrase: Phrase) -> tuple[str, bool]:
    compare = phrase.find("COMPARE")
    if phrase.find("EXPANSION") is not None:
        return "up", compare is not None
    if compare is not None:
        value = phrase.lexemes[compare].value
        return ("up" if value.startswith("up") else "down"), True
    return ("down" if phrase.has("SQUEEZE") or phrase.find("TREND", "down") is not None else ""), False


def _bare_width(
    phrase: Phrase, subject: Series, place: int, direction: str, *, explicit: bool
) -> Rule | None:
    vague_level = phrase.find("SERIES", "volatility") if explicit else None
    if phrase.find("TREND", "up") is not None and not phrase.has("SQUEEZE"):
        direction = "up"
        phrase.use("TREND")
    if not direction or phrase.has("SIGMA", "DIVERGENCE"):
        return None
    if vague_level is not None:
        numbers = phrase.lexemes[vague_level].numbers
        phrase.used |= {vague_level, place}
        phrase.use("COMPARE", "SQUEEZE", "EXPANSION")
        average = series("average", *numbers[:1], source=subject)
        assumed = ("a volatility threshold for the bands is the average of their width",)
        op = Op.BELOW if direction == "down" else Op.ABOVE
        return rule(Compare(subject, op, average), Stance.NEUTRAL, "squeeze", assumed=assumed)
    if explicit and phrase.find("EXPANSION") is None:
        return None
    phrase.used.add(place)
    phrase.use("SQUEEZE", "EXPANSION")
    if direction == "down":
        phrase.take("TREND", "down")
    return _vague(subject, direction, 1)


def _vague(subject: Series, direction: str, vague: int) -> Rule:
    if direction == "down":
        rank = Compare(
            series("rank", source=subject), Op.BELOW, Value("percentile", _SQUEEZE_LEVEL, said=False)
        )
        assumed = (f"a squeeze is a width in the lowest {_SQUEEZE_LEVEL:.0f}% of the last 126 bars",)
        return rule(rank, Stance.NEUTRAL, "squeeze", vague=vague, assumed=assumed)
    average = Compare(subject, Op.ABOVE, series("average", source=subject))
    assumed = ("expansion is a band width above its 20-bar average",)
    return rule(average, Stance.NEUTRAL, "expansion", vague=vague, assumed=assumed)


def _threshold(phrase: Phrase, _: Scope) -> Rule | None:
    """``10-day historical volatility drops below the 5th percentile``, ``contraction below its average``."""
    place = phrase.find("SERIES", "volatility", "atr", "chaikin_volatility")
    if place is None and not (phrase.has("SQUEEZE") and phrase.has("COMPARE")):
        return None
    if place is not None and phrase.lexemes[place].value == "atr" and phrase.has("STOP", "TRAIL", "TARGET"):
        return None
    if place is None:
        subject = series("volatility")
    else:
        lexeme = phrase.lexemes[place]
        subject = series(lexeme.value, *lexeme.numbers)
    compare = phrase.find("COMPARE")
    direction = "" if compare is None else phrase.lexemes[compare].value.split()[0]
    if not direction and phrase.has("SQUEEZE"):
        direction = "down"
    squeezed = place is None or phrase.has("SQUEEZE")
    if place is not None:
        phrase.used.add(place)
    before = set(phrase.used)
    measured = measure(phrase, subject, direction) if direction in {"up", "down"} else None
    if measured is None:
        phrase.used = before - ({place} if place is not None else set())
        return _changing(phrase, subject, place)
    phrase.use("COMPARE", "SQUEEZE", "EXPANSION")
    falling = (
        "squeeze" if squeezed else "quiet"
    )  # a squeeze comes before its breakout, a quiet bar is a filter
    family = falling if measured.compare.op is Op.BELOW else "expansion"
    return rule(measured.compare, Stance.NEUTRAL, family, assumed=measured.assumed)


def _changing(phrase: Phrase, subject: Series, place: int | None) -> Rule | None:
    if place is None or phrase.has("ATRX") or phrase.has("COMPARE"):
        return None
    rising = phrase.take("EXPANSION") or phrase.take("TREND", "up")
    falling = None if rising else (phrase.take("SQUEEZE") or phrase.take("TREND", "down"))
    if rising is None and falling is None:
        return None
    phrase.used.add(place)
    op, family = (Op.ABOVE, "expansion") if rising else (Op.BELOW, "squeeze")
    assumed = ("rising or falling volatility is measured against its 20-bar average",)
    return rule(
        Compare(subject, op, series("average", source=subject)), Stance.NEUTRAL, family, assumed=assumed
    )


def _bare(phrase: Phrase, scope: Scope) -> Rule | None:
    if phrase.has("COMPARE", "SIGMA", "ATRX") or phrase.find("SERIES", "obv") is not None:
        return None
    quiet, loud = phrase.find("SQUEEZE"), phrase.find("EXPANSION")
    if quiet is None and loud is None:
        return None
    phrase.use("SQUEEZE", "EXPANSION")
    direction = "down" if quiet is not None else "up"
    return _vague(series("bb_width", *scope.numbers.get("bollinger", ())), direction, 2)
