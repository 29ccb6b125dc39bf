"""Phrases about stops, targets, trailing stops and time: how a position is left without a signal."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.providers.offline.catalogue import series
from models.providers.offline.lexemes import Lexeme
from models.providers.offline.phrases import Phrase
from models.providers.offline.rules import Compare, Distance, Exits, Op, Rule, Stance, StopKind, Value
from models.providers.offline.scope import Scope, rule

STOP_ATR, TRAIL_ATR, TRAIL_PERCENT, RISK_REWARD, SWING_BARS = 2.0, 3.0, 5.0, 2.0, 10.0
_ATR_PERIOD = 14.0


@dataclass(slots=True)
class Leaving:
    """The ways out gathered so far."""

    stop: Distance | None = None
    target: Distance | None = None
    trail: Distance | None = None
    chandelier: Value | None = None
    bars: Value | None = None
    opposite_entry: bool = False
    opposite_said: bool = False
    otherwise: bool = False
    assumed: list[str] = field(default_factory=list)
    last: Distance | None = None

    @property
    def complete(self) -> bool:
        """Whether some way out besides a fixed stop is known."""
        return self.otherwise or bool(
            self.target or self.trail or self.chandelier or self.bars or self.opposite_entry
        )

    @property
    def only_assumed(self) -> bool:
        """Whether every way out that was found is a default: the text may name one that was not read."""
        found = (self.stop, self.target, self.trail, self.chandelier)
        return not any(found) and not self.otherwise and (self.bars is None or not self.bars.said)

    def exits(self) -> Exits:
        """The ways out as a value, without conditions."""
        return Exits(
            (), (), self.stop, self.target, self.trail, self.chandelier, self.bars, self.opposite_entry
        )


def read_leaving(phrase: Phrase, scope: Scope, leaving: Leaving) -> Rule | None:
    """Take stops, targets and time limits from a phrase; returns the one exit that is a condition, if it is one."""
    _time(phrase, leaving)
    _opposite(phrase, leaving)
    if phrase.take("CHANDELIER") is not None:
        multiple = phrase.take("ATRX")
        leaving.chandelier = Value(
            "chandelier_atr", multiple.numbers[0] if multiple else 3.0, multiple is not None
        )
        leaving.assumed.append("a chandelier exit hangs from the highest high of 22 bars")
        phrase.use("TRAIL", "STOP")
        return None
    if phrase.has("TRAIL"):
        return _trailing(phrase, scope, leaving)
    _reward(phrase, leaving)
    if phrase.has("STOP"):
        _stop(phrase, leaving)
    elif phrase.has("TARGET"):
        _target(phrase, leaving)
    elif phrase.leaving and phrase.has("ATRX") and not phrase.has("COMPARE", "SERIES", "PAIR"):
        _move(phrase, leaving)
    return None


def _time(phrase: Phrase, leaving: Leaving) -> None:
    place = phrase.find("HOLD")
    if place is None or not phrase.leaving:
        place = phrase.find("PERIOD") if _only_period(phrase) else None
        if place is None:
            return
    period = phrase.take("PERIOD")
    if period is not None:
        phrase.used.add(place)
        leaving.bars = Value("max_bars", period.numbers[0])


def _only_period(phrase: Phrase) -> bool:
    """``exit after 10 bars``: "after" already parted the phrase, the period stands alone."""
    content = [lexeme for lexeme in phrase.lexemes if lexeme.kind not in {"FILLER", "ENTER", "TREND"}]
    return phrase.leaving and len(content) == 1 and content[0].kind == "PERIOD"


def _opposite(phrase: Phrase, leaving: Leaving) -> None:
    if phrase.leaving and not phrase.has("SERIES", "VORTEX") and phrase.take("OPPOSITE_SIGNAL") is not None:
        phrase.use("SQUEEZE")
        leaving.opposite_entry = leaving.opposite_said = True


def _distance(phrase: Phrase, name: str, default_atr: float, leaving: Leaving) -> Distance | None:
    multiple = phrase.take("ATRX")
    if multiple is not None:
        period = multiple.numbers[1] if len(multiple.numbers) > 1 else None
        if period is None and (named := phrase.take("SERIES", "atr")) is not None and named.numbers:
            period = named.numbers[0]
        return Distance(StopKind.ATR, Value(f"{name}_atr", multiple.numbers[0]), _atr_period(period))
    atr = phrase.find("SERIES", "atr")
    if atr is not None:
        phrase.used.add(atr)
        numbers = phrase.lexemes[atr].numbers
        times = phrase.take("TIMES")
        if times is None:
            leaving.assumed.append(f"the {name} is {default_atr:g} x ATR away")
        amount = Value(f"{name}_atr", times.numbers[0] if times else default_atr, times is not None)
        return Distance(StopKind.ATR, amount, _atr_period(numbers[0] if numbers else None))
    percent = phrase.take("PERCENT")
    if percent is not None and 0 < percent.numbers[0] < 100:
        return Distance(StopKind.PERCENT, Value(f"{name}_percent", percent.numbers[0]))
    return None


def _atr_period(number: float | None) -> Value:
    return Value("atr_period", number or _ATR_PERIOD, number is not None)


def _trailing(phrase: Phrase, scope: Scope, leaving: Leaving) -> Rule | None:
    if (pair := phrase.take("PAIR")) is not None:
        phrase.use("TRAIL", "STOP")
        _, lower = scope.edges(pair.value, pair.numbers)
        return rule(Compare(series("close"), Op.CROSSES_BELOW, lower), Stance.BOTH, "price")
    place = phrase.find("TRAIL")
    trail = phrase.lexemes[place].text if place is not None else ""
    distance = _distance(phrase, "trail", TRAIL_ATR, leaving)
    others = phrase.has(
        "SERIES", "EDGE", "ANY_EDGE", "WORD", "AVERAGE", "EXPANSION", "SQUEEZE", "MISSING", "TIMES", "SWING"
    )
    if distance is None and "atr" in trail:
        leaving.assumed.append(f"the trailing stop is {TRAIL_ATR:g} x ATR away")
        distance = Distance(StopKind.ATR, Value("trail_atr", TRAIL_ATR, said=False), _atr_period(None))
    if distance is None and (others or phrase.has("OF")):
        return None
    phrase.use("TRAIL", "STOP", "REVERSAL")
    if distance is None:
        leaving.assumed.append(f"the trailing stop is {TRAIL_PERCENT:g}% away")
        distance = Distance(StopKind.PERCENT, Value("trail_percent", TRAIL_PERCENT, said=False))
    leaving.trail = leaving.last = distance
    return None


def _reward(phrase: Phrase, leaving: Leaving) -> None:
    ratio = phrase.take("RISK_REWARD") or phrase.take("RATIO")
    word = phrase.take("RR_WORD")
    if ratio is None and word is None:
        return
    phrase.use("TARGET", "RR_WORD")
    if ratio is None:
        leaving.assumed.append(f"the reward is {RISK_REWARD:g} times the risk")
        leaving.target = Distance(StopKind.RISK, Value("reward_risk", RISK_REWARD, said=False))
        return
    low, high = sorted(ratio.numbers[:2])
    if low > 0:
        leaving.target = Distance(StopKind.RISK, Value("reward_risk", high / low))


def _stop(phrase: Phrase, leaving: Leaving) -> None:
    if phrase.has("EDGE", "ANY_EDGE"):
        phrase.use("STOP")
        return
    if (swing := phrase.take("SWING")) is not None or phrase.has("EXTREME"):
        window = phrase.take("PERIOD") if swing is None else None
        phrase.use("STOP", "COMPARE")
        phrase.take("EXTREME")
        bars = Value("swing_bars", window.numbers[0] if window else SWING_BARS, window is not None)
        if window is None:
            leaving.assumed.append(f"the swing extreme is that of the last {SWING_BARS:g} bars")
        leaving.stop = Distance(StopKind.SWING, bars)
        return
    distance = _distance(phrase, "stop", STOP_ATR, leaving)
    if (
        distance is None
        and phrase.alternative
        and leaving.last is not None
        and not phrase.has("WORD", "SERIES")
    ):
        distance = _renamed(leaving.last, "stop")
    if distance is not None:
        phrase.use("STOP", "TARGET", "COMPARE", "MOVE")
        leaving.stop = leaving.last = distance


def _target(phrase: Phrase, leaving: Leaving) -> None:
    distance = _distance(phrase, "target", STOP_ATR, leaving)
    if distance is not None:
        phrase.use("TARGET", "MOVE", "COMPARE")
        leaving.target = leaving.last = distance


def _move(phrase: Phrase, leaving: Leaving) -> None:
    """``exit after a 2x ATR move from entry`` says neither profit nor loss: it is taken for both."""
    word: Lexeme | None = phrase.take("MOVE")
    distance = _distance(phrase, "target", STOP_ATR, leaving)
    if distance is None:
        return
    phrase.use("EXPANSION", "SURGE", "MOVE")
    leaving.target = leaving.last = distance
    if word is not None and "above" in word.text:
        return
    if leaving.stop is None:
        leaving.stop = _renamed(distance, "stop")
        said = "a move" if word is not None else "an exit"
        leaving.assumed.append(
            f"{said} of some ATR from the entry ends the trade either way: target and stop"
        )


def _renamed(distance: Distance, name: str) -> Distance:
    unit = distance.amount.name.split("_")[-1]
    return Distance(distance.kind, Value(f"{name}_{unit}", distance.amount.number), distance.period)
