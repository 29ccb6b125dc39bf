"""Whether one version of a strategy is better than another by more than chance: two equity curves, paired by bar.

What is tested is the mean over the datasets, each counting alike, as the score does. On every dataset the difference is
a sum over bars of paired terms, whose variance allows for terms that depend on those before them (Newey and West 1987,
"A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix", Econometrica
55; lags as in Newey and West 1994). A short dataset's error is large by its own few bars. Datasets are taken as
independent of each other.

For the Sharpe ratio the terms are the influence functions of the two ratios (Ledoit and Wolf 2008, "Robust performance
hypothesis testing with the Sharpe ratio", Journal of Empirical Finance 15). For independent normal returns that is
the variance of Jobson and Korkie (1981) with Memmel's (2003) correction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rbi.stages.context import Score
from runners.base import EquityCurve

LEVEL = 0.05
"""The chance, at most, that any of the versions tried against one base is kept although none is better."""
FEWEST_DIFFERENT_BARS = 30
"""On fewer bars than this the two accounts differ too seldom for the normal distribution to say how far."""
_YEAR_NS = 365.25 * 86_400e9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better one version is than another, in standard errors. ``chance``: of so much where neither is.

    ``why_not`` says why there is no saying; ``chance`` is 1 then. ``errors`` is how many standard errors lie between.
    """

    errors: float
    chance: float
    why_not: str = ""

    def beyond_noise(self, tried: int) -> bool:
        """Whether it is better at `LEVEL`, divided by how many versions are ``tried`` against the base (Bonferroni)."""
        return self.chance <= LEVEL / max(1, tried)


@dataclass(frozen=True, slots=True)
class _Difference:
    """On one dataset: how much better, and its variance. ``bars`` is how many differ."""

    value: float
    variance: float
    bars: int


def compare(base: Sequence[EquityCurve], newer: Sequence[EquityCurve], score: Score) -> Comparison:
    """``newer`` against ``base``, a curve of each for each dataset, in the same order and over the same bars.

    The return is compared as growth of the logarithm of equity, which is what compounds; the Sharpe ratio as that of
    the bars' arithmetic returns, annualised.
    """
    pairs = list(zip(base, newer, strict=True))
    if not pairs or any(old.time != new.time for old, new in pairs):
        return Comparison(0.0, 1.0, "the two did not run over the same bars")
    if any(min(curve.equity, default=0.0) <= 0 for pair in pairs for curve in pair):
        return Comparison(0.0, 1.0, "an account that lost everything has no returns to compare")
    of_score = _of_return if score is Score.RETURN else _of_sharpe
    differences = [of_score(old, new) for old, new in pairs]
    bars = sum(difference.bars for difference in differences)
    if bars < FEWEST_DIFFERENT_BARS:
        return Comparison(
            0.0, 1.0, f"the two differ on {bars} bars only ({FEWEST_DIFFERENT_BARS} are needed)"
        )
    error = math.sqrt(sum(difference.variance for difference in differences))
    if not error > 0:
        return Comparison(0.0, 1.0, "the difference has no spread to judge it by")
    errors = sum(difference.value for difference in differences) / error
    return Comparison(errors, NormalDist().cdf(-errors))


def _of_return(base: EquityCurve, newer: EquityCurve) -> _Difference:
    """In log growth over the slice."""
    paired = np.diff(np.log(newer.equity)) - np.diff(np.log(base.equity))
    bars = len(paired)
    return _Difference(float(paired.sum()), bars * _long_run_variance(paired), _nonzero(paired))


def _of_sharpe(base: EquityCurve, newer: EquityCurve) -> _Difference:
    """In annualised Sharpe ratios."""
    old, new = _returns(base), _returns(newer)
    years = (base.time[-1] - base.time[0]) / _YEAR_NS
    if not years > 0:
        return _Difference(0.0, 0.0, 0)
    bars = len(old)
    a_year = bars / years
    (ratio_old, terms_old), (ratio_new, terms_new) = _sharpe(old), _sharpe(new)
    variance = _long_run_variance(terms_new - terms_old) / bars
    return _Difference(
        (ratio_new - ratio_old) * math.sqrt(a_year), variance * a_year, _nonzero(np.asarray(new - old))
    )


def _returns(curve: EquityCurve) -> Floats:
    equity = np.array(curve.equity)
    returns: Floats = equity[1:] / equity[:-1] - 1
    return returns


def _sharpe(returns: Floats) -> tuple[float, Floats]:
    """The ratio of one bar and its influence function at every bar; 0 for an account that never moves."""
    spread = float(returns.std()) if len(returns) else 0.0
    if not spread > 0:
        return 0.0, np.zeros(len(returns))
    scaled: Floats = (returns - returns.mean()) / spread
    ratio = float(returns.mean()) / spread
    return ratio, scaled - ratio / 2 * (scaled**2 - 1)


def _long_run_variance(terms: Floats) -> float:
    """The variance of a term, with that of its neighbours (Bartlett weights); never below that of a term alone.

    Terms that take back what those before them gave would make it smaller. Not counting that errs on the safe side.
    """
    bars = len(terms)
    if bars < 2:
        return 0.0
    centred = terms - terms.mean()
    alone = float(centred @ centred) / (bars - 1)
    lags = min(bars - 1, int(4 * (bars / 100) ** (2 / 9)))
    together = sum(
        2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag]) for lag in range(1, lags + 1)
    )
    return max(alone, alone + together / (bars - 1))


def _nonzero(paired: NDArray[Any]) -> int:
    """On how many bars two accounts grew differently; rounding is no difference."""
    return int(np.count_nonzero(np.abs(paired) > 1e-12))
