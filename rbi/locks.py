"""Three locks, each protecting one thing: the terminal, a folder shared by processes, the date of a run folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TextIO

from filelock import FileLock as _FileLock
from filelock import Timeout


class ConsoleLock:
    """One writer of a stream at a time: a line is written whole or not yet, never mixed with another's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()

    def write_line(self, text: str) -> None:
        """Write one line (inner line breaks become blanks) and flush it."""
        line = " ".join(text.splitlines()) + "\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    @contextmanager
    def held(self) -> Iterator[TextIO]:
        """The stream for longer output, such as a table; nobody else writes meanwhile."""
        with self._lock:
            yield self._stream
            self._stream.flush()


class FileLock:
    """A folder-wide claim that holds between processes and is released by the system if its holder dies.

    ``folder`` keeps one small lock file a name. The same claim is also exclusive between threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _lock(self, name: str) -> _FileLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Not thread-local: a claim belongs to the work, whichever thread began it.
        return _FileLock(self._folder / f"{name}.lock", thread_local=False)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Wait for the claim and hold it."""
        with self._lock(name):
            yield

    @contextmanager
    def try_hold(self, name: str) -> Iterator[bool]:
        """Whether the claim could be had at once; held for the ``with`` block if so."""
        lock = self._lock(name)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


class DateLock:
    """The run folder for work that starts now. When the date changes it changes once, whoever asks first.

    ``today`` is the local date; ``on_change`` makes the folder of a new date and returns its name.
    """

    def __init__(self, folder: str, today: Callable[[], date], on_change: Callable[[date], str]) -> None:
        self._folder = folder
        self._today = today
        self._on_change = on_change
        self._date = today()
        self._lock = threading.Lock()

    def folder(self) -> str:
        """The folder for work that starts at this moment."""
        with self._lock:
            now = self._today()
            if now > self._date:
                self._folder = self._on_change(now)
                self._date = now
            return self._folder
