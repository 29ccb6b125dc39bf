"""Sinks that show a batch while it runs: live on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rbi.domain import OutcomeKind
from rbi.events import (
    BacktestFinished,
    BatchStarted,
    BudgetReached,
    CallFinished,
    CallStarted,
    CallWaiting,
    Event,
    FellBack,
    IdeaFinished,
    IdeaStarted,
    Notice,
    RunFolderChanged,
    StageStarted,
)
from rbi.locks import ConsoleLock
from rbi.terminal import counted, plural, printable

SHOWN_IDEAS = 8
SECONDS_BETWEEN_WAITS = 30.0
_STYLE = {
    OutcomeKind.TRADED.value: ("✓", "green"),
    OutcomeKind.NO_TRADES.value: ("○", "yellow"),
    OutcomeKind.NOT_UNDERSTOOD.value: ("?", "cyan"),
    OutcomeKind.NOT_FEASIBLE.value: ("?", "cyan"),
}
_FAILED = ("✗", "red")
_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(slots=True)
class Tally:
    """The state of a batch as its events tell it. Costs are USD; ``unpriced`` calls have an unknown cost."""

    clock: Callable[[], float] = time.monotonic
    began: float = 0.0
    total: int = 0
    noun: str = "idea"
    finished: int = 0
    before: int = 0
    in_flight: int = 0
    calls: int = 0
    failed_calls: int = 0
    backtests: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    waiting: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    active: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case BatchStarted():
                self.began, self.noun = self.clock(), event.noun
                self.total, self.finished, self.before = event.total, event.finished, event.finished
            case IdeaStarted():
                self.active[event.number] = ("", event.text)
            case StageStarted() if event.number in self.active:
                self.active[event.number] = (event.stage, self.active[event.number][1])
            case IdeaFinished():
                self.active.pop(event.number, None)
                self.finished += 1
                self.outcomes[event.outcome] += 1
            case CallStarted():
                self.in_flight += 1
            case CallFinished():
                self._call_finished(event)
            case CallWaiting():
                self.waiting = f"{event.model} waits {event.seconds:.0f} s: {event.reason}"
            case BacktestFinished():
                self.backtests += not event.replayed
            case _:
                pass

    def _call_finished(self, event: CallFinished) -> None:
        self.in_flight -= 1
        self.calls += 1
        self.failed_calls += bool(event.error)
        self.unpriced += event.cost_usd is None
        self.cost += event.cost_usd or 0
        self.waiting = "" if not event.error else self.waiting

    def elapsed(self) -> float:
        """Seconds since the batch began in this process."""
        return self.clock() - self.began

    def eta(self) -> float | None:
        """Seconds to go at the pace so far; ``None`` before the first idea ended."""
        done = self.finished - self.before
        return self.elapsed() / done * (self.total - self.finished) if done else None

    def money(self) -> str:
        """The cost of this process's calls, as shown."""
        unknown = f" + {self.unpriced} of unknown cost" if self.unpriced else ""
        return f"${self.cost:.4f}{unknown}"

    def line(self) -> str:
        """The numbers in one line."""
        eta = self.eta()
        parts = [
            f"calls {self.calls} ({self.in_flight} in flight)",
            f"backtests {self.backtests}",
            self.money(),
            f"{_clock(self.elapsed())} elapsed",
            f"ETA {_clock(eta)}" if eta is not None else "ETA -",
        ]
        return " · ".join(parts)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))).removeprefix("0:")


class Remarks:
    """What both people's sinks say between ideas: a fallback once for each pair of models, and the budget's end."""

    def __init__(self) -> None:
        self._fallbacks: set[tuple[str, str]] = set()

    def of(self, event: Event) -> str:
        """The line for an event; empty if nothing is to be said."""
        match event:
            case FellBack():
                pair = (event.from_model, event.to_model)
                if pair in self._fallbacks:
                    return ""
                self._fallbacks.add(pair)
                return printable(f"{event.from_model} -> {event.to_model}: {event.reason}")
            case BudgetReached():
                return f"the budget is reached: ${event.spent_usd:.4f} of ${event.budget_usd:.4f}"
            case Notice():
                return printable(event.text)
            case _:
                return ""


class LiveProgress:
    """Live progress on a terminal: finished ideas scroll by, the state stays at the bottom."""

    def __init__(self, console: Console) -> None:
        self._tally = Tally()
        self._remarks = Remarks()
        self._console = console
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._tally.add(event)
        match event:
            case BatchStarted():
                self._console.print(Text(_opening(event), style="bold"))
            case IdeaFinished():
                sign, style = _STYLE.get(event.outcome, _FAILED)
                line = Text.assemble(
                    (f"{sign} {event.number:>4} {event.outcome:<15}", style), _closing(event)
                )
                line.truncate(self._console.width, overflow="ellipsis")
                self._console.print(line)
            case RunFolderChanged():
                self._console.print(Text(_new_day(event, self._tally.noun), style="bold"))
            case _:
                remark = self._remarks.of(event)
                if remark:
                    self._console.print(Text(remark, style="yellow"))

    def _render(self) -> RenderableType:
        tally = self._tally
        if not tally.total:
            return Text()  # the batch has not begun
        counts = " · ".join(f"{n} {kind}" for kind, n in tally.outcomes.most_common())
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(total=max(tally.total, 1), completed=tally.finished, width=28),
            Text(f"{tally.finished}/{counted(tally.total, tally.noun)}" + (f" · {counts}" if counts else "")),
        )
        rows: list[RenderableType] = [head, Text(tally.line(), style="dim")]
        if tally.waiting:
            rows.append(Text(printable(tally.waiting), style="yellow"))
        width = max(20, self._console.width - 18)
        for number, (stage, text) in list(tally.active.items())[:SHOWN_IDEAS]:
            rows.append(Text(f"  {number:>4} {stage:<9} {printable(text, longest=width)}"))
        hidden = len(tally.active) - SHOWN_IDEAS
        if hidden > 0:
            rows.append(Text(f"       and {hidden} more", style="dim"))
        return Group(*rows)


class PlainProgress:
    """One line an event that matters, for logs and pipes.

    Of waits, one line for each model and reason in ``SECONDS_BETWEEN_WAITS``.
    """

    def __init__(self, console: ConsoleLock, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._tally = Tally()
        self._remarks = Remarks()
        self._console = console

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._tally.add(event)
        match event:
            case BatchStarted():
                self._console.write_line(_opening(event))
            case IdeaFinished():
                place = f"[{self._tally.finished}/{self._tally.total}]"
                self._console.write_line(f"{place} {event.number} {event.outcome}: {_closing(event)}")
            case CallWaiting() if self._is_due(event):
                self._console.write_line(
                    f"{event.model} waits {event.seconds:.1f} s: {printable(event.reason)}"
                )
            case RunFolderChanged():
                self._console.write_line(_new_day(event, self._tally.noun))
            case _:
                remark = self._remarks.of(event)
                if remark:
                    self._console.write_line(remark)

    def _is_due(self, event: CallWaiting) -> bool:
        now = self._clock()
        wait = (event.model, _NUMBER.sub("", event.reason))  # another attempt is no other reason
        if now < self._told.get(wait, -inf) + SECONDS_BETWEEN_WAITS:
            return False
        self._told[wait] = now
        return True


class JsonProgress:
    """Every event as one JSON object a line, its name under ``event``."""

    def __init__(self, console: ConsoleLock) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """Write an event."""
        self._console.write_line(json.dumps(as_json(event), ensure_ascii=False))


class EventsFile:
    """Appends every event with its time (seconds since 1970) to a file of JSON lines.

    The file is opened for each line: events are rare, the run folder may change, and no handle outlives a line.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Append an event."""
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"at": round(time.time(), 3), **as_json(event)}, ensure_ascii=False)
        with path.open("ab+") as file:
            if file.tell() and _last_byte(file) != b"\n":
                line = "\n" + line  # a full disk or a power cut left a part of a line
            file.write(line.encode() + b"\n")


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def as_json(event: Event) -> dict[str, Any]:
    """An event as JSON values."""
    name = type(event).__name__
    snake = "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
    values = {k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(event).items()}
    return {"event": snake, **values}


def _opening(event: BatchStarted) -> str:
    done = f", {event.finished} done before" if event.finished else ""
    data = ", ".join(event.data)
    work = counted(event.total, event.noun)
    return printable(f"{event.name}: {work}{done} · {event.model} · {data} · {event.workers} at once")


def _new_day(event: RunFolderChanged, noun: str) -> str:
    return f"a new day: {plural(noun)} that start now go to {event.folder}"


def _closing(event: IdeaFinished) -> str:
    name = printable(event.name, longest=60) or event.idea_id
    detail = f" · {printable(event.detail, longest=80)}" if event.detail else ""
    return f"{name}{detail} · {event.seconds:.1f} s"
