"""Which errors are worth repeating, how often, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of repeating. Times are seconds; attempts count the first call.

    ``max_attempts_if_billed`` applies to errors whose call may have been paid for: repeating an empty
    answer for ever costs money for ever. A provider that asks for more than ``longest_retry_after_s`` of
    patience is given up on, because asking sooner is refused again.
    """

    max_attempts: int = 6
    max_attempts_if_billed: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    longest_retry_after_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to call again, after ``wait_s`` seconds, and why (or why not)."""

    retry: bool
    wait_s: float
    reason: str


def decide(error: ModelError, attempt: int, policy: RetryPolicy, draw: Callable[[], float]) -> Decision:
    """What to do after ``attempt`` (1 is the first) ended in ``error``. ``draw`` gives numbers in [0, 1)."""
    if not error.retryable:
        return _give_up(f"{error.kind} is not worth repeating")
    limit = policy.max_attempts_if_billed if error.maybe_billed else policy.max_attempts
    if attempt >= limit:
        return _give_up(f"{error.kind} in attempt {attempt} of {limit}")
    asked = error.retry_after_s
    if asked is not None and asked > policy.longest_retry_after_s:
        return _give_up(
            f"{error.kind}: asked to wait {asked:.0f} s, over {policy.longest_retry_after_s:.0f} s"
        )
    if asked is not None:
        # Never sooner than asked; a little later each, so that not everyone comes back at once.
        return Decision(
            True, asked + draw() * policy.first_wait_s, f"{error.kind}: asked to wait {asked:g} s"
        )
    return Decision(True, _backoff(attempt, policy, draw), f"{error.kind} in attempt {attempt} of {limit}")


def _backoff(attempt: int, policy: RetryPolicy, draw: Callable[[], float]) -> float:
    # The exponent is capped because 2.0**1024 overflows.
    full = min(policy.first_wait_s * 2.0 ** min(attempt - 1, 60), policy.longest_wait_s)
    return full * (0.5 + 0.5 * draw())


def _give_up(reason: str) -> Decision:
    return Decision(False, 0.0, reason)
