from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError, RateLimited, Refused, UnknownModel
from models.providers.classification import classify
from models.providers.rejection import Rejection, retry_after_s
from models.providers.table import OPENAI

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "12"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "12"}, 12.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


@given(st.text(max_size=40))
def test_a_wait_is_never_negative_and_never_an_exception(text: str) -> None:
    seconds = retry_after_s({"retry-after": text}, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(
    st.sampled_from([None, *range(400, 600)]),
    st.frozensets(st.sampled_from(["insufficient_quota", "rate_limit_error", "x", "model_not_found"])),
    st.text(max_size=20),
)
def test_every_rejection_becomes_a_model_error_with_its_status(
    status: int | None, codes: frozenset[str], message: str
) -> None:
    error = classify(Rejection(message, status, codes), OPENAI, "gpt-4o")
    assert isinstance(error, ModelError)
    assert error.status == status
    assert " ".join(message.split()) in error.message


def test_a_model_that_a_key_may_not_use_is_a_model_problem() -> None:
    rejection = Rejection("Project has no access.", 403, frozenset({"model_not_found"}))
    assert isinstance(classify(rejection, OPENAI, "gpt-4o"), UnknownModel)


def test_a_content_filter_is_a_refusal() -> None:
    assert isinstance(classify(Rejection("No.", 400, frozenset({"content_filter"})), OPENAI, "x"), Refused)


def test_a_status_in_the_body_counts_when_the_answer_was_200() -> None:
    rejection = Rejection.from_body({"error": {"code": 429, "message": "slow down"}})
    assert rejection is not None
    assert isinstance(classify(rejection, OPENAI, "x"), RateLimited)


@pytest.mark.parametrize("body", [None, 5, [], {}, {"error": None}, {"error": 5}, {"error": {"message": 5}}])
def test_a_body_without_an_error_has_none(body: object) -> None:
    assert Rejection.from_body(body) is None


def test_a_web_page_in_place_of_an_error_is_shortened() -> None:
    error = classify(Rejection("<p>blocked</p> " * 5000, 403), OPENAI, "x")
    assert len(error.message) < 1000
    assert "blocked" in error.message
