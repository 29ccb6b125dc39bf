"""``rbi backtest``: strategies that the user wrote, run on every dataset without a model, repaired if asked for."""

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
from rbi.repairs import Guarded, after_run, examine
from rbi.repairs.guards import BAR_RULE
from rbi.results import findings
from rbi.stages.context import Context
from rbi.stages.run import run
from rbi.task import Recorded
from runners.base import BarsFile, Mode

# Versions that are made for how the one before failed: there are guards of orders, guards of bars, and None.
_RUNS_MORE = 3


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What the command line asks for: paths, relative ones beginning at ``folder``, the bars, and what files are.

    With ``repair`` files are mended before they are run, as far as that is possible without a model.
    """

    paths: tuple[str, ...]
    folder: str
    part: str = FULL
    mode: str = AUTO
    repair: bool = False


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
            tuple(recorded["paths"]),
            recorded["folder"],
            recorded["part"],
            recorded["mode"],
            recorded.get("repair", False),
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
        bars = "all bars" if self.request.part == FULL else "without the hold-out"
        return f"your own strategies, {bars}{', repaired' if self.request.repair else ''}"

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
            **self._repair(),
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
            **self._repair(),
        }

    def _repair(self) -> dict[str, Any]:
        """Nothing without repairs: batches from before there were any are still the same."""
        return {"repair": True} if self.request.repair else {}

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
        context = contexts[file.mode]
        if not self.request.repair:
            return run_given(_draft(file, idea), context, entered)
        entered(run.__name__)
        done = _repaired(file, idea, lambda draft: run(draft, context))
        return IdeaReport(done, conclude(done))

    def lines(self, slices: Sequence[BarsFile], recorded: Recorded) -> Iterator[str]:
        """A JSON object for each file and dataset, repeated files included, as far as there are results."""
        files = [(file.shown, file) for file in self.found.files]
        files += [(same.shown, same.first) for same in self.found.repeated]
        for shown, file in files:
            draft = self._recorded(file, slices, recorded)
            for bars in slices:
                about = {"path": shown, "same_as": file.shown if shown != file.shown else None}
                found = _changes(draft) if self.request.repair else {}
                yield json.dumps(
                    {**about, **_as_json(file, bars, draft), **found}, ensure_ascii=False, allow_nan=False
                )

    def _recorded(self, file: StrategyFile, slices: Sequence[BarsFile], recorded: Recorded) -> Draft:
        """What `work` led to, from the results that are recorded of it."""

        def replay(draft: Draft) -> Draft:
            attempt, number = draft.attempts[-1], len(draft.attempts)
            results = ((bars, recorded(file.mode, attempt.source, bars)) for bars in slices)
            backtests = (Backtest(number, bars, result) for bars, result in results if result is not None)
            return draft if attempt.problem else replace(draft, backtests=(*draft.backtests, *backtests))

        idea = Idea(0, file.text)
        return _repaired(file, idea, replay) if self.request.repair else replay(_draft(file, idea))


def _draft(file: StrategyFile, idea: Idea) -> Draft:
    attempt = Attempt(AttemptReason.GIVEN, file.source, model="", problem=file.problem)
    return Draft(idea, attempts=(attempt,), file=file.shown)


def _repaired(file: StrategyFile, idea: Idea, run_newest: Callable[[Draft], Draft]) -> Draft:
    """The draft of a file that is mended and run, and mended and run again for how it then failed.

    ``run_newest`` adds the backtests of the newest attempt.
    """
    given = _draft(file, idea)
    attempt = given.attempts[0]
    if attempt.problem:
        return run_newest(given)
    found = examine(file.source, mode=file.mode)
    attempt = replace(attempt, source=found.source, fixes=found.fixes, problems=found.problems)
    done = run_newest(replace(given, attempts=(attempt,)))
    for _ in range(_RUNS_MORE):
        newest = len(done.attempts)
        made = _mended_for(done, file.mode)
        if made is None:
            break
        if made.why_not:
            done = replace(done, remarks=(*done.remarks, f"no order guards: {made.why_not}"))
            break
        more = replace(
            attempt, reason=AttemptReason.GUARDED, source=made.source, fixes=made.fixes, base=newest
        )
        done = run_newest(replace(done, attempts=(*done.attempts, more)))
    return _without_empty_bars(done)


def _mended_for(draft: Draft, mode: Mode) -> Guarded | None:
    """The newest attempt mended for the first of its failures that something can be done about."""
    newest = len(draft.attempts)
    failures = [backtest.result.failure for backtest in draft.backtests_of(newest)]
    made = [
        after_run(draft.attempts[-1].source, mode, failure) for failure in failures if failure is not None
    ]
    return next((one for one in made if one is not None), None)


def _without_empty_bars(draft: Draft) -> Draft:
    """A version whose bars were left out stands only if it trades: else the failure is what there is to be known."""
    number = len(draft.attempts)
    left_out = [
        n for n in range(1, number + 1) if any(f.rule == BAR_RULE for f in draft.attempts[n - 1].fixes)
    ]
    if not left_out or any(b.trades for b in draft.backtests if b.attempt >= left_out[0]):
        return draft
    why = "without the bars on which it fails it does not trade"
    attempts = (
        replace(attempt, rejected=why) if n >= left_out[0] else attempt
        for n, attempt in enumerate(draft.attempts, start=1)
    )
    return replace(draft, attempts=tuple(attempts))


def _changes(draft: Draft) -> dict[str, Any]:
    """What was changed in the version that stands for the file, and what was found and left, as JSON values."""
    attempt = draft.attempts[draft.chosen - 1]
    fixes = [fix for one in reversed(list(draft.lineage(draft.chosen))) for fix in one.fixes]
    return {
        "version": attempt.version,
        "fixes": [asdict(fix) for fix in fixes],
        "changes_orders": any(fix.changes_orders for fix in fixes),
        "problems": [asdict(problem) for problem in attempt.problems],
    }


def _as_json(file: StrategyFile, bars: BarsFile, draft: Draft) -> dict[str, Any]:
    about = {"dataset": bars.name, "part": bars.part, "mode": file.mode.value, "sha256": file.digest}
    backtest = next((b for b in draft.chosen_backtests if b.bars == bars), None)
    if backtest is None:
        outcome = conclude(draft).kind.value if file.problem else None
        failure = asdict(file.problem) if file.problem else None
        return {**about, "outcome": outcome, "failure": failure}
    result = backtest.result
    alone = replace(draft, attempts=draft.attempts[: backtest.attempt], backtests=(backtest,))
    return {
        **about,
        "outcome": conclude(alone).kind.value,
        "trades": result.stats.trades if result.stats else None,
        "stats": result.stats.to_json() if result.stats else None,
        **findings(backtest),
        "elapsed_s": result.elapsed_s,
    }
