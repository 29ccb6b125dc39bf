"""How long an account stays quiet after the provider refused calls for their rate."""

from __future__ import annotations

from models.base import RateReport
from models.errors import ModelError

LONGEST_STATED_S = 120.0
LONGEST_RESET_S = 60.0
LONGEST_GUESS_S = 20.0
STORM_ROUNDS = 2
LONGEST_ADDED_S = 5.0


class Pauses:
    """The pauses of one account and how many followed each other without an answer between.

    A call belongs to the ``generation`` in which it began; every new pause begins another. Only a refusal in the
    newest generation is news: the refusals of older calls belong to a pause that has been taken already.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.rounds = 0
        self.since = float("-inf")
        self.until = float("-inf")

    @property
    def is_storm(self) -> bool:
        """Calls were refused after a pause, too: try with one at a time."""
        return self.rounds >= STORM_ROUNDS

    def limited(self, generation: int, error: ModelError, now: float) -> None:
        """A call was refused: pause as long as the provider says, and longer with each round that was no use."""
        stated = stated_pause_s(error)
        if generation != self.generation:
            if stated is not None:
                self.until = max(self.until, now + stated)
            return
        if self.rounds == 0:
            self.since = now
        if stated is None:
            pause = _guess_s(self.rounds)
        elif self.rounds <= STORM_ROUNDS:
            pause = stated
        else:  # refused again and again although the pauses were kept: what the provider says is too short
            pause = max(stated, min(_guess_s(self.rounds - 2 * STORM_ROUNDS), LONGEST_ADDED_S))
        self.rounds += 1
        self.generation += 1
        self.until = max(self.until, now + pause)

    def passed(self, generation: int) -> None:
        """A call was let through: if it began after the last pause, the trouble is over."""
        if generation == self.generation:
            self.rounds = 0


def _guess_s(doublings: int) -> float:
    return min(2.0 ** min(doublings, 10), LONGEST_GUESS_S)


def stated_pause_s(error: ModelError) -> float | None:
    """How many seconds the provider itself asks to wait, or ``None`` if it does not say."""
    if error.retry_after_s is not None:
        return max(0.0, min(error.retry_after_s, LONGEST_STATED_S))
    resets = _resets_of_exhausted(error.rate)
    return min(max(resets), LONGEST_RESET_S) if resets else None


def _resets_of_exhausted(report: RateReport | None) -> list[float]:
    if report is None:
        return []
    stated = (report.requests, report.tokens, report.input_tokens, report.output_tokens)
    return [a.reset_s for a in stated if a is not None and a.remaining == 0 and a.reset_s is not None]
