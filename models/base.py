"""The contract of a model: a prompt goes in, one answer comes out, or a `ModelError` is raised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

GO_ON = (
    "Your answer was cut off. Continue it from exactly the character where it stopped."
    " Repeat nothing, explain nothing, and do not open a new code block."
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a model.

    ``inputs`` are the values that were rendered into ``user`` (for example ``idea`` or ``code``): a
    language model never sees them, the offline writer works from them instead of from prose.
    ``max_output_tokens`` counts tokens. ``temperature`` left at ``None`` is the provider's own. ``continuing`` is
    the text of an answer that was cut off and is to be gone on with: the model is shown the question, that text
    as its own words, and `GO_ON`.
    """

    stage: str
    system: str
    user: str
    inputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_output_tokens: int = 8192
    temperature: float | None = None
    continuing: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer. ``input_tokens`` includes the cached ones, whatever the provider's habit.

    ``output_tokens`` includes ``reasoning_tokens``.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class StopReason(StrEnum):
    """Why the model stopped writing. A ``TRUNCATED`` text is a part of an answer, never an answer."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One limit as a provider states it: ``remaining`` of ``limit`` units in a period of ``period_s`` seconds.

    All of it is there again ``reset_s`` seconds after the statement. ``None`` where the provider says nothing.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RateReport:
    """What the headers of a response say about the account's limits.

    ``tokens`` counts input and output together; ``input_tokens`` and ``output_tokens`` count them apart.
    """

    requests: Allowance | None = None
    tokens: Allowance | None = None
    input_tokens: Allowance | None = None
    output_tokens: Allowance | None = None


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """An answer, or with `StopReason.TRUNCATED` a part of one. ``model`` is what the provider says wrote it.

    ``reported_cost_usd`` carries a price that came with the answer itself (OpenRouter sends one).
    """

    text: str
    provider: str
    model: str
    usage: Usage | None
    stop: StopReason = StopReason.COMPLETE
    request_id: str | None = None
    reported_cost_usd: float | None = None
    rate: RateReport | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What a provider limits together: calls of one account wait for each other, others do not.

    ``key_digest`` is a short one-way digest of the key, so that two keys of one service are two accounts.
    """

    provider: str
    base_url: str
    key_digest: str = ""


class BaseModel(ABC):
    """One model of one provider, safe to call from many threads at once."""

    provider: str
    model: str
    account: Account
    is_language_model: bool = True

    @property
    def name(self) -> str:
        """``provider:model``, as given to ``--model``."""
        return f"{self.provider}:{self.model}"

    def request_body(self, prompt: Prompt) -> Mapping[str, Any]:
        """Everything sent that can change the answer, as JSON values: never a key, timeout or retry count.

        With the provider and base URL this is what an answer is remembered under.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "system": prompt.system,
            "user": prompt.user,
            "max_output_tokens": prompt.max_output_tokens,
        }
        # Only when they are set: a remembered answer must be found under the key it was paid for.
        if prompt.temperature is not None:
            body["temperature"] = prompt.temperature
        if prompt.continuing:
            body["continuing"] = prompt.continuing
        return body

    def get_ready(self) -> None:  # noqa: B027 - most models are ready
        """Do what takes time before a first question and is done once, such as importing an SDK.

        Called before each question, while no call of the account is held up by it.
        """

    @abstractmethod
    def generate(
        self,
        prompt: Prompt,
        *,
        deadline_s: float,
        opened: Callable[[RateReport], None] | None = None,
    ) -> ModelResponse:
        """Ask once, without retrying, and return the answer, or the part of it that came before it was cut off.

        ``deadline_s`` is wall-clock seconds for the whole answer. ``opened`` is called, in the asking thread, when
        the provider has accepted the request and before the answer is complete, if that can be told apart.
        Raises a `ModelError` subclass for everything that is not a usable text, including empty and refused ones.
        """
