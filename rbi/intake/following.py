"""A source of ideas that goes on being written: what is new in it since the last look.

Nothing half-written is taken for an idea. A line counts when its end is there. The last one may be the first of a
block, so it counts when a line begins below that does not belong to it, or when the file has stood still for
`LINE_STILL_S`; after a continued line that is `BLOCK_STILL_S`. In a folder a file counts when two looks saw it
the same.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

from rbi.errors import RbiError, UsageError
from rbi.intake.arriving import FollowedInput
from rbi.intake.lines import Tail, entries
from rbi.intake.news import BLOCK_STILL_S, NOTHING, Clock, Following, Known, News, Once, is_due
from rbi.intake.sources import STDIN, Found, Ideas, chunks, idea_files, open_ideas, source_path

FILE_LOOK_S = 0.1
FOLDER_LOOK_S = 0.3
GONE_S = 2.0  # an editor that saves takes a file away for a moment
_TICK_NS = 50_000_000  # two changes within this time may leave a file with the same time of change

Signature = tuple[int, int, int]  # time of change in ns, size in bytes, inode


def follow(spec: str, stdin: BinaryIO, clock: Clock = time.monotonic) -> Following:
    """The source that ``spec`` names, as `rbi.intake.sources.read_source` takes it.

    Raises `UsageError` for what can be read only once.
    """
    path = source_path(spec)
    if spec == STDIN:
        return FollowedInput(stdin, clock)
    if path.is_dir():
        return FollowedFolder(path, spec, clock)
    if path.exists() and not path.is_file():
        raise UsageError(
            "this is neither a file nor a folder, so it cannot be looked at again",
            where=spec,
            fix="name a file or a folder, or pass it on: `... | rbi run - --watch`",
        )
    return FollowedFile(path, spec, clock)


class FollowedFile:
    """A file with one idea a line. It is read as a whole when it has changed; another file in its place is, too."""

    def __init__(self, path: Path, shown: str, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._shown = shown
        self._clock = clock
        self._known = Known()
        self._once = Once()
        self._found = Found()  # by the last reading, while its tail may go on
        self._tail = Tail()
        self._trouble: RbiError | None = None
        self._seen: Signature | None = None
        self._may_have_changed = False
        self._since = self._next_look = -float("inf")

    def begin(self) -> Ideas:
        """See `Following`."""
        news = self.look()
        if self._seen is None and not self._trouble:
            open_ideas(self._path).close()  # it says what is wrong
        if self._trouble:
            raise self._trouble
        return _as_ideas(self._shown, self._path.parent, news)

    def look(self) -> News:
        """See `Following`."""
        now = self._clock()
        if now < self._next_look:
            return NOTHING
        try:
            about = self._path.stat()
        except OSError:
            self._next_look = now + FILE_LOOK_S
            return self._gone(now)
        news = NOTHING
        if self._seen != _signature(about) or self._may_have_changed:
            news = self._read(now)
        # Reading a file of many thousand lines takes its time: it must not take all of it.
        self._next_look = now + max(FILE_LOOK_S, 2 * (self._clock() - now))
        return self._with_what_stands_still(news, now - self._since)

    def _gone(self, now: float) -> News:
        if self._seen is not None:
            self._seen, self._since = None, now
            self._tail, self._found, self._trouble = Tail(), Found(), None
        if now - self._since < GONE_S:
            return NOTHING
        return News(
            remarks=self._once.say(f"{self._shown} is gone; what it held goes on, and it may come back")
        )

    def _read(self, now: float) -> News:
        self._found, self._tail = Found(), Tail()
        try:
            with open_ideas(self._path) as opened:
                self._note_change(os.fstat(opened.fileno()), now)
                read = entries(chunks(opened, self._shown), self._shown, self._tail)
                self._found.add_entries(read, self._shown)
        except RbiError as error:
            self._since = now if self._trouble is None else self._since
            self._trouble = error
        else:
            self._trouble = None
        return self._known.news(self._found)

    def _note_change(self, about: os.stat_result, now: float) -> None:
        ago_ns = time.time_ns() - about.st_mtime_ns
        self._may_have_changed = 0 <= ago_ns < _TICK_NS
        if self._seen == _signature(about):
            return
        # It has changed after the last look, whatever its own time says: that may be another clock's, or a copy's.
        longest = FILE_LOOK_S if self._since > -float("inf") else BLOCK_STILL_S
        self._seen = _signature(about)
        self._since = now - min(max(ago_ns / 1e9, 0.0), longest)

    def _with_what_stands_still(self, news: News, still_s: float) -> News:
        if self._trouble:
            if still_s < BLOCK_STILL_S:  # it may be in the middle of a change
                return news
            remark = f"{self._trouble.what} ({self._trouble.where or self._shown}); {self._trouble.fix}"
            return news.and_more(News(remarks=self._once.say(remark, str(self._seen))))
        if self._tail.last is not None and is_due(self._tail, still_s):
            self._found.add_entries((self._tail.last,), self._shown)
            news = news.and_more(self._known.news(self._found))
            self._tail.last, self._found = None, Found()
        begun = self._tail.rest.strip()
        if begun and not begun.startswith("#") and still_s >= BLOCK_STILL_S:
            remark = f"{self._shown}:{self._tail.rest_line} waits for the end of its line: it is no idea before that"
            return news.and_more(News(remarks=self._once.say(remark)))
        return news


def _as_ideas(spec: str, base: Path, news: News) -> Ideas:
    return Ideas(spec, base, news.ideas, news.refused, news.repeated, is_watched=True)


def _signature(found: os.stat_result) -> Signature:
    return found.st_mtime_ns, found.st_size, found.st_ino


class FollowedFolder:
    """A folder with one idea a file. An empty file is not written yet."""

    def __init__(self, folder: Path, shown: str, clock: Clock = time.monotonic) -> None:
        self._folder = folder
        self._shown = shown
        self._clock = clock
        self._known = Known()
        self._once = Once()
        self._seen: dict[Path, Signature] = {}
        self._taken: dict[Path, Signature] = {}
        self._next_look = -float("inf")
        self._gone_since: float | None = None

    def begin(self) -> Ideas:
        """See `Following`. Files that have not changed for a while count at once."""
        still = time.time_ns() - int(BLOCK_STILL_S * 1e9)
        files = self._files()
        self._seen = {path: signature for path, signature in files.items() if signature[0] < still}
        news = self._take(files)
        self._next_look = self._clock() + FOLDER_LOOK_S
        return _as_ideas(self._shown, self._folder, news)

    def look(self) -> News:
        """See `Following`."""
        now = self._clock()
        if now < self._next_look:
            return NOTHING
        try:
            files = self._files()
        except RbiError as error:
            self._next_look = now + FOLDER_LOOK_S
            return self._gone(error, now)
        self._gone_since = None
        # A look at many thousand files takes its time: it must not take all of it.
        self._next_look = now + max(FOLDER_LOOK_S, 4 * (self._clock() - now))
        return self._take(files)

    def _gone(self, error: RbiError, now: float) -> News:
        self._gone_since = now if self._gone_since is None else self._gone_since
        if now - self._gone_since < GONE_S:
            return NOTHING
        return News(remarks=self._once.say(f"{error.what} ({error.where}); what was found goes on"))

    def _files(self) -> dict[Path, Signature]:
        found = {}
        for path in idea_files(self._folder):
            try:
                about = path.stat()
            except OSError:
                continue  # gone since it was listed
            if about.st_size:
                found[path] = _signature(about)
        return found

    def _take(self, files: dict[Path, Signature]) -> News:
        """What is in files that are as the last look saw them, and that were not read so."""
        found = Found()
        for path, signature in files.items():
            if self._seen.get(path) == signature and self._taken.get(path) != signature:
                self._taken[path] = signature
                found.add_file(path, str(Path(self._shown) / path.relative_to(self._folder)))
        self._seen = files
        return self._known.news(found)
