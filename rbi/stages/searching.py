"""The parameter search: other values of what the class declares, tried without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rbi.domain import Attempt, AttemptReason, Draft
from rbi.optimizing.parameters import declared, with_values
from rbi.optimizing.score import score_of
from rbi.optimizing.search import MOST_BARS, Values, affordable_tries, first_tries, next_tries
from rbi.optimizing.shown import amount
from rbi.stages.check import checked
from rbi.stages.context import Context, Scenario
from rbi.stages.keeping import STAGE, results_of, weigh
from rbi.stages.run import run
from rbi.validation.gates import OF_ONE_RUN, Evidence, failed
from runners.base import RunResult


@dataclass(frozen=True, slots=True)
class Searched:
    """A draft after its search; the winner, if there is one, is its newest attempt, kept or rejected.

    ``tried`` counts the sets of values, ``lines`` say what each scored and how it ended.
    """

    draft: Draft
    tried: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Try:
    values: Values
    results: tuple[RunResult, ...]
    score: float | None
    why_not: str


def search(draft: Draft, context: Context, *, more: int) -> Searched:
    """Try values around those that the chosen version declares, and run the best by itself.

    The best is the one that scores highest, and above the chosen version, among those that pass the gates. It stays
    if it is better beyond noise, for all that is tried and ``more`` versions that may yet be compared with the same
    base, and if it gives what its try gave.
    """
    base = draft.attempts[draft.chosen - 1].source
    bars = sum(each.rows for each in context.slices)
    parameters, most = declared(base), affordable_tries(bars)
    if not parameters:
        return Searched(
            draft, 0, ("- no parameter search: the class declares none that can be searched over",)
        )
    if not most:
        return Searched(
            draft, 0, (f"- no parameter search: {bars:,} bars a try are more than {MOST_BARS:,}",)
        )
    before = score_of(results_of(draft, draft.chosen), context.goal.score)
    if before is None:
        raise ValueError("the version that is searched around has no score")
    tries = _score(draft, context, first_tries(parameters, most))
    following = next_tries(parameters, [(t.values, t.score) for t in tries], before, most)
    tries += _score(draft, context, following) if following else []
    draft = replace(draft, tries=draft.tries + len(tries) * len(context.slices))
    lines = tuple(_line(one, context) for one in tries)
    passed = [one for one in tries if not one.why_not and one.score is not None and one.score > before]
    if not passed:
        return Searched(
            draft, len(tries), (*lines, "- none of these values scored higher and passed the gates")
        )
    best = max(passed, key=lambda one: one.score or 0.0)
    draft = _with_winner(draft, best, len(tries))
    weighed = weigh(run(draft, context, STAGE), context, tried=len(tries) + more, repeated=best.results)
    ending = f"not kept: {weighed.why_not}" if weighed.why_not else "kept"
    return Searched(
        weighed.draft, len(tries), (*lines, f"- the best of these values, run by itself: {ending}")
    )


def _score(draft: Draft, context: Context, sets: Sequence[Values]) -> list[_Try]:
    """Every set of values on every dataset, in one job."""
    chosen, slices = draft.attempts[draft.chosen - 1], context.slices
    scenarios = [Scenario(bars, dict(values)) for values in sets for bars in slices]
    results = context.effects.scores(draft.idea, STAGE, chosen.source, scenarios)
    base, found = results_of(draft, draft.chosen), []
    for number, values in enumerate(sets):
        own = results[number * len(slices) : (number + 1) * len(slices)]
        why_not = "; ".join(failed(OF_ONE_RUN, Evidence(own, chosen.problems)))
        found.append(_Try(values, own, score_of(own, context.goal.score, base), why_not))
    return found


def _line(one: _Try, context: Context) -> str:
    values = ", ".join(f"{name} = {value:g}" for name, value in one.values.items())
    score = "no score" if one.score is None else amount(context.goal.score, one.score)
    return f"- tried {values}: {score}" + (f" (stopped: {one.why_not})" if one.why_not else "")


def _with_winner(draft: Draft, best: _Try, tried: int) -> Draft:
    base = draft.chosen
    before = {p.name: p.value for p in declared(draft.attempts[base - 1].source)}
    moved = ", ".join(f"`{name}` from {before[name]:g} to {value:g}" for name, value in best.values.items())
    source = with_values(draft.attempts[base - 1].source, best.values)
    remark = f"Changed {moved}: the best of {tried} sets of values that were tried."
    winner = checked(Attempt(AttemptReason.SEARCHED, source, "", remark, base=base))
    return replace(draft, attempts=(*draft.attempts, winner))
