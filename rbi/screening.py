"""A look at ideas before anything is quoted: what seems to be none, what nearly repeats another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rbi.domain import Idea
from rbi.intake.duplicates import Duplicates
from rbi.intake.similarity import near_duplicates
from rbi.intake.soundness import Flag, flag
from rbi.intake.sources import Ideas, Place
from rbi.selection import NO_WISHES, Wishes
from rbi.terminal import counted, printable

MOST_IDEAS = 2_000  # more take seconds: they are looked at one by one, as each comes up
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Near:
    """An idea that nearly repeats an earlier one, by their places, and where the two differ."""

    place: Place
    leader: Place
    differs: str


@dataclass(frozen=True, slots=True)
class Screening:
    """What was seen. ``left_out`` are the ideas, by id, that these wishes do not work on."""

    flagged: tuple[tuple[Place, Flag], ...] = ()
    near: tuple[Near, ...] = ()
    left_out: frozenset[str] = frozenset()
    wishes: Wishes = NO_WISHES

    def remarks(self) -> Iterator[str]:
        """What to say of it, some lines for each kind."""
        if self.flagged:
            fate = "run all the same" if self.wishes.keep_flagged else "not run unless --keep-flagged is said"
            yield f"{counted(len(self.flagged), 'line')} may be no idea: {fate}"
            yield from some([f"{place}: {found.reason}" for place, found in self.flagged])
        if self.near:
            fate = (
                "run once where their numbers are the same"
                if self.wishes.dedupe
                else "each is run unless --dedupe is said"
            )
            yield f"{counted(len(self.near), 'idea')} nearly the same as an earlier one: {fate}"
            yield from some([f"{one.place} is like {one.leader}: {one.differs}" for one in self.near])


def screen(ideas: Ideas, chosen: frozenset[str], wishes: Wishes) -> Screening:
    """Look at the ``chosen`` ideas (ids). Of more than `MOST_IDEAS` nothing is said."""
    if len(chosen) > MOST_IDEAS:
        return Screening(wishes=wishes)
    found = {
        one.idea_id: sourced for sourced in ideas.ideas if (one := Idea(0, sourced.text)).idea_id in chosen
    }
    places = [sourced.place for sourced in found.values()]
    flags = {idea_id: flagged for idea_id, one in found.items() if (flagged := flag(one.text))}
    near = near_duplicates([one.text for one in found.values()])
    left_out: set[str] = set() if wishes.keep_flagged else set(flags)
    if wishes.dedupe:
        left_out |= _left_out({idea_id: one.text for idea_id, one in found.items()})
    return Screening(
        tuple((found[idea_id].place, flagged) for idea_id, flagged in flags.items()),
        tuple(Near(places[one.position], places[one.leader], one.differs) for one in near),
        frozenset(left_out),
        wishes,
    )


def _left_out(texts: Mapping[str, str]) -> set[str]:
    return set(Duplicates(Idea(number, text) for number, text in enumerate(texts.values(), start=1)))


def some(lines: list[str]) -> Iterator[str]:
    """The first few lines, and how many more there are."""
    yield from (f"  {printable(line, longest=200)}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"
