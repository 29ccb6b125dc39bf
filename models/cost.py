"""What an answer cost, from a price table that needs no network. Unknown is ``None``, never zero."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from models.base import ModelResponse, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider, TieredPrices

FREE_PROVIDERS = frozenset({"offline"})

_TABLE_NAMES = {"claude": "anthropic"}


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars per million tokens, for prompts short enough to fall under no surcharge."""

    input_usd: Decimal
    output_usd: Decimal


def price(provider: str, model: str, usage: Usage | None) -> Decimal | None:
    """US dollars for ``usage`` at today's price, or ``None`` when the model or the usage is not known."""
    if provider in FREE_PROVIDERS:
        return Decimal(0)
    if usage is None:
        return None
    import genai_prices  # 0.2 s, so only when something is priced

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return genai_prices.calc_price(tokens, model, provider_id=_table_name(provider)).total_price
    except (LookupError, ValueError):  # ValueError: counts that contradict each other have no price
        return None


def cost_of(response: ModelResponse, asked_for: str) -> Decimal | None:
    """US dollars for one answer: what the provider reported, else the price of the model that wrote it.

    ``asked_for`` is the model's name in the request, for providers that answer under a name of their own.
    """
    if response.reported_cost_usd is not None:
        return Decimal(str(response.reported_cost_usd))
    for model in dict.fromkeys((response.model, asked_for)):
        cost = price(response.provider, model, response.usage)
        if cost is not None:
            return cost
    return None


def known_models(provider: str) -> tuple[str, ...]:
    """The names in the price table for this provider; empty when the table does not have the provider."""
    row = _table_row(provider)
    return tuple(model.id for model in row.models) if row else ()


def is_priced(provider: str, model: str) -> bool:
    """Whether the price table knows the model, under any of its names."""
    return provider in FREE_PROVIDERS or _model_row(provider, model) is not None


def similar_models(provider: str, model: str) -> tuple[str, ...]:
    """Up to three names from the price table that look like ``model``, the most similar first."""
    return tuple(difflib.get_close_matches(model, known_models(provider), n=3, cutoff=0.75))


def token_price(provider: str, model: str) -> TokenPrice | None:
    """The model's price per million tokens, or ``None`` when it is not known."""
    if provider in FREE_PROVIDERS:
        return TokenPrice(Decimal(0), Decimal(0))
    row = _model_row(provider, model)
    if row is None:
        return None
    now = row.get_prices(datetime.now(UTC))
    input_usd, output_usd = _base_rate(now.input_mtok), _base_rate(now.output_mtok)
    return TokenPrice(input_usd, output_usd) if input_usd is not None and output_usd is not None else None


def _base_rate(rate: Decimal | TieredPrices | None) -> Decimal | None:
    return rate if rate is None or isinstance(rate, Decimal) else rate.base


def _table_name(provider: str) -> str:
    return _TABLE_NAMES.get(provider, provider)


def _table_row(provider: str) -> Provider | None:
    from genai_prices.data_snapshot import get_snapshot

    wanted = _table_name(provider)
    return next((row for row in get_snapshot().providers if row.id == wanted), None)


def _model_row(provider: str, model: str) -> ModelInfo | None:
    row = _table_row(provider)
    return row.find_model(model) if row else None
