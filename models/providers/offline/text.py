"""The idea as plain words: one spelling for each sign, lower case, nothing unprintable, a bounded length."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from models.providers.offline.spelling import respell

MAX_CHARACTERS = 4000
"""How much of one idea is read. Ideas are sentences; what follows is not looked at, and the note says so."""

_SIGNS = str.maketrans(
    {
        "\u2264": "<=",
        "\u2265": ">=",
        "\u00d7": " x ",
        "*": " x ",
        "\u03c3": " standard deviations",
        "\u2013": "-",
        "\u2014": ", ",
        "\u2212": "-",
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u00b1": " ",
    }
)
_NUMBER_WORDS = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "twelve": "12",
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
    "fifty": "50",
    "hundred": "100",
    "twice": "2 x",
    "double the": "2 x the",
    "triple the": "3 x the",
}
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_NUMBER_WORDS) + r")\b")


@dataclass(frozen=True, slots=True)
class IdeaText:
    """An idea's normalised words, the same before they were respelled, and whether its end was cut off."""

    words: str
    plain: str
    truncated: bool


def normalise(idea: str) -> IdeaText:
    """Bring an idea to the one spelling that the vocabulary is written in."""
    text = re.sub(r"(?:^|\n)\s*(?:[-*\u2022]|\d{1,2}[.)])\s+|\n\s*\n", " . ", idea[:MAX_CHARACTERS])
    text = unicodedata.normalize("NFKC", text)[:MAX_CHARACTERS].translate(_SIGNS).lower()
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    text = re.sub(r"'s\b|s'(?= )", lambda match: "s" if match[0] == "s'" else "", text)
    text = re.sub(r"[-=]+>|\u2192", " : ", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"(?<=\d)%?\s?-\s?(?=\d)", " to ", text)
    text = re.sub(r"(?<=\w)-(?=\w)", " ", text)
    text = re.sub(r"(?<=\d)\s?(x|times)(?![a-z])", " x", text)
    text = re.sub(r"(?<=\d)sd\b", " standard deviations", text)
    text = re.sub(r"([<>]=?)", r" \1 ", text)
    text = _NUMBER_WORD.sub(lambda match: _NUMBER_WORDS[match[0]], text)
    plain = re.sub(r"\s+", " ", text).strip()
    return IdeaText(respell(plain), plain, len(idea) > MAX_CHARACTERS)


def printable(text: str, limit: int) -> str:
    """One line of ``text``, safe in a comment and inside a code fence, of at most ``limit`` characters."""
    line = "".join(sign if sign.isprintable() and sign != "`" else " " for sign in text[: 4 * limit])
    line = re.sub(r" +", " ", line).strip()
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."
