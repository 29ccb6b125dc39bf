from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_http import Raw, RawServer, chunk, events, plain

from models.base import Allowance, Prompt, RateReport
from models.errors import RateLimited
from models.factory import ModelFactory
from models.providers.moments import seconds_from, seconds_until, wait_in
from models.providers.rate_headers import rate_report

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = "sk-test-0123456789abcdefghijklmnop"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1m30s", 90.0),
        ("6m0s", 360.0),
        ("1.5s", 1.5),
        ("2h3m", 7380.0),
        ("1d", 86_400.0),
        ("0s", 0.0),
        ("59.874", 59.874),
        (" 3 ", 3.0),
        (str(int(NOW.timestamp()) + 7), 7.0),
        (str((int(NOW.timestamp()) + 7) * 1000), 7.0),
        (str(int(NOW.timestamp()) - 7), 0.0),
        ("2026-11-20T12:00:09Z", 9.0),
        ("2026-11-20T12:00:09+00:00", 9.0),
        ("2026-11-20T11:59:00Z", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("5 apples", None),
        ("nan", None),
    ],
)
def test_a_reset_is_read_in_every_form(text: str, seconds: float | None) -> None:
    assert seconds_until(text, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(
    hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59), ms=st.integers(0, 999)
)
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, ms: int) -> None:
    total = timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=ms).total_seconds()
    assert seconds_from(f"{hours}h{minutes}m{seconds}s{ms}ms") == pytest.approx(total)


@pytest.mark.parametrize(
    ("prose", "seconds"),
    [
        ("Limit 3, Used 3. Please try again in 20s. Visit us.", 20.0),
        ("Please try again in 1m2.4s.", 62.4),
        ("Please retry in 34.5s.", 34.5),
        ("Try again in a while.", None),
    ],
)
def test_a_wait_is_found_in_a_sentence(prose: str, seconds: float | None) -> None:
    assert wait_in(prose) == seconds


def test_openais_headers_are_read() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    assert rate_report(headers, NOW) == RateReport(
        requests=Allowance(500, 499, 0.12), tokens=Allowance(30_000, 29_000, 60.0)
    )


def test_anthropics_headers_are_read() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-20T12:00:30Z",
        "anthropic-ratelimit-tokens-limit": "90000",
        "anthropic-ratelimit-input-tokens-remaining": "1000",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-20T12:00:05Z",
    }
    assert rate_report(headers, NOW) == RateReport(
        requests=Allowance(50, 0, 30.0),
        tokens=Allowance(90_000),
        input_tokens=Allowance(remaining=1000),
        output_tokens=Allowance(reset_s=5.0),
    )


def test_headers_without_limits_say_nothing() -> None:
    assert rate_report({"content-type": "text/plain"}, NOW) is None
    assert rate_report({"x-ratelimit-limit-requests": "many"}, NOW) is None


NAMES = [
    f"x-ratelimit-{what}-{unit}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens")
] + [
    f"anthropic-ratelimit-{unit}-{what}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens", "input-tokens", "output-tokens")
]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30) | st.from_regex(r"[\d.:TZhms+-]{1,25}")))
def test_garbage_in_headers_is_never_an_exception_and_never_negative(headers: dict[str, str]) -> None:
    report = rate_report(headers, NOW)
    if report is None:
        return
    for allowance in (report.requests, report.tokens, report.input_tokens, report.output_tokens):
        if allowance is not None:
            assert allowance.limit is None or allowance.limit >= 0
            assert allowance.remaining is None or allowance.remaining >= 0
            assert allowance.reset_s is None or 0 <= allowance.reset_s < float("inf")


HEADERS = {
    "x-ratelimit-limit-requests": "1000",
    "x-ratelimit-remaining-requests": "999",
    "x-ratelimit-reset-requests": "1m26.4s",
    "x-ratelimit-remaining-tokens": "17",
}


@pytest.mark.parametrize(("provider", "period_s"), [("openai", 60.0), ("groq", 86_400.0)])
def test_an_answer_carries_its_report_and_announces_it_when_it_is_accepted(
    provider: str, period_s: float
) -> None:
    expected = RateReport(Allowance(1000, 999, 86.4, period_s), Allowance(remaining=17))
    announced: list[RateReport] = []
    with RawServer(lambda _got: Raw(events(chunk("fine", "stop")), headers=HEADERS)) as server:
        prefix = provider.upper()
        factory = ModelFactory({f"{prefix}_API_KEY": KEY, f"{prefix}_BASE_URL": server.url})
        response = factory.create(f"{provider}:m").generate(
            Prompt("write", "s", "u"), deadline_s=20, opened=announced.append
        )
    assert response.rate == expected
    assert announced == [expected]


def test_an_error_carries_its_report_and_announces_nothing() -> None:
    announced: list[RateReport] = []
    error = {"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}
    with RawServer(lambda _got: plain(error, 429, HEADERS)) as server:
        model = ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}).create("openai:m")
        with pytest.raises(RateLimited) as caught:
            model.generate(Prompt("write", "s", "u"), deadline_s=20, opened=announced.append)
    assert caught.value.rate is not None
    assert caught.value.rate.tokens == Allowance(remaining=17)
    assert announced == []


def test_an_answer_without_limits_is_announced_all_the_same() -> None:
    announced: list[RateReport] = []
    with RawServer(lambda _got: Raw(events(chunk("fine", "stop")))) as server:
        model = ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}).create("openai:m")
        model.generate(Prompt("write", "s", "u"), deadline_s=20, opened=announced.append)
    assert announced == [RateReport()]
