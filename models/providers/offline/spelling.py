# ruff: noqa: E501  a pattern broken over lines is read by nobody
"""The many ways to write one rule, brought to the one that the vocabulary knows."""

from __future__ import annotations

import re
from functools import cache

from models.providers.offline.spelling_bars import BARS
from models.providers.offline.spelling_crossings import CROSSINGS
from models.providers.offline.spelling_lines import LINES
from models.providers.offline.spelling_orders import ORDERS
from models.providers.offline.spelling_parts import AVERAGE, BANDS, N, Replacement


def respell(words: str) -> str:
    """Normalised words with the ways of writing that the vocabulary does not list replaced."""
    words = _fast_and_slow(words)
    for pattern, replacement in _rows():
        words = pattern.sub(replacement, words)
    if re.search(rf"\b{BANDS}\b", words):
        words = _MIDDLE.sub("middle band", words)
        words = _BARE_EDGE.sub(r"\1 band", words)
    flipping = _FLIPPING.search(words)
    if flipping is not None:
        words = _flips(words, flipping[0])
    return re.sub(r"\s+", " ", words).strip()


def _fast_and_slow(words: str) -> str:
    """``Fast EMA 8, slow EMA 34: buy when fast crosses above slow``: the lines by their names."""
    for name in ("fast", "slow"):
        given = re.search(rf"\b{name}(?:er)? ({AVERAGE}) ?\(?({N})\)?", words)
        if given is not None:
            line = f"{given[1]} ({given[2]})"
            words = re.sub(
                rf"\b(?:the )?{name}(?:er)?(?: (?:one|line|ma|average|ema|sma))?(?= (?:crosses|is|falls|drops|below|above|under|over)\b|[,;.: ]*$|[,;.:])",
                line,
                words,
            )
            words = re.sub(rf"(?<=[ab]o[vw][e ])(?: ?the)? ?{name}(?:er)?\b(?! {AVERAGE})", f" {line}", words)
    return words


_FLIPPING = re.compile(r"\bsuper ?trend\b|\bparabolic sar\b|\bpsar\b")


def _flips(words: str, line: str) -> str:
    """A SuperTrend or parabolic SAR "turns bullish" when the price crosses it."""
    subject = (
        rf"(?:(?:the )?{re.escape(line)}(?: \([^)]{{1,20}}\))?(?: line)? |(?<=when )it |(?<=if )it |(?<=it ))"
    )
    args = re.search(rf"{re.escape(line)} (\([^)]{{1,20}}\))", words)
    name = f"{line} {args[1]}" if args is not None else line
    verb = r"(?:turns|flips|goes|becomes|switches)(?: to)? "
    words = re.sub(
        rf"{subject}{verb}(?:bullish|green|up|positive|long)\b", f"price crosses above {name}", words
    )
    return re.sub(
        rf"{subject}{verb}(?:bearish|red|down|negative|short)\b", f"price crosses below {name}", words
    )


_MIDDLE = re.compile(
    r"\b(?:the |its )?(?:channel |band |middle |mid )?(?:midline|middle line|midpoint|channel middle|center ?line|centre ?line)\b"
    r"|\b(?:(?<=at )|(?<=to )|(?<=target )|(?<=exit ))(?:the )?(?:mean|middle|basis)(?= ?(?:[,;.]|$|or\b))"
)


_BARE_EDGE = re.compile(
    r"\b((?:above|below|over|under|beyond|outside|at|touches|hits) (?:the )?(?:upper|lower))(?: channel)?(?= ?(?:[,;:.]|$|and\b|or\b))"
)


@cache
def _rows() -> tuple[tuple[re.Pattern[str], Replacement], ...]:
    rows = (*ORDERS, *LINES, *BARS, *CROSSINGS)
    return tuple((re.compile(pattern), replacement) for pattern, replacement in rows)
