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
    lines: int = 0

    def add(self, glue: str, text: str, length: int) -> None:
        self.lines += 1
        glue = glue if self.length else ""
        self.length += len(glue) + length
        if self.length - length <= LONGEST_IDEA:  # what is refused anyway is counted, not kept
            self.parts += [glue, text]

    def entry(self) -> Entry:
        return Entry(self.line, "".join(self.parts), self.length)


@dataclass(slots=True)
class Tail:
    """The end of a text that is still being written: what may go on, and so is no whole entry yet.

    ``rest`` is the beginning of a line that has no end, in line ``rest_line``; empty if there is none. ``last`` is the
    entry that a further line may belong to. One that ``is_block`` has got such a line already, or ends in a backslash.
    """

    rest: str = ""
    rest_line: int = 0
    last: Entry | None = None
    is_block: bool = False
    is_joined: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the line that has no end belongs to the last entry: that is not whole without it."""
        begun = self.rest.strip()
        return self.last is not None and bool(begun) and (self.is_joined or not begun.startswith("#"))

    def ends_what_is_above(self, *, is_joined: bool) -> bool:
        """Whether the line that has no end cannot belong to an entry above it, however it goes on."""
        return bool(self.rest) and not is_joined and self.rest[0] not in " \t#"


def entries(chunks: Iterable[bytes], where: str, tail: Tail | None = None) -> Iterator[Entry]:
    """The entries of a file whose bytes come in ``chunks``.

    ``#`` begins a comment line. A line that ends in a backslash is joined with the next, by a blank. An indented
    line continues the entry above it, on a line of its own; a blank line ends the entry. With a ``tail`` the file may
    still be written: what may go on is left there, and is not among the entries. Raises `RbiError`, naming ``where``,
    for what is not UTF-8 or UTF-16 text.
    """
    return joined(split(decoded(chunks, where, is_whole=tail is None), tail), tail)


def joined(lines: Iterable[Line], tail: Tail | None = None) -> Iterator[Entry]:
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
    if current is None:
        return
    if tail is None or tail.ends_what_is_above(is_joined=is_joined):
        yield from _unless_empty(current)
    else:
        tail.last, tail.is_joined = next(_unless_empty(current), None), is_joined
        tail.is_block = is_joined or current.lines > 1


def _unless_empty(current: _Open) -> Iterator[Entry]:
    if current.length:
        yield current.entry()


def split(texts: Iterable[str], tail: Tail | None = None) -> Iterator[Line]:
    """Physical lines out of pieces of text, at ``\\n`` alone. With a ``tail``, one without it is left there."""
    # Not str.splitlines: that would also cut an idea at form feeds and Unicode separators inside it.
    number, kept, length = 1, "", 0
    for text in texts:
        *whole, rest = text.split("\n")
        for part in whole:
            yield Line(number, (kept + part)[: _LONGEST_LINE + 1], length + len(part))
            number, kept, length = number + 1, "", 0
        length += len(rest)
        kept = (kept + rest)[: _LONGEST_LINE + 1]
    if length and tail is None:
        yield Line(number, kept, length)
    elif length and tail is not None:
        tail.rest, tail.rest_line = kept, number


def decoded(chunks: Iterable[bytes], where: str, *, is_whole: bool = True) -> Iterator[str]:
    """The text of each chunk, and at last what was kept back, with every line ending as ``\\n``.

    Unless the text ``is_whole``, a character of which only the first bytes are there is left out.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    decoder: codecs.IncrementalDecoder | None = None
    encoding, passed, line, start = "", 0, 1, b""
    for chunk in _with_end(chunks) if is_whole else filter(None, chunks):
        is_last = not chunk
        if decoder is None:
            start += chunk
            if not is_last and _may_become_a_mark(start):
                yield ""
                continue
            encoding, passed = _encoding(start, where)
            decoder, chunk = codecs.getincrementaldecoder(encoding)(), start[passed:]
        waiting = len(decoder.getstate()[0])
        try:
            text = newlines.decode(decoder.decode(chunk, is_last), is_last)
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


def _may_become_a_mark(start: bytes) -> bool:
    return any(len(start) < len(mark) and mark.startswith(start) for mark, _ in _BOMS)


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
