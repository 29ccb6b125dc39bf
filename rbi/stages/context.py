"""What a stage may use: asking a model, running a backtest, and the facts both need. Nothing concrete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from models.client import Answer
from rbi.domain import Brief, Idea
from rbi.intake.duplicates import Duplicate
from runners.base import BarsFile, RunResult, Scalar


@dataclass(frozen=True, slots=True)
class Scenario:
    """Bars, parameters of the class in place of its own, and costs as a multiple of the batch's."""

    bars: BarsFile
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    cost_factor: float = 1.0


class Effects(Protocol):
    """The slow, paid or unrepeatable things an idea needs, remembered by the journal."""

    def brief(self, idea: Idea) -> Brief:
        """What an idea with links resolves to. Raises `rbi.intake.failures.DocumentFailed`."""
        ...

    def ask(self, idea: Idea, stage: str, inputs: Mapping[str, str]) -> Answer:
        """The answer to a stage's prompt. Raises `models.errors.ModelError`."""
        ...

    def backtest(self, idea: Idea, stage: str, source: str, scenario: Scenario) -> RunResult:
        """The result of a strategy in one scenario. Raises `runners.base.RunnerError`."""
        ...

    def scores(
        self, idea: Idea, stage: str, source: str, scenarios: Sequence[Scenario]
    ) -> tuple[RunResult, ...]:
        """The statistics of a strategy in many scenarios, one result for each, without trades and equity.

        They share one process: a winner is run by itself before it counts. Raises `runners.base.RunnerError`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """Which ideas are worked on: those that look like none only with ``keep_flagged``, ``duplicates`` (by id) not.

    Those that need data which is not here only with ``keep_infeasible``.
    """

    keep_flagged: bool = False
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))
    keep_infeasible: bool = False


ADMIT_ALL_BUT_FLAGGED = Admission()


class Score(StrEnum):
    """What optimizing tries to raise, as the mean over the datasets."""

    RETURN = "return"  # percent over the slice
    SHARPE = "sharpe"  # annualised


@dataclass(frozen=True, slots=True)
class Goal:
    """What optimizing is after: ``score`` at ``target`` or above, in at most ``rounds`` answers of a model."""

    score: Score = Score.RETURN
    target: float = 50.0
    rounds: int = 10


OHLCV = ("Open", "High", "Low", "Close", "Volume")
# What a strategy may import beside the libraries that have places of their own: module -> its name as published.
_LIBRARIES = {"talib": "TA-Lib", "pandas_ta": "pandas-ta", "scipy": "SciPy"}


@dataclass(frozen=True, slots=True)
class Context:
    """``versions`` are those of the strategy environment; ``slices`` hold dev bars only, with these ``columns``.

    ``other_future`` writes bars that are others from the open of a bar (0-based) on.
    ``debug_rounds`` is the most answers of a model that an idea's strategy is debugged with.
    """

    effects: Effects
    slices: tuple[BarsFile, ...]
    versions: Mapping[str, str]
    other_future: Callable[[BarsFile, int], BarsFile]
    admission: Admission = ADMIT_ALL_BUT_FLAGGED
    debug_rounds: int = 10
    goal: Goal = Goal()
    columns: tuple[str, ...] = OHLCV

    @property
    def column_names(self) -> str:
        """The columns in a sentence."""
        return f"{', '.join(self.columns[:-1])} and {self.columns[-1]}"

    def version_inputs(self) -> dict[str, str]:
        """What prompts say of the place where strategies run: versions, libraries and columns."""
        own = {name: self.versions[name] for name in ("python", "backtesting", "pandas", "numpy")}
        return {**own, "libraries": self._libraries(), "columns": self.column_names}

    def _libraries(self) -> str:
        found = [
            f"{name} {self.versions[module]} (`import {module}`)"
            for module, name in _LIBRARIES.items()
            if module in self.versions
        ]
        return ", ".join(found) or "none"
