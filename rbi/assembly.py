"""A batch is put together and carried out. Only this, `rbi.parts` and `rbi.app` name concrete classes."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import client as calls
from models.base import Account
from models.cost import PriceTable
from models.limiter import Limiters, Limits
from rbi import __version__
from rbi.arrivals import Arrivals
from rbi.batch import Batch, StopSignal
from rbi.cache import cache_folder
from rbi.closing import close
from rbi.config import Settings
from rbi.data.slices import write_other_future
from rbi.effects import JournaledEffects
from rbi.errors import UsageError
from rbi.events import BatchStarted, Events, Notice, RunFolderChanged
from rbi.intake.addresses import networks
from rbi.intake.fetching import Fetcher
from rbi.intake.library import Documents
from rbi.parts import Parts
from rbi.progress import EventsFile
from rbi.records import BatchRecord, IdeaRecord
from rbi.results import IdeaFolders
from rbi.run_folder import RunFolder
from rbi.stages.context import Context, Goal, Score
from rbi.task import Task
from rbi.terminal import abandon
from rbi.turns import Turns
from rbi.watching import shown, signals, translated
from rbi.workplace import Workplace, base_of
from rbi.writers import Writers, budgets
from runners.backtest_runner import BacktestRunner
from runners.base import STRONG, FailureKind, Level, Mode, RunnerError, Terms
from runners.warmth import Containment


def carry_out(
    settings: Settings,
    parts: Parts,
    task: Task,
    workplace: Workplace,
    batch: BatchRecord,
    records: Sequence[IdeaRecord],
    *,
    json_output: bool,
    arrivals: Arrivals | None = None,
) -> int:
    """Take the work of a batch to its end and show what came of it. Returns the exit code.

    Raises what stopped the batch.
    """
    events = Events()
    stop = StopSignal()
    folder = RunFolder(
        workplace,
        batch,
        description=_description(settings, parts, task),
        changed=lambda name: events.emit(RunFolderChanged(name)),
    )
    client = calls.ModelClient(
        workplace.journal,
        Limiters(lambda account: _limits(settings, account)),
        prices=PriceTable(settings.prices),
        budgets=budgets(settings),
        deadline_s=settings.call_timeout,
        observers=[lambda event: events.emit(translated(event))],
    )
    containment = Containment.named(settings.sandbox)
    runner = BacktestRunner(
        parts.environment, scratch_root=Path(tempfile.gettempdir()), containment=containment
    )
    is_stopping = stop.stopping.is_set
    fetcher = Fetcher(allowed=networks(settings.private_networks), is_stopping=is_stopping)
    library = Documents(fetcher, base_of(batch), is_stopping)
    turns = Turns(settings.thread_count, stop.stopping)
    effects = {
        mode: JournaledEffects(
            batch=batch.name,
            journal=workplace.journal,
            client=client,
            writers=parts.writers,
            prompts=parts.prompts,
            library=library,
            runner=runner,
            terms=Terms(settings.cash, settings.commission, settings.spread, settings.margin),
            timeout_s=settings.timeout,
            events=events,
            stopping=stop.stopping,
            turns=turns,
            mode=mode,
        )
        for mode in Mode
    }
    slices = task.slices(parts.datasets, cache_folder(settings.environ) / "slices")
    contexts = {
        mode: Context(
            effects[mode],
            slices,
            parts.environment.versions,
            write_other_future,
            debug_rounds=settings.debug_rounds,
            goal=goal(settings),
        )
        for mode in Mode
    }

    def end_waits() -> None:
        client.stop()
        runner.drain()

    whole = Batch(
        name=batch.name,
        journal=workplace.journal,
        folders=IdeaFolders(workplace.results),
        run_folder=folder,
        claims=workplace.claims,
        events=events,
        work=lambda idea, entered: task.work(idea, contexts, entered),
        stop=stop,
        end_waits=end_waits,
        abort=runner.interrupt,
        turns=turns,
        workers=settings.thread_count,
        outdated=lambda outcome: _is_outdated(outcome, containment),
    )
    showing = shown(events, json_output=json_output and task.streams_events)
    with closing(runner), showing, signals(stop, end_waits):
        events.add(EventsFile(lambda: folder.newest / "events.jsonl"))
        finished = sum(whole.is_finished(record) for record in records)
        events.emit(
            _started(settings, parts, task, batch, folder.newest, total=len(records), finished=finished)
        )
        for dataset in parts.datasets:
            for note in dataset.notes:
                events.emit(Notice(f"{dataset.name}: {note}"))
        needed = finished < len(records) or bool(arrivals)
        if needed:
            threading.Thread(target=_get_ready, args=(parts.writers,), daemon=True).start()
        free = not parts.writers.are_language_models and not settings.sandbox
        with _told_how_contained(runner, events, needed=needed, meanwhile=free):
            result = whole.run(records, arrivals.into(events) if arrivals else None)
    if json_output:
        _print(task.lines(slices, lambda mode, source, bars: effects[mode].recorded(source, bars)))
    batch = replace(batch, folder=folder.newest.name)
    return close(workplace, batch, result, budget=settings.budget, quiet=json_output)


def _get_ready(writers: Writers) -> None:
    """Import the SDK of the first model while the strategies' server starts."""
    with suppress(ImportError):  # the first question meets the same error
        for model in writers.of("research")[:1]:
            model.get_ready()


@contextmanager
def _told_how_contained(
    runner: BacktestRunner, events: Events, *, needed: bool, meanwhile: bool
) -> Iterator[None]:
    """Say it if strategies can be contained weakly only; find that out ``meanwhile``, or before anything is paid."""

    def tell() -> None:
        level = runner.level()
        if level not in STRONG:
            events.emit(Notice(_weakly_contained(level, runner.why_not)))

    def tell_unless_it_fails() -> None:
        with suppress(RunnerError):  # the first run meets the same error, and it ends the batch
            tell()

    if needed and not meanwhile:
        tell()
    telling = threading.Thread(target=tell_unless_it_fails, daemon=True)
    if needed and meanwhile:
        telling.start()
    try:
        yield
    finally:
        if telling.ident is not None:
            telling.join()  # the runner is closed next


def goal(settings: Settings) -> Goal:
    """What optimizing is after. Raises `UsageError` for two targets."""
    if settings.target_sharpe is None:
        target = 50.0 if settings.target_return is None else settings.target_return
        return Goal(Score.RETURN, target, settings.optimize_rounds)
    if settings.target_return is not None:
        raise UsageError(
            "a strategy is optimized for one score",
            where="--target-return",
            fix="leave one of the targets out",
        )
    return Goal(Score.SHARPE, settings.target_sharpe, settings.optimize_rounds)


def _is_outdated(outcome: Mapping[str, Any], containment: Containment) -> bool:
    """Whether a backtest of an outcome was contained in another way than is asked for, or killed from outside."""
    return any(
        not containment.allows(Level(backtest.get("level", Level.COLD)))
        or (backtest.get("failure") or {}).get("kind") == FailureKind.KILLED
        for backtest in outcome.get("backtests", ())
    )


def _weakly_contained(level: Level, why_not: Mapping[Level, str]) -> str:
    why = "; ".join(f"{stronger}: {reason}" for stronger, reason in why_not.items())
    return (
        f"strategies run at the level {level}: they can read your files and use the network"
        + (f" ({why})" if why else "")
        + "; `rbi doctor` says more"
    )


def _limits(settings: Settings, account: Account) -> Limits:
    own = settings.limits_for(account.provider)
    return Limits(
        requests_per_minute=own.requests_per_minute or None,
        tokens_per_minute=own.tokens_per_minute or None,
        input_tokens_per_minute=own.input_tokens_per_minute or None,
        output_tokens_per_minute=own.output_tokens_per_minute or None,
        max_in_flight=own.max_calls,
        delay_s=own.delay,
    )


def _print(lines: Iterator[str]) -> None:
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads them; the batch has ended as it has ended
        abandon(sys.stdout)


def _description(settings: Settings, parts: Parts, task: Task) -> dict[str, Any]:
    return {
        "rbi": __version__,
        "settings": settings.as_json(),
        **task.description(),
        "model": parts.writers.name,
        "models": parts.writers.identity(),
        "is_language_model": parts.writers.are_language_models,
        "datasets": [
            {
                "name": dataset.name,
                "source": dataset.source,
                "timeframe": dataset.timeframe,
                "bars": len(dataset.bars.time),
                "fingerprint": dataset.fingerprint,
                "hold_out": task.hold_out,
                "notes": list(dataset.notes),
            }
            for dataset in parts.datasets
        ],
        "environment": {
            "kind": parts.environment.kind,
            "name": parts.environment.name,
            "versions": dict(parts.environment.versions),
        },
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()},
    }


def _started(
    settings: Settings,
    parts: Parts,
    task: Task,
    batch: BatchRecord,
    folder: Path,
    *,
    total: int,
    finished: int,
) -> BatchStarted:
    return BatchStarted(
        name=batch.name,
        folder=str(folder),
        total=total,
        finished=finished,
        model=task.label,
        data=tuple(f"{dataset.name} {dataset.timeframe}" for dataset in parts.datasets),
        workers=settings.thread_count,
        noun=batch.noun,
    )
