"""The leaderboard: gates before ranking, and never by raw return."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace

from rbi.domain import Backtest, IdeaReport, OutcomeKind, Row, Verdict
from runners.base import CheckStatus, RunResult

_VERDICT_ORDER = {v.value: n for n, v in enumerate((Verdict.PASS, Verdict.CANNOT_TELL, Verdict.FAIL))}
_OUTCOME_ORDER = {kind.value: n for n, kind in enumerate(OutcomeKind)}


def rows_of(report: IdeaReport, folder: str) -> tuple[Row, ...]:
    """A row for each dataset the chosen attempt ran on, or a single one where nothing ran."""
    backtests: Sequence[Backtest | None] = report.draft.chosen_backtests or (None,)
    return tuple(_row(report, backtest, folder) for backtest in backtests)


def _row(report: IdeaReport, backtest: Backtest | None, folder: str) -> Row:
    draft, outcome = report.draft, report.outcome
    result = backtest.result if backtest else None
    stats = result.stats if result and not _is_invalid(result) else None
    attempt = draft.attempts[draft.chosen - 1] if draft.chosen else None
    return Row(
        number=draft.idea.number,
        idea_id=draft.idea.idea_id,
        idea=" ".join(draft.idea.text.split()),
        name=draft.name,
        outcome=outcome.kind.value,
        cause=outcome.cause,
        verdict=outcome.verdict.value if outcome.verdict else "",
        coverage=draft.note.coverage.value if draft.note else "",
        dataset=backtest.bars.name if backtest else "",
        trades=stats.trades if stats else None,
        return_pct=_finite(stats.return_pct) if stats else None,
        buy_hold_pct=_finite(stats.buy_and_hold_return_pct) if stats else None,
        sharpe=_finite(stats.sharpe_ratio) if stats else None,
        max_drawdown_pct=_finite(stats.max_drawdown_pct) if stats else None,
        win_rate_pct=_finite(stats.win_rate_pct) if stats else None,
        exposure_pct=_finite(stats.exposure_time_pct) if stats else None,
        attempts=len(draft.attempts),
        model=attempt.model if attempt else (draft.models[-1] if draft.models else ""),
        folder=folder,
        part=backtest.bars.part if backtest else "",
        failure=result.failure.kind.value if result and result.failure else "",
        check=result.check.status.value if result and result.check else "",
        level=result.level.value if result else "",
        road=result.road.value if result else "",
    )


def _is_invalid(result: RunResult) -> bool:
    return result.check is not None and result.check.status is CheckStatus.INVALID


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def ranked(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows in order: verdict, then outcome, then the mean Sharpe ratio over an idea's datasets.

    Ideas with equal standing, or without a Sharpe ratio, keep their number's order; an idea's rows stay together.
    Strategies with one name are told apart by their ideas' numbers.
    """
    by_idea: dict[int, list[Row]] = {}
    for row in rows:
        by_idea.setdefault(row.number, []).append(row)
    order = sorted(by_idea.values(), key=_standing)
    names = told_apart({number: group[0].name for number, group in by_idea.items()})
    return tuple(replace(row, name=names[row.number]) for group in order for row in group)


def told_apart(names: Mapping[int, str]) -> dict[int, str]:
    """The names, by idea, with the idea's number behind those that several have: ``RSI Reversal (12)``.

    Capitals and blanks do not tell two names apart. An empty name stays empty.
    """
    numbered: set[int] = set()
    while True:
        shown = {n: f"{name} ({n})" if n in numbered else name for n, name in names.items()}
        groups: dict[str, list[int]] = {}
        for number, name in shown.items():
            groups.setdefault(" ".join(name.casefold().split()), []).append(number)
        # A number can make a name that another has from the start: that one is numbered in the next round.
        alike = {n for name, group in groups.items() if name and len(group) > 1 for n in group} - numbered
        if not alike:
            return shown
        numbered |= alike


def _standing(group: Sequence[Row]) -> tuple[int, int, float, int]:
    first = group[0]
    sharpes = [row.sharpe for row in group if row.sharpe is not None]
    mean = sum(sharpes) / len(sharpes) if sharpes else -math.inf
    return (
        _VERDICT_ORDER.get(first.verdict, len(_VERDICT_ORDER)),
        _OUTCOME_ORDER.get(first.outcome, len(_OUTCOME_ORDER)),
        -mean,
        first.number,
    )


def to_csv(rows: Iterable[Row]) -> str:
    """The leaderboard as CSV, a header line first. Missing numbers are empty cells."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _cell(v) for k, v in asdict(row).items()} for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    # A cell that begins like a formula would be run by a spreadsheet, and ideas come from anywhere.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")):
        return "'" + value
    return value
