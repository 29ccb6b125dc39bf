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
    """Which ideas are worked on: those that look like none only with ``keep_flagged``, ``duplicates`` (by id) not.

    Those that need data which is not here only with ``keep_infeasible``.
    """

    keep_flagged: bool = False
    duplicates: Mapping[str, Duplicate] = field(default_factory=lambda: MappingProxyType({}))
    keep_infeasible: bool = False


ADMIT_ALL_BUT_FLAGGED = Admission()


OHLCV = ("Open", "High", "Low", "Close", "Volume")
# What a strategy may import beside the libraries that have places of their own: module -> its name as published.
_LIBRARIES = {"talib": "TA-Lib", "pandas_ta": "pandas-ta", "scipy": "SciPy"}


@dataclass(frozen=True, slots=True)
class Context:
    """``versions`` are those of the strategy environment; ``slices`` hold dev bars only, with these ``columns``."""

    effects: Effects
    slices: tuple[BarsFile, ...]
    versions: Mapping[str, str]
    admission: Admission = ADMIT_ALL_BUT_FLAGGED
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
