"""Debugging: what the model is told, what stands, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from builders import ScriptedEffects, bad_result, context, good_result

from models.base import Usage
from models.client import Answer
from models.errors import Overloaded, QuotaExhausted
from rbi.domain import AttemptReason, Idea, IdeaReport, OutcomeKind
from rbi.pipeline import run_idea
from runners.base import BarsFile, Failure, FailureKind, OrderDiagnostics, RunResult

IDEA = Idea(1, "Buy when RSI(14) falls below 30.")
NOTE = """\
# RSI dip
Coverage: wholly
Direction: both
## Entries
- Buy when RSI falls below 30, sell short when it rises above 70
## Indicators
- RSI, 14 bars
"""
CODE = """\
from backtesting import Strategy
import talib
class Dip(Strategy):
    period = 14
    def init(self):
        self.rsi = self.I(talib.RSI, self.data.Close, self.period)
    def next(self):
        if self.rsi[-1] < 30:
            self.buy()
        elif self.rsi[-1] > 70:
            self.sell()
        {extra}
"""
ORDERS = OrderDiagnostics(1597, 14, 0, 0, 0, {}, 0, 0, 0, 0)


def fenced(extra: str, remark: str = "Corrected it.") -> str:
    return f"{remark}\n```python\n{CODE.format(extra=extra)}```\n"


def error(message: str, line: int = 8) -> RunResult:
    return bad_result(Failure(FailureKind.ERROR, message, "look there", line, "self.rsi[-1] < 30"))


def never_ordered(signals: int = 0) -> RunResult:
    failure = Failure(FailureKind.NEVER_ORDERED, "no order was placed", "loosen the entry")
    orders = replace(ORDERS, signals=signals)
    return replace(good_result(trades=0), failure=failure, orders=orders)


class Conversation(ScriptedEffects):
    """Effects whose model answers each debugging question with the next of its answers."""

    def __init__(
        self, debugged: Sequence[str | Exception], result: Callable[[str, BarsFile], RunResult]
    ) -> None:
        super().__init__({"research": NOTE, "write": fenced("one = 1")}, result)
        self.debugged = list(debugged)

    def ask(self, idea: Idea, stage: str, inputs: Mapping[str, str]) -> Answer:
        if stage != "debug":
            return super().ask(idea, stage, inputs)
        self.asked.append((stage, inputs))
        answer = self.debugged.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer, "test", "model", Usage(), None, None, False, 1)

    @property
    def told(self) -> list[Mapping[str, str]]:
        return [inputs for stage, inputs in self.asked if stage == "debug"]


def go(effects: Conversation, rounds: int = 10) -> IdeaReport:
    goal = replace(context(effects).goal, rounds=0)
    return run_idea(IDEA, replace(context(effects), debug_rounds=rounds, goal=goal), lambda stage: None)


def by_source(results: Mapping[str, RunResult], otherwise: RunResult) -> Callable[[str, BarsFile], RunResult]:
    def result(source: str, bars: BarsFile) -> RunResult:
        return next((found for mark, found in results.items() if mark in source), otherwise)

    return result


def reasons(report: IdeaReport) -> str:
    return "\n".join(report.outcome.reasons)


def test_failures_are_mended_one_after_the_other_until_it_trades() -> None:
    results = {"one": error("division by zero"), "two": error("list index out of range")}
    effects = Conversation([fenced("two = 2"), fenced("three = 3")], by_source(results, good_result()))
    report = go(effects)
    assert report.outcome.kind is OutcomeKind.TRADED
    assert [a.reason for a in report.draft.attempts] == [
        AttemptReason.WRITTEN,
        AttemptReason.DEBUGGED,
        AttemptReason.DEBUGGED,
    ]
    assert [a.base for a in report.draft.attempts] == [0, 1, 2]


def test_the_model_sees_class_lines_counts_versions_and_what_was_tried() -> None:
    results = {"one": error("division by zero"), "two": never_ordered(signals=3)}
    effects = Conversation(
        [fenced("two = 2", "Guarded the division."), fenced("three = 3")], by_source(results, good_result())
    )
    go(effects)
    first, second = effects.told
    assert "error: division by zero" in first["failure"]
    assert ">    8         if self.rsi[-1] < 30:" in first["failure"]
    assert first["backtesting"] == "0.6.6"
    assert first["tried"] == "Nothing yet."
    assert "never_ordered" in second["failure"]
    assert "next() ran on 1597; an order was asked for on 3" in second["failure"]
    assert "Guarded the division. -> never_ordered" in second["tried"]


def test_the_same_failure_twice_ends_it() -> None:
    results = {"one": error("bar 12 is missing"), "two": error("bar 99 is missing")}
    effects = Conversation([fenced("two = 2"), fenced("three = 3")], by_source(results, good_result()))
    report = go(effects)
    assert len(effects.told) == 1
    assert (report.outcome.kind, report.outcome.cause) == (OutcomeKind.FAILED, "error")
    assert "debugging ended after 1 round: the same failure twice (error)" in reasons(report)


def test_a_failure_that_comes_back_later_ends_it_too() -> None:
    results = {"one": error("a"), "two": error("b"), "three": error("a")}
    effects = Conversation(
        [fenced("two = 2"), fenced("three = 3"), fenced("4")], by_source(results, good_result())
    )
    report = go(effects)
    assert len(effects.told) == 2
    assert "the same failure twice" in reasons(report)


@pytest.mark.parametrize("back", ["one = 1", "one = 1  # mended", "one = (1)"])
def test_the_same_program_is_not_run_again(back: str) -> None:
    results = {"one": error("a"), "two": error("b")}
    effects = Conversation([fenced("two = 2"), fenced(back)], by_source(results, good_result()))
    report = go(effects)
    assert len(effects.ran) == 4
    assert "the same code came back" in reasons(report)


def test_no_trades_twice_is_no_success() -> None:
    effects = Conversation([fenced("two = 2")], by_source({}, never_ordered()))
    report = go(effects)
    assert (report.outcome.kind, report.outcome.cause) == (OutcomeKind.NO_TRADES, "never_ordered")


def test_rounds_are_limited_and_none_may_be_allowed() -> None:
    results = {name: error(name) for name in ("one", "two", "three")}
    effects = Conversation([fenced("two = 2"), fenced("three = 3")], by_source(results, good_result()))
    report = go(effects, rounds=2)
    assert len(effects.told) == 2
    assert "no more rounds are allowed" in reasons(report)
    untouched = Conversation([], by_source(results, good_result()))
    assert go(untouched, rounds=0).outcome.kind is OutcomeKind.FAILED


def test_an_answer_that_was_cut_off_is_never_run() -> None:
    effects = Conversation(
        ["```python\nclass Dip(Strategy):\n    def ne", fenced("two = 2")],
        by_source({"one": error("a")}, good_result()),
    )
    report = go(effects)
    assert all("def init" in source for source, _ in effects.ran)
    assert "cut off" in effects.told[1]["tried"]
    assert report.outcome.kind is OutcomeKind.TRADED


def test_a_repair_that_changes_what_already_traded_is_reverted() -> None:
    def result(source: str, bars: BarsFile) -> RunResult:
        if bars.name == "EURUSD" and "one" in source:
            return error("division by zero")
        return good_result(trades=40 if "one" in source else 39)

    report = go(Conversation([fenced("two = 2"), fenced("three = 3")], result))
    assert report.draft.chosen == 1
    assert "it ran on GOOG before, and makes 39 trades now instead of 40" in report.draft.attempts[1].rejected
    assert "the same failure twice (drift)" in reasons(report)


def test_a_repair_that_leaves_what_traded_stands() -> None:
    def result(source: str, bars: BarsFile) -> RunResult:
        return error("no") if bars.name == "EURUSD" and "one" in source else good_result()

    report = go(Conversation([fenced("two = 2")], result))
    assert report.draft.chosen == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("< 30", "< 55", "the note says 30"),
        ("period = 14", "period = 3", "the note says 14"),
        ("talib.RSI", "talib.MOM", "the indicator rsi"),
        ("self.sell()", "self.position.close()", "no longer has sell orders"),
    ],
)
def test_a_repair_that_leaves_the_rules_of_the_note_is_reverted(old: str, new: str, said: str) -> None:
    drifted = (
        fenced("two = 2").replace(old, new).replace("self.rsi", "self.rsi" if "RSI" not in old else "self.m")
    )
    effects = Conversation([drifted, fenced("three = 3")], by_source({"one": never_ordered()}, good_result()))
    report = go(effects)
    assert said in report.draft.attempts[1].rejected
    assert "reverted" in effects.told[1]["tried"]
    assert (report.draft.chosen, report.outcome.kind) == (3, OutcomeKind.TRADED)


def test_a_note_in_another_form_says_nothing_of_numbers() -> None:
    effects = Conversation(
        [fenced("two = 2").replace("30", "55")], by_source({"one": never_ordered()}, good_result())
    )
    effects.answers = {**effects.answers, "research": "Buy at RSI below 30."}
    assert go(effects).draft.chosen == 2


def test_a_model_that_fails_while_debugging_leaves_the_idea_to_be_tried_again() -> None:
    report = go(Conversation([Overloaded("busy")], by_source({}, error("a"))))
    assert report.outcome.kind is OutcomeKind.MODEL_FAILED


def test_what_was_answered_before_the_model_failed_is_among_the_attempts() -> None:
    results = {"one": error("a"), "two": error("b")}
    report = go(Conversation([fenced("two = 2"), Overloaded("busy")], by_source(results, good_result())))
    assert (report.outcome.kind, report.outcome.final) == (OutcomeKind.MODEL_FAILED, False)
    assert [
        (a.reason, bool(report.draft.backtests_of(n))) for n, a in enumerate(report.draft.attempts, 1)
    ] == [
        (AttemptReason.WRITTEN, True),
        (AttemptReason.DEBUGGED, True),
    ]


def test_what_trades_already_is_kept_when_the_model_fails() -> None:
    def result(source: str, bars: BarsFile) -> RunResult:
        return error("no") if bars.name == "EURUSD" else good_result()

    report = go(Conversation([Overloaded("busy")], result))
    assert report.outcome.kind is OutcomeKind.TRADED
    assert "overloaded: busy" in reasons(report)


def test_what_ends_the_batch_ends_it_while_debugging_too() -> None:
    with pytest.raises(QuotaExhausted):
        go(Conversation([QuotaExhausted("no money left")], by_source({}, error("a"))))


def test_certain_fixes_are_made_before_anything_is_asked() -> None:
    broken = CODE.format(extra="one = 1").replace(
        "import talib", "import talib\nimport matplotlib.pyplot as plt"
    )
    effects = Conversation([], by_source({"matplotlib": error("no matplotlib")}, good_result()))
    effects.answers = {**effects.answers, "write": f"```python\n{broken}```"}
    report = go(effects)
    assert report.outcome.kind is OutcomeKind.TRADED
    assert not effects.told
    (attempt,) = report.draft.attempts
    assert [fix.changes_orders for fix in attempt.fixes] == [False]
    assert "-import matplotlib" in attempt.fixes[0].diff


def refused() -> RunResult:
    return bad_result(
        Failure(FailureKind.ORDER_PRICE, "Long orders require: SL < LIMIT < TP", "mind the side", 9)
    )


def test_a_refused_order_goes_back_to_the_model_first() -> None:
    effects = Conversation([fenced("two = 2")], by_source({"one": refused()}, good_result()))
    report = go(effects)
    assert "changes which orders are placed" in effects.told[0]["failure"]
    assert [attempt.reason for attempt in report.draft.attempts][1:] == [AttemptReason.DEBUGGED]


def test_where_the_model_does_not_mend_it_the_order_is_left_out_and_that_is_said() -> None:
    def result(source: str, bars: BarsFile) -> RunResult:
        return good_result() if "Added by rbi" in source else refused()

    report = go(Conversation([fenced("two = 2")], result))
    guarded = report.draft.attempts[-1]
    assert (guarded.reason, guarded.model, guarded.base) == (AttemptReason.GUARDED, "", 2)
    assert all(fix.changes_orders for fix in guarded.fixes)
    assert (report.draft.chosen, report.outcome.kind) == (3, OutcomeKind.TRADED)
    assert "other orders are placed than the code asks for" in reasons(report)
