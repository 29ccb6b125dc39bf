"""When to leave an account alone: for good after a fatal error, for a while when the provider does not answer."""

from __future__ import annotations

from enum import StrEnum

from models.errors import CircuitOpen, ModelError, ProviderDown, UnknownModel

FAILURES_IF_NEW = 3
FAILURES_IF_KNOWN = 8
FIRST_COOL_DOWN_S = 5.0
LONGEST_COOL_DOWN_S = 60.0
LONGEST_OUTAGE_S = 600.0


class BreakerState(StrEnum):
    """Whether calls go out: all, none, or one to see how things are. ``ENDED`` is for good."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    ENDED = "ended"


class Breaker:
    """Counts failures in a row and opens. Decisions only: it is told the time, and has no lock."""

    def __init__(self, name: str = "") -> None:
        self._name = name or "the provider"
        self._ended: dict[str, ModelError] = {}
        self._has_answered = False
        self._in_a_row = 0
        self._is_open = False
        self._cool_down_s = FIRST_COOL_DOWN_S
        self._since = float("-inf")
        self._until = float("-inf")
        self._reason = ""
        self.opened_by_limits = False

    def state(self, now: float) -> BreakerState:
        """What the breaker lets through."""
        if "" in self._ended:
            return BreakerState.ENDED
        if not self._is_open:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until else BreakerState.HALF_OPEN

    @property
    def is_open(self) -> bool:
        """Whether calls are held back, even if one may go to see how things are."""
        return self._is_open

    @property
    def has_ended(self) -> bool:
        """Whether the account or one of its models has ended for good."""
        return bool(self._ended)

    def check(self, model: str) -> None:
        """Raise the error that ended the account or this model of it, if there was one."""
        if not self._ended:
            return
        first = self._ended.get("") or self._ended.get(model)
        if first is not None:
            # A new one: raising one object in many threads would mix up their tracebacks.
            raise type(first)(first.message, hint=first.hint, status=first.status, model=first.model)

    def end(self, error: ModelError, model: str) -> None:
        """Let nothing through any more: to ``model`` if only that is unknown, else to the whole account."""
        self._ended.setdefault(model if isinstance(error, UnknownModel) else "", error)

    def cool_down_left_s(self, now: float) -> float:
        """Seconds until the next call may try. 0 if it may now."""
        return max(0.0, self._until - now) if self._is_open else 0.0

    def outage_left_s(self, now: float) -> float:
        """Seconds until waiting is no use any more: 10 minutes after the first failure."""
        return self._since + LONGEST_OUTAGE_S - now

    def is_hopeless(self, now: float) -> bool:
        """Whether the outage has lasted, or is said to last, 10 minutes."""
        return self._is_open and (
            self.outage_left_s(now) <= 0 or self.cool_down_left_s(now) > LONGEST_OUTAGE_S
        )

    def failed(self, error: ModelError, now: float, *, was_probe: bool) -> None:
        """The provider did not answer, or said that it cannot."""
        if self._in_a_row == 0 and not self._is_open:
            self._since = now
        self._in_a_row += 1
        if self._is_open:
            # What was under way when it opened is old news; the one that went to see is not.
            if was_probe:
                self._cool_down_s = min(2 * self._cool_down_s, LONGEST_COOL_DOWN_S)
                self._until = now + self._cool_down_s
                self._reason = error.message
        elif self._in_a_row >= (FAILURES_IF_KNOWN if self._has_answered else FAILURES_IF_NEW):
            self._is_open = True
            self.opened_by_limits = False
            self._cool_down_s = FIRST_COOL_DOWN_S
            self._until = now + self._cool_down_s
            self._reason = error.message

    def open_until(self, until: float, since: float, error: ModelError) -> None:
        """Open because calls are refused for their rate since ``since``, for longer than one waits quietly."""
        if not self._is_open:
            self._since = since
        self._is_open = True
        self.opened_by_limits = True
        self._until = max(self._until, until)
        self._reason = error.message

    def answered(self) -> None:
        """The provider answered a call, whatever the answer is worth."""
        self._has_answered = True
        self.close()

    def close(self) -> None:
        """Let everything through again."""
        self._in_a_row = 0
        self._is_open = False
        self.opened_by_limits = False
        self._cool_down_s = FIRST_COOL_DOWN_S
        self._until = float("-inf")

    def circuit_open(self, now: float) -> CircuitOpen:
        """The error for a call that does not wait until the outage is over.

        Its ``retry_after_s`` is the rest of the cool-down, ``None`` while one call sees how things are.
        """
        left = self.cool_down_left_s(now)
        return CircuitOpen(
            f"{self._name} is left alone for {left:.0f} s: {self._reason}",
            hint="Run the same command again later: what is done is kept.",
            retry_after_s=left or None,
        )

    def provider_down(self, now: float) -> ProviderDown:
        """The error for a call that has waited long enough."""
        left = self.cool_down_left_s(now)
        message = (
            f"{self._name} asks to be left alone for {left / 60:.0f} min"
            if left > LONGEST_OUTAGE_S
            else f"{self._name} has not answered for {(now - self._since) / 60:.0f} min"
        )
        return ProviderDown(
            f"{message}: {self._reason}",
            hint="Look at the provider's status page. Run the same command later: what is done is kept.",
        )
