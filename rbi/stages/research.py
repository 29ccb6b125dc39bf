"""Research: an idea becomes a note of exact rules."""

from __future__ import annotations

from dataclasses import replace

from rbi.domain import Draft
from rbi.research_note import parse_note
from rbi.stages.context import Context


def research(draft: Draft, context: Context) -> Draft:
    """Ask for the note. What it says is judged by the next stage."""
    inputs = {"idea": draft.words, "columns": context.column_names}
    answer = context.effects.ask(draft.idea, "research", inputs)
    note = parse_note(answer.text, draft.words)
    return replace(draft, note=note, models=(*draft.models, f"{answer.provider}:{answer.model}"))
