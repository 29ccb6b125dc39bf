"""What models were asked in a batch, by stage, idea and working strategy, and what the other ideas ended with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from rbi.domain import OutcomeKind
from rbi.records import IdeaRecord, Spending


@dataclass(frozen=True, slots=True)
class Economy:
    """``spending`` by idea id and stage; ``ideas`` were worked on, ``working`` of them came to a strategy that trades.

    ``deaths`` counts what the others ended with: the outcome, and its cause where it has one.
    """

    spending: Mapping[tuple[str, str], Spending]
    ideas: int
    working: int
    deaths: Mapping[str, int]

    @property
    def total(self) -> Spending:
        """All of it."""
        return added(self.spending.values())

    def by_stage(self) -> dict[str, Spending]:
        """The stages in the order in which they were first asked for."""
        stages = dict.fromkeys(stage for _, stage in self.spending)
        return {name: added(s for (_, stage), s in self.spending.items() if stage == name) for name in stages}

    def by_idea(self) -> dict[str, Spending]:
        """The ideas that models were asked about, by id."""
        parts: dict[str, list[Spending]] = {}
        for (idea, _), spending in self.spending.items():
            parts.setdefault(idea, []).append(spending)
        return {idea: added(found) for idea, found in parts.items()}


def economy(spending: Mapping[tuple[str, str], Spending], records: Sequence[IdeaRecord]) -> Economy:
    """The economy of a batch whose ideas have come this far."""
    ended = [record.outcome for record in records if record.outcome]
    working = [outcome for outcome in ended if outcome["outcome"] == OutcomeKind.TRADED.value]
    deaths = Counter(_cause(outcome) for outcome in ended if outcome["outcome"] != OutcomeKind.TRADED.value)
    return Economy(spending, len(ended), len(working), dict(deaths.most_common()))


def _cause(outcome: Mapping[str, Any]) -> str:
    kind, cause = str(outcome["outcome"]), str(outcome["cause"])
    if kind == OutcomeKind.DUPLICATE.value:
        return kind  # its cause is which idea it repeats
    return kind if not cause or cause.replace("_", " ") == kind else f"{kind}: {cause}"


def added(parts: Iterable[Spending]) -> Spending:
    """The sum."""
    found = list(parts)
    return Spending(
        calls=sum(part.calls for part in found),
        failed=sum(part.failed for part in found),
        input_tokens=sum(part.input_tokens for part in found),
        output_tokens=sum(part.output_tokens for part in found),
        cost_usd=sum((part.cost_usd for part in found), start=Decimal(0)),
        unknown_tokens=sum(part.unknown_tokens for part in found),
        unknown_cost=sum(part.unknown_cost for part in found),
    )


def economy_table(found: Economy) -> RenderableType:
    """A line for each stage, one for all of them, and what that is for each idea and each working strategy."""
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("model calls", "calls", "failed", "tokens in", "tokens out", "USD"):
        table.add_column(name, justify="left" if name == "model calls" else "right", no_wrap=True)
    for stage, spending in found.by_stage().items():
        table.add_row(stage, *_cells(spending, 1))
    table.add_row("all", *_cells(found.total, 1))
    for name, count in (("each idea", found.ideas), ("each working strategy", found.working)):
        table.add_row(name, *(_cells(found.total, count) if count else ["-"] * 5))
    return table


def _cells(spending: Spending, share: int) -> list[str]:
    """The numbers of a line, divided by ``share``. What is not known of them is said, not left out."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if share == 1 else f"{value / share:,.1f}"

    tokens = [number(spending.input_tokens), number(spending.output_tokens)]
    if spending.unknown_tokens:
        tokens = [
            f"{cell} + unknown" if spending.calls > spending.unknown_tokens else "unknown" for cell in tokens
        ]
    usd = f"{spending.cost_usd / share:.4f}"
    if spending.unknown_cost:
        usd = f"{usd} + unknown" if spending.calls + spending.failed > spending.unknown_cost else "unknown"
    return [number(spending.calls), number(spending.failed), *tokens, usd]


def deaths_line(found: Economy) -> str:
    """What ideas without a strategy that trades ended with, the most frequent first; empty if there are none."""
    causes = " · ".join(f"{count} {cause}" for cause, count in found.deaths.items())
    return f"without a strategy that trades: {causes}" if causes else ""


def economy_json(found: Economy) -> dict[str, Any]:
    """The same for machines. A number that is not wholly known comes with how many calls it leaves out."""
    return {
        "total": _json(found.total),
        "by_stage": {stage: _json(spending) for stage, spending in found.by_stage().items()},
        "by_idea": {idea: _json(spending) for idea, spending in found.by_idea().items()},
        "per_idea": _shares(found.total, found.ideas),
        "per_working_strategy": _shares(found.total, found.working),
        "working_strategies": found.working,
        "ended_with": dict(found.deaths),
    }


def _json(spending: Spending) -> dict[str, Any]:
    return {
        "calls": spending.calls,
        "failed_calls": spending.failed,
        "input_tokens": spending.input_tokens,
        "output_tokens": spending.output_tokens,
        "cost_usd": f"{spending.cost_usd:f}",
        "calls_of_unknown_tokens": spending.unknown_tokens,
        "calls_of_unknown_cost": spending.unknown_cost,
    }


def _shares(spending: Spending, count: int) -> dict[str, Any] | None:
    """Each one's share of the known numbers; ``None`` where there is nobody to share."""
    if not count:
        return None
    return {
        "calls": spending.calls / count,
        "input_tokens": spending.input_tokens / count,
        "output_tokens": spending.output_tokens / count,
        "cost_usd": f"{spending.cost_usd / count:.9f}",
    }
