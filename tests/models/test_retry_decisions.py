from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import errors
from models.errors import ModelError, Overloaded, RateLimited
from models.retry import RetryPolicy, decide

POLICY = RetryPolicy(max_attempts=6, max_attempts_if_billed=3, first_wait_s=1, longest_wait_s=60)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ModelError) and kind is not ModelError
]
draws = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not kind.retryable], ids=lambda kind: kind.__name__
)
def test_what_waiting_does_not_help_is_given_up_at_once(kind: type[ModelError]) -> None:
    decision = decide(kind("x"), 1, POLICY, lambda: 0.5)
    assert not decision.retry
    assert decision.wait_s == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.retryable], ids=lambda kind: kind.__name__)
def test_attempts_are_fewer_where_each_may_cost_money(kind: type[ModelError]) -> None:
    tried = [attempt for attempt in range(1, 20) if decide(kind("x"), attempt, POLICY, lambda: 0.5).retry]
    assert len(tried) == (2 if kind.maybe_billed else 5)


def test_no_fatal_error_is_ever_repeated() -> None:
    assert not [kind for kind in KINDS if kind.fatal and kind.retryable]


@given(attempt=st.integers(1, 5000), draw=draws)
def test_waits_grow_within_bounds(attempt: int, draw: float) -> None:
    policy = RetryPolicy(max_attempts=10_000)
    decision = decide(Overloaded("x"), attempt, policy, lambda: draw)
    full = min(2.0 ** min(attempt - 1, 50), policy.longest_wait_s)
    assert full / 2 <= decision.wait_s <= full


@given(asked=st.floats(0, 120), draw=draws)
def test_a_wait_that_was_asked_for_is_never_cut_short(asked: float, draw: float) -> None:
    decision = decide(RateLimited("x", retry_after_s=asked), 1, POLICY, lambda: draw)
    assert decision.retry
    assert asked <= decision.wait_s <= asked + POLICY.first_wait_s


def test_a_provider_that_asks_for_an_hour_is_given_up_on() -> None:
    decision = decide(RateLimited("x", retry_after_s=3600), 1, POLICY, lambda: 0.5)
    assert not decision.retry
    assert "3600" in decision.reason
