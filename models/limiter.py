"""Who may call when: one limiter per account, first come first served, safe to use from many threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from models.admission import Admission, Estimate, GlobalDelay, Limits, Permit, Wait
from models.base import Account, RateReport, Usage
from models.breaker import BreakerState
from models.errors import Interrupted, ModelError, RateLimited
from models.stopping import LOOK_UP_S, StopSignal

__all__ = [
    "LOOK_UP_S",
    "AccountLimiter",
    "Estimate",
    "GlobalDelay",
    "LimiterStats",
    "Limiters",
    "Limits",
    "Permit",
    "StopSignal",
    "Wait",
]

_NOTHING_KNOWN = Estimate()
_QUEUED = Wait(None, "others wait for this account, too")
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class LimiterStats:
    """How things are with one account now.

    ``limit`` is how many calls may be under way. ``..._used`` count the last minute with the calls under way,
    ``..._allowed`` is what may be used in a minute, ``None`` without a limit. ``paused_for_s`` and ``waited_s``
    (of all callers together) are seconds.
    """

    in_flight: int
    peak_in_flight: int
    waiting: int
    limit: int
    requests_used: int
    requests_allowed: int | None
    tokens_used: int
    tokens_allowed: int | None
    input_tokens_used: int
    input_tokens_allowed: int | None
    output_tokens_used: int
    output_tokens_allowed: int | None
    paused_for_s: float
    breaker: BreakerState
    calls: int
    rate_limited: int
    waited_s: float


class AccountLimiter:
    """Decides when each call of one account may start. ``name`` is what messages call the provider.

    `acquire`, `opened` and `settle` never block; with a ``clock`` of one's own they can be simulated.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        stop: StopSignal,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._lock = threading.Lock()
        self._admission = Admission(limits, name)
        self._queue: deque[_Waiter] = deque()
        self._peak = 0
        self._calls = 0
        self._rate_limited = 0
        self._waited_s = 0.0

    def acquire(
        self, estimate: Estimate = _NOTHING_KNOWN, *, model: str = "", attempt: int = 1
    ) -> Permit | Wait:
        """A permit if the call may start now, else how long to wait; never blocks.

        ``attempt`` counts the attempts at one question from 1. Raises the fatal error that ended the account or
        the model, `CircuitOpen` while the provider is left alone, `ProviderDown` if a limit will not have room
        for over 10 minutes, and `Interrupted` after a stop.
        """
        self._stop.check()
        with self._lock:
            if self._queue:
                return _QUEUED
            return self._decide(_Waiter(estimate, model, attempt, False), self._clock())

    def wait_for_slot(
        self,
        estimate: Estimate = _NOTHING_KNOWN,
        *,
        model: str = "",
        attempt: int = 1,
        wait_out_outage: bool = True,
        on_wait: Callable[[Wait], None] | None = None,
    ) -> Permit:
        """Block until the call may start, first come first served.

        An outage is waited out for up to 10 minutes, until `ProviderDown`; without ``wait_out_outage`` it is
        `CircuitOpen` at once. ``on_wait`` is told, in this thread, why it waits whenever the reason changes.
        Raises what `acquire` raises.
        """
        self._stop.check()
        waiter = _Waiter(estimate, model, attempt, wait_out_outage)
        with self._lock:
            self._queue.append(waiter)
            # Behind others there is nothing to decide: whoever is first is looking after the queue.
            if len(self._queue) == 1 or not wait_out_outage:
                self._serve(waiter)
                self._refuse_hopeless()
        if isinstance(waiter.outcome, Permit):
            return waiter.outcome
        return self._wait(waiter, on_wait)

    def opened(self, permit: Permit, report: RateReport) -> None:
        """The provider accepted the request and stated ``report`` in its headers."""
        with self._lock:
            self._admission.opened(permit, report, self._clock())
            self._serve()

    def settle(
        self,
        permit: Permit,
        *,
        usage: Usage | None = None,
        rate: RateReport | None = None,
        error: ModelError | None = None,
    ) -> None:
        """Give the slot back with what the call really took. No ``error`` is a success.

        Raises `ValueError` if the permit was settled before.
        """
        if error is not None:
            usage, rate = usage or error.usage, rate or error.rate
        with self._lock:
            self._admission.settle(permit, usage, rate, error, self._clock())
            self._rate_limited += isinstance(error, RateLimited)
            self._serve()
            if error is not None:
                self._refuse_hopeless()

    def cancel(self, permit: Permit) -> None:
        """Give the slot back: nothing was sent under it."""
        self.settle(permit, error=Interrupted("nothing was sent"))

    def stats(self) -> LimiterStats:
        """How things are now."""
        with self._lock:
            now = self._clock()
            admission = self._admission
            requests, tokens, inputs, outputs = admission.windows.minute
            return LimiterStats(
                in_flight=admission.in_flight,
                peak_in_flight=self._peak,
                waiting=len(self._queue),
                limit=admission.adaptive.limit,
                requests_used=requests.used(now),
                requests_allowed=requests.limit,
                tokens_used=tokens.used(now),
                tokens_allowed=tokens.limit,
                input_tokens_used=inputs.used(now),
                input_tokens_allowed=inputs.limit,
                output_tokens_used=outputs.used(now),
                output_tokens_allowed=outputs.limit,
                paused_for_s=max(0.0, admission.pauses.until - now),
                breaker=admission.breaker.state(now),
                calls=self._calls,
                rate_limited=self._rate_limited,
                waited_s=self._waited_s,
            )

    def _wait(self, waiter: _Waiter, on_wait: Callable[[Wait], None] | None) -> Permit:
        began = self._clock()
        said = ""
        self._stop.listen(waiter.wake)
        try:
            while waiter.outcome is None:
                if on_wait is not None and waiter.wait.reason != said:
                    said = waiter.wait.reason
                    on_wait(waiter.wait)
                self._stop.check()
                waiter.sleep(self._clock())
                self._stop.check()
                if waiter.outcome is None:
                    with self._lock:
                        self._serve(waiter)
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            self._stop.forget(waiter.wake)
            with self._lock:
                self._waited_s += self._clock() - began
        if isinstance(waiter.outcome, ModelError):
            raise waiter.outcome
        return waiter.outcome

    def _serve(self, running: _Waiter | None = None) -> None:
        """Serve the queue from its head as far as possible. Only the head's thread waits for time."""
        while self._queue:
            head, now = self._queue[0], self._clock()
            try:
                outcome: Permit | Wait | ModelError = self._decide(head, now)
            except ModelError as error:
                outcome = error
            if isinstance(outcome, Wait):
                head.put_off(outcome, now, tell=head is not running)
                return
            self._queue.popleft()
            head.finish(outcome)

    def _decide(self, waiter: _Waiter, now: float) -> Permit | Wait:
        refusal = self._refusal(waiter, now)
        if refusal is not None:
            raise refusal
        admission = self._admission
        outage = admission.outage(now)
        if outage is not None:
            # Even without a sign of life the wait ends when it has become too long.
            left = max(0.0, admission.breaker.outage_left_s(now))
            if outage.seconds is None:
                return Wait(left, outage.reason, may_end_sooner=True)
            return Wait(min(left, outage.seconds), outage.reason)
        outcome = admission.request(
            waiter.estimate, now, model=waiter.model, is_first_attempt=waiter.attempt == 1
        )
        if isinstance(outcome, Permit):
            self._calls += 1
            self._peak = max(self._peak, admission.in_flight)
        return outcome

    def _refusal(self, waiter: _Waiter, now: float) -> ModelError | None:
        """Why this caller need not wait any longer, if that is so."""
        breaker = self._admission.breaker
        try:
            breaker.check(waiter.model)
        except ModelError as error:
            return error
        if not breaker.is_open or self._admission.outage(now) is None:
            return None
        if not waiter.waits_out_outage:
            return breaker.circuit_open(now)
        return breaker.provider_down(now) if breaker.is_hopeless(now) else None

    def _refuse_hopeless(self) -> None:
        """Tell everyone in the queue at once who waits for nothing."""
        breaker = self._admission.breaker
        if not (breaker.is_open or breaker.has_ended):
            return
        now = self._clock()
        for waiter in tuple(self._queue):
            refusal = self._refusal(waiter, now)
            if refusal is not None:
                self._queue.remove(waiter)
                waiter.finish(refusal)
        self._serve()

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter.outcome is None:
                self._queue.remove(waiter)
                self._serve()
        if isinstance(waiter.outcome, Permit):
            self.cancel(waiter.outcome)  # it was handed over in the same moment


class _Waiter:
    """One thread in the queue, with its own bell: nobody else is woken when its turn comes."""

    __slots__ = ("_bell", "_due", "attempt", "estimate", "model", "outcome", "wait", "waits_out_outage")

    def __init__(self, estimate: Estimate, model: str, attempt: int, waits_out_outage: bool) -> None:
        self.estimate = estimate
        self.model = model
        self.attempt = attempt
        self.waits_out_outage = waits_out_outage
        self.wait = _QUEUED
        self.outcome: Permit | ModelError | None = None
        self._due = _NEVER
        # Putting something into a SimpleQueue is safe even from a signal handler.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        self._bell.put(None)

    def sleep(self, now: float) -> None:
        """Until woken, or until it is time to look again."""
        try:
            self._bell.get(timeout=None if self._due == _NEVER else max(0.0, self._due - now))
        except Empty:
            return

    def finish(self, outcome: Permit | ModelError) -> None:
        self.outcome = outcome
        self.wake()

    def put_off(self, wait: Wait, now: float, *, tell: bool) -> None:
        """Wake up in time for ``wait``, and at once if that is sooner than was planned."""
        due = _NEVER if wait.seconds is None else now + wait.seconds
        sooner = due < self._due
        self.wait = wait
        if sooner or self._due <= now:
            self._due = due
        if sooner and tell:
            self.wake()


class Limiters:
    """One `AccountLimiter` per account. Accounts without a key have no delay: nobody meters them.

    ``stop`` ends the waits of every limiter. ``limits`` are the same for all, or chosen for each account.
    """

    def __init__(
        self,
        limits: Limits | Callable[[Account], Limits] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = StopSignal()
        self._limits = limits if limits is not None else Limits()
        self._clock = clock
        self._lock = threading.Lock()
        self._limiters: dict[Account, AccountLimiter] = {}

    def for_account(self, account: Account) -> AccountLimiter:
        """The account's limiter, made on first use."""
        with self._lock:
            if account not in self._limiters:
                self._limiters[account] = self._new(account)
            return self._limiters[account]

    def stats(self) -> Mapping[Account, LimiterStats]:
        """How things are with every account used so far."""
        with self._lock:
            limiters = dict(self._limiters)
        return {account: limiter.stats() for account, limiter in limiters.items()}

    def _new(self, account: Account) -> AccountLimiter:
        limits = self._limits(account) if callable(self._limits) else self._limits
        if not account.key_digest:
            limits = replace(limits, delay_s=0.0)
        return AccountLimiter(limits, stop=self.stop, clock=self._clock, name=account.provider)
