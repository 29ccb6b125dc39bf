"""How many ideas are begun or ask a model at once: those that are at a backtest are not among them."""

from __future__ import annotations

import threading

from models.stopping import Flag

_LOOK_UP_S = 0.1


class Turns:
    """A semaphore for ``count`` ideas, by their ids. An idea is begun with a turn, and asks models with one.

    At a backtest it lends its turn, so that another idea can begin, and it takes one again when it next asks: before
    a further idea begins. While the batch is ``stopping`` nobody waits for a turn: whoever goes on then ends.
    """

    def __init__(self, count: int, stopping: Flag) -> None:
        self._free = count
        self._waiting = 0
        self._holders: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = stopping

    def try_take(self, idea_id: str) -> bool:
        """A turn for an idea that is to begin, if one is left over. Never waits."""
        with self._changed:
            if self._free <= self._waiting:
                return False
            self._hold(idea_id)
            return True

    def take(self, idea_id: str) -> None:
        """Wait for a turn, unless the idea has one."""
        with self._changed:
            if idea_id in self._holders:
                return
            self._waiting += 1
            while self._free < 1 and not self._stopping.is_set():
                self._changed.wait(_LOOK_UP_S)
            self._waiting -= 1
            self._hold(idea_id)

    def give_back(self, idea_id: str) -> None:
        """The idea needs no turn for now, or has ended."""
        with self._changed:
            if idea_id in self._holders:
                self._holders.remove(idea_id)
                self._free += 1
                self._changed.notify()

    def _hold(self, idea_id: str) -> None:
        self._holders.add(idea_id)
        self._free -= 1
