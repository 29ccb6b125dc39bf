"""Run folders and idea folders: written whole, replaced whole."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from rbi.diagnostics import diagnostics
from rbi.domain import Attempt, Backtest, Brief, IdeaReport, Row, slug
from rbi.equity_svg import equity_svg
from rbi.leaderboard import rows_of
from rbi.terminal import counted, printable
from runners.base import BarsFile, Captured, EquityCurve, FailureKind, RunResult, Trade
from runners.packing import pack_value

INCOMING = ".incoming"
OUTCOME_FILE = "outcome.json"
_EPOCH = datetime(1970, 1, 1)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; results are made to be looked at and passed on.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class IdeaFolders:
    """Writes the folder of a finished idea under a results folder."""

    def __init__(self, results: Path) -> None:
        self._results = results

    def write(self, folder: str, report: IdeaReport) -> Mapping[str, Any]:
        """Write everything of ``report`` to ``folder`` (relative to the results folder); returns its outcome record.

        The folder is built beside its place and moved there, so that it is never seen half-written.
        """
        target = self._results / folder
        incoming = target.with_name(f".{target.name}{INCOMING}")
        shutil.rmtree(incoming, ignore_errors=True)
        record = outcome_record(report, folder)
        for name, text in files_of(report, record).items():
            path = incoming / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        if target.exists():
            shutil.rmtree(target)
        incoming.replace(target)
        return record

    def is_complete(self, folder: str) -> bool:
        """Whether the folder still holds a finished idea."""
        return (self._results / folder / OUTCOME_FILE).is_file()


def outcome_record(report: IdeaReport, folder: str) -> dict[str, Any]:
    """What ``outcome.json`` and the journal say of an idea: nothing in it depends on when or how fast it ran."""
    draft, outcome = report.draft, report.outcome
    return {
        "number": draft.idea.number,
        "idea_id": draft.idea.idea_id,
        "trial": draft.idea.trial,
        "outcome": outcome.kind.value,
        "verdict": outcome.verdict.value if outcome.verdict else None,
        "cause": outcome.cause,
        "reasons": list(outcome.reasons),
        "name": draft.name,
        "coverage": draft.note.coverage.value if draft.note else "",
        "ignored": list(draft.note.ignored) if draft.note else [],
        "note": draft.note.parsed() if draft.note else None,
        "chosen_attempt": draft.chosen,
        "timed_out": any(
            b.result.failure is not None and b.result.failure.kind is FailureKind.TIMEOUT
            for b in draft.backtests
        ),
        "attempts": [_attempt_record(attempt) for attempt in draft.attempts],
        "trials": len(draft.backtests) + draft.tries,
        "remarks": list(draft.remarks),
        "models": list(dict.fromkeys(draft.models)),
        "rows": [asdict(row) for row in rows_of(report, folder)],
        "backtests": [{"dataset": b.bars.name, **findings(b)} for b in draft.chosen_backtests],
    }


def _attempt_record(attempt: Attempt) -> dict[str, Any]:
    return {
        "reason": attempt.reason.value,
        "version": attempt.version,
        "model": attempt.model,
        "base": attempt.base,
        "rejected": attempt.rejected,
        "fixes": [
            {
                "rule": fix.rule,
                "line": fix.line,
                "reason": fix.reason,
                "changes_orders": fix.changes_orders,
            }
            for fix in attempt.fixes
        ],
        "problems": [asdict(problem) for problem in attempt.problems],
    }


def files_of(report: IdeaReport, record: Mapping[str, Any]) -> dict[str, str]:
    """Every file of an idea's folder: relative name to content."""
    draft = report.draft
    files = {"idea.txt": draft.idea.text + "\n"}
    if draft.brief and draft.brief.text != draft.idea.text:
        files["brief.md"] = brief_page(draft.brief)
    if draft.note:
        files["research.md"] = draft.note.markdown.rstrip() + "\n"
    for number, attempt in enumerate(draft.attempts, start=1):
        name = f"attempts/{number:02d}-{attempt.reason.value}"
        files[f"{name}.py"] = attempt.source
        if attempt.fixes or attempt.problems:
            files[f"{name}.md"] = findings_page(attempt)
    if draft.chosen:
        files["strategy.py"] = draft.attempts[draft.chosen - 1].source
    for number, backtest in enumerate(draft.backtests, start=1):
        place = f"backtests/{number:02d}-{slug(backtest.bars.name)}"
        for name, text in _backtest_files(backtest, draft.attempts[backtest.attempt - 1]).items():
            files[f"{place}/{name}"] = text
    files[OUTCOME_FILE] = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files["summary.md"] = summary(report, record)
    return files


def findings_page(attempt: Attempt) -> str:
    """What the check changed in a version, each change as a diff with its reason, and what it left."""
    lines = ["# What was found without running it"]
    for fix in attempt.fixes:
        changes = " It changes which orders are placed." if fix.changes_orders else ""
        lines += ["", f"## Line {fix.line}: {fix.rule}, mended", "", f"{fix.reason}.{changes}", ""]
        lines += ["```diff", fix.diff.rstrip("\n"), "```"]
    for problem in attempt.problems:
        lines += [
            "",
            f"## Line {problem.line}: {problem.rule}, left",
            "",
            f"{problem.message}. {problem.hint}",
        ]
    return "\n".join(lines) + "\n"


def brief_page(brief: Brief) -> str:
    """A brief for a person: where it is from and what is missing of it, then its text as models get it."""
    head = [f"# {brief.title}", ""] if brief.title else []
    head += [f"Source: {source}" for source in brief.source.splitlines()]
    head += [f"Note: {note}" for note in brief.notes]
    return "\n".join([*head, "", "---", "", brief.text]).rstrip() + "\n"


def _backtest_files(backtest: Backtest, attempt: Attempt) -> dict[str, str]:
    result, bars = backtest.result, backtest.bars
    about = {
        "attempt": backtest.attempt,
        "version": attempt.version,
        "dataset": bars.name,
        "bars": bars.rows,
        "fingerprint": bars.fingerprint,
        **findings(backtest),
    }
    files = {
        "backtest.json": json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "stdout.txt": _captured(result.stdout),
        "stderr.txt": _captured(result.stderr),
    }
    if result.stats and result.equity:
        files["stats.json"] = json.dumps(result.stats.to_json(), indent=2, allow_nan=False) + "\n"
        files["trades.csv"] = _trades_csv(result.trades)
        files["equity.svg"] = equity_svg(
            result.equity,
            title=f"{bars.name} ({bars.part})",
            buy_and_hold=_buy_and_hold(bars, result.equity) if _are_the_bars_given(result) else None,
        )
    return files


def findings(backtest: Backtest) -> dict[str, Any]:
    """How a backtest was run and what came out beside its figures, as JSON values: the same whenever it is run."""
    result = backtest.result
    orders, account = result.orders, result.account
    return {
        "part": backtest.bars.part,
        "level": result.level.value,
        "road": result.road.value,
        "seed": result.seed,
        "check": {"status": result.check.status.value, "detail": result.check.detail}
        if result.check
        else None,
        "failure": asdict(result.failure) if result.failure else None,
        "orders": {**asdict(orders), "cancelled": dict(orders.cancelled)} if orders else None,
        "account": {key: pack_value(value) for key, value in asdict(account).items()} if account else None,
        "disagreement": result.disagreement,
    }


def _are_the_bars_given(result: RunResult) -> bool:
    return result.account is None or not result.account.own_bars


def _buy_and_hold(bars: BarsFile, equity: EquityCurve) -> list[float] | None:
    """What the starting equity would have become if held in the instrument from the first bar on, without costs.

    ``None`` if the curve does not belong to these bars, as when a program loaded some of them only.
    """
    with np.load(bars.path, allow_pickle=False) as arrays:
        close = arrays["Close"]
    if len(close) != len(equity.equity):
        return None
    return [float(value) for value in close / close[0] * equity.equity[0]]


def _captured(output: Captured) -> str:
    if not output.dropped:
        return output.head + output.tail
    return f"{output.head}\n[... {output.dropped:,} bytes left out ...]\n{output.tail}"


def _trades_csv(trades: tuple[Trade, ...]) -> str:
    out = io.StringIO()
    names = [field.name for field in fields(Trade)]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for trade in trades:
        values = zip(names, trade.values(), strict=True)
        writer.writerow(
            _iso(value) if name in ("entry_time", "exit_time") else value for name, value in values
        )
    return out.getvalue()


def _iso(time_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_ns // 1000)).isoformat(sep=" ")


def summary(report: IdeaReport, record: Mapping[str, Any]) -> str:
    """One page on an idea for a person: how it ended, why, and the figures by dataset."""
    draft, outcome = report.draft, report.outcome
    title = printable(draft.name) or "No research note"
    ending = outcome.kind.value + (f", verdict {outcome.verdict.value}" if outcome.verdict else "")
    words = printable(draft.idea.text) if draft.file else draft.idea.text
    lines = [f"# {draft.idea.number}. {title}", "", words, "", f"**Outcome:** {ending}", ""]
    lines += [f"- {' '.join(reason.split())}" for reason in outcome.reasons]
    if draft.brief:
        read = f"**Read:** {printable(draft.brief.source)}"
        lines += ["", printable("; ".join([read, *draft.brief.notes]))]
    if draft.note:
        ignored = "; ".join(draft.note.ignored) or "nothing"
        lines += ["", f"**Understood:** {draft.note.coverage.value}. Ignored: {ignored}"]
    rows = [Row.from_json(row) for row in record["rows"]]
    lines += ["", *_figures([row for row in rows if row.dataset])]
    lines += ["", *(line for backtest in draft.chosen_backtests for line in diagnostics(backtest))]
    if record["trials"]:
        lines += [f"**Trials:** {record['trials']}, each a backtest that could have been selected on", ""]
    if draft.attempts:
        lines += ["## Attempts", ""]
        lines += [_attempt_line(n, attempt) for n, attempt in enumerate(draft.attempts, start=1)]
    return "\n".join(lines).rstrip() + "\n"


def _figures(rows: list[Row]) -> list[str]:
    if not rows:
        return []
    part = rows[0].part or "dev"
    head = f"| dataset ({part}) | trades | return % | buy & hold % | Sharpe | max drawdown % | exposure % |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        numbers = (row.return_pct, row.buy_hold_pct, row.sharpe, row.max_drawdown_pct, row.exposure_pct)
        cells = " | ".join("-" if n is None else f"{n:,.2f}" for n in numbers)
        lines.append(f"| {row.dataset} | {'-' if row.trades is None else row.trades} | {cells} |")
    return lines


def _attempt_line(number: int, attempt: Attempt) -> str:
    writer = f" by {attempt.model}" if attempt.model else ""
    remark = f": {' '.join(attempt.remark.split())}" if attempt.remark else ""
    other = ", and other orders" if any(fix.changes_orders for fix in attempt.fixes) else ""
    fixes = f" [{counted(len(attempt.fixes), 'change')} made without a model{other}]" if attempt.fixes else ""
    rejected = f" [not kept: {' '.join(attempt.rejected.split())}]" if attempt.rejected else ""
    return f"{number}. {attempt.reason.value}{writer}{remark}{fixes}{rejected}"
