"""Tables and pages for the commands that look at what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from models.factory import ModelListing
from rbi.console import printable, printable_lines
from rbi.domain import Coverage, Row
from rbi.journal import BatchRecord, IdeaRecord, Totals

_VERDICT_STYLE = {"PASS": "bold green", "CANNOT TELL": "yellow", "FAIL": "red"}


def results_table(rows: Sequence[Row], *, title: str) -> RenderableType:
    """The leaderboard: one line a dataset, an idea's name and outcome on its first line."""
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    table.add_column("#", justify="right")
    table.add_column("strategy", overflow="ellipsis", no_wrap=True, max_width=44)
    table.add_column("verdict", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("data", no_wrap=True)
    for name in ("trades", "return %", "b&h %", "Sharpe", "max DD %"):
        table.add_column(name, justify="right", no_wrap=True)
    previous = 0
    for row in rows:
        if previous and row.number != previous and row.dataset:
            table.add_section()
        table.add_row(*_results_cells(row, first=row.number != previous))
        previous = row.number
    return table


def _results_cells(row: Row, *, first: bool) -> list[RenderableType]:
    # A note that covers nothing has no strategy to name: the idea's own words say more.
    name = printable(row.idea if row.coverage in ("", Coverage.NONE) else row.name)
    cause = f": {row.cause}" if row.cause and row.outcome == "failed" else ""
    head: list[RenderableType] = (
        [
            str(row.number),
            Text(name),
            Text(row.verdict, style=_VERDICT_STYLE.get(row.verdict, "")),
            Text(row.outcome + cause),
        ]
        if first
        else ["", "", "", ""]
    )
    numbers = (row.return_pct, row.buy_hold_pct, row.sharpe, row.max_drawdown_pct)
    return [
        *head,
        Text(printable(row.dataset)),
        "" if row.trades is None else str(row.trades),
        *("" if n is None else f"{n:,.2f}" for n in numbers),
    ]


def counts_line(records: Iterable[IdeaRecord]) -> str:
    """How the ideas ended, in one line."""
    ended = Counter(str(r.outcome["outcome"]) if r.outcome else "not finished" for r in records)
    return " · ".join(f"{n} {kind}" for kind, n in ended.most_common())


def money_line(totals: Totals) -> str:
    """What a batch has cost, and what is not known of it."""
    parts = [f"{totals.answers} answers", f"{totals.backtests} backtests", f"${totals.cost_usd:.4f}"]
    if totals.failed_calls:
        parts.append(f"{totals.failed_calls} failed calls")
    if totals.unknown_cost:
        parts.append(f"{totals.unknown_cost} calls of unknown cost")
    if totals.in_flight:
        parts.append(f"{totals.in_flight} calls in flight")
    if totals.possibly_paid:
        parts.append(f"{totals.possibly_paid} calls possibly paid without an answer")
    return " · ".join(parts)


def status_json(batch: BatchRecord, records: Sequence[IdeaRecord], totals: Totals) -> dict[str, Any]:
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
        "cost_usd": str(totals.cost_usd),
        "unknown_cost_calls": totals.unknown_cost,
        "in_flight": totals.in_flight,
        "possibly_paid": totals.possibly_paid,
        "settings": dict(batch.settings),
    }


def status_page(
    batch: BatchRecord, records: Sequence[IdeaRecord], totals: Totals, others: Sequence[BatchRecord]
) -> RenderableType:
    """A batch's state for a person."""
    finished = sum(r.final for r in records)
    identity = batch.settings["identity"]
    created = datetime.fromtimestamp(batch.created).astimezone().strftime("%Y-%m-%d %H:%M")
    lines = [
        f"{batch.name}: {finished} of {len(records)} ideas finished (begun {created})",
        f"  {counts_line(records)}",
        f"  {money_line(totals)}",
        f"  {identity['model']} on {', '.join(identity['data'])}",
    ]
    if finished < len(records):
        lines.append(f"  continue: rbi resume {batch.name}")
    if others:
        lines.append("other batches: " + ", ".join(other.name for other in others))
    return Text("\n".join(lines))


def models_table(listings: Sequence[ModelListing]) -> RenderableType:
    """Every provider: its key, whether it can be used here, its default model and price."""
    table = Table(expand=False)
    for name in ("provider", "key variable", "usable here", "default model"):
        table.add_column(name, no_wrap=True)
    table.add_column("USD per million tokens (in / out)", no_wrap=True)
    for listing in listings:
        table.add_row(
            listing.provider,
            listing.key_variable or "none needed",
            "yes" if listing.usable else f"no: {listing.why_not}",
            listing.default_model,
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
