"""What the headers of an answer say about the account's limits -> `RateReport`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from models.base import Allowance, RateReport
from models.providers.moments import seconds_until

_OPENAI = "x-ratelimit-"
_ANTHROPIC = "anthropic-ratelimit-"
_MOST_DIGITS = 15


def rate_report(
    headers: Mapping[str, str], now: datetime, *, request_period_s: float = 60.0
) -> RateReport | None:
    """The limits in ``headers``, whose names are in lower case; ``None`` when they say nothing of any.

    ``request_period_s`` is the period in seconds that the limit of requests is for; tokens are per minute. What
    cannot be read is left out, as if it had not been sent.
    """
    said = {name: value for name, value in headers.items() if "-ratelimit-" in name}
    if not said:
        return None
    report = RateReport(
        requests=_allowance(said, "requests", now, request_period_s),
        tokens=_allowance(said, "tokens", now),
        input_tokens=_allowance(said, "input-tokens", now),
        output_tokens=_allowance(said, "output-tokens", now),
    )
    return report if report != RateReport() else None


def _allowance(said: Mapping[str, str], unit: str, now: datetime, period_s: float = 60.0) -> Allowance | None:
    def value(what: str) -> str:
        return said.get(f"{_OPENAI}{what}-{unit}", said.get(f"{_ANTHROPIC}{unit}-{what}", ""))

    limit, remaining, reset_s = _count(value("limit")), _count(value("remaining")), value("reset")
    found = Allowance(limit, remaining, seconds_until(reset_s, now), period_s)
    return found if found != Allowance(period_s=period_s) else None


def _count(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
