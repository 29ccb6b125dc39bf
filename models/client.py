"""Asking a model: remember, wait for a turn, call, repeat what is worth repeating, and write down what came."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tenacity import RetryCallState, Retrying

from models import cost
from models.base import BaseModel, ModelResponse, Prompt, Usage
from models.errors import ModelError
from models.latch import AccountLatch
from models.limiter import Gates
from models.memory import (
    CallMemory,
    InMemoryCalls,
    cost_in,
    error_of,
    key_of,
    request_of,
    response_of,
    result_of,
)
from models.retry import Decision, RetryPolicy, decide
from models.single_flight import SingleFlight

__all__ = [
    "Answer",
    "CallEvent",
    "CallFinished",
    "CallMemory",
    "CallStarted",
    "InMemoryCalls",
    "ModelClient",
    "Waiting",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's text and what it took. Costs are US dollars, ``None`` when unknown.

    ``cost_usd`` is what this answer cost now: 0 when it was ``replayed`` from memory. ``original_cost_usd``
    is what it cost when it was made. Attempts that failed before it are not in either; the memory has them.
    """

    text: str
    provider: str
    model: str
    usage: Usage | None
    cost_usd: Decimal | None
    original_cost_usd: Decimal | None
    replayed: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A request is about to go out. ``attempt`` counts from 1."""

    model: str
    attempt: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A request ended after ``seconds``: with an answer if ``error_kind`` is empty."""

    model: str
    attempt: int
    labels: Mapping[str, str]
    seconds: float
    error_kind: str
    cost_usd: Decimal | None
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The next attempt comes in ``seconds``, because of ``reason``."""

    model: str
    seconds: float
    reason: str
    labels: Mapping[str, str]


CallEvent = CallStarted | CallFinished | Waiting


class ModelClient:
    """Asks models from many threads. ``deadline_s`` is wall-clock seconds for one attempt.

    Equal questions asked at the same time go out once; an error that ends an account ends all later
    questions to it without a request. ``observers`` get every `CallEvent`, in the asking thread, and must
    not raise. ``clock`` measures seconds; ``draw`` gives numbers in [0, 1) for jitter.
    """

    def __init__(
        self,
        memory: CallMemory,
        gates: Gates,
        *,
        policy: RetryPolicy | None = None,
        deadline_s: float = 300.0,
        observers: Sequence[Callable[[CallEvent], None]] = (),
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._memory = memory
        self._gates = gates
        self._policy = policy or RetryPolicy()
        self._deadline_s = deadline_s
        self._observers = tuple(observers)
        self._clock = clock
        self._draw = draw
        self._single_flight = SingleFlight(gates.stop)
        self._latch = AccountLatch()

    def ask(
        self, model: BaseModel, prompt: Prompt, *, labels: Mapping[str, str], ask_number: int = 1
    ) -> Answer:
        """The model's answer, from memory if it is there.

        The same prompt under another ``ask_number`` is another question. Raises `ModelError` when there is
        no usable answer, and `Interrupted` after `stop`.
        """
        self._gates.stop.check()
        request = request_of(model, prompt)
        question = _Question(model, prompt, request, key_of(request, ask_number), dict(labels))
        with self._single_flight.holding(question.key):
            remembered = self._memory.recall(question.key)
            return self._call(question) if remembered is None else _replayed(remembered)

    def stop(self) -> None:
        """End every wait, of this client and of all that share its gates; requests under way may finish."""
        self._gates.stop.set()

    def _call(self, question: _Question) -> Answer:
        repeats = _Repeats(self._policy, self._draw, lambda decision: self._announce(question, decision))
        retrying = Retrying(
            retry=repeats.worth_repeating,
            wait=repeats.seconds,
            before_sleep=repeats.announce,
            sleep=self._gates.stop.sleep,
        )
        return retrying(lambda: self._attempt(question, repeats.next_attempt()))

    def _attempt(self, question: _Question, attempt: int) -> Answer:
        model = question.model
        with self._gates.for_account(model.account).slot():
            self._latch.check(model)
            ticket = self._memory.intend(
                question.key, kind="model", request=question.request, labels=question.labels
            )
            self._emit(CallStarted(model.name, attempt, question.labels))
            began = self._clock()
            try:
                response = model.generate(question.prompt, deadline_s=self._deadline_s)
            except ModelError as error:
                self._failed(question, ticket, attempt, error, self._clock() - began)
                raise
            except Exception as error:
                self._memory.fail(ticket, {"kind": "unexpected", "message": type(error).__name__}, None)
                raise
            return self._succeeded(question, ticket, attempt, response, self._clock() - began)

    def _succeeded(
        self, question: _Question, ticket: int, attempt: int, response: ModelResponse, seconds: float
    ) -> Answer:
        spent = cost.cost_of(response, question.model.model)
        self._memory.complete(ticket, result_of(response, spent), spent)
        self._emit(
            CallFinished(question.model.name, attempt, question.labels, seconds, "", spent, response.usage)
        )
        return Answer(
            response.text, response.provider, response.model, response.usage, spent, spent, False, attempt
        )

    def _failed(
        self, question: _Question, ticket: int, attempt: int, error: ModelError, seconds: float
    ) -> None:
        spent = _cost_of_failure(error, question.model)
        self._memory.fail(ticket, error_of(error), spent)
        self._latch.note(question.model, error)
        self._emit(
            CallFinished(
                question.model.name, attempt, question.labels, seconds, error.kind, spent, error.usage
            )
        )

    def _announce(self, question: _Question, decision: Decision) -> None:
        self._emit(Waiting(question.model.name, decision.wait_s, decision.reason, question.labels))

    def _emit(self, event: CallEvent) -> None:
        for observe in self._observers:
            observe(event)


@dataclass(frozen=True, slots=True)
class _Question:
    model: BaseModel
    prompt: Prompt
    request: Mapping[str, Any]
    key: str
    labels: Mapping[str, str]


class _Repeats:
    """The decisions on one question, in the form in which tenacity asks for them."""

    def __init__(
        self, policy: RetryPolicy, draw: Callable[[], float], announce: Callable[[Decision], None]
    ) -> None:
        self._policy = policy
        self._draw = draw
        self._announce = announce
        self._attempts = 0
        self._last = Decision(False, 0.0, "")

    def next_attempt(self) -> int:
        self._attempts += 1
        return self._attempts

    def worth_repeating(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, ModelError):
            return False
        self._last = decide(error, self._attempts, self._policy, self._draw)
        return self._last.retry

    def seconds(self, _state: RetryCallState) -> float:
        return self._last.wait_s

    def announce(self, _state: RetryCallState) -> None:
        self._announce(self._last)


def _replayed(remembered: Mapping[str, Any]) -> Answer:
    response = response_of(remembered)
    return Answer(
        text=response.text,
        provider=response.provider,
        model=response.model,
        usage=response.usage,
        cost_usd=Decimal(0),
        original_cost_usd=cost_in(remembered),
        replayed=True,
        attempts=0,
    )


def _cost_of_failure(error: ModelError, model: BaseModel) -> Decimal | None:
    if error.usage is not None:
        return cost.price(model.provider, error.model or model.model, error.usage)
    return None if error.maybe_billed else Decimal(0)
