"""Intake: an idea is looked at, and what it links to is read, before anything is paid."""

from __future__ import annotations

from dataclasses import replace

from rbi.domain import Draft, Idea, Outcome, OutcomeKind
from rbi.intake.failures import DocumentFailed
from rbi.intake.links import find_links
from rbi.intake.soundness import flag
from rbi.stages.context import Admission, Context


def intake(draft: Draft, context: Context) -> Draft:
    """Find the text to work from; an idea that is not worked on, or whose document cannot be had, ends here."""
    outcome = turned_away(draft.idea, context.admission)
    if outcome or not find_links(draft.idea.text):
        return replace(draft, outcome=outcome)
    try:
        return replace(draft, brief=context.effects.brief(draft.idea))
    except DocumentFailed as error:
        return replace(draft, outcome=_no_document(error))


def turned_away(idea: Idea, admission: Admission) -> Outcome | None:
    """The outcome of an idea that is not worked on, for what its words are."""
    duplicate = admission.duplicates.get(idea.idea_id)
    if duplicate:
        leader = duplicate.leader
        alike = f"{duplicate.score:.0f} of 100 alike: {duplicate.differs or 'no word'}"
        reason = f"nearly idea {leader.number} ({leader.idea_id}), {alike}; without --dedupe it is run"
        return Outcome(OutcomeKind.DUPLICATE, None, (reason,), cause=f"of_{leader.number}")
    found = None if admission.keep_flagged else flag(idea.text)
    if not found:
        return None
    reason = f"{found.suspicion.value}: {found.reason}; --keep-flagged runs it all the same"
    return Outcome(OutcomeKind.FLAGGED, None, (reason,), cause=found.suspicion.value.replace(" ", "_"))


def _no_document(error: DocumentFailed) -> Outcome:
    reason = f"{error.where}: {error.what} (fix: {error.fix})"
    cause = error.trouble.value.replace(" ", "_")
    return Outcome(OutcomeKind.NO_DOCUMENT, None, (reason,), cause=cause, may_pass=error.retryable)
