"""The journal: every effect's intent and result, and every batch's ideas and outcomes, in one SQLite file.

An effect is written down before it begins (`intend`) and when it ended (`complete` or `fail`). Whoever needs
an effect asks the journal first (`recall`): what is remembered is never done, or paid for, again. That one rule
is resume, cache and crash-safe totals together.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, TypeVar

from models.base import Usage
from models.memory import Budget, OverBudget
from rbi.database import Database, readable
from rbi.domain import Idea

APPLICATION_ID = 0x52424931  # "RBI1": tells our file from any other SQLite file
SCHEMA = 2
NANO = Decimal("1e-9")
_LABEL_COLUMNS = {"batch": "batch", "idea": "idea", "stage": "stage", "model": "model"}
T = TypeVar("T")

_TABLES = """
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
    PRIMARY KEY (batch, idea_id),
    UNIQUE (batch, number)
);
"""

_CHANGES = {
    1: """
ALTER TABLE effect ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE effect ADD COLUMN reserved_nano_usd INTEGER;
ALTER TABLE effect ADD COLUMN saved_nano_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effect ADD COLUMN input_tokens INTEGER;
ALTER TABLE effect ADD COLUMN output_tokens INTEGER;
CREATE INDEX effect_money ON effect (batch, idea, state, cost_nano_usd, reserved_nano_usd)
"""
}

# What an effect counts for in a budget: its cost once that is known, its worst case until then.
_COMMITTED = "coalesce(sum(coalesce(cost_nano_usd, reserved_nano_usd, 0)), 0)"


def owner_name() -> str:
    """This process as the journal knows it: host, process id and start time (ids are reused, pairs are not)."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def is_alive(owner: str) -> bool:
    """Whether the process that wrote ``owner`` still runs. An owner on another host counts as alive."""
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return started == _started(int(pid))


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as recorded. ``folder`` is its newest run folder, relative to the results folder."""

    name: str
    source: str
    created: float
    folder: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IdeaRecord:
    """An idea of a batch. ``outcome`` is what its folder's ``outcome.json`` holds, or ``None``."""

    idea: Idea
    folder: str | None
    final: bool
    outcome: Mapping[str, Any] | None


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
class StageUsage:
    """What the answered calls of one stage took on average: tokens a call. ``calls`` is how many there were."""

    calls: int
    input_tokens: float
    output_tokens: float


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
        for name in ("batch_idea", "effect"):
            make = _idea if name == "batch_idea" else _call
            for (number,) in self._db.query(f"SELECT rowid FROM {name}"):  # noqa: S608 - our own two names
                rows = self._db.query(f"SELECT * FROM {name} WHERE rowid = ?", number)  # noqa: S608
                self._read(rows, make)
        return int(self._db.query("SELECT count(*) FROM effect")[0][0])

    # Effects

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """The result last recorded of an effect, or ``None`` if it was never completed."""
        rows = self._db.query(
            "SELECT result FROM effect WHERE key = ? AND state = 'done' ORDER BY id DESC LIMIT 1", key
        )
        return self._read(rows, lambda row: _unpack(row["result"]))[0] if rows else None

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
            _pack(request),
            _nano(reserve_usd, ROUND_CEILING),
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
            _pack(result),
            _nano(cost_usd),
            cost_usd is not None,
            _nano(saved_usd),
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            ticket,
        )
        # A recorded answer has been paid for: it must survive a power cut, not only a crash.
        with self._db.transaction() as db:
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
            backtests=count("backtest", "done"),
            cost_usd=sum((row["nano"] or 0 for row in ended), start=0) * NANO,
            unknown_cost=sum(row["unknown"] for row in ended),
            in_flight=alive,
            possibly_paid=len(open_owners) - alive,
            reserved_usd=total("reserved") * NANO,
            saved_usd=total("saved") * NANO,
            input_tokens=total("sent"),
            output_tokens=total("written"),
        )

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
        return list(self._read(rows, _call))

    # Batches

    def save_batch(
        self, name: str, *, source: str, folder: str, settings: Mapping[str, Any], texts: Sequence[str] = ()
    ) -> BatchRecord:
        """Record a batch with these ideas, or that it goes on.

        Of a known batch ``folder``, ``settings`` and the time it was touched change; an idea that it already has
        keeps its number, a new one gets the next.
        """
        now = time.time()
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO batch (name, source, created, touched, folder, settings) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET touched = excluded.touched, folder = excluded.folder,"
                " settings = excluded.settings",
                (name, source, now, now, folder, json.dumps(dict(settings), sort_keys=True)),
            )
            _insert_ideas(db, name, texts)
        found = self.batch(name)
        assert found is not None  # noqa: S101 - just written
        return found

    def batch(self, name: str) -> BatchRecord | None:
        """The batch of that name."""
        rows = self._db.query("SELECT * FROM batch WHERE name = ?", name)
        return self._read(rows, _batch)[0] if rows else None

    def batches(self) -> tuple[BatchRecord, ...]:
        """All batches, the one touched last first."""
        rows = self._db.query("SELECT * FROM batch ORDER BY touched DESC, rowid DESC")
        return self._read(rows, _batch)

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
        return self._read(rows, _idea)

    def idea(self, batch: str, idea_id: str) -> IdeaRecord | None:
        """One idea of a batch."""
        rows = self._db.query("SELECT * FROM batch_idea WHERE batch = ? AND idea_id = ?", batch, idea_id)
        return self._read(rows, _idea)[0] if rows else None

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


def _insert_ideas(db: sqlite3.Connection, batch: str, texts: Sequence[str]) -> None:
    rows = db.execute("SELECT idea_id, number FROM batch_idea WHERE batch = ?", (batch,)).fetchall()
    known = {row["idea_id"] for row in rows}
    last = max((row["number"] for row in rows), default=0)
    for text in texts:
        idea_id = Idea(0, text).idea_id
        if idea_id in known:
            continue
        known.add(idea_id)
        last += 1
        db.execute(
            "INSERT INTO batch_idea (batch, idea_id, number, text) VALUES (?, ?, ?, ?)",
            (batch, idea_id, last, text),
        )


def _nano(usd: Decimal | None, rounding: str = ROUND_HALF_EVEN) -> int | None:
    return None if usd is None else int((usd / NANO).to_integral_value(rounding))


def _pack(value: Mapping[str, Any]) -> bytes:
    return zlib.compress(
        json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode(), 3
    )


def _unpack(blob: bytes) -> dict[str, Any]:
    return dict(json.loads(zlib.decompress(blob)))


def _batch(row: sqlite3.Row) -> BatchRecord:
    return BatchRecord(row["name"], row["source"], row["created"], row["folder"], json.loads(row["settings"]))


def _idea(row: sqlite3.Row) -> IdeaRecord:
    idea = Idea(row["number"], row["text"])
    if idea.idea_id != row["idea_id"]:
        raise ValueError(f"the text of idea {idea.number} is not the one that was recorded")
    return IdeaRecord(
        idea=idea,
        folder=row["folder"],
        final=bool(row["final"]),
        outcome=json.loads(row["outcome"]) if row["outcome"] else None,
    )


def _call(row: sqlite3.Row) -> dict[str, Any]:
    known = row["cost_nano_usd"] is not None
    result = _unpack(row["result"]) if row["state"] != "intent" else {}
    return {
        "kind": row["kind"],
        "stage": row["stage"],
        "state": row["state"],
        "seconds": None if row["finished"] is None else round(row["finished"] - row["started"], 3),
        "cost_usd": f"{row['cost_nano_usd'] * NANO:f}" if known else None,
        "request": _unpack(row["request"]),
        "error": result["message"] if row["state"] == "failed" else "",
    }
