"""A model that answers from a list, for tests of what goes on around models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from models.base import Account, BaseModel, ModelResponse, Prompt, RateReport, Usage

USAGE = Usage(1000, 100)
Outcome = str | ModelResponse | Exception


class ScriptedModel(BaseModel):
    """Gives its outcomes in turn, then ``then`` for ever: text, a response, or an error that is raised.

    ``usage`` goes with every text. ``prompts`` are those it was given.
    """

    def __init__(
        self,
        outcomes: Iterable[Outcome] = (),
        *,
        then: Outcome = "fine",
        provider: str = "openai",
        model: str = "gpt-4o",
        key: str = "k",
        seconds: float = 0,
        usage: Usage = USAGE,
    ) -> None:
        self.provider, self.model = provider, model
        self.account = Account(provider, "http://x", key)
        self.prompts: list[Prompt] = []
        self._outcomes = iter(tuple(outcomes))
        self._then = then
        self._seconds = seconds
        self._usage = usage
        self._lock = threading.Lock()

    @property
    def asked(self) -> int:
        """How often it was asked."""
        return len(self.prompts)

    def generate(
        self,
        prompt: Prompt,
        *,
        deadline_s: float,
        opened: Callable[[RateReport], None] | None = None,
    ) -> ModelResponse:
        with self._lock:
            self.prompts.append(prompt)
            outcome = next(self._outcomes, self._then)
        self._seconds and time.sleep(self._seconds)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, ModelResponse):
            return outcome
        return ModelResponse(outcome, self.provider, self.model, self._usage)
