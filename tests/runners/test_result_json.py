"""Results survive JSON exactly."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.base import (
    Account,
    Captured,
    CheckStatus,
    EquityCurve,
    Failure,
    FailureKind,
    Level,
    NumbersCheck,
    OrderDiagnostics,
    Road,
    RunResult,
    Trade,
)
from runners.packing import pack_floats, pack_times, unpack_floats, unpack_times
from runners.stats import BacktestStats

ANY_FLOAT = st.floats()
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=20)
TIMES = st.datetimes().map(lambda time: time.replace(fold=0))  # fold means nothing in UTC
FLOATS = {f.name: ANY_FLOAT for f in dataclasses.fields(BacktestStats)}
OPTIONAL = ("commissions", "cagr_pct", "alpha_pct", "beta", "kelly_criterion")
STATS = st.builds(
    BacktestStats,
    **{
        **FLOATS,
        **{name: st.none() | ANY_FLOAT for name in OPTIONAL},
        "start": TIMES,
        "end": TIMES,
        "trades": st.integers(0, 10**9),
    },
)
TRADES = st.builds(
    Trade,
    **dict.fromkeys(("size", "entry_price", "exit_price", "pnl", "commission", "return_pct"), ANY_FLOAT),
    **{name: st.none() | ANY_FLOAT for name in ("sl", "tp")},
    **{name: st.integers(0, 10**6) for name in ("entry_bar", "exit_bar")},
    **dict.fromkeys(("entry_time", "exit_time"), INT64),
    tag=TEXT,
)
EQUITY = st.lists(st.tuples(INT64, ANY_FLOAT, ANY_FLOAT), max_size=20).map(
    lambda rows: EquityCurve(*(tuple(column) for column in zip(*rows, strict=True)) if rows else ((), (), ()))
)
FAILURES = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=TEXT,
    hint=TEXT,
    line=st.none() | st.integers(1, 9999),
    source_line=TEXT,
    traceback=TEXT,
)
CAPTURED = st.builds(Captured, head=TEXT, tail=TEXT, dropped=st.integers(0, 10**9))
COUNT = st.integers(0, 10**9)
ORDERS = st.builds(
    OrderDiagnostics,
    **{f.name: COUNT for f in dataclasses.fields(OrderDiagnostics)}
    | {
        "cancelled": st.dictionaries(st.sampled_from(["margin", "by_strategy", "exclusive"]), COUNT),
        "first_order_bar": st.none() | COUNT,
    },
)
ACCOUNTS = st.builds(
    Account,
    strategy=TEXT,
    **dict.fromkeys(("cash", "spread", "commission_fixed", "margin"), ANY_FLOAT),
    commission=st.none() | ANY_FLOAT,
    **dict.fromkeys(
        ("trade_on_close", "hedging", "exclusive_orders", "finalize_trades", "own_bars"), st.booleans()
    ),
    **dict.fromkeys(("bars", "backtests"), COUNT),
)
RESULTS = st.builds(
    RunResult,
    stats=st.none() | STATS,
    equity=st.none() | EQUITY,
    trades=st.lists(TRADES, max_size=3).map(tuple),
    failure=st.none() | FAILURES,
    stdout=CAPTURED,
    stderr=CAPTURED,
    elapsed_s=st.floats(0, 1e6),
    level=st.sampled_from(Level),
    road=st.sampled_from(Road),
    seed=st.integers(0, 2**32 - 1),
    orders=st.none() | ORDERS,
    account=st.none() | ACCOUNTS,
    check=st.none() | st.builds(NumbersCheck, status=st.sampled_from(CheckStatus), detail=TEXT),
    disagreement=TEXT,
)


def through_json(value: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


@given(RESULTS)
def test_a_result_is_restored_exactly(result: RunResult) -> None:
    # repr tells NaN, -0.0, infinities and int from float, which == does not.
    assert repr(RunResult.from_json(through_json(result.to_json()))) == repr(result)


@given(STATS)
def test_statistics_are_restored_exactly(stats: BacktestStats) -> None:
    assert repr(BacktestStats.from_json(through_json(stats.to_json()))) == repr(stats)


@given(st.lists(ANY_FLOAT))
def test_packed_floats_are_restored_exactly(values: list[float]) -> None:
    assert repr(unpack_floats(pack_floats(values))) == repr(tuple(values))


@given(st.lists(INT64))
def test_packed_times_are_restored_exactly(values: list[int]) -> None:
    assert unpack_times(pack_times(values)) == tuple(values)


def test_times_at_equal_distances_take_almost_no_room() -> None:
    assert len(pack_times(range(0, 31_000 * 900 * 10**9, 900 * 10**9))) < 2000


@pytest.mark.parametrize("text", ["", "!", "AAAA", "eJwDAAAAAAE"])
def test_what_is_not_packed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"packed|multiple"):
        unpack_floats(text)


def some_stats() -> dict[str, Any]:
    values: dict[str, Any] = {f.name: 1.0 for f in dataclasses.fields(BacktestStats)}
    values.update(start=datetime(2020, 1, 1), end=datetime(2021, 1, 1), trades=3)
    return BacktestStats(**values).to_json()


def test_statistics_have_backtestings_own_keys_and_forms() -> None:
    data = some_stats()
    assert data["Start"] == {"ts": "2020-01-01T00:00:00"}
    assert data["Max. Drawdown Duration"] == {"seconds": 1.0}
    assert data["Return [%]"] == 1.0
    assert data["# Trades"] == 3


def test_absent_undefined_and_infinite_are_three_things() -> None:
    data = some_stats() | {"CAGR [%]": "nan", "Profit Factor": "inf"}
    del data["Commissions [$]"]
    stats = BacktestStats.from_json(data)
    assert stats.commissions is None
    assert stats.cagr_pct is not None
    assert math.isnan(stats.cagr_pct)
    assert stats.profit_factor == math.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Alpha Centauri": 1.0}, "Alpha Centauri"),
        ({"Return [%]": "12"}, r"Return \[%\]"),
        ({"Return [%]": True}, r"Return \[%\]"),
        ({"Return [%]": math.nan}, r"Return \[%\]"),
        ({"Return [%]": None}, r"Return \[%\]"),
        ({"# Trades": 1.5}, "# Trades"),
        ({"# Trades": "nan"}, "# Trades"),
        ({"Start": "2020-01-01"}, "Start"),
        ({"Start": {"ts": "yesterday"}}, "Start"),
        ({"Duration": 12.0}, "Duration"),
        ({"SQN": 10**400}, "SQN"),
    ],
)
def test_a_statistic_of_the_wrong_form_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BacktestStats.from_json(some_stats() | change)


def test_a_missing_statistic_is_named() -> None:
    data = some_stats()
    del data["SQN"]
    with pytest.raises(ValueError, match="missing statistic: 'SQN'"):
        BacktestStats.from_json(data)
