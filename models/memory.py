"""Where finished calls are remembered, so that the same question is never paid for twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Protocol

from models.base import BaseModel, ModelResponse, Prompt, StopReason, Usage
from models.errors import ModelError

SCHEMA_VERSION = 1
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in US dollars on all calls that have the same values under the labels ``by``."""

    name: str
    limit_usd: Decimal
    by: tuple[str, ...] = ()

    def covers(self, labels: Mapping[str, str], other: Mapping[str, str]) -> bool:
        """Whether two calls are under this budget together."""
        return all(labels.get(name, "") == other.get(name, "") for name in self.by)


class OverBudget(Exception):
    """The worst case of a call does not fit; nothing was written down.

    ``committed_usd`` is what is spent or reserved. ``in_flight`` calls may still give some of it back.
    """

    def __init__(self, budget: Budget, committed_usd: Decimal, *, in_flight: bool) -> None:
        super().__init__(f"{committed_usd} of {budget.limit_usd} USD are spent or reserved")
        self.budget = budget
        self.committed_usd = committed_usd
        self.in_flight = in_flight


class CallMemory(Protocol):
    """An intent before each call, its end after. Safe to use from many threads.

    An intent without an end is a call that was perhaps paid for. All mappings hold JSON values.
    """

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """The result last completed under ``key``; never an error."""
        ...

    def intend(
        self,
        key: str,
        *,
        kind: str,
        request: Mapping[str, Any],
        labels: Mapping[str, str],
        reserve_usd: Decimal | None = None,
        budgets: Sequence[Budget] = (),
    ) -> int:
        """Write down that a call is about to be made; gives the ticket to end it with.

        ``reserve_usd`` is its worst case: it counts as spent until the call's cost is known, for ever if it never
        is. Raises `OverBudget`, in one step with writing, when that does not fit into one of ``budgets``.
        """
        ...

    def complete(
        self,
        ticket: int,
        result: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,
        saved_usd: Decimal = NOTHING,
    ) -> None:
        """The call gave an answer, which `recall` returns from now on. Prompt caching saved ``saved_usd``."""
        ...

    def fail(
        self,
        ticket: int,
        error: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,
    ) -> None:
        """The call gave no usable answer. ``cost_usd`` is ``None`` when it may have cost something unknown."""
        ...


@dataclass(slots=True)
class CallRecord:
    """One call as `InMemoryCalls` keeps it: still open while it has neither ``result`` nor ``error``."""

    key: str
    kind: str
    request: Mapping[str, Any]
    labels: Mapping[str, str]
    reserve_usd: Decimal | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    cost_usd: Decimal | None = None
    saved_usd: Decimal = NOTHING

    @property
    def is_open(self) -> bool:
        """Whether the call is still on its way."""
        return self.result is None and self.error is None

    @property
    def committed_usd(self) -> Decimal:
        """What it counts for in a budget: its cost once that is known, its worst case until then."""
        return self.cost_usd if self.cost_usd is not None else self.reserve_usd or NOTHING


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

    def intend(
        self,
        key: str,
        *,
        kind: str,
        request: Mapping[str, Any],
        labels: Mapping[str, str],
        reserve_usd: Decimal | None = None,
        budgets: Sequence[Budget] = (),
    ) -> int:
        """See `CallMemory`."""
        with self._lock:
            for budget in budgets:
                together = [record for record in self._records if budget.covers(record.labels, labels)]
                committed = sum((record.committed_usd for record in together), NOTHING)
                if committed + (reserve_usd or NOTHING) > budget.limit_usd:
                    in_flight = any(record.is_open for record in together)
                    raise OverBudget(budget, committed, in_flight=in_flight)
            self._records.append(CallRecord(key, kind, request, dict(labels), reserve_usd))
            return len(self._records) - 1

    def complete(
        self,
        ticket: int,
        result: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,  # noqa: ARG002 - it is in the result
        saved_usd: Decimal = NOTHING,
    ) -> None:
        """See `CallMemory`."""
        with self._lock:
            record = self._records[ticket]
            record.result, record.cost_usd, record.saved_usd = result, cost_usd, saved_usd
            self._answers[record.key] = result

    def fail(
        self,
        ticket: int,
        error: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,  # noqa: ARG002 - it is in the error
    ) -> None:
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
        "usage": _counts(response.usage),
        "stop": response.stop.value,
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
        stop=StopReason(result.get("stop", StopReason.COMPLETE)),  # the first records did not say
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
        "usage": _counts(error.usage),
    }


_COUNTS = tuple(field.name for field in fields(Usage))


def _counts(usage: Usage | None) -> dict[str, int] | None:
    return None if usage is None else {name: getattr(usage, name) for name in _COUNTS}
