"""Phrases about the price and a line or band."""

from __future__ import annotations

from models.providers.offline.bars import extreme
from models.providers.offline.catalogue import CATALOGUE, series
from models.providers.offline.crossings import PAIRED_LINES, literal_rule, read_crossing
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import (
    AnyOf,
    Compare,
    Condition,
    Op,
    Rule,
    Series,
    Stance,
    Value,
)
from models.providers.offline.scope import Scope, rule

_VERBS = (
    "COMPARE",
    "BREAK",
    "TOUCH",
    "OUTSIDE",
    "INSIDE",
    "CROSSOVER",
    "BREAKOUT",
    "REVERSION",
    "REVERSAL",
    "TURN",
)
_LINES = tuple(kind for kind, row in CATALOGUE.items() if row.shape == "line")


def read_price(phrase: Phrase, scope: Scope) -> Rule | None:
    """The first of: two lines crossing, an edge, a channel, a single line."""
    for reader in (
        read_crossing,
        _past_bars,
        _edge,
        _extreme,
        _channel,
        _same_pair,
        _line,
        _same_line,
    ):
        found = reader(phrase, scope)
        if found is not None:
            return found
    return None


def _past_bars(phrase: Phrase, _: Scope) -> Rule | None:
    """``20-day breakout``: out of the range of the bars before."""
    place = phrase.find("BREAKOUT")
    if place is None or place == 0 or phrase.lexemes[place - 1].kind != "PERIOD" or phrase.leaving:
        return None
    phrase.used |= {place, place - 1}
    upper = series("dc_upper", *phrase.lexemes[place - 1].numbers)
    return rule(Compare(series("close"), Op.CROSSES_ABOVE, upper), Stance.BOTH, "price")


def _same_pair(phrase: Phrase, scope: Scope) -> Rule | None:
    """``SMA 20 crosses back below``, nothing behind it: the line that it crossed before."""
    content = [place for place, lexeme in enumerate(phrase.lexemes) if lexeme.kind != "FILLER"]
    if scope.pair is None or [phrase.lexemes[place].kind for place in content] != ["SERIES", "COMPARE"]:
        return None
    line, verb = (phrase.lexemes[place] for place in content)
    way = verb.value.split()[0]
    if series(line.value, *line.numbers[:1]) != scope.pair[0] or way not in {"up", "down"}:
        return None
    phrase.used |= set(content)
    return literal_rule(scope.pair[0], way, "event" in verb.value, scope.pair[1], "cross")


def _same_line(phrase: Phrase, scope: Scope) -> Rule | None:
    """``price crosses below it``, ``short when below``: the line that was spoken of last."""
    place = phrase.find("COMPARE", "up", "down", "up event", "down event")
    points_back = any(lexeme.text == "it" for lexeme in phrase.lexemes) or len(phrase.lexemes) == 1
    if place is None or not points_back or phrase.has("NUMBER", "WORD"):
        return None
    other = phrase.find("SERIES")
    about_price = other is not None and phrase.lexemes[other].value == "close"
    if other is not None and not about_price:
        return None
    verb = phrase.lexemes[place]
    way, event = verb.value.split()[0], "event" in verb.value
    subject = scope.subject.value if scope.subject is not None else "close"
    if scope.pair is not None and subject in _LINES and other is None:
        phrase.used.add(place)
        return literal_rule(scope.pair[0], way, event, scope.pair[1], "cross")
    if scope.line is None or not (about_price or subject == "close"):
        return None
    phrase.used.add(place)
    _price(phrase)
    line = series(scope.line.value, *scope.line.numbers[: len(CATALOGUE[scope.line.value].defaults)])
    return literal_rule(series("close"), way, event, line, "price")


def _edge(phrase: Phrase, scope: Scope) -> Rule | None:
    place = phrase.find("EDGE")
    if place is None:
        place = phrase.find("ANY_EDGE")
    if place is None:
        return None
    lexeme = phrase.lexemes[place]
    family = {"bb": "bollinger", "kc": "keltner", "dc": "donchian"}.get(
        lexeme.value[:2], scope.bands or "bollinger"
    )
    which = lexeme.value.split("_")[-1]
    if which in {"either", "opposite"} and not phrase.leaving:
        return None
    pair = phrase.take("PAIR") if lexeme.kind == "ANY_EDGE" else None
    family = pair.value if pair is not None else family
    verb = phrase.take_first(*_VERBS)
    phrase.used.add(place)
    phrase.use("TOUCH", "REVERSAL", "REVERSION", "TARGET", "TRAIL")
    _price(phrase)
    if which == "middle":
        return _through(scope.middle(family), verb)
    upper, lower = scope.edges(family, lexeme.numbers)
    if which in {"either", "opposite"}:
        if which == "opposite" and not scope.reverting:
            return rule(_touch(lower, upper=False), Stance.BOTH, "price")
        return rule(_touch(upper, upper=True), Stance.BOTH, "price")
    return _at_edge(upper if which == "upper" else lower, which == "upper", verb)


def _through(line: Series, verb: Lexeme | None) -> Rule:
    """A close through a line, the way the verb says or either way."""
    if verb is not None and verb.kind == "COMPARE" and verb.value.startswith(("up", "down")):
        return literal_rule(series("close"), verb.value.split()[0], "event" in verb.value, line, "price")
    return rule(Compare(series("close"), Op.CROSSES, line), Stance.NEUTRAL, "price")


def _touch(edge: Series, *, upper: bool) -> Compare:
    return Compare(series("high" if upper else "low"), Op.ABOVE if upper else Op.BELOW, edge)


def _at_edge(edge: Series, upper: bool, verb: Lexeme | None) -> Rule:
    touching = verb is None or verb.kind in {"TOUCH", "REVERSION"}
    if touching:
        stance = (
            Stance.BEAR if upper else Stance.BULL
        )  # also where it ends a trade: the edge that is named is meant
        return rule(_touch(edge, upper=upper), stance, "price")
    if verb is not None and verb.kind == "INSIDE":
        op = Op.CROSSES_BELOW if upper else Op.CROSSES_ABOVE
        return rule(Compare(series("close"), op, edge), Stance.BEAR if upper else Stance.BULL, "price")
    way, event = ("up" if upper else "down"), True
    if verb is not None and verb.kind == "COMPARE" and not verb.value.startswith("either"):
        way, event = verb.value.split()[0], "event" in verb.value
    return literal_rule(series("close"), way, event, edge, "price")


def _price(phrase: Phrase) -> None:
    phrase.take("SERIES", "close")


def _extreme(phrase: Phrase, scope: Scope) -> Rule | None:
    """``closes above the 20-day high``, ``a 5-day low``: against the bars before."""
    place = phrase.find("EXTREME")
    if place is None or place == 0 or phrase.lexemes[place - 1].kind != "PERIOD" or phrase.has("SQUEEZE"):
        return None
    subject = phrase.find("SERIES")
    if subject is not None and phrase.lexemes[subject].value != "close":
        return None
    if (
        subject is None
        and scope.subject is not None
        and scope.subject.value != "close"
        and not phrase.leaving
    ):
        return None
    upper = phrase.lexemes[place].value == "high"
    window = phrase.lexemes[place - 1].numbers
    phrase.used |= {place, place - 1}
    _price(phrase)
    verb = phrase.take_first(*_VERBS)
    edge = extreme(phrase.lexemes[place], window)
    if verb is not None and verb.kind == "TOUCH" and not phrase.leaving:
        return rule(_touch(edge, upper=upper), Stance.BEAR if upper else Stance.BULL, "price")
    way = "up" if upper else "down"
    event = verb is not None and (verb.kind == "BREAK" or "event" in verb.value)
    if phrase.leaving and verb is None:
        closes = Compare(series("close"), Op.ABOVE if upper else Op.BELOW, edge)
        return rule(
            closes if edge.source is not None else _touch(edge, upper=upper),
            Stance.BEAR if upper else Stance.BULL,
            "price",
        )
    return literal_rule(series("close"), way, event, edge, "price")


def _channel(phrase: Phrase, scope: Scope) -> Rule | None:
    place = phrase.find("PAIR")
    family = phrase.lexemes[place].value if place is not None else ""
    if place is None and (place := phrase.find("HIGH_LOW")) is not None:
        family = "donchian"
    if place is None and (place := phrase.find("ANY_PAIR")) is not None:
        family = scope.bands
    if (
        place is None
        or not family
        or phrase.has("SQUEEZE", "EXPANSION", "SIGMA", "PERCENTILE", "PERCENTILE_WORD")
    ):
        return None
    lexeme = phrase.lexemes[place]
    subject = phrase.find("SERIES")
    if subject is not None and phrase.lexemes[subject].value not in {"close", "heikin"} and subject < place:
        return None
    verb = phrase.take_first(*_VERBS)
    if verb is None:
        verb = scope.compare if phrase.find("SERIES") is None and not phrase.leaving else None
    if verb is None and not phrase.leaving:
        return None
    if verb is not None and phrase.leaving and verb.kind == "REVERSION":
        phrase.used.add(place)
        return _through(scope.middle(family), None)
    if verb is not None and (
        verb.text.startswith(("expan", "contract")) or (phrase.leaving and verb.kind == "REVERSAL")
    ):
        return None
    phrase.used.add(place)
    if phrase.leaving and lexeme.kind == "HIGH_LOW" and verb is None:
        return rule(_touch(scope.edges("donchian", lexeme.numbers)[1], upper=False), Stance.BOTH, "price")
    phrase.use("OUTSIDE", "BREAKOUT", "BREAK", "CONFIRM", "TOUCH", "REVERSAL")
    _price(phrase)
    scope.compare = verb
    upper, lower = scope.edges(family, lexeme.numbers)
    return _at_channel(upper, lower, verb, leaving=phrase.leaving)


def _at_channel(upper: Series, lower: Series, verb: Lexeme | None, *, leaving: bool) -> Rule:
    close = series("close")
    kind = verb.kind if verb is not None else ""
    if kind in {"TOUCH", "REVERSION"} or (leaving and not kind):
        if leaving:
            return rule(_touch(upper, upper=True), Stance.BOTH, "price")
        return rule(_touch(lower, upper=False), Stance.BOTH, "price", vague=int(kind == "REVERSION"))
    if kind == "INSIDE":
        if leaving:
            return rule(Compare(close, Op.CROSSES_BELOW, upper), Stance.BOTH, "price")
        return rule(Compare(close, Op.CROSSES_ABOVE, lower), Stance.BOTH, "price")
    if leaving:
        sides: tuple[Condition, ...] = (Compare(close, Op.ABOVE, upper), Compare(close, Op.BELOW, lower))
        return rule(AnyOf(sides), Stance.NEUTRAL, "price")
    if verb is not None and kind == "COMPARE" and verb.value.startswith("up"):
        return literal_rule(close, "up", "event" in verb.value, upper, "price")
    if verb is not None and kind == "COMPARE" and verb.value.startswith("down"):
        return literal_rule(close, "down", "event" in verb.value, lower, "price")
    event = kind != "OUTSIDE"
    return rule(Compare(close, Op.CROSSES_ABOVE if event else Op.ABOVE, upper), Stance.BOTH, "price")


def _line(phrase: Phrase, scope: Scope) -> Rule | None:
    place = phrase.find("SERIES", *(kind for kind in _LINES if kind not in PAIRED_LINES), "kijun", "tenkan")
    if place is None:
        return None
    lexeme = phrase.lexemes[place]
    if phrase.has("SIGMA") or any(item.kind == "WORD" for item in phrase.lexemes[:place]):
        return None
    if any(item.kind == "COMPARE" and item.text.startswith(("contract", "expan")) for item in phrase.lexemes):
        return None
    subject = phrase.find("SERIES")
    if subject is not None and subject < place and phrase.lexemes[subject].value != "close":
        return None
    if (
        not phrase.leaving
        and scope.subject is not None
        and scope.subject.value not in {"close", lexeme.value}
        and subject == place
        and any(item.text in {"its", "their"} for item in phrase.lexemes)
    ):
        return None
    if (
        subject == place
        and any(item.kind == "COMPARE" for item in phrase.lexemes[place + 1 :])
        and not phrase.leaving
    ):
        later = phrase.find("SERIES", "close")
        if later is None:
            return None
    verb = phrase.take_first(*_VERBS)
    inherited = verb is None and subject == place and not phrase.leaving
    verb = scope.compare if inherited else verb
    if verb is None and not phrase.leaving:
        return None
    phrase.used.add(place)
    phrase.use("REVERSION", "REVERSAL", "TOUCH", "BREAKOUT")
    _price(phrase)
    scope.compare = verb
    line = series(lexeme.value, *lexeme.numbers[: len(CATALOGUE[lexeme.value].defaults)])
    if lexeme.value in {"sar", "supertrend"} and (verb is None or verb.kind != "COMPARE"):
        return rule(Compare(series("close"), Op.CROSSES_ABOVE, line), Stance.BOTH, "price")
    way = verb.value.split()[0] if verb is not None and verb.kind == "COMPARE" else "either"
    percent = phrase.find("PERCENT")
    if percent is not None and way in {"up", "down"} and percent + 1 < len(phrase.lexemes):
        phrase.used.add(percent)
        share = phrase.lexemes[percent].numbers[0] / 100 * (1 if way == "up" else -1)
        op = Op.ABOVE if way == "up" else Op.BELOW
        stance = Stance.BULL if way == "down" and not phrase.leaving else Stance.BEAR
        return rule(Compare(series("close"), op, line, Value("factor", 1 + share)), stance, "price")
    if way in {"up", "down"} and verb is not None:
        return literal_rule(series("close"), way, "event" in verb.value, line, "price")
    if phrase.leaving:
        return rule(Compare(series("close"), Op.CROSSES, line), Stance.NEUTRAL, "price")
    if verb is not None and verb.kind == "TOUCH":
        return rule(_touch(line, upper=False), Stance.BOTH, "price")
    return rule(Compare(series("close"), Op.CROSSES_ABOVE, line), Stance.BOTH, "price")
