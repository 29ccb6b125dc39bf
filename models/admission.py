"""Whether the next call of an account may start, and if not, for how long. Decisions only: no lock, no waiting."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from models.adaptive import AdaptiveLimit
from models.base import RateReport, Usage
from models.breaker import LONGEST_OUTAGE_S, Breaker
from models.errors import (
    BadRequest,
    BudgetSpent,
    CircuitOpen,
    ConnectionFailed,
    DeadlineExceeded,
    EmptyAnswer,
    Interrupted,
    MalformedAnswer,
    ModelError,
    Overloaded,
    ProviderDown,
    RateLimited,
    Refused,
    Truncated,
)
from models.pauses import LONGEST_STATED_S, Pauses
from models.windows import Amounts, Windows

# A provider counts a call some time after it was sent: we assume at the latest so long after it, until it
# refuses calls for which there should have been room.
COUNTED_WITHIN_S = 4.0
LONGEST_COUNTED_WITHIN_S = 64.0
# What a refusal taught about late counting is forgotten bit by bit, each time so long after the last one.
LESSON_S = 300.0
# A call that has been under way for so long was not turned away.
PROBE_S = 10.0
FIRST_S = 1.0  # what refuses everybody, a wrong key or a model that there is not, says so sooner than that
LET_IN_S = 2.0  # who has too many calls says so of the last one sooner than that
# Who refuses everything for so many rounds, or for so long, is as good as out of order.
STORM_IS_OUTAGE = 6
LONGEST_STORM_S = 45.0
FIRST_OUTPUT_GUESS = 2000

_OUTAGE = (Overloaded, ConnectionFailed, DeadlineExceeded)
_USELESS = (EmptyAnswer, MalformedAnswer)
_HEALTHY = (Refused, BadRequest, Truncated)
_NOT_SENT = (Interrupted, BudgetSpent, CircuitOpen)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do. ``None`` is not limited by us.

    What the provider states in its headers lowers these and never raises them. ``tokens_per_minute`` is input and
    output together. ``max_in_flight`` bounds the adaptive limit. ``delay_s`` is seconds between two starts.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    max_in_flight: int = 64
    delay_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "input_tokens", "output_tokens"):
            value = getattr(self, f"{name}_per_minute")
            if value is not None and value < 1:
                raise ValueError(f"{name}_per_minute must be at least 1, not {value}")
        if self.max_in_flight < 1:
            raise ValueError(f"max_in_flight must be at least 1, not {self.max_in_flight}")
        if not 0 <= self.delay_s < math.inf:
            raise ValueError(f"delay_s must be 0 or more seconds, not {self.delay_s}")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call is likely to take. ``output_tokens`` of ``None`` is as much as calls of the account lately wrote.

    ``most_output_tokens`` is the request's own bound.
    """

    input_tokens: int = 0
    output_tokens: int | None = None
    most_output_tokens: int = 8192


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: try again in ``seconds``, or with ``None`` when another call has ended.

    ``may_end_sooner``: a call under way decides, and will probably end before that.
    """

    seconds: float | None
    reason: str
    may_end_sooner: bool = False


class Permit:
    """The right to make one call. It is given back by settling it, exactly once."""

    __slots__ = ("began", "generation", "is_first_attempt", "is_opened", "is_settled", "model", "reserved")

    def __init__(
        self, reserved: Amounts, began: float, generation: int, model: str, is_first_attempt: bool
    ) -> None:
        self.reserved = reserved
        self.began = began
        self.generation = generation
        self.model = model
        self.is_first_attempt = is_first_attempt
        self.is_opened = False
        self.is_settled = False


class GlobalDelay:
    """Spaces starts at least ``seconds`` apart."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_start = float("-inf")

    def wait_s(self, now: float) -> float:
        """Seconds until the next start."""
        return max(0.0, self._next_start - now)

    def start(self, now: float, at_least_s: float = 0.0) -> None:
        """A call starts now; the next one may not for ``at_least_s``, if that is longer."""
        self._next_start = now + max(self._seconds, at_least_s)


class OutputHabit:
    """How much the last 50 answers wrote, in tokens."""

    def __init__(self) -> None:
        self._last: deque[int] = deque(maxlen=50)
        self._sum = 0
        self._squares = 0

    def note(self, tokens: int) -> None:
        """An answer had so many tokens."""
        if len(self._last) == self._last.maxlen:
            self._sum -= self._last[0]
            self._squares -= self._last[0] ** 2
        self._last.append(tokens)
        self._sum += tokens
        self._squares += tokens * tokens

    def expected(self, most: int, calls: int) -> int:
        """What an answer of at most ``most`` tokens takes, so that the sum over ``calls`` is hardly exceeded."""
        count = len(self._last)
        if count == 0:
            return min(most, FIRST_OUTPUT_GUESS)
        mean = self._sum / count
        deviation = math.sqrt(max(0.0, self._squares / count - mean * mean))
        return min(most, math.ceil(mean + 2 * deviation / math.sqrt(calls)))


class Admission:
    """Everything that can hold back the calls of one account, in the order in which it is asked.

    Times are seconds of one clock. Not safe to share between threads.
    """

    def __init__(self, limits: Limits, name: str = "") -> None:
        self._name = name or "the provider"
        self.windows = Windows(
            (
                limits.requests_per_minute,
                limits.tokens_per_minute,
                limits.input_tokens_per_minute,
                limits.output_tokens_per_minute,
            )
        )
        self.adaptive = AdaptiveLimit(limits.max_in_flight)
        self.pauses = Pauses()
        self.breaker = Breaker(name)
        self.in_flight = 0
        self._in_generation = 0
        self._counted_within_s = COUNTED_WITHIN_S
        self._learned_at = float("-inf")
        self._is_paced = False
        self._delay = GlobalDelay(limits.delay_s)
        self._last_start = float("-inf")
        self._habit = OutputHabit()
        self._was_answered = False
        self._probe: Permit | None = None

    def outage(self, now: float) -> Wait | None:
        """How long an open breaker holds calls back, or ``None`` if it does not."""
        if not self.breaker.is_open:
            return None
        left = self.breaker.cool_down_left_s(now)
        if left > 0:
            return Wait(left, f"{self._name} {self._trouble()}; then one call tries")
        if self._probe is not None:
            return Wait(None, f"{self._name} {self._trouble()}; one call tries now")
        return None

    def _trouble(self) -> str:
        return "refuses all calls" if self.breaker.opened_by_limits else "does not answer"

    def request(self, estimate: Estimate, now: float, *, model: str, is_first_attempt: bool) -> Permit | Wait:
        """Start a call, or say for how long not to. The breaker must let calls through: see `outage`.

        Raises the error that ended the account, and `ProviderDown` if a window stays full for over 10 minutes.
        """
        self.breaker.check(model)
        wait = self._held_back(now)
        if wait is not None:
            return wait
        reserved = self._amounts(estimate)
        full = self.windows.fullest(reserved, now)
        if full is not None:
            return self._wait_for_window(full[0].name, full[0].limit, full[0].period_s, full[1])
        return self._start(reserved, now, model, is_first_attempt)

    def opened(self, permit: Permit, report: RateReport, now: float) -> None:
        """The provider accepted the call."""
        permit.is_opened = True
        self._was_answered = True
        self.windows.observe(report, now)
        self._let_through(permit)

    def settle(
        self,
        permit: Permit,
        usage: Usage | None,
        rate: RateReport | None,
        error: ModelError | None,
        now: float,
    ) -> None:
        """The call ended. Raises `ValueError` if that was said before."""
        if permit.is_settled:
            raise ValueError("this permit was settled before: settle each exactly once")
        permit.is_settled = True
        was_probe = permit is self._probe
        if was_probe:
            self._probe = None
        self.in_flight -= 1
        if permit.generation == self.pauses.generation:
            self._in_generation -= 1
        took = _took(permit, usage, error)
        self.windows.book(permit.reserved, took, min(now, permit.began + self._counted_within_s), now)
        # What was said when the call was accepted is old by now; what a refusal says is new.
        if rate is not None and (error is not None or not permit.is_opened):
            self.windows.observe(rate, now)
        if error is None:
            self._succeeded(permit, usage, now)
        else:
            self._failed(permit, error, was_probe, now)

    def _held_back(self, now: float) -> Wait | None:
        if now < self.pauses.until:
            return Wait(self.pauses.until - now, f"{self._name} asks for a pause")
        probing = self._probing(now)
        if probing is not None:
            return probing
        crowded = self._crowded(now)
        if crowded is not None:
            return crowded
        left = self._delay.wait_s(now)
        return Wait(left, "the delay between calls") if left > 0 else None

    def _crowded(self, now: float) -> Wait | None:
        """Until the limit is known, a crowd that is not turned away lets more in: answers may take a minute."""
        reason = f"{self.in_flight} calls are under way"
        if self.in_flight < self.adaptive.limit:
            return None
        if not self.adaptive.may_double:
            return Wait(None, reason)
        left = self._last_start + LET_IN_S - now
        if left > 0:
            return Wait(left, reason, may_end_sooner=True)
        self.adaptive.let_in(self.in_flight)
        return None

    def _probing(self, now: float) -> Wait | None:
        """Where it is unknown whether calls get through at all, one goes first."""
        if self._probe is None or not self._one_at_a_time():
            return None
        if self.breaker.is_open:
            return Wait(None, f"one call tries whether {self._name} answers again")
        patience = PROBE_S if self.pauses.is_storm else FIRST_S
        left = self._probe.began + patience - now
        reason = f"one call tries whether {self._name} lets it through"
        return Wait(left, reason, may_end_sooner=True) if left > 0 else None

    def _one_at_a_time(self) -> bool:
        return not self._was_answered or self.pauses.is_storm or self.breaker.is_open

    def _amounts(self, estimate: Estimate) -> Amounts:
        output = estimate.output_tokens
        if output is None:
            output = self._habit.expected(estimate.most_output_tokens, self.in_flight + 1)
        return Amounts(1, estimate.input_tokens + output, estimate.input_tokens, output)

    def _wait_for_window(self, name: str, limit: int | None, period_s: float, seconds: float | None) -> Wait:
        reason = f"{limit:,} {name} in {_period(period_s)} are used up"
        if seconds is not None and seconds > LONGEST_OUTAGE_S:
            raise ProviderDown(
                f"{self._name}: {reason}, and there is room again in {seconds / 60:.0f} min",
                hint="Run the same command then: what is done is kept. Or take another model or account.",
            )
        return Wait(seconds, reason)

    def _start(self, reserved: Amounts, now: float, model: str, is_first_attempt: bool) -> Permit:
        permit = Permit(reserved, now, self.pauses.generation, model, is_first_attempt)
        self.windows.reserve(reserved)
        self._last_start = now
        self._delay.start(now, self.windows.spacing_s() if self._is_paced else 0.0)
        self.in_flight += 1
        self._in_generation += 1
        self.adaptive.began(self.in_flight)
        if self._probe is None and self._one_at_a_time():
            self._probe = permit
        return permit

    def _let_through(self, permit: Permit) -> None:
        self.pauses.passed(permit.generation)
        if self.breaker.opened_by_limits and permit.generation == self.pauses.generation:
            self.breaker.close()

    def _succeeded(self, permit: Permit, usage: Usage | None, now: float) -> None:
        self._was_answered = True
        self._let_through(permit)
        if not self.breaker.opened_by_limits:
            self.breaker.answered()
        if usage is not None:
            self._habit.note(usage.output_tokens)
        if now - self._learned_at > LESSON_S:
            self._counted_within_s = max(self._counted_within_s / 2, COUNTED_WITHIN_S)
            self._learned_at = now
        if permit.is_first_attempt:
            self.adaptive.succeeded(self.in_flight, now)

    def _failed(self, permit: Permit, error: ModelError, was_probe: bool, now: float) -> None:
        if error.fatal:
            self.breaker.end(error, permit.model)
        elif isinstance(error, RateLimited):
            self._limited(permit, error, now)
        elif isinstance(error, _OUTAGE):
            self.adaptive.faltered(self.in_flight)
            self._broke_down(error, was_probe, now)
        elif isinstance(error, _USELESS):
            # It lets calls through, but whoever answers like this again and again is out of order.
            self._let_through(permit)
            self._broke_down(error, was_probe, now)
        elif isinstance(error, _HEALTHY):
            self._was_answered = True
            self._let_through(permit)
            if not self.breaker.opened_by_limits:
                self.breaker.answered()

    def _broke_down(self, error: ModelError, was_probe: bool, now: float) -> None:
        was_open = self.breaker.is_open
        self.breaker.failed(error, now, was_probe=was_probe)
        if not was_open and self.breaker.is_open:
            self._probe = None  # a call of before says nothing about how things are after the cool-down

    def _limited(self, permit: Permit, error: ModelError, now: float) -> None:
        if permit.generation == self.pauses.generation:
            self._learn_from_refusal(now)
            self._probe = None  # a call of before the pause says nothing about how things are after it
        if not self.breaker.opened_by_limits:
            self.breaker.close()  # who refuses calls is not out of order
        self.pauses.limited(permit.generation, error, now)
        if error.retry_after_s is not None and error.retry_after_s > LONGEST_STATED_S:
            self.breaker.open_until(now + error.retry_after_s, self.pauses.since, error)
        elif self.pauses.rounds >= STORM_IS_OUTAGE or (
            self.pauses.is_storm and now - self.pauses.since >= LONGEST_STORM_S
        ):
            self.breaker.open_until(self.pauses.until, self.pauses.since, error)

    def _learn_from_refusal(self, now: float) -> None:
        self.adaptive.limited(self.in_flight, self._in_generation, now)
        self._in_generation = 0  # another generation begins
        if self.pauses.is_storm:
            return
        if self.windows.is_nearly_full(now) and not self._is_paced:
            self._counted_within_s = min(2 * self._counted_within_s, LONGEST_COUNTED_WITHIN_S)
            self._learned_at = now
        else:
            # There should have been room: some providers give out a minute's requests one by one.
            self._is_paced = True


def _took(permit: Permit, usage: Usage | None, error: ModelError | None) -> Amounts:
    """What the account was charged, as far as one can know."""
    if isinstance(error, _NOT_SENT):
        return Amounts()
    if usage is not None:
        fresh = max(0, usage.input_tokens - usage.cache_read_tokens)
        return Amounts(1, usage.input_tokens + usage.output_tokens, fresh, usage.output_tokens)
    # An answer without numbers, or a call that may have been answered: what was expected is all that is known.
    return permit.reserved if error is None or error.maybe_billed else Amounts(requests=1)


def _period(seconds: float) -> str:
    names = {60.0: "a minute", 3600.0: "an hour", 86400.0: "a day"}
    return names.get(seconds, f"{seconds:g} s")
