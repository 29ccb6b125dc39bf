"""What a loopback server is asked, and everything it can answer: text, an error, or misbehaviour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from models.base import StopReason


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it arrived. ``protocol`` is ``openai`` or ``anthropic``; ``number`` counts from 1.

    ``user`` is the first thing the user said, ``continuing`` what the assistant is shown to have answered so far.
    ``max_output_tokens`` is the request's limit, ``input_tokens`` an estimate of its size, ``parameters`` the names
    in its body. ``prefix`` is the text that a provider would keep in its prompt cache.
    """

    protocol: str
    model: str
    system: str
    user: str
    streaming: bool
    number: int
    continuing: str = ""
    max_output_tokens: int | None = None
    input_tokens: int = 0
    parameters: frozenset[str] = frozenset()
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A normal answer. Token counts left at ``None`` are a quarter of the characters.

    ``input_tokens`` includes ``cached_tokens`` and ``cache_write_tokens``; each protocol reports them in its own way.
    """

    text: str
    stop: StopReason = StopReason.COMPLETE
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error body, in the words of the protocol. ``status`` may be 200: some services do that.

    In the middle of a stream if ``midway``. ``kind`` is the error's type where the status does not tell it.
    """

    status: int
    message: str
    code: str = ""
    parameter: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    midway: bool = False
    kind: str = ""


class Misbehaviour(StrEnum):
    """Ways of not answering. Those that would last for ever end when the caller or the server goes.

    ``TRICKLE_HEAD`` sends a response header that never ends, ``TRICKLE`` bytes that mean nothing after some text.
    ``HALF_BODY`` announces more bytes than it sends. ``STOP_MIDWAY`` ends a stream in good order, but too early.
    """

    HANG = "hang"
    HANG_MIDWAY = "hang_midway"
    TRICKLE = "trickle"
    TRICKLE_HEAD = "trickle_head"
    RESET = "reset"
    RESET_MIDWAY = "reset_midway"
    STOP_MIDWAY = "stop_midway"
    HALF_BODY = "half_body"
    GARBAGE = "garbage"
    GARBAGE_EVENTS = "garbage_events"
    NO_CHOICES = "no_choices"


Answer = str | Reply | Failure | Misbehaviour
Answers = Callable[[Asked], Answer]


def as_reply(answer: Answer) -> Reply | None:
    """The answer as a `Reply`; ``None`` for a failure or misbehaviour (which is a `str`, but not a text)."""
    if isinstance(answer, Reply):
        return answer
    return Reply(answer) if isinstance(answer, str) and not isinstance(answer, Misbehaviour) else None


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


def retry_date(seconds: float) -> str:
    """The moment in ``seconds`` as an HTTP date, for ``rate_limited(retry_after=retry_date(2))``."""
    return formatdate(time.time() + seconds, usegmt=True)


def overloaded() -> Failure:
    """529, as Anthropic answers when it is busy."""
    return Failure(529, "Overloaded")


def refused_value(name: str) -> Failure:
    """400 for a parameter of which the model takes only the default."""
    return Failure(
        400,
        f"Unsupported value: '{name}' has only its default value with this model.",
        code="unsupported_value",
        parameter=name,
    )


def refused_parameter(name: str) -> Failure:
    """400 for a parameter that the model does not take."""
    return Failure(
        400,
        f"Unsupported parameter: '{name}' is not supported with this model.",
        code="unsupported_parameter",
        parameter=name,
    )
