"""Tables and pages for the commands that look at what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from models.factory import ModelListing
from rbi.domain import OutcomeKind, Row
from rbi.economy import Economy, deaths_line, economy_json, economy_table
from rbi.records import BatchRecord, IdeaRecord, Totals
from rbi.research_note import Coverage
from rbi.terminal import counted, printable, printable_lines
from runners.base import CheckStatus

FULL_WIDTH = 120
_VERDICT_STYLE = {"PASS": "bold green", "CANNOT TELL": "yellow", "FAIL": "red"}
_CHECK_MARK = {
    CheckStatus.CONFIRMED.value: "✓",
    CheckStatus.CANNOT_TELL.value: "?",
    CheckStatus.INVALID.value: "✗",
}


def results_table(rows: Sequence[Row], *, title: str, width: int) -> RenderableType:
    """The leaderboard: one line a dataset, an idea's name and ending on its first line.

    The column without a heading says what the runner's own computation found: ✓ confirmed, ? cannot tell, ✗ invalid.
    A terminal narrower than `FULL_WIDTH` gets fewer columns, so that no number is cut.
    """
    full = width >= FULL_WIDTH
    table = Table(title=printable(title), title_justify="left", title_style="bold", expand=False)
    table.add_column("#", justify="right", no_wrap=True, min_width=2)
    table.add_column("strategy", overflow="ellipsis", max_width=44 if full else 24, min_width=6)
    table.add_column("verdict" if full else "ending", no_wrap=True, min_width=11)
    if full:
        table.add_column("outcome", no_wrap=True)
    table.add_column("data", no_wrap=True, max_width=16 if full else 8)
    table.add_column("", no_wrap=True)
    for name, _ in _figures(full=full):
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    previous = 0
    for row in rows:
        if previous and row.number != previous and row.dataset:
            table.add_section()
        table.add_row(*_results_cells(row, first=row.number != previous, full=full))
        previous = row.number
    return table


def _figures(*, full: bool) -> list[tuple[str, Callable[[Row], str]]]:
    """The columns of numbers: heading and content."""
    figures: list[tuple[str, Callable[[Row], str]]] = [
        ("trades", lambda row: "" if row.trades is None else str(row.trades)),
        ("return %" if full else "ret %", lambda row: _number(row.return_pct)),
        ("b&h %", lambda row: _number(row.buy_hold_pct)),
        ("Sharpe", lambda row: _number(row.sharpe)),
        ("max DD %", lambda row: _number(row.max_drawdown_pct)),
    ]
    return figures if full else [figures[0], figures[1], figures[3]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _results_cells(row: Row, *, first: bool, full: bool) -> list[RenderableType]:
    head: list[RenderableType] = [str(row.number), _name(row), *_ending(row, full=full)]
    return [
        *(head if first else [""] * len(head)),
        Text(printable(row.dataset), overflow="ellipsis"),
        _CHECK_MARK.get(row.check, ""),
        *(show(row) for _, show in _figures(full=full)),
    ]


def _name(row: Row) -> Text:
    # A note that covers nothing has no strategy to name: the idea's own words say more.
    name = row.idea if row.coverage == Coverage.NONE or not row.name else row.name
    return Text(printable(name), no_wrap=True, overflow="ellipsis")


def _ending(row: Row, *, full: bool) -> list[Text]:
    verdict = Text(row.verdict, style=_VERDICT_STYLE.get(row.verdict, ""))
    if not full:
        return [verdict if row.verdict else Text(row.outcome)]
    ending = row.outcome
    if row.outcome == OutcomeKind.FAILED and row.cause:
        ending = f"failed: {row.cause}"
    elif row.outcome == OutcomeKind.NO_TRADES and row.cause:
        ending = row.cause.replace(
            "_", " "
        )  # never ordered, all cancelled: the name says that nothing was traded
    return [verdict, Text(ending)]


def counts_line(records: Iterable[IdeaRecord]) -> str:
    """How the ideas ended, in one line."""
    ended = Counter(str(r.outcome["outcome"]) if r.outcome else "not finished" for r in records)
    return " · ".join(f"{n} {kind}" for kind, n in ended.most_common())


def money_line(totals: Totals, budget: float | None = None) -> str:
    """What a batch has cost, what is not known of it, and how much of its ``budget`` (USD) that uses."""
    parts = [f"{totals.answers} answers", f"{totals.backtests} backtests", f"${totals.cost_usd:.4f}"]
    if totals.failed_calls:
        parts.append(f"{totals.failed_calls} failed calls")
    if totals.unknown_cost:
        parts.append(f"{totals.unknown_cost} calls of unknown cost")
    if totals.in_flight:
        parts.append(f"{totals.in_flight} calls in flight")
    if totals.possibly_paid:
        parts.append(f"{totals.possibly_paid} calls ended without an answer (possibly paid)")
    if totals.saved_usd > 0:
        parts.append(f"saved by prompt caching ${totals.saved_usd:.4f}")
    if budget is not None:
        parts.append(_budget_used(totals, budget))
    return " · ".join(parts)


def _budget_used(totals: Totals, budget: float) -> str:
    used = totals.cost_usd + totals.reserved_usd
    aside = f" (${totals.reserved_usd:.4f} of it set aside)" if totals.reserved_usd else ""
    return f"budget ${used:.4f} of ${budget:.2f} used{aside}"


def status_json(
    batch: BatchRecord, records: Sequence[IdeaRecord], totals: Totals, took: Economy
) -> dict[str, Any]:
    """A batch's state for machines."""
    ended = Counter(str(r.outcome["outcome"]) for r in records if r.outcome)
    return {
        "batch": batch.name,
        "folder": batch.folder,
        "source": batch.source,
        "ideas": len(records),
        "finished": sum(r.final for r in records),
        "outcomes": dict(sorted(ended.items())),
        "answers": totals.answers,
        "failed_calls": totals.failed_calls,
        "backtests": totals.backtests,
        "cost_usd": f"{totals.cost_usd:f}",
        "unknown_cost_calls": totals.unknown_cost,
        "in_flight": totals.in_flight,
        "possibly_paid": totals.possibly_paid,
        "saved_usd": f"{totals.saved_usd:f}",
        "reserved_usd": f"{totals.reserved_usd:f}",
        "budget_usd": batch.settings.get("budget"),
        "economy": economy_json(took),
        "settings": dict(batch.settings),
    }


def status_page(
    batch: BatchRecord,
    records: Sequence[IdeaRecord],
    totals: Totals,
    took: Economy,
    others: Sequence[BatchRecord],
    *,
    again: str,
) -> RenderableType:
    """A batch's state for a person."""
    finished = sum(r.final for r in records)
    identity = batch.settings["identity"]
    created = datetime.fromtimestamp(batch.created).astimezone().strftime("%Y-%m-%d %H:%M")
    lines = [
        f"{batch.name}: {finished} of {counted(len(records), batch.noun)} finished (begun {created})",
        f"  {counts_line(records)}",
        f"  {money_line(totals, batch.settings.get('budget'))}",
        f"  {identity['model']} on {', '.join(identity['data'])}",
    ]
    if finished < len(records):
        lines.append(f"  continue: {again}")
    if took.deaths:
        lines.insert(2, f"  {deaths_line(took)}")
    if others:
        lines.append("other batches: " + ", ".join(other.name for other in others))
    page = Text("\n".join(lines))
    return Group(page, economy_table(took)) if took.spending else page


def models_table(listings: Sequence[ModelListing]) -> RenderableType:
    """Every provider: its key, whether it can be used here, its default model and price."""
    table = Table(expand=False)
    for name in (
        "provider",
        "key variable",
        "usable here",
        "default model",
        "USD a million tokens, in / out",
    ):
        # Only the reason why not may break: names are there to be copied.
        table.add_column(name, no_wrap=name == "key variable", overflow="fold")
    for listing in listings:
        table.add_row(
            listing.provider,
            listing.key_variable or "none needed",
            "yes" if listing.usable else f"no: {listing.why_not}",
            listing.default_model or "the first it has",
            _price(listing),
        )
    return table


def _price(listing: ModelListing) -> str:
    if listing.input_usd_per_mtok is None or listing.output_usd_per_mtok is None:
        return "unknown"
    return f"{listing.input_usd_per_mtok:.2f} / {listing.output_usd_per_mtok:.2f}"


def show_summary(folder: Path, calls: Sequence[Mapping[str, Any]]) -> RenderableType:
    """An idea's summary page and where its files are."""
    summary = printable_lines((folder / "summary.md").read_text(encoding="utf-8"))
    return Group(Text(summary), Text(f"{_spent(calls)}\nfiles: {folder}", style="dim"))


def _spent(calls: Sequence[Mapping[str, Any]]) -> str:
    asked = [c for c in calls if c["kind"] == "model"]
    known = sum(float(c["cost_usd"]) for c in asked if c["cost_usd"] is not None)
    unknown = sum(c["cost_usd"] is None for c in asked)
    return f"{len(asked)} model calls, ${known:.4f}" + (f" + {unknown} of unknown cost" if unknown else "")


def show_code(folder: Path, console: Console) -> RenderableType:
    """An idea's strategy; coloured on a terminal, plain elsewhere."""
    source = (folder / "strategy.py").read_text(encoding="utf-8")
    if not console.is_terminal:
        return Text(source)
    return Syntax(printable_lines(source), "python", background_color="default")


def _cost(usd: str | None) -> str:
    return " cost unknown" if usd is None else f" ${float(usd):.6f}"


def show_log(folder: Path, calls: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What was done for an idea, in order, and what its backtests printed."""
    lines = []
    for call in calls:
        seconds = "-" if call["seconds"] is None else f"{call['seconds']:.2f} s"
        cost = (
            ""
            if call["kind"] != "model"
            else f" ${call['cost_usd']}"
            if call["cost_usd"]
            else " cost unknown"
        )
        error = f": {printable(call['error'], longest=300)}" if call["error"] else ""
        lines.append(f"{call['kind']:<9} {call['stage']:<9} {call['state']:<7} {seconds:>9}{cost}{error}")
    for place in sorted((folder / "backtests").glob("*")):
        for name in ("stdout.txt", "stderr.txt"):
            text = (place / name).read_text(encoding="utf-8").strip() if (place / name).is_file() else ""
            if text:
                lines.append(f"\n--- {place.name} {name} ---\n{printable_lines(text)}")
    return Text("\n".join(lines))
