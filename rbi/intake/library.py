"""The documents that ideas link to, read at most two at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rbi.domain import Brief, normalised
from rbi.intake.documents import brief
from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import Fetch
from rbi.intake.links import names_files

MOST_AT_ONCE = 2  # a reader takes up to half a gigabyte
_WAKES_EVERY_S = 0.1


class Documents:
    """Reads documents over ``fetch`` and from files; relative paths begin at ``base``. Safe to share between threads.

    Once ``is_stopping`` returns true, reading and waiting for it end soon.
    """

    def __init__(self, fetch: Fetch, base: Path, is_stopping: Callable[[], bool]) -> None:
        self._fetch = fetch
        self._base = base
        self._is_stopping = is_stopping
        self._places = threading.Semaphore(MOST_AT_ONCE)

    def identity(self, idea_text: str) -> Mapping[str, str]:
        """What determines the brief of an idea: its words, and where its paths begin if it has any."""
        base = str(self._base.absolute()) if names_files(idea_text) else ""
        return {"idea": normalised(idea_text), "base": base}

    def brief(self, idea_text: str) -> Brief:
        """The brief of an idea with links. Raises `DocumentFailed`."""
        with self._a_place():
            return brief(idea_text, self._fetch, base=self._base, is_stopping=self._is_stopping)

    @contextmanager
    def _a_place(self) -> Iterator[None]:
        while not self._places.acquire(timeout=_WAKES_EVERY_S):
            if self._is_stopping():
                raise DocumentFailed(Trouble.STOPPED, "stopped before it was read", "")
        try:
            yield
        finally:
            self._places.release()
