"""What a loopback server is asked, and everything it can answer: text, an error, or misbehaviour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from models.base import StopReason


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it arrived. ``protocol`` is ``openai`` or ``anthropic``; ``number`` counts from 1."""

    protocol: str
    model: str
    system: str
    user: str
    streaming: bool
    number: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A normal answer. Token counts left at ``None`` are a quarter of the characters.

    ``input_tokens`` includes ``cached_tokens``; each protocol reports them in its own way.
    """

    text: str
    stop: StopReason = StopReason.COMPLETE
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error body, in the words of the protocol. ``status`` may be 200: some services do that.

    In the middle of a stream if ``midway``.
    """

    status: int
    message: str
    code: str = ""
    parameter: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    midway: bool = False


class Misbehaviour(StrEnum):
    """Ways of not answering. Those that would last for ever end when the server is closed."""

    HANG = "hang"
    HANG_MIDWAY = "hang_midway"
    TRICKLE = "trickle"
    RESET = "reset"
    RESET_MIDWAY = "reset_midway"
    STOP_MIDWAY = "stop_midway"
    GARBAGE = "garbage"
    GARBAGE_EVENTS = "garbage_events"
    NO_CHOICES = "no_choices"


Answer = str | Reply | Failure | Misbehaviour
Answers = Callable[[Asked], Answer]


class Script:
    """Answers given one after the other, from any thread; then ``then`` for every further question."""

    def __init__(self, answers: Iterable[Answer], then: Answer = "the script is over") -> None:
        self._answers = iter(tuple(answers))
        self._then = then
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:  # noqa: ARG002 - a script does not listen
        """The next answer."""
        with self._lock:
            return next(self._answers, self._then)


def bad_key(shown: str = "sk-****") -> Failure:
    """401, echoing ``shown`` as providers do with a part of the key."""
    return Failure(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def quota_spent() -> Failure:
    """429 that no waiting helps against."""
    return Failure(429, "You exceeded your current quota, please check your plan.", code="insufficient_quota")


def unknown_model(name: str) -> Failure:
    """404 for a model."""
    return Failure(404, f"The model `{name}` does not exist.", code="model_not_found")


def rate_limited(**headers: Any) -> Failure:
    """429; ``retry_after=2`` sends the header ``retry-after: 2``."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Failure(429, "Rate limit reached.", code="rate_limit_exceeded", headers=named)


def refused_parameter(name: str) -> Failure:
    """400 for a parameter that the model does not take."""
    return Failure(
        400,
        f"Unsupported parameter: '{name}' is not supported with this model.",
        code="unsupported_parameter",
        parameter=name,
    )
