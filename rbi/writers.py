"""Who writes what: the models of each stage, in the order in which they are asked, and what they may spend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from models.base import BaseModel, Prompt
from models.client import Budget

if TYPE_CHECKING:
    from models.factory import ModelFactory
    from rbi.config import Settings

BUDGET = "budget"
BUDGET_PER_IDEA = "budget per idea"

# Stage -> the setting that names its models; every other stage is written by those of ``model``.
STAGE_SETTINGS: Mapping[str, str] = {
    "research": "research_model",
    "write": "code_model",
    "debug": "debug_model",
    "optimize": "optimize_model",
}


@dataclass(frozen=True, slots=True)
class Writers:
    """The models of a batch: ``main``, and those of stages that have their own.

    ``max_output_tokens`` and ``temperature`` go with every prompt.
    """

    main: tuple[BaseModel, ...]
    by_stage: Mapping[str, tuple[BaseModel, ...]]
    max_output_tokens: int
    temperature: float | None

    def of(self, stage: str) -> tuple[BaseModel, ...]:
        """The models of a stage: the first, and those to fall back on."""
        return self.by_stage.get(stage, self.main)

    def limited(self, prompt: Prompt) -> Prompt:
        """The prompt with the settings that go with every one."""
        return replace(prompt, max_output_tokens=self.max_output_tokens, temperature=self.temperature)

    @property
    def name(self) -> str:
        """The main models as ``--model`` takes them."""
        return chain_name(self.main)

    @property
    def are_language_models(self) -> bool:
        """Whether anything but the offline writer may write."""
        return any(model.is_language_model for model in self)

    def __iter__(self) -> Iterator[BaseModel]:
        """Every model that may be asked, each once."""
        chains = (self.main, *self.by_stage.values())
        return iter({model.name: model for chain in chains for model in chain}.values())

    def identity(self) -> dict[str, str]:
        """The models as resolved, under the names of their settings."""
        own = {STAGE_SETTINGS[stage]: chain_name(chain) for stage, chain in self.by_stage.items()}
        return {"model": self.name, **own}


def writers(settings: Settings, factory: ModelFactory) -> Writers:
    """The models that the settings name. Raises `models.errors.ModelError` when one of them cannot be asked."""
    own = {stage: str(getattr(settings, key)) for stage, key in STAGE_SETTINGS.items()}
    return Writers(
        main=factory.create_chain(settings.model or factory.default()),
        by_stage={stage: factory.create_chain(spec) for stage, spec in own.items() if spec},
        max_output_tokens=settings.max_output_tokens,
        temperature=settings.temperature,
    )


def chain_name(chain: Sequence[BaseModel]) -> str:
    """Models as ``--model`` takes them."""
    return ",".join(model.name for model in chain)


def budgets(settings: Settings) -> tuple[Budget, ...]:
    """The limits on spending that the settings set."""
    limits = (
        (BUDGET, settings.budget, ("batch",)),
        (BUDGET_PER_IDEA, settings.budget_per_idea, ("batch", "idea")),
    )
    return tuple(Budget(name, Decimal(str(usd)), by) for name, usd, by in limits if usd is not None)
