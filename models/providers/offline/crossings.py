"""Phrases about two lines crossing."""

from __future__ import annotations

from dataclasses import replace

from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import (
    Compare,
    Op,
    Rule,
    Series,
    Stance,
)
from models.providers.offline.scope import Scope, rule

_LINES = tuple(kind for kind, row in CATALOGUE.items() if row.shape == "line")
PAIRED_LINES = (
    "vortex_plus",
    "vortex_minus",
    "di_plus",
    "di_minus",
    "aroon_up",
    "aroon_down",
    "tenkan",
    "kijun",
)


def read_crossing(phrase: Phrase, scope: Scope) -> Rule | None:
    """A golden or death cross, or two lines: ``50-day SMA crosses above the 200-day SMA``."""
    return (
        _golden(phrase, scope)
        or _two_lines(phrase, scope)
        or _second_period(phrase, scope)
        or _periods(phrase, scope)
    )


def _golden(phrase: Phrase, _: Scope) -> Rule | None:
    if (
        sum(lexeme.kind == "SERIES" and lexeme.value in {"sma", "ema", "wma"} for lexeme in phrase.lexemes)
        >= 2
    ):
        return None
    lexeme = phrase.take("GOLDEN")
    if lexeme is None:
        return None
    kind = "sma"
    average = phrase.take("SERIES", "sma", "ema")
    other = phrase.take("SERIES", "sma", "ema")
    fast, slow = 50.0, 200.0
    if average is not None and other is not None and average.numbers and other.numbers:
        kind, fast, slow = average.value, average.numbers[0], other.numbers[0]
    assumed = () if other is not None else ("a golden or death cross is SMA 50 crossing SMA 200",)
    literal = Compare(series(kind, fast), Op.CROSSES_ABOVE, series(kind, slow))
    stance = {"up": Stance.BULL, "down": Stance.BEAR, "both": Stance.BOTH}[lexeme.value]
    if stance is Stance.BEAR:
        literal = Compare(literal.left, Op.CROSSES_BELOW, literal.right)
    return rule(literal, stance, "cross", vague=1, assumed=assumed)


def _two_lines(phrase: Phrase, scope: Scope) -> Rule | None:
    """``50-day SMA crosses above the 200-day SMA``; without a way it means both."""
    places = [
        place
        for place, lexeme in enumerate(phrase.lexemes)
        if lexeme.kind == "SERIES" and lexeme.value in _LINES and place not in phrase.used
    ]
    if len(places) < 2:
        return None
    first, second = (phrase.lexemes[place] for place in places[:2])
    if first.value == second.value and first.numbers == second.numbers:
        return None
    if (first.value in PAIRED_LINES) != (second.value in PAIRED_LINES):
        return None
    verb = phrase.take_first("COMPARE", "CROSSOVER", "BREAK")
    if verb is None and not (first.value in PAIRED_LINES or first.value == second.value):
        return None
    phrase.used |= set(places[:2])
    phrase.use("GOLDEN", "CROSSOVER")
    left, right = _as_series(first, second), _as_series(second, first)
    scope.pair = left, right
    if verb is not None and verb.value.startswith(("up", "down")):
        event = "event" in verb.value or verb.kind == "CROSSOVER"
        return literal_rule(left, verb.value.split()[0], event, right, "cross")
    if first.numbers and second.numbers and first.numbers[0] > second.numbers[0]:
        left, right = right, left
    return rule(Compare(left, Op.CROSSES_ABOVE, right), Stance.BOTH, "cross")


def _second_period(phrase: Phrase, scope: Scope) -> Rule | None:
    """``the 50-day moving average crosses above the 200-day``: the second average goes without its name."""
    place = phrase.find("SERIES", "sma", "ema", "wma", "hma", "dema")
    window = phrase.find("PERIOD")
    verb = phrase.find("COMPARE")
    if (
        place is None
        or window is None
        or verb is None
        or not place < verb < window
        or phrase.has("EXTREME", "AVERAGE")
    ):
        return None
    line = phrase.lexemes[place]
    if not line.numbers or phrase.find("SERIES", "close") is not None:
        return None
    phrase.used |= {place, window, verb}
    left, right = series(line.value, *line.numbers), series(line.value, *phrase.lexemes[window].numbers)
    scope.pair = left, right
    way = phrase.lexemes[verb].value
    if way.startswith("either"):
        return rule(Compare(left, Op.CROSSES_ABOVE, right), Stance.BOTH, "cross")
    return literal_rule(left, way.split()[0], "event" in way, right, "cross")


def _periods(phrase: Phrase, scope: Scope) -> Rule | None:
    """``the 5-day crosses below the 20-day``: two averages that were named before, by their periods alone."""
    order = [place for place, lexeme in enumerate(phrase.lexemes) if lexeme.kind != "FILLER"]
    kinds = [phrase.lexemes[place].kind for place in order]
    if kinds != ["PERIOD", "COMPARE", "PERIOD"] or phrase.used:
        return None
    kind = scope.line.value if scope.line is not None else "sma"
    assumed = () if scope.line is not None else ("averages of no named kind are simple ones",)
    first, verb, second = (phrase.lexemes[place] for place in order)
    if verb.value.startswith("either"):
        return None
    phrase.used |= set(order)
    left, right = series(kind, *first.numbers), series(kind, *second.numbers)
    found = literal_rule(left, verb.value.split()[0], "event" in verb.value, right, "cross")
    return replace(found, assumed=assumed)


def _as_series(lexeme: Lexeme, other: Lexeme) -> Series:
    kind = lexeme.value
    if (
        kind == "sma"
        and lexeme.text.endswith(("moving average", "ma"))
        and other.value in {"ema", "vwma", "wma", "hma"}
    ):
        kind = (
            other.value
            if lexeme.text.split()[-1] in {"ma", "average"} and "simple" not in lexeme.text
            else kind
        )
    return series(kind, *lexeme.numbers[: len(CATALOGUE[kind].defaults)])


def literal_rule(left: Series, way: str, event: bool, right: Series, family: str) -> Rule:
    """``left`` above (``way`` is ``up``) or below ``right``, as a crossing or as a state, as the text states it."""
    if way == "up":
        return rule(Compare(left, Op.CROSSES_ABOVE if event else Op.ABOVE, right), Stance.BULL, family)
    return rule(Compare(left, Op.CROSSES_BELOW if event else Op.BELOW, right), Stance.BEAR, family)
