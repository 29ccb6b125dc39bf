"""Where ideas come from: a file with one a line, a folder with one a file, or standard input."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rbi.domain import normalised
from rbi.errors import RbiError
from rbi.intake.lines import LONGEST_IDEA, Entry, entries
from rbi.terminal import printable

STDIN = "-"
STDIN_SHOWN = "standard input"
LARGEST_FILE = 256 * 1024 * 1024
_LARGEST_IDEA_FILE = 8 * LONGEST_IDEA  # front matter and four bytes a character
_LONGEST_FRONT_MATTER = 200  # lines
_LONGEST_TITLE = 200
# A key, an item or a line of a value above, a comment, nothing: not an idea between two rules.
_IN_FRONT_MATTER = re.compile(r"[\w\"'][^:]*:(?:\s|$)|- |[ \t]|#|[]}]|$")
_SUFFIXES = (".md", ".txt")
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A file as the user named it, and a line in it counted from 1; line 0 is the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class SourcedIdea:
    """An idea, where it was read, and the title that its front matter gives it."""

    text: str
    place: Place
    title: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be an idea: where it is, what is wrong with it and what fixes it; ``digest`` is of its text."""

    place: Place
    what: str
    fix: str
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A place that holds the idea of an earlier one again; ``digest`` is of its text."""

    place: Place
    first: Place
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Ideas:
    """Distinct ideas in their order, and what was left out and why. Paths in ideas begin at ``base``.

    Where the source ``is_watched`` more may come.
    """

    source: str
    base: Path
    ideas: tuple[SourcedIdea, ...]
    refused: tuple[Refused, ...]
    repeated: tuple[Repeated, ...]
    is_watched: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The ideas alone."""
        return tuple(idea.text for idea in self.ideas)


def read_source(spec: str, stdin: BinaryIO) -> Ideas:
    """Read the ideas of a file, of a folder and what is below it, or with ``-`` of ``stdin``, once.

    A file and standard input hold one idea a line: see `rbi.intake.lines.entries`. In a folder every ``.md`` and
    ``.txt`` file is one idea, hidden ones aside; a block of ``key: value`` lines between ``---`` lines at its top is
    front matter. What cannot be an idea is returned among ``refused`` and does not stop the others. Raises `RbiError`
    if the source is not there, is not text, or holds no idea at all.
    """
    found = Found()
    path = source_path(spec)
    if spec == STDIN:
        base = Path()
        found.add_entries(entries(chunks(stdin, STDIN_SHOWN), STDIN_SHOWN), STDIN_SHOWN)
    elif path.is_dir():
        base = path
        for file in idea_files(path):
            found.add_file(file, str(Path(spec) / file.relative_to(path)))
    else:
        base = path.parent
        with open_ideas(path) as opened:
            found.add_entries(entries(chunks(opened, spec), spec), spec)
    if not found.ideas:
        raise _no_ideas(spec, found.refused, is_folder=base == path and spec != STDIN)
    return Ideas(spec, base, tuple(found.ideas), tuple(found.refused), tuple(found.repeated))


def source_path(spec: str) -> Path:
    """The path that ``spec`` names. Raises `RbiError` for the home of a user that is not there."""
    try:
        return Path(spec).expanduser()
    except RuntimeError:
        raise RbiError(
            "there is no such home folder", where=spec, fix="check the name after ~, or write ./~"
        ) from None


@dataclass(slots=True)
class Found:
    """What has been read so far. Ideas are told apart by a digest: their texts are not kept twice."""

    ideas: list[SourcedIdea] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    _first: dict[bytes, Place] = field(default_factory=dict)

    def add_entries(self, found: Iterable[Entry], shown: str) -> None:
        """Add the entries of a file of one idea a line."""
        for entry in found:
            self.add(entry.text, entry.length, Place(shown, entry.line))

    def add_file(self, path: Path, shown: str) -> None:
        """Add a file that is one idea as a whole."""
        place = Place(shown)
        try:
            text, title = _one_idea(path)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            self.refused.append(
                Refused(place, f"the file cannot be read: {said}", "save it as UTF-8 text, or remove it")
            )
            return
        if text:
            self.add(text, len(text), place, title)
        else:
            self.refused.append(Refused(place, "the file holds no text", "write the idea into it"))

    def add(self, text: str, length: int, place: Place, title: str = "") -> None:
        """Add an idea, or what is wrong with it."""
        wrong = _what_is_wrong(text, length)
        digest = digest_of(text)
        if wrong:
            self.refused.append(Refused(place, *wrong, digest))
            return
        first = self._first.setdefault(digest, place)
        if first is place:
            self.ideas.append(SourcedIdea(text, place, title))
        else:
            self.repeated.append(Repeated(place, first, digest))


def digest_of(text: str) -> bytes:
    """What tells ideas apart: equal for texts that are the same idea."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).digest()[:16]


def _what_is_wrong(text: str, length: int) -> tuple[str, str] | None:
    if length > LONGEST_IDEA:
        what = f"{length:,} characters in one idea; it has at most {LONGEST_IDEA:,}"
        return what, "shorten it, or put one idea on each line"
    if "\0" in text:
        return "the idea holds a NUL byte", "remove it: `tr -d '\\000' < FILE > NEW`"
    return None


# Files of one idea a line


def open_ideas(path: Path) -> BinaryIO:
    """Open an ideas file. Raises `RbiError` with what to do if it cannot be."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise RbiError("there is no such ideas file", where=str(path), fix=_missing_fix(path)) from None
    except PermissionError:
        raise RbiError("the ideas file may not be read", where=str(path), fix=f"chmod u+r '{path}'") from None
    except (OSError, ValueError) as error:
        raise RbiError(
            f"the ideas file cannot be read: {error}", where=str(path), fix="name another"
        ) from None


def chunks(file: BinaryIO, shown: str) -> Iterator[bytes]:
    """The bytes of an ideas file as they are read. Raises `RbiError` if there are too many, or if they cannot be."""
    passed = 0
    while chunk := _read(file, shown):
        passed += len(chunk)
        if passed > LARGEST_FILE:
            raise RbiError(
                f"the ideas file is larger than {LARGEST_FILE >> 20} MB",
                where=shown,
                fix="split it: `split -l 10000 FILE ideas-`",
            )
        yield chunk


def _read(file: BinaryIO, shown: str) -> bytes:
    try:
        return file.read(_CHUNK)
    except OSError as error:
        raise RbiError(
            f"the ideas cannot be read: {error.strerror}", where=shown, fix="name another file"
        ) from None


def _missing_fix(path: Path) -> str:
    beside = [p.name for p in path.parent.glob("*") if p.is_file()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1)
    if close:
        return f"did you mean {path.parent / close[0]}?"
    return "`rbi init` makes a first one"


# Folders of one idea a file


def idea_files(folder: Path) -> Iterator[Path]:
    """The files in a folder and below that are ideas, in their order. Raises `RbiError` for one it cannot look into."""
    for place, folders, names in os.walk(folder, onerror=_cannot_look):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in _SUFFIXES and not name.startswith(".") and path.is_file():
                yield path


def _cannot_look(error: OSError) -> None:
    raise RbiError(
        f"the folder cannot be looked into: {error.strerror}",
        where=str(error.filename),
        fix="allow it: chmod u+rx",
    )


def _one_idea(path: Path) -> tuple[str, str]:
    """Text and title of a file that is one idea. Raises `OSError`, and `ValueError` for what is not text."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_IDEA_FILE + 1)
    if len(content) > _LARGEST_IDEA_FILE:
        raise ValueError(f"it is larger than {_LARGEST_IDEA_FILE >> 10} KB")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not text") from None
    return without_front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))


def without_front_matter(text: str) -> tuple[str, str]:
    """The text below its front matter, and the ``title`` or ``name`` in there.

    A ``---`` line at the top that no other follows is a part of the text, and so is what is no ``key: value``.
    """
    lines = text.split("\n")
    marks = [n for n, line in enumerate(lines[:_LONGEST_FRONT_MATTER]) if line.rstrip() == "---"]
    if len(marks) < 2 or marks[0] != 0 or not all(map(_IN_FRONT_MATTER.match, lines[1 : marks[1]])):
        return text.strip(), ""
    values = dict(_key_values(lines[1 : marks[1]]))
    title = values.get("title") or values.get("name", "")
    return "\n".join(lines[marks[1] + 1 :]).strip(), printable(title, longest=_LONGEST_TITLE)


def _key_values(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "\t", "#")):
            yield key.strip().lower(), value.strip().strip("\"'")


def _no_ideas(spec: str, refused: list[Refused], *, is_folder: bool) -> RbiError:
    if refused:
        first = refused[0]
        return RbiError(first.what, where=str(first.place), fix=first.fix)
    if is_folder:
        what, fix = "the folder holds no idea", f"put one idea into each file ({' or '.join(_SUFFIXES)})"
        return RbiError(what, where=spec, fix=fix)
    return RbiError(
        "the ideas file holds no idea",
        where=STDIN_SHOWN if spec == STDIN else spec,
        fix="write one idea a line, such as: Buy when the 50-day SMA crosses above the 200-day SMA",
    )
