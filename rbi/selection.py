"""Which ideas a command works on: those that its flags choose, without those that have an end already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from rbi.domain import Idea, OutcomeKind

# With --retry-failed. Where models were asked, they are asked anew: their recorded answers led to the failure.
ASKED_ANEW = frozenset({OutcomeKind.FAILED.value, OutcomeKind.INVALID.value, OutcomeKind.NO_TRADES.value})
# Ends that say nothing of the idea itself: another command may well take it further.
NOT_SHARED = frozenset(
    {OutcomeKind.NO_DOCUMENT.value, OutcomeKind.FLAGGED.value, OutcomeKind.DUPLICATE.value}
)
# What a batch keeps of the wishes with which it was begun.
_KEPT = ("again", "dedupe", "keep_flagged", "keep_infeasible")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line alone says of the ideas to work on.

    ``again`` makes a new trial of finished ones, ``retry_failed`` of those that failed. ``dedupe`` leaves out those
    that nearly repeat another, ``keep_flagged`` works on those that look like none, ``keep_infeasible`` on those that
    seem to need data which is not here.
    """

    again: bool = False
    retry_failed: bool = False
    dedupe: bool = False
    keep_flagged: bool = False
    keep_infeasible: bool = False

    def recorded(self) -> dict[str, bool]:
        """What a batch keeps of them, so that it can be gone on with."""
        return {name: getattr(self, name) for name in _KEPT}

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, retry_failed: bool = False) -> Wishes:
        """Those that a batch keeps; ``retry_failed`` is said anew."""
        kept = {name: bool(settings.get(name)) for name in _KEPT}
        return cls(**kept, retry_failed=retry_failed)

    def reopened(self) -> frozenset[str]:
        """The outcomes that these wishes do not leave at that, without asking models anew."""
        kinds = {
            OutcomeKind.NO_DOCUMENT: self.retry_failed,
            OutcomeKind.FLAGGED: self.keep_flagged,
            OutcomeKind.NOT_FEASIBLE: self.keep_infeasible,
            OutcomeKind.DUPLICATE: not self.dedupe,
        }
        return frozenset(kind.value for kind, wanted in kinds.items() if wanted)

    def renewed(self) -> frozenset[str]:
        """The outcomes that are tried for anew, with new answers of models."""
        return ASKED_ANEW if self.retry_failed else frozenset()


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to ideas of a batch when it is gone on with, by id.

    ``renewed`` ones get a new trial, ``reopened`` ones only lose their outcome. ``adopted`` ones get the outcome
    that they have in the named batch.
    """

    renewed: frozenset[str] = frozenset()
    reopened: frozenset[str] = frozenset()
    adopted: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


NO_CHANGES = Changes()


@dataclass(frozen=True, slots=True)
class Selected:
    """The ideas of a command in their order, ``left`` being those without an end, and what that changes."""

    texts: tuple[str, ...]
    left: tuple[str, ...]
    changes: Changes


def matching(texts: Sequence[str], pattern: str) -> tuple[str, ...]:
    """The texts that contain ``pattern``, or that as a whole match it as file names do (``*``, ``?``, ``[ab]``).

    Capitals do not matter.
    """
    wanted = pattern.lower()
    return tuple(text for text in texts if wanted in text.lower() or fnmatchcase(text.lower(), wanted))


def select(
    texts: Sequence[str],
    endings: Mapping[str, str],
    elsewhere: Mapping[str, tuple[str, str]],
    wishes: Wishes,
    limit: int = 0,
) -> Selected:
    """The first ``limit`` ideas that have no end yet (0: all), and those before them that have one.

    ``endings`` are the outcomes in the batch by id, empty for an idea without a final one; ``elsewhere`` has batch and
    outcome of those that ended in another.
    """
    chosen: list[str] = []
    left: list[str] = []
    renewed: set[str] = set()
    reopened: set[str] = set()
    adopted: dict[str, str] = {}
    for text in texts:
        idea_id = Idea(0, text).idea_id
        is_known, kind = idea_id in endings, endings.get(idea_id, "")
        if not is_known and idea_id in elsewhere and not wishes.again:
            batch, kind = elsewhere[idea_id]
        is_asked_anew = kind in wishes.renewed() or (wishes.again and not is_known)
        if kind and not is_asked_anew and kind not in wishes.reopened():
            chosen.append(text)
            if not is_known:
                adopted[idea_id] = batch
            continue
        if limit and len(left) == limit:
            break
        chosen.append(text)
        left.append(text)
        if is_asked_anew:
            renewed.add(idea_id)
        elif kind:
            reopened.add(idea_id)
    changes = Changes(frozenset(renewed), frozenset(reopened), adopted)
    return Selected(tuple(chosen), tuple(left), changes)
