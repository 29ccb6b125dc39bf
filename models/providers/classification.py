"""A provider's rejection -> the `ModelError` that says what to do about it."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

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
from models.providers.moments import wait_in
from models.providers.rate_headers import rate_report
from models.providers.rejection import Rejection
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
_QUOTA_WORDS = (
    "credit balance is too low",
    "credits are depleted",
    "insufficient balance",
    "doesn't have any credits",
    "used all available credits",
    "monthly spending limit",
    "free-models-per-day",
)
_CURRENT_QUOTA = "exceeded your current quota"
_NO_QUOTA_AT_ALL = "limit: 0,"
_MODEL = {"model_not_found", "model_not_available"}
_MODEL_WORDS = ("no endpoints found", "is not a valid model")
_KEY = {
    "invalid_api_key",
    "authentication_error",
    "permission_error",
    "account_deactivated",
    "api_key_invalid",
    "unauthenticated",
}
_KEY_WORDS = ("incorrect api key", "invalid api key", "api key not valid")
_REFUSED = {"content_policy_violation", "content_filter"}
_BUSY = {
    "overloaded_error",
    "api_error",
    "timeout_error",
    "server_error",
    "internal_server_error",
    "unavailable",
    "internal",
}
_RATE = {"rate_limit_error", "rate_limit_exceeded", "requests", "tokens", "resource_exhausted"}
_REQUEST = {"invalid_request_error", "request_too_large", "context_length_exceeded", "invalid_argument"}
_LONGEST_MESSAGE = 600


def classify(rejection: Rejection, service: Service, model: str) -> ModelError:
    """The error class, message and hint for a rejection. The message still has to be redacted."""
    now = datetime.now(UTC)
    kind = kind_of(rejection)
    # A proxy in between may answer with a whole web page.
    words = textwrap.shorten(rejection.message, _LONGEST_MESSAGE, placeholder=" ...")
    said = f"{service.name} answered {rejection.status or 'with an error'}: {words}"
    return kind(
        said,
        hint=_hint(kind, service, model),
        status=rejection.status,
        retry_after_s=rejection.retry_after_s(now),
        model=model,
        rate=rate_report(rejection.headers, now, request_period_s=service.request_period_s),
    )


def kind_of(rejection: Rejection) -> type[ModelError]:
    """The class of error. Names come before the status: a spent quota arrives as 429, a missing model as 403."""
    codes, status, text = rejection.codes, rejection.status, rejection.message.lower()
    if _is_spent(rejection, text):
        return QuotaExhausted
    if codes & _MODEL or any(words in text for words in _MODEL_WORDS):
        return UnknownModel
    if status == 404 and ("model" in text or "not_found_error" in codes):
        return UnknownModel
    if codes & _REFUSED or rejection.flagged:
        return Refused
    if codes & _KEY or status in (401, 403):
        return BadKey
    if status == 400 and any(words in text for words in _KEY_WORDS):
        return BadKey
    if status == 404:
        return BadSetting
    if "request too large" in text:
        return BadRequest  # larger than a minute's tokens: no waiting makes room for it
    if status is not None and status >= 400:
        return _kind_of_status(status)
    return _kind_of_code(codes)


def _is_spent(rejection: Rejection, text: str) -> bool:
    """Whether there is nothing left that would come back within minutes."""
    if rejection.codes & _QUOTA or rejection.status == 402 or any(words in text for words in _QUOTA_WORDS):
        return True
    if any("perday" in named.lower() for named in (*rejection.quotas, text)):
        return True
    if _CURRENT_QUOTA not in text:
        return False
    # Gemini uses the same sentence for a minute's quota, and then says when to come back.
    is_passing = rejection.quotas or rejection.wait_s is not None or wait_in(text) is not None
    return not is_passing or _NO_QUOTA_AT_ALL in text


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
    return {
        QuotaExhausted: f"Add credit or raise the spending limit at {service.name}, or use another provider.",
        BadSetting: f"Nothing answers there: check {address_of(service)}.",
        BadKey: f"Check {service.key_variable or 'the key'} in .env: the key is wrong, revoked or lacks a permission.",
        RateLimited: "Use fewer workers or a longer delay between calls.",
        Overloaded: f"{service.name} is busy or failing: run again later.",
        BadRequest: "The provider does not take this request: use another model or a shorter prompt.",
        Refused: "Reword the idea, or use another model.",
        MalformedAnswer: "Run again; if it keeps happening, use another model.",
    }.get(kind, "")


def address_of(service: Service) -> str:
    """Where the user sets the service's address."""
    return service.base_url_variable or f"the base_url of {service.name}"
