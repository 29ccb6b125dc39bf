"""What is mended for how a run failed: bars without figures, and what is None yet."""

from __future__ import annotations

import re
import sys

import pytest
from broken_strategies import ELSEWHERE, HEAD, OWN, Case, strategy
from repair_runs import talib, trades

from rbi.repairs import after_run, examine
from runners.base import Failure, FailureKind, Mode

HEAD = HEAD.replace("import talib\n", "")
CLOSES = "\nelif self.position and len(self.data) % 20 == 0:\n    self.position.close()"


def failed(source: str) -> Failure:
    """What a runner says of how a source fails."""
    with pytest.raises(Exception) as raised:
        trades(source)
    message = f"{raised.type.__name__}: {raised.value}"
    kind = FailureKind.ORDER_SIZE if "size must be" in message else FailureKind.ERROR
    return Failure(kind, message, "")


def mended(source: str) -> tuple[str, bool]:
    """The source mended for its failures, one after the other, and whether other orders are placed."""
    changed = False
    for _ in range(3):
        made = after_run(source, Mode.CLASS, failed(source))
        assert made is not None
        assert made.fixes
        source, changed = made.source, changed or any(fix.changes_orders for fix in made.fixes)
        try:
            trades(source)
        except Exception:  # noqa: BLE001 - the next failure
            continue
        break
    return source, changed


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("past = self.data.Close[-40]", "if len(self.data) < 40:\n    return\npast = self.data.Close[-40]"),
        (
            "past = 50 / int(len(self.data) > 30)",
            "if len(self.data) <= 30:\n    return\npast = 50",
        ),
        (
            "past = int(self.data.Close[-1] if len(self.data) > 30 else float('nan'))",
            "if len(self.data) <= 30:\n    return\npast = int(self.data.Close[-1])",
        ),
    ],
)
def test_bars_without_figures_are_left_out_and_that_is_recorded(wrong: str, right: str) -> None:
    rest = (
        "\nif past and self.data.Close[-1] > past * 0.9 and not self.position:\n    self.buy(size=5)" + CLOSES
    )
    source, changed = mended(strategy("pass", wrong + rest, head=HEAD))
    assert changed
    found = trades(source)
    assert found
    assert found == trades(strategy("pass", right + rest, head=HEAD))
    assert after_run(source, Mode.CLASS, Failure(FailureKind.ERROR, "ZeroDivisionError: x", "")) is None


def test_a_bar_that_has_placed_an_order_is_not_left_out() -> None:
    source = strategy("pass", "if len(self.data) == 9:\n    self.buy()\n    1 / 0", head=HEAD)
    made = after_run(source, Mode.CLASS, failed(source))
    assert made is not None
    with pytest.raises(ZeroDivisionError):
        trades(made.source)


TRAILING = """\
price = self.data.Close[-1]
if not self.position:
    self.stop = None
    self.buy(size={size})
else:
    self.stop = {stop}
    if price < self.stop:
        self.position.close()"""


@pytest.mark.parametrize("size", ["5", "5.5"])
def test_what_is_none_yet_is_left_out_of_max(size: str) -> None:
    wrong = TRAILING.format(size=size, stop="max(self.stop, price * 0.95)")
    right = TRAILING.format(
        size="5", stop="price * 0.95 if self.stop is None else max(self.stop, price * 0.95)"
    )
    source, changed = mended(strategy("self.stop = None", wrong, head=HEAD))
    assert changed is (size == "5.5")  # by the guard of orders
    assert trades(source) == trades(strategy("self.stop = None", right, head=HEAD))


def test_a_price_is_neither_above_nor_below_what_is_none() -> None:
    following = """\
price = self.data.Close[-1]
if not self.position:
    self.buy(size=5)
    self.entry = price
elif {test}:
    self.position.close()
    self.stop = None
elif price > self.entry * 1.01:
    self.stop = self.entry"""
    init = "self.stop = self.entry = None"
    source, changed = mended(strategy(init, following.format(test="price < self.stop"), head=HEAD))
    assert not changed
    right = following.format(test="self.stop is not None and price < self.stop")
    assert trades(source) == trades(strategy(init, right, head=HEAD))


def test_a_condition_that_is_turned_round_stays() -> None:
    source = strategy(
        "self.stop = None", "if not self.data.Close[-1] < self.stop:\n    self.buy()", head=HEAD
    )
    assert after_run(source, Mode.CLASS, failed(source)) is None


@pytest.mark.parametrize("case", [*OWN, *ELSEWHERE], ids=lambda case: case.name)
def test_what_other_engines_call_otherwise_trades(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", talib())
    failed(case.source)
    assert trades(examine(case.source).source)


def test_a_position_that_is_only_cleared_is_the_engines() -> None:
    source = strategy("self.position = None", "if not self.position:\n    self.buy(size=5)", head=HEAD)
    assert len(trades(examine(source).source)) == 1


@pytest.mark.parametrize("made", ["[]", "list()", "deque(maxlen=50)"])
def test_a_list_given_to_talib_becomes_an_array(made: str) -> None:
    head = HEAD + "import talib\nfrom collections import deque\n"
    source = strategy(f"self.seen = {made}", "x = talib.SMA(self.seen[-30:], 9)[-1]", head=head)
    assert "talib.SMA(np.array(self.seen[-30:], dtype=float), 9)" in examine(source).source
    assert examine(source.replace(made, "np.zeros(9)")).fixes == ()


READ = HEAD + "data = pd.read_csv('bars.csv')\n"
PLAIN = strategy("pass", "self.buy()", head=READ)


@pytest.mark.parametrize(
    ("tail", "mended"),
    [
        ("bt = Backtest(data, Idea, leverage=10)\nbt.run()\n", r"Backtest\(data, Idea, margin=1 / \(10\)\)"),
        (
            "data.columns = data.columns.str.strip().str.lower()\nBacktest(data, Idea).run()\n",
            '"close": "Close"',
        ),
        ("Backtest(data, Idea).optimize(n=range(3), n_jobs=-1)\n", r"optimize\(n=range\(3\)\)"),
        ("data.fillna(method='ffill', inplace=True)\n", r"data\.ffill\(inplace=True\)"),
        ("stats = Backtest(data, Idea).run()\nimport os\nos.makedirs('/x/y')\n", r"\npass\n"),
        (
            "def show(result):\n    print(result['Total Trades'])\nstats = Backtest(data, Idea).run()\nshow(stats)\n",
            "'# Trades'",
        ),
    ],
)
def test_what_a_script_does_around_its_strategy_is_mended(tail: str, mended: str) -> None:
    assert re.search(mended, examine(PLAIN + tail, mode=Mode.SCRIPT).source)


@pytest.mark.parametrize(
    "tail",
    [
        "data.columns = data.columns.str.lower()\ndata = data.rename(columns=NAMES)\nBacktest(data, Idea).run()\n",
        "def show(result):\n    print(result['Total Trades'])\nshow({'Total Trades': 3})\n",
        "import os\nos.makedirs('/x/y')\nstats = Backtest(data, Idea).run()\n",
    ],
)
def test_what_may_be_right_around_it_stays(tail: str) -> None:
    assert examine(PLAIN + tail, mode=Mode.SCRIPT).source == PLAIN + tail


def test_a_second_csv_file_is_reported() -> None:
    found = examine(READ + "vix = pd.read_csv('/x/VIX-1d.csv')\n" + PLAIN, mode=Mode.SCRIPT).problems
    assert [(problem.rule, problem.source_line) for problem in found] == [
        ("data_missing", "vix = pd.read_csv('/x/VIX-1d.csv')")
    ]
