"""What real backtests print is read back as what they computed."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest, Strategy

from runners.printed_stats import disagreement, parse_printed
from runners.stats import STATISTICS, BacktestStats

pytestmark = pytest.mark.filterwarnings("ignore")  # backtesting.py's, on indexes and on orders


class Idle(Strategy):
    def init(self) -> None: ...

    def next(self) -> None: ...


class Turning(Strategy):
    """Long for seven bars, short for five."""

    def init(self) -> None: ...

    def next(self) -> None:
        if len(self.data) % 12 == 0:
            self.position.close()
            self.buy(size=0.9)
        elif len(self.data) % 12 == 7:
            self.position.close()
            self.sell(size=0.4)


class Once(Strategy):
    def init(self) -> None: ...

    def next(self) -> None:
        if len(self.data) == 10:
            self.buy(size=5)


DAYS = pd.date_range("2020-01-01", periods=300, freq="D")
INDEXES = {
    "days": DAYS,
    "quarters of an hour": pd.date_range("2020-01-01", periods=300, freq="15min"),
    "months": pd.date_range("2000-01-31", periods=300, freq="ME"),
    "fractions of a second": DAYS + pd.Timedelta(123456, "us"),
    "bars": pd.RangeIndex(300),
}


def bars(index: pd.Index[Any], trend: float = 0.0) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(trend, 0.02, len(index))))
    return pd.DataFrame(
        {"Open": close, "High": close * 1.01, "Low": close * 0.99, "Close": close}, index=index
    )


def backtest(strategy: type[Strategy], index: pd.Index[Any], *, trend: float = 0.0, **terms: Any) -> Any:
    frame = bars(index, trend)
    return Backtest(frame, strategy, **{"cash": 1e6, "finalize_trades": True, **terms}).run()


def observed(stats: Any) -> BacktestStats:
    """The values that backtesting.py computed, as they are before printing."""
    values: dict[str, Any] = {}
    for name, key in STATISTICS.items():
        if key not in stats.index:
            continue
        value = stats[key]
        if isinstance(value, pd.Timestamp):
            values[name] = value.to_pydatetime()
        elif isinstance(value, pd.Timedelta):
            values[name] = value.total_seconds()
        elif name in ("start", "end", "trades"):
            values[name] = int(value)
        else:
            values[name] = math.nan if value is pd.NaT else float(value)
    return BacktestStats(**values)


def assert_reads_as(text: str, true: BacktestStats, decimals: int = 5) -> None:
    printed = parse_printed(text)
    assert (printed.blocks, printed.complete) == (1, True)
    cut_off = {line.split("  ")[0] for line in text.splitlines() if line.endswith("...")}
    for name, key in STATISTICS.items():
        expected, found = getattr(true, name), getattr(printed.last, name)
        if key in cut_off:
            assert found is None
        elif isinstance(expected, float):
            assert found == pytest.approx(expected, abs=0.51 * 10**-decimals, rel=1e-15, nan_ok=True), name
        else:
            assert (type(found), found) == (type(expected), expected), name


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
@pytest.mark.parametrize(
    ("strategy", "terms"),
    [
        (Idle, {}),
        (Once, {"trend": 0.01}),
        (Turning, {"commission": 0.002, "spread": 0.001}),
        (Turning, {"cash": 1e12, "margin": 0.1}),
        (Turning, {"commission": 0.05, "cash": 1000}),
    ],
)
def test_what_a_backtest_prints_is_read_as_what_it_computed(
    strategy: type[Strategy], terms: dict[str, Any], index: pd.Index[Any]
) -> None:
    stats = backtest(strategy, index, **terms)
    true = observed(stats)
    assert_reads_as(f"{stats}\n", true)
    assert_reads_as(stats.to_string(), true, decimals=6)
    assert_reads_as(f"{stats.to_frame()}\n", true, decimals=6)
    assert disagreement(parse_printed(str(stats)).last or BacktestStats(), true) == ""


def test_times_that_pandas_cuts_off_are_absent_and_the_block_is_complete() -> None:
    printed = parse_printed(f"{backtest(Turning, DAYS.tz_localize('America/New_York'))}\n")
    assert printed.last is not None
    assert (printed.complete, printed.last.start, printed.last.by_bars) == (True, None, False)
    assert printed.last.duration_s == 299 * 86400.0 - 3600


def test_times_with_a_zone_keep_it_where_they_are_whole() -> None:
    stats = backtest(Turning, DAYS.tz_localize("America/New_York"))
    printed = parse_printed(stats.to_string()).last
    assert printed is not None
    assert printed.start == datetime.fromisoformat("2020-01-01T00:00:00-05:00")
