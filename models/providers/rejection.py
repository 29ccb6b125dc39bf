"""What a provider says went wrong, as it came over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from models.providers import untrusted
from models.providers.moments import seconds_from, seconds_until, wait_in


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error. ``codes`` holds every machine-readable name found in it, in lower case.

    ``status`` is ``None`` for an error inside an answer that had begun with status 200. ``parameter`` is the one the
    provider does not take, if it says so, and ``quotas`` are the names of the quotas that are spent.
    """

    message: str
    status: int | None = None
    codes: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    parameter: str = ""
    quotas: tuple[str, ...] = ()
    flagged: bool = False
    wait_s: float | None = None
    """Seconds to wait that the body, not a header, asks for."""

    @classmethod
    def of_answer(cls, status: int, headers: Mapping[str, str], body: bytes) -> Rejection:
        """The error in an answer with an error's status, whatever its body is."""
        words = body.decode("utf-8", "replace").strip()
        found = cls.from_body(untrusted.parsed(body), status=status, headers=headers)
        return found or cls(words or "no explanation", status, headers=headers)

    @classmethod
    def from_body(
        cls, body: object, *, status: int | None = None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Rejection | None:
        """The error in a JSON body, wherever the provider put it; ``None`` if there is none."""
        if isinstance(body, list):
            body = next((item for item in body if isinstance(item, Mapping)), None)
        if not isinstance(body, Mapping):
            return None
        error = body.get("error", body)
        if isinstance(error, str):
            return cls(error, status, _names(body.get("code")), headers)
        if not isinstance(error, Mapping):
            return None
        message = _message(error)
        if message is None:
            if error is body or not _names(error.get("code"), error.get("type")):
                return None
            message = json.dumps(error)  # without words, but its names may say enough
        details = tuple(_details(error))
        if status is None:
            # OpenRouter and Gemini put the HTTP status into ``code``.
            status = _status(error.get("code"))
        return cls(
            message,
            status,
            _names(
                error.get("code"),
                error.get("type"),
                error.get("status"),
                *(detail.get(name) for detail in details for name in ("error_code", "reason")),
            ),
            headers,
            parameter=untrusted.text(error, "param"),
            quotas=tuple(_quotas(details)),
            flagged="reasons" in untrusted.mapping(error, "metadata"),
            wait_s=_first_wait(details),
        )

    def retry_after_s(self, now: datetime) -> float | None:
        """Seconds the provider asks to wait: in a header, else in the body, else in the message."""
        asked = retry_after_s(self.headers, now)
        if asked is not None:
            return asked
        return self.wait_s if self.wait_s is not None else wait_in(self.message)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a provider asks to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date."""
    found = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = seconds_from(found.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    return seconds_until(found.get("retry-after", ""), now)


def _status(code: object) -> int | None:
    found = int(code) if isinstance(code, str) and re.fullmatch(r"[45]\d\d", code, re.ASCII) else code
    return found if isinstance(found, int) and 400 <= found < 600 else None


def _message(error: Mapping[str, Any]) -> str | None:
    message = error.get("message")
    if isinstance(message, str):
        raw = untrusted.mapping(error, "metadata").get("raw")  # what the service behind OpenRouter said
        return f"{message}: {raw}" if isinstance(raw, str) else message
    detail = error.get("detail")
    if isinstance(detail, str):
        return detail
    return json.dumps(detail) if isinstance(detail, list) and detail else None


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Anthropic's details are one object, Gemini's are a list of them."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else (details,):
        if isinstance(detail, Mapping):
            yield detail


def _quotas(details: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    for detail in details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            yield untrusted.text(violation, "quotaId")


def _first_wait(details: tuple[Mapping[str, Any], ...]) -> float | None:
    waits = (seconds_from(untrusted.text(detail, "retryDelay")) for detail in details)
    return next((wait for wait in waits if wait is not None), None)


def _names(*found: object) -> frozenset[str]:
    return frozenset(name.lower() for name in found if isinstance(name, str))
