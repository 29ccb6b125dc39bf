"""A provider with strict limits and the calls of many workers, simulated event by event: minutes pass in no time."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from models.base import Allowance, RateReport, Usage
from models.errors import CircuitOpen, ConnectionFailed, ModelError, Overloaded, RateLimited
from models.limiter import AccountLimiter, Estimate, Limits, Permit, StopSignal, Wait
from models.retry import Action, Failures, RetryPolicy

MINUTE_S = 60.0
INPUT_TOKENS = 500
MOST_OUTPUT = 4000
NETWORK_S = 0.05


@dataclass
class Log:
    """What was counted, and when: exact sliding windows, nothing rounded."""

    times: list[float] = field(default_factory=list)
    sums: list[int] = field(default_factory=lambda: [0])

    def add(self, now: float, amount: int) -> None:
        assert not self.times or now >= self.times[-1]
        self.times.append(now)
        self.sums.append(self.sums[-1] + amount)

    def between(self, start: float, end: float) -> int:
        """The sum over start < time <= end."""
        return self.sums[bisect_right(self.times, end)] - self.sums[bisect_right(self.times, start)]

    def last_minute(self, now: float) -> int:
        return self.between(now - MINUTE_S, now)

    def fullest_minute(self) -> int:
        return max((self.last_minute(at) for at in self.times), default=0)


@dataclass(frozen=True)
class Storm:
    """Everything is refused from ``start`` to ``end`` seconds."""

    start: float
    end: float
    retry_after_s: float | None = None


@dataclass
class Provider:
    """A provider that counts exactly and refuses what is too much."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    counts_on_arrival: bool = True
    states_limits: bool = False
    most_at_once: int | None = None
    storms: tuple[Storm, ...] = ()
    dead: tuple[tuple[float, float], ...] = ()
    fault_rate: float = 0.0
    others_every_s: float | None = None
    # Requests are given out one by one, and this many can be saved up.
    bucket: float | None = None
    requests: Log = field(default_factory=Log)
    tokens: Log = field(default_factory=Log)
    ours: Log = field(default_factory=Log)
    arrivals: Log = field(default_factory=Log)
    in_flight: int = 0
    refused: int = 0
    answered: Log = field(default_factory=Log)
    _saved: tuple[float, float] = (1.0, 0.0)

    def arrive(self, now: float, tokens: int, draw: Callable[[], float]) -> ModelError | None:
        """Accept the call, or say why not."""
        self.arrivals.add(now, 1)
        if any(start <= now < end for start, end in self.dead):
            return ConnectionFailed("connection refused")
        if draw() < self.fault_rate:
            return Overloaded("busy")
        if self.bucket is not None and self.requests_per_minute is not None:
            pace = self.requests_per_minute / MINUTE_S
            saved = min(self.bucket, self._saved[0] + (now - self._saved[1]) * pace)
            self._saved = (saved, now)
            if saved < 1:
                return self._refuse(now, (1 - saved) / pace)
            self._saved = (saved - 1, now)
        for storm in self.storms:
            if storm.start <= now < storm.end:
                return self._refuse(now, storm.retry_after_s)
        if self._is_full(now, tokens):
            return self._refuse(now, None)
        self.in_flight += 1
        if self.counts_on_arrival:
            self.count(now, tokens)
        return None

    def finish(self, now: float, tokens: int) -> None:
        self.in_flight -= 1
        self.answered.add(now, 1)
        if not self.counts_on_arrival:
            self.count(now, tokens)

    def count(self, now: float, tokens: int, *, ours: bool = True) -> None:
        self.requests.add(now, 1)
        self.tokens.add(now, tokens)
        self.ours.add(now, 1 if ours else 0)

    def report(self, now: float) -> RateReport:
        if not self.states_limits:
            return RateReport()
        return RateReport(
            requests=self._allowance(self.requests, self.requests_per_minute, now),
            tokens=self._allowance(self.tokens, self.tokens_per_minute, now),
        )

    def _allowance(self, log: Log, limit: int | None, now: float) -> Allowance | None:
        if limit is None:
            return None
        reset = log.times[-1] + MINUTE_S - now if log.times else 0.0
        return Allowance(limit, max(0, limit - log.last_minute(now)), reset)

    def _refuse(self, now: float, retry_after_s: float | None) -> ModelError:
        self.refused += 1
        return RateLimited("too many", retry_after_s=retry_after_s, rate=self.report(now))

    def _is_full(self, now: float, tokens: int) -> bool:
        if self.most_at_once is not None and self.in_flight >= self.most_at_once:
            return True
        # Who counts only what is done cannot know yet what the call will take.
        more_requests, more_tokens = (1, tokens) if self.counts_on_arrival else (1, 1)
        full_requests = self.requests_per_minute is not None and (
            self.requests.last_minute(now) + more_requests > self.requests_per_minute
        )
        return full_requests or (
            self.tokens_per_minute is not None
            and self.tokens.last_minute(now) + more_tokens > self.tokens_per_minute
        )


@dataclass
class Question:
    output_tokens: int
    latency_s: float
    failures: Failures
    attempts: int = 0


@dataclass(frozen=True)
class Load:
    """How many workers ask, how long answers take and how large they are."""

    workers: int = 30
    latency_s: tuple[float, float] = (0.05, 20.0)
    output_tokens: tuple[int, int] = (50, 1500)
    streams: bool = True
    questions: int | None = None


class Simulation:
    """``load`` asks ``provider`` through a real `AccountLimiter` whose clock is the simulation's."""

    def __init__(self, provider: Provider, limits: Limits, load: Load, seed: int = 0) -> None:
        self.now = 0.0
        self.provider = provider
        self.limiter = AccountLimiter(limits, stop=StopSignal(), clock=lambda: self.now, name="simulated")
        self.lost = 0
        self.most_attempts = 0
        self.done = 0
        self._load = load
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._queue: deque[Question] = deque()
        self._asked = 0
        self._next_look = float("inf")
        for _ in range(load.workers):
            self._ask_next()
        if provider.others_every_s is not None:
            self._at(provider.others_every_s, self._others)

    def run(self, seconds: float) -> Simulation:
        self._serve()
        while self._events and self._events[0][0] <= seconds:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            self._serve()
        return self

    def run_to_the_end(self) -> Simulation:
        assert self._load.questions is not None
        return self.run(float("inf"))

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, happen))

    def _ask_next(self) -> None:
        if self._load.questions is not None and self._asked >= self._load.questions:
            return
        self._asked += 1
        low, high = self._load.latency_s
        self._queue.append(
            Question(
                self._random.randint(*self._load.output_tokens),
                low + (high - low) * self._random.random() ** 2,
                Failures(RetryPolicy(), self._random.random),
            )
        )

    def _serve(self) -> None:
        while self._queue:
            question = self._queue[0]
            seconds: float | None
            try:
                outcome = self.limiter.acquire(
                    Estimate(INPUT_TOKENS, None, MOST_OUTPUT), attempt=question.attempts + 1
                )
            except CircuitOpen as error:
                seconds = error.retry_after_s
            else:
                if isinstance(outcome, Permit):
                    self._queue.popleft()
                    self._send(question, outcome)
                    continue
                assert isinstance(outcome, Wait)
                seconds = outcome.seconds
            if seconds is not None and (self.now + seconds < self._next_look or self._next_look <= self.now):
                self._next_look = self.now + seconds
                self._at(self._next_look, lambda: None)
            return

    def _send(self, question: Question, permit: Permit) -> None:
        question.attempts += 1
        self.most_attempts = max(self.most_attempts, question.attempts)
        self._at(self.now + NETWORK_S / 2, lambda: self._arrive(question, permit))

    def _arrive(self, question: Question, permit: Permit) -> None:
        tokens = INPUT_TOKENS + question.output_tokens
        error = self.provider.arrive(self.now, tokens, self._random.random)
        if error is not None:
            self._at(self.now + NETWORK_S / 2, lambda: self._failed(question, permit, error))
            return
        report = self.provider.report(self.now)
        if self._load.streams:
            self._at(self.now + NETWORK_S / 2, lambda: self.limiter.opened(permit, report))
        self._at(
            self.now + NETWORK_S / 2 + question.latency_s, lambda: self._answered(question, permit, report)
        )

    def _answered(self, question: Question, permit: Permit, report: RateReport) -> None:
        self.provider.finish(self.now, INPUT_TOKENS + question.output_tokens)
        if not self._load.streams:
            report = self.provider.report(self.now)
        self.limiter.settle(permit, usage=Usage(INPUT_TOKENS, question.output_tokens), rate=report)
        self.done += 1
        self._ask_next()

    def _failed(self, question: Question, permit: Permit, error: ModelError) -> None:
        self.limiter.settle(permit, error=error)
        decision = question.failures.after(error)
        if decision.action is Action.GIVE_UP:
            self.lost += 1
            self._ask_next()
        else:
            self._at(self.now + decision.wait_s, lambda: self._queue.append(question))

    def _others(self) -> None:
        assert self.provider.others_every_s is not None
        self.provider.count(self.now, INPUT_TOKENS, ours=False)
        self._at(self.now + self.provider.others_every_s, self._others)
