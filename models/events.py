"""What happens while a model is asked, told to whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.base import Usage


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


@dataclass(frozen=True, slots=True)
class FellBack:
    """One model is given up on for this question, because of ``reason``, and the next one is asked."""

    from_model: str
    to_model: str
    reason: str
    labels: Mapping[str, str]


CallEvent = CallStarted | CallFinished | Waiting | FellBack
