"""Lexemes cut into phrases: each belongs to the entry or to the exit, and speaks for a direction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from models.providers.offline.lexemes import Lexeme

_CUTS = frozenset(
    {"COMMA", "JOIN", "OPEN", "CLOSE", "OR", "ENTER", "EXIT", "COMMENT", "DIRECTION", "SELL", "UNLESS"}
)
_NOT_CONTENT = _CUTS - {"SELL", "UNLESS"} | {"FILLER", "OF", "BY", "MOVE"}
_RISK = frozenset({"STOP", "TRAIL", "CHANDELIER", "RR_WORD", "SWING"})
_AMOUNTS = frozenset({"PERCENT", "ATRX", "RATIO", "RISK_REWARD"})
_PLACES = frozenset({"EDGE", "ANY_EDGE"})
_RULING = frozenset({"COMPARE", "NUMBER", "PERIOD", "LEVEL", "LEVELS", "GOLDEN", "TURN", "DIVERGENCE"})
_AND = frozenset({"and", "&", "while", "with", "and with", "as"})
_FILTERING = ("only", "filter", "provided", "trades")
_NAMES_BOTH = ("long", "short", "both", "either")
_TIMED = ("time", "hold", "timeout", "max")
_SUBJECTS = frozenset({"SERIES", "PAIR", "VORTEX"})
_NOUN_BEFORE = frozenset({"from", "the", "of", "above", "below", "beyond", "at"})


@dataclass(slots=True)
class Phrase:
    """A run of lexemes that says one thing. ``take`` marks what a rule has used; the rest is ignored text.

    ``joined`` phrases are tied to the one before by "and"; ``title`` ones only name the idea; ``negated`` ones say
    when not to trade ("unless ..."); ``unread`` ones (re-entries, scaling) are beyond the rules and never read.
    """

    lexemes: tuple[Lexeme, ...]
    leaving: bool
    direction: str
    alternative: bool
    inside: bool = False
    unread: bool = False
    negated: bool = False
    title: bool = False
    joined: bool = False
    shared: bool = False
    cut: str = ""
    used: set[int] = field(default_factory=set)

    def find(self, kind: str, *values: str) -> int | None:
        """Place of the first unused lexeme of ``kind`` (with one of ``values``, if any are named)."""
        for place, lexeme in enumerate(self.lexemes):
            if lexeme.kind == kind and place not in self.used and (not values or lexeme.value in values):
                return place
        return None

    def has(self, *kinds: str) -> bool:
        """Whether any unused lexeme is of one of ``kinds``."""
        return any(self.find(kind) is not None for kind in kinds)

    def take(self, kind: str, *values: str) -> Lexeme | None:
        """The first unused lexeme of ``kind``, now used."""
        place = self.find(kind, *values)
        if place is None:
            return None
        self.used.add(place)
        return self.lexemes[place]

    def take_first(self, *kinds: str) -> Lexeme | None:
        """The first unused lexeme of any of ``kinds`` in the order of the text, now used."""
        places = [place for kind in kinds if (place := self.find(kind)) is not None]
        return self.take(self.lexemes[min(places)].kind) if places else None

    def use(self, *kinds: str) -> None:
        """Mark every lexeme of ``kinds`` as used: the rule just made says what they say."""
        for place, lexeme in enumerate(self.lexemes):
            if lexeme.kind in kinds:
                self.used.add(place)

    def ignored(self, silent: frozenset[str]) -> list[str]:
        """The unused content, neighbouring lexemes together; lexemes of ``silent`` kinds are no content."""
        parts: list[str] = []
        last = -2
        for place, lexeme in enumerate(self.lexemes):
            if place in self.used or lexeme.kind in _NOT_CONTENT or lexeme.kind in silent:
                continue
            if place == last + 1:
                parts[-1] += f" {lexeme.text}"
            else:
                parts.append(lexeme.text)
            last = place
        return parts


def split(lexemes: Iterable[Lexeme]) -> list[Phrase]:
    """Cut into phrases. What explains instead of ruling ("signaling a trend reversal") is left out."""
    run = list(lexemes)
    splitter = _Splitter(sells_short=_sells_short(run))
    for place, lexeme in enumerate(run):
        following = next((item for item in run[place + 1 :] if item.kind != "FILLER"), None)
        splitter.feed(lexeme, following)
    splitter.close()
    return splitter.phrases


def _sells_short(lexemes: list[Lexeme]) -> bool:
    """Whether "sell" opens a short position: nothing is bought before, or both sides are traded by name."""
    ways = {lexeme.value for lexeme in lexemes if lexeme.kind == "DIRECTION"}
    sides = {"long", "short"} <= ways and not any(
        lexeme.kind == "DIRECTION" and lexeme.text.startswith("buy") for lexeme in lexemes
    )
    named = any(
        lexeme.kind == "DIRECTION" and lexeme.value == "both" and lexeme.text.startswith(_NAMES_BOTH)
        for lexeme in lexemes
    )
    return "long" not in ways or sides or named


def _side(words: str) -> str:
    """Which side "do not buy when", "no shorts above" keeps out of the market; empty for both."""
    if any(word in words for word in ("long", "buy")):
        return "long"
    return "short" if any(word in words for word in ("short", "sell")) else ""


def _ends(following: Lexeme | None) -> bool:
    """Whether nothing follows in the clause."""
    return following is None or (following.kind == "COMMA" and following.text != ":")


class _Splitter:
    """Where in the text we are: in the entry or the exit, for which side, inside an explanation or not."""

    def __init__(self, *, sells_short: bool) -> None:
        self.phrases: list[Phrase] = []
        self.run: list[Lexeme] = []
        self.leaving = self.alternative = self.inside = self.comment = False
        self.shared = self.unread = self.negated = self.after_comma = self.ruled = False
        self.sells_short = sells_short
        self.direction = self.kept_out = ""
        self.clause = self.sentence = 0
        self.cut = self.before = ""

    def feed(self, lexeme: Lexeme, following: Lexeme | None) -> None:
        """Take the next lexeme; ``following`` is the one after it that is not a filler."""
        if lexeme.kind == "ENTER" and self.before in _NOUN_BEFORE and lexeme.text.startswith("entr"):
            self.run.append(Lexeme("FILLER", "", lexeme.text))
        elif lexeme.kind == "EXIT" and self.run and self.run[-1].kind in _SUBJECTS:
            self.run.append(Lexeme("FILLER", "", lexeme.text))  # "price exits the squeeze" is no exit of ours
        elif lexeme.kind == "TARGET" and lexeme.text.startswith("targeting"):
            self._cut(Lexeme("EXIT", "", ""), following)
            self.run.append(lexeme)
        elif lexeme.kind in {"TARGET", "STOP", "TRAIL"} and self._says_enough():
            self._cut(Lexeme("COMMA", "", ","), following)
            self.run.append(lexeme)
        elif lexeme.kind == "COMPARE" and self._compared():
            self._cut(Lexeme("JOIN", "", "and"), following)
            self.run.append(lexeme)
        elif lexeme.kind in _CUTS:
            self._cut(lexeme, following)
        else:
            self.run.append(lexeme)
        self.before = lexeme.text

    def _compared(self) -> bool:
        """Whether the run ends in a finished comparison with a level: a second comparison is another rule."""
        kinds = [lexeme.kind for lexeme in self.run if lexeme.kind != "FILLER"]
        return (
            len(kinds) >= 2 and kinds[-2] == "COMPARE" and kinds[-1] in {"NUMBER", "LEVEL", "SIGNAL_LINE"}
        ) or kinds[-1:] == ["CROSSOVER"]

    def _says_enough(self) -> bool:
        """Whether the run already states a stop or a target with its amount ("stop 2% target 4%")."""
        kinds = {lexeme.kind for lexeme in self.run}
        return (
            bool(kinds & {"STOP", "TARGET", "TRAIL"})
            and bool(kinds & _AMOUNTS)
            and self.run[0].kind in {"STOP", "TARGET", "TRAIL"}
        )

    def close(self) -> None:
        """End the phrase that is being gathered."""
        kinds = {lexeme.kind for lexeme in self.run}
        if kinds - _NOT_CONTENT and not self.comment:
            timed = any(lexeme.kind == "HOLD" and lexeme.text.startswith(_TIMED) for lexeme in self.run)
            leaving = self.leaving or timed or bool(kinds & _RISK)
            leaving = leaving or ("TARGET" in kinds and bool(kinds & (_AMOUNTS | _PLACES)))
            phrase = Phrase(tuple(self.run), leaving, self.direction, self.alternative, self.inside)
            phrase.unread, phrase.negated = self.unread, self.negated
            phrase.shared, phrase.cut = self.shared, self.cut
            phrase.joined = self.cut in _AND and bool(self.phrases)
            if self.negated:
                phrase.direction = self.kept_out
            self.phrases.append(phrase)
        self.run = []

    def _cut(self, lexeme: Lexeme, following: Lexeme | None) -> None:
        empty, kinds = not self.run, {item.kind for item in self.run}
        risky = bool(kinds & _RISK)
        self.ruled = self.ruled or (not risky and not self.leaving and bool(kinds & _SUBJECTS))
        self.close()
        if risky and self.ruled and lexeme.kind == "JOIN" and lexeme.text in {"when", "if", "once"}:
            self.unread = True  # says when the stop applies, not when to enter
        self._turn(lexeme, following, empty=empty)
        self.cut = lexeme.text

    def _turn(self, lexeme: Lexeme, following: Lexeme | None, *, empty: bool) -> None:
        kind = lexeme.kind
        colon = kind == "COMMA" and lexeme.text == ":"
        if colon and not empty:
            self._label()
        if kind == "JOIN" and lexeme.text in {"when", "if"} and self.phrases and self.phrases[-1].negated:
            self.negated = False
        self.alternative = kind == "OR" or (empty and self.alternative and kind in {"JOIN", "ENTER"})
        if (
            (kind == "COMMA" and not colon)
            or kind in {"EXIT", "ENTER"}
            or (kind == "JOIN" and lexeme.text.startswith(("but", "then")))
        ):
            self.comment = self.unread = self.negated = False
        if kind == "UNLESS" and lexeme.value == "negated" and _ends(following) and self._stated():
            for phrase in self._stated():
                phrase.negated = True  # "when ADX is below 20, stay out"
        elif kind in {"UNLESS", "COMMENT"}:
            self.unread = self.unread or (kind == "UNLESS" and lexeme.value == "unread")
            if kind == "UNLESS" and lexeme.value == "negated":
                self.negated, self.kept_out = True, _side(lexeme.text)
            self.comment = kind == "COMMENT"
            self.leaving = self.leaving and kind != "UNLESS"
        elif kind == "EXIT":
            self._leave(following)
        elif kind == "ENTER":
            self.leaving = False
            self.shared = self.after_comma and lexeme.text.startswith(_FILTERING)
        elif kind in {"OPEN", "CLOSE"}:
            self.inside = kind == "OPEN"
        elif kind == "DIRECTION":
            self._speak_for(lexeme.value, following)
        elif kind == "SELL":
            if self.sells_short:
                self._speak_for("short", following)
            else:
                self._leave(following)
        if kind in {"DIRECTION", "SELL"} or lexeme.text == ".":
            self.shared = False
        if kind == "COMMA" and not colon:
            self.clause = len(self.phrases)
            if lexeme.text != ",":
                self.sentence = self.clause
        self.after_comma = kind == "COMMA" or (self.after_comma and kind == "JOIN")

    def _label(self) -> None:
        """What stands before a colon at the start of a sentence is a title if it gives no number or comparison."""
        last = self.phrases[-1] if self.phrases else None
        if last is not None and len(self.phrases) - 1 == self.sentence and not last.leaving:
            last.title = not any(lexeme.kind in _RULING or lexeme.numbers for lexeme in last.lexemes)

    def _stated(self) -> list[Phrase]:
        """The entry phrases that this word may speak of: behind an arrow those of the sentence, else of the clause."""
        start = self.sentence if self.cut == ":" else self.clause
        found = [phrase for phrase in self.phrases[start:] if not phrase.leaving]
        if not found and self.cut == ",":
            found = [phrase for phrase in self.phrases[self.sentence :] if not phrase.leaving]
        return found

    def _leave(self, following: Lexeme | None) -> None:
        """What comes is an exit, or what came ("flips negative: exit.")."""
        self.comment = False
        stated = self._stated()
        if stated and _ends(following):
            for phrase in stated:
                phrase.leaving = True
            self.sentence = self.clause = len(self.phrases)
        else:
            self.leaving = True

    def _speak_for(self, direction: str, following: Lexeme | None) -> None:
        """Set the side of what comes, or of what came ("if RSI is above 70 go short, ...")."""
        stated = self._stated()
        if stated and (
            _ends(following)
            or (self.cut == ":" and following is not None and following.kind in {"OR", "EXIT"})
        ):
            for phrase in stated:
                phrase.direction = direction
            self.sentence = self.clause = len(self.phrases)
        elif not self.leaving or self.after_comma:
            self.leaving = self.comment = False
            self.direction = direction
