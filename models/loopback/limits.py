"""Limits that are really enforced: sliding windows over the moments at which requests arrive."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from models.base import Allowance, RateReport


@dataclass(frozen=True, slots=True)
class Enforced:
    """What a server allows in any ``period_s`` seconds, and at once. ``None`` is no limit.

    A request counts from its arrival; one that is turned away does not. Its input counts at once, its output when
    the answer is known; with ``reserves_output`` its ``max_tokens`` count until then, as some providers have it.
    ``retry_after`` is whether a refusal says how long to wait.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    concurrency: int | None = None
    retry_after: bool = True
    reserves_output: bool = False
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Excess:
    """Why a request is turned away: ``quantity`` is ``requests``, ``tokens``, ``input_tokens``, ``output_tokens``
    or ``concurrency``. It would fit in ``wait_s`` seconds; ``None`` if that is not known or never.
    """

    quantity: str
    limit: int
    used: int
    wanted: int
    wait_s: float | None


@dataclass(slots=True)
class _Count:
    at: float
    amount: int
    in_window: bool = True


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a request that arrived ``at`` (seconds on the server's clock), and what it may be told."""

    at: float
    excess: Excess | None
    report: RateReport
    counts: Mapping[str, _Count] = field(default_factory=lambda: MappingProxyType({}))


class _Window:
    """One quantity's sum over the last ``period_s`` seconds."""

    def __init__(self, limit: int, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self.used = 0
        self._counts: deque[_Count] = deque()

    def forget(self, now: float) -> None:
        """Drop what is too old to count."""
        while self._counts and now - self._counts[0].at >= self.period_s:
            old = self._counts.popleft()
            old.in_window = False
            self.used -= old.amount

    def add(self, now: float, amount: int) -> _Count:
        """Count ``amount`` from now on."""
        count = _Count(now, amount)
        self._counts.append(count)
        self.used += amount
        return count

    def change(self, count: _Count, amount: int) -> None:
        """Correct what was counted."""
        if count.in_window:
            self.used += amount - count.amount
        count.amount = amount

    def wait_s(self, now: float, amount: int) -> float | None:
        """Seconds until ``amount`` fits, 0 when it does now; ``None`` when it never will."""
        spare = self.limit - self.used
        if amount <= spare:
            return 0.0
        for count in self._counts:
            spare += count.amount
            if amount <= spare:
                return count.at + self.period_s - now
        return None

    def allowance(self, now: float) -> Allowance:
        """The state in a provider's terms: all of it is there again when the newest count is too old."""
        reset_s = self._counts[-1].at + self.period_s - now if self._counts else 0.0
        return Allowance(self.limit, max(self.limit - self.used, 0), reset_s, self.period_s)


class Enforcement:
    """Lets requests in or turns them away. Safe to use from many threads; ``clock`` gives seconds."""

    def __init__(self, enforced: Enforced, clock: Callable[[], float] = time.monotonic) -> None:
        self.enforced = enforced
        self._clock = clock
        self._lock = threading.Lock()
        self._in_flight = 0
        limits = {
            "requests": enforced.requests_per_minute,
            "tokens": enforced.tokens_per_minute,
            "input_tokens": enforced.input_tokens_per_minute,
            "output_tokens": enforced.output_tokens_per_minute,
        }
        self._windows = {
            name: _Window(limit, enforced.period_s) for name, limit in limits.items() if limit is not None
        }

    def admit(self, input_tokens: int, max_output_tokens: int | None) -> Admission:
        """Decide about a request that arrives now. One that is let in has to be given to `release` some day."""
        reserved = (max_output_tokens or 0) if self.enforced.reserves_output else 0
        wanted = _amounts(input_tokens, reserved)
        with self._lock:
            now = self._clock()
            for window in self._windows.values():
                window.forget(now)
            excess = self._excess(now, wanted)
            counts: dict[str, _Count] = {}
            if excess is None:
                self._in_flight += 1
                counts = {name: window.add(now, wanted[name]) for name, window in self._windows.items()}
            return Admission(now, excess, self._report(now), counts)

    def settle(self, admission: Admission, input_tokens: int, output_tokens: int) -> None:
        """Count what the answer really uses, at the moment its request arrived."""
        used = _amounts(input_tokens, output_tokens)
        with self._lock:
            for name, count in admission.counts.items():
                self._windows[name].change(count, used[name])

    def release(self, admission: Admission) -> None:
        """The request is answered."""
        if admission.excess is None:
            with self._lock:
                self._in_flight -= 1

    def _excess(self, now: float, wanted: Mapping[str, int]) -> Excess | None:
        at_once = self.enforced.concurrency
        if at_once is not None and self._in_flight >= at_once:
            return Excess("concurrency", at_once, self._in_flight, 1, None)
        worst: Excess | None = None
        for name, window in self._windows.items():
            # An answer of unknown length needs room for one token at least.
            amount = max(wanted[name], 1)
            wait_s = window.wait_s(now, amount)
            if wait_s is None:
                return Excess(name, window.limit, window.used, amount, None)
            if wait_s > 0 and (worst is None or wait_s > (worst.wait_s or 0)):
                worst = Excess(name, window.limit, window.used, amount, wait_s)
        return worst

    def _report(self, now: float) -> RateReport:
        return RateReport(**{name: window.allowance(now) for name, window in self._windows.items()})


def _amounts(input_tokens: int, output_tokens: int) -> dict[str, int]:
    return {
        "requests": 1,
        "tokens": input_tokens + output_tokens,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
