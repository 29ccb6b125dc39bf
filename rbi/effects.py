"""The effects of an idea's stages, each through the journal: asked for twice, done once."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol

from models.client import Answer, ModelClient
from models.stopping import Flag
from rbi.domain import Brief, Idea
from rbi.events import BacktestFinished, Events
from rbi.intake.failures import DocumentFailed, Trouble
from rbi.journal import Journal
from rbi.ledger import trial_of
from rbi.prompts import Prompts
from rbi.stages.context import Scenario
from rbi.turns import Turns
from rbi.writers import Writers
from runners.base import BarsFile, FailureKind, Mode, RunInterrupted, Runner, RunRequest, RunResult, Terms

SCHEMA = 1
BACKTEST = "backtest"
SCORE = "score"  # a backtest of which only the statistics are kept


class Interrupted(Exception):
    """The batch is stopping: no further effect is begun."""


class Library(Protocol):
    """Where the documents are that ideas link to."""

    def identity(self, idea_text: str) -> Mapping[str, str]:
        """What determines the brief of an idea."""
        ...

    def brief(self, idea_text: str) -> Brief:
        """The brief of an idea with links. Raises `DocumentFailed`."""
        ...


@dataclass(slots=True)
class KeyLocks:
    """One lock a key, kept only while somebody holds or waits for it."""

    _guard: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _users: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold the lock of ``key``."""
        with self._guard:
            lock = self._locks[key]
            self._users[key] += 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                self._users[key] -= 1
                if not self._users[key]:
                    del self._users[key], self._locks[key]


class JournaledEffects:
    """Documents, model calls and backtests of one batch. ``stopping`` set means: begin nothing more.

    An idea gives its turn of ``turns`` back before a backtest and takes one to ask a model. ``mode`` is what the
    sources are that it runs.
    """

    def __init__(
        self,
        *,
        batch: str,
        journal: Journal,
        client: ModelClient,
        writers: Writers,
        prompts: Prompts,
        library: Library,
        runner: Runner,
        terms: Terms,
        timeout_s: float,
        events: Events,
        stopping: Flag,
        turns: Turns,
        mode: Mode = Mode.CLASS,
    ) -> None:
        self._batch = batch
        self._journal = journal
        self._client = client
        self._writers = writers
        self._prompts = prompts
        self._library = library
        self._runner = runner
        self._terms = terms
        self._timeout_s = timeout_s
        self._events = events
        self._stopping = stopping
        self._turns = turns
        self._mode = mode
        self._locks = KeyLocks()

    def brief(self, idea: Idea) -> Brief:
        """What an idea with links resolves to, remembered or read now."""
        self._go_on()
        identity = self._library.identity(idea.text)
        key = effect_key("fetch", identity)
        with self._locks.hold(key):
            recorded = self._journal.recall(key)
            if recorded is None:
                recorded = self._fetch(key, identity, idea)
        return Brief(**{**recorded, "notes": tuple(recorded["notes"])})

    def _fetch(self, key: str, identity: Mapping[str, str], idea: Idea) -> Mapping[str, Any]:
        ticket = self._journal.intend(
            key, kind="fetch", request=identity, labels=self._labels(idea, "intake")
        )
        try:
            found = asdict(self._library.brief(idea.text))
        except DocumentFailed as error:
            self._journal.fail(ticket, {"kind": error.trouble.value, "message": error.what}, Decimal(0))
            if error.trouble is Trouble.STOPPED:
                raise Interrupted from error
            raise
        except Exception as error:
            self._journal.fail(ticket, {"kind": type(error).__name__, "message": str(error)}, Decimal(0))
            raise
        self._journal.complete(ticket, found, Decimal(0))
        return found

    def ask(self, idea: Idea, stage: str, inputs: Mapping[str, str]) -> Answer:
        """The answer to a stage's prompt, remembered or new."""
        self._go_on()
        prompt = self._writers.limited(self._prompts.render(stage, inputs))
        labels = self._labels(idea, stage)
        self._turns.take(idea.idea_id)
        self._go_on()  # once the batch is stopping, a turn is no leave to ask
        return self._client.ask(self._writers.of(stage), prompt, labels=labels, ask_number=idea.trial)

    def backtest(self, idea: Idea, stage: str, source: str, scenario: Scenario) -> RunResult:
        """The result of a strategy in one scenario, remembered or new. It is a trial."""
        request = self._request(source, scenario)
        (result,) = self._run(idea, stage, BACKTEST, [request])
        return result

    def scores(
        self, idea: Idea, stage: str, source: str, scenarios: Sequence[Scenario]
    ) -> tuple[RunResult, ...]:
        """The statistics of a strategy in many scenarios, remembered or new. Each is a trial."""
        return self._run(idea, stage, SCORE, [self._request(source, scenario) for scenario in scenarios])

    def recorded(self, source: str, bars: BarsFile) -> RunResult | None:
        """The remembered result of a strategy on a slice, whatever time it was given; ``None`` if there is none."""
        identity = self._runner.identity(self._request(source, Scenario(bars)))
        recorded = self._journal.recall(effect_key(BACKTEST, identity))
        return RunResult.from_json(recorded["result"]) if recorded else None

    def _request(self, source: str, scenario: Scenario) -> RunRequest:
        terms, factor = self._terms, scenario.cost_factor
        if factor != 1.0:
            terms = replace(terms, commission=terms.commission * factor, spread=terms.spread * factor)
        return RunRequest(
            source=source,
            bars=scenario.bars,
            terms=terms,
            params=scenario.params,
            timeout_s=self._timeout_s,
            mode=self._mode,
        )

    def _run(
        self, idea: Idea, stage: str, kind: str, requests: Sequence[RunRequest]
    ) -> tuple[RunResult, ...]:
        """The results, of which those that are not remembered are run in one job."""
        self._go_on()
        self._turns.give_back(idea.idea_id)
        identities = [dict(self._runner.identity(request)) for request in requests]
        keys = [effect_key(kind, identity) for identity in identities]
        with ExitStack() as held:
            for key in sorted(set(keys)):  # in one order everywhere, so that nobody waits in a circle
                held.enter_context(self._locks.hold(key))
            found = {key: self._remembered(key) for key in dict.fromkeys(keys)}
            replayed = {key for key, result in found.items() if result}
            new = {
                key: (identity, request)
                for key, identity, request in zip(keys, identities, requests, strict=True)
                if key not in replayed
            }
            results = {**found, **self._run_new(idea, stage, kind, new)}
        ended = [result for key in keys if (result := results[key])]
        self._journal.record_trials(
            [
                trial_of(idea, stage, self._batch, key, request, result)
                for key, request, result in zip(keys, requests, ended, strict=True)
            ]
        )
        for key, request, result in zip(keys, requests, ended, strict=True):
            failure = result.failure.kind.value if result.failure else ""
            self._events.emit(BacktestFinished(idea.number, request.bars.name, failure, key in replayed))
        return tuple(ended)

    def _remembered(self, key: str) -> RunResult | None:
        recorded = self._journal.recall(key)
        if recorded is None:
            return None
        result = RunResult.from_json(recorded["result"])
        cut_short = result.failure is not None and result.failure.kind is FailureKind.TIMEOUT
        # A run that was given less time than we give now might end well.
        short = cut_short and recorded["timeout_s"] < self._timeout_s
        return None if short or not self._runner.accepts(result) else result

    def _run_new(
        self, idea: Idea, stage: str, kind: str, new: Mapping[str, tuple[Mapping[str, Any], RunRequest]]
    ) -> dict[str, RunResult]:
        if not new:
            return {}
        labels = self._labels(idea, stage)
        tickets = [
            self._journal.intend(key, kind=kind, request=identity, labels=labels)
            for key, (identity, _) in new.items()
        ]
        try:
            results = self._runner.run_all([request for _, request in new.values()])
        except RunInterrupted as error:
            self._give_up(tickets, "interrupted", error)
            raise Interrupted from error
        except Exception as error:
            self._give_up(tickets, type(error).__name__, error)
            raise
        if kind == SCORE:
            results = tuple(replace(result, equity=None, trades=()) for result in results)
        for ticket, result in zip(tickets, results, strict=True):
            record = {"result": result.to_json(), "timeout_s": self._timeout_s}
            self._journal.complete(ticket, record, Decimal(0))
        return dict(zip(new, results, strict=True))

    def _give_up(self, tickets: Sequence[int], kind: str, error: Exception) -> None:
        for ticket in tickets:
            self._journal.fail(ticket, {"kind": kind, "message": str(error)}, Decimal(0))

    def _labels(self, idea: Idea, stage: str) -> dict[str, str]:
        return {"batch": self._batch, "idea": idea.idea_id, "stage": stage}

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Interrupted


def effect_key(kind: str, identity: Mapping[str, Any]) -> str:
    """The key of an effect: sha256 over what determines it."""
    content = {"schema": SCHEMA, "kind": kind, **identity}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
