"""How many calls are under way at once, and how far apart they start: one gate per account."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.base import Account
from models.errors import Interrupted

# How often a queued thread looks up to see whether everything is to stop.
LOOK_UP_S = 0.1


class StopSignal:
    """Ends every wait that is done through it, at once and for good."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End all waits now under way and to come."""
        self._event.set()

    def check(self) -> None:
        """Raise `Interrupted` if everything is to stop."""
        if self._event.is_set():
            raise Interrupted("stopped before the model answered", hint="Run the same command to continue.")

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise `Interrupted` as soon as everything is to stop."""
        self._event.wait(seconds)
        self.check()


class GlobalDelay:
    """Spaces starts: callers from any thread get the instants 0, d, 2d, ... and sleep until theirs."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_start = float("-inf")

    def wait(self) -> float:
        """Sleep until this caller's turn and return the seconds slept."""
        pause = self._reserve()
        if pause > 0:
            self._sleep(pause)
        return pause

    def _reserve(self) -> float:
        # Only the instant is taken under the lock; sleeping there would add up everyone's waits.
        with self._lock:
            now = self._clock()
            start = max(now, self._next_start)
            self._next_start = start + self._seconds
            return start - now


class CallGate:
    """At most ``max_in_flight`` calls at once, first come first served, started ``delay`` apart."""

    def __init__(self, max_in_flight: int, delay: GlobalDelay, stop: StopSignal) -> None:
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight must be at least 1, not {max_in_flight}")
        self._max_in_flight = max_in_flight
        self._delay = delay
        self._stop = stop
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._taken = 0
        self._in_flight = 0
        self._peak = 0

    @property
    def in_flight(self) -> int:
        """Calls under way now."""
        return self._in_flight

    @property
    def peak(self) -> int:
        """The most calls ever under way at once."""
        return self._peak

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one slot; entering waits for it and for the delay. Raises `Interrupted` after a stop."""
        self._take()
        try:
            # The delay comes second: a start reserved before queueing would be long past when the
            # slot comes free, and the calls behind it would all start together.
            self._delay.wait()
            self._stop.check()
            self._count(+1)
            try:
                yield
            finally:
                self._count(-1)
        finally:
            self._give_back()

    def _take(self) -> None:
        turn = object()
        with self._changed:
            self._queue.append(turn)
            try:
                while self._queue[0] is not turn or self._taken >= self._max_in_flight:
                    self._stop.check()
                    self._changed.wait(LOOK_UP_S)
                self._taken += 1
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()

    def _give_back(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def _count(self, change: int) -> None:
        with self._changed:
            self._in_flight += change
            self._peak = max(self._peak, self._in_flight)


class Gates:
    """One `CallGate` per account. Accounts without a key have no delay: nobody meters them.

    ``stop`` ends the waits of every gate and of the `ModelClient` that uses them.
    """

    def __init__(
        self,
        *,
        max_in_flight: int = 10,
        delay_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = StopSignal()
        self._max_in_flight = max_in_flight
        self._delay_s = delay_s
        self._clock = clock
        self._lock = threading.Lock()
        self._gates: dict[Account, CallGate] = {}

    def for_account(self, account: Account) -> CallGate:
        """The account's gate, made on first use."""
        with self._lock:
            if account not in self._gates:
                self._gates[account] = self._new_gate(account)
            return self._gates[account]

    def _new_gate(self, account: Account) -> CallGate:
        seconds = self._delay_s if account.key_digest else 0.0
        delay = GlobalDelay(seconds, clock=self._clock, sleep=self.stop.sleep)
        return CallGate(self._max_in_flight, delay, self.stop)
