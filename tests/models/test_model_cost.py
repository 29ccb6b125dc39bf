from __future__ import annotations

from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import cost
from models.base import ModelResponse, Usage
from models.cost import PriceTable, TokenPrice
from models.factory import HOSTED
from models.providers.service import Service

MILLION = 1_000_000
PRICES = PriceTable()


def test_a_known_model_costs_what_the_table_says() -> None:
    assert PRICES.price("openai", "gpt-4o", Usage(input_tokens=MILLION)) == Decimal("2.5")
    assert PRICES.price("openai", "gpt-4o", Usage(output_tokens=MILLION)) == Decimal(10)
    assert PRICES.price(
        "claude", "claude-sonnet-4-0", Usage(input_tokens=1000, output_tokens=100)
    ) == Decimal("0.0045")


def test_cached_tokens_are_billed_once_and_at_their_own_rate() -> None:
    half_cached = Usage(input_tokens=1000, cache_read_tokens=500)
    assert PRICES.price("openai", "gpt-4o", half_cached) == Decimal("0.00125") + Decimal("0.000625")


def test_a_dated_name_is_priced_as_its_model() -> None:
    usage = Usage(input_tokens=1000, output_tokens=1000)
    assert PRICES.price("openai", "gpt-4o-2024-08-06", usage) == PRICES.price("openai", "gpt-4o", usage)


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [("openai", "gpt-none", Usage(5, 5)), ("nobody", "gpt-4o", Usage(5, 5)), ("openai", "gpt-4o", None)],
)
def test_what_is_not_known_is_unknown_and_not_free(provider: str, model: str, usage: Usage | None) -> None:
    assert PRICES.price(provider, model, usage) is None


def test_a_price_of_ones_own_holds_for_answers_under_a_dated_name() -> None:
    own = PriceTable({"openai:gpt-4o": TokenPrice(Decimal(1000), Decimal(1000))})
    dated = ModelResponse("text", "openai", "gpt-4o-2024-08-06", Usage(1000, 1000))
    assert own.cost_of(dated, "gpt-4o") == Decimal(2)
    tagged = PriceTable({"ollama:llama3": TokenPrice(Decimal(1000), Decimal(1000))})
    assert tagged.cost_of(ModelResponse("text", "ollama", "llama3:latest", Usage(1000, 0)), "llama3") == 1


def test_counts_that_contradict_each_other_have_no_price() -> None:
    assert PRICES.price("openai", "gpt-4o", Usage(input_tokens=1, cache_read_tokens=50)) is None


def test_the_offline_writer_is_free() -> None:
    assert PRICES.price("offline", "rules", None) == 0


@given(st.integers(0, MILLION), st.integers(0, MILLION))
def test_more_tokens_never_cost_less(sent: int, written: int) -> None:
    less = PRICES.price("openai", "gpt-4o", Usage(sent, written))
    more = PRICES.price("openai", "gpt-4o", Usage(sent + 1, written + 1))
    assert less is not None
    assert more is not None
    assert 0 <= less < more


def test_the_price_follows_the_model_that_answered_and_falls_back_on_the_one_asked_for() -> None:
    usage = Usage(MILLION, 0)
    assert PRICES.cost_of(ModelResponse("x", "openai", "gpt-4o-mini", usage), "gpt-4o") == Decimal("0.15")
    assert PRICES.cost_of(ModelResponse("x", "openai", "my-alias", usage), "gpt-4o") == Decimal("2.5")
    assert PRICES.cost_of(ModelResponse("x", "openai", "my-alias", usage), "my-alias") is None


PRICED = [service for service, _ in HOSTED if service.name not in cost.FREE_PROVIDERS]


@pytest.mark.parametrize("service", PRICED, ids=lambda service: str(service.name))
def test_every_default_model_has_a_price(service: Service) -> None:
    rates = PRICES.token_price(service.name, service.default_model)
    assert rates is not None
    assert 0 < rates.input_usd < rates.output_usd


def test_similar_names_come_from_the_providers_own_table() -> None:
    assert "gpt-4o" in cost.similar_models("openai", "gpt-4oo")
    assert cost.similar_models("openai", "zzzzzz") == ()
    assert cost.similar_models("nobody", "gpt-4o") == ()


@pytest.mark.parametrize("provider", ["openai", "claude", "deepseek", "groq", "gemini", "xai", "openrouter"])
@pytest.mark.parametrize("sent", [1000, 250_000, 600_000])
def test_every_price_is_the_librarys_own(provider: str, sent: int) -> None:
    names = {"claude": "anthropic", "gemini": "google", "xai": "x-ai"}
    tokens = genai_prices.Usage(
        input_tokens=sent, output_tokens=500, cache_read_tokens=200, cache_write_tokens=100
    )
    priced = 0
    for model in cost.known_models(provider):
        ours = PRICES.price(provider, model, Usage(sent, 500, 200, 100))
        if ours is not None:
            library = genai_prices.calc_price(tokens, model, provider_id=names.get(provider, provider))
            assert ours == library.total_price, model
            priced += 1
    assert priced


def test_a_price_of_ones_own_wins_over_the_table() -> None:
    own = PriceTable({"openai:gpt-4o": TokenPrice(Decimal(1), Decimal(2), Decimal("0.1"), Decimal("1.5"))})
    assert own.price("openai", "gpt-4o", Usage(MILLION, MILLION)) == Decimal(3)
    cached = Usage(MILLION, 0, cache_read_tokens=MILLION // 2, cache_write_tokens=MILLION // 4)
    assert own.price("openai", "gpt-4o", cached) == Decimal("0.25") + Decimal("0.05") + Decimal("0.375")
    assert own.price("openai", "gpt-4o", None) is None
    assert own.price("openai", "gpt-4o-mini", Usage(MILLION, 0)) == Decimal("0.15")
    mine = PriceTable({"mine:llama": TokenPrice(Decimal(0), Decimal(0))})
    assert mine.price("mine", "llama", Usage(5, 5)) == 0
    assert mine.is_priced("mine", "llama")


def test_what_caching_saved_is_the_difference_to_the_price_without_it() -> None:
    half = Usage(MILLION, 0, cache_read_tokens=MILLION // 2)
    assert PRICES.saving("openai", ("gpt-4o",), half) == Decimal("0.625")
    assert PRICES.saving("openai", ("gpt-4o",), Usage(MILLION, 0)) == 0
    assert PRICES.saving("openai", ("gpt-none",), half) == 0
    written = Usage(MILLION, 0, cache_write_tokens=MILLION)
    assert PRICES.saving("claude", ("claude-sonnet-5-5",), written) < 0
