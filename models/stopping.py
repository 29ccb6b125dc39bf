"""Ending every wait at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from models.errors import Interrupted

# How often a thread that cannot be told looks up to see whether everything is to stop.
LOOK_UP_S = 0.1


class Flag:
    """Set once, for ever. Takes no lock: a signal handler that interrupts its own `set` may set it."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """From now on it is set."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._is_set


class StopSignal:
    """Ends every wait that is done through it, at once and for good."""

    def __init__(self) -> None:
        self._flag = Flag()
        self._listeners: set[Callable[[], object]] = set()

    def set(self) -> None:
        """End all waits now under way and to come. May be called from a signal handler."""
        self._flag.set()
        # A copy, made in one step: listeners come and go in other threads meanwhile.
        for tell in tuple(self._listeners):
            tell()

    def check(self) -> None:
        """Raise `Interrupted` if everything is to stop."""
        if self._flag.is_set():
            raise Interrupted("stopped before the model answered", hint="Run the same command to continue.")

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Interrupted` as soon as everything is to stop."""
        # Putting something into a SimpleQueue is safe even from a signal handler.
        bell: SimpleQueue[None] = SimpleQueue()

        def ring() -> None:
            bell.put(None)

        self.listen(ring)
        try:
            self.check()
            with suppress(Empty):
                bell.get(timeout=max(seconds, 0.0))
        finally:
            self.forget(ring)
        self.check()

    def listen(self, tell: Callable[[], object]) -> None:
        """Call ``tell`` when everything is to stop. It must neither wait nor take a lock; check after this."""
        self._listeners.add(tell)

    def forget(self, tell: Callable[[], object]) -> None:
        """Do not call ``tell`` any more."""
        self._listeners.discard(tell)
