"""One signal for every run in progress, safe to give from a signal handler."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress


class Interruption:
    """Set once, for ever. Whoever waits with a selector watches `fileno`, which then stays readable."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._set = False
        weakref.finalize(self, _close, self._read, self._write)

    def set(self) -> None:
        """Wake everyone, now and later. Takes no lock, so it may interrupt anything."""
        self._set = True
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._set

    def fileno(self) -> int:
        """A file descriptor that is readable once `set` was called."""
        return self._read


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
