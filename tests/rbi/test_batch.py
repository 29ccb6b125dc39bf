"""Batches: shared, interrupted, drained, and what midnight does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from models.errors import BadKey, BudgetSpent
from models.stopping import StopSignal as CallsStop
from rbi.batch import Batch, BatchResult, Ending, More, StopSignal, Work, in_hand
from rbi.config import Settings
from rbi.domain import Draft, Idea, IdeaReport, Outcome, OutcomeKind
from rbi.effects import Interrupted
from rbi.errors import UsageError
from rbi.events import Event, Events, IdeaFinished, Notice
from rbi.journal import Journal
from rbi.locks import FileLock
from rbi.records import IdeaRecord
from rbi.results import IdeaFolders
from rbi.run_folder import RunFolder
from rbi.selection import Wishes
from rbi.turns import Turns
from rbi.workplace import Origin, Workplace

DONE = Outcome(OutcomeKind.NO_TRADES, None, ("none",))


def done(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
    return IdeaReport(Draft(idea), DONE)


class Bench:
    """A results folder and what a batch needs; every call of `batch` is another process on it, so to speak."""

    def __init__(self, results: Path, count: int = 6) -> None:
        self.results = results
        self.journal = Journal(results / "rbi.db")
        self.workplace = Workplace(results, self.journal, FileLock(results / ".locks"))
        texts = [f"idea {n}" for n in range(count)]
        folder = "2026-01-31-ideas"
        self.record = self.journal.save_batch(
            "b", source="ideas.txt", folder=folder, settings={"identity": {}}, texts=texts
        )
        self.events: list[Event] = []
        self.days = [date(2026, 1, 31)]
        self.stop = StopSignal()
        self.waits_ended = threading.Event()
        self.aborted = threading.Event()

    def run(
        self,
        work: Work,
        *,
        workers: int = 3,
        grace_s: float = 5.0,
        more: More | None = None,
        turns: Turns | None = None,
    ) -> BatchResult:
        folder = RunFolder(
            self.workplace, self.record, description={}, changed=str, today=lambda: self.days[0]
        )
        batch = Batch(
            name="b",
            journal=self.journal,
            folders=IdeaFolders(self.results),
            run_folder=folder,
            claims=FileLock(self.results / ".locks"),
            events=Events(self.events.append),
            work=work,
            stop=self.stop,
            end_waits=self.waits_ended.set,
            abort=self.aborted.set,
            turns=turns or Turns(workers, self.stop.stopping),
            workers=workers,
            grace_s=grace_s,
        )
        return batch.run(self.journal.ideas("b"), more)

    def add(self, text: str) -> tuple[IdeaRecord, ...]:
        origin = Origin(str(self.results))
        return self.workplace.extend("b", [text], Wishes(), 0, origin)

    def finished(self) -> int:
        return sum(record.final for record in self.journal.ideas("b"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def test_every_idea_reaches_its_outcome_and_its_folder(bench: Bench) -> None:
    assert bench.run(done).ending is Ending.FINISHED
    assert bench.finished() == 6
    outcomes = sorted(bench.results.glob("2026-01-31-ideas/*/outcome.json"))
    assert len(outcomes) == 6
    assert not list(bench.results.rglob("*.incoming"))


def test_a_finished_idea_is_not_worked_on_again_unless_its_folder_is_gone(bench: Bench) -> None:
    bench.run(done)
    worked: list[int] = []

    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        worked.append(idea.number)
        return done(idea, entered)

    bench.run(work)
    assert worked == []
    next(bench.results.glob("2026-01-31-ideas/0004-*/outcome.json")).unlink()
    bench.run(work)
    assert worked == [4]


def test_two_batches_on_one_folder_never_do_an_idea_twice(tmp_path: Path) -> None:
    first = Bench(tmp_path, count=12)
    second = Bench(tmp_path, count=12)
    counts: dict[int, int] = {}
    guard = threading.Lock()

    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        with guard:
            counts[idea.number] = counts.get(idea.number, 0) + 1
        threading.Event().wait(0.02)
        return done(idea, entered)

    endings: list[Ending] = []
    threads = [
        threading.Thread(target=lambda b=b: endings.append(b.run(work).ending)) for b in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == dict.fromkeys(range(1, 13), 1)
    assert endings == [Ending.FINISHED] * 2
    assert first.finished() == 12
    first.journal.close()
    second.journal.close()


def test_who_is_at_a_backtest_lets_others_begin_and_asks_before_a_further_one_begins(bench: Bench) -> None:
    turns = Turns(2, bench.stop.stopping)
    guard = threading.Lock()
    begun, asking, most_asking = [0], [0], [0]
    all_begun = threading.Event()

    def ask(idea: Idea) -> None:
        turns.take(idea.idea_id)
        with guard:
            asking[0] += 1
            most_asking[0] = max(most_asking[0], asking[0])
        threading.Event().wait(0.005)
        with guard:
            asking[0] -= 1

    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        with guard:
            begun[0] += 1
            if begun[0] == 6:
                all_begun.set()
        for _ in range(3):
            ask(idea)
            turns.give_back(idea.idea_id)
            assert all_begun.wait(60)
        return done(idea, entered)

    assert bench.run(work, workers=2, turns=turns).ending is Ending.FINISHED
    assert bench.finished() == 6
    assert most_asking[0] <= 2


def test_many_workers_do_not_have_so_many_ideas_in_hand_that_files_run_out() -> None:
    assert [in_hand(workers) for workers in (1, 2, 18, 400)] == [3, 6, 54, 440]


def test_who_asks_nothing_more_ends_without_a_turn(bench: Bench) -> None:
    turns = Turns(1, bench.stop.stopping)
    first_ended = threading.Event()

    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        if idea.number == 1:
            turns.give_back(idea.idea_id)
            while turns.try_take("nobody"):  # until the second has begun and keeps the turn
                turns.give_back("nobody")
                threading.Event().wait(0.001)
            first_ended.set()
        assert first_ended.wait(60)
        return done(idea, entered)

    assert bench.run(work, workers=1, turns=turns).ending is Ending.FINISHED
    assert bench.finished() == 6


def test_nobody_waits_for_a_turn_once_the_batch_is_stopping(bench: Bench) -> None:
    turns = Turns(1, bench.stop.stopping)
    assert turns.try_take("one")
    assert not turns.try_take("two")
    bench.stop.request()
    turns.take("two")


def test_midnight_sends_the_ideas_that_start_after_it_to_one_new_folder(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        if idea.number == 2:
            bench.days[0] = date(2026, 2, 1)
        return done(idea, entered)

    bench.run(work, workers=1)
    folders = [Path(str(r.folder)).parent.name for r in bench.journal.ideas("b")]
    assert folders == ["2026-01-31-ideas"] * 2 + ["2026-02-01-ideas"] * 4
    assert (bench.results / "2026-02-01-ideas" / "run.json").is_file()
    record = bench.journal.batch("b")
    assert record is not None
    assert record.folder == "2026-02-01-ideas"


def test_ideas_that_come_while_a_batch_idles_over_midnight_go_to_one_new_folder(bench: Bench) -> None:
    come = [["idea 6", "idea 7"], ["idea 0", "idea 8"]]

    def more() -> list[IdeaRecord] | None:
        if bench.finished() < len(bench.journal.ideas("b")):
            return []
        bench.days[0] = date(2026, 2, 1)
        return [record for text in come.pop(0) for record in bench.add(text)] if come else None

    result = bench.run(done, more=more)
    records = bench.journal.ideas("b")
    assert (result.ending, result.was_watching) == (Ending.FINISHED, False)
    assert [record.idea.text for record in records] == [f"idea {n}" for n in range(9)]
    folders = [Path(str(record.folder)).parent.name for record in records]
    assert folders == ["2026-01-31-ideas"] * 6 + ["2026-02-01-ideas"] * 3


def test_a_watching_batch_ends_when_its_budget_is_spent(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        raise BudgetSpent("no", hint="", budget="b", committed_usd=Decimal(1), limit_usd=Decimal(1))

    result = bench.run(work, more=list)
    assert (result.ending, result.was_watching) == (Ending.BUDGET, False)


def test_a_stop_ends_a_batch_that_only_watches(bench: Bench) -> None:
    def more() -> list[IdeaRecord]:
        if bench.finished() == 6:
            bench.stop.request()
        return []

    result = bench.run(done, more=more)
    assert (result.ending, result.was_watching, bench.finished()) == (Ending.INTERRUPTED, True, 6)


def test_a_batch_with_a_name_of_its_own_keeps_its_folder_over_midnight(bench: Bench) -> None:
    bench.record = bench.journal.save_batch(
        "mine", source="ideas.txt", folder="mine", settings={"name": "mine"}
    )
    folder = RunFolder(
        bench.workplace, bench.record, description={}, changed=str, today=lambda: bench.days[0]
    )
    bench.days[0] = date(2026, 2, 1)
    assert folder.for_idea() == "mine"


def test_a_stop_lets_running_ideas_end_and_starts_no_more(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        bench.stop.request()
        return done(idea, entered)

    result = bench.run(work, workers=1)
    assert (result.ending, result.stuck, bench.finished()) == (Ending.INTERRUPTED, 0, 1)


def test_an_idea_that_is_interrupted_has_no_outcome(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        bench.stop.request()
        raise Interrupted

    assert bench.run(work, workers=1).ending is Ending.INTERRUPTED
    assert bench.finished() == 0
    bench.stop = StopSignal()
    assert bench.run(done).ending is Ending.FINISHED


def test_effects_that_do_not_end_in_time_are_aborted(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        bench.stop.request()
        bench.aborted.wait(30)
        raise Interrupted

    result = bench.run(work, workers=2, grace_s=0.2)
    assert bench.aborted.is_set()
    assert (result.ending, result.stuck) == (Ending.INTERRUPTED, 0)


def test_an_error_that_ends_the_batch_ends_the_waits_of_the_other_ideas_at_once(bench: Bench) -> None:
    waiting = threading.Event()

    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        if idea.number == 1:
            waiting.wait(30)
            raise BadKey("no")
        waiting.set()
        bench.waits_ended.wait(30)
        raise Interrupted

    result = bench.run(work, workers=2, grace_s=3600)
    assert (result.ending, result.stuck) == (Ending.ERROR, 0)


def test_a_second_stop_does_not_wait_for_the_grace_period(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        bench.stop.request()
        bench.stop.request()
        bench.aborted.wait(30)
        raise Interrupted

    assert bench.run(work, workers=1, grace_s=3600).ending is Ending.INTERRUPTED


def test_a_second_ctrl_c_at_any_instant_of_the_first_waits_for_nothing() -> None:
    for made in (StopSignal, CallsStop):
        for instant in range(40):
            signal = made()
            request = signal.request if isinstance(signal, StopSignal) else signal.set
            at_instant(instant, of=request, do=request)


def at_instant(instant: int, *, of: Callable[[], None], do: Callable[[], None]) -> None:
    """Call ``do`` in the middle of ``of``, as a signal handler is called."""
    left = instant

    def trace(_frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        of()
    finally:
        sys.settrace(before)


def test_what_ends_the_batch_is_returned_and_the_finished_ideas_stay(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        if idea.number == 3:
            raise BadKey("the key was refused")
        return done(idea, entered)

    result = bench.run(work, workers=1)
    assert result.ending is Ending.ERROR
    assert isinstance(result.error, BadKey)
    assert bench.finished() == 2


def test_a_fault_in_one_idea_does_not_stop_the_others_and_is_tried_again(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        if idea.number == 3:
            raise ZeroDivisionError("ours")
        return done(idea, entered)

    assert bench.run(work).ending is Ending.FINISHED
    assert bench.finished() == 5
    assert any(isinstance(event, Notice) for event in bench.events)
    bench.run(done)
    assert bench.finished() == 6


def test_a_listener_that_fails_does_not_stop_the_batch(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise OSError("no terminal")

    events = Events(broken, heard.append)
    events.emit(Notice("one"))
    events.emit(Notice("two"))
    assert [e for e in heard if isinstance(e, Notice)] == [Notice("one"), Notice("two")]
    assert capsys.readouterr().err.count("was dropped") == 1


def test_every_finished_idea_is_announced_once(bench: Bench) -> None:
    bench.run(done)
    assert sorted(e.number for e in bench.events if isinstance(e, IdeaFinished)) == [1, 2, 3, 4, 5, 6]


def test_an_idea_whose_folder_cannot_be_made_does_not_stop_the_others(bench: Bench) -> None:
    def work(idea: Idea, entered: Callable[[str], None]) -> IdeaReport:
        reasons = ("half an emoji \ud83d",) if idea.number == 3 else ("none",)
        return IdeaReport(Draft(idea), Outcome(OutcomeKind.NO_TRADES, None, reasons))

    assert bench.run(work).ending is Ending.FINISHED
    assert bench.finished() == 5


def test_after_midnight_two_batches_of_one_file_have_folders_of_their_own(tmp_path: Path) -> None:
    days = [date(2026, 1, 31)]
    journal = Journal(tmp_path / "rbi.db")
    place = Workplace(tmp_path, journal, FileLock(tmp_path / ".locks"))
    folders = []
    for model in ("a", "b"):
        batch, _ = place.begin(Settings(ideas="i.txt"), ["x"], identity={"model": model}, today=days[0])
        folders.append(RunFolder(place, batch, description={}, changed=str, today=lambda: days[0]))
    days[0] = date(2026, 2, 1)
    assert [folder.for_idea() for folder in folders] == ["2026-02-01-i", "2026-02-01-i-2"]
    third, _ = place.begin(Settings(ideas="i.txt"), ["x"], identity={"model": "c"}, today=days[0])
    assert third.name == "2026-02-01-i-3"
    assert place.find_batch("2026-02-01-i-2").name == "2026-01-31-i-2"
    with pytest.raises(UsageError, match="belongs to batch"):
        place.begin(
            Settings(ideas="i.txt", name="2026-02-01-i"), ["x"], identity={"model": "d"}, today=days[0]
        )
    journal.close()


def test_two_processes_of_one_batch_move_to_the_same_new_folder(bench: Bench) -> None:
    folders = [
        RunFolder(bench.workplace, bench.record, description={}, changed=str, today=lambda: bench.days[0])
        for _ in range(2)
    ]
    bench.days[0] = date(2026, 2, 1)
    assert [folder.for_idea() for folder in folders] == ["2026-02-01-ideas"] * 2
