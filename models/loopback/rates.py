"""How the two protocols state limits in headers, and the words in which they turn a request away."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from models.base import Allowance, RateReport
from models.loopback.answers import Failure
from models.loopback.limits import Excess

_OPENAI_WORDS = {
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
    "input_tokens": "input tokens per min",
    "output_tokens": "output tokens per min",
}


def openai_headers(report: RateReport) -> dict[str, str]:
    """``x-ratelimit-*``; a reset is a duration such as ``1m30s``."""
    headers: dict[str, str] = {}
    for name, allowance in (("requests", report.requests), ("tokens", report.tokens)):
        if allowance is not None:
            headers[f"x-ratelimit-limit-{name}"] = str(allowance.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(allowance.remaining)
            headers[f"x-ratelimit-reset-{name}"] = duration_text(allowance.reset_s or 0.0)
    return headers


def anthropic_headers(report: RateReport, now: datetime) -> dict[str, str]:
    """``anthropic-ratelimit-*``; a reset is a moment in RFC 3339, ``now`` is the wall clock's."""
    rows: dict[str, Allowance | None] = {
        "requests": report.requests,
        "tokens": report.tokens,
        "input-tokens": report.input_tokens,
        "output-tokens": report.output_tokens,
    }
    headers: dict[str, str] = {}
    for name, allowance in rows.items():
        if allowance is not None:
            headers[f"anthropic-ratelimit-{name}-limit"] = str(allowance.limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(allowance.remaining)
            headers[f"anthropic-ratelimit-{name}-reset"] = _moment_text(now, allowance.reset_s or 0.0)
    return headers


def openai_refusal(model: str, excess: Excess, *, says_when: bool) -> Failure:
    """429 for a request that is one too many, or larger than what is allowed at all."""
    if excess.quantity == "concurrency":
        message = f"Too many concurrent requests: limit {excess.limit}."
    else:
        stated = f"on {_OPENAI_WORDS[excess.quantity]}: Limit {excess.limit}"
        if excess.wait_s is None:
            message = f"Request too large for {model} {stated}, Requested {excess.wanted}."
        else:
            when = f" Please try again in {duration_text(excess.wait_s)}." if says_when else ""
            message = f"Rate limit reached for {model} {stated}, Used {excess.used}, Requested {excess.wanted}.{when}"
    headers = retry_headers(excess, says_when=says_when)
    if headers:
        headers["retry-after-ms"] = str(math.ceil((excess.wait_s or 0.0) * 1000))
    kind = "requests" if excess.quantity in ("requests", "concurrency") else "tokens"
    return Failure(429, message, code="rate_limit_exceeded", headers=headers, kind=kind)


def anthropic_refusal(excess: Excess, *, says_when: bool) -> Failure:
    """429 in Anthropic's words."""
    if excess.quantity == "concurrency":
        message = "Number of concurrent connections has exceeded your rate limit."
    else:
        counted = excess.quantity.replace("_", " ")
        message = f"This request would exceed your organization's rate limit of {excess.limit} {counted} per minute."
    return Failure(429, message, headers=retry_headers(excess, says_when=says_when))


def retry_headers(excess: Excess, *, says_when: bool) -> dict[str, str]:
    """``retry-after`` in whole seconds, never too early; nothing when there is no telling."""
    if not says_when or excess.wait_s is None:
        return {}
    return {"retry-after": str(math.ceil(excess.wait_s))}


def duration_text(seconds: float) -> str:
    """A duration as OpenAI writes it, rounded up to a millisecond: ``12ms``, ``7.66s``, ``1m30s``, ``6m0s``."""
    milliseconds = max(math.ceil(round(seconds * 1000, 3)), 0)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _moment_text(now: datetime, seconds: float) -> str:
    """The second by which it has happened."""
    moment = now.astimezone(UTC) + timedelta(seconds=seconds)
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
