"""Code that looks like a mistake and runs: what it orders stays as it is."""

from __future__ import annotations

import pytest
from broken_strategies import HEAD, strategy

from rbi.repairs import examine
from runners.base import Mode

ENTER = "if {0} and not self.position:\n    self.buy(size=0.1)"
EVERY = ENTER.format("self.i % 7 == 0")
CASH = "self.buy(size=int(self.initial_cash / 1000))"
CHILD = (
    HEAD + "class Base(Strategy):\n    def init(self):\n        pass\n    def next(self):\n        {0}\n{1}"
)

CLASSES = {
    "an own position": strategy(
        "pass", "if self.position > 0:\n    self.sell(size=0.1)", body="position = 0"
    ),
    "an own list of trades": strategy(
        "pass", "if not self.position:\n    self.buy()\n    self.trades[-1].sl = 3", body="trades = []"
    ),
    "closed trades say nothing of the position": strategy(
        "pass", "if not self.closed_trades:\n    self.buy()\n    self.trades[-1].sl = 3"
    ),
    "not long may be short": strategy(
        "pass",
        "if not self.position:\n    self.sell(size=0.1)\n"
        "elif not bool(self.position.is_long):\n    self.buy(size=0.1)\n    self.trades[-1].sl = 3",
    ),
    "a stop made from the trade": strategy(
        "pass",
        "if not self.position:\n    self.buy()\n    self.trades[-1].sl = self.trades[-1].entry_price * 0.9",
    ),
    "any attribute": strategy("pass", EVERY, body="def __getattr__(self, name):\n    return 7"),
    "set on the class": strategy("pass", EVERY, tail="Idea.i = 7\n"),
    "set on the engine's class": strategy("pass", EVERY, tail="Strategy.i = property(lambda self: 7)\n"),
    "set by its name": strategy("pass", CASH, tail="setattr(Idea, 'initial_cash', 5000)\n"),
    "set by a function": strategy("setup(self)", CASH, tail="def setup(it):\n    it.initial_cash = 5000\n"),
    "a property of what derives from it": CHILD.format(
        "if self.bar_index == 7: self.buy()",
        "class Child(Base):\n    def init(self):\n        self.bar_index = 7\n",
    ),
    "a method of what derives from it": CHILD.format(
        "self.buy(0.1)",
        "class Child(Base):\n    def buy(self, amount):\n        return super().buy(size=amount)\n",
    ),
    "a property of what it derives from": HEAD
    + "class Counts:\n    position = 5\nclass Idea(Counts, Strategy):\n    def init(self):\n        pass\n"
    + "    def next(self):\n        if self.position > 3: self.buy()\n",
    "Python's own max": strategy("pass", ENTER.format("max(1, 2) > 1"), body="max = 5"),
    "an own I": strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 5)",
        ENTER.format("self.ma.iloc[-1] > 3"),
        body="def I(self, function, *given):\n    return pd.Series(function(*given))",
    ),
    "a handler that returns before it raises": strategy(
        "pass",
        f"try:\n    x = self.i\nexcept AttributeError:\n    if self.n:\n        return\n    raise\n{CASH}",
    ).replace(CASH, "pass"),
    "a finally that returns": strategy("pass", "try:\n    self.sell(size=self.i)\nfinally:\n    return"),
    "suppressed by another name": strategy(
        "pass",
        "with quiet(AttributeError):\n    self.sell(size=self.i)",
        head=HEAD + "from contextlib import suppress as quiet\n",
    ),
    "a context of its own": strategy(
        "pass",
        "with Quiet():\n    self.sell(size=self.i)",
        head=HEAD + "class Quiet:\n    def __exit__(self, *a):\n        return True\n",
    ),
    "a decorator that catches": strategy(
        "pass",
        "pass",
        head=HEAD + "def safe(f):\n    def g(*a):\n        try:\n            return f(*a)\n"
        "        except Exception:\n            return None\n    return g\n",
        tail="    @safe\n    def more(self):\n        self.sell(size=self.i)\n",
    ),
    "a class that its data sets": strategy(
        "pass",
        ENTER.format("self.data.Close[-1] > self.level"),
        body="level = 0",
        tail="from backtesting.test import GOOG\nIdea.level = GOOG.Close.mean()\n",
    ),
    "a list that its data fills": strategy(
        "pass",
        ENTER.format("self.data.Close[-1] > LEVELS[0]"),
        head=HEAD + "LEVELS = []\n",
        tail="from backtesting.test import GOOG\nLEVELS.append(GOOG.Close.mean())\n",
    ),
}

READ = HEAD + "df = pd.read_csv('bars.csv')\n"
RUN = "stats = Backtest(df, Idea).run()\n"
CLOSES = ENTER.format("self.data.close[-1] > self.data.Close[-1]")
TIMES = ENTER.format("self.data.datetime[-1][11:] == '09:00:00'")

SCRIPTS = {
    "a column beside its original": strategy(
        "pass", CLOSES, head=READ + "df['Close'] = df['close'].rolling(3).mean()\n", tail=RUN
    ),
    "an assigned column": strategy(
        "pass", CLOSES, head=READ + "df = df.assign(Close=df['close'] * 2)\n", tail=RUN
    ),
    "a column of times that is kept": strategy(
        "pass", TIMES, head=READ + "df.index = pd.to_datetime(df['datetime'])\n", tail=RUN
    ),
    "a column of times and an index made from it": strategy(
        "pass", TIMES, head=READ + "df = df.set_index(pd.to_datetime(df['datetime']))\n", tail=RUN
    ),
    "a column of the file": strategy("pass", ENTER.format("self.data.idx[-1] > 3"), head=READ, tail=RUN),
    "a run that may fail before another": strategy(
        "pass", EVERY, head=READ, tail=f"try:\n    {RUN}except Exception:\n    Idea.n = 1\n{RUN}"
    ),
    "a statistic of its own": strategy(
        head=READ, tail=RUN + "stats['Total Trades'] = 3\nprint(stats['Total Trades'])\n"
    ),
    "results that the next run reads": strategy(head=READ, tail=RUN + "stats.to_json('x')\n" + RUN),
    "columns by their places": strategy(
        head=READ
        + "df = df.rename(columns={'open': 'Open', 'high': 'High', 'low': 'Low', 'close': 'Close'})\n"
        + "df.columns = ['x', 'Open', 'High', 'Low', 'Close', 'Volume']\n",
        tail=RUN,
    ),
}


@pytest.mark.parametrize("source", CLASSES.values(), ids=CLASSES)
def test_a_class_that_runs_for_a_reason_that_is_elsewhere_stays(source: str) -> None:
    assert examine(source).fixes == ()


@pytest.mark.parametrize("source", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_that_runs_for_a_reason_that_is_elsewhere_stays(source: str) -> None:
    assert examine(source, mode=Mode.SCRIPT).fixes == ()


MENDED = {
    "df = pd.read_csv('x.csv', index_col=0)\n"
    "df = df.rename(columns={'open': 'Open', 'high': 'High', 'low': 'Low', 'close': 'Close'})\n": (
        "pd.read_csv('x.csv', index_col=0).rename(columns=str.strip)"
    ),
    "bt = Backtest(None, Idea, initial_cash=5000)\n": "Backtest(None, Idea, cash=5000)",
    "stats = Backtest(None, Idea).run()\nprint(stats['Max Drawdown [%]'])\n": "stats['Max. Drawdown [%]']",
    "bt = Backtest(None, Idea)\nbt.optimize(period=[3], maximize='Sharpe Ratio [%]')\n": (
        "maximize='Sharpe Ratio'"
    ),
    "stats = Backtest(None, Idea).run()\nstats['_trades'].to_csv('/home/me/trades.csv')\n": (
        "stats = Backtest(None, Idea).run()\npass\n"
    ),
}


@pytest.mark.parametrize(("tail", "expected"), MENDED.items())
def test_what_a_script_does_around_its_strategy_is_mended(tail: str, expected: str) -> None:
    examined = examine(strategy(tail=tail), mode=Mode.SCRIPT)
    assert expected in examined.source
    assert not examine(examined.source, mode=Mode.SCRIPT).fixes


@pytest.mark.parametrize(
    ("init", "following", "expected"),
    [
        ("x = pd.Series(self.data.Close).shift(1).fillna(self.data.Open)", "pass", "fillna(pd.Series(self"),
        ("pass", "for trade in self.broker.open_trades:\n    trade.close()", "in self.trades:"),
        (
            "pass",
            'if not self.position:\n    self.buy()\nelif self.position.is_open:\n    print(f"{self.position.entry}")',
            'print(f"{self.trades[-1].entry_price}")',
        ),
    ],
)
def test_more_names_are_known(init: str, following: str, expected: str) -> None:
    assert expected in examine(strategy(init, following)).source


def test_an_argument_that_a_backtest_has_not_is_reported() -> None:
    examined = examine(strategy(tail="Backtest(None, Idea, slippage=0.1)\n"), mode=Mode.SCRIPT)
    assert [problem.message for problem in examined.problems] == ["Backtest has no slippage="]
