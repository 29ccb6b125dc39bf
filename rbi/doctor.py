"""``rbi doctor``: what a batch needs, looked at one by one, with the fix beside what is missing."""

from __future__ import annotations

import io
import platform
import shutil
import sqlite3
import sys
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.cost import PriceTable
from models.errors import ModelError
from models.factory import ModelFactory
from rbi import __version__
from rbi.cache import cache_folder
from rbi.config import Settings
from rbi.console import console
from rbi.data.catalog import load_all
from rbi.errors import RbiError
from rbi.intake.sources import STDIN, read_source
from rbi.results import OUTCOME_FILE
from rbi.terminal import printable, say
from rbi.workplace import JOURNAL_FILE, Workplace, open_existing
from rbi.writers import writers
from runners.backtest_runner import BacktestRunner
from runners.base import Level, RunnerError
from runners.enforcement import Enforced, measure
from runners.environments import Environment, describe, resolve
from runners.warmth import Containment

LOW_DISK_BYTES = 1 << 30
_CELL = 11  # columns for a level in the table of attempts
_LEAST_ROOM, _MOST_ROOM = 30, 58  # columns for what is attempted
_MARGIN = " " * 18  # before what goes on in another line


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a level of containment was seen to keep from strategies, or why it cannot be had here."""

    level: Level
    found: tuple[Enforced, ...]
    why_not: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything a batch with these settings needs. Nothing is changed, installed or paid for."""
    looks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("rbi", _rbi),
        ("ideas", _ideas),
        ("model", _model),
        ("data", _data),
        ("environment", _environment),
        ("sandbox", _sandbox),
        ("results", _results),
        ("journal", _journal),
        ("disk", _disk),
    )
    return tuple(_look(name, look, settings) for name, look in looks)


def measure_levels(settings: Settings) -> tuple[Measured, ...]:
    """What each level of containment keeps from a strategy here, by trying it; takes some seconds for each."""
    try:
        environment = _usable_environment(settings)
    except RunnerError as error:
        return tuple(Measured(level, (), why_not=error.message) for level in reversed(Level))
    say("rbi: trying what strategies can do at each level of containment, about 20 s")
    return tuple(_measured(environment, level) for level in reversed(Level))


def _measured(environment: Environment, level: Level) -> Measured:
    try:
        return Measured(level, measure(environment, level))
    except RunnerError as error:
        return Measured(level, (), why_not=error.message)


def levels_page(levels: tuple[Measured, ...], width: int) -> list[str]:
    """The attempts as lines of at most ``width`` columns, with a column for each level."""
    tried = next((measured.found for measured in levels if measured.found), ())
    names = [measured.level.value for measured in levels]
    room = max(_LEAST_ROOM, min(_MOST_ROOM, width - 1 - _CELL * len(names)))
    lines = [f"{'a strategy that tries:':<{room}}" + "".join(f"{name:<{_CELL}}" for name in names)]
    for number, attempt in enumerate(tried):
        cells = (_cell(measured.found[number]) if measured.found else "-" for measured in levels)
        first, *more = textwrap.wrap(attempt.attempt, room - 3)
        lines.append(f"  {first:<{room - 2}}" + "".join(f"{cell:<{_CELL}}" for cell in cells))
        lines += [f"    {line}" for line in more]
    for measured in levels:
        if measured.why_not:
            why = printable(f"{measured.level.value} is not possible here: {measured.why_not}")
            lines += textwrap.wrap(why, width, subsequent_indent="  ")
    return [line.rstrip() for line in lines]


def _cell(found: Enforced) -> str:
    return "stopped" if found.enforced else "POSSIBLE"


def report(findings: tuple[Finding, ...], levels: tuple[Measured, ...]) -> None:
    """Print the findings for a person."""
    out = console()
    for line in levels_page(levels, out.width):
        out.print(line, highlight=False, soft_wrap=True)
    out.print()
    for finding in findings:
        said = f"{'ok  ' if finding.ok else 'FIX '} {finding.name:<12} {printable(finding.detail)}"
        for line in _indented(said, out.width) + _indented(_MARGIN + printable(finding.fix), out.width):
            out.print(line, soft_wrap=True)


def _indented(text: str, width: int) -> list[str]:
    """``text`` in lines; what does not fit goes on below its beginning. Paths are not cut: they are to be copied."""
    return textwrap.wrap(
        text, width, subsequent_indent=_MARGIN, break_long_words=False, break_on_hyphens=False
    )


def _look(name: str, look: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, True, look(settings))
    except RbiError as error:
        where = f" ({error.where})" if error.where else ""
        return Finding(name, False, f"{error.what}{where}", error.fix)
    except (ModelError, RunnerError) as error:
        return Finding(name, False, error.message, error.hint)
    except OSError as error:
        return Finding(name, False, str(error), "check the folder and its permissions")


def _rbi(_: Settings) -> str:
    return (
        f"rbi {__version__}, Python {platform.python_version()} ({sys.executable}),"
        f" SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}"
    )


def _ideas(settings: Settings) -> str:
    if settings.ideas == STDIN:
        return "from standard input, which is not read here"
    ideas = read_source(settings.ideas, io.BytesIO())
    extra = f", {len(ideas.refused)} refused" if ideas.refused else ""
    return f"{len(ideas.ideas)} ideas in {ideas.source}{extra}"


def _model(settings: Settings) -> str:
    factory = ModelFactory(settings.environ, own=settings.providers, prices=PriceTable(settings.prices))
    chosen = writers(settings, factory)
    kind = "" if chosen.are_language_models else " (rule-based, not a language model)"
    return ", ".join(dict.fromkeys(chosen.identity().values())) + kind


def _data(settings: Settings) -> str:
    return ", ".join(f"{d.name} {d.timeframe} {len(d.bars)} bars" for d in load_all(settings.data))


def _environment(settings: Settings) -> str:
    about = describe(settings.env, cache=cache_folder(settings.environ), environ=settings.environ)
    return ", ".join(f"{key} {value}" for key, value in about.items())


def _sandbox(settings: Settings) -> str:
    containment = Containment.named(settings.sandbox)
    environment = _usable_environment(settings)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(BacktestRunner(environment, scratch_root=Path(folder), containment=containment)) as runner,
    ):
        level = runner.level()
        why_not = "; ".join(f"{weaker}: {reason}" for weaker, reason in runner.why_not.items())
    return f"strategies run at the level {level}" + (f" ({why_not})" if why_not else "")


def _usable_environment(settings: Settings) -> Environment:
    """The configured one if it is there; else the python that runs this, which can run strategies too."""
    cache = cache_folder(settings.environ)
    try:
        there = "state" not in describe(settings.env, cache=cache, environ=settings.environ)
    except RunnerError:
        there = False  # what is wrong with it is a finding of its own
    spec = settings.env if there else "current"
    return resolve(spec, cache=cache, environ=settings.environ)


def _results(settings: Settings) -> str:
    folder = Path(settings.results)
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    with tempfile.TemporaryFile(dir=existing):
        return f"{folder.absolute()} can be written"


def _journal(settings: Settings) -> str:
    if not (Path(settings.results) / JOURNAL_FILE).exists():
        return "none yet"
    with open_existing(Path(settings.results)) as workplace:
        effects = workplace.journal.verify()
        batches = workplace.journal.batches()
        latest = f", latest {batches[0].name}" if batches else ""
        _look_for_lost_ideas(workplace)
        return f"sound, {effects} effects in {len(batches)} batches{latest}"


def _look_for_lost_ideas(workplace: Workplace) -> None:
    """Finished folders that the journal knows nothing of: it has lost records, or is not the one that made them."""
    known = {
        record.folder
        for batch in workplace.journal.batches()
        for record in workplace.journal.ideas(batch.name)
        if record.ending
    }
    there = {
        str(path.parent.relative_to(workplace.results))
        for path in workplace.results.glob(f"*/*/{OUTCOME_FILE}")
    }
    lost = sorted(there - known)
    if lost:
        raise RbiError(
            f"{len(lost)} finished idea folders are not in the journal, such as {lost[0]}",
            where=str(workplace.journal.path),
            fix="the next run does them again; if the journal was replaced or cut, bring the right one back first",
        )


def _disk(settings: Settings) -> str:
    folder = Path(settings.results).absolute()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < LOW_DISK_BYTES:
        raise RbiError(
            f"only {free >> 20} MB free", where=str(existing), fix="free some space before a long batch"
        )
    return f"{free >> 30} GB free"
