"""Reading the result channel: what honest runs wrote comes out exactly, whatever else is there is garbage, no more."""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from child_runs import ChildRuns, channel, walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.child_result import ScenarioResult, read_child_result
from runners.claim import BarArrays

ARRAYS = walk()
ROWS = len(ARRAYS["time"])
BARS = BarArrays(ARRAYS["time"], *(ARRAYS[name] for name in ("Open", "High", "Low", "Close")))
STRATEGY = """
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import FractionalBacktest


class Made(Strategy):
    def init(self):
        self.mean = self.I(lambda values: pd.Series(values).rolling(10).mean(), self.data.Close)

    def next(self):
        price = self.data.Close[-1]
        if price > self.mean[-1] and not self.position:
            self.buy(size=0.5, sl=price * 0.95, tag="up\\x1b[31m")
        elif price < self.mean[-1]:
            self.position.close()
"""
SCRIPT = f"""{STRATEGY}
data = pd.read_csv("/home/someone/prices.csv", index_col="datetime", parse_dates=True)
data.columns = [name.capitalize() for name in data.columns]
"""


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildRuns]:
    runs = ChildRuns(tmp_path_factory.mktemp("child"), ARRAYS)
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def document(child: ChildRuns) -> dict[str, Any]:
    """What an honest run writes."""
    return child.run(STRATEGY)


def read(*documents: dict[str, Any]) -> ScenarioResult:
    result = read_child_result(channel(*documents), [BARS] * len(documents))
    assert result.ready
    return result.scenarios[0]


def script(child: ChildRuns, ending: str) -> ScenarioResult:
    return read(child.run(SCRIPT + ending, "script"))


def packed(values: Any, kind: str = "<f8") -> str:
    return base64.b64encode(np.asarray(values, kind).tobytes()).decode()


def changed(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(document)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def test_an_honest_result_comes_out_as_it_went_in(document: dict[str, Any]) -> None:
    scenario, result = read(document), document["result"]
    assert scenario.claim is not None
    assert scenario.equity is not None
    assert scenario.garbage == ""
    assert scenario.failure is None
    assert scenario.claim.stats.to_json() == result["stats"]
    assert packed(scenario.equity.equity) == result["equity"]
    assert scenario.equity.time == tuple(ARRAYS["time"].tolist())
    assert len(scenario.trades) == scenario.claim.stats.trades == len(scenario.claim.trades.size) > 3
    assert packed([trade.pnl for trade in scenario.trades]) == result["trades"]["pnl"]
    assert scenario.claim.trades.exit_bar.tolist() == [trade.exit_bar for trade in scenario.trades]
    assert scenario.trades[0].entry_time == ARRAYS["time"][scenario.trades[0].entry_bar]
    assert scenario.trades[0].tp is None
    assert scenario.trades[0].sl is not None
    assert scenario.trades[0].tag == "up\\x1b[31m"
    assert scenario.orders is not None
    assert scenario.orders.placed == result["orders"]["placed"] > 3
    assert scenario.claim.warmup_bars == 9
    assert not scenario.claim.account.own_bars
    assert scenario.own_bars is None


def test_the_drawdown_is_computed_from_the_equity(document: dict[str, Any]) -> None:
    equity = np.linspace(100.0, 200.0, ROWS)
    equity[10], equity[-1] = 50.0, 100.0
    scenario = read(changed(document, ("result", "equity"), packed(equity)))
    assert scenario.equity is not None
    assert scenario.equity.drawdown[10] == pytest.approx(1 - 50 / equity[9])
    assert scenario.equity.drawdown[11] == 0
    assert scenario.equity.drawdown[-1] == pytest.approx(1 - 100 / equity[-2])


def test_undefined_equity_has_an_undefined_drawdown(document: dict[str, Any]) -> None:
    scenario = read(changed(document, ("result", "equity"), packed(np.full(ROWS, np.nan))))
    assert scenario.equity is not None
    assert all(map(math.isnan, scenario.equity.drawdown))


def test_a_script_brings_the_bars_it_used(child: ChildRuns) -> None:
    scenario = script(child, "Backtest(data, Made, cash=10_000).run()")
    assert scenario.own_bars is not None
    assert scenario.claim is not None
    assert not scenario.claim.account.own_bars
    assert scenario.own_bars.close == pytest.approx(ARRAYS["Close"])


@pytest.mark.parametrize(
    "change",
    [
        "data['Close'] *= 1.0001",
        "data['High'] *= 1.0001",
        "data = data.iloc[1:]",
        "data.index += pd.Timedelta('1h')",
        "data = data.reset_index(drop=True)",
    ],
)
def test_bars_that_a_script_changed_are_its_own(child: ChildRuns, change: str) -> None:
    scenario = script(child, f"{change}\nBacktest(data, Made, cash=10_000).run()")
    assert scenario.claim is not None
    assert scenario.claim.account.own_bars


def test_data_without_times_has_bar_numbers_for_times(child: ChildRuns) -> None:
    scenario = script(child, "Backtest(data.reset_index(drop=True), Made, cash=10_000).run()")
    assert scenario.equity is not None
    assert scenario.equity.time == tuple(range(ROWS))
    assert scenario.trades[0].entry_time == scenario.trades[0].entry_bar


def test_fractional_trades_are_shown_in_the_prices_of_the_data(child: ChildRuns) -> None:
    scenario = script(child, "FractionalBacktest(data, Made, cash=100, fractional_unit=1e-6).run()")
    assert scenario.claim is not None
    assert not scenario.claim.account.own_bars
    [trade, *_], claimed = scenario.trades, scenario.claim.trades
    assert trade.entry_price == pytest.approx(ARRAYS["Open"][trade.entry_bar], rel=1e-12)
    assert trade.size * trade.entry_price == pytest.approx(claimed.size[0] * claimed.entry_price[0])
    assert claimed.size[0] == round(claimed.size[0])


def test_a_script_that_fails_after_its_backtest_has_both(child: ChildRuns) -> None:
    scenario = script(child, "Backtest(data, Made, cash=10_000).run()\n1 / 0")
    assert scenario.claim is not None
    assert scenario.failure is not None
    assert scenario.failure["type"] == "ZeroDivisionError"


@pytest.mark.parametrize("data", [b"", b"read", b'{"broken": "no numpy\\u001b"}\n', b"[1]\n", b'{"broken": '])
def test_a_channel_without_ready_ran_no_strategy(data: bytes) -> None:
    result = read_child_result(data, [BARS])
    assert not result.ready
    assert result.scenarios == ()
    assert result.broken in ("", "no numpy\\x1b")


def test_nothing_after_ready_is_nothing_reported() -> None:
    assert read_child_result(b"ready\n", [BARS]).scenarios == ()


def test_a_line_cut_short_is_no_result(document: dict[str, Any]) -> None:
    second = {**document, "scenario": 1}
    data = channel(document, second)
    result = read_child_result(data[:-1], [BARS, BARS])
    assert len(result.scenarios) == 1
    assert result.scenarios[0].claim is not None


def test_each_scenario_is_read_with_its_own_bars(document: dict[str, Any]) -> None:
    short = BarArrays(BARS.time[:50] if BARS.time is not None else None, *[BARS.close[:50]] * 4)
    result = read_child_result(channel(document, {**document, "scenario": 1}), [BARS, short])
    assert result.scenarios[0].claim is not None
    assert "300 values" in result.scenarios[1].garbage


@pytest.mark.parametrize("after", [b"x", b"{}\n", b"\n", b'{"scenario": 0}\n'])
def test_more_than_was_asked_for_makes_everything_garbage(document: dict[str, Any], after: bytes) -> None:
    [scenario] = read_child_result(channel(document) + after, [BARS]).scenarios
    assert scenario.garbage
    assert scenario.claim is None


def test_scenarios_out_of_order_are_garbage(document: dict[str, Any]) -> None:
    result = read_child_result(channel({**document, "scenario": 1}, document), [BARS, BARS])
    assert all(scenario.garbage and scenario.claim is None for scenario in result.scenarios)


@pytest.mark.parametrize("value", ["[],", "0,", '"ab",', "{},"])
def test_a_document_of_far_more_values_than_any_result_has_is_not_even_read(value: str) -> None:
    line = '{"scenario": 0, "x": [' + value * 100_000 + "0]}\n"
    [scenario] = read_child_result(b"ready\n" + line.encode(), [BARS]).scenarios
    assert "too many values" in scenario.garbage


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("result", "equity"), packed(np.ones(ROWS - 1))),
        (("result", "equity"), "AAAA"),
        (("result", "equity"), "not base64!"),
        (("result", "equity"), None),
        (("result", "equity"), [1.0] * ROWS),
        (("result", "trades", "size"), packed([1.0])),
        (("result", "trades", "entry_bar"), packed(np.full(4, np.nan))),
        (("result", "tags"), ["x"]),
        (("result", "tags"), "xx"),
        (("result", "tags"), "AAAAAAAA"),
        (("result", "order_prices"), packed(np.ones(10**6))),
        (("result", "trades"), []),
        (("result", "stats"), {}),
        (("result", "stats", "Return [%]"), True),
        (("result", "stats", "Return [%]"), 10**400),
        (("result", "stats", "Sharpe Ratio"), {"ts": "2020-01-01"}),
        (("result", "orders", "placed"), -1),
        (("result", "orders", "placed"), 1.5),
        (("result", "orders", "first_order_bar"), ROWS),
        (("result", "orders", "cancelled"), {"because": 1}),
        (("result", "orders", "cancelled"), [1]),
        (("result", "account", "cash"), "much"),
        (("result", "account", "hedging"), 0),
        (("result", "account", "bars"), ROWS + 1),
        (("result", "account", "backtests"), 2**60),
        (("result", "hold_bar"), ROWS),
        (("result", "unit"), 0.5),
        (("result", "unit"), "nan"),
        (("result", "bars"), {}),
        (("result", "first_without_margin"), {"bar": 1}),
        (("result",), None),
        (("result",), [[]]),
        (("failure",), "x"),
        (("scenario",), "0"),
        (("scenario",), None),
    ],
)
def test_what_is_not_a_result_is_garbage(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    scenario = read(changed(document, path, value))
    assert scenario.garbage
    assert scenario.claim is None


@pytest.mark.parametrize("bar", [-1.0, 1.5, float(ROWS), math.nan, math.inf])
@pytest.mark.parametrize("column", ["entry_bar", "exit_bar"])
def test_trades_outside_the_bars_are_garbage(document: dict[str, Any], column: str, bar: float) -> None:
    count = len(base64.b64decode(document["result"]["trades"]["size"])) // 8
    bars = np.full(count, 5.0)
    bars[-1] = bar
    assert "bar numbers" in read(changed(document, ("result", "trades", column), packed(bars))).garbage


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"scenario": 0, "result": NaN}',
        b'{"scenario": 0, "result": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b"null",
        b"0",
        b"",
        b"{}",
    ],
)
def test_lines_that_are_no_documents_are_garbage(line: bytes) -> None:
    [scenario] = read_child_result(b"ready\n" + line + b"\n", [BARS]).scenarios
    assert scenario.garbage
    assert len(scenario.garbage) < 500


def test_garbage_is_safe_to_show() -> None:
    [scenario] = read_child_result(b'ready\n{"scenario": "\\u001b[31m"}\n', [BARS]).scenarios
    assert "\x1b" not in scenario.garbage


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from paths(inner, (*path, key))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["nan", "inf", "-inf", {"ts": "2020-01-01"}, {"seconds": -1}, {"bar": 1}, {"bars": 1e300}]
    ),
    st.lists(st.integers(), max_size=3),
    st.lists(st.floats(width=64), max_size=400).map(packed),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_gives_a_result_or_garbage_and_never_an_exception(
    document: dict[str, Any], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(sorted(paths(document))))
    scenario = read(changed(document, path, data.draw(ODD)))
    assert (scenario.claim is None) == bool(scenario.garbage) or path == ("result",)
    if scenario.claim is not None:
        assert scenario.equity is not None
        assert len(scenario.equity.equity) == len(scenario.claim.equity) == ROWS
        assert len(scenario.trades) == len(scenario.claim.trades.size)
        assert json.dumps(scenario.claim.stats.to_json(), allow_nan=False)
