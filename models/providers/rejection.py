"""What a provider says went wrong -> the `ModelError` that says what to do about it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from models import cost
from models.errors import (
    BadKey,
    BadRequest,
    BadSetting,
    MalformedAnswer,
    ModelError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
    UnknownModel,
)
from models.providers.service import Service

_QUOTA = {
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
    "linked_organization_billing_unavailable",
    "organization_on_hold",
}
_QUOTA_WORDS = ("credit balance is too low", "exceeded your current quota")
_MODEL = {"model_not_found", "model_not_available"}
_KEY = {"invalid_api_key", "authentication_error", "permission_error", "account_deactivated"}
_REFUSED = {"content_policy_violation", "content_filter"}
_BUSY = {"overloaded_error", "api_error", "timeout_error", "server_error", "internal_server_error"}
_RATE = {"rate_limit_error", "rate_limit_exceeded", "requests", "tokens"}
_LONGEST_MESSAGE = 600
_REQUEST = {"invalid_request_error", "request_too_large", "context_length_exceeded"}


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error as it came over the wire. ``codes`` holds every machine-readable name found in it.

    ``status`` is ``None`` for an error inside an answer that had begun with status 200.
    """

    message: str
    status: int | None = None
    codes: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_body(cls, body: object, *, status: int | None = None) -> Rejection | None:
        """The error in a JSON body, wherever the provider put it; ``None`` if there is none."""
        error = body.get("error", body) if isinstance(body, Mapping) else None
        if isinstance(error, str):
            return cls(error, status)
        if not isinstance(error, Mapping) or not isinstance(error.get("message"), str):
            return None
        details = error.get("details")
        named = [error.get("code"), error.get("type")]
        if isinstance(details, Mapping):
            named.append(details.get("error_code"))
        if status is None:
            # OpenRouter puts the HTTP status it should have used into ``code``.
            status = next((name for name in named if isinstance(name, int)), None)
        return cls(error["message"], status, frozenset(n for n in named if isinstance(n, str)))


def classify(rejection: Rejection, service: Service, model: str) -> ModelError:
    """The error class, message and hint for a rejection. The message still has to be redacted."""
    kind = _kind(rejection)
    # A proxy in between may answer with a whole web page.
    words = textwrap.shorten(rejection.message, _LONGEST_MESSAGE, placeholder=" ...")
    said = f"{service.name} answered {rejection.status or 'with an error'}: {words}"
    return kind(
        said,
        hint=_hint(kind, service, model),
        status=rejection.status,
        retry_after_s=retry_after_s(rejection.headers, datetime.now(UTC)),
        model=model,
    )


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a provider asks to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date."""
    found = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _seconds(found.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = found.get("retry-after", "")
    seconds = _seconds(text)
    return seconds if seconds is not None else _until(text, now)


def _kind(rejection: Rejection) -> type[ModelError]:
    # Names come first: a spent quota arrives as 429 and a missing model as 403 or 404.
    codes, status, text = rejection.codes, rejection.status, rejection.message.lower()
    if codes & _QUOTA or status == 402 or any(words in text for words in _QUOTA_WORDS):
        return QuotaExhausted
    if codes & _MODEL or (status == 404 and ("model" in text or "not_found_error" in codes)):
        return UnknownModel
    if codes & _REFUSED:
        return Refused
    if codes & _KEY or status in (401, 403):
        return BadKey
    if status == 404:
        return BadSetting
    if status is not None and status >= 400:
        return _kind_of_status(status)
    return _kind_of_code(codes)


def _kind_of_status(status: int) -> type[ModelError]:
    if status == 429:
        return RateLimited
    if status in (408, 409) or status >= 500:
        return Overloaded
    return BadRequest


def _kind_of_code(codes: frozenset[str]) -> type[ModelError]:
    if codes & _RATE:
        return RateLimited
    if codes & _BUSY:
        return Overloaded
    if codes & _REQUEST:
        return BadRequest
    return MalformedAnswer


def _hint(kind: type[ModelError], service: Service, model: str) -> str:
    if kind is UnknownModel:
        near = [name for name in cost.similar_models(service.name, model) if name != model]
        return f"Did you mean {' or '.join(near)}?" if near else "Choose another model with --model."
    if kind is BadSetting:
        return f"Nothing answers there: check {service.base_url_variable}."
    return {
        QuotaExhausted: f"Add credit or raise the spending limit at {service.name}, or use another provider.",
        BadKey: f"Check {service.key_variable} in .env: the key is wrong, revoked or lacks a permission.",
        RateLimited: "Use fewer workers or a longer delay between calls.",
        Overloaded: f"{service.name} is busy or failing: run again later.",
        BadRequest: "The provider does not take this request: use another model or a shorter prompt.",
        Refused: "Reword the idea, or use another model.",
    }.get(kind, "")


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
