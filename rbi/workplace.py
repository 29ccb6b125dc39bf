"""A results folder: its journal, the batches in it, their run folders and leaderboards."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from rbi.config import Settings
from rbi.domain import Idea, Row, slug
from rbi.errors import RbiError, UsageError
from rbi.intake.links import names_files
from rbi.intake.sources import STDIN
from rbi.journal import Journal
from rbi.leaderboard import ranked, to_csv
from rbi.locks import FileLock
from rbi.records import BatchRecord, IdeaRecord
from rbi.results import OUTCOME_FILE, write_atomically
from rbi.selection import NO_CHANGES, NO_WISHES, NOT_SHARED, Selected, Wishes, select

JOURNAL_FILE = "rbi.db"
LOCKS_FOLDER = ".locks"
LEADERBOARD_FILE = "leaderboard.csv"
_FOLDER_NAME = re.compile(r"\w(?:[\w .+-]{0,78}\w)?")


@dataclass(frozen=True, slots=True)
class Origin:
    """What two batches must share, beside their identity, for the results of one to stand in the other.

    ``base`` is the folder where paths in ideas begin, ``versions`` those of the strategy environment; ``None`` if
    they are not known and do not matter.
    """

    base: str
    versions: Mapping[str, str] | None = None

    def recorded(self) -> dict[str, Any]:
        """What a batch keeps of it."""
        return {"base": self.base, "versions": dict(self.versions or {})}

    def same_versions(self, settings: Mapping[str, Any]) -> bool:
        """Whether a batch with these recorded settings ran its strategies under the same versions."""
        return self.versions is None or settings.get("versions") == dict(self.versions)


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
        wishes: Wishes = NO_WISHES,
        limit: int = 0,
        origin: Origin | None = None,
    ) -> tuple[BatchRecord, tuple[IdeaRecord, ...]]:
        """Begin a batch, or find the one that the same command began before; returns it with the ideas' records.

        With an ``origin``, ideas that another batch finished are taken over from there. Raises `UsageError` when a
        name was given that belongs to a batch with other settings, or that has nothing left to try ``again``.
        """
        source = source_of(settings.ideas)
        with self.claims.hold("batches"):
            known = self.to_go_on_with(settings, identity, today, wishes)
            if known and known.settings.get("again"):
                wishes = replace(wishes, again=True)  # said once, for all that the batch will get
            name = known.name if known else self._new_name(settings, today)
            chosen = self.select(known, texts, identity, wishes, limit, origin)
            batch = self.journal.save_batch(
                name,
                source=source,
                folder=known.folder if known else name,
                settings={
                    **(known.settings if known else {**settings.as_json(), "identity": dict(identity)}),
                    **settings.money(),
                    **wishes.recorded(),
                    **(origin.recorded() if origin else {}),
                },
                texts=chosen.texts,
                changes=chosen.changes,
            )
        wanted = {Idea(0, text).idea_id for text in chosen.texts}
        return batch, tuple(r for r in self.journal.ideas(name) if r.idea.idea_id in wanted)

    def select(
        self,
        batch: BatchRecord | None,
        texts: Sequence[str],
        identity: Mapping[str, Any],
        wishes: Wishes,
        limit: int = 0,
        origin: Origin | None = None,
    ) -> Selected:
        """The ideas that a command works on in a batch, or in one that it is about to begin."""
        name = batch.name if batch else ""
        elsewhere = self._finished_elsewhere(name, texts, identity, origin) if origin else {}
        endings = self.journal.endings(name, [Idea(0, text).idea_id for text in texts])
        return select(texts, endings, elsewhere, wishes, limit)

    def extend(
        self, batch: str, texts: Sequence[str], wishes: Wishes, limit: int, origin: Origin
    ) -> tuple[IdeaRecord, ...]:
        """Add ideas to a batch that is worked on, or find those it has got; see `begin`. Returns their records."""
        with self.claims.hold("batches"):
            now = self.find_batch(batch)
            chosen = self.select(now, texts, now.settings["identity"], wishes, limit, origin)
            self.journal.save_batch(
                now.name,
                source=now.source,
                folder=now.folder,
                settings=now.settings,
                texts=chosen.texts,
                changes=chosen.changes,
            )
        ids = (Idea(0, text).idea_id for text in chosen.texts)
        return tuple(record for idea_id in ids if (record := self.journal.idea(batch, idea_id)))

    def reopen(self, batch: BatchRecord, wishes: Wishes) -> tuple[IdeaRecord, ...]:
        """All ideas of a batch, those that are to be tried again without their outcomes."""
        records = self.journal.ideas(batch.name)
        texts = [record.idea.text for record in records]
        with self.claims.hold("batches"):
            changes = select(texts, self.journal.endings(batch.name), {}, wishes).changes
            if changes == NO_CHANGES:
                return records
            self.journal.save_batch(
                batch.name,
                source=batch.source,
                folder=batch.folder,
                settings=batch.settings,
                texts=texts,
                changes=changes,
            )
        return self.journal.ideas(batch.name)

    def to_go_on_with(
        self, settings: Settings, identity: Mapping[str, Any], today: date, wishes: Wishes
    ) -> BatchRecord | None:
        """The batch that the same command began before and that it goes on with. Raises as `begin` does."""
        if settings.name:
            return self._named(settings, identity, wishes)
        source = source_of(settings.ideas)
        same = [
            batch
            for batch in self.journal.batches()
            if batch.source == source
            and batch.settings.get("identity") == identity
            and bool(batch.settings.get("again")) == wishes.again
        ]
        unfinished = (b for b in same if not b.settings.get("name") and not self._is_finished(b.name))
        of_today = (b for b in same if is_dated(b.name, dated_name(source, today)) and not wishes.again)
        return next(unfinished, None) or min(of_today, key=lambda b: (len(b.name), b.name), default=None)

    def _named(self, settings: Settings, identity: Mapping[str, Any], wishes: Wishes) -> BatchRecord | None:
        if not _FOLDER_NAME.fullmatch(settings.name) or settings.name.startswith(JOURNAL_FILE):
            raise UsageError(
                f"{settings.name!r} cannot name a batch and its folder",
                where="--name",
                fix=f"use letters, digits, blanks and . _ + -, such as --name {slug(settings.name)}",
            )
        known = self.journal.batch(settings.name)
        if known:
            check_identity(known, identity)
            if wishes.again and (not known.settings.get("again") or self._is_finished(known.name)):
                raise UsageError(
                    f"batch {known.name} has results already",
                    where="--again",
                    fix="choose another --name, or none: a new trial is a batch of its own",
                )
        elif settings.name in self.journal.folders_in_use():
            owner = self.journal.folders_in_use()[settings.name]
            raise UsageError(
                f"the folder {settings.name} belongs to batch {owner}",
                where="--name",
                fix="choose another name",
            )
        return known

    def _is_finished(self, batch: str) -> bool:
        return all(self.journal.endings(batch).values())

    def _new_name(self, settings: Settings, today: date) -> str:
        if settings.name:
            return settings.name
        in_use = self.journal.folders_in_use()
        return next(n for n in _numbered(dated_name(source_of(settings.ideas), today)) if n not in in_use)

    def _finished_elsewhere(
        self, name: str, texts: Sequence[str], identity: Mapping[str, Any], origin: Origin
    ) -> dict[str, tuple[str, str]]:
        """Batch and outcome of the ideas, by id, that another batch with the same settings finished; newest first."""
        by_id = {Idea(0, text).idea_id: text for text in texts}
        found: dict[str, tuple[str, str]] = {}
        for batch in self.journal.batches():
            if batch.name == name or batch.settings.get("identity") != identity:
                continue
            if not origin.same_versions(batch.settings):
                continue
            for idea_id, (kind, folder) in self.journal.finished_here(batch.name, by_id).items():
                if (
                    kind in NOT_SHARED
                    or idea_id in found
                    or not (self.results / folder / OUTCOME_FILE).is_file()
                ):
                    continue
                if names_files(by_id[idea_id]) and batch.settings.get("base") != origin.base:
                    continue  # the same path from another folder is another document
                found[idea_id] = (batch.name, kind)
        return found

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
        return _ranked(self.journal.ideas(batch))

    def write_leaderboard(self, batch: BatchRecord, records: Sequence[IdeaRecord]) -> tuple[Row, ...]:
        """Write the leaderboard of these ideas to every run folder of the batch, and return it."""
        rows = _ranked(records)
        content = to_csv(rows)
        placed = {Path(r.folder).parent.name for r in records if r.folder}
        for folder in sorted({*placed, batch.folder}):
            write_atomically(self.results / folder / LEADERBOARD_FILE, content)
        return rows

    def leaderboard_file(self, batch: BatchRecord) -> Path:
        """The leaderboard in the newest run folder of a batch."""
        return self.results / batch.folder / LEADERBOARD_FILE

    def resume_command(self, batch: str) -> str:
        """The command that goes on with a batch, ready to be typed."""
        words = ["rbi", "resume", batch]
        if self.results != Path(Settings().results):
            words += ["--results", str(self.results)]
        return shlex.join(words)


def _ranked(records: Sequence[IdeaRecord]) -> tuple[Row, ...]:
    outcomes = (record.outcome for record in records)
    return ranked(Row.from_json(row) for outcome in outcomes if outcome for row in outcome["rows"])


def dated_name(source: str, day: date) -> str:
    """The name of a batch that the user did not name: the date and the ideas file."""
    return f"{day.isoformat()}-{'standard-input' if source == STDIN else slug(Path(source).stem)}"


def is_dated(name: str, base: str) -> bool:
    """Whether a batch's name is ``base``, as `dated_name` gives it, with or without a number."""
    return re.fullmatch(rf"{re.escape(base)}(-\d+)?", name) is not None


def source_of(ideas: str) -> str:
    """Where ideas are from, as a batch keeps it: a whole path, or ``-`` for standard input."""
    return STDIN if ideas == STDIN else str(Path(ideas).absolute())


def base_of(batch: BatchRecord) -> Path:
    """Where relative paths in the ideas of a batch begin."""
    return Path(batch.settings.get("base") or Path(batch.source).parent)


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
