from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.loopback import Enforced, Entry, LoopbackServer, Misbehaviour, Script, worst_window
from models.loopback.limits import Enforcement
from models.loopback.rates import anthropic_headers, duration_text

Serve = Callable[..., LoopbackServer]


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def say(client: openai.OpenAI, text: str = "hello", **more: Any) -> None:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}], **more)


def test_openai_sees_the_limits_in_headers_and_a_refusal_that_says_when(serve: Serve) -> None:
    server = serve(Script([], then="fine"), limits=Enforced(requests_per_minute=1, tokens_per_minute=1000))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        first = client.chat.completions.with_raw_response.create(
            model="m", messages=[{"role": "user", "content": "hello"}]
        )
        with pytest.raises(openai.RateLimitError) as caught:
            say(client)
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert first.headers["x-ratelimit-reset-requests"] == "1m0s"
    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.type == "requests"
    assert 50 < int(headers["retry-after"]) <= 60
    assert 50_000 < int(headers["retry-after-ms"]) <= 60_000
    assert [entry.turned_away for entry in server.log] == ["", "requests"]


def test_anthropic_sees_the_limits_in_headers_and_a_refusal_that_says_when(serve: Serve) -> None:
    limits = Enforced(
        requests_per_minute=1, tokens_per_minute=9, input_tokens_per_minute=7, output_tokens_per_minute=5
    )
    server = serve(Script([], then="fine"), limits=limits)
    question: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "u"}]}
    with anthropic.Anthropic(api_key="k", base_url=server.anthropic_url, max_retries=0) as client:
        first = client.messages.with_raw_response.create(**question)
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**question)
    for name, limit in (("requests", 1), ("tokens", 9), ("input-tokens", 7), ("output-tokens", 5)):
        assert first.headers[f"anthropic-ratelimit-{name}-limit"] == str(limit)
        reset = datetime.fromisoformat(first.headers[f"anthropic-ratelimit-{name}-reset"])
        assert timedelta(seconds=30) < reset - datetime.now(UTC) < timedelta(seconds=62)
    assert 50 < int(caught.value.response.headers["retry-after"]) <= 60


def test_without_retry_after_a_refusal_does_not_say_when(serve: Serve) -> None:
    server = serve(Script([]), limits=Enforced(requests_per_minute=1, retry_after=False))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        say(client)
        with pytest.raises(openai.RateLimitError) as caught:
            say(client)
    assert not {"retry-after", "retry-after-ms"} & set(caught.value.response.headers)
    assert "try again" not in caught.value.message


def test_without_limits_nothing_is_said_about_them(serve: Serve) -> None:
    server = serve(Script([]))
    with openai.OpenAI(api_key="k", base_url=server.openai_url) as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert not [name for name in raw.headers if "ratelimit" in name]


def test_what_was_turned_away_fits_after_the_wait_that_was_stated(serve: Serve) -> None:
    clock = Clock()
    server = serve(Script([]), limits=Enforced(requests_per_minute=2), clock=clock)
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        say(client)
        clock.now += 10
        say(client)
        clock.now += 10
        with pytest.raises(openai.RateLimitError) as caught:
            say(client)
        wait = int(caught.value.response.headers["retry-after"])
        assert wait == 40
        clock.now += wait - 1
        with pytest.raises(openai.RateLimitError):
            say(client)
        clock.now += 1
        say(client)
    assert server.worst_window(turned_away=False).requests == 2


def test_the_answers_tokens_count_from_the_arrival_of_the_question(serve: Serve) -> None:
    server = serve(Script(["x" * 400]), limits=Enforced(tokens_per_minute=100), clock=Clock())
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        say(client)
        with pytest.raises(openai.RateLimitError) as caught:
            say(client)
    assert caught.value.type == "tokens"
    assert server.worst_window().output_tokens == 100


def test_a_request_larger_than_the_limit_is_never_promised_a_time(serve: Serve) -> None:
    server = serve(Script([]), limits=Enforced(tokens_per_minute=10))
    client = openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0)
    with client, pytest.raises(openai.RateLimitError, match="too large") as caught:
        say(client, "x" * 100)
    assert "retry-after" not in caught.value.response.headers


def test_reserved_output_counts_until_the_answer_is_known() -> None:
    gate = Enforcement(Enforced(tokens_per_minute=100, reserves_output=True), Clock())
    first = gate.admit(10, 80)
    assert gate.admit(10, 10).excess is not None
    gate.settle(first, 10, 5)
    assert gate.admit(10, 10).excess is None


def test_one_question_too_many_at_once_is_turned_away_and_a_seat_is_free_after_each_answer(
    serve: Serve,
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def answer(asked: object) -> str:
        if not entered.is_set():
            entered.set()
            leave.wait(60)
        return "fine"

    server = serve(answer, limits=Enforced(concurrency=1))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        slow = threading.Thread(target=say, args=(client,))
        slow.start()
        assert entered.wait(60)
        with pytest.raises(openai.RateLimitError):
            say(client)
        leave.set()
        slow.join(60)
        for _ in range(50):
            say(client)
    assert [entry.turned_away for entry in server.log[:2]] == ["", "concurrency"]


def test_a_caller_that_gives_up_on_a_hanging_answer_frees_its_seat(serve: Serve) -> None:
    server = serve(Script([Misbehaviour.HANG]), limits=Enforced(concurrency=1))
    with openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0) as client:
        with pytest.raises(openai.APITimeoutError):
            say(client, timeout=openai.Timeout(60, read=0.3))  # to be sure that it is asked
        for _ in range(2000):
            try:
                say(client)
            except openai.RateLimitError:
                threading.Event().wait(0.02)
            else:
                break
    assert server.log[-1].answer == "complete"


arrivals = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 60), st.integers(0, 60)), max_size=40)


@given(arrivals, st.integers(1, 5), st.integers(1, 200))
def test_no_window_ever_lets_more_in_than_is_allowed(
    steps: list[tuple[float, int, int]], requests: int, tokens: int
) -> None:
    clock = Clock()
    gate = Enforcement(Enforced(requests, tokens, reserves_output=True), clock)
    entries = []
    for number, (pause, sent, written) in enumerate(steps):
        clock.now += pause
        admission = gate.admit(sent, written)
        if admission.excess is None:
            entries.append(Entry(number, admission.at, "openai", "m", "", sent, written))
            gate.release(admission)
        elif admission.excess.wait_s is not None:
            assert 0 < admission.excess.wait_s <= 60.001  # the clock is a float
    worst = worst_window(entries)
    assert worst.requests <= requests
    assert worst.tokens <= tokens


@given(arrivals, st.floats(1, 60))
def test_the_worst_window_is_the_one_found_by_looking_at_every_window(
    steps: list[tuple[float, int, int]], period_s: float
) -> None:
    now, entries = 0.0, []
    for number, (pause, sent, written) in enumerate(steps):
        now += pause
        entries.append(Entry(number, now, "openai", "m", "", sent, written))
    windows = [[e for e in entries if e.at <= last.at and last.at - e.at < period_s] for last in entries]
    worst = worst_window(entries, period_s)
    assert worst.requests == max((len(w) for w in windows), default=0)
    assert worst.tokens == max((sum(e.input_tokens + e.output_tokens for e in w) for w in windows), default=0)


def test_the_worst_window_can_leave_out_what_was_turned_away() -> None:
    entries = [Entry(1, 0.0, "openai", "m"), Entry(2, 1.0, "openai", "m", "requests")]
    assert worst_window(entries).requests == 2
    assert worst_window(entries, turned_away=False).requests == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.0121, "13ms"),
        (1, "1s"),
        (7.66, "7.66s"),
        (90, "1m30s"),
        (360, "6m0s"),
        (3661, "1h1m1s"),
    ],
)
def test_a_duration_is_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.floats(0, 200_000))
def test_a_duration_read_again_is_never_shorter(seconds: float) -> None:
    text = duration_text(seconds)
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    read = sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+)(h|ms|m|s)", text))
    assert seconds - 1e-6 <= read <= seconds + 0.0011


def test_a_reset_is_the_second_by_which_it_has_happened() -> None:
    gate = Enforcement(Enforced(requests_per_minute=1), Clock())
    report = gate.admit(1, None).report
    now = datetime(2026, 1, 31, 23, 59, 30, 1, tzinfo=UTC)
    assert anthropic_headers(report, now)["anthropic-ratelimit-requests-reset"] == "2026-02-01T00:00:31Z"
