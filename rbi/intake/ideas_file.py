"""An ideas file: one idea a line, ``#`` comments and blank lines aside."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from rbi.domain import normalised
from rbi.errors import RbiError

LONGEST_IDEA = 20_000
_NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
LARGEST_FILE = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be an idea: where it is, what is wrong with it and what fixes it."""

    line: int
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A line that repeats an earlier one (lines are counted from 1)."""

    line: int
    first: int


@dataclass(frozen=True, slots=True)
class IdeasFile:
    """What an ideas file holds: distinct ideas in their order, and what was left out and why."""

    path: Path
    texts: tuple[str, ...]
    refused: tuple[Refusal, ...]
    duplicates: tuple[Duplicate, ...]


def read_ideas(path: Path) -> IdeasFile:
    """Read an ideas file.

    Raises `RbiError` if there is no such file, if it is not text, or if it holds no idea at all. A single bad
    line does not stop the others: it is returned among ``refused``.
    """
    lines = _lines(_decode(_content(path), path))
    refused: list[Refusal] = []
    duplicates: list[Duplicate] = []
    first_seen: dict[str, int] = {}
    texts: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        refusal = _refuse(number, text)
        if refusal:
            refused.append(refusal)
            continue
        same = normalised(text)
        if same in first_seen:
            duplicates.append(Duplicate(number, first_seen[same]))
            continue
        first_seen[same] = number
        texts.append(text)
    if not texts:
        raise _no_ideas(path, refused)
    return IdeasFile(path, tuple(texts), tuple(refused), tuple(duplicates))


def _lines(text: str) -> list[str]:
    # Not str.splitlines: that would also cut an idea at form feeds and Unicode separators inside it.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise RbiError(
            "an ideas file is needed, this is a folder", where=str(path), fix="name a text file in it"
        )
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise RbiError("there is no such ideas file", where=str(path), fix=_missing_fix(path)) from None
    except PermissionError:
        raise RbiError("the ideas file may not be read", where=str(path), fix=f"chmod u+r '{path}'") from None
    if len(content) > LARGEST_FILE:
        raise RbiError(
            f"the ideas file is larger than {LARGEST_FILE >> 20} MB",
            where=str(path),
            fix="split it: `split -l 10000 FILE ideas-`",
        )
    return content


def _missing_fix(path: Path) -> str:
    beside = [p.name for p in path.parent.glob("*") if p.is_file()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1)
    if close:
        return f"did you mean {path.parent / close[0]}?"
    return "`rbi init` makes a first one"


def _decode(content: bytes, path: Path) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
        if content and content.count(0) > len(content) // 10:
            raise _not_text(path, "many zero bytes")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _not_text(path, f"byte {error.start} is not valid {_NAMES[encoding]}", line) from None


def _not_text(path: Path, detail: str, line: int | None = None) -> RbiError:
    return RbiError(
        f"the ideas file is not UTF-8 text: {detail}",
        where=f"{path}:{line}" if line else str(path),
        fix="save it as UTF-8 text, one idea a line (`iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW`)",
    )


def _refuse(number: int, text: str) -> Refusal | None:
    if len(text) > LONGEST_IDEA:
        return Refusal(
            number,
            f"{len(text):,} characters in one line; an idea has at most {LONGEST_IDEA:,}",
            "shorten it, or put one idea on each line",
        )
    if "\0" in text:
        return Refusal(number, "the line holds a NUL byte", "remove it: `tr -d '\\000' < FILE > NEW`")
    return None


def _no_ideas(path: Path, refused: list[Refusal]) -> RbiError:
    if refused:
        first = refused[0]
        return RbiError(first.what, where=f"{path}:{first.line}", fix=first.fix)
    return RbiError(
        "the ideas file holds no idea",
        where=str(path),
        fix="write one idea a line, such as: Buy when the 50-day SMA crosses above the 200-day SMA",
    )
