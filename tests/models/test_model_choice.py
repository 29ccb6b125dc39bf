"""Local servers, services of the user's own, chains, and what is known about a model without asking it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from raw_http import Got, Raw, RawServer, chunk, events, plain

from models.base import Prompt
from models.cost import PriceTable, TokenPrice
from models.errors import (
    BadKey,
    BadSetting,
    ConnectionFailed,
    MissingKey,
    UnknownModel,
    UnknownProvider,
)
from models.factory import HOSTED, ModelFactory
from models.providers.service import Service

KEY = "sk-test-0123456789abcdefghijklmnop"
HELD_S, SOON_S = 60.0, 30.0  # how long an answer is kept back, and what is much sooner
NOWHERE = "http://127.0.0.1:9/v1"
PROMPT = Prompt("write", "s", "u")
OK = Raw(events(chunk("fine", "stop", usage={"prompt_tokens": 3, "completion_tokens": 1})))


def serving(*models: str) -> Callable[[Got], Raw]:
    """A server that has these models and answers every question."""

    def answer(got: Got) -> Raw:
        if got.path.endswith("/models"):
            return plain({"object": "list", "data": [{"id": name} for name in models] or None})
        return OK

    return answer


def test_a_running_ollama_with_a_model_is_the_default_and_its_first_model_is_meant() -> None:
    with RawServer(serving("llama3.2:latest", "qwen3")) as server:
        factory = ModelFactory({"OLLAMA_BASE_URL": server.url})
        assert factory.default() == "ollama"
        assert factory.create("ollama").name == "ollama:llama3.2:latest"
        assert factory.create("ollama:qwen3:8b").name == "ollama:qwen3:8b"
        assert factory.describe("ollama").name == "ollama:llama3.2:latest"
        assert factory.create("ollama").generate(PROMPT, deadline_s=20).text == "fine"
        (listing,) = (row for row in factory.available() if row.provider == "ollama")
        assert (listing.usable, listing.why_not, listing.input_usd_per_mtok) == (True, "", Decimal(0))
        assert {got.path for got in server.got} == {"/v1/models", "/v1/chat/completions"}


def test_an_ollama_without_models_is_not_the_default_and_says_so() -> None:
    with RawServer(serving()) as server:
        factory = ModelFactory({"OLLAMA_BASE_URL": f"{server.url}/v1"})
        assert factory.default() == "offline"
        with pytest.raises(UnknownModel, match="no model"):
            factory.create("ollama")


def test_an_ollama_that_is_not_running_is_named_with_its_address() -> None:
    factory = ModelFactory({"OLLAMA_BASE_URL": NOWHERE})
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9") as caught:
        factory.create("ollama")
    assert "ollama:MODEL" in caught.value.hint
    assert factory.create("ollama:named").name == "ollama:named"


def test_a_server_that_is_slow_to_list_its_models_holds_nobody_up() -> None:
    asked_for = threading.Event()

    def slowly(_got: Got) -> Raw:
        asked_for.wait(HELD_S)
        return OK

    with RawServer(slowly) as server:
        began = time.monotonic()
        assert ModelFactory({"OLLAMA_BASE_URL": server.url}).default() == "offline"
        assert time.monotonic() - began < SOON_S
        asked_for.set()


@pytest.mark.parametrize(
    "raw", [Raw(b"<html>", kind="text/html"), plain([1]), plain({"data": [{"id": 5}]}), plain({}, 500)]
)
def test_a_server_that_is_no_ollama_is_no_default(raw: Raw) -> None:
    with RawServer(lambda _got: raw) as server:
        assert ModelFactory({"OLLAMA_BASE_URL": server.url}).default() == "offline"


def test_a_key_wins_over_a_running_ollama() -> None:
    with RawServer(serving("llama")) as server:
        factory = ModelFactory({"OLLAMA_BASE_URL": server.url, "XAI_API_KEY": KEY})
        assert factory.default() == "xai"
        assert server.got == []


def test_a_service_of_ones_own_needs_no_key_unless_it_names_one() -> None:
    with RawServer(serving("big")) as server:
        own = (
            Service("lab", None, None, f"{server.url}/v1", "small"),
            Service("paid", "PAID_KEY", None, f"{server.url}/v1", "small"),
            Service("plain", "", "", f"{server.url}/v1", ""),
        )
        factory = ModelFactory({"OLLAMA_BASE_URL": NOWHERE}, own=own)
        assert factory.create("lab").generate(PROMPT, deadline_s=20).provider == "lab"
        assert factory.create("plain").name == "plain:big"
        with pytest.raises(MissingKey, match="PAID_KEY"):
            factory.create("paid")
        usable = {row.provider: row.usable for row in factory.available()}
        assert (usable["lab"], usable["paid"], usable["plain"]) == (True, False, True)
        assert factory.default() == "offline"
        assert ModelFactory({"PAID_KEY": KEY}, own=own).default() == "paid"


def test_a_service_of_ones_own_with_a_known_name_replaces_the_known_one() -> None:
    with RawServer(serving("m")) as server:
        own = (Service("groq", None, None, f"{server.url}/v1", "mine"),)
        factory = ModelFactory({}, own=own)
        assert factory.create("groq").generate(PROMPT, deadline_s=20).text == "fine"
        assert [row.provider for row in factory.available()].count("groq") == 1


def test_a_service_of_ones_own_may_have_the_name_of_an_alias() -> None:
    own = (Service("anthropic", None, None, NOWHERE, "mine"),)
    assert ModelFactory({}, own=own).create("anthropic").name == "anthropic:mine"


def test_a_wrong_address_of_ones_own_service_is_named() -> None:
    with pytest.raises(BadSetting, match="base_url of lab"):
        ModelFactory({}, own=(Service("lab", None, None, "localhost:8000", "m"),)).create("lab")


def test_a_misspelt_name_of_ones_own_service_is_recognised() -> None:
    with pytest.raises(UnknownProvider) as caught:
        ModelFactory({}, own=(Service("laboratory", None, None, NOWHERE, "m"),)).create("labratory")
    assert caught.value.hint == "Did you mean laboratory?"


def test_googles_usual_variable_is_taken_too_and_the_other_one_wins() -> None:
    one = ModelFactory({"GOOGLE_API_KEY": KEY}).create("gemini")
    two = ModelFactory({"GOOGLE_API_KEY": "other" * 4, "GEMINI_API_KEY": KEY}).create("gemini")
    assert one.account == two.account
    with pytest.raises(MissingKey, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        ModelFactory({}).create("gemini")


@pytest.mark.parametrize("service", [service for service, _ in HOSTED], ids=lambda service: service.name)
def test_every_default_model_is_known_without_a_key_and_has_a_price(service: Service) -> None:
    factory = ModelFactory({})
    if not service.default_model:
        assert PriceTable().is_priced(service.name, "anything")
        return
    name = factory.describe(service.name)
    assert (name.provider, name.model, name.key_variable) == (
        service.name,
        service.default_model,
        service.key_variable,
    )
    assert name.is_language_model
    assert PriceTable().is_priced(name.provider, name.model)
    assert factory.check_name(service.name) is None


def test_a_model_is_described_under_its_providers_own_name() -> None:
    assert ModelFactory({}).describe("Anthropic:claude-opus-5").name == "claude:claude-opus-5"
    offline = ModelFactory({}).describe("offline")
    assert (offline.name, offline.is_language_model, offline.key_variable) == ("offline:rules", False, None)
    with pytest.raises(UnknownProvider):
        ModelFactory({}).describe("opena:x")


def test_ones_own_price_ends_the_warning_and_is_listed() -> None:
    prices = PriceTable({"lab:small": TokenPrice(Decimal(1), Decimal(2))})
    factory = ModelFactory({}, own=(Service("lab", None, None, NOWHERE, "small"),), prices=prices)
    assert factory.check_name("lab:small") is None
    assert "price table" in (factory.check_name("lab:other") or "")
    (listing,) = (row for row in factory.available() if row.provider == "lab")
    assert (listing.input_usd_per_mtok, listing.output_usd_per_mtok) == (Decimal(1), Decimal(2))


def test_a_chain_is_every_model_in_its_order() -> None:
    factory = ModelFactory({"ANTHROPIC_API_KEY": KEY, "DEEPSEEK_API_KEY": KEY})
    chain = factory.create_chain("claude:claude-opus-5, deepseek ,ollama:llama3:8b")
    assert [model.name for model in chain] == [
        "claude:claude-opus-5", "deepseek:deepseek-v4-pro", "ollama:llama3:8b",
    ]  # fmt: skip
    assert [model.name for model in factory.create_chain("offline")] == ["offline:rules"]


@pytest.mark.parametrize("specs", ["", "claude,", ",claude", "claude,,offline", " , "])
def test_a_chain_with_a_gap_is_an_error_with_a_fix(specs: str) -> None:
    with pytest.raises(BadSetting, match="empty") as caught:
        ModelFactory({"ANTHROPIC_API_KEY": KEY}).create_chain(specs)
    assert caught.value.hint


@pytest.mark.parametrize("specs", ["claude,anthropic", "offline, offline:rules"])
def test_a_chain_that_names_a_model_twice_is_an_error_naming_it(specs: str) -> None:
    with pytest.raises(BadSetting, match="twice") as caught:
        ModelFactory({"ANTHROPIC_API_KEY": KEY}).create_chain(specs)
    assert caught.value.hint


def test_a_chain_with_a_missing_key_is_an_error_at_once() -> None:
    with pytest.raises(MissingKey, match="GROQ_API_KEY"):
        ModelFactory({"ANTHROPIC_API_KEY": KEY}).create_chain("claude,groq")


LIMIT_TOO_LOW = plain({"error": {"message": "Invalid 'max_completion_tokens': integer below minimum value. Expected"
                                 " a value >= 16, but got 1 instead."}}, 400)  # fmt: skip
NOT_FINISHED = plain({"error": {"message": "Could not finish the message because max_tokens or model output limit"
                                " was reached. Please try again with higher max_tokens."}}, 400)  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        OK,
        Raw(events(chunk("y", "length"))),
        Raw(events(chunk("", "length"))),
        Raw(events(chunk("", "stop"))),
        LIMIT_TOO_LOW,
        NOT_FINISHED,
    ],
)
def test_a_check_takes_every_answer_that_one_token_was_too_little_for(raw: Raw) -> None:
    with RawServer(lambda _got: raw) as server:
        factory = ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url})
        checked = factory.check("openai:gpt-5")
        assert [got.body["max_completion_tokens"] for got in server.got] == [1]
    assert checked.ok, checked.error
    assert checked.error is None
    assert (checked.provider, checked.model) == ("openai", "gpt-5")
    assert checked.seconds > 0


def test_a_check_tells_who_answered_and_what_it_used() -> None:
    with RawServer(lambda _got: OK) as server:
        checked = ModelFactory({"XAI_API_KEY": KEY, "XAI_BASE_URL": server.url}).check("xai")
    assert checked.answered_as == "m"
    assert checked.usage is not None
    assert checked.usage.input_tokens == 3


def test_a_check_holds_the_error_of_what_is_not_usable() -> None:
    refused = plain({"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}, 401)
    with RawServer(lambda _got: refused) as server:
        checked = ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}).check("openai")
    assert not checked.ok
    assert type(checked.error) is BadKey
    assert type(ModelFactory({}).check("groq").error) is MissingKey
    assert type(ModelFactory({}).check("grok").error) is UnknownProvider
    assert ModelFactory({}).check("offline").ok


def test_a_check_does_not_wait_longer_than_it_may() -> None:
    asked_for = threading.Event()

    def slowly(_got: Got) -> Raw:
        asked_for.wait(HELD_S)
        return OK

    with RawServer(slowly) as server:
        factory = ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url})
        checked = factory.check("openai", deadline_s=0.3)
        asked_for.set()
    assert not checked.ok
    assert checked.seconds < SOON_S
