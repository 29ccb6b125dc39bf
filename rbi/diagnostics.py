"""What a backtest's result says beside its figures, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from rbi.domain import Backtest
from runners.base import Account, Failure, OrderDiagnostics, RunResult


def diagnostics(backtest: Backtest) -> list[str]:
    """Markdown: under the dataset's name the containment, the check, the orders, the account and the failure."""
    result = backtest.result
    lines = [f"## {backtest.bars.name} ({backtest.bars.part}, {backtest.bars.rows} bars)", ""]
    return [*lines, *(f"- {' '.join(line.split())}" for line in _findings(result)), ""]


def _findings(result: RunResult) -> Iterator[str]:
    yield f"run: level {result.level.value}, {result.road.value}, seed {result.seed}"
    if result.check:
        detail = f": {result.check.detail}" if result.check.detail else ""
        yield f"numbers: {result.check.status.value}{detail}"
    if result.orders:
        yield f"orders: {orders_line(result.orders)}"
    if result.account:
        yield f"account: {account_line(result.account)}"
    if result.disagreement:
        yield f"what it printed differs: {result.disagreement}"
    if result.failure:
        yield from _failure_lines(result.failure)


def orders_line(orders: OrderDiagnostics) -> str:
    """What was ordered and what became of it."""
    parts = [
        f"{orders.signals} signals on {orders.bars} bars",
        f"{orders.placed} placed",
        f"{orders.filled} filled",
    ]
    parts += [f"{count} cancelled ({reason})" for reason, count in sorted(orders.cancelled.items()) if count]
    counts = {
        "pending at the end": orders.pending,
        "refused": orders.refused,
        "stops and targets": orders.contingent,
    }
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    parts.append(f"in the market on {orders.exposure_bars} bars")
    if orders.warmup_bars:
        parts.append(f"{orders.warmup_bars} bars skipped before the first")
    return ", ".join(parts)


def account_line(account: Account) -> str:
    """What the backtest really ran with."""
    commission = "by a function" if account.commission is None else f"{account.commission:g}"
    if account.commission_fixed:
        commission += f" + {account.commission_fixed:g} an order"
    parts = [
        account.strategy,
        f"cash {account.cash:,.2f}",
        f"commission {commission}",
        f"spread {account.spread:g}",
        f"margin {account.margin:g}",
        f"{account.bars} bars{' of its own' if account.own_bars else ''}",
    ]
    switches = ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades")
    parts += [switch for switch in switches if getattr(account, switch)]
    if account.backtests > 1:
        parts.append(f"the last of {account.backtests} backtests")
    return ", ".join(parts)


def _failure_lines(failure: Failure) -> Iterator[str]:
    place = f" in line {failure.line}: `{failure.source_line}`" if failure.line is not None else ""
    yield f"failure: {failure.kind.value}{place}: {failure.message}"
    if failure.hint:
        yield f"hint: {failure.hint}"
