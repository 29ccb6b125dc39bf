"""What is observed of real backtests, and that observing changes none of them."""

from __future__ import annotations

import base64
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from child_runs import ChildRuns, channel, walk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.base import CheckStatus
from runners.child_result import read_child_result
from runners.claim import BarArrays
from runners.verification import check_numbers

ARRAYS = walk()
ROWS = len(ARRAYS["time"])

STRATEGY = """
import numpy as np
from backtesting import Backtest, Strategy


class Made(Strategy):
    def init(self):
{init}

    def next(self):
{next}
"""

READ = """
import pandas as pd
data = pd.read_csv("/home/someone/prices.csv", index_col="datetime", parse_dates=True)
data.columns = [name.capitalize() for name in data.columns]
"""

# Draws its actions from a generator of its own, so that it does the same wherever it runs.
RANDOM = """
import numpy as np
from backtesting import Backtest, Strategy


class Made(Strategy):
    seed = {seed}

    def init(self):
        self.draw = np.random.default_rng(self.seed)

    def next(self):
        price, action = self.data.Close[-1], self.draw.integers(12)
        order = self.buy if self.draw.random() < 0.5 else self.sell
        up = 1 if order == self.buy else -1
        if action == 0:
            order(size=0.3)
        elif action == 1:
            order(size=int(self.draw.integers(1, 60)))
        elif action == 2:
            order(limit=price * (1 - up * 0.02), size=0.2)
        elif action == 3:
            order(stop=price * (1 + up * 0.01), size=5, tag="stop")
        elif action == 4:
            order(size=0.25, sl=price * (1 - up * 0.03), tp=price * (1 + up * 0.05))
        elif action == 5:
            self.position.close(0.5)
        elif action == 6:
            self.position.close()
        elif action == 7 and self.orders:
            self.orders[0].cancel()
        elif action == 8 and self.trades:
            self.trades[0].sl = price * (0.95 if self.trades[0].is_long else 1.05)
        elif action == 9:
            try:
                order(size=1.5)
            except AssertionError:
                pass
"""
RUN = "stats = Backtest(data, Made, cash=10_000, {options}).run()"


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildRuns]:
    runs = ChildRuns(tmp_path_factory.mktemp("child"), ARRAYS)
    yield runs
    runs.close()


def made(next_code: str, init_code: str = "pass") -> str:
    def body(code: str) -> str:
        return "\n".join(f"        {line}" for line in code.splitlines())

    return STRATEGY.format(init=body(init_code), next=body(next_code))


def observed(child: ChildRuns, source: str, mode: str = "class", **terms: float) -> dict[str, Any]:
    document = child.run(source, mode, **terms)
    assert "failure" not in document, document["failure"]["traceback"]
    result: dict[str, Any] = document["result"]
    return result


def orders(child: ChildRuns, next_code: str, **terms: float) -> dict[str, Any]:
    counts: dict[str, Any] = observed(child, made(next_code), **terms)["orders"]
    return counts


def column(text: str, kind: str = "<f8") -> list[float]:
    values: list[float] = np.frombuffer(base64.b64decode(text), kind).tolist()
    return values


def frame() -> pd.DataFrame:
    index = pd.DatetimeIndex(ARRAYS["time"].view("datetime64[ns]"), name="Date")
    return pd.DataFrame(
        {name: ARRAYS[name] for name in ("Open", "High", "Low", "Close", "Volume")}, index=index
    )


def plain(source: str, **options: Any) -> Any:
    """The same backtest in this process, which nothing observes."""
    from backtesting import Backtest

    names: dict[str, Any] = {"__name__": "strategy"}
    exec(source, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Backtest(frame(), names["Made"], **options).run()


def test_an_order_too_large_for_the_cash_is_cancelled_for_margin(child: ChildRuns) -> None:
    result = observed(child, made("if len(self.data) == 50: self.buy(size=1000)"))
    counts = result["orders"]
    assert (counts["placed"], counts["filled"], counts["cancelled"]) == (1, 0, {"margin": 1})
    assert counts["signals"] == 1
    assert counts["first_order_bar"] == 49
    assert result["first_without_margin"] == {
        "bar": 50,
        "size": 1000.0,
        "price": ARRAYS["Close"][50],
        "available": 10_000.0,
    }


def test_an_order_that_closes_what_is_open_and_then_lacks_margin_counts_as_cancelled(
    child: ChildRuns,
) -> None:
    counts = orders(
        child, "if len(self.data) == 50: self.sell(size=10)\nif len(self.data) == 60: self.buy(size=1000)"
    )
    assert (counts["placed"], counts["filled"], counts["cancelled"]) == (2, 1, {"margin": 1})


def test_a_fraction_that_pays_for_no_unit_is_cancelled_for_margin(child: ChildRuns) -> None:
    assert orders(child, "if len(self.data) == 50: self.buy(size=0.001)")["cancelled"] == {"margin": 1}


def test_margin_is_noticed_although_the_strategy_silences_warnings(child: ChildRuns) -> None:
    silent = "import warnings\nwarnings.warn = lambda *_, **__: None\n"
    source = silent + made("self.buy(size=1000)")
    assert observed(child, source)["orders"]["cancelled"] == {"margin": ROWS - 1}


def test_an_order_that_the_strategy_cancels_is_counted_so(child: ChildRuns) -> None:
    counts = orders(child, "for order in self.orders: order.cancel()\nself.buy(limit=1)")
    assert counts["cancelled"] == {"by_strategy": ROWS - 2}
    assert counts["pending"] == 1


def test_an_order_that_the_next_one_replaces_is_exclusive(child: ChildRuns) -> None:
    source = READ + made("self.buy(limit=1)") + RUN.format(options="exclusive_orders=True")
    counts = observed(child, source, "script")["orders"]
    assert counts["cancelled"] == {"exclusive": ROWS - 2}
    assert counts["pending"] == 1


def test_a_call_that_raises_is_refused_and_still_a_signal(child: ChildRuns) -> None:
    counts = orders(child, "try: self.buy(size=1.5)\nexcept AssertionError: pass")
    assert (counts["signals"], counts["refused"], counts["placed"]) == (ROWS - 1, ROWS - 1, 0)
    assert counts["first_order_bar"] is None


def test_several_calls_on_a_bar_are_one_signal(child: ChildRuns) -> None:
    counts = orders(
        child, "if len(self.data) == 50: self.buy(size=1); self.buy(size=1); self.position.close()"
    )
    assert (counts["signals"], counts["placed"]) == (1, 2)


def test_stop_losses_and_targets_are_counted_apart_and_their_prices_kept(child: ChildRuns) -> None:
    code = "if len(self.data) == 50: self.buy(size=1, sl=1.5, tp=999.5)\nif len(self.data) == 60: self.buy(limit=2.5)"
    result = observed(child, made(code))
    assert result["orders"]["contingent"] == 2
    assert result["orders"]["placed"] == 2
    assert sorted(column(result["order_prices"])) == [1.5, 2.5, 999.5]


def test_what_the_engine_closes_at_the_end_is_no_order_of_the_strategy(child: ChildRuns) -> None:
    result = observed(child, made("if len(self.data) == 50: self.buy(size=7)"))
    assert (result["orders"]["placed"], result["orders"]["filled"], result["orders"]["pending"]) == (1, 1, 0)
    assert result["orders"]["signals"] == 1
    assert column(result["trades"]["exit_bar"]) == [ROWS - 1]
    assert result["orders"]["exposure_bars"] == ROWS - 50


def test_bars_before_every_indicator_has_a_value_are_warm_up(child: ChildRuns) -> None:
    result = observed(
        child, made("pass", "self.x = self.I(lambda: np.r_[np.full(40, np.nan), np.ones(260)])")
    )
    assert (result["orders"]["warmup_bars"], result["orders"]["bars"]) == (41, ROWS - 41)
    assert result["hold_bar"] == 40


def test_no_bar_is_left_when_an_indicator_gets_its_value_on_the_last(child: ChildRuns) -> None:
    result = observed(child, made("pass", "self.x = self.I(lambda: np.r_[np.full(299, np.nan), 1.0])"))
    assert (result["orders"]["warmup_bars"], result["orders"]["bars"]) == (ROWS, 0)


def test_the_bars_of_a_lost_account_end_where_it_was_lost(child: ChildRuns) -> None:
    code = "self.position.close()\n(self.buy if len(self.data) % 2 else self.sell)(size=0.99)"
    result = observed(child, made(code), margin=0.02)
    equity = column(result["equity"])
    lost = equity.index(0.0)
    assert result["stats"]["Equity Final [$]"] == 0
    assert result["orders"]["bars"] == lost - 1


def test_a_trade_that_stays_open_is_reported_as_open(child: ChildRuns) -> None:
    source = (
        READ + made("if len(self.data) == 50: self.sell(size=3)") + RUN.format(options="commission=0.001")
    )
    result = observed(child, source, "script")
    assert column(result["open_trades"]["size"]) == [-3.0]
    assert column(result["open_trades"]["entry_bar"]) == [50.0]
    assert column(result["trades"]["size"]) == []
    assert result["orders"]["exposure_bars"] == ROWS - 50


def test_the_account_is_what_the_script_gave_backtest(child: ChildRuns) -> None:
    options = "commission=(2, 0.001), spread=0.01, margin=0.5, trade_on_close=True, hedging=True, finalize_trades=True"
    result = observed(child, READ + made("pass") + RUN.format(options=options), "script")
    assert result["account"] == {
        "strategy": "Made",
        "cash": 10_000,
        "spread": 0.01,
        "commission": 0.001,
        "commission_fixed": 2,
        "margin": 0.5,
        "trade_on_close": True,
        "hedging": True,
        "exclusive_orders": False,
        "finalize_trades": True,
        "bars": ROWS,
        "backtests": 1,
    }


def test_a_commission_that_a_function_computes_has_no_rate(child: ChildRuns) -> None:
    source = READ + made("pass") + RUN.format(options="commission=lambda size, price: 1.0")
    assert observed(child, source, "script")["account"]["commission"] is None


def test_the_best_run_of_an_optimization_is_the_last_one_and_all_are_counted(child: ChildRuns) -> None:
    code = "if len(self.data) == self.bar: self.buy()\nif len(self.data) == 200: self.position.close()"
    source = (
        READ
        + made(code).replace("    def init", "    bar = 20\n    def init")
        + (
            "best = Backtest(data, Made, cash=10_000).optimize(bar=[20, 60, 100], maximize='Return [%]')\n"
            "assert best['_strategy'].bar != 20\nprint(best['_strategy'].bar)\n"
            "expected = best['Return [%]']\n"
            "runs = [Backtest(data, Made, cash=10_000).run(bar=best['_strategy'].bar)['Return [%]']]\n"
            "assert runs == [expected]\n"
        )
    )
    result = observed(child, source, "script")
    assert result["account"]["backtests"] == 5
    assert len(column(result["trades"]["size"])) == 1


def test_a_script_that_edits_its_statistics_changes_nothing(child: ChildRuns) -> None:
    source = READ + RANDOM.format(seed=1) + RUN.format(options="commission=0.001")
    edits = (
        "\nstats['Return [%]'] = 1e9\nstats._equity_curve.iloc[:, 0] = 2\nstats._trades['PnL'] = 0\n"
        "stats.drop('SQN', inplace=True)\ndata.iloc[:] = 1.0\n"
    )
    assert observed(child, source + edits, "script") == observed(child, source, "script")


def test_fractional_trades_are_in_the_engines_units(child: ChildRuns) -> None:
    source = READ.replace(
        "import pandas as pd", "import pandas as pd\nfrom backtesting.lib import FractionalBacktest"
    )
    run = RUN.replace("Backtest", "FractionalBacktest").format(options="fractional_unit=1e-3")
    result = observed(
        child,
        source + made("if len(self.data) == 50: self.buy(size=7)\nself.position.close()") + run,
        "script",
    )
    assert result["unit"] == 1e-3
    assert column(result["trades"]["size"]) == [7.0]
    assert column(result["bars"]["Close"])[0] == pytest.approx(ARRAYS["Close"][0] * 1e-3, rel=1e-12)
    assert column(result["trades"]["entry_price"])[0] == pytest.approx(ARRAYS["Open"][50] * 1e-3, rel=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        "",
        "data.index = data.index.tz_localize('UTC').tz_convert('Asia/Tokyo')",
        "data.index = data.index.as_unit('us')",
        "data.index = data.index.as_unit('s')",
    ],
)
def test_times_of_every_kind_come_out_as_utc_nanoseconds(child: ChildRuns, change: str) -> None:
    source = READ + change + "\n" + made("pass") + RUN.format(options="commission=0")
    bars = observed(child, source, "script")["bars"]
    assert column(bars["time"], "<i8") == ARRAYS["time"].tolist()
    assert column(bars["Low"]) == pytest.approx(ARRAYS["Low"].tolist(), rel=1e-14)


def test_data_without_times_has_bar_numbers(child: ChildRuns) -> None:
    source = (
        READ
        + "data = data.reset_index(drop=True)\n"
        + RANDOM.format(seed=3)
        + RUN.format(options="commission=0")
    )
    result = observed(child, source, "script")
    assert result["bars"]["time"] is None
    assert result["stats"]["Start"] == {"bar": 0}
    assert result["stats"]["End"] == {"bar": ROWS - 1}
    assert result["stats"]["Duration"] == {"bars": ROWS - 1}
    assert result["stats"]["Max. Drawdown Duration"]["bars"] > 1
    assert "CAGR [%]" not in result["stats"]


@pytest.mark.parametrize(
    "change",
    [
        "data.index = data.index.where(data.index < data.index[-1])",
        "data.index = pd.to_datetime(data.index.as_unit('ms').asi8, unit='s')",
    ],
    ids=["the last time is unknown", "milliseconds taken for seconds"],
)
def test_a_backtest_on_times_that_cannot_be_written_down_has_its_other_figures(
    child: ChildRuns, change: str
) -> None:
    source = READ + change + "\n" + RANDOM.format(seed=1) + RUN.format(options="commission=0.001")
    bars = BarArrays(**{name.lower(): ARRAYS[name] for name in ("time", "Open", "High", "Low", "Close")})
    read = read_child_result(channel(child.run(source, "script")), [bars]).scenarios[0]
    assert read.garbage == ""
    assert read.claim is not None
    assert read.own_bars is not None
    assert read.claim.stats.end is None
    assert read.claim.stats.trades == len(read.trades) > 0
    assert check_numbers(read.claim, read.own_bars, agreed=None).status is CheckStatus.CANNOT_TELL


@pytest.mark.parametrize(
    "moves",
    [
        "for order in self.orders: order._replace(limit_price=self.data.Close[-1] * 0.999)",
        "self._broker.orders = [order for order in self._broker.orders if order.limit]",
    ],
    ids=["an order is given another price", "the list of orders is replaced"],
)
def test_orders_that_are_moved_behind_the_engines_back_do_not_make_numbers_invalid(
    child: ChildRuns, moves: str
) -> None:
    code = (
        f"if len(self.data) % 3:\n    {moves}\n"
        "if len(self.data) % 20 == 0: self.buy(limit=self.data.Close[-1] * 0.98, size=0.2)\n"
        "if len(self.data) % 50 == 0: self.position.close()"
    )
    source = READ + made(code) + RUN.format(options="spread=-0.001")
    bars = BarArrays(**{name.lower(): ARRAYS[name] for name in ("time", "Open", "High", "Low", "Close")})
    read = read_child_result(channel(child.run(source, "script")), [bars]).scenarios[0]
    assert read.claim is not None
    assert read.trades
    assert check_numbers(read.claim, bars, agreed=None).status is CheckStatus.CONFIRMED


def test_an_account_that_becomes_infinite_is_a_failure(child: ChildRuns) -> None:
    document = child.run(made("self._broker._cash = float('inf')"))
    assert document["failure"]["type"] == "NotFiniteError"
    assert "result" not in document


def test_what_is_replaced_looks_as_before(child: ChildRuns) -> None:
    looks = (
        "import inspect\nfrom backtesting import backtesting as engine\n"
        "names = ['self', 'size', 'limit', 'stop', 'sl', 'tp', 'tag']\n"
        "assert list(inspect.signature(Strategy.buy).parameters) == names\n"
        "assert list(inspect.signature(engine.Trade.close).parameters) == ['self', 'portion']\n"
        "assert 'Run the backtest' in Backtest.run.__doc__\n"
        "assert Backtest.run.__qualname__ == 'Backtest.run'\n"
        "assert engine._Broker.__name__ == '_Broker' and engine._Broker.__module__ == 'backtesting.backtesting'\n"
    )
    observed(child, READ + made("pass") + looks + RUN.format(options="commission=0"), "script")


def test_warnings_of_the_engine_name_the_line_of_the_script(child: ChildRuns) -> None:
    run = RUN.format(options="commission=0")
    source = (
        f"{READ}import warnings\n{made('self.buy(size=3)')}"
        f"with warnings.catch_warnings(record=True) as seen:\n    warnings.simplefilter('always')\n    {run}\n"
        "places = {str(w.message)[:24]: w.filename for w in seen}\n"
        "assert places['Some trades remain open '] == 'strategy.py', places\n"
        "margin = next(w for w in seen if 'insufficient margin' in str(w.message))\n"
        "assert margin.filename.endswith('backtesting.py'), margin.filename\n"
    )
    observed(child, source, "script")


def test_bars_can_be_written_to_without_reaching_anyone_else(child: ChildRuns, tmp_path: Path) -> None:
    spoil = (
        "values = np.asarray(self.data.Close)\n"
        "while isinstance(values.base, np.ndarray): values = values.base\n"
        "values.setflags(write=True)\nvalues[:] = 1.0"
    )
    honest = made("if len(self.data) == 50: self.buy()")
    before = observed(child, honest)
    document = child.run(made("pass", spoil))
    assert "failure" in document or document["result"]["stats"]["Buy & Hold Return [%]"] == 0
    assert observed(child, honest) == before


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    commission=st.sampled_from([0.0, 0.002]),
    margin=st.sampled_from([1.0, 0.25]),
    spread=st.sampled_from([0.0, 0.001]),
)
def test_observing_changes_no_figure_and_accounts_for_every_order(
    child: ChildRuns, seed: int, commission: float, margin: float, spread: float
) -> None:
    source, terms = RANDOM.format(seed=seed), {"commission": commission, "margin": margin, "spread": spread}
    result = observed(child, source, **terms)
    expected = plain(source, cash=10_000.0, finalize_trades=True, **terms)
    assert column(result["equity"]) == expected._equity_curve["Equity"].tolist()
    assert column(result["trades"]["pnl"]) == expected._trades["PnL"].tolist()
    for key, value in expected.items():
        if key.startswith("_"):
            continue
        if isinstance(value, float) and not math.isnan(value):
            assert result["stats"][key] == value
        else:
            assert key in result["stats"]
    counts = result["orders"]
    assert counts["placed"] == counts["filled"] + sum(counts["cancelled"].values()) + counts["pending"]
    closed = round(expected["Exposure Time [%]"] * ROWS / 100)
    still_open = column(result["open_trades"]["entry_bar"])  # an order that was filled on the very last bar
    assert set(still_open) <= {ROWS - 1}
    assert closed <= counts["exposure_bars"] <= closed + len(still_open)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    close=st.booleans(),
    exclusive=st.booleans(),
    hedging=st.booleans(),
    end=st.booleans(),
)
def test_every_order_is_accounted_for_whatever_the_account_allows(
    child: ChildRuns, seed: int, close: bool, exclusive: bool, hedging: bool, end: bool
) -> None:
    options = (
        f"trade_on_close={close}, exclusive_orders={exclusive}, hedging={hedging}, finalize_trades={end}"
    )
    source = READ + RANDOM.format(seed=seed) + RUN.format(options=options)
    counts = observed(child, source, "script")["orders"]
    assert counts["placed"] == counts["filled"] + sum(counts["cancelled"].values()) + counts["pending"]
    assert counts["placed"] > 0
