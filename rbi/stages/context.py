"""What a stage may use: asking a model, running a backtest, and the facts both need. Nothing concrete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from models.client import Answer
from rbi.domain import Brief, Idea
from rbi.intake.duplicates import Duplicate
from runners.base import BarsFile, RunResult


class Effects(Protocol):
    """The slow, paid or unrepeatable things an idea needs, remembered by the journal."""

    def brief(self, idea: Idea) -> Brief:
        """What an idea with links resolves to. Raises `rbi.intake.failures.DocumentFailed`."""
        ...

    def ask(self, idea: Idea, stage: str, inputs: Mapping[str, str]) -> Answer:
        """The answer to a stage's prompt. Raises `models.errors.ModelError`."""
        ...

    def backtest(self, idea: Idea, source: str, bars: BarsFile) -> RunResult:
        """The result of a strategy on a slice. Raises `runners.base.RunnerError`."""
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """Which ideas are worked on: those that look like none only with ``keep_flagged``, ``duplicates`` (by id) not."""

    keep_flagged: bool = False
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))


ADMIT_ALL_BUT_FLAGGED = Admission()


@dataclass(frozen=True, slots=True)
class Context:
    """``versions`` are those of the strategy environment; ``slices`` hold dev bars only."""

    effects: Effects
    slices: tuple[BarsFile, ...]
    versions: Mapping[str, str]
    admission: Admission = ADMIT_ALL_BUT_FLAGGED

    def version_inputs(self) -> dict[str, str]:
        """The versions that prompts name."""
        return {name: self.versions[name] for name in ("python", "backtesting", "pandas", "numpy")}
