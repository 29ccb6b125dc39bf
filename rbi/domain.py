"""The words of the project as values: ideas, notes, attempts, backtests, outcomes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from models.errors import BudgetSpent
from rbi.repairs.findings import Fix, Problem
from rbi.research_note import ResearchNote
from runners.base import BarsFile, Failure, RunResult


def normalised(text: str) -> str:
    """The text as ideas are compared: Unicode NFC, white space folded to single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def slug(text: str, *, longest: int = 40) -> str:
    """A file-name-safe form of ``text``: ASCII letters, digits and hyphens, cut at a word where possible."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    out = ""
    for word in words:
        if out and len(out) + 1 + len(word) > longest:
            break
        out = f"{out}-{word}" if out else word[:longest]
    return out or "idea"


@lru_cache(maxsize=2**15)  # before the first of ten thousand ideas begins, each id is needed several times
def _id_of(text: str) -> str:
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Idea:
    """What the user wrote. ``number`` is its place in the batch, counted from 1 and never changed again.

    ``trial`` counts, from 1, how often models were asked anew about the same text: each trial has its own answers.
    """

    number: int
    text: str
    trial: int = 1

    @property
    def idea_id(self) -> str:
        """First 12 hex digits of the sha256 of the normalised text: the same idea anywhere has the same id."""
        return _id_of(self.text)

    @property
    def folder_name(self) -> str:
        """``0001-slug-idea_id``, the idea's folder inside its run folder."""
        return f"{self.number:04d}-{slug(self.text)}-{self.idea_id}"


@dataclass(frozen=True, slots=True)
class Brief:
    """The text that models work from. ``source`` names the document it comes from (several: one a line).

    ``notes`` say what of a document is missing or doubtful.
    """

    text: str
    source: str = ""
    title: str = ""
    notes: tuple[str, ...] = ()


class AttemptReason(StrEnum):
    """Why a version of the strategy was made."""

    WRITTEN = "written"
    DEBUGGED = "debugged"
    GUARDED = "guarded"  # without a model, for how the one before failed: orders or bars are left out
    SEARCHED = "searched"  # without a model: other values of the parameters it declares
    OPTIMIZED = "optimized"
    GIVEN = "given"  # the user's own


@dataclass(frozen=True, slots=True)
class Attempt:
    """One version of the strategy, why it was made, and which model wrote it (empty where none did).

    ``problem`` is what the check found before anything was run; such a version is never run. ``fixes`` are the changes
    the check made to what was written, ``problems`` what it found and left. ``base`` is the attempt it was made from,
    counted from 1. ``rejected`` says why it does not stand for the idea although it may have run.
    """

    reason: AttemptReason
    source: str
    model: str
    remark: str = ""
    problem: Failure | None = None
    fixes: tuple[Fix, ...] = ()
    problems: tuple[Problem, ...] = ()
    base: int = 0
    rejected: str = ""

    @property
    def version(self) -> str:
        """sha256 of the source."""
        return hashlib.sha256(self.source.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Backtest:
    """One attempt (by position, from 1) on one slice, with its result."""

    attempt: int
    bars: BarsFile
    result: RunResult

    @property
    def trades(self) -> int:
        """Closed trades; 0 when the run failed."""
        return len(self.result.trades) if self.result.completed else 0


class OutcomeKind(StrEnum):
    """How an idea ended."""

    TRADED = "traded"
    NO_TRADES = "no trades"
    FAILED = "failed"
    INVALID = "invalid"  # its numbers are not those that its trades lead to
    NOT_UNDERSTOOD = "not understood"
    NOT_FEASIBLE = "not feasible"  # it needs data that is not here
    NO_DOCUMENT = "no document"  # what the idea links to cannot be had or read
    FLAGGED = "flagged"  # its words are not those of an idea
    DUPLICATE = "duplicate"  # nearly the same as another, which is worked on in its place
    MODEL_FAILED = "model failed"
    OVER_BUDGET = "over budget"
    BROKEN = "internal error"


class Verdict(StrEnum):
    """What may be believed of a strategy."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    CANNOT_TELL = "CANNOT TELL"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an idea. ``verdict`` is ``None`` where no strategy ran; ``cause`` is a stable failure name.

    ``may_pass`` says of a failure that the same may well work later.
    """

    kind: OutcomeKind
    verdict: Verdict | None
    reasons: tuple[str, ...]
    cause: str = ""
    may_pass: bool = False

    @property
    def final(self) -> bool:
        """Whether resume leaves it alone. What failed for want of a model or money, or by our fault, is tried again."""
        return not self.may_pass and self.kind not in (
            OutcomeKind.MODEL_FAILED,
            OutcomeKind.OVER_BUDGET,
            OutcomeKind.BROKEN,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """What an idea has led to so far: each stage takes one and returns the next.

    Once ``outcome`` is set the idea has ended and no further stage touches it. ``brief`` is what an idea with links
    resolved to; ``None`` where its own text is all there is. ``file`` is the path of a strategy that the user wrote,
    as shown; empty where a model writes. ``remarks`` say how debugging and optimizing went and why they ended.
    ``tries`` counts the backtests that were only scored, beside ``backtests``.
    """

    idea: Idea
    note: ResearchNote | None = None
    attempts: tuple[Attempt, ...] = ()
    backtests: tuple[Backtest, ...] = ()
    models: tuple[str, ...] = ()
    outcome: Outcome | None = None
    file: str = ""
    remarks: tuple[str, ...] = ()
    tries: int = 0
    brief: Brief | None = None

    @property
    def words(self) -> str:
        """The text that models work from."""
        return self.brief.text if self.brief else self.idea.text

    @property
    def name(self) -> str:
        """What the strategy is called: by its note, or by its file; empty if neither is there."""
        return self.note.name if self.note else self.file

    @property
    def chosen(self) -> int:
        """The attempt that stands for the idea, from 1; 0 if there is none.

        The last that traded among those that were not rejected, else the last of them.
        """
        standing = [n for n, attempt in enumerate(self.attempts, start=1) if not attempt.rejected]
        traded = {b.attempt for b in self.backtests if b.trades}
        return max((n for n in standing if n in traded), default=max(standing, default=0))

    @property
    def newest(self) -> int:
        """The last attempt that was not rejected, from 1; 0 if there is none."""
        return max((n for n, a in enumerate(self.attempts, start=1) if not a.rejected), default=0)

    def lineage(self, attempt: int) -> Iterator[Attempt]:
        """An attempt (from 1), the one it was made from, and so on back to the first."""
        while attempt:
            yield self.attempts[attempt - 1]
            attempt = self.attempts[attempt - 1].base

    def backtests_of(self, attempt: int) -> tuple[Backtest, ...]:
        """The backtests of an attempt (from 1), one a dataset."""
        return tuple(b for b in self.backtests if b.attempt == attempt)

    @property
    def chosen_backtests(self) -> tuple[Backtest, ...]:
        """The backtests of the chosen attempt, one a dataset."""
        return self.backtests_of(self.chosen)


@dataclass(frozen=True, slots=True)
class IdeaReport:
    """An idea that ended, and everything it led to, ready to be written to its folder.

    ``unaffordable`` is the end of the batch's budget, where that is why it goes no further.
    """

    draft: Draft
    outcome: Outcome
    unaffordable: BudgetSpent | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a leaderboard: an idea on one dataset. Percentages are percent, Sharpe is annualised.

    A number is ``None`` where there is none to give (nothing ran, or backtesting.py said NaN). ``part`` says which
    bars, ``failure`` how this backtest ended badly, ``check`` what the runner's own computation says of the numbers.
    """

    number: int
    idea_id: str
    idea: str
    name: str
    outcome: str
    cause: str
    verdict: str
    coverage: str
    dataset: str
    trades: int | None
    return_pct: float | None
    buy_hold_pct: float | None
    sharpe: float | None
    max_drawdown_pct: float | None
    win_rate_pct: float | None
    exposure_pct: float | None
    attempts: int
    model: str
    folder: str
    part: str = ""
    failure: str = ""
    check: str = ""
    level: str = ""
    road: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        """A row as `dataclasses.asdict` gave it; older ones have fewer fields."""
        return cls(**data)
