"""Ideas that are left out for one that says nearly the same, with the same numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rbi.domain import Idea, normalised
from rbi.intake.similarity import near_duplicates

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why an idea is left out: the one worked on in its place, how alike they are (0 to 100), and where they differ."""

    leader: Idea
    score: float
    differs: str


def duplicates(ideas: Iterable[Idea]) -> Mapping[str, Duplicate]:
    """The ideas, by id, that nearly repeat an earlier one.

    Ideas whose numbers differ are never taken for one another: a strategy with other settings is another trial.
    """
    groups: dict[tuple[str, ...], list[Idea]] = defaultdict(list)
    for idea in ideas:
        groups[numbers(idea.text)].append(idea)
    return {
        group[near.position].idea_id: Duplicate(group[near.leader], near.score, near.differs)
        for group in groups.values()
        if len(group) > 1
        for near in near_duplicates([idea.text for idea in group])
    }


def numbers(text: str) -> tuple[str, ...]:
    """The numbers in a text, in their order."""
    return tuple(_NUMBER.findall(normalised(text)))
