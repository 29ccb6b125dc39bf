"""Debug: a strategy that failed or never traded goes back to the model, until it trades or that leads nowhere."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from models.errors import ModelError
from models.syntax import parse
from rbi.diagnosis import failure_of, report, signature
from rbi.domain import Attempt, AttemptReason, Draft
from rbi.drift import drift
from rbi.repairs import guard
from rbi.stages.asking import ask_for_better, ends_the_batch, model_failed
from rbi.stages.check import check
from rbi.stages.context import Context
from rbi.stages.run import run
from rbi.stages.write import add_attempt, note_text
from runners.base import FailureKind

STAGE = "debug"
_LONGEST_REMARK = 300
_REFUSED = (FailureKind.ORDER_PRICE, FailureKind.ORDER_SIZE)  # what order guards help against


def debug(draft: Draft, context: Context) -> Draft:
    """Ask for repaired versions, each checked and run, until one trades. A version that trades is left alone.

    It ends with the same failure twice, with a version that was there before, and after ``context.debug_rounds``
    answers. A version that drifts from what ran already, or from the rules of the note, does not stand. Where in the
    end nothing trades because the engine refuses an order, a version without such orders is run, and says so.
    """
    return _guarded(_debugged(draft, context), context)


def _debugged(draft: Draft, context: Context) -> Draft:
    seen = {program(attempt.source) for attempt in draft.attempts}
    failures: set[str] = set()
    for number in range(1, context.debug_rounds + 1):
        found = failure_of(draft, draft.newest)
        if not found:
            return draft
        failures.add(signature(found[1]))
        base = draft.newest
        try:
            answer = ask_for_better(draft, context, STAGE, _inputs(draft, base, context))
        except ModelError as error:
            if ends_the_batch(error):
                raise
            return replace(draft, outcome=model_failed(STAGE, error))  # with what was answered before
        if isinstance(answer, str):
            return _ended(draft, number, answer)
        draft = check(add_attempt(draft, AttemptReason.DEBUGGED, answer, base=base), context)
        if program(draft.attempts[-1].source) in seen:
            return _ended(
                rejected(draft, "the same code was there before"), number, "the same code came back"
            )
        seen.add(program(draft.attempts[-1].source))
        draft, sign = _judged(run(draft, context, STAGE), base)
        if sign in failures:
            return _ended(draft, number, f"the same failure twice ({sign.partition(':')[0]})")
        failures.add(sign)
    if context.debug_rounds and failure_of(draft, draft.newest):
        return _ended(draft, context.debug_rounds, "no more rounds are allowed")
    return draft


def _inputs(draft: Draft, base: int, context: Context) -> Mapping[str, str]:
    return {
        "idea": draft.words,
        "note": note_text(draft),
        "code": draft.attempts[base - 1].source,
        "failure": report(draft, base) + _suggestion(draft, base),
        "tried": tried(draft) or "Nothing yet.",
        **context.version_inputs(),
    }


def _suggestion(draft: Draft, base: int) -> str:
    """What would keep the code from failing, and was not done."""
    found = failure_of(draft, base)
    if not found or found[1].kind not in _REFUSED or not guard(draft.attempts[base - 1].source).fixes:
        return ""
    return (
        "\nNot mended by itself: to leave such an order out, or to round it, changes which orders are placed."
    )


def _guarded(draft: Draft, context: Context) -> Draft:
    found = None if draft.outcome else failure_of(draft, draft.newest)
    if not found or found[1].kind not in _REFUSED or any(b.trades for b in draft.chosen_backtests):
        return draft
    made = guard(draft.attempts[draft.newest - 1].source)
    if not made.fixes:
        return draft
    remark = "; ".join(dict.fromkeys(fix.reason for fix in made.fixes))
    attempt = Attempt(
        AttemptReason.GUARDED, made.source, model="", remark=remark, fixes=made.fixes, base=draft.newest
    )
    return run(replace(draft, attempts=(*draft.attempts, attempt)), context, STAGE)


def tried(draft: Draft) -> str:
    """What was tried before and what came of it, a line for each version but the first."""
    lines = []
    for number, attempt in enumerate(draft.attempts[1:], start=2):
        found = failure_of(draft, number)
        came = attempt.rejected or (signature(found[1]) if found else "it traded")
        said = " ".join(attempt.remark.split())[:_LONGEST_REMARK] or "nothing was said"
        lines.append(f"- version {number}: {said} -> {came}")
    return "\n".join(lines)


def _judged(draft: Draft, base: int) -> tuple[Draft, str]:
    """The draft with its newest version rejected if it cannot run or drifts, and what sort of failure it has."""
    newest = len(draft.attempts)
    problem = draft.attempts[-1].problem
    if problem:
        return rejected(draft, f"never run: {problem.message}"), signature(problem)
    drifted = drift(draft, base=base, newer=newest)
    if drifted:
        return rejected(draft, f"reverted: {drifted}"), "drift"
    found = failure_of(draft, newest)
    return draft, signature(found[1]) if found else ""


def rejected(draft: Draft, why: str) -> Draft:
    """The draft whose newest attempt does not stand for the idea."""
    return replace(draft, attempts=(*draft.attempts[:-1], replace(draft.attempts[-1], rejected=why)))


def _ended(draft: Draft, rounds: int, why: str) -> Draft:
    remark = f"debugging ended after {rounds} {'round' if rounds == 1 else 'rounds'}: {why}"
    return replace(draft, remarks=(*draft.remarks, remark))


def program(source: str) -> str:
    """What two sources share that do the same: the code without comments and layout."""
    try:
        return ast.dump(parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source  # the check has said that it is not valid
