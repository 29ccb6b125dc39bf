"""A results folder: its journal, the batches in it, their run folders and leaderboards."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from rbi.config import Settings
from rbi.domain import Idea, Row, slug
from rbi.errors import RbiError, UsageError
from rbi.journal import Journal
from rbi.leaderboard import ranked, to_csv
from rbi.locks import FileLock
from rbi.records import BatchRecord, IdeaRecord
from rbi.results import write_atomically

JOURNAL_FILE = "rbi.db"
LOCKS_FOLDER = ".locks"
LEADERBOARD_FILE = "leaderboard.csv"
_FOLDER_NAME = re.compile(r"\w(?:[\w .+-]{0,78}\w)?")


@dataclass(frozen=True, slots=True)
class Workplace:
    """A results folder with its open journal. ``claims`` are shared with other processes on the folder."""

    results: Path
    journal: Journal
    claims: FileLock

    def find_batch(self, name: str | None) -> BatchRecord:
        """The named batch, or the latest. Raises `RbiError` when there is none."""
        batches = self.journal.batches()
        if name is None:
            if not batches:
                raise RbiError("there is no batch yet", where=str(self.results), fix="`rbi run` starts one")
            return batches[0]
        wanted = Path(name).name
        by_name = {batch.name: batch for batch in batches}
        owner = wanted if wanted in by_name else self.journal.folders_in_use().get(wanted)
        if owner is not None:
            return by_name[owner]
        known = ", ".join(b.name for b in batches[:10]) or "none"
        raise RbiError(f"there is no batch {name!r}", where=str(self.results), fix=f"batches here: {known}")

    def begin(
        self,
        settings: Settings,
        texts: Sequence[str],
        *,
        identity: Mapping[str, Any],
        today: date,
    ) -> tuple[BatchRecord, tuple[IdeaRecord, ...]]:
        """Begin a batch, or find the one that the same command began before; returns it with the ideas' records.

        Raises `UsageError` when a name was given that belongs to a batch with other settings.
        """
        source = str(Path(settings.ideas).absolute())
        with self.claims.hold("batches"):
            name = self._named(settings, identity) or self._unfinished(source, identity)
            name = name or self._new_name(source, identity, today)
            known = self.journal.batch(name)
            batch = self.journal.save_batch(
                name,
                source=source,
                folder=known.folder if known else name,
                settings={**known.settings, **settings.money()}
                if known
                else {**settings.as_json(), "identity": dict(identity)},
                texts=texts,
            )
        wanted = {Idea(0, text).idea_id for text in texts}
        return batch, tuple(r for r in self.journal.ideas(name) if r.idea.idea_id in wanted)

    def _named(self, settings: Settings, identity: Mapping[str, Any]) -> str:
        if not settings.name:
            return ""
        if not _FOLDER_NAME.fullmatch(settings.name) or settings.name.startswith(JOURNAL_FILE):
            raise UsageError(
                f"{settings.name!r} cannot name a batch and its folder",
                where="--name",
                fix=f"use letters, digits, blanks and . _ + -, such as --name {slug(settings.name)}",
            )
        known = self.journal.batch(settings.name)
        if known:
            check_identity(known, identity)
        elif settings.name in self.journal.folders_in_use():
            owner = self.journal.folders_in_use()[settings.name]
            raise UsageError(
                f"the folder {settings.name} belongs to batch {owner}",
                where="--name",
                fix="choose another name",
            )
        return settings.name

    def _unfinished(self, source: str, identity: Mapping[str, Any]) -> str:
        for batch in self.journal.batches():
            same = batch.source == source and batch.settings.get("identity") == identity
            if same and not batch.settings.get("name") and not self._is_finished(batch.name):
                return batch.name
        return ""

    def _is_finished(self, batch: str) -> bool:
        return all(record.final for record in self.journal.ideas(batch))

    def _new_name(self, source: str, identity: Mapping[str, Any], today: date) -> str:
        in_use = self.journal.folders_in_use()
        for name in _numbered(dated_name(source, today)):
            known = self.journal.batch(name)
            same = known and known.source == source and known.settings.get("identity") == identity
            if same or name not in in_use:
                return name
        raise AssertionError("names do not end")

    def folder_of_day(self, batch: BatchRecord, day: date) -> str:
        """The run folder of a batch for a new day: the one it has got already, or the first that is nobody's."""
        with self.claims.hold("batches"):
            base = dated_name(batch.source, day)
            now = self.journal.batch(batch.name) or batch
            if now.folder.startswith(base):  # another process on the batch was first
                return now.folder
            in_use = self.journal.folders_in_use()
            folder = next(name for name in _numbered(base) if in_use.get(name, batch.name) == batch.name)
            self.journal.save_batch(batch.name, source=batch.source, folder=folder, settings=now.settings)
            return folder

    def leaderboard(self, batch: str) -> tuple[Row, ...]:
        """The ranked rows of every idea of a batch that has an outcome."""
        outcomes = [record.outcome for record in self.journal.ideas(batch) if record.outcome]
        return ranked(Row.from_json(row) for outcome in outcomes for row in outcome["rows"])

    def write_leaderboard(self, batch: BatchRecord) -> None:
        """Write the leaderboard to every run folder of the batch."""
        content = to_csv(self.leaderboard(batch.name))
        placed = {Path(r.folder).parent.name for r in self.journal.ideas(batch.name) if r.folder}
        for folder in sorted({*placed, batch.folder}):
            write_atomically(self.results / folder / LEADERBOARD_FILE, content)

    def leaderboard_file(self, batch: BatchRecord) -> Path:
        """The leaderboard in the newest run folder of a batch."""
        return self.results / batch.folder / LEADERBOARD_FILE

    def resume_command(self, batch: str) -> str:
        """The command that goes on with a batch, ready to be typed."""
        words = ["rbi", "resume", batch]
        if self.results != Path(Settings().results):
            words += ["--results", str(self.results)]
        return shlex.join(words)


def dated_name(source: str, day: date) -> str:
    """The name of a batch that the user did not name: the date and the ideas file."""
    return f"{day.isoformat()}-{slug(Path(source).stem)}"


def _numbered(base: str) -> Iterator[str]:
    yield base
    for number in count(2):
        yield f"{base}-{number}"


def check_identity(batch: BatchRecord, identity: Mapping[str, Any]) -> None:
    """Refuse to go on with a batch under settings that can change its results. Raises `UsageError`."""
    recorded = batch.settings.get("identity", {})
    changed = [key for key in {**recorded, **identity} if recorded.get(key) != identity.get(key)]
    if changed:
        now = ", ".join(
            f"{key}: {_brief(recorded.get(key))} -> {_brief(identity.get(key))}" for key in changed
        )
        raise UsageError(
            f"batch {batch.name} was made with other settings ({now})",
            fix="choose another --name: recorded answers and backtests are used again, nothing is paid twice",
        )


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {digest[:8]}" for name, digest in value.items())
    return str(value)


@contextmanager
def open_workplace(results: Path, *, read_only: bool = False) -> Iterator[Workplace]:
    """The results folder, made if it is not there."""
    journal = Journal(results / JOURNAL_FILE, read_only=read_only)
    try:
        yield Workplace(results, journal, FileLock(results / LOCKS_FOLDER))
    finally:
        journal.close()


@contextmanager
def open_existing(results: Path, *, read_only: bool = True) -> Iterator[Workplace]:
    """A results folder that holds a journal, for looking at unless ``read_only`` is off.

    Raises `RbiError` if it holds none.
    """
    if not (results / JOURNAL_FILE).exists():
        raise RbiError(
            "there are no results here yet",
            where=str(results),
            fix="`rbi run` makes some; --results names the folder",
        )
    with open_workplace(results, read_only=read_only) as workplace:
        yield workplace
