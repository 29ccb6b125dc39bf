"""Near-duplicates: ideas that say nearly the same in nearly the same words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rbi.domain import normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int16]

THRESHOLD = 90
_CHARACTERS = 32  # kinds of characters that are told apart: of a letter, its place in the alphabet
_MOST = 2**14  # the difference of two still fits


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """An idea close to an earlier one, both by their position from 0. ``score`` is 0 to 100.

    ``differs`` shows where: words of the leader, an arrow, words of this one. Often it is a number, and then the two
    are one strategy with two settings.
    """

    position: int
    leader: int
    score: float
    differs: str


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> tuple[NearDuplicate, ...]:
    """The ideas that resemble an earlier one by at least ``threshold``, in their order.

    Each belongs to the first *leader* that it resembles; a leader resembles no leader before it. Chains do not
    form: members of a group resemble its leader, not only one another.

    The score is 100 (1 - d / (m + n)), with d the least number of characters to delete and insert, and m and n the
    lengths: rapidfuzz's ``ratio``, of the texts in lower case with white space folded. Comparing sets of words
    instead would call an idea that was cut short the same as the whole one, and overlook the one indicator by which
    two long ideas differ.
    """
    from rapidfuzz import fuzz

    plain = [normalised(text).lower() for text in texts]
    found: list[NearDuplicate] = []
    leaders = _Leaders(len(plain), threshold)
    for position, text in enumerate(plain):
        counts = _count(text)
        for leader in leaders.candidates(len(text), counts):
            score = fuzz.ratio(plain[leader], text, score_cutoff=threshold)
            if score >= threshold and score:
                differs = _difference(plain[leader], text)
                found.append(NearDuplicate(position, leader, score, differs))
                break
        else:
            leaders.add(position, len(text), counts)
    return tuple(found)


class _Leaders:
    """The leaders so far, with how often each character occurs in them.

    Deleting and inserting d characters changes these counts by at most d in all. So whoever differs by more in
    counts cannot be close enough, and need not be compared.
    """

    def __init__(self, most: int, threshold: float) -> None:
        import numpy as np

        self._counts: Counts = np.zeros((most, _CHARACTERS), dtype=np.int16)
        self._lengths: NDArray[np.int32] = np.zeros(most, dtype=np.int32)
        self._positions: list[int] = []
        self._slack = 1 - threshold / 100

    def add(self, position: int, length: int, counts: Counts) -> None:
        """One more leader."""
        row = len(self._positions)
        self._counts[row] = counts
        self._lengths[row] = length
        self._positions.append(position)

    def candidates(self, length: int, counts: Counts) -> Iterator[int]:
        """Positions of the leaders that may be close enough to a text with this length and counts, in their order."""
        import numpy as np

        lengths = self._lengths[: len(self._positions)]
        # A deletion or insertion changes the length by one. One more than allowed: what is rounded must not hide
        # what is exactly at the threshold.
        (rows,) = np.nonzero(np.abs(lengths - length) <= (lengths + length) * self._slack + 1)
        differing = np.abs(self._counts[rows] - counts).sum(axis=1, dtype=np.int32)
        close = rows[differing <= (lengths[rows] + length) * self._slack + 1]
        return (self._positions[row] for row in close.tolist())


def _count(text: str) -> Counts:
    """How often each kind of character occurs: the last five bits of its ASCII code, all others being one kind."""
    import numpy as np

    codes = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)
    counts = np.bincount(codes % _CHARACTERS, minlength=_CHARACTERS)
    return np.minimum(counts, _MOST).astype(np.int16)  # a difference is never made larger by that


def _difference(first: str, second: str) -> str:
    """Where two texts differ, word by word: ``20-day → 50-day, 2x → 3x``."""
    ours, theirs = first.split(), second.split()
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    return ", ".join(
        f"{' '.join(ours[a:b]) or 'nothing'} → {' '.join(theirs[c:d]) or 'nothing'}"
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    )
