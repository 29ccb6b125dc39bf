"""Typed statistics: what is absent, undefined, infinite, in seconds and in bars stays what it is through JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.stats import SOMETIMES_KNOWN, STATISTICS, BacktestStats

NAMES = tuple(STATISTICS)
TIMES = st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda time: time.replace(fold=0))
FIGURES = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in ("start", "end", "trades")]), st.floats()
)
COUNTS = st.fixed_dictionaries({}, optional={"trades": st.integers(0, 10**9)})
BY_TIME = st.fixed_dictionaries({}, optional={"start": TIMES, "end": TIMES})
BY_BARS = st.fixed_dictionaries({"start": st.integers(0, 10**9)}, optional={"end": st.integers(0, 10**9)})


def made_of(ends: dict[str, Any], figures: dict[str, float], counts: dict[str, int]) -> BacktestStats:
    return BacktestStats(**ends, **figures, **counts)


STATS = st.builds(made_of, BY_TIME | BY_BARS, FIGURES, COUNTS)


def some(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = dict.fromkeys(STATISTICS.values(), 1.5)
    data |= {"Start": {"ts": "2020-01-01T00:00:00"}, "End": {"ts": "2021-01-01T00:00:00"}, "# Trades": 3}
    data |= {key: {"seconds": 60.0} for key in data if key.endswith("Duration")}
    return data | changes


def by_bars() -> dict[str, Any]:
    data = some(Start={"bar": 0}, End={"bar": 2147})
    return data | {key: {"bars": 25.5} for key in data if key.endswith("Duration")}


@given(STATS)
def test_any_statistics_are_restored_exactly(stats: BacktestStats) -> None:
    text = json.dumps(stats.to_json(), allow_nan=False)
    # repr tells NaN, -0.0 and int from float, which == does not.
    assert repr(BacktestStats.from_json(json.loads(text), complete=False)) == repr(stats)


def test_every_field_has_one_name_of_backtestings() -> None:
    assert [f.name for f in dataclasses.fields(BacktestStats)] == list(STATISTICS)
    assert len(set(STATISTICS.values())) == len(STATISTICS)
    assert set(STATISTICS) >= SOMETIMES_KNOWN


def test_absent_statistics_are_none_and_not_written() -> None:
    stats = BacktestStats.from_json({"Return [%]": 5.0}, complete=False)
    assert stats.return_pct == 5.0
    assert stats.sharpe_ratio is None
    assert stats.to_json() == {"Return [%]": 5.0}


def test_undefined_and_infinite_figures_are_not_absent() -> None:
    data = some() | {"Sharpe Ratio": "nan", "Profit Factor": "inf", "SQN": "-inf"}
    stats = BacktestStats.from_json(data)
    assert stats.sharpe_ratio is not None
    assert math.isnan(stats.sharpe_ratio)
    assert (stats.profit_factor, stats.sqn) == (math.inf, -math.inf)
    assert stats.to_json() == data


def test_data_with_times_has_datetimes_and_seconds() -> None:
    stats = BacktestStats.from_json(some())
    assert not stats.by_bars
    assert (stats.start, stats.duration_s) == (datetime(2020, 1, 1), 60.0)


def test_data_without_times_has_bar_numbers_and_counts_of_bars() -> None:
    stats = BacktestStats.from_json(by_bars())
    assert stats.by_bars
    assert (stats.start, stats.end, stats.max_trade_duration_s) == (0, 2147, 25.5)
    assert stats.to_json() == by_bars()


@pytest.mark.parametrize("key", [k for name, k in STATISTICS.items() if name not in SOMETIMES_KNOWN])
def test_a_missing_statistic_is_named_unless_fewer_are_expected(key: str) -> None:
    data = some()
    del data[key]
    with pytest.raises(ValueError, match="missing statistic") as error:
        BacktestStats.from_json(data)
    assert repr(key) in str(error.value)
    assert key not in BacktestStats.from_json(data, complete=False).to_json()


def test_statistics_that_depend_on_the_backtest_may_be_missing() -> None:
    data = {
        key: value for key, value in some().items() if key not in {STATISTICS[n] for n in SOMETIMES_KNOWN}
    }
    assert BacktestStats.from_json(data).kelly_criterion is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (some(Start={"bar": 1.5}), "'Start' is not a whole number"),
        (some(Start={"bar": True}), "'Start' is not a whole number"),
        (some(Start={"bar": 0}), "'Start' and 'End'"),
        (some(Duration={"bars": 5}), "'Duration' is not a duration in seconds"),
        (by_bars() | {"Duration": {"seconds": 5}}, "'Duration' is not a duration in bars"),
        (by_bars() | {"Duration": {"bars": "5"}}, "'Duration' is not a number"),
        (some(End={"ts": 5}), "'End' is not a time"),
        (some(Zeal=1), "unknown statistic: 'Zeal'"),
    ],
)
def test_a_wrong_form_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="statistic") as error:
        BacktestStats.from_json(data)
    assert message in str(error.value)
