"""The run folder of a batch: what it says of itself, and how midnight changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from rbi.locks import DateLock
from rbi.records import BatchRecord
from rbi.results import write_json
from rbi.workplace import Workplace

RUN_FILE = "run.json"


class RunFolder:
    """Where ideas that start now are put. A batch the user named keeps its folder for ever; one named after its
    date gets a new folder, once, when midnight passes while it works.

    ``description`` is written to each folder's ``run.json``; ``changed`` is told the name of a new folder.
    """

    def __init__(
        self,
        workplace: Workplace,
        batch: BatchRecord,
        *,
        description: Mapping[str, Any],
        changed: Callable[[str], None],
        today: Callable[[], date] = date.today,
    ) -> None:
        self._workplace = workplace
        self._batch = batch
        self._description = description
        self._changed = changed
        self._newest = batch.folder
        self._lock = DateLock(batch.folder, today, self._next)
        self._describe(batch.folder)

    @property
    def newest(self) -> Path:
        """The folder in use, without looking at the date."""
        return self._workplace.results / self._newest

    def for_idea(self) -> str:
        """The folder, relative to the results folder, for an idea that starts now."""
        return self._lock.folder()

    def _next(self, day: date) -> str:
        if self._batch.settings.get("name"):
            return self._newest
        folder = self._workplace.folder_of_day(self._batch, day)
        self._describe(folder)
        self._newest = folder
        self._changed(folder)
        return folder

    def _describe(self, folder: str) -> None:
        write_json(
            self._workplace.results / folder / RUN_FILE, {"batch": self._batch.name, **self._description}
        )
