"""The composition root: a command's settings become parts, a task and a batch that is carried out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from models.errors import BadChain, ModelError, ProviderDown, QuotaExhausted, UnknownModel, UnknownProvider
from rbi.arrivals import SHOWN_LINES, Arrivals
from rbi.assembly import carry_out, goal
from rbi.backtest_command import BacktestRequest, OwnStrategies
from rbi.cache import cache_folder
from rbi.config import Settings, from_record
from rbi.errors import ExitCode, RbiError, UsageError
from rbi.intake.duplicates import Duplicates
from rbi.intake.following import follow
from rbi.intake.sources import Ideas, read_source
from rbi.locks import ConsoleLock
from rbi.parts import Parts, chosen_writers, environment_ahead, nobody, parts_of
from rbi.plan import confirm, matched, plan
from rbi.prompts import read_prompts
from rbi.records import BatchRecord, IdeaRecord
from rbi.selection import NO_WISHES, Wishes
from rbi.stages.context import Admission
from rbi.task import IdeasTask
from rbi.terminal import counted, printable, say, standard_input
from rbi.workplace import Origin, Workplace, check_identity, open_existing, open_workplace
from rbi.writers import STAGE_SETTINGS, Writers
from runners.base import RunnerError
from runners.environments import create, describe, remove

HOLD_OUT = 0.25
WRITER_SETTINGS = tuple(STAGE_SETTINGS.values())


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
    environment = environment_ahead(settings)
    following = follow(settings.ideas, standard_input()) if watch else None
    ideas = following.begin() if following else read_source(settings.ideas, standard_input())
    texts = matched(ideas, settings)
    with _expected_errors():
        chosen = chosen_writers(settings)
        planned = plan(settings, ideas, wishes)
        for line in planned.screening.remarks():
            say(f"rbi: {line}")
        if not confirm(planned.quote, settings, yes=yes):
            return ExitCode.OK
        with open_workplace(Path(settings.results)) as workplace:
            parts = parts_of(settings, chosen, read_prompts(settings.prompts), environment=environment)
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
            code = carry_out(
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
        parts = parts_of(settings, nobody(settings), check_cash=strategies.use_terms)
        batch, records = workplace.begin(
            replace(settings, ideas=strategies.place),
            strategies.texts,
            identity={**parts.identity(settings), **strategies.identity()},
            today=date.today(),
        )
        return carry_out(settings, parts, strategies, workplace, batch, records, json_output=json_output)


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
            parts = parts_of(settings, nobody(settings), check_cash=strategies.use_terms)
            check_identity(batch, {**parts.identity(settings), **strategies.identity()})
            return carry_out(settings, parts, strategies, workplace, batch, records, json_output=json_output)
        chosen = {
            key: value
            for key, value in batch.settings["identity"].items()
            if key in ("model", *WRITER_SETTINGS)
        }
        settings = from_record({**batch.settings, **chosen}, flags, current)
        parts = parts_of(settings, chosen_writers(settings), read_prompts(settings.prompts))
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
        return carry_out(settings, parts, task, workplace, batch, records, json_output=json_output)


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


def _shown_name(chosen: Writers) -> str:
    return chosen.name + ("" if chosen.are_language_models else " (rule-based, not a language model)")
