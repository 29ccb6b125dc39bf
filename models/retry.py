"""Which errors are worth repeating, how often, and after how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tenacity import RetryCallState

from models.errors import EmptyAnswer, MalformedAnswer, ModelError, RateLimited

_UNUSABLE = (EmptyAnswer, MalformedAnswer)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of repeating. Times are seconds; attempts count the first call.

    ``max_attempts`` is for a provider that does not answer, ``max_attempts_if_limited`` for refusals because of
    the rate, ``max_attempts_if_unusable`` for answers that are none: each of those may have been paid for. A
    failing provider that asks for more than ``longest_retry_after_s`` of patience is given up on.
    """

    max_attempts: int = 6
    max_attempts_if_limited: int = 12
    max_attempts_if_unusable: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    longest_retry_after_s: float = 120.0

    def attempts_for(self, error: ModelError) -> int:
        """How many attempts may end in errors of this sort."""
        if isinstance(error, RateLimited):
            return self.max_attempts_if_limited
        return self.max_attempts_if_unusable if isinstance(error, _UNUSABLE) else self.max_attempts


class Action(StrEnum):
    """``RETRY`` after a wait of one's own, ``WAIT`` until the account lets the call through, or ``GIVE_UP``."""

    RETRY = "retry"
    WAIT = "wait"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next. ``wait_s`` is seconds, 0 unless the action is `Action.RETRY`."""

    action: Action
    wait_s: float
    reason: str


class Failures:
    """The failed attempts at one question. Each sort of error has attempts of its own.

    Otherwise a question that met a busy provider twice would have no attempts left for an empty answer.
    """

    def __init__(self, policy: RetryPolicy, draw: Callable[[], float]) -> None:
        self._policy = policy
        self._draw = draw
        self._counts: Counter[str] = Counter()

    def after(self, error: ModelError) -> Decision:
        """What to do after one more attempt ended in ``error``."""
        sort = _sort(error)
        self._counts[sort] += 1
        return decide(error, self._counts[sort], self._policy, self._draw)


class Repeats:
    """The decisions on one question, in the form in which tenacity asks for them."""

    def __init__(self, failures: Failures, announce: Callable[[Decision], None]) -> None:
        self._failures = failures
        self._announce = announce
        self._attempts = 0
        self._last = Decision(Action.GIVE_UP, 0.0, "")

    def next_attempt(self) -> int:
        """The number of the attempt that begins, from 1."""
        self._attempts += 1
        return self._attempts

    def worth_repeating(self, state: RetryCallState) -> bool:
        """tenacity's ``retry``."""
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, ModelError):
            return False
        self._last = self._failures.after(error)
        return self._last.action is not Action.GIVE_UP

    def seconds(self, _state: RetryCallState) -> float:
        """tenacity's ``wait``."""
        return self._last.wait_s

    def announce(self, _state: RetryCallState) -> None:
        """tenacity's ``before_sleep``."""
        self._announce(self._last)


def decide(error: ModelError, attempt: int, policy: RetryPolicy, draw: Callable[[], float]) -> Decision:
    """What to do after ``attempt`` (1 is the first of this sort) ended in ``error``.

    ``draw`` gives numbers in [0, 1).
    """
    if not error.retryable:
        return _give_up(f"{error.kind} is not worth repeating")
    limit = policy.attempts_for(error)
    reason = f"{error.kind} in attempt {attempt} of {limit}"
    if attempt >= limit:
        return _give_up(reason)
    if isinstance(error, RateLimited):
        # The whole account pauses, not this question: its limiter knows for how long.
        return Decision(Action.WAIT, 0.0, reason)
    asked = error.retry_after_s or 0.0
    if asked > policy.longest_retry_after_s:
        return _give_up(
            f"{error.kind}: asked to wait {asked:.0f} s, over {policy.longest_retry_after_s:.0f} s"
        )
    # Never sooner than asked, and not everyone at the same moment.
    return Decision(Action.RETRY, asked + _backoff(attempt, policy, draw), reason)


def _backoff(attempt: int, policy: RetryPolicy, draw: Callable[[], float]) -> float:
    # The exponent is capped because 2.0**1024 overflows.
    full = min(policy.first_wait_s * 2.0 ** min(attempt - 1, 60), policy.longest_wait_s)
    return full * (0.5 + 0.5 * draw())


def _sort(error: ModelError) -> str:
    if isinstance(error, RateLimited):
        return "limited"
    return "unusable" if isinstance(error, _UNUSABLE) else "failed"


def _give_up(reason: str) -> Decision:
    return Decision(Action.GIVE_UP, 0.0, reason)
