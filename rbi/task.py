"""What a batch works on, and how one piece of it is taken to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rbi.data.catalog import Dataset
from rbi.data.slices import DEV, dev, write_npz
from rbi.domain import Idea, IdeaReport
from rbi.pipeline import run_idea
from rbi.stages.context import ADMIT_ALL_BUT_FLAGGED, Admission, Context
from runners.base import BarsFile, Mode, RunResult

# The recorded result of a source on a slice; None if it was not run.
Recorded = Callable[[Mode, str, BarsFile], RunResult | None]


class Task(Protocol):
    """The work of a batch. ``streams_events``: its output for machines is what happens, not `lines` at the end."""

    @property
    def label(self) -> str:
        """Who or what writes the strategies, as shown."""
        ...

    @property
    def hold_out(self) -> float:
        """The fraction of a dataset's bars that its strategies do not see."""
        ...

    @property
    def streams_events(self) -> bool:
        """See above."""
        ...

    def description(self) -> Mapping[str, Any]:
        """What ``run.json`` says of it, as JSON values."""
        ...

    def slices(self, datasets: Sequence[Dataset], folder: Path) -> tuple[BarsFile, ...]:
        """The bars that strategies are run on, as files in ``folder``."""
        ...

    def work(
        self, idea: Idea, contexts: Mapping[Mode, Context], entered: Callable[[str], None]
    ) -> IdeaReport:
        """Take one idea to its outcome. ``contexts`` differ in what sources are; ``entered`` is told each stage."""
        ...

    def lines(self, slices: Sequence[BarsFile], recorded: Recorded) -> Iterator[str]:
        """JSON of what came out, a line each, for machines."""
        ...


@dataclass(frozen=True, slots=True)
class IdeasTask:
    """Ideas, for which models write strategies. No more than the dev slice of a dataset is written anywhere."""

    label: str
    hold_out: float
    admission: Admission = ADMIT_ALL_BUT_FLAGGED
    streams_events: bool = True

    def description(self) -> Mapping[str, Any]:
        """See `Task`."""
        return {"part": DEV}

    def slices(self, datasets: Sequence[Dataset], folder: Path) -> tuple[BarsFile, ...]:
        """See `Task`."""
        return tuple(write_npz(dev(dataset, self.hold_out), folder) for dataset in datasets)

    def work(
        self, idea: Idea, contexts: Mapping[Mode, Context], entered: Callable[[str], None]
    ) -> IdeaReport:
        """See `Task`."""
        return run_idea(idea, replace(contexts[Mode.CLASS], admission=self.admission), entered)

    def lines(self, slices: Sequence[BarsFile], recorded: Recorded) -> Iterator[str]:  # noqa: ARG002 - see `Task`
        """See `Task`: the events have told it all."""
        return iter(())
