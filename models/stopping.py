"""Ending every wait at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from models.errors import Interrupted

# How often a thread that cannot be told looks up to see whether everything is to stop.
LOOK_UP_S = 0.1


class StopSignal:
    """Ends every wait that is done through it, at once and for good."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._listeners: set[Callable[[], object]] = set()

    def set(self) -> None:
        """End all waits now under way and to come. May be called from a signal handler."""
        self._event.set()
        # A copy, made in one step: listeners come and go in other threads meanwhile.
        for tell in tuple(self._listeners):
            tell()

    def check(self) -> None:
        """Raise `Interrupted` if everything is to stop."""
        if self._event.is_set():
            raise Interrupted("stopped before the model answered", hint="Run the same command to continue.")

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Interrupted` as soon as everything is to stop."""
        self._event.wait(seconds)
        self.check()

    def listen(self, tell: Callable[[], object]) -> None:
        """Call ``tell`` when everything is to stop. It must neither wait nor take a lock; check after this."""
        self._listeners.add(tell)

    def forget(self, tell: Callable[[], object]) -> None:
        """Do not call ``tell`` any more."""
        self._listeners.discard(tell)
