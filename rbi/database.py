"""One SQLite file: opened, checked, written in transactions, and its complaints put into words."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from rbi.errors import RbiError


class Database:
    """An SQLite file of one application and schema, shared by threads and processes.

    ``tables`` are the statements that make a new file; ``changes`` those that bring a file of the schema before up
    to the given one. With ``read_only`` nothing is made or changed, and a folder that cannot be written is no
    obstacle: a file of an older schema is brought up to date in memory. Raises `RbiError` when
    the file is unreadable, is another application's or of another schema, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        application_id: int,
        schema: int,
        tables: str,
        changes: Mapping[int, str] = MappingProxyType({}),
        read_only: bool = False,
    ) -> None:
        self.path = path
        self._application_id = application_id
        self._schema = schema
        self._changes = changes
        self._lock = threading.RLock()
        with explained(path):
            self._refuse_emptied()
            self._db = _look_at(path) if read_only else _connect(path)
            try:
                self._db.row_factory = sqlite3.Row
                self._check()
                if not read_only:
                    self._prepare(tables)
                elif self._pragma("user_version") != schema:
                    # Of an older schema, or another process has just begun to make it.
                    self._db = _copied(self._db)
                    self._bring_up_to_date(tables)
            except BaseException:
                self._db.close()
                raise

    def _refuse_emptied(self) -> None:
        """An emptied file beside its log of changes was not emptied by us: opening it would delete the log."""
        log = self.path.with_name(self.path.name + "-wal")
        emptied = self.path.exists() and not self.path.stat().st_size
        if emptied and log.exists() and log.stat().st_size:
            raise sqlite3.DatabaseError(f"it is empty, but {log.name} is not")

    def _prepare(self, tables: str) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            self._bring_up_to_date(tables)

    def _bring_up_to_date(self, tables: str) -> None:
        if self._pragma("user_version") == 0:
            for statement in tables.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {self._application_id}")
            self._db.execute(f"PRAGMA user_version = {self._schema}")
        while self._pragma("user_version") in self._changes:
            version = self._pragma("user_version")
            for statement in self._changes[version].split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {version + 1}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _check(self) -> None:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            return
        if self._pragma("application_id") != self._application_id:
            raise RbiError(
                "this SQLite file is not a journal of rbi",
                where=str(self.path),
                fix="choose another folder with --results, or move the file away",
            )
        schema = self._pragma("user_version")
        if schema != self._schema and schema not in self._changes:
            raise RbiError(
                f"the journal has schema {schema}, this rbi reads schema {self._schema}",
                where=str(self.path),
                fix="use the rbi version that wrote it, or start in a new folder with --results;"
                " nothing in this one was changed",
            )
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end of the ``with`` block, undone if it raises.

        One that is not ``durable`` survives the end of the process, but a power cut only once a durable one has
        followed it.
        """
        with self._lock, explained(self.path):
            self._db.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """The rows of a reading statement."""
        with self._lock, explained(self.path):
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the file. It cannot be used afterwards."""
        with self._lock:
            self._db.close()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)


def _look_at(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; where even SQLite's own side files cannot be made, one that needs none."""
    address = path.absolute().as_uri()
    for mode in ("mode=ro", "immutable=1"):
        db = sqlite3.connect(
            f"{address}?{mode}", uri=True, timeout=60, check_same_thread=False, isolation_level=None
        )
        try:
            db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            db.close()
            if mode == "immutable=1":
                raise
        else:
            return db
    raise AssertionError("one of the modes returned or raised")


def _copied(db: sqlite3.Connection) -> sqlite3.Connection:
    """The same in memory, to be changed at will; ``db`` is closed."""
    copy = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    db.backup(copy)
    db.close()
    copy.row_factory = sqlite3.Row
    return copy


def damaged(path: Path, what: object) -> RbiError:
    """The error for a file whose content is not what was written."""
    return RbiError(
        f"the journal is damaged: {what}",
        where=str(path),
        fix=f"move it away (mv '{path}' '{path}.damaged') and run again: the idea folders beside it stay as"
        " they are; `sqlite3 FILE .recover` may save its recorded answers",
    )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """For reading records back: what is not as it was written is damage."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, zlib.error) as error:
        raise damaged(path, "a record cannot be read back") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into an expected error with a fix."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "decode" in str(error):  # a text column that is no text any more
            raise damaged(path, "a record is not valid text") from error
        raise RbiError(
            f"the journal cannot be used: {error}", where=str(path), fix=_operational_fix(str(error))
        ) from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error


def _operational_fix(message: str) -> str:
    if "full" in message:
        return "free some space on the disk and run `rbi resume`: everything recorded so far is safe"
    if "readonly" in message or "read-only" in message or "unable to open" in message:
        return "make the folder writable, or choose another with --results"
    if "locked" in message:
        return "another program holds the file open; close it and run `rbi resume`"
    return "see `rbi doctor`; everything recorded so far is safe"
