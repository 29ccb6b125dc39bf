"""``provider:name`` -> a model, and what can be used on this machine. Imports no SDK before a model is asked."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from models import cost
from models.base import Account, BaseModel
from models.errors import BadSetting, MissingKey, UnknownModel, UnknownProvider
from models.providers.anthropic import CLAUDE, Anthropic
from models.providers.connection import Connection
from models.providers.hosted import HostedModel, account_of
from models.providers.openai_compatible import SERVICES, OpenAICompatible
from models.providers.service import Service
from models.secrets import Secret, public_url

OFFLINE = "offline"
OFFLINE_MODEL = "rules"

# In the order in which `ModelFactory.default` looks for a key.
HOSTED: tuple[tuple[Service, type[HostedModel[Any]]], ...] = (
    *((service, OpenAICompatible) for service in SERVICES),
    (CLAUDE, Anthropic),
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


class ModelFactory:
    """Makes models from ``provider:name``, with keys and addresses from ``environ`` and nowhere else.

    Models of one account share one SDK client. ``hosted`` is the table of services.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        hosted: tuple[tuple[Service, type[HostedModel[Any]]], ...] = HOSTED,
    ) -> None:
        self._environ = environ
        self._hosted = hosted
        self._lock = threading.Lock()
        self._connections: dict[Account, Connection[Any]] = {}

    def create(self, spec: str) -> BaseModel:
        """The model ``provider:name``, or the provider's default model for ``provider``.

        Raises `UnknownProvider`, `MissingKey`, `BadSetting`, and `UnknownModel` for an offline model that
        does not exist. Names of hosted models are not checked here: new ones appear every month.
        """
        provider, model = _split(spec)
        if provider == OFFLINE:
            return _offline(model)
        service, kind = self._row(provider)
        key = self._key(service)
        base_url = self._base_url(service)
        account = account_of(service, base_url, key)
        with self._lock:
            if account not in self._connections:
                self._connections[account] = Connection(base_url, key, kind.build_client)
            connection = self._connections[account]
        return kind(service, model or service.default_model, connection)

    def default(self) -> str:
        """The first provider whose key is set, else ``offline``."""
        return next(
            (service.name for service, _ in self._hosted if self._value(service.key_variable)), OFFLINE
        )

    def available(self) -> tuple[ModelListing, ...]:
        """Every provider, usable here or not."""
        return (*(self._listing(service) for service, _ in self._hosted), _offline_listing())

    def check_name(self, spec: str) -> str | None:
        """A warning when the model's cost will be unknown, with similar names; ``None`` when all is well.

        Raises `UnknownProvider`.
        """
        provider, model = _split(spec)
        if provider == OFFLINE or not model:
            return None
        service, _kind = self._row(provider)
        if cost.is_priced(service.name, model):
            return None
        similar = cost.similar_models(service.name, model)
        question = f"; did you mean {similar[0]}?" if similar else "."
        return (
            f"{service.name}:{model} is not in the price table{question} Its cost will be shown as unknown."
        )

    def _row(self, provider: str) -> tuple[Service, type[HostedModel[Any]]]:
        for service, kind in self._hosted:
            if provider == service.name or provider in service.aliases:
                return service, kind
        names = [*(name for service, _ in self._hosted for name in (service.name, *service.aliases)), OFFLINE]
        close = difflib.get_close_matches(provider, names, n=1)
        raise UnknownProvider(
            f"there is no provider named {provider!r}",
            hint=f"Did you mean {close[0]}?" if close else f"The providers are {', '.join(names)}.",
        )

    def _key(self, service: Service) -> Secret:
        value = self._value(service.key_variable)
        if not value:
            raise MissingKey(
                f"{service.name} needs a key and {service.key_variable} is not set",
                hint=f"Put {service.key_variable}=... into .env, or use --model {OFFLINE}, which needs no key.",
            )
        if not value.isascii() or not value.isprintable() or " " in value:
            raise BadSetting(
                f"{service.key_variable} contains a space or a character that no key has",
                hint=f"Copy the key into .env again: {service.key_variable}=... without quotes around it.",
            )
        return Secret(value)

    def _base_url(self, service: Service) -> str:
        url = self._value(service.base_url_variable) or service.default_base_url
        if not _is_web_address(url):
            raise BadSetting(
                f"{service.base_url_variable} is {public_url(url)!r}, which is no web address",
                hint=f"Use something like {service.default_base_url}, or unset {service.base_url_variable}.",
            )
        return url

    def _value(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()

    def _listing(self, service: Service) -> ModelListing:
        why_not = ""
        try:
            self._key(service)
            self._base_url(service)
        except (MissingKey, BadSetting) as error:
            why_not = error.message
        rates = cost.token_price(service.name, service.default_model)
        return ModelListing(
            provider=service.name,
            key_variable=service.key_variable,
            usable=not why_not,
            why_not=why_not,
            default_model=service.default_model,
            base_url=public_url(self._value(service.base_url_variable) or service.default_base_url),
            input_usd_per_mtok=rates.input_usd if rates else None,
            output_usd_per_mtok=rates.output_usd if rates else None,
        )


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
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
