"""What a batch's model calls took, and what its ideas ended with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console

from models.base import Usage
from rbi.domain import Idea
from rbi.economy import deaths_line, economy, economy_json, economy_table
from rbi.journal import Journal
from rbi.records import IdeaRecord, Spending


def record(number: int, outcome: str | None, cause: str = "") -> IdeaRecord:
    ended = {"outcome": outcome, "cause": cause} if outcome else None
    return IdeaRecord(Idea(number, f"idea {number}"), "f", final=bool(outcome), outcome=ended)


def spent(calls: int, usd: str, *, failed: int = 0, unknown: int = 0) -> Spending:
    return Spending(calls, failed, 100 * calls, 10 * calls, Decimal(usd), unknown, unknown)


def shown(*args: Any) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(economy_table(economy(*args)))
    return captured.get()


RECORDS = [
    record(1, "traded"),
    record(2, "traded"),
    record(3, "failed", "syntax"),
    record(4, "no trades", "never_ordered"),
    record(5, "failed", "syntax"),
    record(6, None),
]
SPENDING = {
    ("a", "research"): spent(1, "0.01"),
    ("a", "write"): spent(1, "0.02"),
    ("b", "research"): spent(1, "0.01", failed=2),
    ("b", "debug"): spent(3, "0.06"),
}


def test_calls_tokens_and_dollars_are_told_by_stage_by_idea_and_for_each_working_strategy() -> None:
    found = economy_json(economy(SPENDING, RECORDS))
    assert {stage: part["calls"] for stage, part in found["by_stage"].items()} == {
        "research": 2,
        "write": 1,
        "debug": 3,
    }
    assert found["by_idea"]["b"]["cost_usd"] == "0.07"
    assert found["by_idea"]["b"]["failed_calls"] == 2
    assert found["per_idea"]["calls"] == 6 / 5
    assert found["per_working_strategy"] == {
        "calls": 3.0,
        "input_tokens": 300.0,
        "output_tokens": 30.0,
        "cost_usd": "0.050000000",
    }


def test_stages_and_ideas_add_up_to_the_whole() -> None:
    found = economy(SPENDING, RECORDS)
    for parts in (found.by_stage(), found.by_idea()):
        assert sum(part.cost_usd for part in parts.values()) == found.total.cost_usd == Decimal("0.10")
        assert sum(part.calls for part in parts.values()) == 6


def test_causes_of_death_are_counted_the_most_frequent_first() -> None:
    found = economy(
        {}, [*RECORDS, record(7, "duplicate", "of_1"), record(8, "not understood", "not_understood")]
    )
    assert deaths_line(found) == (
        "without a strategy that trades: 2 failed: syntax · 1 no trades: never_ordered · 1 duplicate · 1 not understood"
    )


def test_nobody_shares_what_led_to_nothing() -> None:
    found = economy_json(economy(SPENDING, [record(1, "failed", "syntax")]))
    assert found["per_working_strategy"] is None
    assert "each working strategy      -" in shown(SPENDING, [record(1, "failed", "syntax")])


def test_what_is_unknown_is_said_and_not_taken_for_nothing() -> None:
    page = shown(
        {("a", "write"): spent(2, "0.01", unknown=1), ("a", "debug"): spent(1, "0", unknown=1)}, RECORDS
    )
    write, debug = (
        next(line for line in page.splitlines() if line.startswith(n)) for n in ("write", "debug")
    )
    assert "0.0100 + unknown" in write
    assert debug.split()[-3:] == ["unknown", "unknown", "unknown"]


def test_the_journal_adds_up_what_was_answered_what_failed_and_what_nobody_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rbi.db")

    def call(idea: str, stage: str, cost: str | None, usage: Usage | None, *, fails: bool = False) -> None:
        labels = {"batch": "b", "idea": idea, "stage": stage}
        ticket = journal.intend(f"{idea}{stage}{cost}", kind="model", request={}, labels=labels)
        usd = None if cost is None else Decimal(cost)
        if fails:
            journal.fail(ticket, {"message": "no"}, usd)
        else:
            journal.complete(ticket, {}, usd, usage=usage)

    call("one", "research", "0.5", Usage(7, 3))
    call("one", "write", None, None)
    call("two", "research", "0.25", Usage(1, 1))
    call("two", "research", "0", None, fails=True)
    journal.intend("open", kind="model", request={}, labels={"batch": "b", "idea": "two", "stage": "write"})
    journal.intend("other", kind="model", request={}, labels={"batch": "c", "idea": "two", "stage": "write"})
    assert journal.spending("b") == {
        ("one", "research"): Spending(1, 0, 7, 3, Decimal("0.5"), 0, 0),
        ("one", "write"): Spending(1, 0, 0, 0, Decimal(0), 1, 1),
        ("two", "research"): Spending(1, 1, 1, 1, Decimal("0.25"), 0, 0),
    }
    journal.close()
