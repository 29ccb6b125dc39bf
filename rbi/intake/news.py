"""What is new in a source of ideas that goes on being written, and what of it has been told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rbi.intake.lines import Tail
from rbi.intake.sources import Found, Ideas, Refused, Repeated, SourcedIdea, digest_of

LINE_STILL_S = 0.6
BLOCK_STILL_S = 1.0

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class News:
    """What a look has found that no look before it had. After the last nothing more can come."""

    ideas: tuple[SourcedIdea, ...] = ()
    refused: tuple[Refused, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    remarks: tuple[str, ...] = ()
    is_last: bool = False

    def and_more(self, other: News) -> News:
        """Both together."""
        return News(
            self.ideas + other.ideas,
            self.refused + other.refused,
            self.repeated + other.repeated,
            self.remarks + other.remarks,
            self.is_last or other.is_last,
        )


NOTHING = News()


class Following(Protocol):
    """A source that is looked at again and again."""

    def begin(self) -> Ideas:
        """The ideas that are there now. Raises `RbiError` if the source is not there or cannot be read."""
        ...

    def look(self) -> News:
        """What has come since. Cheap when it is called often: it looks no more often than it has to."""
        ...


def is_due(tail: Tail, still_s: float) -> bool:
    """Whether the last entry of a source that stands still counts as whole.

    That is never so while a line is begun below that belongs to it; white space is no beginning.
    """
    if tail.last is None or tail.goes_on:
        return False
    return still_s >= (BLOCK_STILL_S if tail.is_block or tail.rest else LINE_STILL_S)


class Known:
    """What has been told already. An idea stays known when it is taken out of its file."""

    def __init__(self) -> None:
        self._ideas: set[bytes] = set()
        self._refused: set[tuple[bytes, str]] = set()
        self._repeated: Counter[bytes] = Counter()

    def news(self, found: Found) -> News:
        """What of a reading is new."""
        ideas = tuple(idea for idea in found.ideas if self._is_new(idea))
        refused = tuple(one for one in found.refused if self._is_new_refusal(one))
        repeated: list[Repeated] = []
        here: Counter[bytes] = Counter()
        for one in found.repeated:
            here[one.digest] += 1
            if here[one.digest] > self._repeated[one.digest]:
                self._repeated[one.digest] += 1
                repeated.append(one)
        return News(ideas, refused, tuple(repeated))

    def _is_new(self, idea: SourcedIdea) -> bool:
        before = len(self._ideas)
        self._ideas.add(digest_of(idea.text))
        return len(self._ideas) > before

    def _is_new_refusal(self, one: Refused) -> bool:
        # A file that was changed and is still wrong is told again: whoever changed it waits for an answer.
        key = (one.digest, one.what)
        if one.digest and key in self._refused:
            return False
        self._refused.add(key)
        return True


class Once:
    """Remarks that are made once each."""

    def __init__(self) -> None:
        self._made: set[tuple[str, str]] = set()

    def say(self, text: str, occasion: str = "") -> tuple[str, ...]:
        """The remark, unless it was made on this occasion."""
        before = len(self._made)
        self._made.add((text, occasion))
        return (text,) if len(self._made) > before else ()
