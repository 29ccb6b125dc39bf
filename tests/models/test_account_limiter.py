from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Account, Allowance, RateReport, Usage
from models.breaker import BreakerState
from models.errors import (
    BadKey,
    CircuitOpen,
    ConnectionFailed,
    EmptyAnswer,
    Interrupted,
    MalformedAnswer,
    ModelError,
    ProviderDown,
    RateLimited,
    UnknownModel,
)
from models.limiter import (
    AccountLimiter,
    Estimate,
    GlobalDelay,
    Limiters,
    Limits,
    Permit,
    StopSignal,
    Wait,
)

NOTHING_SAID = RateReport()


class Clock:
    """Time that stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def simulated(clock: Clock, **limits: float | int | None) -> AccountLimiter:
    settings = Limits(**{"delay_s": 0.0, **limits})  # type: ignore[arg-type]
    return AccountLimiter(settings, stop=StopSignal(), clock=clock, name="here")


def running(**limits: int | None) -> AccountLimiter:
    """On the real clock, after its first answer."""
    limiter = AccountLimiter(Limits(delay_s=0.0, **limits), stop=StopSignal())  # type: ignore[arg-type]
    limiter.settle(start(limiter))
    return limiter


def start(limiter: AccountLimiter, estimate: Estimate | None = None, *, model: str = "") -> Permit:
    permit = limiter.acquire(estimate or Estimate(), model=model)
    assert isinstance(permit, Permit), permit
    return permit


def start_all(limiter: AccountLimiter) -> list[Permit]:
    permits = []
    while isinstance(permit := limiter.acquire(), Permit):
        permits.append(permit)
    return permits


def held(limiter: AccountLimiter, estimate: Estimate | None = None) -> Wait:
    wait = limiter.acquire(estimate or Estimate())
    assert isinstance(wait, Wait)
    return wait


def break_down(limiter: AccountLimiter) -> None:
    for _ in range(3):
        limiter.settle(start(limiter), error=ConnectionFailed("nobody there"))


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Runs ``work``; the list gets what it returned or raised."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except ModelError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# Slots and starts


@given(gaps=st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_starts_are_never_closer_than_the_delay_and_never_later_than_needed(gaps: list[float]) -> None:
    delay, now, last = GlobalDelay(2.0), 100.0, float("-inf")
    for gap in gaps:
        now += gap
        wait = delay.wait_s(now)
        assert wait == pytest.approx(max(0.0, last + 2.0 - now))
        now += wait
        delay.start(now)
        last = now


@pytest.mark.parametrize(("most", "threads"), [(1, 6), (3, 12), (20, 5)])
def test_no_more_calls_are_in_flight_than_allowed(most: int, threads: int) -> None:
    limiter = running(max_in_flight=most)
    together = threading.Barrier(min(most, threads))

    def call() -> None:
        permit = limiter.wait_for_slot()
        together.wait(60)
        limiter.settle(permit)

    started = [in_thread(call) for _ in range(threads - threads % together.parties)]
    for thread, outcome in started:
        thread.join(60)
        assert outcome == [None]
    assert limiter.stats().peak_in_flight == min(most, threads)
    assert limiter.stats().in_flight == 0


def test_slots_are_given_in_the_order_of_asking() -> None:
    limiter = running(max_in_flight=1)
    order: list[int] = []

    def call(number: int) -> None:
        permit = limiter.wait_for_slot()
        order.append(number)
        limiter.settle(permit)

    first = start(limiter)
    threads = []
    for number in range(6):
        threads.append(in_thread(lambda number=number: call(number))[0])
        until(lambda number=number: limiter.stats().waiting == number + 1)
    assert isinstance(limiter.acquire(), Wait)
    limiter.settle(first)
    for thread in threads:
        thread.join(60)
    assert order == list(range(6))
    assert limiter.stats().waited_s > 0


def test_a_stop_wakes_everyone_and_keeps_no_slot() -> None:
    stop = StopSignal()
    limiter = AccountLimiter(Limits(max_in_flight=1, delay_s=3600), stop=stop)
    permit = start(limiter)
    waiting = [in_thread(limiter.wait_for_slot) for _ in range(50)]
    until(lambda: limiter.stats().waiting == 50)
    stop.set()
    for thread, outcome in waiting:
        thread.join(60)
        assert isinstance(outcome[0], Interrupted)
    with pytest.raises(Interrupted):
        limiter.acquire()
    limiter.settle(permit)
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)


def test_a_sleep_ends_when_everything_is_to_stop() -> None:
    stop = StopSignal()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Interrupted):
        stop.sleep(3600)
    with pytest.raises(Interrupted):
        stop.check()


def test_whoever_waits_is_told_why() -> None:
    limiter = running(max_in_flight=1)
    permit = start(limiter)
    reasons: list[str] = []
    thread, outcome = in_thread(
        lambda: limiter.wait_for_slot(on_wait=lambda wait: reasons.append(wait.reason))
    )
    until(lambda: len(reasons) == 1)
    limiter.settle(permit)
    thread.join(60)
    assert isinstance(outcome[0], Permit)
    assert reasons == ["1 calls are under way"]


def test_the_head_of_the_queue_starts_when_its_time_has_come() -> None:
    limiter = AccountLimiter(Limits(delay_s=0.05), stop=StopSignal())
    began = time.monotonic()
    limiter.opened(start(limiter), NOTHING_SAID)
    threads = [in_thread(limiter.wait_for_slot)[0] for _ in range(4)]
    for thread in threads:
        thread.join(60)
    assert time.monotonic() - began >= 4 * 0.05
    assert limiter.stats().in_flight == 5


def test_nobody_is_forgotten_in_the_queue_however_calls_end() -> None:
    limiter = AccountLimiter(Limits(max_in_flight=4, delay_s=0), stop=StopSignal())

    def call(number: int) -> None:
        draw = random.Random(number)
        for _ in range(40):
            permit = limiter.wait_for_slot()
            if draw.random() < 0.3:
                limiter.opened(permit, NOTHING_SAID)
            time.sleep(draw.random() / 2000)
            match draw.randrange(5):
                case 0:
                    limiter.cancel(permit)
                case 1:
                    limiter.settle(permit, error=EmptyAnswer("nothing"))
                case 2:
                    limiter.settle(permit, error=RateLimited("slow down", retry_after_s=0.001))
                case _:
                    limiter.settle(permit, usage=Usage(10, 10))

    for thread, outcome in [in_thread(lambda number=number: call(number)) for number in range(40)]:
        thread.join(60)
        assert outcome == [None]
    stats = limiter.stats()
    assert (stats.calls, stats.in_flight, stats.waiting) == (1600, 0, 0)
    assert stats.peak_in_flight <= 4


def test_a_permit_is_settled_exactly_once(clock: Clock) -> None:
    limiter = simulated(clock)
    permit = start(limiter)
    limiter.settle(permit)
    with pytest.raises(ValueError, match="exactly once"):
        limiter.settle(permit)
    assert limiter.stats().in_flight == 0


def test_a_cancelled_call_leaves_no_trace_in_the_windows(clock: Clock) -> None:
    limiter = simulated(clock, requests_per_minute=1, tokens_per_minute=1000)
    limiter.cancel(start(limiter, Estimate(1000, 0)))
    assert limiter.stats().requests_used == 0
    start(limiter, Estimate(1000, 0))


@pytest.mark.parametrize(
    "wrong",
    [{"max_in_flight": 0}, {"delay_s": -1.0}, {"requests_per_minute": 0}, {"tokens_per_minute": -5}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_limits_that_let_nothing_through_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)  # type: ignore[arg-type]


def test_each_account_has_its_own_limiter_and_only_keyed_ones_are_delayed(clock: Clock) -> None:
    limiters = Limiters(Limits(delay_s=3600), clock=clock)
    keyed, other, free = Account("a", "u", "1"), Account("a", "u", "2"), Account("offline", "")
    assert limiters.for_account(keyed) is limiters.for_account(Account("a", "u", "1"))
    for account in (keyed, other, free):
        limiters.for_account(account).settle(start(limiters.for_account(account)))
    assert isinstance(limiters.for_account(free).acquire(), Permit)
    assert held(limiters.for_account(keyed)).seconds == 3600
    assert {account: stats.calls for account, stats in limiters.stats().items()} == {
        keyed: 1,
        other: 1,
        free: 2,
    }


def test_limits_can_be_chosen_for_each_account(clock: Clock) -> None:
    limiters = Limiters(lambda account: Limits(requests_per_minute=len(account.provider)), clock=clock)
    assert limiters.for_account(Account("abc", "")).stats().requests_allowed == 3


# The first call


def test_until_an_account_has_answered_one_call_goes_at_a_time(clock: Clock) -> None:
    limiter = simulated(clock)
    probe = start(limiter)
    assert held(limiter).seconds == 1
    limiter.opened(probe, NOTHING_SAID)
    assert len(start_all(limiter)) == 19


def test_a_first_call_that_takes_long_holds_the_others_for_a_second_only(clock: Clock) -> None:
    limiter = simulated(clock)
    start(limiter)
    clock.now += 1
    assert len(start_all(limiter)) == 19


# A crowd


def test_a_crowd_that_is_not_turned_away_lets_more_in_before_it_is_answered(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.opened(start(limiter), NOTHING_SAID)
    assert len(start_all(limiter)) == 19
    assert held(limiter).seconds == 2
    clock.now += 2
    assert len(start_all(limiter)) == 20
    assert held(limiter).seconds == 2
    clock.now += 2
    assert len(start_all(limiter)) == 24  # 64 at most
    assert held(limiter).seconds is None


def test_a_crowd_of_which_one_is_turned_away_is_as_large_as_it_may_be(clock: Clock) -> None:
    limiter = simulated(clock)
    first = start(limiter)
    limiter.opened(first, NOTHING_SAID)
    refused, *_ = start_all(limiter)
    limiter.settle(refused, error=RateLimited("too many"))
    clock.now += 10
    limiter.settle(first)
    assert limiter.stats().limit == 16
    assert held(limiter).seconds is None


# Windows


def test_the_headers_of_the_first_answer_hold_back_the_calls_behind_it(clock: Clock) -> None:
    limiter = simulated(clock, requests_per_minute=100)
    limiter.opened(start(limiter), RateReport(requests=Allowance(10, 2, 30.0)))
    assert limiter.stats().requests_allowed == 10
    assert len(start_all(limiter)) == 2
    assert held(limiter).seconds == pytest.approx(30.0)


def test_what_was_reserved_too_much_is_given_back(clock: Clock) -> None:
    limiter = simulated(clock, tokens_per_minute=10_000)
    permit = start(limiter, Estimate(500, 9000))
    limiter.opened(permit, NOTHING_SAID)
    assert held(limiter, Estimate(500, 1000)).seconds is None
    limiter.settle(permit, usage=Usage(500, 300))
    assert limiter.stats().tokens_used == 800
    start(limiter, Estimate(500, 1000))


def test_output_is_reserved_at_what_answers_lately_wrote_not_at_what_they_may_write(clock: Clock) -> None:
    limiter = simulated(clock, output_tokens_per_minute=10_000)
    permit = start(limiter, Estimate(100, None, 100_000))
    assert limiter.stats().output_tokens_used == 2000
    limiter.settle(permit, usage=Usage(100, 300))
    start(limiter, Estimate(100, None, 100_000))
    assert limiter.stats().output_tokens_used == 600


def test_cached_input_counts_in_the_combined_window_only(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter), usage=Usage(1000, 10, cache_read_tokens=900))
    stats = limiter.stats()
    assert (stats.tokens_used, stats.input_tokens_used, stats.output_tokens_used) == (1010, 100, 10)


def test_a_call_that_was_turned_away_takes_no_tokens_and_one_that_broke_off_takes_all(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter, Estimate(100, 50)), error=RateLimited("slow down", retry_after_s=0))
    assert limiter.stats().tokens_used == 0
    limiter.settle(start(limiter, Estimate(100, 50)), error=ConnectionFailed("reset"))
    assert limiter.stats().tokens_used == 150
    assert limiter.stats().requests_used == 2


def test_a_daily_limit_that_is_used_up_is_an_error_at_once(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter), rate=RateReport(requests=Allowance(1000, 0, 7200.0, 86400.0)))
    with pytest.raises(ProviderDown, match=r"here: 1,000 requests in a day are used up.*120 min"):
        limiter.wait_for_slot()


# Rate limits


def test_a_rate_limit_pauses_the_account_and_then_all_go_on(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter))
    first, *others = start_all(limiter)
    limiter.settle(first, error=RateLimited("slow down", retry_after_s=7))
    for late in others[:5]:
        limiter.settle(late, error=RateLimited("slow down"))
    assert held(limiter).seconds == pytest.approx(7)
    assert limiter.stats().paused_for_s == pytest.approx(7)
    assert limiter.stats().rate_limited == 6
    clock.now += 7
    assert len(start_all(limiter)) == 16 - 14


def test_refusals_after_a_pause_let_out_one_call_per_ever_longer_pause_until_one_passes(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter))
    pauses = []
    for _ in range(5):
        permits = start_all(limiter)
        for permit in permits:
            limiter.settle(permit, error=RateLimited("slow down"))
        pauses.append((len(permits), limiter.stats().paused_for_s))
        clock.now += limiter.stats().paused_for_s
    assert pauses == [(20, 1.0), (16, 2.0), (1, 4.0), (1, 8.0), (1, 16.0)]
    limiter.opened(start(limiter), NOTHING_SAID)
    assert len(start_all(limiter)) > 8


def test_the_reset_of_an_exhausted_window_is_how_long_a_refusal_pauses(clock: Clock) -> None:
    limiter = simulated(clock)
    stated = RateReport(requests=Allowance(60, 12, 1.0), tokens=Allowance(1000, 0, 23.0))
    limiter.settle(start(limiter), error=RateLimited("slow down", rate=stated))
    assert limiter.stats().paused_for_s == pytest.approx(23)


def test_a_long_storm_is_an_outage_in_which_one_call_tries_every_20_seconds(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter))
    for _ in range(6):
        clock.now += limiter.stats().paused_for_s
        limiter.settle(start(limiter), error=RateLimited("slow down"))
    with pytest.raises(CircuitOpen, match="slow down") as caught:
        limiter.acquire()
    assert caught.value.retry_after_s == pytest.approx(20)
    clock.now += 20
    limiter.opened(start(limiter), NOTHING_SAID)
    assert limiter.stats().breaker is BreakerState.CLOSED
    assert len(start_all(limiter)) > 8


def test_a_provider_that_asks_for_an_hour_is_given_up_on(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter), error=RateLimited("come back later", retry_after_s=3600))
    with pytest.raises(ProviderDown, match="60 min: come back later"):
        limiter.wait_for_slot()
    clock.now += 3600
    start(limiter)


# Outages


def test_a_fatal_error_ends_the_account_for_all_who_wait(clock: Clock) -> None:
    limiter = running(max_in_flight=1)
    permit = start(limiter)
    waiting = [in_thread(limiter.wait_for_slot) for _ in range(5)]
    until(lambda: limiter.stats().waiting == 5)
    limiter.settle(permit, error=BadKey("refused", hint="Get a key.", status=401))
    for thread, _ in waiting:
        thread.join(60)
    errors = [outcome[0] for _, outcome in waiting]
    assert len(set(map(id, errors))) == 5
    for error in errors:
        assert isinstance(error, BadKey)
        assert (error.message, error.hint, error.status) == ("refused", "Get a key.", 401)
    assert limiter.stats().breaker is BreakerState.ENDED


def test_an_unknown_model_ends_that_model_only(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter, model="typo"), error=UnknownModel("no such model"))
    with pytest.raises(UnknownModel):
        limiter.acquire(model="typo")
    start(limiter, model="real")


def test_a_provider_that_never_answered_is_left_alone_after_three_calls(clock: Clock) -> None:
    limiter = simulated(clock)
    break_down(limiter)
    with pytest.raises(CircuitOpen, match="here is left alone for 5 s: nobody there"):
        limiter.acquire()
    clock.now += 5
    probe = start(limiter)
    with pytest.raises(CircuitOpen):
        limiter.wait_for_slot(wait_out_outage=False)
    limiter.settle(probe)
    assert len(start_all(limiter)) == 20


def test_who_does_not_wait_out_an_outage_learns_of_it_in_the_queue(clock: Clock) -> None:
    limiter = simulated(clock, max_in_flight=2)
    other = start(limiter)
    clock.now += 1
    for _ in range(2):
        limiter.settle(start(limiter), error=ConnectionFailed("nobody there"))
    probe = start(limiter)
    patient, patience = in_thread(limiter.wait_for_slot)
    until(lambda: limiter.stats().waiting == 1)
    hasty, haste = in_thread(lambda: limiter.wait_for_slot(wait_out_outage=False))
    until(lambda: limiter.stats().waiting == 2)
    limiter.settle(probe, error=ConnectionFailed("nobody there"))
    hasty.join(60)
    assert isinstance(haste[0], CircuitOpen)
    assert limiter.stats().waiting == 1
    clock.now += 5
    limiter.cancel(other)  # so that the queue is looked at: the clock tells nobody that it was moved
    patient.join(60)
    assert isinstance(patience[0], Permit)


def test_after_ten_minutes_without_an_answer_waiting_is_over(clock: Clock) -> None:
    limiter = simulated(clock)
    break_down(limiter)
    clock.now += 5
    start(limiter)
    clock.now += 600
    with pytest.raises(ProviderDown, match="has not answered for 10 min: nobody there"):
        limiter.wait_for_slot()


def test_a_call_of_before_an_outage_does_not_keep_others_from_trying_after_it(clock: Clock) -> None:
    limiter = simulated(clock)
    start(limiter)  # the first call of all hangs
    clock.now += 11
    limiter.settle(start(limiter))
    for _ in range(8):
        limiter.settle(start(limiter), error=ConnectionFailed("refused"))
    assert limiter.stats().breaker is BreakerState.OPEN
    clock.now += 6
    limiter.settle(start(limiter))
    assert limiter.stats().breaker is BreakerState.CLOSED


def test_one_call_at_a_time_tries_in_a_storm_even_if_the_first_of_all_still_hangs(clock: Clock) -> None:
    limiter = simulated(clock)
    start(limiter)
    clock.now += 11
    limiter.settle(start(limiter))
    for _ in range(2):
        for permit in start_all(limiter):
            limiter.settle(permit, error=RateLimited("no"))
        clock.now += limiter.stats().paused_for_s
    assert len(start_all(limiter)) == 1


@pytest.mark.parametrize("error", [EmptyAnswer("nothing"), MalformedAnswer("<html>")])
def test_a_provider_that_answers_nothing_usable_is_left_alone(clock: Clock, error: ModelError) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter))
    for _ in range(8):
        limiter.settle(start(limiter), error=error)
    with pytest.raises(CircuitOpen):
        limiter.acquire()
    clock.now += 6
    limiter.settle(start(limiter))
    assert limiter.stats().breaker is BreakerState.CLOSED


def test_a_pause_that_is_stated_too_short_again_and_again_is_made_longer(clock: Clock) -> None:
    limiter = simulated(clock)
    limiter.settle(start(limiter))
    pauses = []
    for _ in range(9):
        limiter.settle(start(limiter), error=RateLimited("no", retry_after_s=0.25))
        pauses.append(limiter.stats().paused_for_s)
        clock.now += pauses[-1]
    assert pauses == [0.25, 0.25, 0.25, 0.5, 1, 2, 4, 5, 5]
