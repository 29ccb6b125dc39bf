"""Many ideas over a thread pool: scheduled, shared between processes, interrupted and drained."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.errors import BudgetSpent, ModelError
from models.errors import Interrupted as CallInterrupted
from models.stopping import Flag
from rbi.domain import Draft, Idea, IdeaReport, Outcome, OutcomeKind
from rbi.economy import economy, economy_json
from rbi.effects import Interrupted
from rbi.errors import RbiError
from rbi.events import BatchFinished, BudgetReached, Events, IdeaFinished, IdeaStarted, Notice, StageStarted
from rbi.journal import Journal
from rbi.locks import FileLock
from rbi.records import IdeaRecord
from rbi.results import IdeaFolders
from rbi.run_folder import RunFolder
from rbi.terminal import IDEA_THREADS
from rbi.turns import Turns
from runners.base import RunInterrupted, RunnerError

POLL_S = 0.1
IN_HAND = 3  # ideas for each worker at most, those that wait for a backtest among them
_MOST_WAITING = 40  # keep all cores busy; each idea in hand has a thread and an open file
_LAST_LOOKS = 10  # `POLL_S` apart, after what runs was told to end now


class Ending(StrEnum):
    """How a batch stopped."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    BUDGET = "budget spent"
    ERROR = "error"


def in_hand(workers: int) -> int:
    """How many ideas may have begun and not ended."""
    return min(IN_HAND * workers, workers + _MOST_WAITING)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """``stuck`` effects did not end when asked to; they are left behind and count as possibly paid.

    ``was_watching`` says that more ideas might have come.
    """

    ending: Ending
    error: Exception | None = None
    stuck: int = 0
    was_watching: bool = False


@dataclass(slots=True)
class StopSignal:
    """What Ctrl-C turns on. The first request drains, the second does not wait any longer."""

    stopping: Flag = field(default_factory=Flag)
    at_once: Flag = field(default_factory=Flag)

    def request(self) -> None:
        """Ask for the stop; ask again to have it at once."""
        if self.stopping.is_set():
            self.at_once.set()
        self.stopping.set()


class _Done(StrEnum):
    FINISHED = "finished"
    ELSEWHERE = "elsewhere"  # another process has the idea in hand
    STOPPED = "stopped"
    UNAFFORDABLE = "unaffordable"


Work = Callable[[Idea, Callable[[str], None]], IdeaReport]
# The ideas that have come since it was last called; None when no more can come.
More = Callable[[], Sequence[IdeaRecord] | None]


class Batch:
    """Takes the ideas of one batch to their outcomes.

    ``work`` takes one idea through its stages. ``end_waits`` ends every wait for a model, ``abort`` every effect in
    progress. ``turns`` are for ``workers`` ideas at once, not counting those at a backtest. ``outdated`` says of
    a recorded outcome whether its backtests have to be done again. ``grace_s`` is how long running effects may go on
    after a stop was asked for.
    """

    def __init__(
        self,
        *,
        name: str,
        journal: Journal,
        folders: IdeaFolders,
        run_folder: RunFolder,
        claims: FileLock,
        events: Events,
        work: Work,
        stop: StopSignal,
        end_waits: Callable[[], None],
        abort: Callable[[], None],
        turns: Turns,
        workers: int,
        outdated: Callable[[Mapping[str, Any]], bool] = lambda _: False,
        grace_s: float = 5.0,
    ) -> None:
        self._name = name
        self._journal = journal
        self._folders = folders
        self._run_folder = run_folder
        self._claims = claims
        self._events = events
        self._work = work
        self._stop = stop
        self._end_waits = end_waits
        self._abort = abort
        self._turns = turns
        self._most = in_hand(workers)
        self._outdated = outdated
        self._grace_s = grace_s
        self._out_of_money = threading.Event()

    def run(self, records: Iterable[IdeaRecord], more: More | None = None) -> BatchResult:
        """Work until every idea has an outcome, a stop is asked for, or something ends the whole batch.

        Once the budget does not allow a call, no further idea is begun, and those in hand go as far as they can.
        With ``more`` the batch goes on for as long as more can come.
        """
        pending = deque(record.idea for record in records if not self.is_finished(record))
        pool = ThreadPoolExecutor(self._most, thread_name_prefix=IDEA_THREADS)
        running: dict[Future[_Done], Idea] = {}
        error: Exception | None = None
        while (pending or running or more) and error is None and not self._stop.stopping.is_set():
            try:
                more = self._take_in(more, pending)
            except RbiError as unreadable:
                error = unreadable
                break
            while pending and len(running) < self._most and self._turns.try_take(pending[0].idea_id):
                idea = pending.popleft()
                running[pool.submit(self._in_turn, idea)] = idea
            error = self._collect(running, pending)
            if self._out_of_money.is_set():
                pending.clear()
                more = None
        return self._end(pool, running, error, was_watching=more is not None)

    def _take_in(self, more: More | None, pending: deque[Idea]) -> More | None:
        """Put what has come into the queue; returns whom to ask again."""
        come = more() if more else None
        pending.extend(record.idea for record in come or () if not self.is_finished(record))
        return None if come is None else more

    def is_finished(self, record: IdeaRecord) -> bool:
        """Whether there is nothing left to do for an idea.

        One that ran into the timeout is always looked at again: the journal knows whether it has more time now.
        """
        outcome = record.outcome if record.final and record.place is not None else None
        if outcome is None or record.place is None:
            return False
        again = outcome["timed_out"] or self._outdated(outcome)
        return not again and self._folders.is_complete(record.place)

    def _collect(self, running: dict[Future[_Done], Idea], pending: deque[Idea]) -> Exception | None:
        """Take in what ended; an idea that another process holds goes back to the end of the queue."""
        if not running:
            time.sleep(POLL_S)
        ended, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
        error: Exception | None = None
        elsewhere = 0
        for future in ended:
            idea = running.pop(future)
            failed = future.exception()
            if isinstance(failed, Exception):
                error = error or failed
            elif failed is not None:
                raise failed
            elif future.result() is _Done.ELSEWHERE:
                elsewhere += 1
                pending.append(idea)
        if elsewhere and elsewhere == len(ended):
            time.sleep(POLL_S)
        return error

    def _end(
        self,
        pool: ThreadPoolExecutor,
        running: dict[Future[_Done], Idea],
        error: Exception | None,
        *,
        was_watching: bool,
    ) -> BatchResult:
        stopped = self._stop.stopping.is_set()
        if running:
            self._drain(running)
        pool.shutdown(wait=not running, cancel_futures=True)
        ending = Ending.ERROR if error else Ending.INTERRUPTED if stopped else Ending.FINISHED
        if ending is Ending.FINISHED and self._out_of_money.is_set():
            ending = Ending.BUDGET
        records = self._journal.ideas(self._name)
        finished = sum(record.final for record in records)
        took = economy_json(economy(self._journal.spending(self._name), records))
        self._events.emit(BatchFinished(ending.value, finished, len(records), took))
        return BatchResult(ending, error, stuck=len(running), was_watching=was_watching)

    def _drain(self, running: dict[Future[_Done], Idea]) -> None:
        """Let running effects end for a while, then end them."""
        self._stop.stopping.set()
        self._end_waits()
        self._events.emit(
            Notice(f"stopping: what runs has {self._grace_s:.0f} s to end; Ctrl-C again ends it now")
        )
        give_up = time.monotonic() + self._grace_s
        while running and time.monotonic() < give_up and not self._stop.at_once.is_set():
            self._drop_ended(running, POLL_S)
        self._abort()
        in_vain = 0  # looks, not seconds: a process that stood still has not looked
        while running and in_vain < _LAST_LOOKS:
            before = len(running)
            self._drop_ended(running, POLL_S)
            in_vain += len(running) == before

    @staticmethod
    def _drop_ended(running: dict[Future[_Done], Idea], timeout: float) -> None:
        for future in wait(running, timeout=timeout, return_when=FIRST_COMPLETED).done:
            del running[future]

    def _in_turn(self, idea: Idea) -> _Done:
        try:
            return self._one(idea)
        finally:
            self._turns.give_back(idea.idea_id)

    def _one(self, idea: Idea) -> _Done:
        if self._stop.stopping.is_set():
            return _Done.STOPPED
        with self._claims.try_hold(idea.idea_id) as mine:
            if not mine:
                return _Done.ELSEWHERE
            record = self._journal.idea(self._name, idea.idea_id)
            if record and self.is_finished(record):
                return _Done.FINISHED
            return self._take_to_its_end(record.idea if record else idea)

    def _take_to_its_end(self, idea: Idea) -> _Done:
        began = time.monotonic()
        folder = self._journal.place_idea(
            self._name, idea.idea_id, f"{self._run_folder.for_idea()}/{idea.folder_name}"
        )
        if self._stop.stopping.is_set():  # the journal may have been waited for
            return _Done.STOPPED
        self._events.emit(IdeaStarted(idea.number, idea.idea_id, idea.text))
        try:
            report = self._work(idea, lambda stage: self._events.emit(StageStarted(idea.number, stage)))
            outcome = self._folders.write(folder, report)
        except (Interrupted, CallInterrupted, RunInterrupted):
            return _Done.STOPPED
        except BudgetSpent as error:
            self._note_the_end_of_money(error)
            return _Done.UNAFFORDABLE
        except (ModelError, RunnerError, RbiError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours in one idea must not lose the others
            report = self._broken(idea, error)
            outcome = self._folders.write(folder, report)
        self._journal.save_outcome(self._name, idea.idea_id, outcome, final=report.outcome.final)
        self._announce(report, outcome, time.monotonic() - began)
        if report.unaffordable:
            self._note_the_end_of_money(report.unaffordable)
            return _Done.UNAFFORDABLE
        return _Done.FINISHED

    def _note_the_end_of_money(self, error: BudgetSpent) -> None:
        if not self._out_of_money.is_set():
            self._events.emit(BudgetReached(error.committed_usd, error.limit_usd))
        self._out_of_money.set()

    def _broken(self, idea: Idea, error: Exception) -> IdeaReport:
        self._events.emit(Notice(f"idea {idea.number}: internal error: {error!r}"))
        detail = "".join(traceback.format_exception(error))
        return IdeaReport(
            Draft(idea), Outcome(OutcomeKind.BROKEN, None, (detail,), cause=type(error).__name__)
        )

    def _announce(self, report: IdeaReport, outcome: Mapping[str, Any], seconds: float) -> None:
        idea, end = report.draft.idea, report.outcome
        understood = end.kind is not OutcomeKind.NOT_UNDERSTOOD
        trades = ", ".join(f"{b.bars.name} {b.trades} trades" for b in report.draft.chosen_backtests)
        self._events.emit(
            IdeaFinished(
                number=idea.number,
                idea_id=idea.idea_id,
                name=(outcome["name"] if understood else "") or idea.text,
                outcome=end.kind.value,
                detail=(end.cause or trades) if understood else "",
                seconds=seconds,
            )
        )
