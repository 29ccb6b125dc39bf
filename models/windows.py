"""What an account has used in a period that slides along with the clock, and when there is room again."""

from __future__ import annotations

from typing import NamedTuple

from models.base import Allowance, RateReport

MINUTE_S = 60.0
_BUCKETS = 240  # per period: an entry is kept up to 1/240 of the period too long, never too short
_KEPT = _BUCKETS + 2
_NEARLY = 0.8
# Calls do not arrive exactly as far apart as they were sent.
_A_LITTLE_MORE = 1.04


class Amounts(NamedTuple):
    """What one call takes from the account. ``tokens`` is input and output together, cached ones included."""

    requests: int = 0
    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Window:
    """The use of one thing in the last ``period_s`` seconds, ours and others', against a limit.

    A call is *reserved* when it starts and *booked* with what it really took when it ends. Memory does not grow
    with the number of calls. Not safe to share between threads.
    """

    def __init__(self, name: str, own_limit: int | None = None, period_s: float = MINUTE_S) -> None:
        self.name = name
        self.period_s = period_s
        self.limit = own_limit
        self._own_limit = own_limit
        self._width_s = period_s / _BUCKETS
        self._booked = [0] * _KEPT
        self._total = 0
        self._gone = -1  # buckets up to this number are past the period
        self._reserved = 0
        self._foreign = 0
        self._foreign_until = float("-inf")

    def with_period(self, period_s: float) -> Window:
        """A window of another period in which the same calls are under way."""
        other = Window(self.name, None, period_s)
        other._reserved = self._reserved
        return other

    def used(self, now: float) -> int:
        """Everything that counts now: booked, reserved, and taken by others."""
        self._slide(now)
        return self._reserved + self._total + self._foreign

    def wait_s(self, amount: int, now: float) -> float | None:
        """Seconds until there is room for ``amount``, or ``None``: only the end of a call can make it.

        A call larger than the limit has room when nothing else is in the window.
        """
        if self.limit is None:
            return 0.0
        used = self.used(now)
        if used == 0:
            return 0.0
        excess = used + min(amount, self.limit) - self.limit
        return 0.0 if excess <= 0 else self._seconds_until_gone(excess, now)

    def reserve(self, amount: int) -> None:
        """A call starts that will take about ``amount``."""
        self._reserved += amount

    def book(self, reserved: int, amount: int, at: float, now: float) -> None:
        """A call ended: instead of ``reserved`` it took ``amount``, counted at the time ``at``."""
        self._reserved -= reserved
        self._slide(now)
        bucket = int(at / self._width_s)
        if amount and bucket > self._gone:
            self._booked[bucket % _KEPT] += amount
            self._total += amount

    def observe(self, stated: Allowance, now: float) -> None:
        """Believe the provider's statement: its limit if that is lower, and what others took of it."""
        if not stated.limit:
            return  # nothing is said, or 0 by a server that takes calls all the same
        self.limit = stated.limit if self._own_limit is None else min(self._own_limit, stated.limit)
        if stated.remaining is None:
            return
        self._slide(now)
        self._foreign = max(0, stated.limit - stated.remaining - self._reserved - self._total)
        lasts = self.period_s if stated.reset_s is None else min(stated.reset_s, self.period_s)
        self._foreign_until = now + lasts

    def _slide(self, now: float) -> None:
        if now >= self._foreign_until:
            self._foreign = 0
        gone = int((now - self.period_s) // self._width_s) - 1
        if gone <= self._gone:
            return
        if self._total:
            for bucket in range(max(self._gone, gone - _KEPT) + 1, gone + 1):
                self._total -= self._booked[bucket % _KEPT]
                self._booked[bucket % _KEPT] = 0
        self._gone = gone

    def _seconds_until_gone(self, excess: int, now: float) -> float | None:
        foreign = self._foreign
        for bucket in range(self._gone + 1, self._gone + _KEPT + 1):
            ends = (bucket + 1) * self._width_s + self.period_s
            if foreign and self._foreign_until <= ends:
                excess -= foreign
                foreign = 0
                if excess <= 0:
                    return max(0.0, self._foreign_until - now)
            excess -= self._booked[bucket % _KEPT]
            if excess <= 0:
                # A hair later than the edge, so that rounding does not ask twice.
                return max(0.0, ends - now) + 1e-6
        return max(0.0, self._foreign_until - now) if excess <= foreign else None


class Windows:
    """All windows of one account: a minute of requests, tokens, input and output, and what the provider adds."""

    def __init__(self, own: tuple[int | None, int | None, int | None, int | None]) -> None:
        self.minute = tuple(
            Window(name, limit)
            for name, limit in zip(("requests", "tokens", "input tokens", "output tokens"), own, strict=True)
        )
        self._other_periods: dict[tuple[int, float], Window] = {}
        self._all = tuple(enumerate(self.minute))

    def fullest(self, amounts: Amounts, now: float) -> tuple[Window, float | None] | None:
        """The window that has no room for the call for longest, and for how long, or ``None`` if all have room."""
        worst: tuple[Window, float | None] | None = None
        for kind, window in self._all:
            seconds = window.wait_s(amounts[kind], now)
            if seconds == 0.0:
                continue
            if worst is None or (worst[1] is not None and (seconds is None or seconds > worst[1])):
                worst = (window, seconds)
        return worst

    def spacing_s(self) -> float:
        """Seconds between the starts of calls if a minute's requests are to be spread evenly; 0 without a limit."""
        limit = self.minute[0].limit
        return MINUTE_S / limit * _A_LITTLE_MORE if limit else 0.0

    def reserve(self, amounts: Amounts) -> None:
        """A call starts that will take about ``amounts``."""
        for kind, window in self._all:
            window.reserve(amounts[kind])

    def book(self, reserved: Amounts, amounts: Amounts, at: float, now: float) -> None:
        """A call ended that had ``reserved`` and took ``amounts``, counted at the time ``at``."""
        for kind, window in self._all:
            window.book(reserved[kind], amounts[kind], at, now)

    def is_nearly_full(self, now: float) -> bool:
        """Whether a limit that we know of is nearly used up."""
        return any(
            window.limit is not None and window.used(now) >= _NEARLY * window.limit for _, window in self._all
        )

    def observe(self, report: RateReport, now: float) -> None:
        """Believe what the provider states."""
        stated = (report.requests, report.tokens, report.input_tokens, report.output_tokens)
        for kind, allowance in enumerate(stated):
            if allowance is not None and allowance.limit is not None:
                self._window(kind, allowance.period_s).observe(allowance, now)

    def _window(self, kind: int, period_s: float) -> Window:
        if period_s == MINUTE_S:
            return self.minute[kind]
        key = (kind, period_s)
        if key not in self._other_periods:
            self._other_periods[key] = self.minute[kind].with_period(period_s)
            self._all = (*self._all, (kind, self._other_periods[key]))
        return self._other_periods[key]
