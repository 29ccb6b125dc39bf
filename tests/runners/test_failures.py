"""Strategies that fail in the ways that strategies do: each gets its name, its line and a hint that helps."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from child_runs import ChildRuns, channel, walk

from runners.base import BarsFile, Captured, CheckStatus, Failure, FailureKind, Mode, NumbersCheck, RunRequest
from runners.child_result import ScenarioResult, read_child_result
from runners.claim import BarArrays
from runners.failures import diagnose, find_failure, forged
from runners.limits import Limits
from runners.process import READY, Ending, Stop

ARRAYS = walk()
BARS = BarArrays(ARRAYS["time"], *(ARRAYS[name] for name in ("Open", "High", "Low", "Close")))
TOP = "import os\nimport numpy as np\nimport pandas as pd\nfrom backtesting import Backtest, Strategy\n"
K = FailureKind

needs_talib = pytest.mark.skipif(importlib.util.find_spec("talib") is None, reason="talib is not installed")
needs_pandas_ta = pytest.mark.skipif(
    importlib.util.find_spec("pandas_ta_classic") is None, reason="pandas_ta_classic is not installed"
)


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildRuns]:
    runs = ChildRuns(tmp_path_factory.mktemp("child"), ARRAYS)
    yield runs
    runs.close()


def in_next(code: str, init_code: str = "pass") -> str:
    """A strategy with ``code`` in line 9 and what follows it, and ``init_code`` in line 7."""
    return (
        f"{TOP}class Made(Strategy):\n    def init(self):\n        {init_code}\n    def next(self):\n"
        + "".join(f"        {line}\n" for line in code.splitlines())
    )


def in_init(code: str) -> str:
    return in_next("pass", code)


def ended(exit_code: int | None = 0, *, stop: Stop | None = None, stderr: str = "", **changes: Any) -> Ending:
    values: dict[str, Any] = {
        "channel_lost": False,
        "strays": 0,
        "max_rss": 100 << 20,
        "result": READY,
        **changes,
    }
    return Ending(
        stop=stop,
        started=True,
        exit_code=exit_code,
        stdout=Captured(),
        stderr=Captured(tail=stderr),
        elapsed_s=(0.1,),
        **values,
    )


def asked(source: str = "x = 1\ny = 2\n", mode: Mode = Mode.CLASS) -> RunRequest:
    return RunRequest(source, BarsFile("WALK", "dev", 300, "", Path("walk.npz")), mode=mode)


def scenario_of(child: ChildRuns, source: str, mode: str = "class", **terms: float) -> ScenarioResult:
    [scenario] = read_child_result(channel(child.run(source, mode, **terms)), [BARS]).scenarios
    assert scenario.garbage == ""
    return scenario


def failure_of(child: ChildRuns, source: str, mode: str = "class", **terms: float) -> Failure:
    scenario = scenario_of(child, source, mode, **terms)
    failure = find_failure(ended(), scenario, asked(source, Mode(mode)), Limits()) or diagnose(scenario)
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("self.data.Close.shift(1)", K.ARRAY_AS_SERIES, "pd.Series"),
        ("self.data.Close.rolling(5).mean()", K.ARRAY_AS_SERIES, "pd.Series"),
        ("self.data.Close[-1].iloc[0]", K.ARRAY_AS_SERIES, "single number"),
        ("pd.Series([1.0]).fillna(self.data.Open)", K.ARRAY_AS_SERIES, "pd.Series"),
        ("self.buy(); self.trades[-1].sl = 1", K.ERROR, "on the next bar"),
        ("self.data.vix", K.DATA_MISSING, "no other data"),
        ("self.data.df['funding_rate']", K.DATA_MISSING, "no other data"),
        ("open('/no/such/prices.csv')", K.DATA_MISSING, "self.data"),
        ("self.data.close", K.COLUMN, "Open, High, Low, Close"),
        ("self.data['close']", K.COLUMN, "Open, High, Low, Close"),
        ("self.data.df['close']", K.COLUMN, "Open, High, Low, Close"),
        ("self.data.df[['open', 'close']]", K.COLUMN, "Open, High, Low, Close"),
        ("self.data.df.close", K.COLUMN, "Open, High, Low, Close"),
        ("self.data.datetime[-1]", K.COLUMN, "self.data.index"),
        ("self.data.iloc[-1]", K.INVENTED_ATTRIBUTE, "self.data.df"),
        ("self.data['sma'] = 1", K.INVENTED_ATTRIBUTE, "self.I"),
        ("self.data.Close = 1", K.INVENTED_ATTRIBUTE, "self.I"),
        ("self.position.entry_price", K.INVENTED_ATTRIBUTE, "self.trades[-1].entry_price"),
        ("self.position()", K.INVENTED_ATTRIBUTE, "is_long"),
        ("self.broker.get_cash()", K.INVENTED_ATTRIBUTE, "self.equity"),
        ("self._broker.cash", K.INVENTED_ATTRIBUTE, "self.equity"),
        ("self.i", K.INVENTED_ATTRIBUTE, "len(self.data) - 1"),
        ("self._i", K.INVENTED_ATTRIBUTE, "len(self.data) - 1"),
        ("self.sma[-1]", K.INVENTED_ATTRIBUTE, "in init"),
        ("self.equity = 5", K.INVENTED_ATTRIBUTE, "another name"),
        ("self.buy().status", K.INVENTED_ATTRIBUTE, "an order has size"),
        ("np.NaN", K.INVENTED_ATTRIBUTE, "installed version"),
        ("self.position.size()", K.INVENTED_ATTRIBUTE, "leave the brackets out"),
        ("np.no_such_function()", K.INVENTED_ATTRIBUTE, "no function of that name"),
        ("pd.DataFrame().append({})", K.INVENTED_ATTRIBUTE, "installed version"),
        ("self.buy(5)", K.ARGUMENTS, "keyword arguments only"),
        ("self.buy(price=5)", K.ARGUMENTS, "size, limit, stop, sl, tp"),
        ("self.position.close(price=5)", K.ARGUMENTS, "portion"),
        ("pd.Series([1.0]).fillna(method='ffill')", K.ARGUMENTS, "installed version"),
        ("self.buy(size=1.5)", K.ORDER_SIZE, "whole number"),
        ("self.buy(size=0)", K.ORDER_SIZE, "skip the order"),
        ("self.sell(size=float('nan'))", K.ORDER_SIZE, "not a number"),
        ("self.buy(size='all')", K.ORDER_SIZE, "whole number"),
        ("self.buy(sl=self.data.Close[-1] * 2)", K.ORDER_PRICE, "sl < entry price < tp"),
        ("self.sell(tp=self.data.Close[-1] * 2)", K.ORDER_PRICE, "tp < entry price < sl"),
        ("self.buy(sl=float('nan'))", K.ORDER_PRICE, "NaN"),
        ("self.buy(tp=np.array([1.0, 2.0]))", K.ORDER_PRICE, "single finite numbers"),
        ("int(float('nan'))", K.NOT_FINITE, "np.isfinite"),
        ("1 / 0", K.ERROR, "line shown"),
        ("crossover(1, 2)", K.ERROR, "import that name"),
        ("self.data.Close[-500]", K.ERROR, "len(self.data)"),
        ("pd.Series([1.0, 2.0])[-1]", K.ERROR, ".iloc[-1]"),
        ("None > 3", K.ERROR, "None"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", K.FORBIDDEN, "network"),
        ("import urllib.request as u; u.urlopen('http://127.0.0.1:9/')", K.FORBIDDEN, "network"),
        ("import socket; raise socket.gaierror(-3, 'Temporary failure')", K.FORBIDDEN, "network"),
        ("raise PermissionError(1, 'Operation not permitted')", K.FORBIDDEN, "no other process"),
        ("raise BlockingIOError(11, 'Resource temporarily unavailable')", K.FORBIDDEN, "processes"),
        ('raise RuntimeError("can\'t start new thread")', K.FORBIDDEN, "threads"),
        ("raise OSError(28, 'No space left on device')", K.SCRATCH, "work folder"),
        ("raise OSError(27, 'File too large')", K.SCRATCH, "work folder"),
        ("raise MemoryError", K.MEMORY, "less memory"),
        ("input()", K.INPUT, "nobody answers"),
        ("exit()", K.EXITED, "sys.exit"),
        ("os.environ['KEY']", K.ENVIRONMENT_READ, "class attribute"),
        ("import no_such_package", K.IMPORT, "pandas_ta"),
        ("from backtesting.lib import adx", K.IMPORT, "only names that they have"),
    ],
)
def test_what_goes_wrong_in_next_has_its_name_and_line(
    child: ChildRuns, code: str, kind: FailureKind, hint: str
) -> None:
    failure = failure_of(child, in_next(code))
    assert failure.kind is kind, failure
    assert hint in failure.hint
    assert failure.line == 9
    assert failure.source_line == code


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("self.I(lambda values: values.rolling(5).mean(), self.data.Close)", K.ARRAY_AS_SERIES, "pd.Series"),
        ("self.I(lambda: None)", K.INDICATOR_SHAPE, "not None"),
        ("self.I(lambda: 3.0)", K.INDICATOR_SHAPE, "as long as the data"),
        ("self.I(lambda values: values[5:], self.data.Close)", K.INDICATOR_SHAPE, "as long as the data"),
        ("self.I(lambda values: (values, values), self.data.Close, name=['a'])", K.INDICATOR_SHAPE, "arrays"),
        ("self.I(lambda values: values + np.ones(3), self.data.Close)", K.INDICATOR_SHAPE, "equally long"),
        ("self.I(lambda values: None['x'], self.data.Close)", K.INDICATOR_SHAPE, "pandas_ta"),
        ("a, b = self.I(lambda v: (v, v, v), self.data.Close)", K.INDICATOR_SHAPE, "how many arrays"),
        (
            "self.I(lambda v: v if np.asarray(v) > 3 else -v, self.data.Close)",
            K.INDICATOR_SHAPE,
            "self.indicator[-1]",
        ),
        ("self.I(lambda: pd.DataFrame()['BBU_20_2.0'])", K.COLUMN, ".columns"),
        ("self.I()", K.ARGUMENTS, "self.I(function"),
        ("self.I(lambda values, n: values, self.data.Close)", K.ARGUMENTS, "arguments"),
        ("self.I(lambda v: v, self.data.Close, name=5)", K.ARGUMENTS, "name="),
        pytest.param(
            "import talib; self.I(talib.SMA, np.arange(300), 5)", K.ARGUMENTS, "float64", marks=needs_talib
        ),
        pytest.param("import talib; talib.SUPER(1)", K.INVENTED_ATTRIBUTE, "no function", marks=needs_talib),
        pytest.param(
            "import pandas_ta as ta; self.I(ta.sma, self.data.Close, 20)",
            K.INDICATOR_SHAPE,
            "pd.Series",
            marks=needs_pandas_ta,
        ),
        pytest.param(
            "import pandas_ta as ta; ta.no_such()", K.INVENTED_ATTRIBUTE, "no function", marks=needs_pandas_ta
        ),
    ],
)
def test_what_goes_wrong_in_an_indicator_has_its_name_and_line(
    child: ChildRuns, code: str, kind: FailureKind, hint: str
) -> None:
    failure = failure_of(child, in_init(code))
    assert failure.kind is kind, failure
    assert hint in failure.hint
    assert failure.line == 7


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("class A(:\n    pass", K.SYNTAX, 1),
        ("x = 1", K.NO_STRATEGY_CLASS, None),
        (f"{TOP}class Made(Strategy):\n    def next(self): pass\n", K.ERROR, None),
        (f"{in_next('pass')}    def __init__(self): pass\n", K.ARGUMENTS, None),
        (f"{TOP}from backtesting.test import GOOG\nlen(GOOG)\n", K.DATA_MISSING, 6),
        (f"{TOP}Backtest(pd.DataFrame(), Strategy)\n", K.DATA_MISSING, 5),
        (in_next("self._broker._cash = float('nan')"), K.NOT_FINITE, None),
        (
            in_next(
                "self.x = self.I(np.ones, len(self.data))\nself.position.close() if self.position else self.buy()"
            ),
            K.INDICATOR_SHAPE,
            None,
        ),
    ],
)
def test_modules_that_cannot_be_used(
    child: ChildRuns, source: str, kind: FailureKind, line: int | None
) -> None:
    failure = failure_of(child, source)
    assert failure.kind is kind, failure
    assert failure.line == line


READ = f"{in_next('self.buy()')}data = pd.read_csv('prices.csv', index_col='datetime', parse_dates=True)\n"
NAMED = f"{READ}data.columns = [name.capitalize() for name in data.columns]\n"


@pytest.mark.parametrize(
    ("source", "kind", "hint"),
    [
        (NAMED, K.NO_BACKTEST, "Backtest(data, Strategy, ...).run()"),
        (f"{READ}Backtest(data, Made).run()", K.COLUMN, "rename the columns"),
        (f"{READ}data['Close']", K.COLUMN, "rename the columns"),
        (f"{READ}data.set_index('date')", K.COLUMN, "rename the columns"),
        (f"{READ}data.columns = ['a']", K.COLUMN, "Look at the columns"),
        (f"{READ}data['vix']", K.DATA_MISSING, "pd.read_csv"),
        (
            f"{NAMED}data.index = data.index.astype(str)\nBacktest(data, Made).run()",
            K.COLUMN,
            "DatetimeIndex",
        ),
        (f"{NAMED}data.iloc[3, 0] = np.nan\nBacktest(data, Made).run()", K.COLUMN, "NaN"),
        (f"{NAMED}Backtest(data[:0], Made).run()", K.DATA_MISSING, "No rows are left"),
        (f"{NAMED}Backtest('data', Made).run()", K.DATA_MISSING, "pd.read_csv"),
        (f"{NAMED}Backtest(data, Made, capital=5).run()", K.ARGUMENTS, "cash=, spread="),
        (f"{NAMED}Backtest(data, Made).run(n=5)", K.PARAMETER, "class attribute"),
        (f"{NAMED}Backtest(data, Made).run()['Commissions [$]']", K.ERROR, "stats.get"),
        (f"{NAMED}Backtest(data, Made).run()['Win Rate']", K.ERROR, "stats.get"),
        (f"{NAMED}Backtest(data, Made, cash=-5).run()", K.ARGUMENTS, "cash above 0"),
        (f"{NAMED}Backtest(data, Made, commission=0.5).run()", K.ARGUMENTS, "below 0.1"),
        (
            f"{NAMED}Backtest(data, Made).optimize(n=[1], constraint=lambda _: False)",
            K.PARAMETER,
            "constraint",
        ),
        (f"{NAMED}Backtest(data, Made).run()\nraise SystemExit(1)", K.EXITED, "reach its end"),
        ("from yfinance import download", K.IMPORT, "pandas_ta"),
        ("open('/no/such/file.json')", K.DATA_MISSING, "pd.read_csv"),
    ],
)
def test_what_goes_wrong_in_a_script_has_a_name_and_a_hint_for_scripts(
    child: ChildRuns, source: str, kind: FailureKind, hint: str
) -> None:
    failure = failure_of(child, source, "script")
    assert failure.kind is kind, failure
    assert hint in failure.hint


def test_a_strategy_that_trades_has_no_failure(child: ChildRuns) -> None:
    code = "self.position.close() if self.position else self.buy()"
    scenario = scenario_of(child, in_next(code))
    assert find_failure(ended(), scenario, asked(), Limits()) is None
    assert diagnose(scenario) is None


@pytest.mark.parametrize(
    ("code", "init_code", "kind", "message", "hint"),
    [
        ("pass", "pass", K.NEVER_ORDERED, "no order in 299 bars (after 1 bars of warm-up)", "Loosen"),
        ("self.position.close()", "pass", K.NEVER_ORDERED, "close was called on 299 bars", "Loosen"),
        (
            "self.buy()",
            "self.x = self.I(lambda: np.r_[np.full(299, np.nan), 1.0])",
            K.NEVER_ORDERED,
            "all 300 bars",
            "shorter",
        ),
        (
            "self.buy(size=1000)",
            "pass",
            K.ALL_CANCELLED,
            "299 cancelled for want of margin (cash 10000; the first, on bar 2, was for buying 1000 units at a",
            "int(self.equity",
        ),
        ("self.buy(size=0.001)", "pass", K.ALL_CANCELLED, "buying with 0.1000% of it", "one unit"),
        ("try: self.buy(size=1.5)\nexcept Exception: pass", "pass", K.ALL_CANCELLED, "299 refused", "hide"),
        (
            "[o.cancel() for o in self.orders]; self.buy(limit=1)",
            "pass",
            K.ALL_CANCELLED,
            "by the strategy",
            "leave it",
        ),
        ("self.orders or self.buy(limit=1)", "pass", K.NO_TRADES, "1 never filled", "market orders"),
    ],
)
def test_a_backtest_that_leads_nowhere_says_why_with_its_figures(
    child: ChildRuns, code: str, init_code: str, kind: FailureKind, message: str, hint: str
) -> None:
    failure = failure_of(child, in_next(code, init_code))
    assert failure.kind is kind, failure
    assert kind.has_numbers
    assert message in failure.message
    assert hint in failure.hint


def test_a_lost_account_is_bust_and_says_when(child: ChildRuns) -> None:
    code = "self.position.close(); (self.buy if len(self.data) % 2 else self.sell)(size=0.99)"
    failure = failure_of(child, in_next(code), margin=0.02)
    assert failure.kind is K.BUST
    assert "the account of 10000 was lost on bar" in failure.message


def test_a_script_whose_trades_stay_open_is_told_to_close_them(child: ChildRuns) -> None:
    source = f"{NAMED}Backtest(data, Made, cash=10_000).run()"
    failure = failure_of(child, source, "script")
    assert failure.kind is K.NO_TRADES
    assert "open at the end and none closed" in failure.message
    assert "finalize_trades=True" in failure.hint


@pytest.mark.parametrize(
    ("last", "hint"),
    [
        ("stats['Sharpe']", "stats.index"),
        ("def report(found): return found['Nope']\nreport(stats)", "stats.index"),
        ("trades = stats['_trades']\ntrades['Profit'].sum()", "PnL"),
        ("stats['_trades'].groupby('Direction')", "PnL"),
        ("stats['_equity_curve']['Balance']", "DrawdownPct"),
        ("stats, heatmap = Backtest(data, Made, cash=10_000).run()", "return_heatmap=True"),
    ],
)
def test_what_a_result_does_not_have_is_no_missing_data(child: ChildRuns, last: str, hint: str) -> None:
    source = f"{NAMED}stats = Backtest(data, Made, cash=10_000).run()\n{last}"
    failure = failure_of(child, source, "script")
    assert failure.kind is K.ERROR
    assert hint in failure.hint


def test_only_where_a_strategy_can_reach_its_supervisor_it_is_blamed_for_its_end() -> None:
    for guarded, kind in ((True, K.KILLED), (False, K.CRASHED)):
        failure = find_failure(ended(None, guarded=guarded), ScenarioResult(), asked(), Limits())
        assert failure is not None
        assert failure.kind is kind
    failure = find_failure(ended(None, result=b""), ScenarioResult(), asked(), Limits())
    assert failure is not None
    assert failure.kind is K.KILLED


def test_invalid_numbers_are_forged() -> None:
    failure = forged(NumbersCheck(CheckStatus.INVALID, "the equity on bar 5 is 7, not 6"))
    assert failure.kind is K.FORGED
    assert "the equity on bar 5 is 7, not 6" in failure.message


DUMP = 'Fatal Python error: Aborted\n\nStack (most recent call first):\n  File "{}strategy.py", line 2 in f\n'


@pytest.mark.parametrize(
    ("ending", "kind", "line"),
    [
        (ended(None, stop=Stop.TIMEOUT, stderr=DUMP.format("")), K.TIMEOUT, 2),
        (ended(None, stop=Stop.TIMEOUT, stderr=DUMP.format("/elsewhere/")), K.TIMEOUT, 2),
        (ended(None, stop=Stop.TIMEOUT), K.TIMEOUT, None),
        (ended(None, stop=Stop.OUTPUT), K.OUTPUT, None),
        (ended(None, stop=Stop.RESULT), K.NO_RESULT, None),
        (ended(None, stop=Stop.SCRATCH), K.SCRATCH, None),
        (ended(None), K.CRASHED, None),
        (ended(-11, stderr=DUMP.format("")), K.CRASHED, 2),
        (ended(-9), K.KILLED, None),
        (ended(-24), K.TIMEOUT, None),
        (ended(-31), K.FORBIDDEN, None),
        (ended(-25), K.SCRATCH, None),
        (ended(-64), K.CRASHED, None),
        (ended(0), K.EXITED, None),
        (ended(3), K.EXITED, None),
        (ended(0, channel_lost=True), K.NO_RESULT, None),
    ],
)
def test_how_the_process_ended_names_the_failure_where_nothing_was_reported(
    ending: Ending, kind: FailureKind, line: int | None
) -> None:
    failure = find_failure(ending, ScenarioResult(), asked(), Limits())
    assert failure is not None
    assert (failure.kind, failure.line) == (kind, line)
    assert failure.source_line == ("y = 2" if line else "")
    assert failure.hint


def test_a_script_that_calls_exit_itself_is_not_one_without_a_backtest() -> None:
    failure = find_failure(ended(0), ScenarioResult(), asked(mode=Mode.SCRIPT), Limits())
    assert failure is not None
    assert failure.kind is K.EXITED


def test_processes_left_behind_spoil_good_numbers(child: ChildRuns) -> None:
    scenario = scenario_of(child, in_next("self.buy()"))
    failure = find_failure(ended(0, strays=2), scenario, asked(), Limits())
    assert failure is not None
    assert failure.kind is K.STRAY_PROCESS


def test_what_stopped_a_run_counts_more_than_what_it_reported(child: ChildRuns) -> None:
    scenario = scenario_of(child, in_next("1 / 0"))
    failure = find_failure(ended(None, stop=Stop.TIMEOUT), scenario, asked(), Limits())
    assert failure is not None
    assert failure.kind is K.TIMEOUT


def test_garbage_in_the_channel_is_no_result() -> None:
    failure = find_failure(ended(0), ScenarioResult(reported=True, garbage="not JSON"), asked(), Limits())
    assert failure is not None
    assert failure.kind is K.NO_RESULT
    assert "not JSON" in failure.message


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"bases": "OSError", "owner": 3, "line": "9", "message": None},
        {"bases": [None, ["x"]], "owner": [{}], "line": True, "traceback": ["x"]},
        {"line": -1, "source_line": "\x1b[31m", "message": "\x1b[31m" * 5000},
        {"line": 10**30, "type": {"a": 1}},
    ],
)
def test_a_description_that_the_strategy_made_up_is_only_text(error: dict[str, Any]) -> None:
    failure = find_failure(ended(), ScenarioResult(reported=True, failure=error), asked(), Limits())
    assert failure is not None
    assert failure.kind in (K.ERROR, K.NO_STRATEGY_CLASS)
    assert "\x1b" not in failure.message + failure.source_line + failure.traceback
    assert len(failure.message) < 50_000
    assert failure.line is None or failure.line > 0


def test_every_exception_of_a_strategy_is_told_with_its_own_frames_only(child: ChildRuns) -> None:
    failure = failure_of(child, in_next("self.buy(size=1.5)"))
    assert "strategy.py" in failure.traceback
    assert "order_log" not in failure.traceback
    assert "AssertionError" in failure.traceback
