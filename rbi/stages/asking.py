"""Asking a model for a better version of a strategy that may be good enough already."""

from __future__ import annotations

from collections.abc import Mapping

from models.client import Answer
from models.errors import BudgetSpent, Interrupted, ModelError
from rbi.domain import Draft, Outcome, OutcomeKind
from rbi.stages.context import Context
from rbi.writers import BUDGET


def ends_the_batch(error: ModelError) -> bool:
    """Whether an error of a model concerns all ideas, not only the one it was asked for."""
    if isinstance(error, BudgetSpent):
        return error.budget == BUDGET
    return error.fatal or isinstance(error, Interrupted)


def model_failed(stage: str, error: ModelError) -> Outcome:
    """The outcome of an idea that a model failed for, or that has used up its own budget."""
    reason = f"{stage}: {error.message}" + (f" ({error.hint})" if error.hint else "")
    kind = OutcomeKind.OVER_BUDGET if isinstance(error, BudgetSpent) else OutcomeKind.MODEL_FAILED
    return Outcome(kind, None, (reason,), cause=error.kind)


def ask_for_better(draft: Draft, context: Context, stage: str, inputs: Mapping[str, str]) -> Answer | str:
    """The answer; or, where the idea has a strategy that trades, why there is none: that one is kept then.

    Raises `models.errors.ModelError` where there is nothing to keep, and what ends the batch.
    """
    try:
        return context.effects.ask(draft.idea, stage, inputs)
    except ModelError as error:
        if ends_the_batch(error) or not any(b.trades for b in draft.chosen_backtests):
            raise
        return f"{error.kind}: {error.message}"
