"""The contract of a model: a prompt goes in, one answer comes out, or a `ModelError` is raised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to a model.

    ``inputs`` are the values that were rendered into ``user`` (for example ``idea`` or ``code``): a
    language model never sees them, the offline writer works from them instead of from prose.
    ``max_output_tokens`` counts tokens.
    """

    stage: str
    system: str
    user: str
    inputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_output_tokens: int = 8192


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
    """Why the model stopped writing. Only ``COMPLETE`` answers are ever used or remembered."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """An answer. ``model`` is what the provider says wrote it; ``cost_usd`` is ``None`` when unknown.

    ``reported_cost_usd`` carries a price that came with the answer itself (OpenRouter sends one).
    """

    text: str
    provider: str
    model: str
    usage: Usage | None
    stop: StopReason = StopReason.COMPLETE
    request_id: str | None = None
    reported_cost_usd: float | None = None


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
        return {
            "model": self.model,
            "system": prompt.system,
            "user": prompt.user,
            "max_output_tokens": prompt.max_output_tokens,
        }

    @abstractmethod
    def generate(self, prompt: Prompt, *, deadline_s: float) -> ModelResponse:
        """Ask once, without retrying, and return the answer.

        ``deadline_s`` is wall-clock seconds for the whole answer. Raises a `ModelError` subclass for
        everything that is not a usable answer, including empty, refused and truncated ones.
        """
