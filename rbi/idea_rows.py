"""The ideas of batches in the journal: added, given up for another trial, and taken over from other batches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rbi.domain import Idea
from rbi.selection import Changes

_NEXT_TRIAL = "1 + coalesce((SELECT max(trial) FROM batch_idea AS other WHERE other.idea_id = ?), 0)"


def insert_ideas(db: sqlite3.Connection, batch: str, texts: Sequence[str], renewed: Collection[str]) -> None:
    """Add the ideas that a batch has not got, with the next numbers; ``renewed`` ones (ids) with a new trial."""
    rows = db.execute("SELECT idea_id, number FROM batch_idea WHERE batch = ?", (batch,)).fetchall()
    known = {row["idea_id"] for row in rows}
    last = max((row["number"] for row in rows), default=0)
    for text in texts:
        idea_id = Idea(0, text).idea_id
        if idea_id in known:
            if idea_id in renewed:
                _renew(db, batch, idea_id)
            continue
        known.add(idea_id)
        last += 1
        trial = _next_trial(db, idea_id) if idea_id in renewed else 1
        db.execute(
            "INSERT INTO batch_idea (batch, idea_id, number, text, trial) VALUES (?, ?, ?, ?, ?)",
            (batch, idea_id, last, text, trial),
        )


def _next_trial(db: sqlite3.Connection, idea_id: str) -> int:
    """One more than the idea has had in any batch: what it is asked now was never asked."""
    return int(db.execute(f"SELECT {_NEXT_TRIAL}", (idea_id,)).fetchone()[0])


def _renew(db: sqlite3.Connection, batch: str, idea_id: str) -> None:
    db.execute(
        f"UPDATE batch_idea SET outcome = NULL, final = 0, trial = {_NEXT_TRIAL}"  # noqa: S608 - our own words
        " WHERE batch = ? AND idea_id = ?",
        (idea_id, batch, idea_id),
    )


def change_ideas(db: sqlite3.Connection, batch: str, changes: Changes) -> None:
    """Carry out what is to happen to ideas that the batch has got; new trials are `insert_ideas`'s."""
    for idea_id in changes.reopened:
        db.execute(
            "UPDATE batch_idea SET outcome = NULL, final = 0 WHERE batch = ? AND idea_id = ?",
            (batch, idea_id),
        )
    for idea_id, other in changes.adopted.items():
        _adopt(db, batch, idea_id, other)


def _adopt(db: sqlite3.Connection, batch: str, idea_id: str, other: str) -> None:
    find = "SELECT * FROM batch_idea WHERE batch = ? AND idea_id = ?"
    mine = db.execute(find, (batch, idea_id)).fetchone()
    theirs = db.execute(find, (other, idea_id)).fetchone()
    outcome = _renumbered(json.loads(theirs["outcome"]), mine["number"])
    outcome["found_in"] = {"batch": other, "folder": theirs["folder"]}
    db.execute(
        "UPDATE batch_idea SET outcome = ?, final = 1, trial = ? WHERE batch = ? AND idea_id = ?",
        (json.dumps(outcome, sort_keys=True), theirs["trial"], batch, idea_id),
    )


def _renumbered(outcome: Mapping[str, Any], number: int) -> dict[str, Any]:
    """An outcome with the number that its idea has in another batch. Its rows still say which folder they are from."""
    return {**outcome, "number": number, "rows": [{**row, "number": number} for row in outcome["rows"]]}
