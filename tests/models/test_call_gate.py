from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.base import Account
from models.errors import Interrupted
from models.limiter import CallGate, Gates, GlobalDelay, StopSignal

NO_DELAY = 0.0


class Clock:
    """Time that stands still unless a test moves it: sleeping is noted, not done."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def gate_of(size: int, stop: StopSignal | None = None, seconds: float = NO_DELAY) -> CallGate:
    stop = stop or StopSignal()
    return CallGate(size, GlobalDelay(seconds, sleep=stop.sleep), stop)


@given(seconds=st.floats(0.01, 100), callers=st.integers(1, 50))
def test_callers_at_one_instant_get_evenly_spaced_starts(seconds: float, callers: int) -> None:
    clock = Clock()
    delay = GlobalDelay(seconds, clock=clock, sleep=clock.sleep)
    waits = [delay.wait() for _ in range(callers)]
    assert waits == pytest.approx([n * seconds for n in range(callers)])
    assert clock.slept == [wait for wait in waits if wait > 0]


@given(gaps=st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_starts_are_never_closer_than_the_delay_and_never_later_than_needed(gaps: list[float]) -> None:
    clock = Clock()
    delay = GlobalDelay(2.0, clock=clock, sleep=clock.sleep)
    starts: list[float] = []
    for gap in gaps:
        clock.now += gap
        start = clock.now + delay.wait()
        earliest = max(clock.now, starts[-1] + 2.0) if starts else clock.now
        assert start == pytest.approx(earliest)
        starts.append(start)


def test_threads_sleep_at_the_same_time_and_not_one_after_the_other() -> None:
    delay = GlobalDelay(0.05)
    starts: list[float] = []
    began = time.monotonic()

    def start() -> None:
        delay.wait()
        starts.append(time.monotonic() - began)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    starts.sort()
    assert all(at >= n * 0.05 - 0.005 for n, at in enumerate(starts))
    assert starts[-1] < 3


@pytest.mark.parametrize(("size", "threads"), [(1, 6), (3, 12), (20, 5)])
def test_no_more_calls_are_in_flight_than_the_gate_allows(size: int, threads: int) -> None:
    gate = gate_of(size)

    def call() -> None:
        for _ in range(3):
            with gate.slot():
                time.sleep(0.01)

    running = [threading.Thread(target=call) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
    assert gate.peak == min(size, threads)
    assert gate.in_flight == 0


def test_a_slot_comes_back_after_an_error() -> None:
    gate = gate_of(1)
    with pytest.raises(KeyError), gate.slot():
        raise KeyError
    with gate.slot():
        assert gate.in_flight == 1


def test_slots_are_given_in_the_order_of_asking() -> None:
    gate = gate_of(1)
    order: list[int] = []

    def call(number: int) -> None:
        with gate.slot():
            order.append(number)

    threads = []
    with gate.slot():
        for number in range(6):
            threads.append(threading.Thread(target=call, args=(number,)))
            threads[-1].start()
            time.sleep(0.1)
    for thread in threads:
        thread.join(10)
    assert order == list(range(6))


@pytest.mark.parametrize("seconds", [NO_DELAY, 3600.0])
def test_a_stop_ends_waiting_for_a_slot_and_waiting_for_the_delay(seconds: float) -> None:
    stop = StopSignal()
    gate = gate_of(1 if seconds == NO_DELAY else 2, stop, seconds)
    outcome: list[BaseException] = []

    def call() -> None:
        try:
            with gate.slot():
                pass
        except Interrupted as error:
            outcome.append(error)

    with gate.slot():
        thread = threading.Thread(target=call)
        thread.start()
        time.sleep(0.05)
        stop.set()
        thread.join(10)
        assert len(outcome) == 1
        assert gate.in_flight == 1
    assert gate.in_flight == 0


def test_a_gate_lets_at_least_one_call_through() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gate_of(0)


def test_each_account_has_its_own_gate_and_only_keyed_ones_are_delayed() -> None:
    gates = Gates(max_in_flight=2, delay_s=3600)
    keyed, other, free = Account("a", "u", "1"), Account("a", "u", "2"), Account("offline", "")
    assert gates.for_account(keyed) is gates.for_account(Account("a", "u", "1"))
    for account in (keyed, other, free, free, free):
        with gates.for_account(account).slot():
            pass
    assert [gates.for_account(account).peak for account in (keyed, other, free)] == [1, 1, 1]


def test_a_sleep_ends_when_everything_is_to_stop() -> None:
    stop = StopSignal()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Interrupted):
        stop.sleep(3600)
    with pytest.raises(Interrupted):
        stop.check()
