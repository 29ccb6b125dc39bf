"""Repair: one new version when the first failed or never traded."""

from __future__ import annotations

from rbi.domain import AttemptReason, Draft
from rbi.stages.check import check
from rbi.stages.context import Context
from rbi.stages.run import run
from rbi.stages.write import add_attempt, note_text
from runners.base import Failure


def repair(draft: Draft, context: Context) -> Draft:
    """Ask once for a repaired version, check it and run it. A version that works is left alone."""
    failure = diagnosis(draft)
    if not failure:
        return draft
    inputs = {
        "idea": draft.words,
        "note": note_text(draft),
        "code": draft.attempts[-1].source,
        "failure": failure,
        **context.version_inputs(),
    }
    repaired = add_attempt(draft, AttemptReason.REPAIRED, context.effects.ask(draft.idea, "repair", inputs))
    if repaired.attempts[-1].version == draft.attempts[-1].version:
        return draft
    return run(check(repaired, context), context)


def diagnosis(draft: Draft) -> str:
    """What is wrong with the newest attempt, for a reader who has to repair it; empty if nothing is."""
    attempt = draft.attempts[-1]
    if attempt.problem:
        return described(attempt.problem)
    ran = [b for b in draft.backtests if b.attempt == len(draft.attempts)]
    failed = [(b.bars.name, b.result.failure) for b in ran if b.result.failure]
    broken = [(name, failure) for name, failure in failed if not failure.kind.has_numbers]
    if not broken and any(b.trades for b in ran):
        return ""
    if failed:
        name, failure = (broken or failed)[0]
        return f"{described(failure)}\nDataset: {name}"
    where = ", ".join(f"{b.bars.name} ({b.bars.rows} bars)" for b in ran)
    return f"no_trades: the strategy ran but never traded on {where}."


def described(failure: Failure) -> str:
    """A failure in a few lines: class, message, place, hint."""
    lines = [f"{failure.kind.value}: {failure.message}"]
    if failure.line is not None:
        lines.append(f"Line {failure.line}: {failure.source_line}")
    if failure.hint:
        lines.append(f"Hint: {failure.hint}")
    return "\n".join(lines)
