"""How many calls may be under way at once, learnt from how calls end. Decisions only: no clock, no lock."""

from __future__ import annotations

START = 20
SMALLEST_ROUND = 4
USED_ENOUGH = 0.8
SHRINK = 0.8
GROW = 0.05
REMEMBER_S = 60.0


class AdaptiveLimit:
    """The most calls at once: between 1 and ``most``.

    A round is as many clean successes as the limit, at least 4. A round in which the limit was nearly used up
    raises it: twofold until the first rate limit, by 5% after it, and for a minute not again to where it was
    too high. Until that first rate limit a crowd of calls none of which is refused is as good as a round. A rate limit
    lowers it by a fifth. Times are seconds of one clock.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = min(START, most)
        self._doubling = True
        self._successes = 0
        self._peak = 0
        self._too_many = most + 1
        self._remembered_until = float("-inf")

    @property
    def limit(self) -> int:
        """How many calls may be under way now."""
        return self._limit

    @property
    def may_double(self) -> bool:
        """Whether no rate limit was met yet, and the limit may still rise."""
        return self._doubling and self._limit < self._most

    def let_in(self, in_flight: int) -> None:
        """So many calls are under way, as many as may be, and none of them was turned away."""
        self._limit = min(self._most, 2 * self._limit)
        self._start_round(in_flight)

    def began(self, in_flight: int) -> None:
        """A call began; ``in_flight`` counts it."""
        self._peak = max(self._peak, in_flight)

    def succeeded(self, in_flight: int, now: float) -> None:
        """A first attempt succeeded; ``in_flight`` counts the calls still under way."""
        self._successes += 1
        if self._successes < max(self._limit, SMALLEST_ROUND):
            return
        # A limit that was not used says nothing about whether more would work.
        if self._peak >= USED_ENOUGH * self._limit:
            most = min(self._most, self._too_many - 1) if now < self._remembered_until else self._most
            self._limit = max(self._limit, min(most, self._limit + self._step()))
        self._start_round(in_flight)

    def faltered(self, in_flight: int) -> None:
        """The provider failed for a reason that has nothing to do with how many calls there were."""
        self._start_round(in_flight)

    def limited(self, in_flight: int, others: int, now: float) -> None:
        """The first of a crowd of calls was refused for its rate; ``others`` of that crowd are under way, too."""
        self._doubling = False
        # One call alone was not one too many.
        if others > 0:
            self._too_many = self._limit
            self._remembered_until = now + REMEMBER_S
            self._limit = max(1, int(self._limit * SHRINK))
        self._start_round(in_flight)

    def _step(self) -> int:
        return self._limit if self._doubling else max(1, int(self._limit * GROW))

    def _start_round(self, in_flight: int) -> None:
        self._successes = 0
        self._peak = in_flight
