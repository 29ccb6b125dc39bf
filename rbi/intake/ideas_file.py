"""An ideas file as `rbi run` takes it: `rbi.intake.sources` for one file, with lines for places."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from rbi.errors import RbiError
from rbi.intake.lines import LONGEST_IDEA
from rbi.intake.sources import read_source

__all__ = ["LONGEST_IDEA", "Duplicate", "IdeasFile", "Refusal", "read_ideas"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be an idea: where it is, what is wrong with it and what fixes it."""

    line: int
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A line that repeats an earlier one (lines are counted from 1)."""

    line: int
    first: int


@dataclass(frozen=True, slots=True)
class IdeasFile:
    """What an ideas file holds: distinct ideas in their order, and what was left out and why."""

    path: Path
    texts: tuple[str, ...]
    refused: tuple[Refusal, ...]
    duplicates: tuple[Duplicate, ...]


def read_ideas(path: Path) -> IdeasFile:
    """Read an ideas file.

    Raises `RbiError` if there is no such file, if it is not text, or if it holds no idea at all. A single bad
    line does not stop the others: it is returned among ``refused``.
    """
    if path.is_dir():
        raise RbiError(
            "an ideas file is needed, this is a folder", where=str(path), fix="name a text file in it"
        )
    # A file may be called "-"; alone that would be standard input.
    spec = str(path.absolute()) if str(path) == "-" else str(path)
    found = read_source(spec, io.BytesIO())
    return IdeasFile(
        path,
        found.texts,
        tuple(Refusal(one.place.line, one.what, one.fix) for one in found.refused),
        tuple(Duplicate(one.place.line, one.first.line) for one in found.repeated),
    )
