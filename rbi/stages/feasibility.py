"""Feasibility: an idea that needs data which is not here ends before code is paid for. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rbi.data_needs import DataNeed, conditions, dealt_with, listed, needed, needs_in, speaks_of, unavailable
from rbi.domain import Draft, Outcome, OutcomeKind
from rbi.research_note import Coverage, ResearchNote
from rbi.stages.context import Context


def feasibility(draft: Draft, context: Context) -> Draft:
    """End an idea that its note does not cover, or that needs data which no column holds."""
    note = draft.note
    if note is None:
        return draft
    if note.coverage is Coverage.NONE:
        return replace(draft, outcome=_not_covered(note, context))
    missing = () if context.admission.keep_infeasible else missing_data(note, draft.words, context.columns)
    if not missing:
        return draft
    reason = f"{_named(missing, context.columns)}; --keep-infeasible works on it all the same"
    return replace(draft, outcome=_not_feasible(missing, reason))


def missing_data(note: ResearchNote, idea: str, columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """The data that the rules of a note cannot do without and that is not there.

    What the note says of its data counts; where it says nothing of it, its rules do; where it has none either, what
    the idea itself makes a condition. What a note ignores, replaces or calls optional is dealt with.
    """
    rules = (*note.entries, *note.exits, *(indicator.name for indicator in note.indicators))
    needed_by_rules = needed(rules, columns)
    if note.data_needed:
        found = listed(note.data_needed, columns)
        if note.has_rules and not needed_by_rules:  # what is listed and never traded on is not needed
            found = tuple(need for need in found if any(speaks_of(rule, need) for rule in rules))
        used = {need.name for need in needed_by_rules}
        found += tuple(need for need in unavailable(note.data_needed, columns) if need.name in used)
    elif note.has_rules:
        found = needed_by_rules
    else:
        found = conditions(idea, columns)
    settled = _settled(note, rules, columns)
    return tuple({need.name: need for need in found if need.name not in settled}.values())


def _settled(note: ResearchNote, rules: Sequence[str], columns: Sequence[str]) -> set[str]:
    said = (*rules, *note.risk, *note.assumed, *note.data_needed)
    if not said:
        said = (note.hypothesis,)
    ignored = [need for text in note.ignored for need in needs_in(text, columns)]
    return {need.name for need in (*ignored, *dealt_with(said, columns))}


def _not_covered(note: ResearchNote, context: Context) -> Outcome:
    why = note.why_not or "the research note gives no reason"
    missing = needs_in(note.why_not or "\n".join(note.data_needed), context.columns)
    if missing:
        return _not_feasible(missing, _named(missing, context.columns), why)
    return Outcome(OutcomeKind.NOT_UNDERSTOOD, None, (why,), cause="not_understood")


def _not_feasible(missing: Sequence[DataNeed], *reasons: str) -> Outcome:
    return Outcome(OutcomeKind.NOT_FEASIBLE, None, reasons, cause=missing[0].cause)


def _named(missing: Sequence[DataNeed], columns: Sequence[str]) -> str:
    names = [
        need.name if need.words.lower() == need.name else f'{need.name} ("{need.words}")' for need in missing
    ]
    return f"it needs {' and '.join(names)}, and the bars have only {', '.join(columns)}"
