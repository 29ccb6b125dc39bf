"""What a series is measured against: a level, its own average, extreme or percentile, or another series."""

from __future__ import annotations

from dataclasses import dataclass

from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.mirror import is_directional
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Op, Series, Value

_AVERAGES = ("sma", "ema", "wma", "volume_average")
_PERCENT_SERIES = frozenset({"bb_width", "kc_width", "dc_width", "percent_change", "volatility", "roc"})


@dataclass(frozen=True, slots=True)
class Measured:
    """A comparison, and what had to be assumed to make it."""

    compare: Compare
    assumed: tuple[str, ...] = ()


def operator(direction: str, event: bool) -> Op:
    """``up`` or ``down``, as a crossing or as a state."""
    if direction == "either":
        return Op.CROSSES
    if direction == "up":
        return Op.CROSSES_ABOVE if event else Op.ABOVE
    return Op.CROSSES_BELOW if event else Op.BELOW


def measure(phrase: Phrase, subject: Series, direction: str, *, event: bool = False) -> Measured | None:
    """Compare ``subject`` with what the phrase names, or ``None`` when it names nothing usable."""
    event = event and is_directional(subject)
    op = operator(direction, event)
    for reader in (_percentile, _extreme, _average, _atr_multiple, _number, _other):
        found = reader(phrase, subject, op)
        if found is not None:
            return found
    return None


def _state(op: Op) -> Op:
    return Op.BELOW if op in {Op.BELOW, Op.CROSSES_BELOW} else Op.ABOVE


def _percentile(phrase: Phrase, subject: Series, op: Op) -> Measured | None:
    exact, vague, decile = phrase.take("PERCENTILE"), phrase.take("PERCENTILE_WORD"), phrase.take("DECILE")
    share = None
    if exact is not None:
        share = exact.numbers[0]
    elif vague is not None and (number := phrase.take_first("PERCENT", "NUMBER")) is not None:
        share = number.numbers[0]
    elif decile is not None:
        share = {"decile": 10.0, "quintile": 20.0, "quartile": 25.0}[decile.text.split()[-1]]
    elif phrase.find("WORD_EXTREME") is not None and (percent := phrase.take("PERCENT")) is not None:
        phrase.take("WORD_EXTREME")
        share = percent.numbers[0]
    if exact is None and vague is None and share is None:
        return None
    phrase.use("PERCENTILE_WORD", "DECILE")
    window = phrase.take("PERIOD")
    rank = series("rank", *(window.numbers if window else ()), source=subject)
    op = _state(op)
    assumed = [] if window else ["a percentile is taken among the last 126 bars"]
    if share is None or not 0 < share < 100:
        share = 20.0 if op is Op.BELOW else 80.0
        assumed.append(f"the percentile is {share:.0f}")
        return Measured(Compare(rank, op, Value("percentile", share, said=False)), tuple(assumed))
    return Measured(Compare(rank, op, Value("percentile", share)), tuple(assumed))


def _extreme(phrase: Phrase, subject: Series, _: Op) -> Measured | None:
    word, plain = phrase.find("WORD_EXTREME"), phrase.find("EXTREME")
    place = word if word is not None else plain
    if place is None:
        return None
    low = phrase.lexemes[place].value == "low"
    phrase.used.add(place)
    window = phrase.take("PERIOD")
    kind, op = ("lowest", Op.BELOW) if low else ("highest", Op.ABOVE)
    phrase.use("SQUEEZE", "EXPANSION")
    assumed = () if window else ("the extreme is taken over 126 bars",)
    return Measured(
        Compare(subject, op, series(kind, *(window.numbers if window else (126.0,)), source=subject)), assumed
    )


def _average(phrase: Phrase, subject: Series, op: Op) -> Measured | None:
    kind, window, named = "average", None, False
    if subject.kind in {"heikin", "engulfing"}:
        return None
    moving = phrase.find("SERIES", *_AVERAGES)
    if moving is not None:
        lexeme = phrase.lexemes[moving]
        phrase.used.add(moving)
        kind = "ema_of" if lexeme.value == "ema" else "average"
        window, named = (lexeme.numbers[0] if lexeme.numbers else None), True
    elif (word := phrase.take_first("AVERAGE", "MEDIAN")) is not None:
        kind, named = ("median" if word.kind == "MEDIAN" else "average"), True
    if not named and not (phrase.has("SIGMA") and not is_directional(subject)):
        return None
    root = subject.source if subject.kind in {"average", "ema_of", "median"} and subject.source else subject
    if window is None and (period := phrase.take("PERIOD")) is not None:
        window = period.numbers[0]
    phrase.use("AVERAGE", "MEDIAN")
    assumed = () if window else ("the average is taken over 20 bars",)
    numbers = (window,) if window else ()
    sigma = phrase.take("SIGMA")
    if sigma is not None:
        above = _state(op) is Op.ABOVE
        reach = series("above_mean" if above else "below_mean", window or 20.0, sigma.numbers[0], source=root)
        return Measured(Compare(subject, op, reach), assumed)
    factor = _factor(phrase, _state(op))
    return Measured(Compare(subject, op, series(kind, *numbers, source=root), factor), assumed)


def _factor(phrase: Phrase, op: Op) -> Value | None:
    """``1.5x`` and ``150% of`` the average mean 1.5 times it, ``50% above`` it and ``by 50%`` 1.5 times too."""
    times = phrase.take("TIMES")
    if times is not None:
        return Value("factor", times.numbers[0])
    place = phrase.find("PERCENT")
    if place is None:
        return None
    phrase.used.add(place)
    share = phrase.lexemes[place].numbers[0] / 100
    following = phrase.lexemes[place + 1].kind if place + 1 < len(phrase.lexemes) else ""
    if following == "OF":
        return Value("factor", share)
    return Value("factor", 1 + share if op is Op.ABOVE else max(1 - share, 0.05))


def _atr_multiple(phrase: Phrase, subject: Series, op: Op) -> Measured | None:
    if subject.kind not in {"bb_width", "atr"}:
        return None
    multiple = phrase.take("ATRX")
    if multiple is None:
        return None
    width = Series("bb_range", subject.values) if subject.kind == "bb_width" else subject
    period = multiple.numbers[1:2]
    assumed = () if period else ("the ATR is taken over 14 bars",)
    return Measured(Compare(width, op, series("atr", *period), Value("factor", multiple.numbers[0])), assumed)


def _number(phrase: Phrase, subject: Series, op: Op) -> Measured | None:
    place = phrase.find("NUMBER")
    if place is None and (subject.kind in _PERCENT_SERIES or CATALOGUE[subject.kind].high == 70):
        place = phrase.find("PERCENT")
    if place is None:
        return None
    phrase.used.add(place)
    level = phrase.lexemes[place].numbers[0]
    if subject.kind in {"stochastic", "stoch_rsi"} and 0 < level < 1:
        level *= 100
    return Measured(Compare(subject, op, Value("level", level)))


def _other(phrase: Phrase, subject: Series, op: Op) -> Measured | None:
    place = phrase.find("SERIES", subject.kind, "vortex_plus", "vortex_minus", "di_plus", "di_minus", "kijun")
    if place is None:
        place = phrase.find("SERIES", "aroon_up", "aroon_down")
    if place is None:
        return None
    lexeme = phrase.lexemes[place]
    row, other = CATALOGUE[subject.kind], CATALOGUE[lexeme.value]
    if series(lexeme.value, *lexeme.numbers) == subject:
        return None
    if row.group != other.group and lexeme.value != subject.kind:
        return None
    phrase.used.add(place)
    return Measured(Compare(subject, op, series(lexeme.value, *lexeme.numbers)))
