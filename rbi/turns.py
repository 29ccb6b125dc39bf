"""How many ideas are worked on at once: those that wait for a core are not among them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOOK_UP_S = 0.1


class Turns:
    """A semaphore for ``count`` ideas. Who steps aside lets another idea begin, and goes on before a further one does.

    While the batch is ``stopping`` nobody waits for a turn: whoever goes on then ends.
    """

    def __init__(self, count: int, stopping: threading.Event) -> None:
        self._free = count
        self._returning = 0
        self._changed = threading.Condition()
        self._stopping = stopping

    def try_take(self) -> bool:
        """A turn for an idea that is to begin, if one is left over. Never waits."""
        with self._changed:
            if self._free <= self._returning:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        """The turn of an idea has ended."""
        with self._changed:
            self._free += 1
            self._changed.notify()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Lend the own turn to others during the block, and wait for one after it."""
        self.give_back()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        with self._changed:
            self._returning += 1
            while self._free < 1 and not self._stopping.is_set():
                self._changed.wait(_LOOK_UP_S)
            self._returning -= 1
            self._free -= 1
