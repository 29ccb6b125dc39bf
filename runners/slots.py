"""How many jobs go on at the same time, in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from runners.interruption import Interruption

_LOOK_UP_S = 0.1


class Slots:
    """A semaphore that serves whoever came first. Safe to use from many threads."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def one(self, interruption: Interruption) -> Iterator[bool]:
        """Wait for a slot and hold it; false, and none is held, if the wait was interrupted."""
        turn = threading.Event()
        with self._lock:
            self._queue.append(turn)
            self._serve()
        try:
            while not interruption.is_set() and not turn.wait(_LOOK_UP_S):
                continue
            yield not interruption.is_set()
        finally:
            self._leave(turn)

    def _leave(self, turn: threading.Event) -> None:
        with self._lock:
            if turn.is_set():
                self._free += 1
            else:
                self._queue.remove(turn)
            self._serve()

    def _serve(self) -> None:
        while self._free and self._queue:
            self._free -= 1
            self._queue.popleft().set()
