"""From an idea to its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import ScriptedEffects, bad_result, context, good_result

from models.errors import BadKey, Interrupted, Overloaded
from rbi.domain import Idea, IdeaReport, OutcomeKind, Verdict
from rbi.pipeline import STAGE_NAMES, run_idea
from rbi.stages.context import Goal
from runners.base import BarsFile, Failure, FailureKind, RunnerError, RunResult

IDEA = Idea(1, "buy low")
NOTE = "# Low\nCoverage: wholly\n"
FIRST = "```python\nclass First: pass\n```"
SECOND = "It divided by zero.\n```python\nclass Second: pass\n```"
ANSWERS = {"research": NOTE, "write": FIRST, "debug": SECOND}
ERROR = Failure(FailureKind.ERROR, "ZeroDivisionError", "guard it", line=3, source_line="1 / 0")


def go(effects: ScriptedEffects) -> tuple[IdeaReport, list[str]]:
    entered: list[str] = []
    unimproved = replace(context(effects), goal=Goal(rounds=0))
    return run_idea(IDEA, unimproved, entered.append), entered


def always(result: RunResult) -> Callable[[str, BarsFile], RunResult]:
    return lambda source, bars: result


def by_version(first: RunResult, second: RunResult) -> Callable[[str, BarsFile], RunResult]:
    return lambda source, bars: second if "Second" in source else first


def test_a_strategy_that_trades_goes_through_every_stage_once_and_is_not_repaired() -> None:
    effects = ScriptedEffects(ANSWERS, always(good_result()))
    report, entered = go(effects)
    assert tuple(entered) == STAGE_NAMES
    assert [stage for stage, _ in effects.asked] == ["research", "write"]
    assert [name for _, name in effects.ran] == ["GOOG", "EURUSD"]
    assert (report.outcome.kind, report.outcome.verdict) == (OutcomeKind.TRADED, Verdict.CANNOT_TELL)


def test_dev_results_alone_never_pass() -> None:
    report, _ = go(ScriptedEffects(ANSWERS, always(good_result(sharpe=9.0))))
    assert report.outcome.verdict is Verdict.CANNOT_TELL
    assert any("hold-out" in reason for reason in report.outcome.reasons)


def test_a_bust_account_fails() -> None:
    report, _ = go(ScriptedEffects(ANSWERS, always(good_result(equity_final=0.0))))
    assert report.outcome.verdict is Verdict.FAIL


def test_few_trades_are_said() -> None:
    report, _ = go(ScriptedEffects(ANSWERS, always(good_result(trades=3))))
    assert any("few trades" in reason for reason in report.outcome.reasons)


def test_an_idea_that_no_rule_covers_ends_after_research_with_the_reason() -> None:
    note = "# X\nCoverage: none\n## Why not\nIt names no rule.\n"
    effects = ScriptedEffects({"research": note}, always(good_result()))
    report, entered = go(effects)
    assert entered == ["intake", "research", "feasibility"]
    assert report.outcome.kind is OutcomeKind.NOT_UNDERSTOOD
    assert report.outcome.reasons == ("It names no rule.",)


@pytest.mark.parametrize("first", [bad_result(ERROR), good_result(trades=0)], ids=["error", "no trades"])
def test_one_repair_is_asked_for_and_the_repaired_version_stands(first: RunResult) -> None:
    effects = ScriptedEffects(ANSWERS, by_version(first, good_result()))
    report, _ = go(effects)
    assert report.outcome.kind is OutcomeKind.TRADED
    assert report.draft.chosen == 2
    assert report.draft.attempts[1].remark == "It divided by zero."
    assert [stage for stage, _ in effects.asked].count("debug") == 1


def test_the_repair_is_told_what_failed_where_and_on_what() -> None:
    effects = ScriptedEffects(ANSWERS, always(bad_result(ERROR)))
    go(effects)
    told = dict(effects.asked)["debug"]
    assert told["failure"].startswith("error: ZeroDivisionError\nLine 3: 1 / 0")
    assert "GOOG" in told["failure"]
    assert told["code"] == "class First: pass\n"


def test_a_repair_that_makes_it_worse_does_not_replace_what_traded() -> None:
    def result(source: str, bars: BarsFile) -> RunResult:
        if "Second" in source or bars.name == "EURUSD":
            return bad_result(ERROR)
        return good_result()

    report, _ = go(ScriptedEffects(ANSWERS, result))
    assert report.draft.chosen == 1
    assert report.outcome.kind is OutcomeKind.TRADED
    assert any("EURUSD" in reason for reason in report.outcome.reasons)


def test_a_repair_that_changes_nothing_is_not_run_again() -> None:
    effects = ScriptedEffects({**ANSWERS, "debug": FIRST}, always(bad_result(ERROR)))
    report, _ = go(effects)
    assert len(effects.ran) == 2
    assert [bool(attempt.rejected) for attempt in report.draft.attempts] == [False, True]
    assert (report.outcome.kind, report.outcome.cause) == (OutcomeKind.FAILED, "error")
    assert any("the same code came back" in reason for reason in report.outcome.reasons)


def test_what_the_check_stops_is_never_run() -> None:
    effects = ScriptedEffects(
        {**ANSWERS, "write": "```python\nclass S(\n```", "debug": "```python\nx = 1"}, always(good_result())
    )
    report, _ = go(effects)
    assert effects.ran == []
    assert (report.outcome.kind, report.outcome.cause) == (OutcomeKind.FAILED, "syntax")


def test_no_trades_after_the_repair_is_an_outcome_of_its_own() -> None:
    report, _ = go(ScriptedEffects(ANSWERS, always(good_result(trades=0))))
    assert report.outcome.kind is OutcomeKind.NO_TRADES


def test_a_model_that_fails_for_one_idea_is_an_outcome_that_is_tried_again() -> None:
    report, _ = go(ScriptedEffects({**ANSWERS, "write": Overloaded("busy")}, always(good_result())))
    assert (report.outcome.kind, report.outcome.cause) == (OutcomeKind.MODEL_FAILED, "overloaded")
    assert not report.outcome.final
    assert report.draft.note is not None


@pytest.mark.parametrize("error", [BadKey("no"), Interrupted("stop"), RunnerError("no environment")])
def test_what_would_end_every_idea_ends_the_batch(error: Exception) -> None:
    with pytest.raises(type(error)):
        go(ScriptedEffects({**ANSWERS, "write": error}, always(good_result())))
