"""The promises of an examination, whatever the source."""

from __future__ import annotations

import pytest
from broken_strategies import HEAD, RUNS, Case, strategy
from hypothesis import given, settings
from hypothesis import strategies as st

from rbi.repairs import examine
from rbi.repairs.findings import Edit, Proposal
from rbi.repairs.text import Text, compatible
from runners.base import Mode

INDICATORS = st.sampled_from(
    [
        "self.{0} = self.I(talib.SMA, self.data.Close, {1})",
        "self.{0} = self.I(lambda x: pd.Series(x).ewm(span={1}).mean(), self.data.Close)",
        "self.{0} = self.I(lambda: self.data.Close.s.rolling({1}).mean())",
        """\
def of_{0}(close):
    return pd.Series(close).rolling({1}).max().shift(1)
self.{0} = self.I(of_{0}, self.data.High)""",
        "high = self.data.High  # é\nself.{0} = self.I(talib.MAX, high, timeperiod={1})",
        "self.{0}, *_ = self.I(talib.MACD, self.data.Close, {1}),",
    ]
)
CONDITIONS = st.sampled_from(
    [
        "self.data.Close[-1] > self.{0}[-1]",
        "crossover(self.data.Close, self.{0})",
        "len(self.data) > {1} and self.{0}[-1] < self.{0}[-2]",
        "self.data.index[-1].day % {1} == 0",
        "self.data.df['Close'].iloc[-1] > self.{0}[-1]",
    ]
)
ORDERS = st.sampled_from(
    [
        "self.buy(size=0.5)",
        "self.buy(size=int(self.equity * 0.1 / self.data.Close[-1]) or 1)",
        "self.sell(size=0.2, sl=self.data.Close[-1] * 1.1, tp=self.data.Close[-1] * 0.8)",
        "self.position.close()",
        "[trade.close() for trade in self.trades if trade.pl_pct < -0.01]",
    ]
)


@st.composite
def valid(draw: st.DrawFn) -> str:
    names = draw(
        st.lists(st.sampled_from(["fast", "slow", "trend", "rsi"]), min_size=1, max_size=3, unique=True)
    )
    period = draw(st.integers(2, 60))
    init = "\n".join(draw(INDICATORS).format(name, period) for name in names)
    rules = []
    for name in names:
        condition = draw(CONDITIONS).format(name, period)
        position = draw(st.sampled_from(["not self.position", "self.position", "self.position.is_long"]))
        rules.append(
            f"if {condition} and {position}:\n    {draw(ORDERS)}  # {draw(st.sampled_from(['in', 'größer', '🚀']))}"
        )
    return strategy(init, "\n".join(rules)).replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@settings(deadline=None, max_examples=30)
@given(valid(), st.sampled_from(list(Mode)))
def test_a_source_that_needs_nothing_comes_back_as_it_was(source: str, mode: Mode) -> None:
    examined = examine(source, mode=mode)
    assert examined.source is source
    assert examined.fixes == ()


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(RUNS), st.sampled_from(["\n", "\r\n"]), st.sampled_from(list(Mode)))
def test_the_result_compiles_and_needs_nothing_more(case: Case, end: str, mode: Mode) -> None:
    examined = examine(case.source.replace("\n", end), mode=mode)
    compile(examined.source, "strategy.py", "exec")
    again = examine(examined.source, mode=mode)
    assert (again.source, again.fixes) == (examined.source, ())


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_at_all_is_examined(text: str) -> None:
    examined = examine(text)
    assert examined.source == text or examined.fixes


@pytest.mark.parametrize("source", ["def f(:\n", "x = (", "\0", "a" * 300_000, "(" * 3000])
def test_what_does_not_compile_is_a_problem_and_stays_as_it_is(source: str) -> None:
    examined = examine(source)
    assert examined.source == source
    assert [problem.rule for problem in examined.problems] == ["syntax"]


@pytest.mark.parametrize(
    "line",
    [
        'print(f"{self.position.entry_price}")',
        "print(f'at {self.position.entry_price:.2f} {self.i}')",
        'print(f"""\n{self.i}\n{self.data.close[-1]}""")',
        'label = f"{self.data.Close.rolling(3).mean()[-1]} é {self.i}"',
        'x = f"é{self.i}{self.position.entry_price}"',
    ],
)
def test_an_f_string_is_repaired_rightly_or_left_alone(line: str) -> None:
    examined = examine(strategy("pass", f"if not self.position:\n    self.buy()\n    return\n{line}"))
    compile(examined.source, "strategy.py", "exec")
    assert not examine(examined.source).fixes


def test_comments_and_layout_around_a_repair_stay() -> None:
    source = strategy("self.ma  =  self.I( talib.sma , self.data.close,  20 )   # keep  me", "pass  # and me")
    expected = source.replace("talib.sma", "talib.SMA").replace("data.close", "data.Close")
    assert examine(source).source == expected


def test_the_line_of_a_fix_is_that_of_the_given_source() -> None:
    source = strategy(
        "self.ma = self.data.Close.rolling(5).mean()",
        "x = self.ma[-1]",
        head="from backtesting import Strategy\n",
    )
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "rolling" in text)
    fixes = [fix for fix in examine(source).fixes if fix.rule == "array_as_series"]
    assert [fix.line for fix in fixes] == [line]


def test_several_entries_make_the_entry_price_an_average() -> None:
    source = strategy(
        "pass",
        """\
self.buy(size=0.1)
if self.position and self.data.Close[-1] > self.position.entry_price:
    self.position.close()""",
    )
    assert "sum(t.size * t.entry_price for t in self.trades) / self.position.size" in examine(source).source


def test_the_cash_is_the_equity_only_without_a_position() -> None:
    flat = examine(
        strategy("pass", "if not self.position:\n    self.buy(size=int(self.cash / 2 / self.data.Close[-1]))")
    )
    assert "self.equity / 2" in flat.source
    either = examine(strategy("pass", "if self.cash > 100:\n    self.buy(size=0.1)"))
    assert "self.cash > 100" in either.source
    assert [problem.rule for problem in either.problems] == ["invented_attribute"]


def test_an_unfinished_count_from_the_newest_bar_is_not_turned_into_the_first_bar() -> None:
    examined = examine(strategy("pass", "if self.data.close[0] > 5:\n    self.buy()"))
    assert "self.data.close[0]" in examined.source
    assert [problem.rule for problem in examined.problems] == ["data_missing"]


def test_sizes_and_stops_are_never_changed() -> None:
    source = strategy(
        "pass",
        """\
price = self.data.Close[-1]
if not self.position:
    self.buy(size=self.equity * 0.5 / price, sl=price * 1.02, tp=price * 0.9)""",
    )
    examined = examine(source)
    assert examined.source is source
    assert sorted(problem.rule for problem in examined.problems) == ["order_price", "order_price", "units"]


def test_a_data_frame_that_the_class_needs_is_not_taken_away() -> None:
    source = strategy("self.x = self.I(lambda: extra)", "pass", tail="\nextra = pd.read_csv('x.csv')['a']\n")
    examined = examine(source)
    assert "read_csv" in examined.source
    assert "data_missing" in [problem.rule for problem in examined.problems]


def test_a_local_name_of_a_strategy_does_not_keep_the_run_of_the_module() -> None:
    source = strategy(
        "pass",
        "data = self.data\nif data.Close[-1] > 1 and not self.position:\n    self.buy()",
        tail="\ndata = pd.read_csv('x.csv')\n",
    )
    assert "read_csv" not in examine(source).source


def test_columns_that_the_bars_have_may_be_used() -> None:
    source = strategy("self.x = self.I(lambda: self.data.funding)", "pass")
    assert [problem.rule for problem in examine(source).problems] == ["data_missing"]
    assert not examine(source, ("Open", "High", "Low", "Close", "Volume", "funding")).problems


def test_an_indicator_taken_from_a_price_is_not_revealed_but_the_other_way_round_it_is() -> None:
    use = "if self.d[-1] > 0 and not self.position:\n    self.buy()"
    ma = "self.ma = self.I(talib.SMA, self.data.Close, 9)\n"
    hidden = examine(strategy(ma + "self.d = self.data.Close - self.ma", use))
    shown = examine(strategy(ma + "self.d = self.ma - self.data.Close", use))
    assert [problem.rule for problem in hidden.problems] == ["not_revealed"]
    assert not shown.problems


@pytest.mark.parametrize(
    ("init", "following"),
    [
        ("self.x, self.y = self.I(talib.MACD, self.data.Close)", "pass"),
        ("self.upper, self.other = self.I(talib.BBANDS, self.data.Close)", "pass"),
        ("self.d = self.I(self.f, self.data.Close)", "x = self.f([1, 2])"),
        ("pass", "self.buy()\nself.trades[-1].sl = 5"),
        ("pass", "if not self.position:\n    self.buy(sl=4)\n    self.trades[-1].sl = 5"),
        ("pass", "if self.position:\n    self.position.sl = 5\nelif not self.position:\n    self.buy()"),
        ("pass", "if self.position and self.position.sl > 4:\n    pass\nself.position.sl = 5"),
        ("pass", "x = self._broker.equity + self._broker._cash"),
        ("pass", "x = self._broker.commission"),
    ],
)
def test_what_is_not_certain_is_left(init: str, following: str) -> None:
    source = strategy(init, following, body="def f(self, x):\n    return np.diff(x)")
    assert examine(source).source == source


def test_a_class_value_is_not_given_self_where_its_name_is_seen() -> None:
    plain = strategy("pass", "period = 3\nx = period", body="def f(self, n=period):\n    return n")
    assert examine(plain).source is plain
    other = strategy("pass", "x = stop_pct", head=HEAD + "stop_pct = 3\n")
    assert examine(other).source is other


def test_hedged_trades_may_be_open_without_a_position() -> None:
    following = "if not self.position:\n    self.buy()\n    self.trades[-1].sl = 5"
    source = strategy("pass", following, tail="\nbt = Backtest(None, Idea, hedging=True)\n")
    assert examine(source, mode=Mode.SCRIPT).source is source


def test_another_file_of_a_script_is_reported_and_its_bars_are_not() -> None:
    source = strategy(
        tail="open('x.csv').read()\nopen('log.txt', 'w').close()\nopen('/a/settings.json').read()\n"
    )
    problems = examine(source, mode=Mode.SCRIPT).problems
    assert [(problem.rule, problem.source_line) for problem in problems] == [
        ("data_missing", "open('/a/settings.json').read()")
    ]


EDITS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 6), st.sampled_from(["", "x", "a\nb", "\n"])), max_size=4
)


@settings(deadline=None)
@given(st.text(alphabet="ab\n", max_size=40), EDITS)
def test_edits_change_what_they_say_and_nothing_else(source: str, drawn: list[tuple[int, int, str]]) -> None:
    edits: list[Edit] = []
    position = 0
    for gap, length, text in drawn:
        start = min(position + gap + 1, len(source))
        end = min(start + length, len(source))
        if start < len(source) and start < end:
            edits.append(Edit(start, end, text))
            position = end
    result = Text(source).apply(edits)
    removed = sum(edit.end - edit.start for edit in edits)
    assert len(result) == len(source) - removed + sum(len(edit.text) for edit in edits)
    assert len(Text(source).origins(edits)) == result.count("\n") + 1
    assert all(1 <= line <= source.count("\n") + 1 for line in Text(source).origins(edits))


def test_overlapping_proposals_are_made_one_after_the_other() -> None:
    first, second = Proposal("a", "", (Edit(0, 5, "x"),)), Proposal("b", "", (Edit(3, 7, "y"),))
    third = Proposal("c", "", (Edit(7, 9, "z"),))
    assert compatible([first, second, third]) == [first, third]
