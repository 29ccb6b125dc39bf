"""What a batch looks like while it runs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from rbi.events import (
    BacktestFinished,
    BatchStarted,
    BudgetReached,
    CallFinished,
    CallStarted,
    CallWaiting,
    Event,
    FellBack,
    IdeaFinished,
    IdeaStarted,
    Notice,
    RunFolderChanged,
    StageStarted,
)
from rbi.locks import ConsoleLock
from rbi.progress import EventsFile, JsonProgress, LiveProgress, PlainProgress, Tally
from rbi.terminal import counted, printable, printable_lines

STORY: tuple[Event, ...] = (
    BatchStarted("b", "results/b", 4, 1, "openai:x", ("GOOG 1d",), 2),
    IdeaStarted(2, "abc", "buy low"),
    StageStarted(2, "research"),
    CallStarted("openai:x"),
    CallFinished("openai:x", 1.0, None, "overloaded"),
    CallWaiting("openai:x", 2.0, "overloaded"),
    CallStarted("openai:x"),
    CallFinished("openai:x", 1.0, Decimal("0.0123")),
    BacktestFinished(2, "GOOG", "", False),
    BacktestFinished(2, "EURUSD", "", True),
    IdeaFinished(2, "abc", "Low buyer", "traded", "GOOG 4 trades", 3.0),
    Notice("a note"),
    RunFolderChanged("2026-02-01-b"),
    FellBack("openai:x", "groq:y", "openai is busy"),
    FellBack("openai:x", "groq:y", "openai is busy"),
    FellBack("groq:y", "offline:rules", "groq is busy"),
    BudgetReached(Decimal("1.9"), Decimal("2")),
)


def tally(clock: list[float]) -> Tally:
    made = Tally(clock=lambda: clock[0])
    for event in STORY:
        made.add(event)
    return made


def test_the_tally_counts_what_happened_here_and_keeps_unknown_cost_apart() -> None:
    made = tally([10.0])
    assert (made.calls, made.in_flight, made.failed_calls, made.backtests) == (2, 0, 1, 1)
    assert made.money() == "$0.0123 + 1 of unknown cost"
    assert (made.finished, made.total, made.active) == (2, 4, {})


def test_the_time_to_go_follows_the_pace_of_this_process_only() -> None:
    clock = [100.0]
    made = Tally(clock=lambda: clock[0])
    made.add(STORY[0])
    assert made.eta() is None
    clock[0] = 110.0
    made.add(STORY[10])
    assert made.eta() == 20.0


def test_without_a_terminal_every_finished_idea_is_one_line() -> None:
    out = io.StringIO()
    progress = PlainProgress(ConsoleLock(out))
    for event in STORY:
        progress(event)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("b: 4 ideas, 1 done before · openai:x")
    assert "[2/4] 2 traded: Low buyer · GOOG 4 trades · 3.0 s" in lines
    assert "\x1b" not in out.getvalue()


def test_a_batch_of_own_strategies_speaks_of_strategies_and_never_of_ideas() -> None:
    plain, live = io.StringIO(), io.StringIO()
    console = Console(file=live, width=100, force_terminal=True, markup=False)
    told = LiveProgress(console)
    sinks = (PlainProgress(ConsoleLock(plain)), told)
    with told:
        for event in STORY:
            for sink in sinks:
                sink(replace(event, noun="strategy") if isinstance(event, BatchStarted) else event)
        console.print(told._render())
    assert "b: 4 strategies, 1 done before" in plain.getvalue()
    assert "2/4 strategies" in live.getvalue()
    for said in (plain.getvalue(), live.getvalue()):
        assert "strategies that start now go to" in said
        assert "idea" not in said


def test_without_a_terminal_waits_are_told_once_in_a_while() -> None:
    out, clock = io.StringIO(), [0.0]
    progress = PlainProgress(ConsoleLock(out), clock=lambda: clock[0])
    for second in range(60):
        clock[0] = second
        for model in ("openai:x", "groq:y"):
            progress(CallWaiting(model, 0.0, f"rate_limited in attempt {second} of 12"))
    assert len(out.getvalue().splitlines()) == 4


def test_without_a_terminal_another_reason_to_wait_is_told_at_once_and_the_same_one_only_once() -> None:
    out, clock = io.StringIO(), [0.0]
    progress = PlainProgress(ConsoleLock(out), clock=lambda: clock[0])
    for second in range(30):
        clock[0] = second
        progress(CallWaiting("openai:x", 10.0, "one call tries whether openai lets it through"))
        progress(CallWaiting("openai:x", 2.0, "openai asks for a pause"))
    assert out.getvalue().splitlines() == [
        "openai:x waits 10.0 s: one call tries whether openai lets it through",
        "openai:x waits 2.0 s: openai asks for a pause",
    ]


def test_a_fallback_is_said_once_for_each_pair_of_models_and_always_written_down(tmp_path: Path) -> None:
    plain, live = io.StringIO(), io.StringIO()
    on_disk = EventsFile(lambda: tmp_path / "events.jsonl")
    sinks = (
        PlainProgress(ConsoleLock(plain)),
        LiveProgress(Console(file=live, width=100, force_terminal=False, markup=False)),
        on_disk,
    )
    for event in STORY:
        for sink in sinks:
            sink(event)
    for said in (plain.getvalue(), live.getvalue()):
        assert said.count("openai:x -> groq:y: openai is busy") == 1
        assert said.count("groq:y -> offline:rules") == 1
        assert "the budget is reached: $1.9000 of $2.0000" in said
    assert (tmp_path / "events.jsonl").read_text(encoding="utf-8").count('"fell_back"') == 3


def test_for_machines_every_event_is_one_json_line(tmp_path: Path) -> None:
    out = io.StringIO()
    progress = JsonProgress(ConsoleLock(out))
    on_disk = EventsFile(lambda: tmp_path / "run" / "events.jsonl")
    for event in STORY:
        progress(event)
        on_disk(event)
    read = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [e["event"] for e in read][:3] == ["batch_started", "idea_started", "stage_started"]
    assert read[7]["cost_usd"] == "0.0123"
    stored = (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in stored] == [e["event"] for e in read]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_of_any_width_shows_stage_calls_cost_and_time_to_go(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, markup=False)
    live = LiveProgress(console)
    with live:
        for event in STORY[:4]:
            live(event)
        console.print(live._render())
        for event in STORY[4:]:
            live(event)
    text = out.getvalue()
    for part in ("research", "1 in flight", "$0.0", "ETA"):
        assert part in text


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [(1, "strategy", "1 strategy"), (2, "strategy", "2 strategies"), (0, "idea", "0 ideas")],
)
def test_what_is_counted_agrees_with_its_number(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said


def test_text_from_outside_cannot_drive_the_terminal() -> None:
    hostile = "a\x1b[2J\x07b\u202ec\x00\u2066d"
    assert printable(hostile) == "a·[2J·b·c··d"
    assert printable_lines("x\n\ty\x1b[0m") == "x\n\ty·[0m"
    assert printable("long " * 30, longest=12) == "long long l…"
