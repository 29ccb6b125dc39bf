"""Research: an idea becomes a note of exact rules, or the reason why it cannot."""

from __future__ import annotations

import re
from dataclasses import replace

from rbi.domain import Coverage, Draft, Outcome, OutcomeKind, ResearchNote
from rbi.stages.context import Context

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_BULLET = re.compile(r"^\s*[-*•]\s+(.+)$")
_COVERAGE = re.compile(r"^\W*coverage\W+(\w+)", re.IGNORECASE | re.MULTILINE)
_NOTHING = {"", "none", "nothing", "n/a", "-"}


def research(draft: Draft, context: Context) -> Draft:
    """Ask for the note; an idea that no rule covers ends here as *not understood*."""
    answer = context.effects.ask(draft.idea, "research", {"idea": draft.words})
    note = parse_note(answer.text)
    outcome = None
    if note.coverage is Coverage.NONE:
        reason = note.why_not or "the research note gives no reason"
        outcome = Outcome(OutcomeKind.NOT_UNDERSTOOD, None, (reason,), cause="not_understood")
    return replace(
        draft, note=note, models=(*draft.models, f"{answer.provider}:{answer.model}"), outcome=outcome
    )


def parse_note(markdown: str) -> ResearchNote:
    """Read a note. Tolerant: a missing part is empty, and a note that does not state its coverage is *partly*."""
    title, sections = _sections(markdown)
    stated = _COVERAGE.search(markdown)
    word = stated.group(1).lower() if stated else ""
    coverage = Coverage(word) if word in set(Coverage) else Coverage.PARTLY
    why_not = " ".join(line.strip() for line in sections.get("why not", [])).strip()
    return ResearchNote(
        markdown=markdown,
        name=title or "Unnamed strategy",
        coverage=coverage,
        ignored=_bullets(sections.get("ignored", [])),
        why_not=why_not if why_not.lower().strip(".") not in _NOTHING else "",
    )


def _sections(markdown: str) -> tuple[str, dict[str, list[str]]]:
    title = ""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in markdown.splitlines():
        heading = _HEADING.match(line)
        if not heading:
            current.append(line)
        elif len(heading.group(1)) == 1 and not title:
            title = heading.group(2)
        else:
            current = sections.setdefault(heading.group(2).lower().rstrip(":"), [])
    return title, sections


def _bullets(lines: list[str]) -> tuple[str, ...]:
    found = [match.group(1).strip() for line in lines if (match := _BULLET.match(line))]
    return tuple(item for item in found if item.lower().strip(".") not in _NOTHING)
