"""The offline writer: reads ideas by rules and writes strategies, without a key, a network or a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.base import Account, BaseModel, ModelResponse, Prompt, RateReport, Usage
from models.errors import BadRequest, Refused
from models.providers.offline.compose import compose
from models.providers.offline.note import ADVICE, write_note
from models.providers.offline.revise import optimize, repair
from models.providers.offline.rules import Coverage
from models.providers.offline.understand import understand

RULES_VERSION = 2
"""Raised whenever the same prompt may give another answer, so that remembered answers are not used for it."""


class OfflineWriter(BaseModel):
    """A rule-based strategist behind the contract of a model. The same prompt gives the same bytes."""

    provider = "offline"
    model = "rules"
    account = Account("offline", "")
    is_language_model = False

    def request_body(self, prompt: Prompt) -> Mapping[str, Any]:
        """The stage, its inputs and the version of the rules: nothing else changes the answer."""
        return {
            "model": self.model,
            "rules_version": RULES_VERSION,
            "stage": prompt.stage,
            "inputs": dict(sorted(prompt.inputs.items())),
        }

    def generate(
        self,
        prompt: Prompt,
        *,
        deadline_s: float,  # noqa: ARG002  it never waits
        opened: Callable[[RateReport], None] | None = None,  # noqa: ARG002  and is never limited
    ) -> ModelResponse:
        """Answer from ``prompt.inputs``; takes milliseconds, whatever ``deadline_s``.

        Raises `BadRequest` for a stage it does not know or an input that is missing, and `Refused` when it is
        asked to write an idea whose entry it does not understand.
        """
        return ModelResponse(
            text=self._answer(prompt), provider=self.provider, model=self.model, usage=Usage()
        )

    def _answer(self, prompt: Prompt) -> str:
        if prompt.stage == "research":
            idea = _input(prompt, "idea")
            return write_note(understand(idea), idea)
        if prompt.stage == "write":
            return _write(_input(prompt, "idea"))
        if prompt.stage == "debug":
            own = _module(prompt.inputs.get("idea", ""))
            return repair(_input(prompt, "code"), _input(prompt, "failure"), own)
        if prompt.stage == "optimize":
            return optimize(
                _input(prompt, "code"), prompt.inputs.get("stats", ""), prompt.inputs.get("history", "")
            )
        raise BadRequest(
            f"the offline writer has no stage {prompt.stage!r}",
            hint="It knows research, write, debug and optimize; choose a language model with --model.",
            model=self.model,
        )


def _write(idea: str) -> str:
    plan = understand(idea)
    if plan.coverage is Coverage.NONE:
        raise Refused(f"the offline writer does not understand this idea: {plan.why_not}", hint=ADVICE)
    return f"```python\n{compose(plan, idea)}```\n"


def _module(idea: str) -> str | None:
    plan = understand(idea)
    return compose(plan, idea) if plan.coverage is not Coverage.NONE else None


def _input(prompt: Prompt, name: str) -> str:
    value = prompt.inputs.get(name)
    if value is None:
        raise BadRequest(
            f"the offline writer needs the input {name!r} for the stage {prompt.stage!r}",
            hint=f"Pass {name!r} in the prompt's inputs; the offline writer does not read the prompt's text.",
        )
    return value
