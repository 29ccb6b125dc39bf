"""Where finished calls are remembered, so that the same question is never paid for twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Protocol

from models.base import BaseModel, ModelResponse, Prompt, Usage
from models.errors import ModelError

SCHEMA_VERSION = 1


class CallMemory(Protocol):
    """An intent before each call, its end after. Safe to use from many threads.

    An intent without an end is a call that was perhaps paid for. All mappings hold JSON values.
    """

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """The result last completed under ``key``; never an error."""
        ...

    def intend(self, key: str, *, kind: str, request: Mapping[str, Any], labels: Mapping[str, str]) -> int:
        """Write down that a call is about to be made; gives the ticket to end it with."""
        ...

    def complete(self, ticket: int, result: Mapping[str, Any], cost_usd: Decimal | None) -> None:
        """The call gave an answer, which `recall` returns from now on."""
        ...

    def fail(self, ticket: int, error: Mapping[str, Any], cost_usd: Decimal | None) -> None:
        """The call gave no usable answer. ``cost_usd`` is ``None`` when it may have cost something unknown."""
        ...


@dataclass(slots=True)
class CallRecord:
    """One call as `InMemoryCalls` keeps it: still open while it has neither ``result`` nor ``error``."""

    key: str
    kind: str
    request: Mapping[str, Any]
    labels: Mapping[str, str]
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    cost_usd: Decimal | None = None


class InMemoryCalls:
    """A `CallMemory` that lasts as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[CallRecord] = []
        self._answers: dict[str, Mapping[str, Any]] = {}

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """Every call so far, in order of intent."""
        with self._lock:
            return tuple(self._records)

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """See `CallMemory`."""
        with self._lock:
            return self._answers.get(key)

    def intend(self, key: str, *, kind: str, request: Mapping[str, Any], labels: Mapping[str, str]) -> int:
        """See `CallMemory`."""
        with self._lock:
            self._records.append(CallRecord(key, kind, request, dict(labels)))
            return len(self._records) - 1

    def complete(self, ticket: int, result: Mapping[str, Any], cost_usd: Decimal | None) -> None:
        """See `CallMemory`."""
        with self._lock:
            record = self._records[ticket]
            record.result, record.cost_usd = result, cost_usd
            self._answers[record.key] = result

    def fail(self, ticket: int, error: Mapping[str, Any], cost_usd: Decimal | None) -> None:
        """See `CallMemory`."""
        with self._lock:
            record = self._records[ticket]
            record.error, record.cost_usd = error, cost_usd


def request_of(model: BaseModel, prompt: Prompt) -> dict[str, Any]:
    """What a call sends and where to, without the key."""
    return {
        "provider": model.provider,
        "base_url": model.account.base_url,
        "body": dict(model.request_body(prompt)),
    }


def key_of(request: Mapping[str, Any], ask_number: int) -> str:
    """The sha256 that an answer is remembered under: equal for equal requests, whatever the order of names."""
    identity = {"schema": SCHEMA_VERSION, "ask": ask_number, **request}
    canonical = json.dumps(
        identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def result_of(response: ModelResponse, cost_usd: Decimal | None) -> dict[str, Any]:
    """A response as JSON values; `response_of` and `cost_in` read it."""
    return {
        "text": response.text,
        "provider": response.provider,
        "model": response.model,
        "usage": asdict(response.usage) if response.usage else None,
        "request_id": response.request_id,
        "cost_usd": None if cost_usd is None else str(cost_usd),
    }


def response_of(result: Mapping[str, Any]) -> ModelResponse:
    """The response that `result_of` wrote."""
    usage = result["usage"]
    return ModelResponse(
        text=result["text"],
        provider=result["provider"],
        model=result["model"],
        usage=Usage(**usage) if usage else None,
        request_id=result["request_id"],
    )


def cost_in(result: Mapping[str, Any]) -> Decimal | None:
    """What the remembered answer cost when it was made."""
    return None if result["cost_usd"] is None else Decimal(result["cost_usd"])


def error_of(error: ModelError) -> dict[str, Any]:
    """An error as JSON values."""
    return {
        "kind": error.kind,
        "message": error.message,
        "status": error.status,
        "usage": asdict(error.usage) if error.usage else None,
    }
