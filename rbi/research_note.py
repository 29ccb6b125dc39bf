"""The research note: the rules a model read out of an idea, as parts that stages can judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rbi.note_sections import Sections, plain, read_sections

UNNAMED = "Unnamed strategy"
_LINKS = frozenset(
    {"a", "an", "and", "as", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "when", "with"}
)
_LONGEST_NAME, _NAME_WORDS = 80, 7
_MOST_DIGITS = 9

_WHOLLY = re.compile(r"wholly|whole|full|fully|complete|completely|entirely|100 ?%", re.IGNORECASE)
_PARTLY = re.compile(r"part(?:ly|ial|ially)?", re.IGNORECASE)
_NONE = re.compile(r"none|nothing|no|not", re.IGNORECASE)
_COVERAGE = re.compile(r"^[^\w\n]{0,20}coverage[^\w\n]+(.{1,60})", re.IGNORECASE | re.MULTILINE)
_NUMBER = re.compile(rf"(?<![\w.])\d{{1,{_MOST_DIGITS}}}(?:\.\d{{1,{_MOST_DIGITS}}})?(?![\d.]*\d)")
_LEVEL = re.compile(r"(?:above|below|over|under|level|threshold|overbought|oversold|[<>]=?).*", re.IGNORECASE)
_NAME_LABEL = re.compile(r"^(?:research note|strategy(?: name)?|name|title)\s*(?::|\s-\s)\s*", re.IGNORECASE)
_NO_NAME = re.compile(
    r"not (?:understood|feasible|testable|applicable)|none|n/a|un(?:named|titled)(?: strategy)?",
    re.IGNORECASE,
)
_KEY = re.compile(r"^(?:name|indicator|type)\s*:\s*", re.IGNORECASE)
_NAME_ENDS = re.compile(
    r"\s*(?:[(:;,=]|\s-\s|\bwith\b|\bof\b|\bon\b|\b(?:periods?|length|window|fast|slow|signal)\b|\d)",
    re.IGNORECASE,
)
_PERIOD_WORD = re.compile(r"^[\s-]*(?:periods?|bars?|days?|hours?|minutes?|weeks?)\b[\s-]*", re.IGNORECASE)


class Coverage(StrEnum):
    """How much of an idea its research note took up."""

    WHOLLY = "wholly"
    PARTLY = "partly"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator and its numbers in the order in which they are written: periods, multiples, not levels."""

    name: str
    periods: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ResearchNote:
    """The rules a model read out of an idea. ``markdown`` is the note as written; the rest is parsed from it.

    ``direction`` is long, short, both or empty. A part that the note does not have is empty.
    """

    markdown: str
    name: str
    coverage: Coverage
    ignored: tuple[str, ...] = ()
    why_not: str = ""
    hypothesis: str = ""
    direction: str = ""
    entries: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()
    risk: tuple[str, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    data_needed: tuple[str, ...] = ()
    timeframe: str = ""
    assumed: tuple[str, ...] = ()

    @property
    def has_rules(self) -> bool:
        """Whether anything was found that says when to trade."""
        return bool(self.entries or self.exits or self.indicators)

    def parsed(self) -> Mapping[str, Any]:
        """The parsed parts as JSON values, without the note itself."""
        parts = {key: value for key, value in asdict(self).items() if key != "markdown"}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in parts.items()}


def parse_note(markdown: str, idea: str = "") -> ResearchNote:
    """Read a note. Never raises: a missing part is empty, and a note that does not state its coverage is *partly*.

    A note without a name gets one from the first words of ``idea``.
    """
    found = read_sections(markdown)
    hypothesis = " ".join(found.of("hypothesis"))
    if not hypothesis and not found.items:
        hypothesis = " ".join(found.loose)
    return ResearchNote(
        markdown=markdown,
        name=_name(found.name) or name_from(idea),
        coverage=_coverage(found, markdown),
        ignored=found.of("ignored"),
        why_not=" ".join(found.of("why_not")),
        hypothesis=hypothesis,
        direction=_direction(" ".join(found.of("direction")).lower()),
        entries=found.of("entries"),
        exits=found.of("exits"),
        risk=found.of("risk"),
        indicators=tuple(_indicators(found.of("indicators"))),
        data_needed=found.of("data_needed"),
        timeframe=" ".join(found.of("timeframe"))[:_LONGEST_NAME],
        assumed=found.of("assumed"),
    )


def name_from(idea: str) -> str:
    """A name for a strategy from the first words of its idea: always the same for the same text."""
    words = re.findall(r"[^\W_][\w%./+-]*", plain(idea))[:_NAME_WORDS]
    while len(words) > 1 and words[-1].lower() in _LINKS:
        words.pop()
    name = " ".join(words)[:_LONGEST_NAME].rstrip(" .-/+")
    return name[:1].upper() + name[1:] if name else UNNAMED


def _name(written: str) -> str:
    bare = _NAME_LABEL.sub("", written)
    bare = "".join(c if c.isprintable() else " " for c in bare).strip(" #*_`\"':.-<>[]")
    if not any(c.isalnum() for c in bare) or _NO_NAME.fullmatch(bare):
        return ""
    if len(bare) > _LONGEST_NAME:
        bare = bare[:_LONGEST_NAME].rsplit(" ", 1)[0]
    return " ".join(bare.split())


def _coverage(found: Sections, markdown: str) -> Coverage:
    stated = _COVERAGE.search(markdown)
    text = " ".join(found.items.get("coverage", ())) or (stated[1] if stated else "")
    # What follows the first words explains them: "none (no bars hold it)".
    head = re.split(r"[(.;:]", text.strip(" *_:-"), maxsplit=1)[0]
    words = [word for word in re.split(r"[\s,/*_`|\"]+", head) if word]
    said = {
        kind
        for kind, pattern in ((Coverage.WHOLLY, _WHOLLY), (Coverage.PARTLY, _PARTLY), (Coverage.NONE, _NONE))
        if any(pattern.fullmatch(word) for word in words)
    }
    return said.pop() if len(said) == 1 else Coverage.PARTLY


def _direction(text: str) -> str:
    long, short = re.search(r"\b(?:long|buy)", text), re.search(r"\b(?:short|sell)", text)
    if "both" in text or (long and short):
        return "both"
    return "long" if long else "short" if short else ""


def _indicators(items: Iterable[str]) -> Iterable[Indicator]:
    for item in items:
        text = _KEY.sub("", item)
        bracket = re.search(r"\(([^()]*\d[^()]*)\)", text)
        numbers = _NUMBER.findall(_LEVEL.sub("", bracket[1] if bracket else text))
        name = _name_before(text) or _name_before(_PERIOD_WORD.sub("", _NUMBER.sub("", text, count=1)))
        if name:
            yield Indicator(name[:_LONGEST_NAME], tuple(_number(number) for number in numbers))


def _name_before(text: str) -> str:
    """What stands before the first number or mark; empty for "14-day RSI of the close"."""
    return _NAME_ENDS.split(text, maxsplit=1)[0].strip(" -*_.")


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
