"""An idea's words as lexemes: recognised phrases with their numbers, and the words that are left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from models.providers.offline import vocabulary
from models.providers.offline.catalogue import CATALOGUE
from models.providers.offline.vocabulary_filler import FILLER
from models.providers.offline.vocabulary_missing import MISSING
from models.providers.offline.vocabulary_series import SERIES, STREAKS

LONGEST_PERIOD = 2000
"""Bars. A longer window is no number of a strategy on bars that anyone has."""

_DAYS_PER = {"w": 5, "m": 21, "y": 252}
_NUMERIC = re.compile(vocabulary.NUMBER)


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A recognised phrase. ``value`` tells phrases of one kind apart; ``numbers`` are the ones inside it."""

    kind: str
    value: str
    text: str
    numbers: tuple[float, ...] = ()


@cache
def _grammar() -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
    rows = (
        *vocabulary.RISK[:1],
        *STREAKS,
        *vocabulary.NUMBERS,
        *vocabulary.STRUCTURE[:2],
        *MISSING,
        *SERIES,
        *vocabulary.RISK,
        *vocabulary.STRUCTURE[2:7],
        *vocabulary.COMPARISONS,
        *vocabulary.STATES,
        *vocabulary.STRUCTURE[7:],
        ("WORD", "", r"[\w%+/&$#@'\"=<>^~|\\-]+|\S"),
    )
    parts = [
        f"(?P<g{place}>(?:{pattern}))" + ("" if kind in {"WORD", "COMMA", "OPEN", "CLOSE"} else r"(?!\w)")
        for place, (kind, _, pattern) in enumerate(rows)
    ]
    return re.compile("|".join(parts)), tuple((kind, value) for kind, value, _ in rows)


def lex(words: str) -> tuple[Lexeme, ...]:
    """Cut normalised words into lexemes; indicators carry the periods that stand beside them."""
    return _inherit(_attach(list(_scan(words))))


def _scan(words: str) -> Iterator[Lexeme]:
    pattern, kinds = _grammar()
    position = 0
    while position < len(words):
        match = pattern.match(words, position)
        if match is None:
            position += 1
            continue
        kind, value = kinds[int((match.lastgroup or "g0")[1:])]
        yield _lexeme(kind, value, match[0].strip())
        position = max(match.end(), position + 1)


def _lexeme(kind: str, value: str, text: str) -> Lexeme:
    numbers = tuple(float(number) for number in _NUMERIC.findall(text))
    if kind in {"PERIOD", "PERIODS"}:
        numbers = tuple(number * _unit(text) for number in numbers)
        if not all(1 <= number <= LONGEST_PERIOD for number in numbers):
            return Lexeme("WORD", "", text)
    if kind == "YEAR":
        return Lexeme("PERIOD", "", text, (252.0,))
    if kind == "NUMBER" and text.startswith("-"):
        numbers = (-numbers[0],)
    if kind == "WORD" and (text in FILLER or not re.search(r"\w", text)):
        kind = "FILLER"
    return Lexeme(kind, value, text, numbers)


def _unit(text: str) -> int:
    last = text.split()[-1]
    return _DAYS_PER.get(last.lstrip("0123456789")[:1], 1) if last not in {"d", "m"} else 1


_AVERAGES = frozenset({"sma", "ema", "wma", "hma", "dema", "tema", "vwma"})
_NO_PERIOD = frozenset({"fast", "slow", "step"})
_TAKES_PERIOD = {"SERIES", "PAIR", "EDGE", "VORTEX", "AROON", "HIGH_LOW", "GOLDEN", "ANY_EDGE"}


def _attach(lexemes: list[Lexeme]) -> tuple[Lexeme, ...]:
    """Give each indicator the periods before it ("14-period RSI") or behind it ("RSI(14)")."""
    out: list[Lexeme] = []
    place = 0
    while place < len(lexemes):
        lexeme = lexemes[place]
        place += 1
        if lexeme.kind not in _TAKES_PERIOD:
            out.append(lexeme)
            continue
        lexeme = replace(lexeme, numbers=())
        if out and out[-1].kind == "FILLER" and out[-1].text in {"simple", "rolling"} and len(out) > 1:
            out.pop()
        if out and out[-1].kind in {"PERIOD", "SIGMA"} and _fits(out[-1], lexeme):
            before = out.pop()
            deviations = before.numbers if before.kind == "SIGMA" else ()
            numbers = (20.0, *deviations) if deviations else before.numbers
            lexeme = replace(lexeme, numbers=numbers, text=f"{before.text} {lexeme.text}")
        elif (
            out
            and out[-1].kind == "NUMBER"
            and lexeme.value in _AVERAGES
            and 1 < out[-1].numbers[0] <= LONGEST_PERIOD
        ):
            before = out.pop()
            lexeme = replace(lexeme, numbers=before.numbers, text=f"{before.text} {lexeme.text}")
        elif out and out[-1].kind == "PERIODS":
            before = out.pop()
            out.append(replace(lexeme, numbers=before.numbers[:1], text=before.text))
            lexeme = replace(lexeme, numbers=before.numbers[1:2])
        if _number_names_period(lexeme, lexemes[place : place + 2]):
            lexeme = replace(
                lexeme, numbers=lexemes[place].numbers, text=f"{lexeme.text} {lexemes[place].text}"
            )
            place += 1
        if place < len(lexemes) and lexemes[place].kind == "ARGS":
            lexeme = replace(
                lexeme, numbers=lexemes[place].numbers, text=f"{lexeme.text} {lexemes[place].text}"
            )
            place += 1
        elif (
            not lexeme.numbers
            and place + 1 < len(lexemes)
            and lexemes[place].text in {"of", "over"}
            and lexemes[place + 1].kind == "PERIOD"
        ):
            lexeme = replace(lexeme, numbers=lexemes[place + 1].numbers)
            place += 2
        out.append(lexeme)
    return tuple(out)


def _inherit(lexemes: tuple[Lexeme, ...]) -> tuple[Lexeme, ...]:
    """Give an indicator without numbers those that the text gives it elsewhere, when it gives only one set.

    ``RSI(5) below 30, exit when RSI is above 50`` speaks of one RSI.
    """
    given: dict[str, set[tuple[float, ...]]] = {}
    for lexeme in lexemes:
        if lexeme.kind == "SERIES" and lexeme.numbers:
            given.setdefault(_family(lexeme.value), set()).add(lexeme.numbers)
    out = []
    for lexeme in lexemes:
        numbers = given.get(_family(lexeme.value), set()) if lexeme.kind == "SERIES" else set()
        if not lexeme.numbers and len(numbers) == 1 and not lexeme.value.startswith("volume"):
            lexeme = replace(lexeme, numbers=next(iter(numbers)))
        out.append(lexeme)
    return tuple(out)


def _family(kind: str) -> str:
    return "macd" if kind == "macd_histogram" else kind.replace("_plus", "_minus").replace("_down", "_up")


def _number_names_period(lexeme: Lexeme, following: list[Lexeme]) -> bool:
    """``RSI 14 below 30``: a number between an oscillator and its comparison."""
    if (
        lexeme.numbers
        or lexeme.kind != "SERIES"
        or [item.kind for item in following] not in (["NUMBER", "COMPARE"], ["NUMBER", "LEVEL"])
    ):
        return False
    row = CATALOGUE.get(lexeme.value)
    number = following[0].numbers[0]
    return (
        row is not None
        and row.centre is not None
        and row.defaults[:1] != ()
        and row.defaults[0][0] == "period"
        and (number.is_integer() and 2 <= number <= 50)
    )


def _fits(before: Lexeme, lexeme: Lexeme) -> bool:
    if before.kind == "SIGMA":
        return lexeme.kind == "PAIR" or lexeme.value.startswith("bb_")
    defaults = CATALOGUE[lexeme.value].defaults if lexeme.value in CATALOGUE else ()
    return not (
        lexeme.value in CATALOGUE
        and lexeme.value != "volume"
        and (not defaults or defaults[0][0] in _NO_PERIOD)
    )
