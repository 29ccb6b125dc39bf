"""The end of a batch: the leaderboard, what is said, and the exit code."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence

from rbi.batch import BatchResult, Ending
from rbi.console import console
from rbi.domain import OutcomeKind
from rbi.economy import deaths_line, economy, economy_table
from rbi.errors import ExitCode
from rbi.records import BatchRecord, IdeaRecord
from rbi.terminal import abandon, counted, say, settle_streams
from rbi.views import counts_line, money_line, results_table
from rbi.workplace import Workplace

SHOWN_IDEAS = 30  # `rbi results` shows all

_UNFINISHED = {
    OutcomeKind.NO_DOCUMENT: "did not get the document behind a link",
    OutcomeKind.MODEL_FAILED: "got no usable answer from the model",
    OutcomeKind.OVER_BUDGET: "used up the budget per idea",
    OutcomeKind.BROKEN: "met an error inside rbi (`rbi show` has the details; please report it)",
}


def close(
    workplace: Workplace,
    batch: BatchRecord,
    result: BatchResult,
    *,
    budget: float | None = None,
    quiet: bool,
) -> int:
    """Write the leaderboard, say how the batch ended, and return the exit code.

    ``budget`` is in US dollars. With ``quiet`` nothing goes to standard output.
    Raises the error that stopped the batch, if one did.
    """
    workplace.write_leaderboard(batch)
    records = workplace.journal.ideas(batch.name)
    if not quiet:
        try:
            _show(workplace, batch, records, budget)
        except BrokenPipeError:  # nobody reads the table; the batch has ended as it has ended
            abandon(sys.stdout)
    code = _exit_code(workplace, batch, result, records)
    if result.stuck:
        # A thread waits for a server that does not answer; everything is recorded, and it would keep us here.
        workplace.journal.close()
        settle_streams()
        os._exit(code)
    return code


def _show(
    workplace: Workplace, batch: BatchRecord, records: Sequence[IdeaRecord], budget: float | None
) -> None:
    out = console()
    rows = workplace.leaderboard(batch.name)
    ranked = list(dict.fromkeys(row.number for row in rows))
    best = ranked[:SHOWN_IDEAS]
    out.print(results_table([row for row in rows if row.number in best], title=batch.name, width=out.width))
    if len(best) < len(ranked):
        every = counted(len(ranked), batch.noun)
        out.print(f"the first {len(best)} of {every}; all of them: rbi results {batch.name}")
    out.print(counts_line(records))
    found = economy(workplace.journal.spending(batch.name), records)
    if found.deaths:
        out.print(deaths_line(found))
    if found.spending:
        out.print(economy_table(found))
    out.print(money_line(workplace.journal.totals(batch.name), budget))
    out.print(f"leaderboard: {workplace.leaderboard_file(batch)}")
    sys.stdout.flush()


def _exit_code(
    workplace: Workplace, batch: BatchRecord, result: BatchResult, records: Sequence[IdeaRecord]
) -> int:
    left = sum(not record.final for record in records)
    be = "is" if len(records) == 1 else "are"
    done = f"{len(records) - left} of {counted(len(records), batch.noun)} {be} finished and safe"
    again = workplace.resume_command(batch.name)
    if result.error is not None:
        say(f"stopped: {done}")
        raise result.error
    if result.ending is Ending.INTERRUPTED and left:
        say(f"interrupted: {done}; answers already paid for are kept\n  continue: {again}")
        return ExitCode.INTERRUPTED
    if result.ending is Ending.BUDGET:
        say(f"stopped at the budget: {done}\n  continue: {again} --budget USD")
        return ExitCode.STOPPED
    return _say_what_is_left(records, again, batch.noun)


def _say_what_is_left(records: Sequence[IdeaRecord], again: str, noun: str) -> int:
    """Ideas that a further run may bring to an end: how many, and why they have none yet."""
    kinds = Counter(str(r.outcome["outcome"]) for r in records if not r.final and r.outcome)
    for kind, reason in _UNFINISHED.items():
        if kinds[kind]:
            more = " --budget-per-idea USD" if kind is OutcomeKind.OVER_BUDGET else ""
            say(f"{counted(kinds[kind], noun)} {reason}; to try again: {again}{more}")
    return ExitCode.STOPPED if kinds else ExitCode.OK
