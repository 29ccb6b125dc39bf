"""Printed statistics against observed ones: rounding is no difference, everything else is."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.printed_stats import disagreement, parse_printed
from runners.stats import SOMETIMES_REPORTED, STATISTICS, BacktestStats

PRINTED = BacktestStats(
    start=datetime(2023, 1, 1),
    end=datetime(2023, 11, 20, 19, 15),
    duration_s=27976500.0,
    equity_final=1005978.58475,
    equity_peak=1000000.0,
    commissions=2124.06682,
    return_pct=0.59786,
    buy_and_hold_return_pct=127.7094,
    volatility_ann_pct=0.0,
    sharpe_ratio=math.nan,
    sortino_ratio=math.inf,
    max_drawdown_pct=-0.44741,
    max_drawdown_duration_s=1800.0,
    trades=1,
    win_rate_pct=100.0,
)
BY_BARS = BacktestStats(
    start=0,
    end=31065,
    duration_s=31065.0,
    exposure_time_pct=12.34567,
    equity_final=1002618.0,
    avg_drawdown_duration_s=25.70513,
    trades=17,
)
FIGURES = [name for name in STATISTICS if not name.endswith(("_s", "start", "end", "trades"))]
ANY_FIGURE = st.floats(-1e9, 1e9) | st.just(math.nan) | st.just(math.inf)
FORMATS = ["{:.5f}", "{:.6f}", "{:.2f}", "{:,.2f}", "{:.0f}", "{:.6e}", "{:.3g}", "{:.10g}"]


@given(st.fixed_dictionaries(dict.fromkeys(FIGURES, ANY_FIGURE)), st.sampled_from(FORMATS))
def test_a_figure_agrees_with_itself_in_any_format(figures: dict[str, float], form: str) -> None:
    true = replace(
        BacktestStats(start=datetime(2020, 1, 1), end=datetime(2021, 1, 1), duration_s=5.0), **figures
    )
    width = max(len(form.format(value)) for value in figures.values())
    values = {"Start": "2020-01-01 00:00:00", "End": "2021-01-01 00:00:00", "Duration": "0 days 00:00:05"}
    values |= {STATISTICS[name]: form.format(value) for name, value in figures.items()}
    text = "".join(f"{key:<30}{value:>{max(width, 30)}}\n" for key, value in values.items())
    printed = parse_printed(text + "dtype: object\n").last
    assert printed is not None
    assert printed.kelly_criterion is not None
    assert disagreement(printed, true) == ""


@pytest.mark.parametrize("name", [n for n in STATISTICS if isinstance(getattr(PRINTED, n), float)])
def test_a_figure_that_differs_in_the_last_printed_digit_is_named_with_both_values(name: str) -> None:
    shown = getattr(PRINTED, name)
    true = shown + 1e-5 if math.isfinite(shown) else 3.0
    said = disagreement(PRINTED, replace(PRINTED, **{name: true}))
    assert f" {STATISTICS[name]} {shown}," in said
    assert f" {true}." in said


@pytest.mark.parametrize("name", ["sharpe_ratio", "sortino_ratio", "return_pct", "max_drawdown_duration_s"])
@pytest.mark.parametrize("true", [math.nan, math.inf, -math.inf])
def test_undefined_and_infinite_agree_with_nothing_but_themselves(name: str, true: float) -> None:
    said = disagreement(PRINTED, replace(PRINTED, **{name: true}))
    assert bool(said) == (repr(getattr(PRINTED, name)) != repr(true))


def test_counts_and_times_must_be_the_same() -> None:
    assert "# Trades 1, but" in disagreement(PRINTED, replace(PRINTED, trades=2))
    assert "Start 2023-01-01 00:00:00" in disagreement(PRINTED, replace(PRINTED, start=datetime(2023, 1, 2)))
    assert "End" in disagreement(PRINTED, replace(PRINTED, end=31065))
    assert "Start 0, but" in disagreement(BY_BARS, replace(BY_BARS, start=1))


def test_a_day_agrees_with_every_time_of_it() -> None:
    assert (
        disagreement(
            replace(PRINTED, end=datetime(2023, 11, 20)), replace(PRINTED, end=datetime(2023, 11, 20, 19, 15))
        )
        == ""
    )
    assert "End" in disagreement(replace(PRINTED, end=datetime(2023, 11, 21)), PRINTED)


@pytest.mark.parametrize("figures", [("323", "0"), ("27976500.0", "1800.0")], ids=["days", "seconds"])
def test_lengths_in_a_unit_of_the_scripts_own_are_not_compared(figures: tuple[str, str]) -> None:
    values = {"Start": "2023-01-01", "End": "2023-11-20 19:15:00", "Duration": figures[0], "# Trades": "1"}
    values["Max. Drawdown Duration"] = figures[1]
    printed = parse_printed("".join(f"{key:<30}{value:>30}\n" for key, value in values.items())).last
    assert printed is not None
    assert disagreement(printed, PRINTED) == ""


def test_the_first_of_several_differences_is_named() -> None:
    said = disagreement(PRINTED, replace(PRINTED, return_pct=1.0, trades=2))
    assert "Return [%]" in said
    assert "# Trades" not in said


def test_what_was_printed_and_never_observed_is_named_and_the_reverse_is_not() -> None:
    without = replace(PRINTED, **dict.fromkeys(SOMETIMES_REPORTED))
    assert "Commissions [$] 2124.06682, which" in disagreement(PRINTED, without)
    assert disagreement(without, PRINTED) == ""
    assert disagreement(BacktestStats(), PRINTED) == ""


def test_durations_in_bars_are_rounded_and_a_large_figure_may_be_in_exponent_form() -> None:
    true = replace(BY_BARS, equity_final=1002618.39644, avg_drawdown_duration_s=25.705128)
    assert disagreement(BY_BARS, true) == ""
    assert "Equity Final" in disagreement(BY_BARS, replace(true, equity_final=1002619.0))
    assert "Avg. Drawdown Duration" in disagreement(BY_BARS, replace(true, avg_drawdown_duration_s=25.8))
