"""Reading documents: their text, in a process that can be ended, and made harmless."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import Fetched, Kind
from rbi.terminal import printable

LONGEST_TEXT = 60_000
LONGEST_READING_S = 20
MOST_MEMORY = 2**29
_LONGEST_TITLE = 200
_WAKES_EVERY_S = 0.25
_PROGRAM = Path(__file__).with_name("extraction.py")
# What Python decodes and no page is written in. The first two take hours for a large text.
_NO_CHARSETS = (
    "punycode",
    "idna",
    "undefined",
    "unicode-escape",
    "unicode_escape",
    "raw-unicode-escape",
    "utf-7",
)
_KEPT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL")  # no key of the user's is among them


@dataclass(frozen=True, slots=True)
class ReadText:
    """What a document says, cleaned, at most `LONGEST_TEXT` characters; what was left out is in ``notes``."""

    text: str
    title: str = ""
    notes: tuple[str, ...] = ()


def read_document(fetched: Fetched, is_stopping: Callable[[], bool] = lambda: False) -> ReadText:
    """The text of a web page, a PDF or plain text. Raises `DocumentFailed`."""
    if fetched.kind == Kind.TEXT:
        return _finished(_plain(fetched), "", (), fetched.url, is_cut=False)
    found = _extracted(fetched, is_stopping)
    if "trouble" in found:
        raise DocumentFailed(Trouble[found["trouble"]], found["what"], fetched.url)
    return _finished(found["text"], found["title"], tuple(found["notes"]), fetched.url, is_cut=found["cut"])


def cleaned(text: str) -> str:
    """Text without characters that are not seen: control, format (bidi marks, zero width, tags), private use.

    Line breaks stay, at most two together; white space at the ends of lines does not.
    """
    out = "".join(_visible(c) for c in text.replace("\r\n", "\n").replace("\r", "\n"))
    lines: list[str] = []
    for line in (one.rstrip() for one in out.split("\n")):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip()


def _visible(character: str) -> str:
    if character in "\n\t" or character.isascii():
        return character if character in "\n\t" or character.isprintable() else ""
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character == "\x85":
        return "\n"
    return "" if category in ("Cc", "Cf", "Cs", "Co", "Cn") else character


def finished(text: str, title: str, notes: tuple[str, ...], where: str) -> ReadText:
    """Cleaned and capped. Raises `DocumentFailed` if nothing is left."""
    return _finished(text, title, notes, where, is_cut=False)


def _finished(text: str, title: str, notes: tuple[str, ...], where: str, *, is_cut: bool) -> ReadText:
    clean = cleaned(text)
    if not clean:
        raise DocumentFailed(Trouble.NO_TEXT, "there is no text in it", where)
    if is_cut or len(clean) > LONGEST_TEXT:
        notes = (*notes, f"only the first {LONGEST_TEXT:,} characters")
    return ReadText(clean[:LONGEST_TEXT].rstrip(), printable(cleaned(title), longest=_LONGEST_TITLE), notes)


def _plain(fetched: Fetched) -> str:
    charset = fetched.charset or "utf-8-sig"
    try:
        # "undefined" decodes nothing.
        return fetched.content.decode("undefined" if codecs.lookup(charset).name in _NO_CHARSETS else charset)
    except (LookupError, ValueError):
        raise DocumentFailed(Trouble.BROKEN, "it is not the text that it claims to be", fetched.url) from None


def _extracted(fetched: Fetched, is_stopping: Callable[[], bool]) -> dict[str, Any]:
    kind = "pdf" if fetched.kind == Kind.PDF else "html"
    charset = fetched.charset if fetched.charset.isascii() and fetched.charset.isprintable() else ""
    limits = (str(LONGEST_TEXT), str(LONGEST_READING_S), str(MOST_MEMORY))
    process = subprocess.Popen(
        [sys.executable, "-I", str(_PROGRAM), kind, charset or "-", *limits],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        start_new_session=True,  # Ctrl-C is ours to answer
    )
    with process:
        try:
            out = _communicate(process, fetched, is_stopping)
        finally:
            process.kill()
    if process.returncode != 0:
        raise DocumentFailed(Trouble.TOO_HEAVY, "reading it takes too much time or memory", fetched.url)
    found: dict[str, Any] = json.loads(out)
    return found


def _communicate(
    process: subprocess.Popen[bytes], fetched: Fetched, is_stopping: Callable[[], bool]
) -> bytes:
    end = time.monotonic() + LONGEST_READING_S
    content: bytes | None = fetched.content
    while True:
        try:
            out, _ = process.communicate(content, timeout=_WAKES_EVERY_S)
            return out
        except subprocess.TimeoutExpired:
            content = None  # what is left of it is sent by the next call
        if is_stopping():
            raise DocumentFailed(Trouble.STOPPED, "stopped while it was being read", fetched.url)
        if time.monotonic() > end:
            what = f"reading it takes longer than {LONGEST_READING_S} s"
            raise DocumentFailed(Trouble.TOO_HEAVY, what, fetched.url)
