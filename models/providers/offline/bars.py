"""Phrases about the bars themselves: closes in a row, slopes of lines, distances from a line or an extreme."""

from __future__ import annotations

import itertools

from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Op, Rule, Series, Stance, Value
from models.providers.offline.scope import Scope, rule

_FLIPPING = frozenset({"sar", "supertrend"})  # these jump across the price: their slope says nothing
_LINES = tuple(
    kind for kind, row in CATALOGUE.items() if row.shape == "line" and not row.group and kind not in _FLIPPING
)
_AWAY = frozenset({"PERCENT", "ATRX"})
_ATR_PERIOD = 14.0


def read_bars(phrase: Phrase, scope: Scope) -> Rule | None:
    """The first of: bars in a row, a distance, a slope."""
    for reader in (_in_a_row, _distance, _slope):
        found = reader(phrase, scope)
        if found is not None:
            return found
    return None


def _in_a_row(phrase: Phrase, _: Scope) -> Rule | None:
    """``3 consecutive lower closes``."""
    lexeme = phrase.take("STREAK")
    if lexeme is None:
        return None
    literal = Compare(series(lexeme.value, lexeme.numbers[0]), Op.ABOVE, Value("level", 0.5, said=False))
    phrase.take("SERIES", "close")
    rising = lexeme.value.startswith(("higher", "green"))
    return rule(literal, Stance.BULL if rising else Stance.BEAR, "streak")


def _distance(phrase: Phrase, _: Scope) -> Rule | None:
    """``3% below the 10-day SMA``, ``2 ATR above the 20-day EMA``, ``5% below the 20-day high``."""
    if phrase.has("STOP", "TRAIL", "TARGET"):
        return None
    order = [place for place, lexeme in enumerate(phrase.lexemes) if lexeme.kind not in {"FILLER", "OF"}]
    for first, second in itertools.pairwise(order):
        away, verb = phrase.lexemes[first], phrase.lexemes[second]
        if away.kind in _AWAY and verb.kind == "COMPARE" and not {first, second} & phrase.used:
            break
    else:
        return None
    way = verb.value.split()[0]
    found = _from_where(phrase, second)
    if found is None or way == "either":
        return None
    line, places = found
    phrase.used |= {first, second, *places}
    phrase.take("SERIES", "close")
    up = way == "up"
    stance = Stance.BEAR if up else Stance.BULL  # far above is stretched upwards: a return is what is traded
    op = Op.ABOVE if up else Op.BELOW
    if away.kind == "PERCENT":
        share = away.numbers[0] / 100 * (1 if up else -1)
        return rule(Compare(series("close"), op, line, Value("factor", round(1 + share, 6))), stance, "price")
    period = Value(
        "atr_period", away.numbers[1] if len(away.numbers) > 1 else _ATR_PERIOD, len(away.numbers) > 1
    )
    reach = Series("atr_above" if up else "atr_below", (period, Value("atr_factor", away.numbers[0])), line)
    return rule(Compare(series("close"), op, reach), stance, "price")


def _from_where(phrase: Phrase, after: int) -> tuple[Series, tuple[int, ...]] | None:
    for place in range(after + 1, len(phrase.lexemes)):
        lexeme = phrase.lexemes[place]
        if lexeme.kind == "SERIES" and lexeme.value in _LINES:
            return series(lexeme.value, *lexeme.numbers[: len(CATALOGUE[lexeme.value].defaults)]), (place,)
        if lexeme.kind == "EXTREME" and phrase.lexemes[place - 1].kind == "PERIOD":
            return extreme(lexeme, phrase.lexemes[place - 1].numbers), (place, place - 1)
    return None


def extreme(lexeme: Lexeme, window: tuple[float, ...]) -> Series:
    """``20-day high`` (of the highs) or ``20-day closing high``, always of the bars before."""
    high = lexeme.value == "high"
    if lexeme.text.startswith("closing"):
        return series("highest" if high else "lowest", *window, source=series("close"))
    return series("dc_upper" if high else "dc_lower", *window)


def _slope(phrase: Phrase, scope: Scope) -> Rule | None:
    """``a rising 200-day SMA``, ``HMA(20) turns up``: an average beside a word that says which way it goes."""
    order = [place for place, lexeme in enumerate(phrase.lexemes) if lexeme.kind != "FILLER"]
    for first, second in itertools.pairwise(order):
        pair = {phrase.lexemes[first].kind: first, phrase.lexemes[second].kind: second}
        verb = pair.get("TREND", pair.get("TURN"))
        line = pair.get("SERIES")
        if verb is None or line is None or verb in phrase.used or phrase.lexemes[line].value not in _LINES:
            continue
        lexeme = phrase.lexemes[line]
        phrase.used.add(verb)
        if not phrase.has("COMPARE"):
            phrase.used.add(line)
        return sloping(series(lexeme.value, *lexeme.numbers[:1]), phrase.lexemes[verb], lexeme.value)
    if len(order) == 1 and scope.subject is not None and scope.subject.value in _LINES:
        verb = phrase.find("TREND")
        if verb is not None:
            phrase.used.add(verb)
            return sloping(
                series(scope.subject.value, *scope.subject.numbers[:1]),
                phrase.lexemes[verb],
                scope.subject.value,
            )
    return None


def sloping(line: Series, verb: Lexeme, family: str) -> Rule:
    """The line rises or falls on this bar, or (``turns up``) begins to."""
    up, event = (
        verb.value.startswith("up"),
        "event" in verb.value or (verb.kind == "TURN" and "state" not in verb.value),
    )
    ops = (Op.CROSSES_ABOVE, Op.CROSSES_BELOW) if event else (Op.ABOVE, Op.BELOW)
    moved = Series("change", (Value("bars", 1.0, said=False),), line)
    assumed = ("rising and falling are told by the change over 1 bar",)
    literal = Compare(moved, ops[0] if up else ops[1], Value("level", 0.0, said=False))
    return rule(literal, Stance.BULL if up else Stance.BEAR, f"{family} slope", assumed=assumed)
