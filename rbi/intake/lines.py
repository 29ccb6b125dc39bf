"""The ideas of a text file, one a line: decoded and joined as the bytes come in, never held as a whole."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rbi.errors import RbiError

LONGEST_IDEA = 20_000
_LONGEST_LINE = 4 * LONGEST_IDEA  # white space around an idea does not count; beyond this all of it does
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NAMES = {"utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line, counted from 1. Of one that is too long, ``text`` is only the beginning."""

    number: int
    text: str
    length: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What may be an idea: the first of its lines, counted from 1, its text, and its length in characters.

    ``text`` is cut where ``length`` is more than `LONGEST_IDEA`.
    """

    line: int
    text: str
    length: int


@dataclass(slots=True)
class _Open:
    """An entry that further lines may still belong to."""

    line: int
    parts: list[str] = field(default_factory=list)
    length: int = 0

    def add(self, glue: str, text: str, length: int) -> None:
        glue = glue if self.length else ""
        self.length += len(glue) + length
        if self.length - length <= LONGEST_IDEA:  # what is refused anyway is counted, not kept
            self.parts += [glue, text]

    def entry(self) -> Entry:
        return Entry(self.line, "".join(self.parts), self.length)


def entries(chunks: Iterable[bytes], where: str) -> Iterator[Entry]:
    """The entries of a file whose bytes come in ``chunks``.

    ``#`` begins a comment line. A line that ends in a backslash is joined with the next, by a blank. An indented
    line continues the entry above it, on a line of its own; a blank line ends the entry. Raises `RbiError`, naming
    ``where``, for what is not UTF-8 or UTF-16 text.
    """
    return joined(split(_decoded(chunks, where)))


def joined(lines: Iterable[Line]) -> Iterator[Entry]:
    """Entries out of physical lines: see `entries`."""
    current: _Open | None = None
    is_joined = False
    for line in lines:
        text = line.text.strip()
        continues = bool(text) and current is not None and (is_joined or line.text[0] in " \t")
        if text.startswith("#") and not is_joined:
            continue
        if current is not None and not continues:
            yield from _unless_empty(current)
            current = None
        if not text:
            is_joined = False
            continue
        current = current or _Open(line.number)
        glue = " " if is_joined else "\n"
        is_joined = text.endswith("\\")
        text = text[:-1].rstrip() if is_joined else text
        current.add(glue, text, line.length if line.length > _LONGEST_LINE else len(text))
    if current is not None:
        yield from _unless_empty(current)


def _unless_empty(current: _Open) -> Iterator[Entry]:
    if current.length:
        yield current.entry()


def split(texts: Iterable[str]) -> Iterator[Line]:
    """Physical lines out of pieces of text, at ``\\n`` alone."""
    # Not str.splitlines: that would also cut an idea at form feeds and Unicode separators inside it.
    number, kept, length = 1, "", 0
    for text in texts:
        *whole, rest = text.split("\n")
        for part in whole:
            yield Line(number, (kept + part)[: _LONGEST_LINE + 1], length + len(part))
            number, kept, length = number + 1, "", 0
        length += len(rest)
        kept = (kept + rest)[: _LONGEST_LINE + 1]
    if length:
        yield Line(number, kept, length)


def _decoded(chunks: Iterable[bytes], where: str) -> Iterator[str]:
    """The text of the chunks, with every line ending as ``\\n``."""
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    decoder: codecs.IncrementalDecoder | None = None
    encoding, passed, line = "", 0, 1
    for chunk in _with_end(chunks):
        if decoder is None:
            encoding, passed = _encoding(chunk, where)
            decoder, chunk = codecs.getincrementaldecoder(encoding)(), chunk[passed:]
        waiting = len(decoder.getstate()[0])
        try:
            text = newlines.decode(decoder.decode(chunk, not chunk), not chunk)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            detail = f"byte {passed - waiting + error.start} is not valid {_NAMES[encoding]}"
            raise _not_text(detail, f"{where}:{line}") from None
        passed += len(chunk)
        line += text.count("\n")
        yield text


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from filter(None, chunks)
    yield b""


def _encoding(start: bytes, where: str) -> tuple[str, int]:
    """The encoding of a file that begins so, and the length of its byte order mark."""
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding, len(mark)
    if start and start.count(0) > len(start) // 10:
        raise _not_text("many zero bytes", where)
    return "utf-8", 0


def _not_text(detail: str, where: str) -> RbiError:
    return RbiError(
        f"the ideas file is not UTF-8 text: {detail}",
        where=where,
        fix="save it as UTF-8 text, one idea a line (`iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW`)",
    )
