"""Wall-clock limits of calls, kept by one thread for all of them."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What ``work`` returns or raises. `TimeoutError` if it is not done in ``seconds``.

    For what cannot be interrupted: it is left to a thread of its own, which nobody waits for any more.
    """
    done: queue.SimpleQueue[Callable[[], Result]] = queue.SimpleQueue()
    threading.Thread(target=lambda: done.put(_outcome(work)), name="model-lookup", daemon=True).start()
    try:
        outcome = done.get(timeout=min(seconds, threading.TIMEOUT_MAX))
    except queue.Empty:
        raise TimeoutError(f"not done after {seconds:g} s") from None
    return outcome()


def _outcome(work: Callable[[], Result]) -> Callable[[], Result]:
    try:
        result = work()
    except Exception as found:  # noqa: BLE001 - raised again in the thread that waits for it
        error = found

        def fail() -> Result:
            raise error

        return fail
    return lambda: result


class Deadline:
    """The limit of one call. ``passed`` is set before the call is cut."""

    __slots__ = ("cut", "end", "passed", "seconds")

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self.seconds = seconds
        self.cut = cut
        self.end = time.monotonic() + seconds
        self.passed = False

    def left_s(self) -> float:
        """Seconds until it passes, never negative."""
        return max(self.end - time.monotonic(), 0.0)


class DeadlineWatch:
    """Cuts calls whose time is up. A timer thread for each call would cost more than the call's own work.

    The thread exists only while there is something to watch.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: set[Deadline] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = math.inf

    def start(self, seconds: float, cut: Callable[[], None]) -> Deadline:
        """Call ``cut`` in ``seconds``, from another thread, unless `stop` comes first."""
        deadline = Deadline(seconds, cut)
        with self._changed:
            self._running.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="model-deadlines", daemon=True)
                self._thread.start()
            elif deadline.end < self._wakes_at:
                self._changed.notify()
        return deadline

    def shorten(self, deadline: Deadline, seconds: float) -> None:
        """Let it pass in ``seconds`` from now, if that is sooner."""
        with self._changed:
            deadline.end = min(deadline.end, time.monotonic() + seconds)
            if deadline.end < self._wakes_at:
                self._changed.notify()

    def stop(self, deadline: Deadline) -> None:
        """The call is over. Once this returns, it is cut already or never will be."""
        with self._changed:
            self._running.discard(deadline)

    def _watch(self) -> None:
        with self._changed:
            while self._running:
                now = time.monotonic()
                for deadline in [one for one in self._running if one.end <= now]:
                    self._running.discard(deadline)
                    deadline.passed = True
                    deadline.cut()
                self._wakes_at = min((one.end for one in self._running), default=now)
                self._changed.wait(min(self._wakes_at - now, threading.TIMEOUT_MAX))
            self._thread = None
            self._wakes_at = math.inf
