"""Ideas that come to a batch while it works: those of a watched source, chosen as the first ones were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rbi.events import Events, IdeasFound, Notice
from rbi.intake.duplicates import Duplicates
from rbi.intake.news import Following, News
from rbi.intake.sources import STDIN, STDIN_SHOWN, Ideas
from rbi.records import IdeaRecord
from rbi.selection import Wishes, matching
from rbi.terminal import printable
from rbi.workplace import Origin, Workplace

SHOWN_LINES = 20


@dataclass(slots=True)
class Arrivals:
    """Takes what a watched source has got into a batch: see `rbi.batch.More`.

    ``begun`` is what the source held at first, ``records`` are the ideas chosen from it. ``limit`` (0: none) is for
    all that are begun, ``only`` for each idea that comes. ``duplicates`` are told of all that the batch gets.
    """

    following: Following
    begun: Ideas
    workplace: Workplace
    batch: str
    wishes: Wishes
    origin: Origin
    only: str
    limit: int
    records: Sequence[IdeaRecord]
    duplicates: Duplicates
    has_refused: bool = field(default=False, init=False)

    def into(self, events: Events) -> Callable[[], Sequence[IdeaRecord] | None]:
        """What gives the batch its further ideas, telling ``events`` of them."""
        source = STDIN_SHOWN if self.begun.source == STDIN else self.begun.source
        events.emit(Notice(f"watching {source}; Ctrl-C ends it"))
        self._tell(News(refused=self.begun.refused, repeated=self.begun.repeated), events)
        total = len(self.records)
        left = self.limit - sum(not record.final for record in self.records)

        def more() -> Sequence[IdeaRecord] | None:
            nonlocal total, left
            if self.limit and left <= 0:
                return None
            news = self.following.look()
            self._tell(news, events)
            texts = matching([idea.text for idea in news.ideas], self.only)
            come = self._taken_in(texts, left if self.limit else 0)
            if come:
                finished = sum(record.final for record in come)
                total, left = total + len(come), left - len(come) + finished
                events.emit(IdeasFound(len(come), finished, total))
            return None if news.is_last and not come else come

        return more

    def _taken_in(self, texts: Sequence[str], limit: int) -> tuple[IdeaRecord, ...]:
        if not texts:
            return ()
        come = self.workplace.extend(self.batch, texts, self.wishes, limit, self.origin)
        if self.wishes.dedupe:
            self.duplicates.add(record.idea for record in come)
        return come

    def _tell(self, news: News, events: Events) -> None:
        self.has_refused = self.has_refused or bool(news.refused)
        lines = list(_lines(news))
        for line in lines[:SHOWN_LINES]:
            events.emit(Notice(printable(line)))
        if len(lines) > SHOWN_LINES:
            events.emit(Notice(f"and {len(lines) - SHOWN_LINES} more such lines"))


def _lines(news: News) -> Iterator[str]:
    yield from news.remarks
    yield from (f"{one.place}: {one.what}; {one.fix}" for one in news.refused)
    yield from (f"{one.place} repeats {one.first}: worked on once" for one in news.repeated)
