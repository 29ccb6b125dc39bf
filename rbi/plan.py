"""``rbi plan`` and the question before ``rbi run``: a quote from what is there, without a key, a call or a new file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.cost import PriceTable
from rbi.config import Settings
from rbi.domain import Idea
from rbi.errors import ExitCode, RbiError, UsageError
from rbi.intake.links import find_links
from rbi.intake.sources import Ideas, Refused
from rbi.plan_view import quote_lines
from rbi.prompts import Prompts, read_prompts
from rbi.quote import ASKED_STAGES, BYTES_A_TOKEN, MeasuredUsage, Quote, Work, quote
from rbi.quoted_models import Chains, named_chains
from rbi.screening import Screening, screen
from rbi.selection import NO_WISHES, Selected, Wishes, matching, select
from rbi.terminal import say
from rbi.workplace import JOURNAL_FILE, Origin, Workplace, open_existing
from rbi.writers import STAGE_SETTINGS

# As long as what prompts say of the place where strategies run, which is not made for a plan.
_PLACE = {
    "python": "3.12.0",
    "backtesting": "0.6.6",
    "pandas": "3.1.0",
    "numpy": "2.4.0",
    "libraries": "TA-Lib 0.8.2 (`import talib`), pandas-ta 0.8.32 (`import pandas_ta`), SciPy 1.17.1 (`import scipy`)",
    "columns": "Open, High, Low, Close and Volume",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A quote for the ideas that are left to do, and the batch that goes on, if one does.

    ``finished`` others have an end already, there or in another batch. ``with_documents`` have to be read first.
    """

    quote: Quote
    screening: Screening
    batch: str = ""
    finished: int = 0
    refused: tuple[Refused, ...] = ()
    with_documents: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What a results folder holds of the ideas, of the batch that a run would go on with, and of its models."""

    selected: Selected
    batch: str = ""
    spent_usd: Decimal = Decimal(0)
    measured: Mapping[str, MeasuredUsage] = field(default_factory=lambda: MappingProxyType({}))


def plan(settings: Settings, ideas: Ideas, wishes: Wishes = NO_WISHES) -> Plan:
    """The plan for ``rbi run`` with these settings.

    Nothing is written, asked or connected to. Raises `RbiError` for what would stop the run, too.
    """
    texts = matched(ideas, settings)
    prompts = read_prompts(settings.prompts)
    named = named_chains(settings)
    chains = {stage: named.get(STAGE_SETTINGS[stage], named["model"]) for stage in ASKED_STAGES}
    known = _look(settings, ideas, texts, wishes, named, chains)
    unfinished = {Idea(0, text).idea_id: text for text in known.selected.left}
    screening = screen(ideas, frozenset(unfinished), wishes)
    left = [text for idea_id, text in unfinished.items() if idea_id not in screening.left_out]
    work = Work(
        ideas=len(left),
        prompt_tokens=prompt_tokens(left, prompts),
        chains=chains,
        datasets=len(settings.data),
        workers=settings.thread_count,
        cores=os.cpu_count() or 1,
        max_output_tokens=settings.max_output_tokens,
        debug_rounds=settings.debug_rounds,
        optimize_rounds=settings.optimize_rounds,
        limits={m.provider: settings.limits_for(m.provider) for chain in chains.values() for m in chain},
        measured=known.measured,
        budget_usd=None if settings.budget is None else Decimal(str(settings.budget)),
        idea_budget_usd=None if settings.budget_per_idea is None else Decimal(str(settings.budget_per_idea)),
        spent_usd=known.spent_usd,
    )
    return Plan(
        quote(work, PriceTable(settings.prices)),
        screening,
        known.batch,
        finished=len(known.selected.texts) - len(known.selected.left),
        refused=ideas.refused,
        with_documents=sum(bool(find_links(text)) for text in left),
    )


def confirm(quote: Quote, settings: Settings, *, yes: bool) -> bool:
    """Show what a batch will probably cost, and on a terminal ask whether to begin when that is much or unknown.

    ``yes`` answers the question beforehand. A batch without a language model is neither shown nor asked about.
    Raises `RbiError` when the question is interrupted.
    """
    if not quote.uses_language_model or not quote.ideas:
        return True
    for line in quote_lines(quote):
        say(f"rbi: {line}")
    likely = quote.usd.likely
    much = likely is None or likely > Decimal(str(settings.confirm_above))
    if yes or not much or not _is_terminal():
        return True
    if _is_agreed():
        return True
    say("rbi: nothing was sent")
    return False


def _is_agreed() -> bool:
    try:
        print("rbi: go on? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        say("")  # the terminal is still on the line of the question
        raise RbiError("interrupted; nothing was sent", exit_code=ExitCode.INTERRUPTED) from None


def matched(ideas: Ideas, settings: Settings) -> tuple[str, ...]:
    """The ideas that ``--only`` leaves. Raises `UsageError` when that is none and no more can come."""
    texts = matching(ideas.texts, settings.only)
    if not texts and not ideas.is_watched:
        raise UsageError(
            f"no idea contains {settings.only!r}", where=ideas.source, fix="try a shorter --only, or none"
        )
    return texts


def prompt_tokens(texts: Sequence[str], prompts: Prompts) -> dict[str, float]:
    """The mean prompt of each stage in tokens, without the note, code and failure that earlier stages add."""
    mean = sum(len(text.encode("utf-8", "replace")) for text in texts) / max(1, len(texts))
    found = {}
    for stage in ASKED_STAGES:
        # Values are inserted as they are, so a prompt grows evenly with its idea.
        empty, one = _prompt_bytes(prompts, stage, ""), _prompt_bytes(prompts, stage, "x")
        found[stage] = (empty + (one - empty) * mean) / BYTES_A_TOKEN
    return found


def _prompt_bytes(prompts: Prompts, stage: str, idea: str) -> int:
    known = {"idea": idea, **_PLACE}
    prompt = prompts.render(stage, {place: known.get(place, "") for place in prompts.places(stage)})
    return len(f"{prompt.system}{prompt.user}".encode())


def _is_terminal() -> bool:
    # A standard input that was closed is None.
    return bool(sys.stdin) and sys.stdin.isatty() and sys.stderr.isatty()


# The results folder


def _look(
    settings: Settings,
    ideas: Ideas,
    texts: Sequence[str],
    wishes: Wishes,
    named: Chains,
    chains: Chains,
) -> _Known:
    if not (Path(settings.results) / JOURNAL_FILE).exists():
        return _Known(select(texts, {}, {}, wishes, settings.limit))
    with open_existing(Path(settings.results)) as workplace:
        identity = _identity(settings, named, read_prompts(settings.prompts))
        batch = workplace.to_go_on_with(settings, identity, date.today(), wishes)
        origin = Origin(str(ideas.base.absolute()))
        selected = workplace.select(batch, texts, identity, wishes, settings.limit, origin)
        totals = workplace.journal.totals(batch.name) if batch else None
        return _Known(
            selected,
            batch.name if batch else "",
            totals.cost_usd + totals.reserved_usd if totals else Decimal(0),
            _measured(workplace, chains),
        )


def _measured(workplace: Workplace, chains: Chains) -> dict[str, MeasuredUsage]:
    used = {stage: workplace.journal.usage_by_stage(chain[0].name) for stage, chain in chains.items()}
    return {stage: by_stage[stage] for stage, by_stage in used.items() if stage in by_stage}


def _identity(settings: Settings, named: Chains, prompts: Prompts) -> dict[str, Any]:
    """The identity that a run gives its batch."""
    from rbi.data.catalog import load_all  # pandas: only when there is a batch to compare with

    data = {dataset.name: dataset.fingerprint for dataset in load_all(settings.data)}
    models = {key: ",".join(model.name for model in chain) for key, chain in named.items()}
    return {**settings.identity(), **models, **prompts.identity(), "data": data}
