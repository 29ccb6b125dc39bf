"""The composition root: settings become objects and a batch is run. The only place that names concrete classes."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from models import client as calls
from models.base import Account
from models.cost import PriceTable
from models.errors import BadChain, ModelError, ProviderDown, QuotaExhausted, UnknownModel, UnknownProvider
from models.factory import ModelFactory
from models.limiter import Limiters, Limits
from rbi import __version__
from rbi.arrivals import SHOWN_LINES, Arrivals
from rbi.backtest_command import BacktestRequest, OwnStrategies
from rbi.batch import Batch, StopSignal
from rbi.cache import cache_folder
from rbi.closing import close
from rbi.config import Settings, from_record
from rbi.data.catalog import Dataset, load_all
from rbi.effects import JournaledEffects
from rbi.errors import ExitCode, RbiError, UsageError
from rbi.events import BatchStarted, Events, Notice, RunFolderChanged
from rbi.intake.addresses import networks
from rbi.intake.duplicates import Duplicates
from rbi.intake.fetching import Fetcher
from rbi.intake.following import follow
from rbi.intake.library import Documents
from rbi.intake.sources import Ideas, read_source
from rbi.locks import ConsoleLock
from rbi.plan import confirm, matched, plan
from rbi.progress import EventsFile
from rbi.prompts import Prompts, read_prompts, shipped
from rbi.quoted_models import named_chains
from rbi.records import BatchRecord, IdeaRecord
from rbi.results import IdeaFolders
from rbi.run_folder import RunFolder
from rbi.selection import NO_WISHES, Wishes
from rbi.stages.context import Admission, Context, Goal, Score
from rbi.task import IdeasTask, Task
from rbi.terminal import abandon, counted, printable, say, standard_input
from rbi.watching import shown, signals, translated
from rbi.workplace import Origin, Workplace, base_of, check_identity, open_existing, open_workplace
from rbi.writers import STAGE_SETTINGS, Writers, budgets, writers
from runners.backtest_runner import BacktestRunner
from runners.base import STRONG, FailureKind, Level, Mode, RunnerError, Terms
from runners.environments import Environment, create, describe, is_made, remove, resolve
from runners.warmth import Containment

HOLD_OUT = 0.25
WRITER_SETTINGS = tuple(STAGE_SETTINGS.values())


@dataclass(frozen=True, slots=True)
class Parts:
    """What a batch needs, checked: models that can be asked, sound data, a working environment."""

    writers: Writers
    datasets: tuple[Dataset, ...]
    environment: Environment
    prompts: Prompts

    def identity(self, settings: Settings) -> dict[str, Any]:
        """What can change a result: the batch keeps it for life."""
        data = {dataset.name: dataset.fingerprint for dataset in self.datasets}
        return {
            **settings.identity(),
            **self.writers.identity(),
            **self.prompts.identity(),
            "data": data,
        }


def run(
    settings: Settings,
    wishes: Wishes = NO_WISHES,
    *,
    json_output: bool,
    yes: bool = False,
    watch: bool = False,
) -> int:
    """Take the ideas of a file, a folder or standard input to their outcomes, beginning a batch or going on with it.

    ``yes`` answers the question that a high quote asks on a terminal. With ``watch`` the batch does not end with the
    ideas that are there: it takes what comes.
    """
    goal(settings)  # says that there are two before anything is read
    environment = _environment_ahead(settings)
    following = follow(settings.ideas, standard_input()) if watch else None
    ideas = following.begin() if following else read_source(settings.ideas, standard_input())
    texts = matched(ideas, settings)
    with _expected_errors():
        chosen = _writers(settings)
        planned = plan(settings, ideas, wishes)
        for line in planned.screening.remarks():
            say(f"rbi: {line}")
        if not confirm(planned.quote, settings, yes=yes):
            return ExitCode.OK
        with open_workplace(Path(settings.results)) as workplace:
            parts = _parts(settings, chosen, read_prompts(settings.prompts), environment=environment)
            origin = Origin(str(ideas.base.absolute()), parts.environment.versions)
            batch, records = workplace.begin(
                settings,
                texts,
                identity=parts.identity(settings),
                today=date.today(),
                wishes=wishes,
                limit=settings.limit,
                origin=origin,
            )
            _say_what_was_found(records, Path(settings.results))
            wishes = Wishes.of(batch.settings, retry_failed=wishes.retry_failed)
            duplicates = _duplicates(workplace, batch, wishes)
            task = _ideas_task(parts, wishes, duplicates)
            arrivals = None
            if following:
                arrivals = Arrivals(
                    following,
                    ideas,
                    workplace,
                    batch.name,
                    wishes,
                    origin,
                    only=settings.only,
                    limit=settings.limit,
                    records=records,
                    duplicates=duplicates,
                )
            code = _carry_out(
                settings, parts, task, workplace, batch, records, json_output=json_output, arrivals=arrivals
            )
    if arrivals:  # all has been said as it came
        return ExitCode.ERROR if arrivals.has_refused and code == ExitCode.OK else code
    return _complain_of_lines(ideas, code)


def backtest(settings: Settings, request: BacktestRequest, *, json_output: bool) -> int:
    """Run the user's own strategies on every dataset, beginning a batch or going on with it."""
    strategies = OwnStrategies.read(request, HOLD_OUT)
    _say_of_each(f"{same.shown} is {same.first.shown} again: run once" for same in strategies.found.repeated)
    with _expected_errors(), open_workplace(Path(settings.results)) as workplace:
        parts = _parts(settings, _nobody(settings), check_cash=strategies.use_terms)
        batch, records = workplace.begin(
            replace(settings, ideas=strategies.place),
            strategies.texts,
            identity={**parts.identity(settings), **strategies.identity()},
            today=date.today(),
        )
        return _carry_out(settings, parts, strategies, workplace, batch, records, json_output=json_output)


def resume(
    name: str | None,
    flags: Mapping[str, Any],
    current: Settings,
    *,
    retry_failed: bool = False,
    json_output: bool,
) -> int:
    """Go on with a recorded batch: its ideas and settings, with what the command line says on top.

    With ``retry_failed`` ideas that ended in a failure are taken up again, too.
    """
    with _expected_errors(), open_existing(Path(current.results), read_only=False) as workplace:
        batch = workplace.find_batch(name)
        records = workplace.journal.ideas(batch.name)
        if not records:
            raise RbiError(
                f"batch {batch.name} holds no idea", where=current.results, fix="begin another with `rbi run`"
            )
        strategies = OwnStrategies.of(batch, HOLD_OUT)
        if strategies:
            if retry_failed:
                raise UsageError(
                    f"batch {batch.name} asks no model: the same strategies would fail again",
                    where="--retry-failed",
                    fix="change them, then `rbi backtest PATH...`",
                )
            settings = from_record(batch.settings, flags, current)
            parts = _parts(settings, _nobody(settings), check_cash=strategies.use_terms)
            check_identity(batch, {**parts.identity(settings), **strategies.identity()})
            return _carry_out(settings, parts, strategies, workplace, batch, records, json_output=json_output)
        chosen = {
            key: value
            for key, value in batch.settings["identity"].items()
            if key in ("model", *WRITER_SETTINGS)
        }
        settings = from_record({**batch.settings, **chosen}, flags, current)
        parts = _parts(settings, _writers(settings), read_prompts(settings.prompts))
        check_identity(batch, parts.identity(settings))
        batch = workplace.journal.save_batch(
            batch.name,
            source=batch.source,
            folder=batch.folder,
            settings={**batch.settings, **settings.money()},
        )
        records = workplace.reopen(batch, Wishes.of(batch.settings, retry_failed=retry_failed))
        wishes = Wishes.of(batch.settings)
        task = _ideas_task(parts, wishes, _duplicates(workplace, batch, wishes))
        return _carry_out(settings, parts, task, workplace, batch, records, json_output=json_output)


def _duplicates(workplace: Workplace, batch: BatchRecord, wishes: Wishes) -> Duplicates:
    """Those among all ideas of the batch, also the ones that this command does not work on."""
    if not wishes.dedupe:
        return Duplicates()
    return Duplicates(record.idea for record in workplace.journal.ideas(batch.name))


def _ideas_task(parts: Parts, wishes: Wishes, duplicates: Duplicates) -> IdeasTask:
    admission = Admission(wishes.keep_flagged, duplicates, wishes.keep_infeasible)
    return IdeasTask(_shown_name(parts.writers), HOLD_OUT, admission)


def _say_what_was_found(records: Sequence[IdeaRecord], results: Path) -> None:
    """Say of ideas that were finished before where they were."""
    places = Counter(
        (record.found_in, (results / (record.place or "")).parent) for record in records if record.found_in
    )
    for (batch, folder), count in places.items():
        be = "is" if count == 1 else "are"
        say(
            f"rbi: {counted(count, 'idea')} {be} finished in batch {printable(batch)}, see {printable(str(folder))};"
            " nothing is asked again (--again makes a new trial)"
        )


def _complain_of_lines(ideas: Ideas, code: int) -> int:
    """Say what among the ideas could not be worked on; that makes an otherwise good end an error."""
    _say_of_each(printable(f"{same.place} repeats {same.first}: worked on once") for same in ideas.repeated)
    for refusal in ideas.refused[:SHOWN_LINES]:
        say(f"rbi: {refusal.what}\n  where: {printable(str(refusal.place))}\n  fix:   {refusal.fix}")
    if len(ideas.refused) > SHOWN_LINES:
        say(f"rbi: and {len(ideas.refused) - SHOWN_LINES} more that cannot be ideas")
    return ExitCode.ERROR if ideas.refused and code == ExitCode.OK else code


def _say_of_each(repetitions: Iterable[str]) -> None:
    lines = list(repetitions)
    for line in lines[:SHOWN_LINES]:
        say(f"rbi: {line}")
    if len(lines) > SHOWN_LINES:
        say(f"rbi: and {len(lines) - SHOWN_LINES} more that are repeated")


@contextmanager
def _expected_errors() -> Iterator[None]:
    """Errors of the packages below, as the ones the command line prints."""
    try:
        yield
    except ModelError as error:
        raise RbiError(error.message, fix=error.hint, exit_code=_exit_code(error)) from error
    except RunnerError as error:
        raise RbiError(error.message, fix=error.hint) from error


def _exit_code(error: ModelError) -> ExitCode:
    if isinstance(error, UnknownProvider | BadChain) or (
        isinstance(error, UnknownModel) and error.status is None
    ):
        return ExitCode.USAGE
    # These pass, or are mended elsewhere: the batch was stopped early and `rbi resume` goes on with it.
    return ExitCode.STOPPED if isinstance(error, QuotaExhausted | ProviderDown) else ExitCode.ERROR


# rbi env


def environment_command(settings: Settings, action: str) -> dict[str, str]:
    """Show, create or remove the strategy environment; returns its description."""
    cache = cache_folder(settings.environ)
    with _expected_errors():
        if action == "create":
            say = ConsoleLock(sys.stderr).write_line
            create(settings.env, cache=cache, environ=settings.environ, progress=say)
        if action == "remove":
            remove(settings.env, cache=cache, environ=settings.environ)
        return describe(settings.env, cache=cache, environ=settings.environ)


# Putting the parts together


def _writers(settings: Settings) -> Writers:
    named_chains(settings)  # says which setting has a name that cannot be meant, before a key is missed
    prices = PriceTable(settings.prices)
    factory = ModelFactory(settings.environ, own=settings.providers, prices=prices)
    chosen = writers(settings, factory)
    _check_prices(settings, chosen, factory, prices)
    return chosen


def _nobody(settings: Settings) -> Writers:
    """No models, for strategies that are there already."""
    return Writers((), {}, settings.max_output_tokens, settings.temperature)


def _shown_name(chosen: Writers) -> str:
    return chosen.name + ("" if chosen.are_language_models else " (rule-based, not a language model)")


def _parts(
    settings: Settings,
    chosen: Writers,
    prompts: Prompts | None = None,
    *,
    check_cash: bool = True,
    environment: Callable[[], Environment] | None = None,
) -> Parts:
    datasets = load_all(settings.data)
    if check_cash:
        _check_cash(settings, datasets)
    place = environment() if environment else _environment(settings)
    return Parts(chosen, datasets, place, prompts or shipped())


def _check_prices(settings: Settings, chosen: Writers, factory: ModelFactory, prices: PriceTable) -> None:
    """Say which costs will be unknown; refuse to keep a budget that they are to be counted in."""
    for model in chosen:
        warning = factory.check_name(model.name)
        if not warning:
            continue
        if budgets(settings) and not prices.is_priced(model.provider, model.model):
            raise UsageError(
                f"no price is known for {model.name}, so no budget can be kept",
                where="--budget" if settings.budget is not None else "--budget-per-idea",
                fix=f'write its price into rbi.toml under [prices."{model.name}"], or do without a budget',
            )
        say(f"rbi: {warning}")


def _check_cash(settings: Settings, datasets: Sequence[Dataset]) -> None:
    """Say before anything begins that nothing can be bought with less than the margin of one unit."""
    for dataset in datasets:
        needed = float(dataset.bars.low.min()) * settings.margin
        if settings.cash < needed:
            raise UsageError(
                f"cash of {settings.cash:,.2f} never buys one unit of {dataset.name}",
                where="--cash",
                fix=f"use more than {needed:,.2f}; {100 * needed:,.0f} leaves room for sizes",
            )


def _environment(settings: Settings) -> Environment:
    say = ConsoleLock(sys.stderr).write_line
    return resolve(settings.env, cache=cache_folder(settings.environ), environ=settings.environ, progress=say)


def _environment_ahead(settings: Settings) -> Callable[[], Environment]:
    """The environment, looked at while other things are: that takes longer than to read ten thousand ideas.

    One that has to be made is made when it is asked for, not before the user has agreed to the batch.
    """
    if not is_made(settings.env, cache=cache_folder(settings.environ), environ=settings.environ):
        return lambda: _environment(settings)
    pool = ThreadPoolExecutor(1, thread_name_prefix="environment")
    found = pool.submit(_environment, settings)
    pool.shutdown(wait=False)
    return found.result


def _carry_out(
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
            debug_rounds=settings.debug_rounds,
            goal=goal(settings),
        )
        for mode in Mode
    }
    whole = Batch(
        name=batch.name,
        journal=workplace.journal,
        folders=IdeaFolders(workplace.results),
        run_folder=folder,
        claims=workplace.claims,
        events=events,
        work=lambda idea, entered: task.work(idea, contexts, entered),
        stop=stop,
        end_waits=client.stop,
        abort=runner.interrupt,
        workers=settings.thread_count,
        outdated=lambda outcome: _is_outdated(outcome, containment),
    )
    showing = shown(events, json_output=json_output and task.streams_events)
    with closing(runner), showing, signals(stop, client.stop):
        events.add(EventsFile(lambda: folder.newest / "events.jsonl"))
        finished = sum(whole.is_finished(record) for record in records)
        events.emit(
            _started(settings, parts, task, batch, folder.newest, total=len(records), finished=finished)
        )
        for dataset in parts.datasets:
            for note in dataset.notes:
                events.emit(Notice(f"{dataset.name}: {note}"))
        needed = finished < len(records) or bool(arrivals)
        free = not parts.writers.are_language_models and not settings.sandbox
        with _told_how_contained(runner, events, needed=needed, meanwhile=free):
            result = whole.run(records, arrivals.into(events) if arrivals else None)
    if json_output:
        _print(task.lines(slices, lambda mode, source, bars: effects[mode].recorded(source, bars)))
    batch = replace(batch, folder=folder.newest.name)
    return close(workplace, batch, result, budget=settings.budget, quiet=json_output)


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
