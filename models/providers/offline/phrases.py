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


@dataclass(slots=True)
class _State:
    leaving: bool = False
    direction: str = ""
    alternative: bool = False
    inside: bool = False
    comment: bool = False
    unless: bool = False
    ruled: bool = False
    bought: bool = False
    after_comma: bool = False


def split(lexemes: Iterable[Lexeme]) -> list[Phrase]:
    """Cut into phrases. What explains instead of ruling ("signaling a trend reversal") is left out."""
    phrases: list[Phrase] = []
    state = _State()
    run: list[Lexeme] = []

    def close() -> None:
        if any(lexeme.kind not in _NOT_CONTENT for lexeme in run) and not state.comment:
            kinds = {lexeme.kind for lexeme in run}
            leaving = state.leaving or bool(kinds & _RISK) or ("TARGET" in kinds and bool(kinds & _AMOUNTS))
            phrases.append(Phrase(tuple(run), leaving, state.direction, state.alternative, state.inside))
            phrases[-1].unread = state.unless
        run.clear()

    before = ""
    for lexeme in lexemes:
        if lexeme.kind == "ENTER" and before in _NOUN_BEFORE and lexeme.text.startswith("entr"):
            run.append(Lexeme("FILLER", "", lexeme.text))
        elif lexeme.kind == "EXIT" and run and run[-1].kind in _SUBJECTS:
            run.append(Lexeme("FILLER", "", lexeme.text))  # "price exits the squeeze" is no exit of ours
        elif lexeme.kind in _CUTS:
            risky = any(item.kind in _RISK for item in run)
            state.ruled = state.ruled or (
                not risky and not state.leaving and any(i.kind in _SUBJECTS for i in run)
            )
            close()
            if risky and state.ruled and lexeme.kind == "JOIN" and lexeme.text in {"when", "if", "once"}:
                state.unless = True
            _turn(state, lexeme)
        elif lexeme.kind == "TARGET" and lexeme.text.startswith("targeting"):
            close()
            _turn(state, Lexeme("EXIT", "", ""))
            run.append(lexeme)
        else:
            run.append(lexeme)
        before = lexeme.text
    close()
    return phrases


def _turn(state: _State, lexeme: Lexeme) -> None:
    kind = lexeme.kind
    state.alternative = kind == "OR"
    if kind in {"COMMA", "EXIT", "ENTER"} or (kind == "JOIN" and lexeme.text.startswith(("but", "then"))):
        state.comment = state.unless = False
    if kind == "UNLESS":
        state.unless = True
    if kind == "COMMENT":
        state.comment = True
    elif kind == "EXIT":
        state.leaving = True
    elif kind == "ENTER":
        state.leaving = False
    elif kind in {"OPEN", "CLOSE"}:
        state.inside = kind == "OPEN"
    elif kind == "DIRECTION":
        _head(state, lexeme.value)
    elif kind == "SELL":
        if state.bought:
            state.leaving, state.comment = True, False
        else:
            _head(state, "short")
    state.after_comma = kind == "COMMA" or (state.after_comma and kind == "JOIN")


def _head(state: _State, direction: str) -> None:
    if state.leaving and not state.after_comma:
        return
    state.leaving = state.comment = False
    state.direction = direction
    state.bought = state.bought or direction == "long"
