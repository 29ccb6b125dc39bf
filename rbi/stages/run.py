"""Run: the newest attempt on every dataset's dev slice."""

from __future__ import annotations

from dataclasses import replace

from rbi.domain import Backtest, Draft
from rbi.stages.context import Context, Scenario


def run(draft: Draft, context: Context, stage: str = "run") -> Draft:
    """Backtest the newest attempt, on behalf of ``stage``. One that the check stopped is not run."""
    attempt = draft.attempts[-1]
    if attempt.problem:
        return draft
    number = len(draft.attempts)
    results = tuple(
        Backtest(number, bars, context.effects.backtest(draft.idea, stage, attempt.source, Scenario(bars)))
        for bars in context.slices
    )
    return replace(draft, backtests=(*draft.backtests, *results))
