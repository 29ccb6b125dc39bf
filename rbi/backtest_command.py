"""``rbi backtest``: strategies that the user wrote, run on every dataset without a model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rbi.data.catalog import Dataset
from rbi.data.slices import DEV, FULL, dev, full, write_npz
from rbi.data.texts import write_text
from rbi.domain import Attempt, AttemptReason, Backtest, Draft, Idea, IdeaReport
from rbi.errors import RbiError
from rbi.intake.strategy_files import AUTO, StrategyFile, StrategyFiles, read_strategy_files
from rbi.pipeline import conclude, run_given
from rbi.records import OWN_STRATEGIES, BatchRecord
from rbi.results import findings
from rbi.stages.context import Context
from rbi.task import Recorded
from runners.base import BarsFile, Mode, RunResult


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What the command line asks for: paths, relative ones beginning at ``folder``, the bars, and what files are."""

    paths: tuple[str, ...]
    folder: str
    part: str = FULL
    mode: str = AUTO


@dataclass(frozen=True, slots=True)
class OwnStrategies:
    """The strategies of a request as read: what a batch of them works on. ``hold_out`` is the fraction left out."""

    request: BacktestRequest
    found: StrategyFiles
    hold_out: float
    streams_events: bool = False

    @classmethod
    def read(cls, request: BacktestRequest, hold_out: float) -> OwnStrategies:
        """Read the files; ``hold_out`` is what the dev part leaves out. Raises as `read_strategy_files` does."""
        found = read_strategy_files(request.paths, request.mode, base=Path(request.folder))
        return cls(request, found, hold_out if request.part == DEV else 0.0)

    @classmethod
    def of(cls, batch: BatchRecord, hold_out: float) -> OwnStrategies | None:
        """The strategies of a recorded batch, read again; ``None`` if it is no batch of backtests.

        Raises `RbiError` when they are not the ones that the batch began with, and what `read` raises.
        """
        recorded = batch.settings.get("identity", {}).get(OWN_STRATEGIES)
        if recorded is None:
            return None
        request = BacktestRequest(
            tuple(recorded["paths"]), recorded["folder"], recorded["part"], recorded["mode"]
        )
        strategies = cls.read(request, hold_out)
        if strategies.found.digest != recorded["files"]:
            raise RbiError(
                f"the strategies are not the ones that batch {batch.name} began with",
                where=", ".join(request.paths),
                fix="`rbi backtest PATH...` begins another batch: finished backtests are used again",
            )
        return strategies

    @property
    def label(self) -> str:
        """What stands where other batches have their model."""
        return f"your own strategies, {'all bars' if self.request.part == FULL else 'without the hold-out'}"

    @property
    def place(self) -> str:
        """The file or folder that holds them all; the batch is named after it."""
        return os.path.commonpath([str(Path(self.request.folder, path)) for path in self.request.paths])

    @property
    def texts(self) -> tuple[str, ...]:
        """The words under which the batch knows them."""
        return tuple(file.text for file in self.found.files)

    @property
    def use_terms(self) -> bool:
        """Whether any of them trades with the terms of the settings: programs bring their own."""
        return any(file.mode is Mode.CLASS for file in self.found.files)

    def identity(self) -> dict[str, Any]:
        """What tells this batch from others, as JSON values."""
        request = self.request
        recorded = {
            "paths": list(request.paths),
            "folder": request.folder,
            "part": request.part,
            "mode": request.mode,
            "files": self.found.digest,
        }
        return {"model": self.label, OWN_STRATEGIES: recorded}

    def description(self) -> dict[str, Any]:
        """What ``run.json`` says of them."""
        repeated = [{"path": same.shown, "same_as": same.first.shown} for same in self.found.repeated]
        request = self.request
        return {
            "paths": list(request.paths),
            "part": request.part,
            "mode": request.mode,
            "repeated": repeated,
        }

    def slices(self, datasets: Sequence[Dataset], folder: Path) -> tuple[BarsFile, ...]:
        """The bars that they are run on, as files in ``folder``; with the text of the bars if there are programs."""
        return tuple(self._bars_file(dataset, folder) for dataset in datasets)

    def _bars_file(self, dataset: Dataset, folder: Path) -> BarsFile:
        part = full(dataset) if self.request.part == FULL else dev(dataset, self.hold_out)
        bars = write_npz(part, folder)
        if all(file.mode is Mode.CLASS for file in self.found.files):
            return bars
        return replace(bars, text=write_text(part, dataset, folder))

    def work(
        self, idea: Idea, contexts: Mapping[Mode, Context], entered: Callable[[str], None]
    ) -> IdeaReport:
        """Take the strategy that a batch knows as ``idea`` to its outcome."""
        file = next(file for file in self.found.files if file.text == idea.text)
        return run_given(_draft(file, idea), contexts[file.mode], entered)

    def lines(self, slices: Sequence[BarsFile], recorded: Recorded) -> Iterator[str]:
        """A JSON object for each file and dataset, repeated files included, as far as there are results."""
        files = [(file.shown, file) for file in self.found.files]
        files += [(same.shown, same.first) for same in self.found.repeated]
        for shown, file in files:
            for bars in slices:
                about = {"path": shown, "same_as": file.shown if shown != file.shown else None}
                result = None if file.problem else recorded(file.mode, file.source, bars)
                yield json.dumps(
                    {**about, **_as_json(file, bars, result)}, ensure_ascii=False, allow_nan=False
                )


def _draft(file: StrategyFile, idea: Idea) -> Draft:
    attempt = Attempt(AttemptReason.GIVEN, file.source, model="", problem=file.problem)
    return Draft(idea, attempts=(attempt,), file=file.shown)


def _as_json(file: StrategyFile, bars: BarsFile, result: RunResult | None) -> dict[str, Any]:
    about = {"dataset": bars.name, "part": bars.part, "mode": file.mode.value, "sha256": file.digest}
    draft = _draft(file, Idea(0, file.text))
    if result is None:
        outcome = conclude(draft).kind.value if file.problem else None
        failure = asdict(file.problem) if file.problem else None
        return {**about, "outcome": outcome, "failure": failure}
    backtest = Backtest(1, bars, result)
    outcome = conclude(replace(draft, backtests=(backtest,))).kind.value
    return {
        **about,
        "outcome": outcome,
        "trades": result.stats.trades if result.stats else None,
        "stats": result.stats.to_json() if result.stats else None,
        **findings(backtest),
        "elapsed_s": result.elapsed_s,
    }
