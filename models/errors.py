"""What can go wrong with a model call. Every error carries what the user can do about it.

Three questions decide what happens next: is it worth repeating (``retryable``), does it end every further
call to the same account (``fatal``), and was the call perhaps billed (``maybe_billed``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from models.base import RateReport, Usage


class ModelError(Exception):
    """A model call that gave no usable answer. ``hint`` is the command or edit that helps."""

    retryable: ClassVar[bool] = False
    fatal: ClassVar[bool] = False
    maybe_billed: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        usage: Usage | None = None,
        model: str | None = None,
        rate: RateReport | None = None,
        reported_cost_usd: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        self.retry_after_s = retry_after_s
        self.usage = usage
        self.model = model
        self.rate = rate
        self.reported_cost_usd = reported_cost_usd

    @property
    def kind(self) -> str:
        """A stable name for results and counts, such as ``rate_limited``."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class UnknownProvider(ModelError):
    """The name before the colon is no provider."""

    fatal = True


class UnknownModel(ModelError):
    """The provider does not have (or does not let this key use) the model."""

    fatal = True


class MissingKey(ModelError):
    """The provider needs a key and its variable is not set."""

    fatal = True


class BadSetting(ModelError):
    """A key or an address is set to something that cannot be one."""

    fatal = True


class BadChain(BadSetting):
    """A list of models with an empty name in it, or with one model twice."""


class BadKey(ModelError):
    """The provider refused the key."""

    fatal = True


class QuotaExhausted(ModelError):
    """The account has no money or quota left: waiting does not help."""

    fatal = True


class ProviderDown(ModelError):
    """The provider has not answered for so long that waiting on is no use."""

    fatal = True


class CircuitOpen(ModelError):
    """The provider failed many times in a row and is left alone for a while; nothing was sent."""


class BudgetSpent(ModelError):
    """The worst case of the next call does not fit into what is left of ``budget``; nothing was sent.

    ``committed_usd`` of ``limit_usd`` US dollars are spent, or reserved for calls whose cost is not known.
    """

    def __init__(
        self, message: str, *, hint: str, budget: str, committed_usd: Decimal, limit_usd: Decimal
    ) -> None:
        super().__init__(message, hint=hint)
        self.budget = budget
        self.committed_usd = committed_usd
        self.limit_usd = limit_usd


class BadRequest(ModelError):
    """The provider refused the request itself."""


class RateLimited(ModelError):
    """Too many requests or tokens for now."""

    retryable = True


class Overloaded(ModelError):
    """The provider is busy or failing (5xx)."""

    retryable = True


class ConnectionFailed(ModelError):
    """The provider could not be reached, or the connection broke."""

    retryable = True
    maybe_billed = True


class DeadlineExceeded(ModelError):
    """The answer was not complete within the wall-clock deadline."""

    retryable = True
    maybe_billed = True


class EmptyAnswer(ModelError):
    """The provider answered without text."""

    retryable = True
    maybe_billed = True


class MalformedAnswer(ModelError):
    """The provider answered with something that is not an answer (an error body with status 200, garbage)."""

    retryable = True
    maybe_billed = True


class Truncated(ModelError):
    """The answer was cut off again and again, however often it was continued."""

    maybe_billed = True


class Refused(ModelError):
    """The model declined to answer."""

    maybe_billed = True


class Interrupted(ModelError):
    """The asking was stopped from outside before there was an answer: nothing is known about the question."""
