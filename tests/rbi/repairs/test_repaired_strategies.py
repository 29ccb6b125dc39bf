"""What models write wrongly, repaired and run."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from broken_strategies import HEAD, MISLEADING, REPORTED, RUNS, SCRIPTS, Case, strategy
from child_runs import ChildRuns, walk
from repair_runs import talib, trades

from rbi.repairs import examine
from runners.base import Mode


def kind(case: Case) -> str:
    return case.name.rsplit(" ", 1)[0]


def runnable() -> list[Case]:
    """A few of each kind, to be run. The others need pandas_ta, or more of TA-Lib than the stand-in has."""
    # The one left out takes seconds to fail: it makes indicators on every bar.
    can = [c for c in RUNS if "pandas_ta" not in c.source and c.name != "indicator in next 1"]
    return [
        case for name in dict.fromkeys(map(kind, can)) for case in [c for c in can if kind(c) == name][:3]
    ]


RUNNABLE = runnable()


def named(case: Case) -> str:
    return case.name


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", talib())


@pytest.mark.parametrize("case", RUNNABLE, ids=named)
def test_what_failed_runs_and_trades_after_its_repair(case: Case) -> None:
    with pytest.raises(Exception):  # noqa: B017 - each fails in its own way
        trades(case.source)
    assert trades(examine(case.source).source)


@pytest.mark.parametrize("case", RUNS, ids=named)
def test_what_can_be_repaired_is_repaired_with_reasons_and_differences(case: Case) -> None:
    examined = examine(case.source)
    assert examined.fixes
    lines = case.source.count("\n") + 1
    for fix in examined.fixes:
        assert fix.reason
        assert 1 <= fix.line <= lines
        assert any(line.startswith(("+", "-")) for line in fix.diff.splitlines())
        assert not fix.changes_orders


@pytest.mark.parametrize("case", [*RUNS, *REPORTED, *MISLEADING], ids=named)
def test_examining_twice_is_examining_once(case: Case) -> None:
    once = examine(case.source)
    twice = examine(once.source)
    assert twice.source == once.source
    assert not twice.fixes


@pytest.mark.parametrize("case", [*REPORTED, *MISLEADING], ids=named)
def test_what_cannot_be_repaired_is_reported_where_it_is(case: Case) -> None:
    examined = examine(case.source)
    found = [problem for problem in examined.problems if problem.rule == kind(case)]
    assert found
    lines = examined.source.splitlines()
    for problem in found:
        assert problem.hint
        assert lines[problem.line - 1].strip() == problem.source_line


@pytest.mark.parametrize("case", SCRIPTS, ids=named)
def test_a_script_stays_one(case: Case) -> None:
    examined = examine(case.source, mode=Mode.SCRIPT)
    assert examined.fixes
    assert "Backtest(data, Idea" in examined.source
    assert not examine(examined.source, mode=Mode.SCRIPT).fixes


def guarded(source: str, *, indirect: bool) -> str:
    """The same, but with next inside a try that orders when something fails."""
    tree = ast.parse(source)
    handling = """\
if not self.position:
    self.buy(size=0.1)
elif len(self.data) % 7 == 0:
    self.position.close()"""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.ClassDef) and node.name == "Idea"):
            continue
        method = next(item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "next")
        body: list[ast.stmt] = method.body
        if indirect:
            node.body.append(ast.FunctionDef("_step", method.args, body, [], lineno=1))
            body = ast.parse("self._step()").body
        handler = ast.ExceptHandler(ast.Name("Exception"), None, ast.parse(handling).body)
        method.body = [ast.Try(body, [handler], [], [])]
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize("indirect", [False, True])
@pytest.mark.parametrize("case", RUNNABLE[1::4], ids=named)
def test_a_strategy_that_catches_its_own_failures_trades_as_before(case: Case, indirect: bool) -> None:
    source = guarded(case.source, indirect=indirect)
    try:
        before = trades(source)
    except Exception:  # noqa: BLE001 - it fails elsewhere: then it may be repaired
        return
    examined = examine(source)
    assert not examined.fixes or trades(examined.source) == before


RUNS_AS_IT_IS = [
    strategy("""\
self.fast = self.I(lambda x: pd.Series(x).rolling(8).mean(), self.data.Close)
self.slow = self.I(lambda x: pd.Series(x).ewm(span=21).mean(), self.data.Close)"""),
    strategy(
        "self.entry = None",
        """\
if not self.position:
    self.buy()
    self.i = len(self.data)
elif len(self.data) - self.i > 5:
    self.position.close()""",
    ),
    strategy(
        "self.cash = 5",
        """\
if self.cash > 1 and not self.position:
    self.buy()
elif len(self.data) % 9 == 0:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
self.position.entry_price = self.data.Close[-1]
if not self.position:
    self.buy()
elif self.position.entry_price > self.data.Close[-2]:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
price = getattr(self.position, 'entry_price', None)
if hasattr(self.position, 'entry_price'):
    self.sell()
elif price is None and not self.position:
    self.buy()""",
    ),
    strategy(
        "self.x = pd.Series(self.data.Close).rolling(5).mean()",
        """\
if self.x.iloc[len(self.data) - 1] > self.data.Close[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "self.data.df['ma'] = talib.SMA(self.data.Close, 20)",
        """\
if self.data.ma[-1] > self.data.Close[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 20)",
        """\
df = self.data.df
if df['Close'].iloc[-1] > df.Close.shift(1).iloc[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "def f(df):\n    return df['Close'].shift(1)\nself.x = self.I(f, self.data.df)",
        """\
if self.x[-1] < self.data.Close[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "closes = []\nself.kept = closes",
        """\
self.kept.append(self.data.Close[-1])
s = pd.Series(self.kept)
if s.rolling(3).mean().iloc[-1] > s.iloc[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "self.lots = pd.Series({-1: 0.25, 1: 0.5})",
        """\
if not self.position:
    self.buy(size=self.lots[-1])
elif len(self.data) % 4 == 0:
    self.position.close()""",
    ),
    strategy(
        "self.n = np.array([1, 2, 3])",
        """\
s = pd.Series([0.1, 0.2], index=[-1, 0])
if not self.position:
    self.buy(size=s[-1])
elif len(self.data) % 5 == 0:
    self.position.close()""",
    ),
]


@pytest.mark.parametrize("source", RUNS_AS_IT_IS)
def test_what_runs_is_given_back_as_it_is(source: str) -> None:
    assert trades(source)
    assert examine(source).source is source


def test_a_script_whose_bars_have_just_the_named_columns_trades_as_before(tmp_path: Path) -> None:
    source = strategy(
        "self.ma = self.I(lambda x: pd.Series(x).rolling(9).mean(), self.data.Close)",
        "if self.data.Close[-1] > self.ma[-1]:\n    self.buy(size=3)\nelse:\n    self.position.close()",
        head=HEAD.replace("import talib\n", ""),
        tail="""
data = pd.read_csv('/a/b.csv')
data.columns = ['Date', 'Open', 'High', 'Low', 'Close', 'Volume']
data = data.set_index(pd.to_datetime(data['Date'])).drop(columns='Date')
Backtest(data, Idea, cash=50_000, finalize_trades=True).run()
""",
    )
    examined = examine(source, mode=Mode.SCRIPT)
    assert [fix.rule for fix in examined.fixes] == ["column"]
    runs = ChildRuns(tmp_path, walk())
    plain, repaired = (runs.run(text, "script") for text in (source, examined.source))
    runs.close()
    assert plain["result"]["trades"] == repaired["result"]["trades"] != {}
