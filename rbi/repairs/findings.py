"""What an examination finds: fixes that were made, problems that were left, and the edits a rule proposes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that was made, because what stood there can only raise (or, of a module's own run, has no effect).

    ``line`` counts from 1 in the source as it was given. ``diff`` is a unified diff without file names.
    No fix of an examination changes which orders are placed: a finding that would is a `Problem`. Those of the order
    guards do (``changes_orders``), and are made on request only.
    """

    rule: str
    reason: str
    line: int
    diff: str
    changes_orders: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What will fail or mislead, and cannot be changed with certainty. ``line`` counts in the repaired source.

    ``rule`` is what it is about; those in `MISLEADING` let a backtest run to its end.
    """

    rule: str
    message: str
    hint: str
    line: int
    source_line: str


# Code with these runs, but not as its author thinks.
MISLEADING = frozenset(
    {
        "look_ahead",
        "not_revealed",
        "no_effect",
        "never_true",
        "terms",
        "units",
        "first_bar",
        "slow",
        "misaligned",
    }
)


@dataclass(frozen=True, slots=True)
class Examination:
    """``source`` is the repaired text: the very text that was given if there are no ``fixes``."""

    source: str
    fixes: tuple[Fix, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from ``start`` up to ``end`` by ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Edits that belong together: all of them are made or none."""

    rule: str
    reason: str
    edits: tuple[Edit, ...]
