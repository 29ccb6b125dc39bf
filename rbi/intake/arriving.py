"""Ideas that arrive on standard input, one a line, while those before them are worked on."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO

from rbi.errors import RbiError
from rbi.intake.lines import LONGEST_IDEA, Entry, Tail, decoded, joined, split
from rbi.intake.news import Clock, Known, News, is_due
from rbi.intake.sources import STDIN, STDIN_SHOWN, Found, Ideas

_CHUNK = 64 * 1024
_MOST_WAITING = 4 * 1024 * 1024
_LONGEST_KEPT = 2**18  # of a line that has no end yet: far more than an idea may have


class FollowedInput:
    """Standard input: lines as they arrive, until its end. What has been taken is not kept."""

    def __init__(self, stream: BinaryIO, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._known = Known()
        self._waiting: deque[bytes] = deque()
        self._texts = decoded(self._chunks(), STDIN_SHOWN)
        self._text = ""
        self._passed = 0  # lines
        self._since = clock()
        self._cut = 0  # characters of the line that has no end yet, counted and not kept
        self._has_ended = False

    def begin(self) -> Ideas:
        """See `Following`: nothing, as nobody knows how long the first line takes."""
        return Ideas(STDIN, Path(), (), (), (), is_watched=True)

    def look(self) -> News:
        """See `Following`. Raises `RbiError` for what is not text."""
        now = self._clock()
        if not self._has_ended and self._receive():
            self._since = now
        tail = None if self._has_ended else Tail()
        found = Found()
        for entry in joined(split([self._text], tail), tail):
            found.add_entries((self._placed(entry),), STDIN_SHOWN)
        if tail is None:
            self._text = ""
            return replace(self._known.news(found), is_last=True)
        if tail.last is not None and is_due(tail, now - self._since):
            found.add_entries((self._placed(tail.last),), STDIN_SHOWN)
            tail.last = None
        self._forget(tail)
        self._cut_what_is_too_long()
        return self._known.news(found)

    def _receive(self) -> bool:
        """Take in what has arrived, and whether its end has; returns whether anything was there."""
        before = len(self._text)
        while not self._has_ended and _has_arrived(self._stream):
            chunk = _received(self._stream)
            self._waiting.extend((chunk,) if chunk else ())
            self._text += next(self._texts)
            self._has_ended = not chunk
            if len(self._text) - before > _CHUNK:
                break  # the rest in the next look: it waits in the pipe
        if len(self._text) > _MOST_WAITING:
            raise RbiError(
                f"more than {_MOST_WAITING:,} characters without an end of an idea",
                where=STDIN_SHOWN,
                fix="put one idea on each line",
            )
        return len(self._text) > before

    def _chunks(self) -> Iterator[bytes]:
        while self._waiting:
            yield self._waiting.popleft()

    def _placed(self, entry: Entry) -> Entry:
        """The entry with its line in all that arrived, and its whole length."""
        length = entry.length
        if length > LONGEST_IDEA:
            length, self._cut = length + self._cut, 0
        return replace(entry, line=self._passed + entry.line, length=length)

    def _cut_what_is_too_long(self) -> None:
        """Keep no more than the beginning of a line that does not end: it is refused, and the next ones count."""
        begins = self._text.rfind("\n") + 1
        longer = len(self._text) - begins - _LONGEST_KEPT
        if longer > 0:
            self._cut += longer
            self._text = self._text[: begins + _LONGEST_KEPT]

    def _forget(self, tail: Tail) -> None:
        """Keep of the text only what may go on."""
        first = tail.last.line if tail.last is not None else tail.rest_line
        lines = self._text.split("\n")
        cut = first - 1 if first else len(lines) - 1
        self._passed += cut
        self._text = "\n".join(lines[cut:])


def _has_arrived(stream: BinaryIO) -> bool:
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (UnsupportedOperation, ValueError):
        return True  # it is not one of the system's: nothing has to be waited for


def _received(stream: BinaryIO) -> bytes:
    try:
        return os.read(stream.fileno(), _CHUNK)
    except UnsupportedOperation:
        return stream.read(_CHUNK)
