from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import cost
from models.base import ModelResponse, Usage
from models.factory import HOSTED

MILLION = 1_000_000


def test_a_known_model_costs_what_the_table_says() -> None:
    assert cost.price("openai", "gpt-4o", Usage(input_tokens=MILLION)) == Decimal("2.5")
    assert cost.price("openai", "gpt-4o", Usage(output_tokens=MILLION)) == Decimal(10)
    assert cost.price("claude", "claude-sonnet-4-0", Usage(input_tokens=1000, output_tokens=100)) == Decimal(
        "0.0045"
    )


def test_cached_tokens_are_billed_once_and_at_their_own_rate() -> None:
    half_cached = Usage(input_tokens=1000, cache_read_tokens=500)
    assert cost.price("openai", "gpt-4o", half_cached) == Decimal("0.00125") + Decimal("0.000625")


def test_a_dated_name_is_priced_as_its_model() -> None:
    usage = Usage(input_tokens=1000, output_tokens=1000)
    assert cost.price("openai", "gpt-4o-2024-08-06", usage) == cost.price("openai", "gpt-4o", usage)


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [("openai", "gpt-none", Usage(5, 5)), ("nobody", "gpt-4o", Usage(5, 5)), ("openai", "gpt-4o", None)],
)
def test_what_is_not_known_is_unknown_and_not_free(provider: str, model: str, usage: Usage | None) -> None:
    assert cost.price(provider, model, usage) is None


def test_counts_that_contradict_each_other_have_no_price() -> None:
    assert cost.price("openai", "gpt-4o", Usage(input_tokens=1, cache_read_tokens=50)) is None


def test_the_offline_writer_is_free() -> None:
    assert cost.price("offline", "rules", None) == 0


@given(st.integers(0, MILLION), st.integers(0, MILLION))
def test_more_tokens_never_cost_less(sent: int, written: int) -> None:
    less = cost.price("openai", "gpt-4o", Usage(sent, written))
    more = cost.price("openai", "gpt-4o", Usage(sent + 1, written + 1))
    assert less is not None
    assert more is not None
    assert 0 <= less < more


def test_the_price_follows_the_model_that_answered_and_falls_back_on_the_one_asked_for() -> None:
    usage = Usage(MILLION, 0)
    assert cost.cost_of(ModelResponse("x", "openai", "gpt-4o-mini", usage), "gpt-4o") == Decimal("0.15")
    assert cost.cost_of(ModelResponse("x", "openai", "my-alias", usage), "gpt-4o") == Decimal("2.5")
    assert cost.cost_of(ModelResponse("x", "openai", "my-alias", usage), "my-alias") is None


@pytest.mark.parametrize("service", [service for service, _ in HOSTED], ids=lambda service: service.name)
def test_every_default_model_has_a_price(service) -> None:  # type: ignore[no-untyped-def]
    rates = cost.token_price(service.name, service.default_model)
    assert rates is not None
    assert 0 < rates.input_usd < rates.output_usd


def test_similar_names_come_from_the_providers_own_table() -> None:
    assert "gpt-4o" in cost.similar_models("openai", "gpt-4oo")
    assert cost.similar_models("openai", "zzzzzz") == ()
    assert cost.similar_models("nobody", "gpt-4o") == ()
