"""Asking a model: remember, wait for a turn, call, repeat what is worth repeating, and write down what came."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenacity import Retrying

from models.base import BaseModel, ModelResponse, Prompt, RateReport, Usage
from models.calibration import Calibration
from models.continuation import MOST_PARTS
from models.cost import PriceTable
from models.errors import (
    BadRequest,
    BadSetting,
    BudgetSpent,
    CircuitOpen,
    Interrupted,
    ModelError,
    Truncated,
)
from models.events import CallEvent, CallFinished, CallStarted, FellBack, Waiting
from models.limiter import AccountLimiter, Limiters, Permit, Wait
from models.memory import (
    Budget,
    CallMemory,
    InMemoryCalls,
    OverBudget,
    cost_in,
    error_of,
    response_of,
    result_of,
)
from models.refunds import Refunds
from models.retry import Action, Decision, Failures, Repeats, RetryPolicy
from models.single_flight import SingleFlight
from models.talk import Part, Talk, sum_of_costs, sum_of_usage

__all__ = [
    "Answer",
    "Budget",
    "CallEvent",
    "CallFinished",
    "CallMemory",
    "CallStarted",
    "FellBack",
    "InMemoryCalls",
    "ModelClient",
    "Waiting",
]

# Waits shorter than this are not worth telling anybody.
_WORTH_TELLING_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's text and what it took. Costs are US dollars, ``None`` when unknown.

    ``provider`` and ``model`` are what really wrote it, whichever of several models was asked for. ``cost_usd``
    is what this answer cost now: 0 when it was ``replayed`` from memory. ``original_cost_usd`` is what it cost
    when it was made. Attempts that failed before it are not in either; the memory has them.
    """

    text: str
    provider: str
    model: str
    usage: Usage | None
    cost_usd: Decimal | None
    original_cost_usd: Decimal | None
    replayed: bool
    attempts: int


class ModelClient:
    """Asks models from many threads. ``deadline_s`` is wall-clock seconds for one attempt.

    Equal questions asked at the same time go out once. Before a call is sent, its worst case is reserved in every
    one of ``budgets``; a call waits for others to give money back before it is given up. ``observers`` get every
    `CallEvent`, in the asking thread, and must not raise. ``clock`` measures seconds; ``draw`` gives numbers in
    [0, 1) for jitter.
    """

    def __init__(
        self,
        memory: CallMemory,
        limiters: Limiters,
        *,
        prices: PriceTable | None = None,
        budgets: Sequence[Budget] = (),
        policy: RetryPolicy | None = None,
        deadline_s: float = 300.0,
        observers: Sequence[Callable[[CallEvent], None]] = (),
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._memory = memory
        self._limiters = limiters
        self._prices = prices or PriceTable()
        self._budgets = tuple(budgets)
        self._policy = policy or RetryPolicy()
        self._deadline_s = deadline_s
        self._observers = tuple(observers)
        self._clock = clock
        self._draw = draw
        self._single_flight = SingleFlight(limiters.stop)
        self._calibration = Calibration(self._prices)
        self._refunds = Refunds()

    def ask(
        self,
        models: BaseModel | Sequence[BaseModel],
        prompt: Prompt,
        *,
        labels: Mapping[str, str],
        ask_number: int = 1,
    ) -> Answer:
        """The answer of the first of ``models`` that gives one, from memory if any of them has given it before.

        A later model is asked when the one before it is out of order for good, failed too often of late, or gave
        no answer in all its attempts. The same prompt under another ``ask_number`` is another question. Raises
        `ModelError` when there is no usable answer, `BudgetSpent` when asking could cost more than is left, and
        `Interrupted` after `stop`.
        """
        self._limiters.stop.check()
        chain = (models,) if isinstance(models, BaseModel) else tuple(models)
        talks = [Talk(model, prompt, dict(labels), ask_number) for model in chain]
        with self._single_flight.holding(talks[0].next_call()[2]):
            for talk in talks:
                self._replay(talk)
                if talk.is_finished:
                    return self._answer(talk)
            return self._first_answer(talks)

    def stop(self) -> None:
        """End every wait, of this client and of all that share its limiters; requests under way may finish."""
        self._limiters.stop.set()
        self._refunds.announce()

    def _replay(self, talk: Talk) -> None:
        """Take in every part that the memory has, up to as many as are asked for.

        Parts without text may be asked for in the same words again and again.
        """
        while not talk.is_finished and len(talk.parts) < MOST_PARTS:
            remembered = self._memory.recall(talk.next_call()[2])
            if remembered is None:
                return
            talk.add(Part(response_of(remembered), cost_in(remembered), replayed=True))

    def _first_answer(self, talks: Sequence[Talk]) -> Answer:
        for talk, spare in zip(talks, [*talks[1:], None], strict=True):
            try:
                return self._complete(talk, has_spare=spare is not None)
            except ModelError as error:
                if spare is None or not _is_for_another(error):
                    raise
                self._emit(FellBack(talk.model.name, spare.model.name, error.message, talk.labels))
        raise ValueError("no model was given")

    def _complete(self, talk: Talk, *, has_spare: bool) -> Answer:
        """Ask for part after part until the answer is whole."""
        for _ in range(MOST_PARTS):
            repeats = Repeats(
                Failures(self._policy, self._draw), lambda decision: self._announce(talk, decision)
            )
            retrying = Retrying(
                retry=repeats.worth_repeating,
                wait=repeats.seconds,
                before_sleep=repeats.announce,
                sleep=self._limiters.stop.sleep,
            )
            talk.add(
                retrying(lambda: self._attempt(talk, repeats.next_attempt(), has_spare=has_spare))  # noqa: B023
            )
            if talk.is_finished:
                return self._answer(talk)
        raise Truncated(
            f"{talk.model.name} had not ended its answer after {len(talk.parts)} parts",
            hint="Allow more output tokens with --max-output-tokens, or use another model.",
            model=talk.model.model,
        )

    def _attempt(self, talk: Talk, attempt: int, *, has_spare: bool) -> Part:
        limiter = self._limiters.for_account(talk.model.account)
        talk.model.get_ready()
        permit, ticket, reserved = self._begin(talk, limiter, attempt, has_spare=has_spare)
        call = _Call(talk, ticket, attempt, reserved)
        talk.calls += 1
        self._emit(CallStarted(talk.model.name, attempt, talk.labels))
        began = self._clock()
        try:
            response = talk.model.generate(
                talk.next_call()[0],
                deadline_s=self._deadline_s,
                opened=lambda report: self._opened(limiter, permit, report, talk.model, has_spare=has_spare),
            )
        except ModelError as error:
            try:
                self._failed(call, error, self._clock() - began)
            finally:
                limiter.settle(permit, usage=error.usage, rate=error.rate, error=error)
            raise
        except Exception as error:
            self._memory.fail(ticket, {"kind": "unexpected", "message": type(error).__name__}, None)
            limiter.cancel(permit)
            raise
        except BaseException:  # killed in the middle: the intent stays, the call may have been paid for
            limiter.cancel(permit)
            raise
        # What the call cost is known before others may go: the first of an account shows what to expect.
        try:
            return self._succeeded(call, response, self._clock() - began)
        finally:
            limiter.settle(permit, usage=response.usage, rate=response.rate)

    def _opened(
        self,
        limiter: AccountLimiter,
        permit: Permit,
        report: RateReport,
        model: BaseModel,
        *,
        has_spare: bool,
    ) -> None:
        """Let others go once the provider has accepted the first call.

        Not yet where the first answer has to be seen: to know what a call costs, or whether this model answers at
        all although another one could.
        """
        if self._calibration.knows(model) or not (self._budgets or has_spare):
            limiter.opened(permit, report)

    def _begin(
        self, talk: Talk, limiter: AccountLimiter, attempt: int, *, has_spare: bool
    ) -> tuple[Permit, int, Decimal | None]:
        """A slot of the account, and an intent in the memory with what it reserves: both or neither."""
        while True:
            permit = limiter.wait_for_slot(
                self._calibration.estimate(talk.model, talk.next_call()[0]),
                model=talk.model.model,
                attempt=attempt,
                wait_out_outage=not has_spare,
                on_wait=lambda wait: self._tell(talk, wait),
            )
            seen = self._refunds.count
            try:
                return permit, *self._intend(talk)
            except OverBudget as full:
                limiter.cancel(permit)
                self._wait_for_refund(full, seen)
            except BaseException:
                limiter.cancel(permit)
                raise

    def _intend(self, talk: Talk) -> tuple[int, Decimal | None]:
        prompt, request, key = talk.next_call()
        reserve = self._calibration.worst_case(talk.model, prompt)
        if reserve is None and self._budgets:
            raise BadSetting(
                f"no price is known for {talk.model.name}, so no budget can be kept",
                hint=f'Write its price into rbi.toml ([prices."{talk.model.name}"]), or do without --budget.',
            )
        ticket = self._memory.intend(
            key,
            kind="model",
            request=request,
            labels={**talk.labels, "model": talk.model.name},
            reserve_usd=reserve,
            budgets=self._budgets,
        )
        return ticket, reserve

    def _wait_for_refund(self, full: OverBudget, seen: int) -> None:
        if full.in_flight:
            self._refunds.wait(seen)
            self._limiters.stop.check()
            return
        left = max(full.budget.limit_usd - full.committed_usd, Decimal(0))
        raise BudgetSpent(
            f"the next call does not fit into the {full.budget.name} of ${full.budget.limit_usd:f}:"
            f" ${full.committed_usd:.4f} are spent or reserved, ${left:.4f} are left",
            hint="Allow more with --budget or --budget-per-idea.",
            budget=full.budget.name,
            committed_usd=full.committed_usd,
            limit_usd=full.budget.limit_usd,
        )

    def _succeeded(self, call: _Call, response: ModelResponse, seconds: float) -> Part:
        model, usage = call.talk.model, response.usage
        spent = self._prices.cost_of(response, model.model)
        saved = self._prices.saving(response.provider, (response.model, model.model), usage)
        self._memory.complete(call.ticket, result_of(response, spent), spent, usage=usage, saved_usd=saved)
        self._ended(call, usage, spent, seconds, "")
        return Part(response, spent, replayed=False)

    def _failed(self, call: _Call, error: ModelError, seconds: float) -> None:
        spent = self._cost_of_failure(error, call.talk.model)
        self._memory.fail(call.ticket, error_of(error), spent, usage=error.usage)
        self._ended(call, error.usage, spent, seconds, error.kind)

    def _ended(
        self, call: _Call, usage: Usage | None, spent: Decimal | None, seconds: float, error_kind: str
    ) -> None:
        model, labels = call.talk.model, call.talk.labels
        prompt, _, _ = call.talk.next_call()
        answered = not error_kind
        self._calibration.observe(model, prompt, usage, spent, call.reserved_usd, answered=answered)
        self._refunds.announce()
        self._emit(CallFinished(model.name, call.attempt, labels, seconds, error_kind, spent, usage))

    def _cost_of_failure(self, error: ModelError, model: BaseModel) -> Decimal | None:
        if error.usage is None and error.reported_cost_usd is None:
            return None if error.maybe_billed else Decimal(0)
        names = (error.model or model.model, model.model)
        return self._prices.cost(model.provider, names, error.usage, error.reported_cost_usd)

    def _answer(self, talk: Talk) -> Answer:
        newest = talk.parts[-1].response
        fresh = [part for part in talk.parts if not part.replayed]
        return Answer(
            text=talk.text,
            provider=newest.provider,
            model=newest.model,
            usage=sum_of_usage(talk.parts),
            cost_usd=sum_of_costs(fresh),
            original_cost_usd=sum_of_costs(talk.parts),
            replayed=not talk.calls,
            attempts=talk.calls,
        )

    def _tell(self, talk: Talk, wait: Wait) -> None:
        if wait.seconds is not None and wait.seconds >= _WORTH_TELLING_S and not wait.may_end_sooner:
            self._emit(Waiting(talk.model.name, wait.seconds, wait.reason, talk.labels))

    def _announce(self, talk: Talk, decision: Decision) -> None:
        if decision.action is Action.WAIT:
            return  # the account's limiter says for how long
        self._emit(Waiting(talk.model.name, decision.wait_s, decision.reason, talk.labels))

    def _emit(self, event: CallEvent) -> None:
        for observe in self._observers:
            observe(event)


@dataclass(frozen=True, slots=True)
class _Call:
    talk: Talk
    ticket: int
    attempt: int
    reserved_usd: Decimal | None


def _is_for_another(error: ModelError) -> bool:
    """Whether the next model of a chain may do better.

    Not when everything is to stop, and not after a refusal, which was an answer. What another model may do with
    a request that this one does not take, or never ends to answer, is worth trying.
    """
    if isinstance(error, Interrupted | BudgetSpent):
        return False
    return error.fatal or error.retryable or isinstance(error, CircuitOpen | BadRequest | Truncated)
