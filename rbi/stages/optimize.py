"""Optimize: a strategy that trades is improved, by other values of its parameters first, then by the model.

What a model answers, or an idea says, changes nothing in what is measured: goal, bars, costs, gates and the number of
rounds come from the context, and the bars are those of the dev slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rbi.diagnosis import diagnostics_line
from rbi.domain import AttemptReason, Draft
from rbi.optimizing.explanation import explanation
from rbi.optimizing.score import score_of
from rbi.optimizing.shown import amount, goal_text, statistics_text, worst_trades_text
from rbi.stages.asking import ask_for_better
from rbi.stages.check import check
from rbi.stages.context import Context
from rbi.stages.debug import program, rejected
from rbi.stages.keeping import STAGE, Weighed, results_of, unweighed, weigh
from rbi.stages.run import run
from rbi.stages.searching import search
from rbi.stages.write import add_attempt, note_text
from rbi.validation.gates import is_bust

FRUITLESS_ROUNDS = 1
"""Rounds in a row without a kept change after which it ends: of 64 recorded optimizations of strategies that traded, 9
improved them, so that each further round mostly costs a call and makes luck more likely."""
_LONGEST_REMARK = 300


@dataclass(frozen=True, slots=True)
class _State:
    """How far it is. ``score`` is the chosen version's, ``compared`` how many were compared with it so far.

    ``fruitless`` counts the rounds in a row that kept nothing. ``ended`` says why it is over, empty while it is not.
    """

    draft: Draft
    score: float
    history: tuple[str, ...] = ()
    compared: int = 0
    rounds: int = 0
    fruitless: int = 0
    ended: str = ""


def optimize(draft: Draft, context: Context) -> Draft:
    """Search over parameters, then ask for better versions until the target, the rounds or the gains are at an end.

    A version stays only if it scores higher beyond noise and passes the gates; every other is rejected with its
    reason, so that the best stands and not the last. Nothing is done without trades or without rounds.
    """
    goal = context.goal
    if not goal.rounds or not any(backtest.trades for backtest in draft.chosen_backtests):
        return draft
    results = results_of(draft, draft.chosen)
    before = score_of(results, goal.score)
    if before is None or any(is_bust(result) for result in results):
        return _remarked(
            draft, f"not optimized: {'it has no score' if before is None else 'an account went bust'}"
        )
    if before >= goal.target:
        return _remarked(draft, f"not optimized: {amount(goal.score, before)} is at the target already")
    state = _searched(_State(draft, before), context)
    while not state.ended:
        state = _asked(state, context)
    counted = f"{state.rounds} {'round' if state.rounds == 1 else 'rounds'}"
    scores = f"{amount(goal.score, before)} before, {state.score:.2f} after"
    return _remarked(state.draft, f"optimizing ended after {counted}: {state.ended} ({scores})")


def _searched(state: _State, context: Context) -> _State:
    found = search(state.draft, context, more=_further(context))
    kept = found.draft.chosen != state.draft.chosen
    state = replace(state, draft=found.draft, history=found.lines, compared=0 if kept else found.tried)
    return _ending(_rescored(state, context), context)


def _asked(state: _State, context: Context) -> _State:
    """One round: an answer, what becomes of it, and whether there is another."""
    base = state.draft.chosen
    answer = ask_for_better(state.draft, context, STAGE, _inputs(state, context))
    if isinstance(answer, str):
        return replace(state, ended=answer)
    state = replace(state, rounds=state.rounds + 1)
    said = explanation(answer.text)
    draft = add_attempt(state.draft, AttemptReason.OPTIMIZED, answer, base=base)
    newest = replace(draft.attempts[-1], remark=said)
    draft = check(replace(draft, attempts=(*draft.attempts[:-1], newest)), context)
    seen = {program(attempt.source) for attempt in draft.attempts[:-1]}
    if program(draft.attempts[-1].source) in seen:
        draft = rejected(draft, "the same code was there before")
        return replace(state, draft=draft, ended="the same code came back")
    weighed = _weighed(draft, context, state)
    state = replace(state, draft=weighed.draft, history=(*state.history, _line(weighed, context)))
    if weighed.why_not:
        state = replace(state, fruitless=state.fruitless + 1)
    else:
        state = replace(_rescored(state, context), fruitless=0, compared=0)
    return _ending(state, context)


def _line(weighed: Weighed, context: Context) -> str:
    """What was said, what it scored, and what became of it: for the history that the next answer is given."""
    said = weighed.draft.attempts[-1].remark[:_LONGEST_REMARK] or "nothing was said"
    score = "" if weighed.score is None else f"{amount(context.goal.score, weighed.score)}, "
    ending = f"not kept: {weighed.why_not[:_LONGEST_REMARK]}" if weighed.why_not else "kept"
    return f"- version {len(weighed.draft.attempts)}: {said} -> {score}{ending}"


def _weighed(draft: Draft, context: Context, state: _State) -> Weighed:
    """The draft with its newest attempt run and kept, or rejected: one that says nothing or cannot run, unrun."""
    newest = draft.attempts[-1]
    if newest.problem:
        return unweighed(draft, f"it cannot run: {newest.problem.message}")
    if not newest.remark:
        return unweighed(draft, "it did not say what it changes and why")
    return weigh(run(draft, context, STAGE), context, tried=state.compared + _further(context))


def _further(context: Context) -> int:
    """How many answers can be compared with one base at most: after so many that were not kept it ends."""
    return min(FRUITLESS_ROUNDS, context.goal.rounds)


def _rescored(state: _State, context: Context) -> _State:
    score = score_of(results_of(state.draft, state.draft.chosen), context.goal.score)
    return state if score is None else replace(state, score=score)


def _ending(state: _State, context: Context) -> _State:
    goal = context.goal
    if state.score >= goal.target:
        return replace(state, ended="the target is reached")
    if state.fruitless >= FRUITLESS_ROUNDS:
        return replace(state, ended="the last one changed nothing for the better")
    if state.rounds >= goal.rounds:
        return replace(state, ended="no more rounds are allowed")
    return state


def _inputs(state: _State, context: Context) -> Mapping[str, str]:
    draft = state.draft
    backtests = draft.chosen_backtests
    return {
        "idea": draft.words,
        "note": note_text(draft),
        "code": draft.attempts[draft.chosen - 1].source,
        "goal": goal_text(context.goal, state.score),
        "stats": statistics_text(backtests),
        "trades": worst_trades_text(backtests),
        "orders": "\n".join(diagnostics_line(backtest) for backtest in backtests),
        "history": "\n".join(state.history) or "Nothing yet.",
        **context.version_inputs(),
    }


def _remarked(draft: Draft, remark: str) -> Draft:
    return replace(draft, remarks=(*draft.remarks, remark))
