"""The parts of a research note, by what they hold, however a model laid it out: Markdown, labels, JSON or YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# What a part holds -> the headings that say so; the first that matches counts. RULES is told apart line by line.
RULES = "rules"
_HEADINGS: tuple[tuple[str, str], ...] = (
    ("coverage", r"coverage"),
    ("why_not", r"(?:why (?:not|it cannot|this cannot|untestable)|not testable).*"),
    ("assumed", r".*\bassum\w*.*"),
    (
        "ignored",
        r".*\b(?:ignored?|left out|omitted|excluded|not (?:covered|tested|included|taken up)|dropped)\b.*",
    ),
    ("data_needed", r".*\bdata\b.*"),
    ("timeframe", r".*\b(?:time ?frames?|bar (?:size|interval)|candle size)\b.*|interval"),
    ("indicators", r".*\bindicators?\b.*|parameters"),
    (
        RULES,
        r".*\bentr(?:y|ies) (?:and|&|/) exits?\b.*|(?:the |trading |strategy )*(?:rules|logic|conditions)",
    ),
    (
        "exits",
        r".*\b(?:exits?|exit\w*|clos(?:e|ing)|sell) ?(?:rules?|conditions?|signals?|logic|criteria|strategy)?",
    ),
    ("exits", r".*\bexits?\b.*"),
    ("entries", r".*\b(?:entr(?:y|ies)|enter|setup|triggers?)\b.*"),
    (
        "entries",
        r"(?:buy|long|short|trade|trading)?(?: and short)? ?(?:rules|conditions|signals?|criteria)|signals?",
    ),
    ("risk", r".*\b(?:risk|stops?|targets?|take profits?|position siz\w+|sizing|money management)\b.*"),
    ("direction", r"(?:trade |trading |market )?(?:direction|bias|sides?)"),
    ("hypothesis", r".*\b(?:hypothes[ie]s|rationale|thesis|premise|edge)\b.*|why .*"),
    ("hypothesis", r"(?:strategy |core )?(?:idea|concept|overview|summary|description)"),
    ("name", r"(?:the )?(?:strategy |idea )?(?:name|title)|strategy"),
)
_KINDS = tuple((kind, re.compile(pattern)) for kind, pattern in _HEADINGS)
_ONE_LINE = frozenset({"coverage", "direction", "timeframe", "name"})
_NO_NAME = re.compile(
    r"(?:the |a |trading |structured )*(?:research|strategy|idea)? ?(?:note|notes|strategy|plan|specification|report)?"
)
_LABEL_WORDS, _HEADING_WORDS = 4, 9

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*[\w-]*[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]*(.*)$")
_BOLD_LINE = re.compile(r"^(?:\d{1,3}[.)][ \t]*)?(?:\*\*|__)([^*_]{1,90})(?:\*\*|__)[ \t]*:?[ \t]*$")
_LABEL = re.compile(
    r"^(?:\*\*|__)?([A-Za-z][^:*\n]{0,50}?)(?:\*\*|__)?[ \t]*(?::|-(?=[ \t]))(?:\*\*|__)?(.*)$"
)
_MARK = re.compile(r"^([-*+•\u2013]|\d{1,3}[.)]|\([a-z\d]\))[ \t]+")
_RULE_LINE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$")
_TABLE_LINE = re.compile(r"^[ \t|:-]+$")
_EDGE = re.compile(r"^[^\w(<>\"'+-]+", re.UNICODE)
_EDGE_OF_LINE = re.compile(r"^[^\w\s*_#-]+\s+")
_TYPOGRAPHY = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
)
_LEAVES = re.compile(r"(?:exit|close|take profit|stop)\b", re.IGNORECASE)


@dataclass(slots=True)
class Sections:
    """``name`` as written, the items of each part, and the text that stands in none."""

    name: str = ""
    items: dict[str, list[str]] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)

    def of(self, kind: str) -> tuple[str, ...]:
        """The items of a part; none where it is missing or says so."""
        return tuple(item for item in self.items.get(kind, ()) if not says_nothing(item))


def read_sections(answer: str) -> Sections:
    """The parts of a note. Never raises, whatever the text."""
    text = _THOUGHT.sub("", answer.replace("\r\n", "\n").replace("\r", "\n"))
    text = _THOUGHT_END.sub("", text)
    value = _json(text)
    if isinstance(value, dict):
        found = Sections()
        _take_json(value, found, 0)
        return found
    return _Reader().read(_FENCE.sub("", text))


def plain(text: str) -> str:
    """A line without Markdown's marks and pictures, with plain quotes and single blanks, that can be encoded."""
    bare = re.sub(
        r"\*\*|__|`|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]", "", text.translate(_TYPOGRAPHY)
    )
    return " ".join(bare.encode("utf-8", "replace").decode().split())


def says_nothing(text: str) -> bool:
    """Whether an item only says that there is none."""
    return text.lower().strip(" .*_()-") in {
        "",
        "none",
        "nothing",
        "n/a",
        "na",
        "not applicable",
        "not stated",
        "null",
        "any",
    }


def kind_of(heading: str, most_words: int = _HEADING_WORDS) -> str:
    """What a part with this heading holds; empty if the heading says nothing of it."""
    words = _bare_heading(heading)
    if not words or len(words.split()) > most_words:
        return ""
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(words)), "")


def _bare_heading(heading: str) -> str:
    bare = plain(heading).lower().replace("_", " ")
    bare = re.sub(r"^(?:step |section |part )?\d{1,2}(?:\.\d+)*[.):]*\s*", "", _EDGE.sub("", bare))
    return _EDGE.sub("", bare).rstrip(" :.#*").strip()


# Lines


@dataclass(slots=True)
class _Reader:
    """Reads a note line by line. ``part`` is the part that lines belong to, ``depth`` the level of its heading.

    ``opened_by_item``: the part began with a labelled bullet, so the next labelled bullet ends it. ``group`` is what
    the items to come are prefixed with, ``group_indent`` the blanks before the first of them (-1: none yet).
    """

    found: Sections = field(default_factory=Sections)
    part: str = ""
    depth: int = 0
    opened_by_item: bool = False
    group: str = ""
    group_indent: int = -1
    joins: bool = False

    def read(self, text: str) -> Sections:
        for line in text.split("\n"):
            self._line(line.rstrip())
        return self.found

    def _line(self, line: str) -> None:
        if not line.strip():
            self.joins = False
            return
        if line.lstrip().startswith("|") and _TABLE_LINE.match(line):
            self._forget_table_head()
            return
        if _RULE_LINE.match(line):
            return
        heading = _HEADING.match(line)
        bold = _BOLD_LINE.match(_EDGE_OF_LINE.sub("", line.strip()))
        if heading:
            self._heading(heading[2], len(heading[1]))
        elif bold and not line[0].isspace():
            self._heading(bold[1], 7)
        elif not self._labelled(line):
            self._text(line)

    def _forget_table_head(self) -> None:
        place = self.found.items.get(self.part)
        if place:
            place.pop()

    def _heading(self, text: str, depth: int) -> None:
        label, _, value = text.partition(":")
        if value.strip() and kind_of(label, _LABEL_WORDS) in _ONE_LINE:
            self._open(kind_of(label, _LABEL_WORDS), depth)
            self._add(value)
            return
        kind = kind_of(text)
        if kind and not (kind == "name" and self.found.name):
            self._open(kind, depth)
            if kind not in ("name", RULES):
                self.found.items.setdefault(kind, [])
        elif self.part and self.part != "name" and depth > self.depth:
            self._group(plain(text).rstrip(":"))
        else:
            if not self.found.name and not _NO_NAME.fullmatch(_bare_heading(text)):
                self.found.name = plain(text)
            self._open("", depth)

    def _labelled(self, line: str) -> bool:
        """Take a line that names its part itself (``Coverage: partly``); false if it does not."""
        indent = len(line) - len(line.lstrip())
        body, is_item = _unmarked(line)
        label = _LABEL.match(_EDGE.sub("", body) if not body.startswith(("*", "_")) else body)
        kind = kind_of(label[1], _LABEL_WORDS) if label else ""
        if not label or not kind or indent > (3 if is_item else 0):
            return False
        inside = self.part and self.part != RULES and not self.opened_by_item
        if is_item and inside and kind not in _ONE_LINE:
            return False  # a stop among the exits is one of them
        if kind == self.part and kind not in _ONE_LINE:
            return False
        if kind == "name" and self.found.name:
            return False
        self._open(kind, 7, by_item=is_item)
        self.found.items.setdefault(kind, [])
        if label[2].strip(" *_"):
            self._add(label[2])
        return True

    def _open(self, kind: str, depth: int, *, by_item: bool = False) -> None:
        self.part, self.depth, self.opened_by_item = kind, depth, by_item
        self._group("")

    def _text(self, line: str) -> None:
        body, is_item = _unmarked(line)
        if line.lstrip().startswith("|"):
            body, is_item = " ".join(cell.strip() for cell in line.strip().strip("|").split("|")), True
        if not is_item and self.joins:
            self._join(body)
        else:
            self._leave_group(len(line) - len(line.lstrip()))
            self._add(body)

    def _leave_group(self, indent: int) -> None:
        """An item that stands further left than the first of a group is not in it."""
        if self.group and self.group_indent < 0:
            self.group_indent = indent
        elif indent < self.group_indent:
            self._group("")

    def _group(self, text: str) -> None:
        self.group, self.group_indent, self.joins = text, -1, False

    def _join(self, text: str) -> None:
        place = self.found.items.get(self._kind(text)) if self.part else self.found.loose
        if place:
            place[-1] = plain(f"{place[-1]} {text}")
        else:
            self._add(text)

    def _add(self, text: str) -> None:
        item = plain(text).strip()
        if not item:
            return
        if self.part == "name":
            self.found.name = self.found.name or item
            self.part = ""
            return
        if item.endswith(":") and len(item.split()) <= _LABEL_WORDS:
            self._group(item.rstrip(":"))
            return
        place = self.found.items.setdefault(self._kind(item), []) if self.part else self.found.loose
        place.append(f"{self.group}: {item}" if self.group else item)
        self.joins = True
        if self.part in _ONE_LINE:
            self._open("", 7)

    def _kind(self, item: str) -> str:
        if self.part != RULES:
            return self.part
        return "exits" if _LEAVES.match(item) or _LEAVES.match(self.group) else "entries"


def _unmarked(line: str) -> tuple[str, bool]:
    """A line without its bullet or number, and whether it had one."""
    body = line.strip()
    mark = _MARK.match(body)
    return (body[mark.end() :].strip(), True) if mark else (body, False)


# JSON


def _json(text: str) -> Any:
    """The JSON object that a text is or holds; ``None`` if there is none."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        return json.loads(text[start : end + 1], strict=False)
    except (ValueError, RecursionError):  # not JSON after all
        return None


def _take_json(value: dict[str, Any], found: Sections, depth: int) -> None:
    for key, inner in value.items():
        kind = kind_of(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key))
        if isinstance(inner, dict) and depth < 3 and kind in ("", "name", RULES):
            _take_json(inner, found, depth + 1)
        elif kind == "name":
            found.name = found.name or plain(str(inner))
        elif kind and kind != RULES:
            found.items.setdefault(kind, []).extend(item for item in _json_items(inner, 0) if item)
        elif kind == RULES:
            found.items.setdefault("entries", []).extend(item for item in _json_items(inner, 0) if item)


def _json_items(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        parts = [f"{key}: {' '.join(_json_items(inner, depth + 1))}" for key, inner in value.items()]
        yield from parts if depth == 0 else [plain(", ".join(parts))]
    elif isinstance(value, list):
        for inner in value:
            yield from _json_items(inner, depth + 1)
    elif value is not None:
        yield plain(str(value))
