"""The journal: every effect's intent and result, and every batch's ideas and outcomes, in one SQLite file.

An effect is written down before it begins (`intend`) and when it ended (`complete` or `fail`). Whoever needs
an effect asks the journal first (`recall`): what is remembered is never done, or paid for, again. That one rule
is resume, cache and crash-safe totals together.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, TypeVar

from models.base import Usage
from models.memory import Budget, OverBudget
from rbi.database import Database, readable
from rbi.idea_rows import change_ideas, insert_ideas
from rbi.ledger import TRIAL_TABLE, Trial
from rbi.owners import is_alive, owner_name
from rbi.records import (
    NANO,
    BatchRecord,
    IdeaRecord,
    Spending,
    StageUsage,
    Totals,
    batch_of,
    call_of,
    idea_of,
    nano,
    pack,
    unpack,
)
from rbi.selection import NO_CHANGES, Changes

APPLICATION_ID = 0x52424931  # "RBI1": tells our file from any other SQLite file
SCHEMA = 4
# The labels that have a column: nothing else gets into a statement.
_LABEL_COLUMNS = {"batch": "batch", "idea": "idea", "stage": "stage", "model": "model"}
T = TypeVar("T")

_TABLES = (
    """
CREATE TABLE effect (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    batch TEXT NOT NULL,
    idea TEXT NOT NULL,
    stage TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'failed')),
    owner TEXT NOT NULL,
    started REAL NOT NULL,
    finished REAL,
    cost_nano_usd INTEGER,
    cost_known INTEGER NOT NULL DEFAULT 0,
    request BLOB NOT NULL,
    result BLOB,
    model TEXT NOT NULL DEFAULT '',
    reserved_nano_usd INTEGER,
    saved_nano_usd INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER,
    output_tokens INTEGER
);
CREATE INDEX effect_by_key ON effect (key, state);
CREATE INDEX effect_by_batch ON effect (batch, kind, state);
CREATE INDEX effect_money ON effect (batch, idea, state, cost_nano_usd, reserved_nano_usd);
CREATE TABLE batch (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    created REAL NOT NULL,
    touched REAL NOT NULL,
    folder TEXT NOT NULL,
    settings TEXT NOT NULL
);
CREATE TABLE batch_idea (
    batch TEXT NOT NULL REFERENCES batch (name),
    idea_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    folder TEXT,
    final INTEGER NOT NULL DEFAULT 0,
    outcome TEXT,
    trial INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (batch, idea_id),
    UNIQUE (batch, number)
);
"""
    + TRIAL_TABLE
)

_CHANGES = {
    1: """
ALTER TABLE effect ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE effect ADD COLUMN reserved_nano_usd INTEGER;
ALTER TABLE effect ADD COLUMN saved_nano_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN input_tokens INTEGER;
ALTER TABLE effect ADD COLUMN output_tokens INTEGER;
CREATE INDEX effect_money ON effect (batch, idea, state, cost_nano_usd, reserved_nano_usd)
""",
    2: "ALTER TABLE batch_idea ADD COLUMN trial INTEGER NOT NULL DEFAULT 1",
    3: TRIAL_TABLE,
}

# What an effect counts for in a budget: its cost once that is known, its worst case until then.
_COMMITTED = "coalesce(sum(coalesce(cost_nano_usd, reserved_nano_usd, 0)), 0)"


def _listed(ids: Collection[str] | None) -> str | None:
    """Ids as one parameter: SQLite takes so many and no more."""
    return None if ids is None else json.dumps(list(ids))


class Journal:
    """The journal of one results folder. Safe for many threads, and for many processes on one folder.

    Raises `RbiError` when the file is unreadable, of another schema, or cannot be written.
    """

    def __init__(self, path: Path, *, owner: str | None = None, read_only: bool = False) -> None:
        self.path = path
        self._owner = owner or owner_name()
        self._db = Database(
            path,
            application_id=APPLICATION_ID,
            schema=SCHEMA,
            tables=_TABLES,
            changes=_CHANGES,
            read_only=read_only,
        )

    def close(self) -> None:
        """Close the file. The journal cannot be used afterwards."""
        self._db.close()

    def _read(self, rows: Sequence[sqlite3.Row], make: Callable[[sqlite3.Row], T]) -> tuple[T, ...]:
        with readable(self.path):
            return tuple(make(row) for row in rows)

    def verify(self) -> int:
        """Read every record back and return how many there are. Raises `RbiError` at the first that is damaged."""
        self.batches()
        makers: dict[str, Callable[[sqlite3.Row], object]] = {
            "batch_idea": idea_of,
            "effect": call_of,
            "trial": Trial.from_row,
        }
        for name, make in makers.items():
            for (number,) in self._db.query(f"SELECT rowid FROM {name}"):  # noqa: S608 - our own names
                rows = self._db.query(f"SELECT * FROM {name} WHERE rowid = ?", number)  # noqa: S608
                self._read(rows, make)
        return int(self._db.query("SELECT count(*) FROM effect")[0][0])

    # Effects

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """The result last recorded of an effect, or ``None`` if it was never completed."""
        rows = self._db.query(
            "SELECT result FROM effect WHERE key = ? AND state = 'done' ORDER BY id DESC LIMIT 1", key
        )
        return self._read(rows, lambda row: unpack(row["result"]))[0] if rows else None

    def intend(
        self,
        key: str,
        *,
        kind: str,
        request: Mapping[str, Any],
        labels: Mapping[str, str],
        reserve_usd: Decimal | None = None,
        budgets: Sequence[Budget] = (),
    ) -> int:
        """Record that an effect is about to begin; the returned ticket ends it.

        ``labels`` may name the ``batch``, ``idea`` and ``stage`` it is for, and the ``model``. ``reserve_usd`` is
        the most it can cost. Raises `models.memory.OverBudget` when that does not fit into one of ``budgets``:
        looking and writing are one transaction, so that neither threads nor processes can spend the same money.
        """
        values = (
            key,
            kind,
            labels.get("batch", ""),
            labels.get("idea", ""),
            labels.get("stage", ""),
            labels.get("model", ""),
            self._owner,
            time.time(),
            pack(request),
            nano(reserve_usd, ROUND_CEILING),
        )
        with self._db.transaction(durable=False) as db:
            for budget in budgets:
                self._check_budget(db, budget, labels, reserve_usd or Decimal(0))
            row = db.execute(
                "INSERT INTO effect (key, kind, batch, idea, stage, model, state, owner, started, request,"
                " reserved_nano_usd) VALUES (?, ?, ?, ?, ?, ?, 'intent', ?, ?, ?, ?) RETURNING id",
                values,
            ).fetchone()
        return int(row["id"])

    def _check_budget(
        self, db: sqlite3.Connection, budget: Budget, labels: Mapping[str, str], reserve_usd: Decimal
    ) -> None:
        where = " AND ".join(f"{_LABEL_COLUMNS[name]} = ?" for name in budget.by) or "1"
        values = [labels.get(name, "") for name in budget.by]
        committed = db.execute(f"SELECT {_COMMITTED} FROM effect WHERE {where}", values).fetchone()[0] * NANO  # noqa: S608
        if committed + reserve_usd <= budget.limit_usd:
            return
        owners = db.execute(
            f"SELECT DISTINCT owner FROM effect WHERE {where} AND state = 'intent' AND kind = 'model'",  # noqa: S608
            values,
        ).fetchall()
        raise OverBudget(budget, committed, in_flight=any(is_alive(row["owner"]) for row in owners))

    def complete(
        self,
        ticket: int,
        result: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,
        saved_usd: Decimal = Decimal(0),
    ) -> None:
        """Record an effect's result: from now on `recall` returns it. An unknown cost is ``None``."""
        self._end(ticket, "done", result, cost_usd, usage, saved_usd)

    def fail(
        self,
        ticket: int,
        error: Mapping[str, Any],
        cost_usd: Decimal | None,
        *,
        usage: Usage | None = None,
    ) -> None:
        """Record that an effect gave no result. It counts and costs, but is never replayed."""
        self._end(ticket, "failed", error, cost_usd, usage, Decimal(0))

    def _end(
        self,
        ticket: int,
        state: str,
        result: Mapping[str, Any],
        cost_usd: Decimal | None,
        usage: Usage | None,
        saved_usd: Decimal,
    ) -> None:
        values = (
            state,
            time.time(),
            pack(result),
            nano(cost_usd),
            cost_usd is not None,
            nano(saved_usd),
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            ticket,
        )
        # An answer that was paid for must survive a power cut, not only a crash; what is free can be made again.
        with self._db.transaction(durable=cost_usd is None or cost_usd > 0) as db:
            db.execute(
                "UPDATE effect SET state = ?, finished = ?, result = ?, cost_nano_usd = ?, cost_known = ?,"
                " saved_nano_usd = ?, input_tokens = ?, output_tokens = ? WHERE id = ?",
                values,
            )

    def totals(self, batch: str) -> Totals:
        """What a batch's effects amount to."""
        rows = self._db.query(
            "SELECT kind, state, count(*) AS n, sum(cost_nano_usd) AS nano, sum(cost_known = 0) AS unknown,"
            " sum(CASE WHEN cost_nano_usd IS NULL THEN reserved_nano_usd END) AS reserved,"
            " sum(saved_nano_usd) AS saved, sum(input_tokens) AS sent, sum(output_tokens) AS written"
            " FROM effect WHERE batch = ? GROUP BY kind, state",
            batch,
        )
        by = {(row["kind"], row["state"]): row for row in rows}

        def count(kind: str, state: str) -> int:
            return int(by[kind, state]["n"]) if (kind, state) in by else 0

        ended = [row for (kind, state), row in by.items() if kind == "model" and state != "intent"]

        def total(column: str) -> int:
            return sum(row[column] or 0 for row in by.values())

        open_owners = self._db.query(
            "SELECT owner FROM effect WHERE batch = ? AND kind = 'model' AND state = 'intent'", batch
        )
        alive = sum(self._read(open_owners, lambda row: is_alive(row["owner"])))
        return Totals(
            answers=count("model", "done"),
            failed_calls=count("model", "failed"),
            backtests=count("backtest", "done") + count("score", "done"),
            cost_usd=sum((row["nano"] or 0 for row in ended), start=0) * NANO,
            unknown_cost=sum(row["unknown"] for row in ended),
            in_flight=alive,
            possibly_paid=len(open_owners) - alive,
            reserved_usd=total("reserved") * NANO,
            saved_usd=total("saved") * NANO,
            input_tokens=total("sent"),
            output_tokens=total("written"),
        )

    def spending(self, batch: str) -> dict[tuple[str, str], Spending]:
        """What the model calls of a batch took that have ended, by idea id and stage, as they began."""
        rows = self._db.query(
            "SELECT idea, stage, sum(state = 'done') AS answered, sum(state = 'failed') AS failed,"
            " coalesce(sum(input_tokens), 0) AS sent, coalesce(sum(output_tokens), 0) AS written,"
            " coalesce(sum(cost_nano_usd), 0) AS nano, sum(state = 'done' AND input_tokens IS NULL) AS uncounted,"
            " sum(cost_known = 0) AS unknown"
            " FROM effect WHERE batch = ? AND kind = 'model' AND state != 'intent'"
            " GROUP BY idea, stage ORDER BY min(id)",
            batch,
        )
        return {
            (row["idea"], row["stage"]): Spending(
                calls=row["answered"],
                failed=row["failed"],
                input_tokens=row["sent"],
                output_tokens=row["written"],
                cost_usd=row["nano"] * NANO,
                unknown_tokens=row["uncounted"],
                unknown_cost=row["unknown"],
            )
            for row in rows
        }

    def usage_by_stage(self, model: str) -> dict[str, StageUsage]:
        """What the calls that ``model`` (``provider:name``, as asked for) answered took, by stage."""
        rows = self._db.query(
            "SELECT stage, count(*) AS n, avg(input_tokens) AS sent, avg(output_tokens) AS written FROM effect"
            " WHERE kind = 'model' AND model = ? AND state = 'done' AND input_tokens IS NOT NULL GROUP BY stage",
            model,
        )
        return {row["stage"]: StageUsage(row["n"], row["sent"], row["written"]) for row in rows}

    def calls(self, batch: str, idea_id: str) -> list[dict[str, Any]]:
        """The model calls and backtests made for one idea, in order: kind, stage, state, seconds, cost, detail."""
        rows = self._db.query("SELECT * FROM effect WHERE batch = ? AND idea = ? ORDER BY id", batch, idea_id)
        return list(self._read(rows, call_of))

    def record_trials(self, trials: Sequence[Trial]) -> None:
        """Add trials to the ledger; one that an idea has there already is not counted again."""
        with self._db.transaction(durable=False) as db:
            db.executemany(
                f"INSERT OR IGNORE INTO trial VALUES ({', '.join('?' * len(fields(Trial)))})",  # noqa: S608
                [trial.row() for trial in trials],
            )

    def trials(self, idea_id: str) -> tuple[Trial, ...]:
        """Every trial ever made for an idea, in any batch, in the order in which they were made."""
        rows = self._db.query("SELECT * FROM trial WHERE idea = ? ORDER BY rowid", idea_id)
        return self._read(rows, Trial.from_row)

    # Batches

    def save_batch(
        self,
        name: str,
        *,
        source: str,
        folder: str,
        settings: Mapping[str, Any],
        texts: Sequence[str] = (),
        changes: Changes = NO_CHANGES,
    ) -> BatchRecord:
        """Record a batch with these ideas, or that it goes on.

        Of a known batch ``folder``, ``settings`` and the time it was touched change; an idea that it already has
        keeps its number, a new one gets the next. ``changes`` are of ideas among ``texts``.
        """
        now = time.time()
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO batch (name, source, created, touched, folder, settings) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET touched = excluded.touched, folder = excluded.folder,"
                " settings = excluded.settings",
                (name, source, now, now, folder, json.dumps(dict(settings), sort_keys=True)),
            )
            insert_ideas(db, name, texts, changes.renewed)
            change_ideas(db, name, changes)
        found = self.batch(name)
        assert found is not None  # noqa: S101 - just written
        return found

    def batch(self, name: str) -> BatchRecord | None:
        """The batch of that name."""
        rows = self._db.query("SELECT * FROM batch WHERE name = ?", name)
        return self._read(rows, batch_of)[0] if rows else None

    def batches(self) -> tuple[BatchRecord, ...]:
        """All batches, the one touched last first."""
        rows = self._db.query("SELECT * FROM batch ORDER BY touched DESC, rowid DESC")
        return self._read(rows, batch_of)

    def folders_in_use(self) -> dict[str, str]:
        """Every run folder that belongs to a batch, by name or because ideas are in it, with that batch's name."""
        rows = self._db.query(
            "SELECT name, name AS folder FROM batch UNION SELECT name, folder FROM batch"
            " UNION SELECT batch AS name, substr(folder, 1, instr(folder, '/') - 1) AS folder"
            " FROM batch_idea WHERE folder IS NOT NULL"
        )
        return {row["folder"]: row["name"] for row in rows}

    def ideas(self, batch: str) -> tuple[IdeaRecord, ...]:
        """The batch's ideas by number."""
        rows = self._db.query("SELECT * FROM batch_idea WHERE batch = ? ORDER BY number", batch)
        return self._read(rows, idea_of)

    def counts(self, batch: str) -> tuple[int, int]:
        """How many ideas of a batch have a final outcome, and how many it has."""
        row = self._db.query(
            "SELECT coalesce(sum(final), 0) AS finished, count(*) AS total FROM batch_idea WHERE batch = ?",
            batch,
        )[0]
        return row["finished"], row["total"]

    def endings(self, batch: str, among: Collection[str] | None = None) -> dict[str, str]:
        """The ideas of a batch by id, all or those ``among`` these ids.

        With the kind of the final outcome, empty if it has none.
        """
        rows = self._db.query(
            "SELECT idea_id, final, json_extract(outcome, '$.outcome') AS kind FROM batch_idea WHERE batch = ?1"
            " AND (?2 IS NULL OR idea_id IN (SELECT value FROM json_each(?2)))",
            batch,
            _listed(among),
        )
        return {row["idea_id"]: str(row["kind"] or "unnamed") if row["final"] else "" for row in rows}

    def finished_here(self, batch: str, among: Collection[str]) -> dict[str, tuple[str, str]]:
        """The ideas ``among`` these ids that this batch itself worked on to an end that no more time would change.

        With the kind of the outcome and the folder.
        """
        rows = self._db.query(
            "SELECT idea_id, folder, json_extract(outcome, '$.outcome') AS kind FROM batch_idea"
            " WHERE batch = ?1 AND final AND folder IS NOT NULL AND json_extract(outcome, '$.timed_out') = 0"
            " AND json_extract(outcome, '$.found_in') IS NULL AND idea_id IN (SELECT value FROM json_each(?2))",
            batch,
            _listed(among),
        )
        return {row["idea_id"]: (row["kind"], row["folder"]) for row in rows}

    def idea(self, batch: str, idea_id: str) -> IdeaRecord | None:
        """One idea of a batch."""
        rows = self._db.query("SELECT * FROM batch_idea WHERE batch = ? AND idea_id = ?", batch, idea_id)
        return self._read(rows, idea_of)[0] if rows else None

    def place_idea(self, batch: str, idea_id: str, folder: str) -> str:
        """Give an idea its folder (relative to the results folder) unless it has one; returns the one it has."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE batch_idea SET folder = ? WHERE batch = ? AND idea_id = ? AND folder IS NULL",
                (folder, batch, idea_id),
            )
            row = db.execute(
                "SELECT folder FROM batch_idea WHERE batch = ? AND idea_id = ?", (batch, idea_id)
            ).fetchone()
        return str(row["folder"])

    def save_outcome(self, batch: str, idea_id: str, outcome: Mapping[str, Any], *, final: bool) -> None:
        """Record how an idea ended. A ``final`` outcome is not worked on again."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE batch_idea SET outcome = ?, final = ? WHERE batch = ? AND idea_id = ?",
                (json.dumps(dict(outcome), sort_keys=True), final, batch, idea_id),
            )
