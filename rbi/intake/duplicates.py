"""Ideas that are left out for one that says nearly the same, with the same numbers."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rbi.domain import Idea, normalised
from rbi.intake.similarity import near_duplicates

Numbers = tuple[str, ...]
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why an idea is left out: the one worked on in its place, how alike they are (0 to 100), and where they differ."""

    leader: Idea
    score: float
    differs: str


@dataclass(slots=True)
class _Group:
    """Ideas with the same numbers. ``found`` is of the first ``compared`` of them."""

    ideas: list[Idea] = field(default_factory=list)
    compared: int = 0
    found: dict[str, Duplicate] = field(default_factory=dict)

    def duplicates(self) -> Mapping[str, Duplicate]:
        if self.compared < len(self.ideas):
            self.found = {
                self.ideas[near.position].idea_id: Duplicate(
                    self.ideas[near.leader], near.score, near.differs
                )
                for near in near_duplicates([idea.text for idea in self.ideas])
            }
            self.compared = len(self.ideas)
        return self.found


class Duplicates(Mapping[str, Duplicate]):
    """The ideas, by id, that nearly repeat an earlier one. Ideas are compared when one of them is asked about.

    Ideas whose numbers differ are never taken for one another: a strategy with other settings is another trial.
    Further ideas change nothing for those before them. Safe for many threads.
    """

    def __init__(self, ideas: Iterable[Idea] = ()) -> None:
        self._groups: dict[Numbers, _Group] = defaultdict(_Group)
        self._numbers: dict[str, Numbers] = {}
        self._lock = threading.Lock()
        self.add(ideas)

    def add(self, ideas: Iterable[Idea]) -> None:
        """Add ideas after the others. One that is there already keeps its place."""
        with self._lock:
            for idea in ideas:
                if idea.idea_id in self._numbers:
                    continue
                found = self._numbers[idea.idea_id] = numbers(idea.text)
                self._groups[found].ideas.append(idea)

    def __getitem__(self, idea_id: str) -> Duplicate:
        with self._lock:
            return self._groups[self._numbers[idea_id]].duplicates()[idea_id]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            found = [idea_id for group in self._groups.values() for idea_id in group.duplicates()]
        return iter(found)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def numbers(text: str) -> Numbers:
    """The numbers in a text, in their order."""
    return tuple(_NUMBER.findall(normalised(text)))
