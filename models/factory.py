"""``provider:name`` -> a model, and what can be used on this machine. Imports no SDK before a model is asked."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from models.base import Account, BaseModel
from models.cost import FREE_PROVIDERS, PriceTable, similar_models
from models.errors import (
    BadChain,
    BadSetting,
    ConnectionFailed,
    MissingKey,
    ModelError,
    UnknownModel,
    UnknownProvider,
)
from models.providers.anthropic import Anthropic
from models.providers.classification import address_of
from models.providers.connection import Connection
from models.providers.deadline import DeadlineWatch
from models.providers.hosted import HostedModel, account_of
from models.providers.openai_compatible import OpenAICompatible
from models.providers.reachability import Checked, check
from models.providers.served import PATIENTLY_S, QUICKLY_S, served_models
from models.providers.service import Service
from models.providers.table import CLAUDE, OLLAMA, OPENAI_COMPATIBLE
from models.secrets import Secret, public_url

OFFLINE = "offline"
OFFLINE_MODEL = "rules"

_LONGEST_ADDRESS = 2000

Row = tuple[Service, type[HostedModel[Any]]]

# In the order in which `ModelFactory.default` looks for a key.
HOSTED: tuple[Row, ...] = (
    (OPENAI_COMPATIBLE[0], OpenAICompatible),
    (CLAUDE, Anthropic),
    *((service, OpenAICompatible) for service in OPENAI_COMPATIBLE[1:]),
)


@dataclass(frozen=True, slots=True)
class ModelListing:
    """One provider as it stands on this machine. Prices are US dollars per million tokens, ``None`` if unknown."""

    provider: str
    key_variable: str | None
    usable: bool
    why_not: str
    default_model: str
    base_url: str | None
    input_usd_per_mtok: Decimal | None
    output_usd_per_mtok: Decimal | None


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model by its names alone: enough for its price, and known without its key."""

    provider: str
    model: str
    is_language_model: bool
    key_variable: str | None

    @property
    def name(self) -> str:
        """``provider:model``."""
        return f"{self.provider}:{self.model}"


class ModelFactory:
    """Makes models from ``provider:name``, with keys and addresses from ``environ`` and nowhere else.

    Models of one account share their connections and what was learned about the parameters that they take.
    ``own`` are further services that speak OpenAI's protocol; one with the name of a built-in service replaces it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        own: tuple[Service, ...] = (),
        prices: PriceTable | None = None,
    ) -> None:
        self._environ = environ
        self._prices = prices or PriceTable()
        self._hosted = _with_own(HOSTED, own)
        self._lock = threading.Lock()
        self._watch = DeadlineWatch()
        self._connections: dict[Account, Connection[Any]] = {}

    def create(self, spec: str) -> BaseModel:
        """The model ``provider:name``, or the provider's default model for ``provider``.

        Raises `UnknownProvider`, `MissingKey`, `BadSetting`, `UnknownModel` for an offline model that does not
        exist, and `ConnectionFailed` when a server has to be asked for its first model and does not answer. Names
        of hosted models are not checked here: new ones appear every month.
        """
        provider, model = _split(spec)
        if provider == OFFLINE:
            return _offline(model)
        service, kind = self._row(provider)
        key = self._key(service)
        base_url = self._base_url(service)
        name = model or self._default_model(service, base_url)
        account = account_of(service, base_url, key)
        with self._lock:
            if account not in self._connections:
                self._connections[account] = Connection(base_url, key, kind.build_client, self._watch)
            connection = self._connections[account]
        return kind(service, name, connection)

    def create_chain(self, specs: str) -> tuple[BaseModel, ...]:
        """The models of a list such as ``claude:X, deepseek:Y``, the first choice first.

        Raises what `create` raises, for any of them, and `BadChain` for an empty part or a model named twice.
        """
        chain = tuple(self.create(part) for part in split_chain(specs))
        refuse_repeats([model.name for model in chain], specs)
        return chain

    def describe(self, spec: str) -> ModelName:
        """The model that ``spec`` means, without its key.

        Raises what `create` raises, but no `MissingKey`.
        """
        provider, model = _split(spec)
        if provider == OFFLINE:
            return ModelName(OFFLINE, _offline(model).model, False, None)
        service, _kind = self._row(provider)
        name = model or self._default_model(service, self._base_url(service))
        return ModelName(service.name, name, True, service.key_variable or None)

    def default(self) -> str:
        """The first provider whose key is set, else a running Ollama that has a model, else ``offline``."""
        for service, _ in self._hosted:
            if service.needs_key and any(self._value(name) for name in service.key_variables):
                return service.name
        local = next(service for service, _ in self._hosted if service.name == OLLAMA.name)
        return local.name if not self._why_not(local, QUICKLY_S) else OFFLINE

    def available(self) -> tuple[ModelListing, ...]:
        """Every provider, usable here or not. One that needs no key is asked whether it is there."""
        return (*(self._listing(service) for service, _ in self._hosted), _offline_listing())

    def check(self, spec: str, deadline_s: float = 20.0) -> Checked:
        """One call of one token to the model. It is paid for, if the provider is.

        Every `ModelError` is part of the result, not raised.
        """
        try:
            model = self.create(spec)
        except ModelError as error:
            provider, name = _split(spec)
            return Checked(provider, name, False, 0.0, error=error)
        return check(model, deadline_s)

    def check_name(self, spec: str) -> str | None:
        """A warning when the model's cost will be unknown, with similar names; ``None`` when all is well.

        Raises `UnknownProvider`.
        """
        provider, model = _split(spec)
        if provider == OFFLINE:
            return None
        service, _kind = self._row(provider)
        model = model or service.default_model
        if not model or self._prices.is_priced(service.name, model):
            return None
        similar = similar_models(service.name, model)
        question = f"; did you mean {similar[0]}?" if similar else "."
        return (
            f"{service.name}:{model} is not in the price table{question} Its cost will be shown as unknown."
        )

    def _row(self, provider: str) -> Row:
        for service, kind in self._hosted:
            if provider == service.name.lower():
                return service, kind
        for service, kind in self._hosted:
            if provider in service.aliases:
                return service, kind
        import difflib

        names = [*(name for service, _ in self._hosted for name in (service.name, *service.aliases)), OFFLINE]
        close = self._models_named(provider) or difflib.get_close_matches(provider, names, n=1)
        raise UnknownProvider(
            f"there is no provider named {provider!r}",
            hint=f"Did you mean {close[0]}?" if close else f"The providers are {', '.join(names)}.",
        )

    def _models_named(self, name: str) -> list[str]:
        """The models that have a price under this name: perhaps only the provider before it was forgotten."""
        providers = [service.name for service, _ in self._hosted if service.name not in FREE_PROVIDERS]
        return [f"{provider}:{name}" for provider in providers if self._prices.is_priced(provider, name)]

    def _key(self, service: Service) -> Secret:
        if not service.needs_key:
            return Secret("")
        variable = next((name for name in service.key_variables if self._value(name)), None)
        if variable is None:
            raise MissingKey(
                f"{service.name} needs a key and {' or '.join(service.key_variables)} is not set",
                hint=f"Put {service.key_variable}=... into .env, or use --model {OFFLINE}, which needs no key.",
            )
        value = self._value(variable)
        if not value.isascii() or not value.isprintable() or " " in value:
            raise BadSetting(
                f"{variable} contains a space or a character that no key has",
                hint=f"Copy the key into .env again: {variable}=... without quotes around it.",
            )
        return Secret(value)

    def _key_of(self, service: Service) -> str:
        """The key as far as it is set and can be one."""
        try:
            return self._key(service).reveal()
        except (MissingKey, BadSetting):
            return ""

    def _base_url(self, service: Service) -> str:
        url = self._address(service)
        if not _is_web_address(url):
            raise BadSetting(
                f"{address_of(service)} is {public_url(url)!r}, which is no web address",
                hint="Use something like https://api.example.com/v1"
                + (f", or unset {service.base_url_variable}." if service.base_url_variable else "."),
            )
        if service.bare_path and urlsplit(url).path in ("", "/"):
            return url.rstrip("/") + service.bare_path
        return url

    def _address(self, service: Service) -> str:
        return self._value(service.base_url_variable or "") or service.default_base_url

    def _default_model(self, service: Service, base_url: str) -> str:
        return service.default_model or self._first_model(service, base_url, PATIENTLY_S)

    def _first_model(self, service: Service, base_url: str, timeout_s: float) -> str:
        found = served_models(base_url, timeout_s, Secret(self._key_of(service)))
        if found:
            return found[0]
        named = f"name the model: {service.name}:MODEL"
        if found is None:
            raise ConnectionFailed(
                f"{service.name} does not answer at {public_url(base_url)}",
                hint=f"Start it, or {named}.",
            )
        if service.default_model:
            return service.default_model  # it is there, and need not say what it has
        raise UnknownModel(f"{service.name} has no model yet", hint=f"Give it one, or {named}.")

    def _value(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()

    def _why_not(self, service: Service, timeout_s: float) -> str:
        try:
            self._key(service)
            base_url = self._base_url(service)
            if not service.needs_key:
                self._first_model(service, base_url, timeout_s)
        except (MissingKey, BadSetting, ConnectionFailed, UnknownModel) as error:
            return error.message
        return ""

    def _listing(self, service: Service) -> ModelListing:
        why_not = self._why_not(service, PATIENTLY_S)
        rates = self._prices.token_price(service.name, service.default_model)
        return ModelListing(
            provider=service.name,
            key_variable=service.key_variable or None,
            usable=not why_not,
            why_not=why_not,
            default_model=service.default_model,
            base_url=public_url(self._address(service)),
            input_usd_per_mtok=rates.input_usd if rates else None,
            output_usd_per_mtok=rates.output_usd if rates else None,
        )


def split_chain(specs: str) -> tuple[str, ...]:
    """The names in a list such as ``claude:X, deepseek:Y``. Raises `BadChain` when one is empty."""
    parts = tuple(part.strip() for part in specs.split(","))
    if not all(parts):
        raise BadChain(
            f"an empty name in the list of models {specs!r}",
            hint="Name models with a comma between them, such as claude,deepseek:deepseek-v4-pro.",
        )
    return parts


def refuse_repeats(names: Sequence[str], specs: str) -> None:
    """Raise `BadChain` when one of the models that ``specs`` means is named twice."""
    repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if repeated is not None:
        raise BadChain(
            f"{repeated} is twice in the list of models {specs!r}",
            hint="Name each model once: asking the same one again is what retries are for.",
        )


def _with_own(rows: tuple[Row, ...], own: tuple[Service, ...]) -> tuple[Row, ...]:
    replaced = {service.name: service for service in own}
    kept: list[Row] = [
        (replaced.pop(service.name), OpenAICompatible) if service.name in replaced else (service, kind)
        for service, kind in rows
    ]
    return (*kept, *((service, OpenAICompatible) for service in replaced.values()))


def _split(spec: str) -> tuple[str, str]:
    provider, _, model = spec.partition(":")
    return provider.strip().lower(), model.strip()


def _offline(model: str) -> BaseModel:
    if model not in ("", OFFLINE_MODEL):
        raise UnknownModel(
            f"the offline writer has no model {model!r}", hint=f"Use {OFFLINE} or {OFFLINE}:{OFFLINE_MODEL}."
        )
    from models.providers.offline.writer import OfflineWriter

    return OfflineWriter()


def _offline_listing() -> ModelListing:
    free = Decimal(0)
    return ModelListing(OFFLINE, None, True, "", OFFLINE_MODEL, None, free, free)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # A name that cannot be looked up, or a query, which no path can be added to, is found out here.
        (parts.hostname or "").encode("idna")
        is_plain = url.isprintable() and not set(url) & set(" \\?#") and len(url) <= _LONGEST_ADDRESS
        return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
