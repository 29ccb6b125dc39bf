"""Keeping a version: it scores higher than the one before by more than noise, and no gate stops it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rbi.data.slices import open_prices
from rbi.domain import Draft
from rbi.optimizing.noise import LEVEL, compare
from rbi.optimizing.score import score_of
from rbi.optimizing.shown import figure
from rbi.stages.context import Context, Scenario
from rbi.stages.debug import rejected
from rbi.validation.gates import COST_FACTOR, GATES, OF_ONE_RUN, Evidence, failed
from rbi.validation.looking_ahead import cuts, difference
from runners.base import EquityCurve, RunResult

STAGE = "optimize"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A draft whose newest attempt stands, or was rejected with the reason ``why_not``. ``score`` is that attempt's."""

    draft: Draft
    score: float | None
    why_not: str = ""


def results_of(draft: Draft, attempt: int) -> tuple[RunResult, ...]:
    """What an attempt (from 1) led to, one result for each dataset."""
    return tuple(backtest.result for backtest in draft.backtests_of(attempt))


def weigh(
    draft: Draft, context: Context, *, tried: int, repeated: tuple[RunResult, ...] | None = None
) -> Weighed:
    """The draft's newest attempt, which was run, against the attempt that it was made from.

    ``tried`` is how many versions are compared with that one, ``repeated`` the newest's own results of another run
    where there are some. Runs that cost something are made only where nothing else stops the version.
    """
    number = len(draft.attempts)
    newest = draft.attempts[-1]
    evidence = Evidence(results_of(draft, number), newest.problems, repeated)
    score = score_of(evidence.results, context.goal.score, results_of(draft, newest.base))
    why_not = (
        _not_comparable(evidence, score)
        or _not_higher(draft, context, score)
        or "; ".join(failed(OF_ONE_RUN, evidence))
        or _within_noise(draft, context, tried)
    )
    if not why_not:
        draft, evidence = _with_more_runs(draft, context, evidence)
        why_not = "; ".join(failed(GATES, evidence))
    return Weighed(rejected(draft, why_not) if why_not else draft, score, why_not)


def unweighed(draft: Draft, why_not: str) -> Weighed:
    """The draft with its newest attempt rejected as it is, without a run."""
    return Weighed(rejected(draft, why_not), None, why_not)


def _not_comparable(evidence: Evidence, score: float | None) -> str:
    if score is not None:
        return ""
    return next(
        failed(OF_ONE_RUN, evidence), "it does not trade on every dataset that the version before trades on"
    )


def _not_higher(draft: Draft, context: Context, score: float | None) -> str:
    goal = context.goal
    base = score_of(results_of(draft, draft.attempts[-1].base), goal.score)
    if score is not None and base is not None and score > base:
        return ""
    shown = ["none" if value is None else figure(goal.score, value) for value in (score, base)]
    return f"no better: mean {goal.score.value} {shown[0]} instead of {shown[1]}"


def _within_noise(draft: Draft, context: Context, tried: int) -> str:
    attempts = (draft.attempts[-1].base, len(draft.attempts))
    before, after = [_curves(draft, attempt) for attempt in attempts]
    found = compare(before, after, context.goal.score)
    if found.beyond_noise(tried):
        return ""
    if found.why_not:
        return f"no saying whether it is better by more than noise: {found.why_not}"
    allowed = 100 * LEVEL / max(1, tried)
    return (
        f"better within noise only: by {found.errors:.1f} standard errors, which chance gives in"
        f" {100 * found.chance:.2g}% ({allowed:.2g}% are allowed with {tried} compared)"
    )


def _curves(draft: Draft, attempt: int) -> list[EquityCurve]:
    return [result.equity for result in results_of(draft, attempt) if result.equity]


def _with_more_runs(draft: Draft, context: Context, evidence: Evidence) -> tuple[Draft, Evidence]:
    """The evidence with the same run made once more, where that was not done, and with higher costs."""
    again = [] if evidence.repeated is not None else [Scenario(bars) for bars in context.slices]
    dearer = [Scenario(bars, cost_factor=COST_FACTOR) for bars in context.slices]
    results = context.effects.scores(draft.idea, STAGE, draft.attempts[-1].source, [*again, *dearer])
    repeated = evidence.repeated if evidence.repeated is not None else results[: len(again)]
    draft = replace(draft, tries=draft.tries + len(results))
    evidence = replace(evidence, repeated=repeated, dearer=results[len(again) :], ahead="")
    return _tried_ahead(draft, context, evidence) if not any(failed(GATES, evidence)) else (draft, evidence)


def _tried_ahead(draft: Draft, context: Context, evidence: Evidence) -> tuple[Draft, Evidence]:
    """The evidence with runs on bars that have other futures, up to the first that shows something."""
    tried = 0
    for backtest in draft.backtests_of(len(draft.attempts)):
        opens = open_prices(backtest.bars)
        for first in cuts(backtest, opens):
            scenario = Scenario(context.other_future(backtest.bars, first))
            other = context.effects.backtest(draft.idea, STAGE, draft.attempts[-1].source, scenario)
            tried += 1
            seen = difference(backtest, other, first, opens)
            if seen:
                seen = f"{backtest.bars.name}: {seen}"
                return replace(draft, tries=draft.tries + tried), replace(evidence, ahead=seen)
    seen = "" if tried else "there is no trade that could show it"
    return replace(draft, tries=draft.tries + tried), replace(evidence, ahead=seen)
