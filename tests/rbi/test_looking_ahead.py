"""Looking ahead, tried out: strategies on bars whose future is another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.bars import Bars
from rbi.data.futures import with_other_future
from rbi.data.slices import Slice, open_prices, write_npz, write_other_future
from rbi.domain import Backtest
from rbi.validation.looking_ahead import cuts, difference
from runners.backtest_runner import BacktestRunner
from runners.base import BarsFile, RunRequest
from runners.environments import resolve

HEAD = """\
import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover
KEPT = []
class S(Strategy):
"""
CROSS = """\
    def init(self):
        close = pd.Series({close})
        self.fast = self.I(lambda: {fast})
        self.slow = self.I(lambda: {slow})
    def next(self):
        if crossover(self.fast, self.slow):
            self.position.close()
            self.buy({order})
        elif crossover(self.slow, self.fast):
            self.position.close()
            self.sell({order})
"""


def cross(close: str = "self.data.Close", fast: str = "close.rolling(5).mean()", order: str = "") -> str:
    return HEAD + CROSS.format(close=close, fast=fast, slow="close.rolling(20).mean()", order=order)


def next_only(body: str, init: str = "pass") -> str:
    return (
        f"{HEAD}    def init(self):\n        {init}\n    def next(self):\n        n = len(self.data)\n{body}"
    )


HONEST = {
    "a cross": cross(),
    "with stops and targets": cross(order="sl=None, tp=None, size=0.3"),
    "entered by stop orders": next_only(
        """\
        if n % 12 == 0 and not self.position:
            for order in self.orders: order.cancel()
            self.buy(size=0.4, stop=self.data.High[-1] * 1.002, sl=self.data.Close[-1] * 0.9)
        elif n % 12 == 6:
            self.position.close()
"""
    ),
    "entered by limits, left in parts": next_only(
        """\
        if n % 15 == 0 and not self.position:
            self.buy(size=0.5, limit=self.data.Close[-1] * 0.995)
        elif n % 15 in (8, 11) and self.position:
            self.position.close(0.5)
"""
    ),
    "of a share of its equity": next_only(
        "        if n % 9 == 0: self.buy(size=max(1, int(self.equity * 0.1 / self.data.Close[-1])))\n"
        "        elif n % 9 == 5: self.position.close()\n"
    ),
}
CHEATS = {
    "a shift into the future": cross(fast="close.rolling(5).mean().shift(-5)"),
    "a roll": cross(fast="np.roll(close.rolling(5).mean(), -3)"),
    "a centred mean": cross(fast="close.rolling(9, center=True).mean()"),
    "bars kept in init": next_only(
        """\
        ahead = KEPT[min(n + 2, len(KEPT) - 1)]
        if ahead > self.data.Close[-1] * 1.01 and not self.position: self.buy(size=0.5)
        elif ahead < self.data.Close[-1] and self.position: self.position.close()
""",
        "KEPT.extend(np.asarray(self.data.Close).base if np.asarray(self.data.Close).base is not None"
        " else np.asarray(self.data.Close))",
    ),
    "the frame behind the data": next_only(
        """\
        bars = self.data._Data__df
        ahead = bars.Close.iloc[min(n + 3, len(bars) - 1)]
        if ahead > self.data.Close[-1] * 1.01 and not self.position: self.buy(size=0.5)
        elif ahead < self.data.Close[-1] and self.position: self.position.close()
"""
    ),
}


def walk(rows: int) -> Bars:
    random = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.015, rows)))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0, 0.003, rows))
    high, low = np.maximum(opened, close) * 1.004, np.minimum(opened, close) * 0.996
    time = np.arange(rows, dtype=np.int64) * 86_400 * 10**9
    return Bars(time, opened, high, low, close, random.uniform(1, 9, rows))


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> BarsFile:
    return write_npz(Slice("W", "dev", walk(400)), tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BacktestRunner]:
    folder = tmp_path_factory.mktemp("runs")
    environment = resolve("current", cache=folder, environ=os.environ)
    with closing(BacktestRunner(environment, scratch_root=folder)) as made:
        yield made


def seen(runner: BacktestRunner, bars: BarsFile, source: str) -> list[str]:
    result = runner.run(RunRequest(source, bars))
    assert result.failure is None and len(result.trades) > 8
    backtest, opens = Backtest(1, bars, result), open_prices(bars)
    firsts = cuts(backtest, opens)
    assert len(firsts) == 3
    others = [runner.run(RunRequest(source, write_other_future(bars, first))) for first in firsts]
    return [difference(backtest, other, first, opens) for other, first in zip(others, firsts, strict=True)]


@pytest.mark.parametrize("name", HONEST)
def test_who_looks_back_only_decides_the_same(runner: BacktestRunner, bars: BarsFile, name: str) -> None:
    assert seen(runner, bars, HONEST[name]) == ["", "", ""]


@pytest.mark.parametrize("name", CHEATS)
def test_who_looks_ahead_is_seen(runner: BacktestRunner, bars: BarsFile, name: str) -> None:
    assert any(seen(runner, bars, CHEATS[name]))


@given(st.integers(1, 398))
def test_another_future_leaves_what_was_known_and_is_possible(first: int) -> None:
    real = walk(400)
    other = with_other_future(real, first)
    for (name, before), (_, after) in zip(real.arrays(), other.arrays(), strict=True):
        kept = first + (name in ("open", "time"))
        assert np.array_equal(before[:kept], after[:kept])
    assert (other.low <= np.minimum(other.open, other.close)).all()
    assert (other.high >= np.maximum(other.open, other.close)).all()
    assert (other.low > 0).all()
    assert not np.allclose(other.close[first:], real.close[first:])


def test_the_same_bars_have_the_same_other_future(bars: BarsFile, tmp_path: Path) -> None:
    assert write_other_future(bars, 100) == write_other_future(bars, 100)
    assert write_other_future(bars, 100).fingerprint != write_other_future(bars, 101).fingerprint
