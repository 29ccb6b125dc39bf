"""The way of an idea: the stages in order, and the outcome they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from models.errors import BudgetSpent, ModelError
from rbi.data.slices import DEV
from rbi.diagnosis import described
from rbi.domain import Backtest, Draft, Idea, IdeaReport, Outcome, OutcomeKind, Verdict
from rbi.repairs.findings import MISLEADING
from rbi.stages.asking import ends_the_batch, model_failed
from rbi.stages.check import check
from rbi.stages.context import Context
from rbi.stages.debug import debug
from rbi.stages.feasibility import feasibility
from rbi.stages.intake import intake
from rbi.stages.optimize import optimize
from rbi.stages.research import research
from rbi.stages.run import run
from rbi.stages.write import write
from rbi.validation.gates import FEW_TRADES, is_bust
from runners.base import FailureKind

Stage = Callable[[Draft, Context], Draft]
STAGES: tuple[Stage, ...] = (intake, research, feasibility, write, check, run, debug, optimize)
STAGE_NAMES = tuple(stage.__name__ for stage in STAGES)

NOT_VALIDATED = "dev slice only: look-ahead, costs and the hold-out have not been tested"
NOTHING_HELD_OUT = (
    "all bars were used: look-ahead and costs have not been tested, and no hold-out is left to test on"
)


def run_idea(idea: Idea, context: Context, entered: Callable[[str], None]) -> IdeaReport:
    """Take an idea through the stages to its outcome. ``entered`` is told each stage's name.

    Raises what ends the whole batch: fatal `ModelError`, `Interrupted` and the batch's `BudgetSpent`, and
    `runners.base.RunnerError`. A model that fails for this idea alone, or an idea that has used up its own budget,
    is an outcome. Where a strategy trades already, the report has it and the batch's `BudgetSpent`.
    """
    draft = Draft(idea)
    for stage in STAGES:
        entered(stage.__name__)
        try:
            draft = stage(draft, context)
        except ModelError as error:
            if isinstance(error, BudgetSpent) and any(b.trades for b in draft.chosen_backtests):
                return _cut_short(draft, stage.__name__, error)
            if ends_the_batch(error):
                raise
            return IdeaReport(draft, model_failed(stage.__name__, error))
        if draft.outcome:
            return IdeaReport(draft, draft.outcome)
    return IdeaReport(draft, conclude(draft))


def _cut_short(draft: Draft, stage: str, error: BudgetSpent) -> IdeaReport:
    """What trades already when the batch's budget ends is there to be seen. It is gone on with when there is more."""
    outcome = conclude(draft)
    reasons = (*outcome.reasons, f"{stage}: {error.message}")
    return IdeaReport(draft, replace(outcome, reasons=reasons, may_pass=True), unaffordable=error)


def run_given(draft: Draft, context: Context, entered: Callable[[str], None]) -> IdeaReport:
    """Take a strategy that the user wrote, the draft's only attempt, to its outcome: it is run, and nothing else.

    Raises what ends the whole batch, as `run_idea` does.
    """
    entered(run.__name__)
    done = run(draft, context)
    return IdeaReport(done, conclude(done))


def conclude(draft: Draft) -> Outcome:
    """The outcome of an idea whose strategy was written."""
    outcome = _concluded(draft)
    return replace(outcome, reasons=(*outcome.reasons, *_doubts(draft), *draft.remarks))


def _doubts(draft: Draft) -> Iterator[str]:
    """What about the chosen version misleads although it runs: in its code, or in what was done to it."""
    chosen = draft.attempts[draft.chosen - 1]
    fixes = (fix for attempt in draft.lineage(draft.chosen) for fix in attempt.fixes)
    yield from dict.fromkeys(f"guarded: {fix.reason}" for fix in fixes if fix.changes_orders)
    for problem in chosen.problems:
        if problem.rule in MISLEADING:
            yield f"line {problem.line} ({problem.rule}): {problem.message}"


def _concluded(draft: Draft) -> Outcome:
    chosen = draft.chosen_backtests
    failed = [(b, b.result.failure) for b in chosen if b.result.failure]
    reasons = tuple(f"{b.bars.name}: {described(failure)}" for b, failure in failed)
    forged = next((n for n, (_, failure) in enumerate(failed) if failure.kind is FailureKind.FORGED), None)
    if forged is not None:
        first = (reasons[forged], *reasons[:forged], *reasons[forged + 1 :])
        return Outcome(OutcomeKind.INVALID, None, first, cause=FailureKind.FORGED.value)
    if any(b.trades for b in chosen):
        verdict, judged = judge(chosen)
        return Outcome(OutcomeKind.TRADED, verdict, (*judged, *reasons))
    problem = draft.attempts[draft.chosen - 1].problem
    broken = next((failure for _, failure in failed if not failure.kind.has_numbers), problem)
    if broken:
        return Outcome(OutcomeKind.FAILED, None, reasons or (described(broken),), cause=broken.kind.value)
    cause = failed[0][1].kind if failed else FailureKind.NO_TRADES
    return Outcome(OutcomeKind.NO_TRADES, None, reasons or ("the strategy never traded",), cause=cause.value)


def judge(backtests: tuple[Backtest, ...]) -> tuple[Verdict, tuple[str, ...]]:
    """What results that were not validated can say: FAIL for a bust account, otherwise CANNOT TELL. Never PASS."""
    bust = [b.bars.name for b in backtests if is_bust(b.result)]
    if bust:
        return Verdict.FAIL, (f"bust on {', '.join(bust)}",)
    few = [f"{b.bars.name} {b.trades}" for b in backtests if b.trades < FEW_TRADES]
    reasons = (f"few trades ({', '.join(few)}; {FEW_TRADES} wanted)",) if few else ()
    held_out = all(b.bars.part == DEV for b in backtests)
    return Verdict.CANNOT_TELL, (NOT_VALIDATED if held_out else NOTHING_HELD_OUT, *reasons)
