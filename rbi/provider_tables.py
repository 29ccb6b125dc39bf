"""The tables of ``rbi.toml`` about single providers and models: ``[providers]``, ``[limits]`` and ``[prices]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from models.cost import TokenPrice
from models.errors import ModelError
from models.providers.service import Service
from rbi.errors import UsageError
from rbi.setting_values import checked
from rbi.settings_table import BY_KEY, Setting, suggestion

RATE_KEYS = (
    "requests_per_minute",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
)
LIMIT_KEYS = (*RATE_KEYS, "max_calls", "delay")

_PROVIDER_KEYS = ("base_url", "key_variable", "default_model")
_PRICE_KEYS = ("input", "output", "cache_read", "cache_write")
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_HIGHEST_PRICE = 1_000_000
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ProviderTables:
    """The tables as read. ``limits`` are by provider; ``prices`` by ``provider:model``, in USD per million tokens."""

    providers: tuple[Service, ...] = ()
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    prices: Mapping[str, TokenPrice] = field(default_factory=lambda: MappingProxyType({}))


def read_tables(values: Mapping[str, Any], path: Path) -> ProviderTables:
    """The three tables of a settings file. Raises `UsageError` for whatever cannot be meant."""
    tables = {name: _tables(values.get(name, {}), f"{path}: [{name}]", _EXAMPLES[name]) for name in _EXAMPLES}
    own = tuple(_service(name, table, path) for name, table in tables["providers"].items())
    canonical = _resolver(own)
    limits: dict[str, Mapping[str, float]] = {}
    for name, table in tables["limits"].items():
        where = f"{path}: [limits.{name}]"
        _add(limits, canonical(name, where).partition(":")[0], _limits(table, where), where)
    prices: dict[str, TokenPrice] = {}
    for spec, table in tables["prices"].items():
        where = f'{path}: [prices."{spec}"]'
        _add(prices, canonical(spec, where), _price(spec, table, where), where)
    return ProviderTables(own, MappingProxyType(limits), MappingProxyType(prices))


def _add(found: dict[str, Value], name: str, value: Value, where: str) -> None:
    if name in found:
        raise UsageError(f"{name} has two tables", where=where, fix="keep one table for it")
    found[name] = value


_EXAMPLES = {
    "providers": '[providers.mine] with base_url = "http://localhost:8000/v1" below it',
    "limits": "[limits.openai] with requests_per_minute = 60 below it",
    "prices": '[prices."openai:NAME"] with input = 1.25 and output = 10.0 below it',
}


def _tables(value: Any, where: str, example: str) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(inner, dict) for inner in value.values()):
        raise UsageError("a table for each name is needed", where=where, fix=f"write {example}")
    return value


def _resolver(own: tuple[Service, ...]) -> Callable[[str, str], str]:
    """A function that turns ``provider[:model]`` into the provider's own name and the model, or raises."""

    def canonical(spec: str, where: str) -> str:
        from models.factory import ModelFactory  # only when there is a table to check

        provider, _, model = spec.partition(":")
        try:
            named = ModelFactory({}, own=own).describe(f"{provider}:{model or 'any'}")
        except ModelError as error:
            raise UsageError(error.message, where=where, fix=error.hint) from None
        return f"{named.provider}:{model.strip()}"

    return canonical


# [providers.NAME]


def _service(name: str, table: Mapping[str, Any], path: Path) -> Service:
    where = f"{path}: [providers.{name}]"
    if not _PROVIDER_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a provider", where=where, fix="use small letters, digits, - and _"
        )
    if name == "offline":
        raise UsageError("offline is the writer built into rbi", where=where, fix="choose another name")
    _refuse_unknown(table, _PROVIDER_KEYS, where)
    base_url = _text(table, "base_url", where)
    if not _is_web_address(base_url):
        raise UsageError(
            "base_url is needed, and must be a web address" if not base_url else "base_url is no web address",
            where=where,
            fix='write something like base_url = "http://localhost:8000/v1"',
        )
    key_variable = _text(table, "key_variable", where)
    # The value is never shown: whoever mistakes this for the key itself has written the key here.
    if key_variable and not _VARIABLE.fullmatch(key_variable):
        raise UsageError(
            "key_variable is not the name of a variable",
            where=where,
            fix=f'write key_variable = "{_variable(name)}_API_KEY" and put the key itself into .env',
        )
    return Service(
        name=name,
        key_variable=key_variable,
        base_url_variable=f"{_variable(name)}_BASE_URL",
        default_base_url=base_url,
        default_model=_text(table, "default_model", where),
    )


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{key} must be text", where=where, fix=f'write {key} = "..."')
    return value.strip()


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# [limits.NAME]


def _limits(table: Mapping[str, Any], where: str) -> Mapping[str, float]:
    _refuse_unknown(table, LIMIT_KEYS, where)
    return MappingProxyType(
        {key: checked(BY_KEY[key], value, f"{where} {key}") for key, value in table.items()}
    )


# [prices."provider:model"]


def _price(spec: str, table: Mapping[str, Any], where: str) -> TokenPrice:
    provider, _, model = spec.partition(":")
    if not provider.strip() or not model.strip():
        raise UsageError(
            f"{spec!r} does not name one model", where=where, fix='write [prices."openai:NAME"], in quotes'
        )
    _refuse_unknown(table, _PRICE_KEYS, where)
    missing = [key for key in ("input", "output") if key not in table]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} missing",
            where=where,
            fix="give input and output in USD per million tokens",
        )
    usd = {f"{key}_usd": _dollars(key, value, where) for key, value in table.items()}
    return TokenPrice(**usd)


def _dollars(key: str, value: Any, where: str) -> Decimal:
    row = Setting(key, "", kind=float, low=0, high=_HIGHEST_PRICE)
    try:
        return Decimal(str(checked(row, value, where)))
    except UsageError as error:
        fix = f"{key} takes US dollars per million tokens, from 0 to {_HIGHEST_PRICE:,}"
        raise UsageError(error.what, where=f"{where} {key}", fix=fix) from None


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"unknown setting {key!r}", where=where, fix=suggestion(key, known))
