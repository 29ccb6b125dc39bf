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
_TIMED = ("time", "hold", "timeout", "maximum")
_SUBJECTS = frozenset({"SERIES", "PAIR", "VORTEX"})
_NOUN_BEFORE = frozenset({"from", "the", "of", "above", "below", "beyond", "at"})


@dataclass(slots=True)
class Phrase:
    """A run of lexemes that says one thing. ``take`` marks what a rule has used; the rest is ignored text.

    ``unread`` phrases (exceptions, re-entries, scaling) are beyond the rules and never read.
    """

    lexemes: tuple[Lexeme, ...]
    leaving: bool
    direction: str
    alternative: bool
    inside: bool = False
    unread: bool = False
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
    splitter = _Splitter()
    run = list(lexemes)
    for place, lexeme in enumerate(run):
        following = next((item for item in run[place + 1 :] if item.kind != "FILLER"), None)
        splitter.feed(lexeme, following)
    splitter.close()
    return splitter.phrases


class _Splitter:
    """Where in the text we are: in the entry or the exit, for which side, inside an explanation or not."""

    def __init__(self) -> None:
        self.phrases: list[Phrase] = []
        self.run: list[Lexeme] = []
        self.leaving = self.alternative = self.inside = self.comment = self.unless = False
        self.after_comma = self.bought = self.ruled = False
        self.direction = ""
        self.clause = 0
        self.before = ""

    def feed(self, lexeme: Lexeme, following: Lexeme | None) -> None:
        """Take the next lexeme; ``following`` is the one after it that is not a filler."""
        if lexeme.kind == "ENTER" and self.before in _NOUN_BEFORE and lexeme.text.startswith("entr"):
            self.run.append(Lexeme("FILLER", "", lexeme.text))
        elif lexeme.kind == "EXIT" and self.run and self.run[-1].kind in _SUBJECTS:
            self.run.append(Lexeme("FILLER", "", lexeme.text))  # "price exits the squeeze" is no exit of ours
        elif lexeme.kind == "TARGET" and lexeme.text.startswith("targeting"):
            self._cut(Lexeme("EXIT", "", ""), following)
            self.run.append(lexeme)
        elif lexeme.kind in _CUTS:
            self._cut(lexeme, following)
        else:
            self.run.append(lexeme)
        self.before = lexeme.text

    def close(self) -> None:
        """End the phrase that is being gathered."""
        kinds = {lexeme.kind for lexeme in self.run}
        if kinds - _NOT_CONTENT and not self.comment:
            timed = any(lexeme.kind == "HOLD" and lexeme.text.startswith(_TIMED) for lexeme in self.run)
            leaving = self.leaving or timed or bool(kinds & _RISK)
            leaving = leaving or ("TARGET" in kinds and bool(kinds & _AMOUNTS))
            phrase = Phrase(tuple(self.run), leaving, self.direction, self.alternative, self.inside)
            phrase.unread = self.unless
            self.phrases.append(phrase)
        self.run = []

    def _cut(self, lexeme: Lexeme, following: Lexeme | None) -> None:
        empty, kinds = not self.run, {item.kind for item in self.run}
        risky = bool(kinds & _RISK)
        self.ruled = self.ruled or (not risky and not self.leaving and bool(kinds & _SUBJECTS))
        self.close()
        if risky and self.ruled and lexeme.kind == "JOIN" and lexeme.text in {"when", "if", "once"}:
            self.unless = True  # says when the stop applies, not when to enter
        self._turn(lexeme, following, empty=empty)

    def _turn(self, lexeme: Lexeme, following: Lexeme | None, *, empty: bool) -> None:
        kind = lexeme.kind
        self.alternative = kind == "OR" or (empty and self.alternative and kind in {"JOIN", "ENTER"})
        if kind in {"COMMA", "EXIT", "ENTER"} or (kind == "JOIN" and lexeme.text.startswith(("but", "then"))):
            self.comment = self.unless = False
        if kind in {"UNLESS", "COMMENT"}:
            self.unless, self.comment = self.unless or kind == "UNLESS", kind == "COMMENT"
        elif kind in {"EXIT", "ENTER"}:
            self.leaving = kind == "EXIT"
        elif kind in {"OPEN", "CLOSE"}:
            self.inside = kind == "OPEN"
        elif kind == "DIRECTION":
            self._speak_for(lexeme.value, following)
        elif kind == "SELL":
            if self.bought:
                self.leaving, self.comment = True, False
            else:
                self._speak_for("short", following)
        if kind == "COMMA":
            self.clause = len(self.phrases)
        self.after_comma = kind == "COMMA" or (self.after_comma and kind == "JOIN")

    def _speak_for(self, direction: str, following: Lexeme | None) -> None:
        """Set the side of what comes, or of what came ("if RSI is above 70 go short, ...")."""
        self.bought = self.bought or direction == "long"
        stated = [phrase for phrase in self.phrases[self.clause :] if not phrase.leaving]
        if stated and (following is None or following.kind == "COMMA"):
            for phrase in stated:
                phrase.direction = direction
        elif not self.leaving or self.after_comma:
            self.leaving = self.comment = False
            self.direction = direction
