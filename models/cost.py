"""What an answer cost, from a price table that needs no network. Unknown is ``None``, never zero."""

from __future__ import annotations

import difflib
import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from models.base import GO_ON, BaseModel, ModelResponse, Prompt, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider, TieredPrices

FREE_PROVIDERS = frozenset({"offline", "ollama"})

_TABLE_NAMES = {"claude": "anthropic", "gemini": "google", "xai": "x-ai"}
_RATE_NAMES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
# Some services are cheaper by night: rates are looked up again every so many seconds.
_LOOK_AGAIN_S = 60
_MILLION = Decimal(1_000_000)
_NOTHING = Decimal(0)

# Roles, separators and whatever else a provider puts around the texts it is sent.
_TOKENS_AROUND_A_PROMPT = 64


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, for prompts short enough to fall under no surcharge.

    A cache rate left at ``None`` is the input rate.
    """

    input_usd: Decimal
    output_usd: Decimal
    cache_read_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None

    def of(self, usage: Usage) -> Decimal | None:
        """US dollars for ``usage``; ``None`` when its counts contradict each other."""
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        if min(plain, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens) < 0:
            return None
        read = self.input_usd if self.cache_read_usd is None else self.cache_read_usd
        write = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        return (
            plain * self.input_usd
            + usage.cache_read_tokens * read
            + usage.cache_write_tokens * write
            + usage.output_tokens * self.output_usd
        ) / _MILLION


class PriceTable:
    """Prices by provider and model: the user's ``own`` (under ``provider:model``), else the library's of today."""

    def __init__(self, own: Mapping[str, TokenPrice] = MappingProxyType({})) -> None:
        self._own = dict(own)

    def price(self, provider: str, model: str, usage: Usage | None) -> Decimal | None:
        """US dollars for ``usage``, or ``None`` when the model or the usage is not known."""
        own = self._own.get(f"{provider}:{model}")
        if own is not None:
            return own.of(usage) if usage is not None else None
        if provider in FREE_PROVIDERS:
            return _NOTHING
        return _listed_price(provider, model, usage) if usage is not None else None

    def cost_of(self, response: ModelResponse, asked_for: str) -> Decimal | None:
        """US dollars for one answer: what the provider reported, else the price of the model that wrote it.

        ``asked_for`` is the model's name in the request, for providers that answer under a name of their own.
        """
        return self.cost(
            response.provider, (response.model, asked_for), response.usage, response.reported_cost_usd
        )

    def cost(
        self, provider: str, names: tuple[str, ...], usage: Usage | None, reported_usd: float | None = None
    ) -> Decimal | None:
        """US dollars: what the provider ``reported``, else the price under the first of ``names`` that has one.

        A price of the user's own for any of the names wins: providers like to answer under a dated name.
        """
        if reported_usd is not None:
            return Decimal(str(reported_usd))
        own = [name for name in names if f"{provider}:{name}" in self._own]
        prices = (self.price(provider, name, usage) for name in dict.fromkeys(own or names))
        return next((price for price in prices if price is not None), None)

    def worst_case(self, model: BaseModel, prompt: Prompt) -> Decimal | None:
        """The most that one call can cost in US dollars; ``None`` when the model has no known price.

        A token is at least one byte of UTF-8, so a prompt has no more tokens than bytes; the answer is as long as
        it may be, and a provider that writes its cache may charge more for that than for reading nothing.
        """
        texts = (prompt.system, prompt.user, prompt.continuing, GO_ON if prompt.continuing else "")
        sent = sum(len(text.encode("utf-8", "replace")) for text in texts) + _TOKENS_AROUND_A_PROMPT
        written = prompt.max_output_tokens
        usages = (Usage(sent, written), Usage(sent, written, cache_write_tokens=sent))
        prices = [self.price(model.provider, model.model, usage) for usage in usages]
        known = [price for price in prices if price is not None]
        return max(known) if known else None

    def saving(self, provider: str, names: tuple[str, ...], usage: Usage | None) -> Decimal:
        """US dollars that prompt caching saved: the price without it less the price; negative when it cost more."""
        if usage is None or not (usage.cache_read_tokens or usage.cache_write_tokens):
            return _NOTHING
        without = self.cost(provider, names, Usage(usage.input_tokens, usage.output_tokens))
        paid = self.cost(provider, names, usage)
        return _NOTHING if without is None or paid is None else without - paid

    def is_priced(self, provider: str, model: str) -> bool:
        """Whether there is a price for the model, under any of its names."""
        if f"{provider}:{model}" in self._own or provider in FREE_PROVIDERS:
            return True
        return _listed_rates(provider, model, input_tokens=0) is not None

    def token_price(self, provider: str, model: str) -> TokenPrice | None:
        """The model's price per million tokens, or ``None`` when it is not known."""
        own = self._own.get(f"{provider}:{model}")
        if own is not None:
            return own
        if provider in FREE_PROVIDERS:
            return TokenPrice(_NOTHING, _NOTHING)
        return _listed_rates(provider, model, input_tokens=0)


def known_models(provider: str) -> tuple[str, ...]:
    """The names in the price table for this provider; empty when the table does not have the provider."""
    row = _table_row(provider)
    return tuple(model.id for model in row.models) if row else ()


def similar_models(provider: str, model: str) -> tuple[str, ...]:
    """Up to three names from the price table that look like ``model``, the most similar first."""
    return tuple(difflib.get_close_matches(model, known_models(provider), n=3, cutoff=0.75))


def _listed_price(provider: str, model: str, usage: Usage) -> Decimal | None:
    rates = _listed_rates(provider, model, usage.input_tokens)
    return rates.of(usage) if rates else None


def _listed_rates(provider: str, model: str, input_tokens: int) -> TokenPrice | None:
    """The rates for a prompt of that length; ``None`` for a model that is not charged by the token alone."""
    card = _card(provider, model, int(time.time()) // _LOOK_AGAIN_S)
    if card is None:
        return None
    return card.flat if card.flat is not None else _rates(card.stated, input_tokens)


@dataclass(frozen=True, slots=True)
class _Card:
    """What the table states for a model now; ``flat`` if no rate depends on the length of the prompt."""

    stated: Mapping[str, Decimal | TieredPrices]
    flat: TokenPrice | None


@functools.lru_cache(maxsize=256)
def _card(provider: str, model: str, _when: int) -> _Card | None:
    row = _model_row(provider, model)
    if row is None:
        return None
    stated = {
        name: rate for name, rate in vars(row.get_prices(datetime.now(UTC))).items() if rate is not None
    }
    if not stated and row.id.endswith(":free"):
        return _Card(stated, TokenPrice(_NOTHING, _NOTHING))
    tiered = any(not isinstance(rate, Decimal) for rate in stated.values())
    return _Card(stated, None if tiered else _rates(stated, 0))


def _rates(stated: Mapping[str, Decimal | TieredPrices], input_tokens: int) -> TokenPrice | None:
    if "input_mtok" not in stated or "output_mtok" not in stated:
        return None
    if any(name.startswith("requests") for name in stated):
        return None
    return TokenPrice(*(_rate(stated.get(name), input_tokens) for name in _RATE_NAMES))  # type: ignore[arg-type]


def _rate(rate: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    """A long prompt lifts every token of the call to the rate of its tier."""
    if rate is None or isinstance(rate, Decimal):
        return rate
    reached = [tier.price for tier in rate.tiers if input_tokens > tier.start]
    return reached[-1] if reached else rate.base


def _table_name(provider: str) -> str:
    return _TABLE_NAMES.get(provider, provider)


@functools.cache
def _table_row(provider: str) -> Provider | None:
    from genai_prices.data_snapshot import get_snapshot

    wanted = _table_name(provider)
    return next((row for row in get_snapshot().providers if row.id == wanted), None)


@functools.lru_cache(maxsize=256)
def _model_row(provider: str, model: str) -> ModelInfo | None:
    row = _table_row(provider)
    return row.find_model(model) if row else None
