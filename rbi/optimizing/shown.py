"""A version's results as a model gets to see them: figures with their units, its worst trades, and what it is to raise.

Everything comes from the backtests of the dev slices: there is nothing else here to show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rbi.domain import Backtest
from rbi.stages.context import Goal, Score
from runners.base import Trade
from runners.stats import STATISTICS, BacktestStats

WORST_TRADES = 5
_SHOWN = (
    "return_pct",
    "buy_and_hold_return_pct",
    "sharpe_ratio",
    "max_drawdown_pct",
    "exposure_time_pct",
    "trades",
    "win_rate_pct",
    "avg_trade_pct",
    "best_trade_pct",
    "worst_trade_pct",
    "profit_factor",
    "commissions",
)
_EPOCH = datetime(1970, 1, 1)


def amount(score: Score, value: float) -> str:
    """A score with its name and unit."""
    return f"mean {'return' if score is Score.RETURN else 'Sharpe ratio'} {figure(score, value)}"


def figure(score: Score, value: float) -> str:
    """A score with its unit."""
    return f"{value:.2f}%" if score is Score.RETURN else f"{value:.2f}"


def goal_text(goal: Goal, now: float) -> str:
    """What is to be raised, where it is and where it is to get."""
    what = "return in percent" if goal.score is Score.RETURN else "annualised Sharpe ratio"
    return f"Raise the mean {what} over the datasets: it is {now:.2f} now, and {goal.target:g} is the target."


def statistics_text(backtests: Sequence[Backtest]) -> str:
    """The figures of every dataset under backtesting.py's names, a paragraph each."""
    return "\n\n".join("\n".join(_figures(backtest)) for backtest in backtests)


def _figures(backtest: Backtest) -> Iterator[str]:
    stats = backtest.result.stats
    yield f"On {backtest.bars.name} ({backtest.bars.rows} bars):"
    if stats is None:
        yield "no figures"
        return
    for name in _SHOWN:
        value = getattr(stats, name)
        if value is not None:
            yield f"{STATISTICS[name]}: {value:.4g}" if math.isfinite(value) else f"{STATISTICS[name]}: none"
    yield f"Avg. Trade Duration: {_duration(stats)}"


def _duration(stats: BacktestStats) -> str:
    length = stats.avg_trade_duration_s
    if length is None or not math.isfinite(length):
        return "none"
    return f"{length:g} bars" if stats.by_bars else str(timedelta(seconds=round(length)))


def worst_trades_text(backtests: Sequence[Backtest]) -> str:
    """The worst trades of all datasets by their return, a line each: how much, when, where, how long."""
    trades = [(trade, backtest.bars.name) for backtest in backtests for trade in backtest.result.trades]
    worst = sorted(trades, key=lambda found: found[0].return_pct)[:WORST_TRADES]
    return "\n".join(_trade(trade, name) for trade, name in worst) or "There were no trades."


def _trade(trade: Trade, dataset: str) -> str:
    side = "long" if trade.size > 0 else "short"
    exits = ", ".join(f"{n} {p:g}" for n, p in (("stop", trade.sl), ("target", trade.tp)) if p is not None)
    return (
        f"- {dataset}: {100 * trade.return_pct:+.2f}%, {side} {abs(trade.size):g} units,"
        f" in {_time(trade.entry_time)} at {trade.entry_price:.6g}, out {_time(trade.exit_time)} at"
        f" {trade.exit_price:.6g}, {trade.exit_bar - trade.entry_bar} bars{f' ({exits})' if exits else ''}"
    )


def _time(time_ns: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=time_ns // 1000):%Y-%m-%d %H:%M}"
