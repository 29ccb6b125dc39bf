from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import errors
from models.errors import BudgetSpent, EmptyAnswer, MalformedAnswer, ModelError, Overloaded, RateLimited
from models.retry import Action, Failures, RetryPolicy, decide

POLICY = RetryPolicy()
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ModelError) and kind is not ModelError
]
REPEATED = [kind for kind in KINDS if kind.retryable]
FAILING = [kind for kind in REPEATED if kind is not RateLimited]
SPENT = BudgetSpent("x", hint="", budget="batch", committed_usd=Decimal(1), limit_usd=Decimal(1))
draws = st.floats(0, 1, exclude_max=True)


def name(kind: type[ModelError]) -> str:
    return kind.__name__


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.retryable], ids=name)
def test_what_waiting_does_not_help_is_given_up_at_once(kind: type[ModelError]) -> None:
    error = SPENT if kind is BudgetSpent else kind("x")
    decision = decide(error, 1, POLICY, lambda: 0.5)
    assert (decision.action, decision.wait_s) == (Action.GIVE_UP, 0)


@pytest.mark.parametrize("kind", REPEATED, ids=name)
def test_attempts_are_bounded_and_fewer_where_each_may_cost_money(kind: type[ModelError]) -> None:
    actions = [decide(kind("x"), attempt, POLICY, lambda: 0.5).action for attempt in range(1, 20)]
    allowed = {RateLimited: 12, EmptyAnswer: 4, MalformedAnswer: 4}.get(kind, 6)
    again = Action.WAIT if kind is RateLimited else Action.RETRY
    assert actions == [again] * (allowed - 1) + [Action.GIVE_UP] * (20 - allowed)


def test_no_fatal_error_is_ever_repeated() -> None:
    assert not [kind for kind in KINDS if kind.fatal and kind.retryable]


@given(attempt=st.integers(1, 5000), draw=draws)
def test_waits_grow_within_bounds(attempt: int, draw: float) -> None:
    decision = decide(Overloaded("x"), attempt, RetryPolicy(max_attempts=10_000), lambda: draw)
    full = min(0.5 * 2.0 ** min(attempt - 1, 50), 20.0)
    assert full / 2 <= decision.wait_s <= full


@pytest.mark.parametrize("kind", FAILING, ids=name)
@given(asked=st.floats(0, 120), draw=draws)
def test_a_wait_that_was_asked_for_is_never_cut_short(
    kind: type[ModelError], asked: float, draw: float
) -> None:
    decision = decide(kind("x", retry_after_s=asked), 1, POLICY, lambda: draw)
    assert decision.action is Action.RETRY
    assert asked <= decision.wait_s <= asked + POLICY.first_wait_s


def test_a_failing_provider_that_asks_for_an_hour_is_given_up_on() -> None:
    decision = decide(Overloaded("x", retry_after_s=3600), 1, POLICY, lambda: 0.5)
    assert decision.action is Action.GIVE_UP
    assert "3600" in decision.reason


def test_how_long_a_rate_limit_lasts_is_left_to_the_account() -> None:
    decision = decide(RateLimited("x", retry_after_s=3600), 1, POLICY, lambda: 0.5)
    assert (decision.action, decision.wait_s) == (Action.WAIT, 0)


@given(sorts=st.lists(st.sampled_from([RateLimited, Overloaded, EmptyAnswer]), max_size=40))
def test_each_sort_of_error_has_attempts_of_its_own(sorts: list[type[ModelError]]) -> None:
    failures = Failures(POLICY, random.Random(1).random)
    left = {RateLimited: 12, Overloaded: 6, EmptyAnswer: 4}
    for kind in sorts:
        left[kind] -= 1
        gave_up = failures.after(kind("x")).action is Action.GIVE_UP
        assert gave_up == (left[kind] <= 0)
