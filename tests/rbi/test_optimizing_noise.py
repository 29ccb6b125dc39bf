"""Is a version better beyond noise? Known variances, equal curves, and how often chance is taken for skill."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from builders import DAY_NS, good_result
from hypothesis import given
from hypothesis import strategies as st

from rbi.optimizing.noise import FEWEST_DIFFERENT_BARS, LEVEL, Floats, compare
from rbi.optimizing.score import score_of
from rbi.stages.context import Score
from runners.base import EquityCurve, RunResult

BOTH = pytest.mark.parametrize("score", list(Score))


def curve(returns: Floats) -> EquityCurve:
    equity = 1e6 * np.concatenate([[1.0], np.cumprod(1 + returns)])
    times = tuple(DAY_NS * n for n in range(len(equity)))
    return EquityCurve(times, tuple(equity.tolist()), (0.0,) * len(equity))


def normal(seed: int, bars: int, mean: float = 0.0, spread: float = 0.01) -> Floats:
    found: Floats = np.random.default_rng(seed).normal(mean, spread, bars)
    return found


@BOTH
@given(seed=st.integers(0, 1000), bars=st.integers(1, 300))
def test_equal_curves_are_never_better(score: Score, seed: int, bars: int) -> None:
    same = curve(normal(seed, bars))
    assert not compare([same], [same], score).beyond_noise(1)


@BOTH
def test_of_two_versions_at_most_one_is_better_and_a_clear_gain_is_found(score: Score) -> None:
    base = normal(1, 1600)
    better = base + normal(2, 1600, mean=0.002, spread=0.005)
    there, back = (compare([curve(a)], [curve(b)], score) for a, b in ((base, better), (better, base)))
    assert there.beyond_noise(20)
    assert not back.beyond_noise(1)
    assert there.errors == pytest.approx(-back.errors)


@BOTH
@pytest.mark.parametrize("sparse", [False, True])
def test_chance_is_kept_no_more_often_than_the_level_however_many_are_tried(
    score: Score, sparse: bool
) -> None:
    """Ten versions a base, none better: any is kept in at most 5% of 200 bases (and two standard errors of that)."""
    rng = np.random.default_rng(7)
    kept = 0
    for _ in range(200):
        base = rng.normal(0, 0.01, 300)
        curves = [
            base + rng.normal(0, 0.006, 300) * (rng.random(300) < (0.15 if sparse else 1)) for _ in range(10)
        ]
        old = curve(base)
        kept += any(compare([old], [curve(new)], score).beyond_noise(10) for new in curves)
    assert kept / 200 <= LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / 200)


def test_the_error_of_a_sharpe_ratio_is_that_of_jobson_and_korkie_with_memmels_correction() -> None:
    rng, bars = np.random.default_rng(3), 200_000
    a, noise = rng.normal(0.02, 1, bars), rng.normal(0, 1, bars)
    b = 0.05 + 0.8 * a + 0.6 * noise
    a, b = a / 100, b / 100
    sharpe_a, sharpe_b = (float(x.mean() / x.std()) for x in (a, b))
    rho = float(np.corrcoef(a, b)[0, 1])
    memmel = (2 - 2 * rho + (sharpe_a**2 + sharpe_b**2 - 2 * sharpe_a * sharpe_b * rho**2) / 2) / bars
    found = compare([curve(a)], [curve(b)], Score.SHARPE)
    assert found.errors == pytest.approx((sharpe_b - sharpe_a) / math.sqrt(memmel), rel=0.05)


def test_differences_that_last_have_larger_errors() -> None:
    alone = normal(5, 2000, mean=0.0006)
    lasting = np.repeat(alone[::5], 5)  # as one position does over several bars
    base = np.zeros(2000)
    errors = [compare([curve(base)], [curve(new)], Score.RETURN).errors for new in (alone, lasting)]
    independent = lasting.mean() / lasting.std() * math.sqrt(2000)
    assert errors[1] < 0.75 * independent
    assert errors[0] == pytest.approx(alone.mean() / alone.std() * math.sqrt(2000), rel=0.15)


@BOTH
def test_a_short_dataset_adds_its_own_error_and_does_not_lend_it_to_a_long_one(score: Score) -> None:
    long, short = normal(1, 2000), normal(2, 60)
    gain = normal(3, 2000, mean=0.001, spread=0.004)
    alone = compare([curve(long)], [curve(long + gain)], score)
    worse = short + normal(4, 60, mean=-0.002, spread=0.02)
    both = compare([curve(long), curve(short)], [curve(long + gain), curve(worse)], score)
    same = compare([curve(long), curve(short)], [curve(long + gain), curve(short)], score)
    assert both.errors < alone.errors
    assert same.errors == pytest.approx(alone.errors)


@pytest.mark.parametrize(
    ("base", "newer", "why"),
    [
        (curve(normal(1, 50)), curve(normal(1, 51)), "same bars"),
        (curve(normal(1, 50)), curve(np.append(normal(1, 49), -1.0)), "lost everything"),
        (curve(np.zeros(500)), curve(np.append(np.zeros(471), normal(1, 29, 0.01))), "differ on 29 bars"),
    ],
)
def test_where_nothing_can_be_said_it_is_not_better(base: EquityCurve, newer: EquityCurve, why: str) -> None:
    assert FEWEST_DIFFERENT_BARS == 30
    found = compare([base], [newer], Score.RETURN)
    assert not found.beyond_noise(1)
    assert why in found.why_not


def result(return_pct: float, *, sharpe: float = 0.5, trades: int = 40) -> RunResult:
    made = good_result(trades=trades)
    assert made.stats is not None
    return replace(made, stats=replace(made.stats, return_pct=return_pct, sharpe_ratio=sharpe))


def test_a_score_is_the_mean_over_the_datasets_and_undefined_where_one_is_missing() -> None:
    two = (result(10, sharpe=1.0), result(-4, sharpe=0.0))
    idle = result(0, sharpe=math.nan, trades=0)
    assert score_of(two, Score.RETURN) == 3
    assert score_of(two, Score.SHARPE) == 0.5
    assert score_of((two[0], idle), Score.SHARPE) == 0.5
    assert score_of((two[0], idle), Score.SHARPE, base=two) is None
    assert score_of((two[0], replace(two[1], stats=None)), Score.RETURN) is None
    assert score_of((result(1, sharpe=math.inf),), Score.SHARPE) is None
    assert score_of((), Score.RETURN) is None
