"""What is wrong with a version of a strategy, in words that a model or a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rbi.domain import Attempt, Backtest, Draft
from runners.base import Failure, FailureKind, OrderDiagnostics

_LINES_AROUND = 4
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def failure_of(draft: Draft, attempt: int) -> tuple[str, Failure] | None:
    """The failure that an attempt (from 1) has to be debugged for and the dataset it met it on; ``None`` if none.

    A version that ran on every dataset and traded on one of them has none.
    """
    version = draft.attempts[attempt - 1]
    if version.problem:
        return "", version.problem
    ran = draft.backtests_of(attempt)
    failed = [(b.bars.name, b.result.failure) for b in ran if b.result.failure]
    broken = [(name, failure) for name, failure in failed if not failure.kind.has_numbers]
    if not broken and any(b.trades for b in ran):
        return None
    if failed:
        return (broken or failed)[0]
    where = ", ".join(f"{b.bars.name} ({b.bars.rows} bars)" for b in ran)
    message = f"the strategy ran but never traded on {where}"
    return "", Failure(FailureKind.NO_TRADES, message, "find the condition that is never true")


def signature(failure: Failure) -> str:
    """What two failures have in common if they are the same: their kind and message, whatever numbers are in it."""
    if failure.kind.has_numbers:
        return failure.kind.value
    return f"{failure.kind.value}: {_NUMBER.sub('#', failure.message)}"


def described(failure: Failure) -> str:
    """A failure in a few lines: class, message, place, hint."""
    lines = [f"{failure.kind.value}: {failure.message}"]
    if failure.line is not None:
        lines.append(f"Line {failure.line}: {failure.source_line}")
    if failure.hint:
        lines.append(f"Hint: {failure.hint}")
    return "\n".join(lines)


def report(draft: Draft, attempt: int) -> str:
    """All that is known of the failure of an attempt (from 1), for whoever has to debug it; empty if there is none."""
    found = failure_of(draft, attempt)
    if not found:
        return ""
    dataset, failure = found
    version = draft.attempts[attempt - 1]
    parts = [described(failure)]
    if dataset:
        parts.append(f"Dataset: {dataset}")
    parts += _own_lines(version.source, failure)
    parts += [diagnostics_line(backtest) for backtest in draft.backtests_of(attempt)]
    parts += _problems(version)
    return "\n".join(parts)


def _own_lines(source: str, failure: Failure) -> Iterator[str]:
    """The strategy's own lines around the one that failed."""
    lines = source.splitlines()
    if failure.line is None or not 1 <= failure.line <= len(lines):
        return
    first = max(1, failure.line - _LINES_AROUND)
    last = min(len(lines), failure.line + _LINES_AROUND)
    yield "The lines around it:"
    for number in range(first, last + 1):
        yield f"{'>' if number == failure.line else ' '} {number:4d} {lines[number - 1]}"


def _problems(version: Attempt) -> Iterator[str]:
    if version.problems:
        yield "Found in the code without running it:"
    for problem in version.problems:
        yield f"- line {problem.line} ({problem.rule}): {problem.message}. {problem.hint}"


def diagnostics_line(backtest: Backtest) -> str:
    """What a strategy asked for on one dataset and what became of it, in one line."""
    orders, bars = backtest.result.orders, backtest.bars
    if orders is None:
        return f"On {bars.name}: {bars.rows} bars; no order was looked at."
    return (
        f"On {bars.name}: {bars.rows} bars, {orders.warmup_bars} of them before the indicators had values;"
        f" next() ran on {orders.bars}; an order was asked for on {orders.signals};"
        f" {orders.placed} placed, {orders.filled} filled,"
        f" {_cancelled(orders)}, {orders.refused} refused with an error, {orders.pending} still open at the end;"
        f" {backtest.trades} trades, in the market on {orders.exposure_bars} bars."
    )


def _cancelled(orders: OrderDiagnostics) -> str:
    causes = ", ".join(f"{name} {count}" for name, count in sorted(orders.cancelled.items()) if count)
    return f"{sum(orders.cancelled.values())} cancelled" + (f" ({causes})" if causes else "")
