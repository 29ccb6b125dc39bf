"""The way of an idea: the stages in order, and the outcome they lead to."""

from __future__ import annotations

from collections.abc import Callable

from models.errors import BudgetSpent, Interrupted, ModelError
from rbi.domain import Backtest, Draft, Idea, IdeaReport, Outcome, OutcomeKind, Verdict
from rbi.stages.check import check
from rbi.stages.context import Context
from rbi.stages.repair import described, repair
from rbi.stages.research import research
from rbi.stages.run import run
from rbi.stages.write import write
from rbi.writers import BUDGET

Stage = Callable[[Draft, Context], Draft]
STAGES: tuple[Stage, ...] = (research, write, check, run, repair)
STAGE_NAMES = tuple(stage.__name__ for stage in STAGES)

FEW_TRADES = 30
NOT_VALIDATED = "dev slice only: look-ahead, costs and the hold-out have not been tested"


def run_idea(idea: Idea, context: Context, entered: Callable[[str], None]) -> IdeaReport:
    """Take an idea through the stages to its outcome. ``entered`` is told each stage's name.

    Raises what ends the whole batch: fatal `ModelError`, `Interrupted` and the batch's `BudgetSpent`, and
    `runners.base.RunnerError`. A model that fails for this idea alone, or an idea that has used up its own budget,
    is an outcome.
    """
    draft = Draft(idea)
    for stage in STAGES:
        entered(stage.__name__)
        try:
            draft = stage(draft, context)
        except ModelError as error:
            if _ends_the_batch(error):
                raise
            return IdeaReport(draft, _model_failed(stage.__name__, error))
        if draft.outcome:
            return IdeaReport(draft, draft.outcome)
    return IdeaReport(draft, conclude(draft))


def conclude(draft: Draft) -> Outcome:
    """The outcome of an idea whose strategy was written."""
    chosen = draft.chosen_backtests
    failed = [f"{b.bars.name}: {described(b.result.failure)}" for b in chosen if b.result.failure]
    if any(b.trades for b in chosen):
        verdict, reasons = judge(chosen)
        return Outcome(OutcomeKind.TRADED, verdict, (*reasons, *failed))
    if failed:
        first = next(b.result.failure for b in chosen if b.result.failure)
        return Outcome(OutcomeKind.FAILED, None, tuple(failed), cause=first.kind.value)
    problem = draft.attempts[-1].problem
    if problem:
        return Outcome(OutcomeKind.FAILED, None, (described(problem),), cause=problem.kind.value)
    return Outcome(OutcomeKind.NO_TRADES, None, ("the strategy never traded",), cause="no_trades")


def judge(backtests: tuple[Backtest, ...]) -> tuple[Verdict, tuple[str, ...]]:
    """What dev results alone can say: FAIL for a bust account, otherwise CANNOT TELL. Never PASS."""
    bust = [b.bars.name for b in backtests if b.result.stats and b.result.stats.equity_final <= 0]
    if bust:
        return Verdict.FAIL, (f"bust on {', '.join(bust)}",)
    few = [f"{b.bars.name} {b.trades}" for b in backtests if b.trades < FEW_TRADES]
    reasons = (f"few trades ({', '.join(few)}; {FEW_TRADES} wanted)",) if few else ()
    return Verdict.CANNOT_TELL, (NOT_VALIDATED, *reasons)


def _ends_the_batch(error: ModelError) -> bool:
    if isinstance(error, BudgetSpent):
        return error.budget == BUDGET
    return error.fatal or isinstance(error, Interrupted)


def _model_failed(stage: str, error: ModelError) -> Outcome:
    reason = f"{stage}: {error.message}" + (f" ({error.hint})" if error.hint else "")
    kind = OutcomeKind.OVER_BUDGET if isinstance(error, BudgetSpent) else OutcomeKind.MODEL_FAILED
    return Outcome(kind, None, (reason,), cause=error.kind)
