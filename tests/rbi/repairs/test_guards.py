"""Order guards: the orders that the engine refuses, and no others, become other orders."""

from __future__ import annotations

import pytest
from broken_strategies import HEAD, strategy
from hypothesis import given, settings
from hypothesis import strategies as st
from repair_runs import ROWS, trades

from rbi.repairs import examine, guard
from runners.base import Mode

HEAD = HEAD.replace("import talib\n", "")


def ordering(call: str, *, body: str = "") -> str:
    """A strategy that orders on one bar, closes on a later one, and then buys ten units."""
    following = f"""\
n = len(self.data)
price = self.data.Close[-1]
if n == 50:
    {call}
elif n == 60:
    self.position.close()
elif n == 70:
    self.buy(size=10)"""
    return strategy("pass", following, head=HEAD, body=body)


TEN = [(10.0, 70.0, float(ROWS - 1))]


def sizes(source: str) -> list[tuple[float, ...]]:
    """Size, entry bar and exit bar of each trade."""
    return [trade[:3] for trade in trades(source)]


@pytest.mark.parametrize(
    "call",
    [
        "self.buy(sl=price * 1.1)",
        "self.buy(size=5, tp=price * 0.9)",
        "self.sell(sl=price * 0.9)",
        "self.sell(tp=price * 1.1, size=0.5)",
        "self.buy(limit=price, sl=price * 1.01)",
        "self.buy(stop=price * 1.02, tp=price)",
        "self.buy(sl=float('nan'))",
        "self.buy(size=0)",
        "self.sell(size=-3)",
        "self.buy(size=float('nan'))",
        "self.sell(size=np.float64(-0.5), sl=price * 2)",
    ],
)
def test_a_refused_order_is_left_out(call: str) -> None:
    source = ordering(call)
    with pytest.raises((ValueError, AssertionError)):
        trades(source)
    assert sizes(guard(source).source) == TEN


@pytest.mark.parametrize("size", ["7.9", "np.float64(7.2)", "np.float32(7.5)"])
def test_a_size_above_one_is_rounded_down(size: str) -> None:
    source = ordering(f"self.sell(size={size})")
    with pytest.raises(AssertionError):
        trades(source)
    assert sizes(guard(source).source) == [(-7.0, 50.0, 60.0), *TEN]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("self.buy(100)", TypeError),
        ("self.buy(size=None)", TypeError),
        ("self.buy(size='5')", TypeError),
        ("self.buy(size=float('inf'))", OverflowError),
        ("self.buy(stop_loss=price)", TypeError),
        ("self.buy(sl='low')", ValueError),
        ("self.sell(sl=price * 1.1, tp=price.low)", AttributeError),
        ("raise ValueError('Long positions')", ValueError),
    ],
)
def test_whatever_else_is_wrong_raises_as_before(call: str, error: type[Exception]) -> None:
    source = ordering(call)
    for text in (source, guard(source).source):
        with pytest.raises(error):
            trades(text)


def test_what_stands_for_an_order_left_out_can_be_kept() -> None:
    source = ordering("""\
order = self.buy(sl=price * 2)
    order.sl = price
    order.cancel()
    assert not order and order.size == 0 and not order.is_long and order not in self.orders
    assert self.orders_left_out == 1 and self.orders_rounded == 0""")
    assert sizes(guard(source).source) == TEN


NUMBERS = st.sampled_from(["0.3", "1", "25", "0.9999", "12.0"])
CALLS = st.sampled_from(
    [
        "self.buy(size={0})",
        "self.sell(size={0}, sl=price * 1.05, tp=price * 0.9, tag='a')",
        "self.buy(size={0}, limit=price * 0.99, sl=price * 0.95)",
        "self.sell(size={0}, stop=price * 0.98)",
        "self.position.close()",
        "[trade.close(0.5) for trade in self.trades]",
        "self.buy()",
    ]
)


@st.composite
def ordinary(draw: st.DrawFn) -> str:
    """A strategy whose orders the engine takes."""
    rules = [
        f"if len(self.data) % {draw(st.integers(3, 17))} == 0:\n    {draw(CALLS).format(draw(NUMBERS))}"
        for _ in range(draw(st.integers(1, 4)))
    ]
    return strategy("pass", "price = self.data.Close[-1]\n" + "\n".join(rules), head=HEAD)


@settings(deadline=None, max_examples=12)
@given(ordinary())
def test_a_strategy_without_refused_orders_trades_as_before(source: str) -> None:
    guarded = guard(source)
    assert guarded.source != source
    assert trades(guarded.source) == trades(source)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_guard_is_recorded_and_made_once(end: str) -> None:
    source = ordering("self.buy(sl=price * 2)  # größer 🚀").replace("\n", end)
    guarded = guard(source)
    assert [(fix.rule, fix.changes_orders, fix.line) for fix in guarded.fixes] == [("order_guard", True, 7)]
    assert "+    def buy(self, **order):" in guarded.fixes[0].diff
    assert "Added by rbi" in guarded.source
    assert guarded.source.startswith(source.rstrip())
    assert guarded.source.count("\n") == guarded.source.count(end)
    again = guard(guarded.source)
    assert (again.source, again.fixes, again.why_not) == (guarded.source, (), "it has order guards already")
    assert examine(guarded.source).source == guarded.source


@pytest.mark.parametrize(
    ("source", "why_not"),
    [
        ("class S(\n", "not valid Python: '(' was never closed"),
        ("x = 1\n", "there is no strategy class"),
        (
            ordering("self.buy()", body="def buy(self, **order):\n    return super().buy(**order)"),
            "Idea defines buy or sell itself: what it does about refused orders is its own",
        ),
        (
            ordering("self.sell = 3"),
            "Idea defines buy or sell itself: what it does about refused orders is its own",
        ),
        (
            "from backtesting import Strategy\nclass S(Strategy): pass\n",
            "the class has no place for more methods: unexpected indent",
        ),
    ],
)
def test_where_no_guard_is_made_it_says_why(source: str, why_not: str) -> None:
    guarded = guard(source)
    assert (guarded.source, guarded.fixes, guarded.why_not) == (source, (), why_not)


def test_of_several_classes_those_that_run_are_guarded() -> None:
    source = ordering("self.buy(sl=price * 2)") + (
        "\n\nclass Longer(Idea):\n    period = 20  # bars\n\n\nclass Other(Strategy):\n\tdef init(self): pass\n"
    )
    assert [fix.line for fix in guard(source).fixes] == [25, 29]
    script = source + "\nBacktest(data, Longer).run()\n"
    assert [fix.line for fix in guard(script, Mode.SCRIPT).fixes] == [25]
    tabs = source + "\nbt = Backtest(data, strategy=Other)\n"
    guarded = guard(tabs, Mode.SCRIPT)
    assert [fix.line for fix in guarded.fixes] == [29]
    assert "\tdef buy(self" in guarded.source
