"""Phrases about volume."""

from __future__ import annotations

from models.providers.offline.catalogue import series
from models.providers.offline.measures import measure
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Op, Rule, Series, Stance, Value
from models.providers.offline.scope import Scope, rule

_SPIKE = 1.5


def read_volume(phrase: Phrase, scope: Scope) -> Rule | None:
    """``volume above 1.5x its 20-day average``, ``a volume spike``, ``3-day average volume exceeds ...``."""
    adjective = phrase.take_first("VOLUME_HIGH", "VOLUME_LOW")
    if adjective is not None:
        return _against_average(adjective.kind == "VOLUME_HIGH", adjective.text)
    place = phrase.find("SERIES", "volume", "volume_average", "volume_roc")
    if place is None:
        inherited = scope.subject
        if (
            phrase.has("WORD")
            or inherited is None
            or not inherited.value.startswith("volume")
            or inherited.value == "volume_macd"
        ):
            return None
        if not phrase.has("AVERAGE", "MEDIAN", "TIMES", "PERCENT") or phrase.has("SERIES", "TARGET", "STOP"):
            moving = phrase.find("SERIES", "sma", "ema", "volume_average")
            if moving is None or not phrase.has("PERCENT", "TIMES"):
                return None
        return _measured(phrase, series("volume"))
    lexeme = phrase.lexemes[place]
    phrase.used.add(place)
    if (
        lexeme.value == "volume_average"
        and not lexeme.numbers
        and (multiple := _multiple(phrase, series("volume")))
    ):
        return multiple
    found = _measured(phrase, _subject(lexeme.value, lexeme.numbers)) or _loose(phrase, lexeme.value)
    if found is None:
        phrase.used.discard(place)
    return found


def _subject(kind: str, numbers: tuple[float, ...]) -> Series:
    if kind == "volume_roc":
        return series("percent_change", *numbers[:1], source=series("volume"))
    if kind == "volume_average" or numbers:
        return series("average", *numbers[:1], source=series("volume"))
    return series("volume")


def _measured(phrase: Phrase, subject: Series) -> Rule | None:
    compare = phrase.find("COMPARE")
    direction = "up" if compare is None else phrase.lexemes[compare].value.split()[0]
    if phrase.find("TREND", "down") is not None and compare is None:
        direction = "down"
    if direction == "either":
        return None
    measured = measure(phrase, subject, direction)
    if measured is None:
        return _multiple(phrase, subject)
    if isinstance(measured.compare.right, Value) and measured.compare.left.kind == "volume":
        return None
    phrase.use("COMPARE", "SURGE", "TREND", "EXPANSION", "CONFIRM")
    return rule(measured.compare, Stance.NEUTRAL, "volume", assumed=measured.assumed)


def _multiple(phrase: Phrase, subject: Series) -> Rule | None:
    """``a 2x spike in volume``, ``150%+ volume``: a multiple of an average that the text leaves out."""
    place = phrase.find("TIMES")
    if place is None:
        place = phrase.find("PERCENT")
    if place is None or phrase.has("TARGET", "STOP", "TRAIL") or subject.kind != "volume":
        return None
    phrase.used.add(place)
    number = phrase.lexemes[place].numbers[0]
    percent = phrase.lexemes[place].kind == "PERCENT"
    following = phrase.lexemes[place + 1].kind if place + 1 < len(phrase.lexemes) else ""
    share = number / 100 if percent else number
    if percent and (share < 1 or following == "SURGE" or phrase.has("SURGE", "TREND")):
        share += 1
    phrase.use("COMPARE", "SURGE", "TREND", "CONFIRM")
    average = series("average", source=subject)
    factor = Value("factor", share)
    assumed = ("volume is compared with its 20-bar average",)
    return rule(Compare(subject, Op.ABOVE, average, factor), Stance.NEUTRAL, "volume", assumed=assumed)


def _loose(phrase: Phrase, kind: str) -> Rule | None:
    if kind == "volume_roc":
        phrase.use("SURGE", "TREND", "CONFIRM")
        subject = _subject(kind, ())
        zero = Value("level", 0.0, said=False)
        assumed = ("rising volume is a rate of change over 3 bars above 0",)
        return rule(Compare(subject, Op.ABOVE, zero), Stance.NEUTRAL, "volume", vague=1, assumed=assumed)
    falling = phrase.take("TREND", "down")
    if falling is not None:
        return _against_average(False, "declining volume")
    rising = phrase.take_first("SURGE", "EXPANSION")
    if rising is not None:
        phrase.use("CONFIRM", "TREND")
        average = series("average", source=series("volume"))
        factor = Value("factor", _SPIKE, said=False)
        assumed = (f"a volume spike is {_SPIKE} times the 20-bar average volume",)
        condition = Compare(series("volume"), Op.ABOVE, average, factor)
        return rule(condition, Stance.NEUTRAL, "volume", vague=1, assumed=assumed)
    if not phrase.has("WORD") and (phrase.take("TREND", "up") or phrase.take("CONFIRM")):
        return _against_average(True, "confirming volume")
    return None


def _against_average(high: bool, said: str) -> Rule:
    average = series("average", source=series("volume"))
    side = "above" if high else "below"
    assumed = (f"{said} is volume {side} its 20-bar average",)
    condition = Compare(series("volume"), Op.ABOVE if high else Op.BELOW, average)
    return rule(condition, Stance.NEUTRAL, "volume", vague=1, assumed=assumed)
