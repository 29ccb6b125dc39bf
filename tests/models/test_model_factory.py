from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from models.cost import PriceTable, TokenPrice
from models.errors import BadChain, BadSetting, MissingKey, UnknownModel, UnknownProvider
from models.factory import ModelFactory

KEY = "sk-test-0123456789abcdefghijklmnop"
NOWHERE = "http://127.0.0.1:9/v1"


def test_importing_the_factory_imports_no_sdk_and_no_price_table() -> None:
    code = (
        "import sys, models.factory, models.client\n"
        "f = models.factory.ModelFactory({'OPENAI_API_KEY': 'k' * 20, 'ANTHROPIC_API_KEY': 'k' * 20})\n"
        "f.create('openai'); f.create('claude'); f.default(); f.describe('groq')\n"
        "print([m for m in ('openai', 'anthropic', 'genai_prices', 'httpx2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_without_a_model_means_the_default_model() -> None:
    factory = ModelFactory({"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})
    assert factory.create("openai").name == f"openai:{factory.available()[0].default_model}"
    assert factory.create("openai:gpt-4o").name == "openai:gpt-4o"
    assert factory.create("OpenAI: gpt-4o ").name == "openai:gpt-4o"


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"OLLAMA_BASE_URL": NOWHERE}, "offline"),
        ({"OPENAI_API_KEY": "  ", "OLLAMA_BASE_URL": NOWHERE}, "offline"),
        ({"ANTHROPIC_API_KEY": KEY}, "claude"),
        ({"DEEPSEEK_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}, "claude"),
        ({"OPENROUTER_API_KEY": KEY, "GROQ_API_KEY": KEY}, "groq"),
        ({"GOOGLE_API_KEY": KEY}, "gemini"),
        ({"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}, "openai"),
    ],
)
def test_the_default_is_the_first_provider_with_a_key(environ: dict[str, str], name: str) -> None:
    assert ModelFactory(environ).default() == name


def test_an_unknown_provider_suggests_a_known_one() -> None:
    with pytest.raises(UnknownProvider, match="'opena'") as caught:
        ModelFactory({}).create("opena:gpt-4o")
    assert caught.value.hint == "Did you mean openai?"
    with pytest.raises(UnknownProvider) as caught:
        ModelFactory({}).create("")
    assert "claude" in caught.value.hint


def test_a_missing_key_names_the_variable_the_file_and_the_way_without() -> None:
    with pytest.raises(MissingKey, match="OPENAI_API_KEY") as caught:
        ModelFactory({}).create("openai")
    assert ".env" in caught.value.hint
    assert "offline" in caught.value.hint


@pytest.mark.parametrize("value", ["“" + KEY + "”", KEY[:9] + " " + KEY[9:], KEY + "\nX=1", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(BadSetting, match="OPENAI_API_KEY") as caught:
        ModelFactory({"OPENAI_API_KEY": value}).create("openai")
    assert value not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/v1", "http://", "http://[::1", "http://host:99999"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="OPENAI_BASE_URL"):
        ModelFactory({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url}).create("openai")


def test_a_password_in_an_address_is_in_no_listing_and_no_account() -> None:
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://me:hunter2@proxy.example/v1"}
    factory = ModelFactory(environ)
    shown = repr(factory.available()) + repr(factory.create("openai").account)
    assert "proxy.example" in shown
    assert "hunter2" not in shown
    assert KEY not in shown


def test_two_keys_are_two_accounts_and_two_models_of_one_key_are_one() -> None:
    one, two = ModelFactory({"OPENAI_API_KEY": KEY}), ModelFactory({"OPENAI_API_KEY": KEY + "2"})
    assert one.create("openai:a").account == one.create("openai:b").account
    assert one.create("openai").account != two.create("openai").account


def test_the_listing_says_what_is_usable_and_why_not() -> None:
    factory = ModelFactory({"ANTHROPIC_API_KEY": KEY, "OLLAMA_BASE_URL": NOWHERE})
    listings = {row.provider: row for row in factory.available()}
    assert list(listings) == [
        "openai", "claude", "deepseek", "groq", "gemini", "xai", "openrouter", "ollama", "offline",
    ]  # fmt: skip
    assert not listings["openai"].usable
    assert "OPENAI_API_KEY" in listings["openai"].why_not
    assert listings["claude"].usable
    assert listings["claude"].why_not == ""
    assert listings["claude"].input_usd_per_mtok
    assert (listings["offline"].usable, listings["offline"].input_usd_per_mtok) == (True, Decimal(0))
    assert not listings["ollama"].usable
    assert "does not answer" in listings["ollama"].why_not
    assert listings["ollama"].key_variable is None


def test_a_misspelt_model_gets_a_warning_and_not_an_error() -> None:
    factory = ModelFactory({"OPENAI_API_KEY": KEY})
    assert factory.check_name("openai:gpt-4oo") == (
        "openai:gpt-4oo is not in the price table; did you mean gpt-4o? Its cost will be shown as unknown."
    )
    assert "did you mean" not in (factory.check_name("openai:zzzzzzz") or "")
    assert factory.create("openai:gpt-4oo").name == "openai:gpt-4oo"


@pytest.mark.parametrize("spec", ["openai", "openai:gpt-4o", "anthropic:claude-opus-5", "offline:rules"])
def test_a_known_model_gets_no_warning(spec: str) -> None:
    assert ModelFactory({}).check_name(spec) is None


def test_the_offline_writer_has_one_model() -> None:
    with pytest.raises(UnknownModel, match="fancy") as caught:
        ModelFactory({}).create("offline:fancy")
    assert "offline:rules" in caught.value.hint


@pytest.mark.parametrize("spec", ["offline", "offline:rules"])
def test_the_offline_writer_needs_no_key(spec: str) -> None:
    model = ModelFactory({}).create(spec)
    assert model.provider == "offline"
    assert not model.is_language_model


@pytest.mark.parametrize("specs", [",offline", "offline,,offline", "offline,offline:rules"])
def test_a_list_of_models_that_cannot_be_meant_is_told_from_a_bad_key_or_address(specs: str) -> None:
    with pytest.raises(BadChain) as caught:
        ModelFactory({}).create_chain(specs)
    assert caught.value.kind == "bad_chain"
    assert not isinstance(_error_of({"OPENAI_API_KEY": "two words"}, "openai"), BadChain)


def _error_of(environ: dict[str, str], spec: str) -> BadSetting:
    with pytest.raises(BadSetting) as caught:
        ModelFactory(environ).create(spec)
    return caught.value


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gpt-4o", "openai:gpt-4o"),
        ("GPT-4o", "openai:gpt-4o"),
        ("claude-sonnet-4-5", "claude:claude-sonnet-4-5"),
        ("deepseek-chat", "deepseek:deepseek-chat"),
        ("opnai", "openai"),
    ],
)
def test_a_models_name_alone_is_answered_with_the_provider_that_has_it(name: str, meant: str) -> None:
    with pytest.raises(UnknownProvider) as caught:
        ModelFactory({}).describe(name)
    assert caught.value.hint == f"Did you mean {meant}?"


def test_a_model_with_a_price_of_the_users_own_is_suggested_too() -> None:
    prices = PriceTable({"openai:house-blend": TokenPrice(Decimal(1), Decimal(1))})
    with pytest.raises(UnknownProvider) as caught:
        ModelFactory({}, prices=prices).describe("house-blend")
    assert caught.value.hint == "Did you mean openai:house-blend?"
