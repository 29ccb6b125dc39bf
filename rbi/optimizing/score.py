"""What a version of a strategy scores: the mean over the datasets of what optimizing tries to raise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rbi.stages.context import Score
from runners.base import RunResult
from runners.stats import BacktestStats


def score_of(results: Sequence[RunResult], score: Score, base: Sequence[RunResult] = ()) -> float | None:
    """The mean of return (percent) or Sharpe ratio (annualised) over the datasets, one result for each.

    Without trades a dataset counts with a return or Sharpe of 0. ``None`` where there is no such number: no results,
    a run that failed, an undefined figure, or no trades on a dataset where the ``base`` has some.
    """
    figures = [_figure(result, score) for result in results]
    known = [figure for figure in figures if figure is not None]
    if not known or len(known) < len(figures) or _stopped_trading(results, base):
        return None
    return sum(known) / len(known)


def _figure(result: RunResult, score: Score) -> float | None:
    stats = result.stats
    if stats is None or not result.completed:
        return None
    if not stats.trades:
        return 0.0  # the engine's Sharpe ratio of an account that never moved is not a number
    figure = _named(stats, score)
    return figure if figure is not None and math.isfinite(figure) else None


def _named(stats: BacktestStats, score: Score) -> float | None:
    return stats.return_pct if score is Score.RETURN else stats.sharpe_ratio


def _stopped_trading(results: Sequence[RunResult], base: Sequence[RunResult]) -> bool:
    pairs = zip(results, base, strict=False)
    return any(old.stats and old.stats.trades and not (new.stats and new.stats.trades) for new, old in pairs)
