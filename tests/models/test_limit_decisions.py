"""The pure parts of the limiter: windows, the adaptive limit, the breaker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.adaptive import AdaptiveLimit
from models.base import Allowance, RateReport
from models.breaker import Breaker, BreakerState
from models.errors import Overloaded, RateLimited
from models.windows import Amounts, Window, Windows

# The adaptive limit

HAPPENINGS = st.tuples(
    st.sampled_from(["success", "falter", "limit"]), st.integers(0, 200), st.floats(0, 100)
)


@given(most=st.integers(1, 200), happenings=st.lists(HAPPENINGS, max_size=300))
def test_the_limit_stays_within_its_bounds_whatever_happens(
    most: int, happenings: list[tuple[str, int, float]]
) -> None:
    adaptive, now = AdaptiveLimit(most), 0.0
    for what, in_flight, seconds in happenings:
        now += seconds
        adaptive.began(in_flight)
        before = adaptive.limit
        if what == "success":
            adaptive.succeeded(in_flight, now)
            assert adaptive.limit >= before
        elif what == "falter":
            adaptive.faltered(in_flight)
            assert adaptive.limit == before
        else:
            adaptive.limited(in_flight, max(0, in_flight - 1), now)
            assert adaptive.limit in (before, max(1, int(before * 0.8)))
        assert 1 <= adaptive.limit <= most


def round_of(adaptive: AdaptiveLimit, now: float, *, peak: int | None = None) -> int:
    adaptive.began(adaptive.limit if peak is None else peak)
    for _ in range(max(4, adaptive.limit)):
        adaptive.succeeded(0, now)
    return adaptive.limit


def test_the_limit_doubles_until_the_first_refusal_and_then_grows_slowly() -> None:
    adaptive = AdaptiveLimit(1000)
    assert [round_of(adaptive, 0) for _ in range(3)] == [40, 80, 160]
    adaptive.limited(160, 159, 0)
    assert adaptive.limit == 128
    assert round_of(adaptive, 1) == 134


def test_the_limit_does_not_go_back_for_a_minute_to_where_it_was_too_high() -> None:
    adaptive = AdaptiveLimit(5)
    adaptive.limited(5, 4, 0)
    assert [round_of(adaptive, now) for now in (1, 30, 59)] == [4, 4, 4]
    assert round_of(adaptive, 60) == 5


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    adaptive = AdaptiveLimit(1000)
    assert round_of(adaptive, 0, peak=15) == 20
    assert round_of(adaptive, 0, peak=16) == 40


def test_a_call_alone_that_is_refused_does_not_lower_the_limit() -> None:
    adaptive = AdaptiveLimit(64)
    adaptive.limited(3, 0, 0)
    assert adaptive.limit == 20


# Windows


@given(
    calls=st.lists(
        st.tuples(st.floats(0, 15), st.integers(1, 50), st.floats(0, 30)), min_size=1, max_size=60
    ),
    limit=st.integers(50, 300),
)
def test_no_minute_ever_holds_more_than_the_limit(calls: list[tuple[float, int, float]], limit: int) -> None:
    window, now = Window("tokens", limit), 500.0
    started: list[tuple[float, int]] = []
    under_way: list[tuple[float, int]] = []
    for gap, amount, latency in calls:
        now += gap
        while (seconds := window.wait_s(amount, now)) != 0.0:
            # Either time makes room, or the next call that ends.
            ends = min((end for end, _ in under_way), default=float("inf"))
            now = min(now + seconds, max(now, ends)) if seconds is not None else max(now, ends)
            for call in [c for c in under_way if c[0] <= now]:
                under_way.remove(call)
                window.book(call[1], call[1], call[0], now)
        window.reserve(amount)
        started.append((now, amount))
        under_way.append((now + latency, amount))
        assert sum(a for at, a in started if at > now - 60) <= limit


@given(booked=st.lists(st.tuples(st.floats(0, 59), st.integers(1, 20)), min_size=1, max_size=40))
def test_what_was_booked_counts_for_a_minute_and_a_quarter_second_at_most(
    booked: list[tuple[float, int]],
) -> None:
    window, start = Window("requests", 10**6), 1000.0
    for at, amount in sorted(booked):
        window.reserve(amount)
        window.book(amount, amount, start + at, start + at)
    for seconds in (59.5, 75.0, 90.0, 110.0, 119.4):
        now = start + seconds
        used = window.used(now)
        assert used >= sum(a for at, a in booked if start + at > now - 60)
        assert used <= sum(a for at, a in booked if start + at > now - 60.5)


def test_the_wait_ends_when_there_is_room_and_not_before() -> None:
    window = Window("requests", 2)
    for at in (100.0, 110.0):
        window.reserve(1)
        window.book(1, 1, at, at)
    seconds = window.wait_s(1, 120.0)
    assert seconds == pytest.approx(40, abs=0.3)
    assert window.wait_s(1, 120.0 + seconds - 0.01) != 0.0
    assert window.wait_s(1, 120.0 + seconds) == 0.0


def test_a_call_larger_than_the_window_goes_alone() -> None:
    window = Window("tokens", 100)
    assert window.wait_s(500, 0.0) == 0.0
    window.reserve(500)
    assert window.wait_s(1, 0.0) is None
    window.book(500, 500, 0.0, 0.0)
    assert window.wait_s(500, 0.0) == pytest.approx(60, abs=0.3)


def test_the_provider_lowers_a_limit_and_never_raises_it() -> None:
    window = Window("requests", 50)
    window.observe(Allowance(500, 500), 0.0)
    assert window.limit == 50
    window.observe(Allowance(20, 20), 0.0)
    assert window.limit == 20


def test_what_others_used_counts_until_it_is_reset_and_is_replaced_by_each_report() -> None:
    window = Window("requests")
    window.reserve(5)
    window.observe(Allowance(100, 60, 20.0), 0.0)
    assert window.used(0.0) == 5 + 35
    window.observe(Allowance(100, 90, 20.0), 1.0)
    assert window.used(1.0) == 5 + 5
    assert window.used(21.0) == 5


def test_a_limit_for_another_period_has_a_window_of_its_own() -> None:
    windows = Windows((None, None, None, None))
    windows.reserve(Amounts(requests=1))
    windows.observe(RateReport(requests=Allowance(100, 99, 86400.0, 86400.0)), 1.0)
    for n in range(99):
        assert windows.fullest(Amounts(1), 1.0) is None, n
        windows.reserve(Amounts(requests=1))
        windows.book(Amounts(requests=1), Amounts(requests=1), 1.0, 1.0)
    full = windows.fullest(Amounts(1), 1.0)
    assert full is not None
    assert full[0].period_s == 86400
    assert full[1] == pytest.approx(86400, rel=0.01)


# The breaker


def open_breaker(*, known: bool) -> tuple[Breaker, int]:
    breaker, failures = Breaker("here"), 0
    if known:
        breaker.answered()
    while not breaker.is_open:
        breaker.failed(Overloaded("busy"), 0.0, was_probe=False)
        failures += 1
    return breaker, failures


def test_an_account_that_has_answered_is_given_more_failures() -> None:
    assert open_breaker(known=False)[1] == 3
    assert open_breaker(known=True)[1] == 8


def test_each_failed_try_doubles_the_cool_down_up_to_a_minute() -> None:
    breaker, _ = open_breaker(known=False)
    now, waits = 0.0, []
    for _ in range(6):
        waits.append(breaker.cool_down_left_s(now))
        now += waits[-1]
        assert breaker.state(now) is BreakerState.HALF_OPEN
        breaker.failed(Overloaded("busy"), now, was_probe=True)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_what_was_under_way_when_it_opened_does_not_prolong_the_cool_down() -> None:
    breaker, _ = open_breaker(known=True)
    breaker.failed(Overloaded("busy"), 4.0, was_probe=False)
    assert breaker.cool_down_left_s(4.0) == 1.0


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(30):
        breaker.failed(Overloaded("busy"), 0.0, was_probe=False)
        breaker.failed(Overloaded("busy"), 0.0, was_probe=False)
        breaker.answered()
    assert breaker.state(0.0) is BreakerState.CLOSED


def test_an_outage_is_hopeless_after_ten_minutes_or_if_it_is_said_to_last_longer() -> None:
    breaker, _ = open_breaker(known=False)
    assert [breaker.is_hopeless(at) for at in (0.0, 599.0, 600.0)] == [False, False, True]
    breaker.close()
    assert not breaker.is_hopeless(600.0)
    breaker.open_until(1300.0, 600.0, RateLimited("later"))
    assert breaker.is_hopeless(600.0)


def test_a_stated_limit_of_nothing_is_no_limit() -> None:
    window = Window("requests")
    window.observe(Allowance(0, 0), 0)
    window.reserve(1)
    assert window.wait_s(1, 0) == 0
