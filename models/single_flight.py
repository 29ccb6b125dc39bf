"""Equal questions asked at the same time go out once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.limiter import LOOK_UP_S, StopSignal


class SingleFlight:
    """Lets one thread at a time work on a key."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._held: set[str] = set()

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """Wait until no other thread holds the key, and hold it. Raises `Interrupted` after a stop."""
        with self._changed:
            while key in self._held:
                self._stop.check()
                self._changed.wait(LOOK_UP_S)
            self._held.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(key)
                self._changed.notify_all()
