"""What happens in a batch, as values. The batch emits them; sinks render or store them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rbi.terminal import say


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """A batch begins or continues. ``finished`` of its ``total`` ideas had an outcome before.

    ``noun`` is what one of them is called before the user.
    """

    name: str
    folder: str
    total: int
    finished: int
    model: str
    data: tuple[str, ...]
    workers: int
    noun: str = "idea"


@dataclass(frozen=True, slots=True)
class IdeaStarted:
    """A worker took up an idea."""

    number: int
    idea_id: str
    text: str


@dataclass(frozen=True, slots=True)
class StageStarted:
    """An idea entered a stage."""

    number: int
    stage: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A model call went out."""

    model: str


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A model call ended. ``cost_usd`` is ``None`` when the price is unknown; ``error`` is empty when it went well."""

    model: str
    seconds: float
    cost_usd: Decimal | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CallWaiting:
    """A model call waits before it is repeated."""

    model: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """A question went from one model of a chain to the next."""

    from_model: str
    to_model: str
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """The next call does not fit into what is left of the budget: no further one is made."""

    spent_usd: Decimal
    budget_usd: Decimal


@dataclass(frozen=True, slots=True)
class BacktestFinished:
    """A backtest ended. ``replayed`` ones came from the journal."""

    number: int
    dataset: str
    failure: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class IdeaFinished:
    """An idea reached its outcome."""

    number: int
    idea_id: str
    name: str
    outcome: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RunFolderChanged:
    """Midnight passed: ideas that start from now on go to another folder."""

    folder: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """The batch ended. ``reason`` is ``finished``, ``interrupted`` or ``error``.

    ``economy`` is what its model calls took, as `rbi.economy.economy_json` says it.
    """

    reason: str
    finished: int
    total: int
    economy: Mapping[str, Any] = field(default_factory=dict)


Event = (
    BatchStarted
    | IdeaStarted
    | StageStarted
    | CallStarted
    | CallFinished
    | CallWaiting
    | FellBack
    | BudgetReached
    | BacktestFinished
    | IdeaFinished
    | RunFolderChanged
    | Notice
    | BatchFinished
)
Sink = Callable[[Event], None]


class Events:
    """Hands every event to every sink, in order, one at a time. A sink that fails is dropped, not the batch."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)
        self._lock = threading.Lock()

    def add(self, sink: Sink) -> None:
        """Add a sink for what happens from now on."""
        with self._lock:
            self._sinks.append(sink)

    def emit(self, event: Event) -> None:
        """Tell every sink."""
        with self._lock:
            for sink in tuple(self._sinks):
                try:
                    sink(event)
                except Exception as error:  # noqa: BLE001 - rendering must never end a paid batch
                    self._sinks.remove(sink)
                    say(f"rbi: a listener failed and was dropped: {error}")
