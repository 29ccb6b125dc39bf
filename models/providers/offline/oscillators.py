"""Phrases about oscillators, trend strength, flows and divergences."""

from __future__ import annotations

from dataclasses import replace

from models.providers.offline.bars import sloping
from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.measures import measure, operator
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Condition, Op, Rule, Series, Stance, Value
from models.providers.offline.scope import Scope, rule

_OSCILLATORS = tuple(
    kind for kind, row in CATALOGUE.items() if row.centre is not None and kind != "divergence"
)
_STRENGTHS = {"adx": 25.0, "choppiness": 38.2}
_SUBJECTS = (*_OSCILLATORS, "obv", *_STRENGTHS)
_OTHER_SUBJECTS = (
    *("WORD", "SERIES", "TARGET", "STOP", "TRAIL", "PAIR", "ANY_PAIR", "EDGE", "ANY_EDGE"),
    *("HIGH_LOW", "EXPANSION", "SQUEEZE", "MISSING"),
)
_HITS = frozenset({"hits", "hit", "reaches", "reach", "reached"})


def read_oscillator(phrase: Phrase, scope: Scope) -> Rule | None:
    """A condition on an oscillator, ADX, choppiness, OBV or a pair of directional lines."""
    reached = _reached(phrase, scope)
    if reached is not None:
        return reached
    place = phrase.find("SERIES", *_SUBJECTS)
    lexeme = phrase.lexemes[place] if place is not None else None
    if lexeme is None:
        again = (phrase.leaving and phrase.has("NUMBER")) or phrase.has("SIGNAL_LINE")
        lexeme = scope.oscillator if again else scope.subject
        if lexeme is None or lexeme.value not in _SUBJECTS or phrase.has(*_OTHER_SUBJECTS):
            return None
        if not phrase.has("COMPARE", "TURN", "TREND", "CROSSOVER", "LEVEL", "LEVELS", "SIGNAL_LINE"):
            return None
    subject = series(lexeme.value, *lexeme.numbers[: len(CATALOGUE[lexeme.value].defaults)])
    before = set(phrase.used)
    if place is not None:
        phrase.used.add(place)
    found = _condition(phrase, subject, lexeme)
    if found is None:
        phrase.used = before
    return found


def _reached(phrase: Phrase, scope: Scope) -> Rule | None:
    """``exit at 50``, ``sell at RSI 70``: a level that ends the trade when it is reached from either side."""
    rest = [lexeme for lexeme in phrase.lexemes if lexeme.kind not in {"FILLER", "MOVE", "TOUCH"}]
    named = next(
        (lexeme for lexeme in rest if lexeme.kind == "SERIES" and lexeme.value in _OSCILLATORS), None
    )
    kinds = [lexeme.kind for lexeme in rest]
    subject = named or scope.oscillator
    hit = any(lexeme.text in _HITS or lexeme.kind == "TOUCH" for lexeme in phrase.lexemes)
    if (
        not (phrase.leaving or hit)
        or phrase.used
        or subject is None
        or kinds not in (["NUMBER"], ["SERIES", "NUMBER"], ["LEVEL"])
    ):
        return None
    if len(kinds) == 2 and named is None:
        return None
    last = rest[-1]
    centre = CATALOGUE[subject.value].centre or 0.0
    if last.kind == "LEVEL" and last.value != "centre":
        return None
    level = Value("level", last.numbers[0]) if last.kind == "NUMBER" else Value("level", centre, said=False)
    phrase.used |= set(range(len(phrase.lexemes)))
    line = series(subject.value, *subject.numbers[: len(CATALOGUE[subject.value].defaults)])
    if phrase.leaving:
        return rule(Compare(line, Op.CROSSES, level), Stance.NEUTRAL, subject.value)
    return rule(
        Compare(line, Op.CROSSES, level), Stance.BULL if level.number < centre else Stance.BEAR, subject.value
    )


def _condition(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    if subject.kind == "engulfing":
        return _engulfing(phrase, subject, lexeme)
    for reader in (_divergence, _signal_line, _extremes, _two_levels, _level, _measured, _turning):
        found = reader(phrase, subject, lexeme)
        if found is not None:
            return found
    return None


def _engulfing(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    if lexeme.kind != "SERIES":
        return None
    phrase.use("CONFIRM")
    bearish = lexeme.text.startswith("bearish")
    stance = Stance.BEAR if bearish else (Stance.BULL if lexeme.text.startswith("bullish") else Stance.BOTH)
    op = Op.BELOW if bearish else Op.ABOVE
    return rule(Compare(subject, op, Value("level", 0.0, said=False)), stance, subject.kind)


def _divergence(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    word = phrase.find("DIVERGENCE")
    if word is None or lexeme.kind != "SERIES" or subject.kind in _STRENGTHS:
        return None
    way = phrase.lexemes[word].value
    phrase.used.add(word)
    phrase.use("TREND", "CONFIRM")
    phrase.take("SERIES", "close")
    zero = Value("level", 0.0, said=False)
    assumed = ("divergence is a close at its 20-bar extreme that the indicator does not share",)
    line = series("divergence", source=subject)
    literal = Compare(line, Op.BELOW if way == "down" else Op.ABOVE, zero)
    stance = {"up": Stance.BULL, "down": Stance.BEAR, "both": Stance.BOTH}[way]
    return rule(literal, stance, f"{subject.kind} divergence", assumed=assumed)


def _bare_crossing(phrase: Phrase) -> bool:
    """``MACD crosses up``: a crossing of nothing that is named."""
    place = phrase.find("COMPARE", "up event", "down event")
    others = (
        phrase.has("NUMBER", "LEVEL", "LEVELS", "AVERAGE", "PERCENT") or phrase.find("SERIES") is not None
    )
    return place is not None and not others


def _signal_line(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    crossover = phrase.find("CROSSOVER")
    if phrase.find("SIGNAL_LINE") is None and (
        subject.kind not in {"macd", "stochastic"} or (crossover is None and not _bare_crossing(phrase))
    ):
        return None
    if phrase.has("LEVEL") and phrase.find("SIGNAL_LINE") is None:
        return None
    verb = phrase.take_first("COMPARE", "CROSSOVER", "REVERSAL", "TURN")
    if verb is None:
        return None
    phrase.use("SIGNAL_LINE", "CROSSOVER", "REVERSAL")
    if subject.kind == "macd":
        said = lexeme.numbers[2:3]
        signal = Series(
            "macd_signal", (*subject.values, Value("signal", said[0] if said else 9.0, bool(said)))
        )
        assumed: tuple[str, ...] = ()
    else:
        bars = 3.0 if subject.kind in {"stochastic", "stoch_rsi"} else 9.0
        given = lexeme.numbers[2:3] if subject.kind == "stochastic" else ()
        signal = series("average", *(given or (bars,)), source=subject)
        label = CATALOGUE[subject.kind].label
        assumed = () if given else (f"the signal line of {label} is its {bars:g}-bar average",)
    return _crossing(subject, signal, verb, assumed)


def _crossing(subject: Series, right: Series | Value, verb: Lexeme, assumed: tuple[str, ...]) -> Rule:
    way = verb.value.split()[0] if verb.value else "either"
    turned = verb.kind in {"CROSSOVER", "REVERSAL", "TURN"} and "state" not in verb.value
    event = "event" in verb.value or turned
    if way == "down":
        literal = Compare(subject, operator("down", event), right)
        return rule(literal, Stance.BEAR, subject.kind, assumed=assumed)
    stance = Stance.BULL if way == "up" else Stance.BOTH
    return rule(Compare(subject, operator("up", event), right), stance, subject.kind, assumed=assumed)


def _extremes(phrase: Phrase, subject: Series, _: Lexeme) -> Rule | None:
    row = CATALOGUE[subject.kind]
    if row.low is None or row.high is None:
        return None
    place = phrase.find("LEVEL", "oversold", "overbought", "both")
    if place is None:
        return None
    word = phrase.lexemes[place]
    phrase.used.add(place)
    number = phrase.take("NUMBER")
    if (compare := phrase.take("COMPARE")) is None:
        phrase.take("TOUCH")
    says_low = word.value != "overbought"
    default = row.low if says_low else row.high
    level = number.numbers[0] if number is not None else default
    assumed = (
        ()
        if number is not None
        else (f"{word.value if word.value != 'both' else 'oversold'} {row.label} is at {level:g}",)
    )
    value = Value("level", level, said=number is not None)
    leaves = word.text.startswith(("rise", "fall", "from")) or (
        compare is not None and compare.value.startswith("up" if says_low else "down")
    )
    op = (
        (Op.CROSSES_ABOVE if says_low else Op.CROSSES_BELOW) if leaves else Op.BELOW if says_low else Op.ABOVE
    )
    stance = Stance.BOTH if word.value == "both" else (Stance.BULL if says_low else Stance.BEAR)
    return rule(Compare(subject, op, value), stance, subject.kind, assumed=assumed)


def _two_levels(phrase: Phrase, subject: Series, _: Lexeme) -> Rule | None:
    """``RSI crossing 70/30``, ``below 30 or above 70`` in one breath."""
    place = phrase.find("LEVELS")
    centre = CATALOGUE[subject.kind].centre
    if place is None or centre is None:
        return None
    low, high = sorted(phrase.lexemes[place].numbers[:2])
    phrase.used.add(place)
    phrase.use("COMPARE")
    literal: Condition = Compare(subject, Op.BELOW, Value("level", low))
    mirrored: Condition = Compare(subject, Op.ABOVE, Value("level", high))
    return Rule(literal, mirrored, Stance.BOTH, subject.kind)


def _level(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    """``crosses above zero``, ``flips from negative to positive``, ``above its centre line``."""
    centre = CATALOGUE[subject.kind].centre
    turn = phrase.find("TURN")
    word = phrase.find("LEVEL", "centre")
    if centre is None or (turn is None and word is None):
        return None
    verb = phrase.take_first("COMPARE", "TURN", "CROSSOVER", "REVERSAL")
    if verb is None or (lexeme.kind != "SERIES"):
        return None
    phrase.use("LEVEL", "CROSSOVER", "REVERSAL", "TREND")
    return _crossing(subject, Value("level", centre, said=False), verb, ())


def _measured(phrase: Phrase, subject: Series, _: Lexeme) -> Rule | None:
    place = phrase.find("COMPARE")
    if place is None:
        return None
    verb = phrase.lexemes[place]
    way = verb.value.split()[0]
    event = "event" in verb.value or verb.text.startswith(("rise", "rising", "fall", "drop"))
    before = set(phrase.used)
    measured = measure(phrase, subject, "up" if way == "either" else way, event=event)
    if measured is None:
        phrase.used = before
        return None
    phrase.use("COMPARE", "TREND", "REVERSAL")
    compare = measured.compare
    row = CATALOGUE[subject.kind]
    if subject.kind in _STRENGTHS:
        return rule(compare, Stance.NEUTRAL, subject.kind, assumed=measured.assumed)
    if way == "either":
        return rule(compare, Stance.BOTH, subject.kind, assumed=measured.assumed)
    up = compare.op in {Op.ABOVE, Op.CROSSES_ABOVE}
    stance = Stance.BULL if up else Stance.BEAR
    level = compare.right.number if isinstance(compare.right, Value) and compare.left is subject else None
    if (
        level is not None
        and row.low is not None
        and row.high is not None
        and row.label not in {"Chaikin money flow"}
    ):
        deep = level <= row.low if compare.op is Op.CROSSES_BELOW else level < (row.centre or 0)
        turned = (not up and deep) or (up and level >= row.high and compare.op is Op.ABOVE)
        if turned and subject.kind not in {"cmo", "tsi", "cci"}:
            stance = Stance.BULL if not up else Stance.BEAR
    return rule(compare, stance, subject.kind, assumed=measured.assumed)


def _turning(phrase: Phrase, subject: Series, lexeme: Lexeme) -> Rule | None:
    """``rising OBV``, ``OBV confirms accumulation``, ``ADX reversal``, ``histogram is expanding``."""
    if phrase.has("COMPARE", "NUMBER", "SIGMA", "LEVEL", "AVERAGE") or lexeme.kind != "SERIES":
        return None
    verb = phrase.take_first("TREND", "EXPANSION", "CROSSOVER", "CONFIRM", "REVERSAL", "SURGE")
    if verb is None:
        return None
    phrase.use("TREND", "CONFIRM", "REVERSAL", "EXPANSION")
    if verb.kind == "TREND" and subject.kind in _STRENGTHS:
        verb = replace(verb, value=verb.value.split()[0])
    if subject.kind in _STRENGTHS:
        return _strength(subject, verb)
    if verb.kind == "TREND" and subject.kind != "obv":
        return sloping(subject, verb, subject.kind)
    centre = CATALOGUE[subject.kind].centre
    way = verb.value.split()[0] if verb.kind in {"TREND", "CROSSOVER"} else ""
    stance = {"up": Stance.BULL, "down": Stance.BEAR}.get(way, Stance.BOTH)
    if centre is None:
        right: Series | Value = series("average", source=subject)
        assumed = ("the direction of on-balance volume is told by its 20-bar average",)
    else:
        right = Value("level", centre, said=False)
        assumed = (f"the direction of {CATALOGUE[subject.kind].label} is told by its level {centre:g}",)
    event = verb.kind in {"REVERSAL", "CROSSOVER"}
    op = operator("down" if stance is Stance.BEAR else "up", event)
    vague = int(verb.kind == "CONFIRM")
    return rule(Compare(subject, op, right), stance, subject.kind, vague=vague, assumed=assumed)


def _strength(subject: Series, verb: Lexeme) -> Rule | None:
    zero = Value("level", 0.0, said=False)
    weaker = verb.kind == "REVERSAL" or verb.value == "down"
    if verb.kind == "REVERSAL" and subject.kind != "adx":
        return None
    line = series("change", source=subject)
    assumed = (f"the slope of {CATALOGUE[subject.kind].label} is its change over 3 bars",)
    if verb.kind == "CONFIRM":
        level = Value("level", _STRENGTHS[subject.kind], said=False)
        op = Op.ABOVE if subject.kind == "adx" else Op.BELOW
        said = (f"a trend is {CATALOGUE[subject.kind].label} {op} {level.number:g}",)
        return rule(Compare(subject, op, level), Stance.NEUTRAL, subject.kind, vague=1, assumed=said)
    return rule(
        Compare(line, Op.BELOW if weaker else Op.ABOVE, zero), Stance.NEUTRAL, subject.kind, assumed=assumed
    )
