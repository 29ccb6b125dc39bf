"""Idea folders, run folders and the leaderboard on disk."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders import bad_result, bars, good_result
from hypothesis import given
from hypothesis import strategies as st

from rbi.domain import (
    Attempt,
    AttemptReason,
    Backtest,
    Draft,
    Idea,
    IdeaReport,
    Outcome,
    OutcomeKind,
    Row,
    Verdict,
)
from rbi.leaderboard import ranked, rows_of, to_csv, told_apart
from rbi.research_note import Coverage, ResearchNote
from rbi.results import IdeaFolders, write_atomically
from runners.base import Captured, Failure, FailureKind

IDEA = Idea(3, "Buy when the 50-day SMA crosses above the 200-day SMA")
NOTE = ResearchNote("# Golden cross\nCoverage: partly\n", "Golden cross", Coverage.PARTLY, ("magic",))
FAILURE = Failure(FailureKind.ORDER_PRICE, "stop above entry", "put it below", line=4)


def report() -> IdeaReport:
    first = Attempt(AttemptReason.WRITTEN, "x = 1\n", "offline:rules")
    second = Attempt(AttemptReason.DEBUGGED, "x = 2\n", "offline:rules", "moved the stop")
    backtests = (
        Backtest(1, bars("GOOG"), bad_result(FAILURE)),
        Backtest(2, bars("GOOG"), good_result()),
        Backtest(2, bars("EURUSD"), good_result(trades=0)),
    )
    draft = Draft(IDEA, NOTE, (first, second), backtests, ("offline:rules",))
    return IdeaReport(draft, Outcome(OutcomeKind.TRADED, Verdict.CANNOT_TELL, ("not validated",)))


FOLDER = f"run/{IDEA.folder_name}"


def test_a_folder_holds_everything_the_idea_led_to(tmp_path: Path) -> None:
    IdeaFolders(tmp_path).write(FOLDER, report())
    found = sorted(
        str(p.relative_to(tmp_path / FOLDER)) for p in (tmp_path / FOLDER).rglob("*") if p.is_file()
    )
    assert found == sorted(
        [
            "idea.txt",
            "research.md",
            "strategy.py",
            "outcome.json",
            "summary.md",
            "attempts/01-written.py",
            "attempts/02-debugged.py",
            "backtests/01-goog/backtest.json",
            "backtests/01-goog/stdout.txt",
            "backtests/01-goog/stderr.txt",
            *(
                f"backtests/{place}/{name}"
                for place in ("02-goog", "03-eurusd")
                for name in (
                    "backtest.json",
                    "stdout.txt",
                    "stderr.txt",
                    "stats.json",
                    "trades.csv",
                    "equity.svg",
                )
            ),
        ]
    )
    assert (tmp_path / FOLDER / "strategy.py").read_text(encoding="utf-8") == "x = 2\n"


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    IdeaFolders(tmp_path / "a").write(FOLDER, report())
    IdeaFolders(tmp_path / "b").write(FOLDER, report())
    for path in (tmp_path / "a").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folders = IdeaFolders(tmp_path)
    folders.write(FOLDER, report())
    (tmp_path / FOLDER / "stale.txt").write_text("old", encoding="utf-8")
    folders.write(FOLDER, report())
    assert not (tmp_path / FOLDER / "stale.txt").exists()
    assert folders.is_complete(FOLDER)


def test_what_a_dead_process_left_half_written_is_no_obstacle(tmp_path: Path) -> None:
    half = tmp_path / "run" / f".{IDEA.folder_name}.incoming"
    half.mkdir(parents=True)
    (half / "torn.txt").write_text("to", encoding="utf-8")
    folders = IdeaFolders(tmp_path)
    assert not folders.is_complete(FOLDER)
    folders.write(FOLDER, report())
    assert not (tmp_path / FOLDER / "torn.txt").exists()
    assert not half.exists()


def test_statistics_are_strict_json_with_backtesting_pys_own_keys(tmp_path: Path) -> None:
    IdeaFolders(tmp_path).write(FOLDER, report())
    text = (tmp_path / FOLDER / "backtests/03-eurusd/stats.json").read_text(encoding="utf-8")
    stats = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert stats["# Trades"] == 0
    assert stats["Win Rate [%]"] == "nan"
    assert stats["Start"] == {"ts": "2020-01-01T00:00:00"}


def test_the_summary_says_what_was_ignored_and_why_nothing_is_proven(tmp_path: Path) -> None:
    IdeaFolders(tmp_path).write(FOLDER, report())
    summary = (tmp_path / FOLDER / "summary.md").read_text(encoding="utf-8")
    for part in ("CANNOT TELL", "Ignored: magic", "not validated", "moved the stop", "| GOOG | 40 |"):
        assert part in summary


def test_output_with_its_middle_cut_out_says_so(tmp_path: Path) -> None:
    base = report()
    noisy = replace(base.draft.backtests[1].result, stdout=Captured("head", "tail", 99_000_000))
    changed = replace(base.draft, backtests=(replace(base.draft.backtests[1], result=noisy),))
    IdeaFolders(tmp_path).write(FOLDER, replace(base, draft=changed))
    text = (tmp_path / FOLDER / "backtests/01-goog/stdout.txt").read_text(encoding="utf-8")
    assert text == "head\n[... 99,000,000 bytes left out ...]\ntail"


def test_an_atomic_write_leaves_the_old_content_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


# The leaderboard


def row(number: int, **values: object) -> Row:
    (made,) = rows_of(
        IdeaReport(Draft(Idea(number, f"idea {number}")), Outcome(OutcomeKind.NO_TRADES, None, ())), "f"
    )
    return replace(made, **values)  # type: ignore[arg-type]


def test_a_verdict_counts_more_than_any_ratio_and_return_counts_nothing() -> None:
    rows = [
        row(1, verdict="FAIL", outcome="traded", sharpe=9.0, return_pct=900.0),
        row(2, verdict="CANNOT TELL", outcome="traded", sharpe=0.1, return_pct=500.0),
        row(3, verdict="PASS", outcome="traded", sharpe=-1.0, return_pct=-5.0),
        row(4, verdict="CANNOT TELL", outcome="traded", sharpe=0.2, return_pct=1.0),
        row(5),
    ]
    assert [r.number for r in ranked(rows)] == [3, 4, 2, 1, 5]


def test_an_undefined_ratio_never_outranks_a_defined_one() -> None:
    rows = [row(1, sharpe=None), row(2, sharpe=-3.0)]
    assert [r.number for r in ranked(rows)] == [2, 1]


@given(
    st.lists(st.tuples(st.integers(1, 6), st.one_of(st.none(), st.floats(-5, 5))), max_size=12), st.randoms()
)
def test_the_order_of_ideas_does_not_depend_on_the_order_of_rows(
    values: list[tuple[int, float | None]], random: object
) -> None:
    rows = [row(number, sharpe=sharpe, dataset=str(n)) for n, (number, sharpe) in enumerate(values)]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    order = list(dict.fromkeys(r.number for r in ranked(rows)))
    assert list(dict.fromkeys(r.number for r in ranked(shuffled))) == order
    assert sorted(r.number for r in ranked(rows)) == sorted(number for number, _ in values)


def test_an_idea_stands_for_its_chosen_attempt_on_every_dataset() -> None:
    rows = rows_of(report(), FOLDER)
    assert [(r.dataset, r.trades, r.attempts) for r in rows] == [("GOOG", 40, 2), ("EURUSD", 0, 2)]


def test_strategies_of_one_name_are_told_apart_by_their_ideas() -> None:
    rows = [row(12, name="RSI Reversal"), row(3, name="rsi  reversal"), row(4, name="Cross")]
    assert {r.number: r.name for r in ranked(rows)} == {
        12: "RSI Reversal (12)",
        3: "rsi  reversal (3)",
        4: "Cross",
    }
    assert told_apart({1: "X", 2: "X", 3: "X (2)", 4: "", 5: ""}) == {
        1: "X (1)",
        2: "X (2)",
        3: "X (2) (3)",
        4: "",
        5: "",
    }


@given(st.dictionaries(st.integers(1, 9), st.sampled_from(["X", "x", "X (1)", "X (2)", "X (1) (2)"])))
def test_no_two_strategies_are_shown_with_one_name(names: dict[int, str]) -> None:
    shown = [name.casefold() for name in told_apart(names).values()]
    assert len(set(shown)) == len(names)


def test_the_csv_has_a_header_and_empty_cells_for_missing_numbers_and_no_formulas() -> None:
    text = to_csv([row(1, name="=HYPERLINK(1)")])
    (read,) = list(csv.DictReader(io.StringIO(text)))
    assert read["sharpe"] == ""
    assert read["name"] == "'=HYPERLINK(1)"
