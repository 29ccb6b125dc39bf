"""Waiting for money that calls under way may give back."""

from __future__ import annotations

import threading

# How often a call that waits looks whether another process has given some back.
_LOOK_AGAIN_S = 0.5


class Refunds:
    """Tells those who wait for money that a call has ended."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many calls have ended."""
        return self._count

    def announce(self) -> None:
        """A call has ended."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int) -> None:
        """Until there are more than ``seen``, or a while has passed: another process may have given some back."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, _LOOK_AGAIN_S)
