"""Failing now and then, by chance with a seed or in a span of time."""

from __future__ import annotations

import difflib
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from models.base import StopReason
from models.loopback.answers import (
    Answer,
    Answers,
    Asked,
    Failure,
    Misbehaviour,
    Reply,
    as_reply,
    bad_key,
    overloaded,
    quota_spent,
    rate_limited,
    refused_parameter,
    retry_date,
    unknown_model,
)

Fault = Callable[[Asked, Answers], Answer]


def _always(answer: Answer) -> Fault:
    return lambda _asked, _answers: answer


def _cut_in_half(asked: Asked, answers: Answers) -> Answer:
    answer = answers(asked)
    reply = as_reply(answer)
    if reply is None:
        return answer
    return replace(reply, text=reply.text[: len(reply.text) // 2 + 1], stop=StopReason.TRUNCATED)


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "429": _always(rate_limited(retry_after=1)),
        "429_ms": _always(rate_limited(retry_after_ms=200)),
        "429_date": lambda _asked, _answers: rate_limited(retry_after=retry_date(2)),
        "429_bare": _always(rate_limited()),
        "500": _always(Failure(500, "The server had an error.")),
        "503": _always(Failure(503, "The service is unavailable.")),
        "529": _always(overloaded()),
        **{how.value: _always(how) for how in Misbehaviour},
        "error_200": _always(Failure(200, "The server had an error.", code="server_error")),
        "error_midway": _always(Failure(500, "The server had an error.", midway=True)),
        "empty": _always(""),
        "truncated": _cut_in_half,
        "refused": _always(Reply("I would rather not.", stop=StopReason.REFUSED)),
        "quota": _always(quota_spent()),
        "bad_key": _always(bad_key()),
        "bad_parameter": _always(refused_parameter("max_tokens")),
        "unknown_model": lambda asked, _answers: unknown_model(asked.model),
    }
)

PASSING_FAULTS = (
    "429",
    "429_ms",
    "429_bare",
    "500",
    "503",
    "529",
    "reset",
    "reset_midway",
    "half_body",
    "garbage",
)
"""Faults that a caller should survive by asking again, none of which makes it wait for its deadline."""


class Faulty:
    """Answers, but for a share of questions (``rate``, from 0 to 1) that meet one of ``kinds``, each as likely.

    A kind is a name in `FAULTS` or an answer. With one asker the same ``seed`` fails the same questions again.
    Raises `ValueError` for a name that is none.
    """

    def __init__(
        self,
        answers: Answers,
        rate: float,
        kinds: Iterable[str | Failure | Reply | Misbehaviour] = PASSING_FAULTS,
        seed: int = 0,
    ) -> None:
        self._answers = answers
        self._rate = rate
        self._faults = [_fault(kind) for kind in kinds]
        if not self._faults:
            raise ValueError("there is no kind of fault to choose from")
        self._random = random.Random(seed)  # noqa: S311 - a rehearsal wants the same faults again
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        """A fault or the answer."""
        with self._lock:
            fails = self._random.random() < self._rate
            fault = self._random.choice(self._faults)
        return fault(asked, self._answers) if fails else self._answers(asked)


class Storm:
    """Answers, but ``failure`` from ``begin_s`` to ``end_s`` seconds after the first question."""

    def __init__(
        self,
        answers: Answers,
        begin_s: float,
        end_s: float,
        failure: Answer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers = answers
        self._begin_s, self._end_s = begin_s, end_s
        self._failure = rate_limited() if failure is None else failure
        self._clock = clock
        self._first: float | None = None
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        """The failure while the storm lasts, else the answer."""
        with self._lock:
            now = self._clock()
            if self._first is None:
                self._first = now
            raging = self._begin_s <= now - self._first < self._end_s
        return self._failure if raging else self._answers(asked)


def _fault(kind: str | Failure | Reply | Misbehaviour) -> Fault:
    if isinstance(kind, Misbehaviour) or not isinstance(kind, str):
        return _always(kind)
    if kind in FAULTS:
        return FAULTS[kind]
    near = difflib.get_close_matches(kind, FAULTS, n=1)
    raise ValueError(
        f"no fault is called {kind!r}; " + (f"did you mean {near[0]}?" if near else known_faults())
    )


def known_faults() -> str:
    """The names of all faults, for a message."""
    return f"there are {', '.join(FAULTS)}"
