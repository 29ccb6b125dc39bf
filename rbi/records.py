"""What the journal holds, as values, and how they stand in its rows."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rbi.domain import Idea

NANO = Decimal("1e-9")
OWN_STRATEGIES = "backtest"  # in the identity of a batch: the user's own strategies, which it works on


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as recorded. ``folder`` is its newest run folder, relative to the results folder."""

    name: str
    source: str
    created: float
    folder: str
    settings: Mapping[str, Any]

    @property
    def noun(self) -> str:
        """What a piece of its work is called before the user, in the singular."""
        return "strategy" if OWN_STRATEGIES in self.settings.get("identity", {}) else "idea"


@dataclass(frozen=True, slots=True)
class IdeaRecord:
    """An idea of a batch. ``outcome`` is what its folder's ``outcome.json`` holds, or ``None``.

    ``folder`` is the idea's own in this batch, if it was worked on there.
    """

    idea: Idea
    folder: str | None
    final: bool
    outcome: Mapping[str, Any] | None

    @property
    def found_in(self) -> str:
        """The other batch whose outcome this is; empty if it is this batch's own."""
        return str(self.outcome["found_in"]["batch"]) if self.outcome and "found_in" in self.outcome else ""

    @property
    def place(self) -> str | None:
        """The folder that holds the outcome's files, relative to the results folder."""
        if self.outcome and self.found_in:
            return str(self.outcome["found_in"]["folder"])
        return self.folder


@dataclass(frozen=True, slots=True)
class Totals:
    """What a batch has cost so far, over all its processes.

    ``cost_usd`` sums the known costs of every attempt; ``unknown_cost`` counts the attempts without a known one.
    ``in_flight`` calls belong to a living process; ``possibly_paid`` ones to a process that died in the middle.
    ``reserved_usd`` is the worst case of all calls whose cost is not known (yet); ``saved_usd`` is what prompt
    caching saved. Tokens are those of every call that reported them.
    """

    answers: int
    failed_calls: int
    backtests: int
    cost_usd: Decimal
    unknown_cost: int
    in_flight: int
    possibly_paid: int
    reserved_usd: Decimal = Decimal(0)
    saved_usd: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Spending:
    """What some model calls took: ``calls`` that were answered and ``failed`` ones, tokens and US dollars.

    Tokens and dollars are those that are known; ``unknown_tokens`` and ``unknown_cost`` count the calls they leave out.
    """

    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unknown_tokens: int
    unknown_cost: int


@dataclass(frozen=True, slots=True)
class StageUsage:
    """What the answered calls of one stage took on average: tokens a call. ``calls`` is how many there were."""

    calls: int
    input_tokens: float
    output_tokens: float


def nano(usd: Decimal | None, rounding: str = ROUND_HALF_EVEN) -> int | None:
    """Billionths of a US dollar, as the journal adds them up."""
    return None if usd is None else int((usd / NANO).to_integral_value(rounding))


def pack(value: Mapping[str, Any]) -> bytes:
    """A JSON value as the journal keeps it."""
    return zlib.compress(
        json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode(), 3
    )


def unpack(blob: bytes) -> dict[str, Any]:
    """The JSON value that `pack` was given."""
    return dict(json.loads(zlib.decompress(blob)))


def batch_of(row: sqlite3.Row) -> BatchRecord:
    """The batch in a row."""
    return BatchRecord(row["name"], row["source"], row["created"], row["folder"], json.loads(row["settings"]))


def idea_of(row: sqlite3.Row) -> IdeaRecord:
    """The idea in a row. Raises `ValueError` when its text is not the one that was recorded."""
    idea = Idea(row["number"], row["text"], row["trial"])
    if idea.idea_id != row["idea_id"]:
        raise ValueError(f"the text of idea {idea.number} is not the one that was recorded")
    return IdeaRecord(
        idea=idea,
        folder=row["folder"],
        final=bool(row["final"]),
        outcome=json.loads(row["outcome"]) if row["outcome"] else None,
    )


def call_of(row: sqlite3.Row) -> dict[str, Any]:
    """The effect in a row, for those who look at it."""
    known = row["cost_nano_usd"] is not None
    result = unpack(row["result"]) if row["state"] != "intent" else {}
    return {
        "kind": row["kind"],
        "stage": row["stage"],
        "state": row["state"],
        "seconds": None if row["finished"] is None else round(row["finished"] - row["started"], 3),
        "cost_usd": f"{row['cost_nano_usd'] * NANO:f}" if known else None,
        "request": unpack(row["request"]),
        "error": result["message"] if row["state"] == "failed" else "",
    }
