"""``rbi check``, and strategies that ``rbi backtest --repair`` mends before it runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import ScriptedEffects, bad_result, bars, context, good_result

from rbi.backtest_command import BacktestRequest, OwnStrategies
from rbi.cli import main
from rbi.domain import Idea
from rbi.records import BatchRecord
from runners.base import BarsFile, Failure, FailureKind, Mode, RunResult

FINE = """\
from backtesting import Strategy
from backtesting.lib import crossover


class S(Strategy):
    def init(self):
        self.fast = self.I(lambda x: x, self.data.Close)

    def next(self):
        if crossover(self.fast, self.data.Open):
            self.buy(sl=self.fast[-1])
"""
MENDED = FINE.replace("self.data.Close", "self.data.close")
LEFT = FINE.replace("self.data.Close", "self.data.vix")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**sources: str) -> None:
    for name, source in sources.items():
        Path("s", name.replace("__", "/") + ".py").write_text(source, encoding="utf-8", newline="")


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    main(["check", "--json", *arguments])
    return {value["path"]: value for value in json.loads(capsys.readouterr().out)}


def test_it_ends_with_an_error_only_if_problems_are_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(fine=FINE, mended=MENDED)
    assert main(["check", "s"]) == 0
    assert "2 files: 1 repaired, 0 with problems left" in capsys.readouterr().out
    write(left=LEFT, syntax="class S(\n", nothing="x = 1\n")
    assert main(["check", "s"]) == 1
    out = capsys.readouterr().out
    assert "-        self.fast = self.I(lambda x: x, self.data.close)\n" in out
    assert "line 7, data_missing, left: the bars have no column 'vix'" in out
    assert "line 1, syntax, left: not valid Python" in out
    assert "line 1, no_strategy_class, left:" in out
    assert "CHANGES ORDERS" not in out


def test_a_message_cannot_steer_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        left=LEFT.replace("self.data.vix", "self.data['\x1b[2J']").replace("sl=", "stop_loss=  # \x1b[2J\n")
    )
    main(["check", "s"])
    assert "\x1b" not in capsys.readouterr().out


def test_guards_are_made_on_request_and_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(fine=FINE, own=FINE.replace("def next", "def buy(self, **order): pass\n    def next"))
    assert not any(value["fixes"] for value in checked(capsys, "s").values())
    found = checked(capsys, "s", "--guards")
    assert [fix["changes_orders"] for fix in found["s/fine.py"]["fixes"]] == [True]
    assert found["s/own.py"]["unguarded"].startswith("S defines buy or sell itself")
    main(["check", "s", "--guards"])
    assert "line 5, order_guard, CHANGES ORDERS: " in capsys.readouterr().out


def test_files_are_written_to_a_folder_of_their_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(fine=FINE, deep__mended=MENDED.replace("\n", "\r\n"), same=FINE)
    Path("s/latin.py").write_bytes(f"# -*- coding: latin-1 -*-\n# é\n{MENDED}".encode("latin-1"))
    before = {path: path.read_bytes() for path in Path("s").rglob("*.py")}
    found = checked(capsys, "s/deep", "s", "--write", "out")
    assert {path: path.read_bytes() for path in Path("s").rglob("*.py")} == before
    assert Path("out/fine.py").read_text(encoding="utf-8") == FINE
    assert Path("out/deep/mended.py").read_bytes() == FINE.replace("\n", "\r\n").encode()
    assert b"# \xe9\n" in Path("out/latin.py").read_bytes()
    assert found["s/same.py"]["same_as"] == "s/fine.py"
    assert found["s/deep/mended.py"]["written"] == str(Path("out/deep/mended.py"))


def test_a_strategy_is_never_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(mended=MENDED, deep__fine=FINE)
    assert main(["check", "s", "--write", "s"]) == 2
    assert "would take the place of the strategy itself" in capsys.readouterr().err
    assert Path("s/mended.py").read_text(encoding="utf-8") == MENDED
    assert main(["check", "s/mended.py", "--write", "s"]) == 2


# Repairs before a backtest


def refusing(source: str, bars: BarsFile) -> RunResult:
    """An engine that fails at the wrong column, and then refuses the order."""
    if "data.close" in source:
        return bad_result(Failure(FailureKind.COLUMN, "no close", "Close"))
    if "_rbi_order" not in source and "sl=" in source:
        return bad_result(Failure(FailureKind.ORDER_PRICE, "Long orders require", "mend it"))
    return good_result()


def worked(*, repair: bool) -> tuple[list[dict[str, Any]], list[tuple[list[str], str]]]:
    """The lines of a batch, and of each file its attempts' reasons and its outcome."""
    request = BacktestRequest(("s",), str(Path.cwd()), repair=repair)
    strategies = OwnStrategies.read(request, 0.25)
    effects = ScriptedEffects({}, refusing)
    contexts = dict.fromkeys(Mode, context(effects))
    ended = []
    for number, text in enumerate(strategies.texts, start=1):
        report = strategies.work(Idea(number, text), contexts, lambda stage: None)
        ended.append(([a.reason.value for a in report.draft.attempts], report.outcome.kind.value))
    lines = strategies.lines([bars("GOOG")], lambda mode, source, bars: refusing(source, bars))
    return list(map(json.loads, lines)), ended


def test_repairs_are_made_only_if_asked_for(folder: Path) -> None:
    write(a_mended=MENDED, b_plain=MENDED.replace("sl=self.fast[-1]", ""))
    lines, ended = worked(repair=False)
    assert ended == [(["given"], "failed")] * 2
    assert [line["failure"]["kind"] for line in lines] == ["column"] * 2
    assert not any("fixes" in line for line in lines)
    lines, ended = worked(repair=True)
    assert ended == [(["given", "guarded"], "traded"), (["given"], "traded")]
    assert [line["changes_orders"] for line in lines] == [True, False]
    assert [[fix["rule"] for fix in line["fixes"]] for line in lines] == [
        ["column", "order_guard"],
        ["column"],
    ]
    assert [line["outcome"] for line in lines] == ["traded", "traded"]


def test_a_batch_with_repairs_is_another_one_and_stays_one(folder: Path) -> None:
    write(mended=MENDED)
    plain, repaired = (
        OwnStrategies.read(BacktestRequest(("s",), str(folder), repair=repair), 0.25)
        for repair in (False, True)
    )
    assert '"repair"' not in json.dumps(plain.identity())
    assert plain.identity() != repaired.identity()
    recorded = json.loads(json.dumps({"identity": repaired.identity()}))
    assert OwnStrategies.of(BatchRecord("b", "s", 0.0, "b", recorded), 0.25) == repaired
    assert repaired.label == "your own strategies, all bars, repaired"


def test_what_cannot_be_guarded_says_why(folder: Path) -> None:
    write(own=FINE.replace("def next", "def buy(self, **order): pass\n    def next"))
    strategies = OwnStrategies.read(BacktestRequest(("s",), str(folder), repair=True), 0.25)
    contexts = dict.fromkeys(Mode, context(ScriptedEffects({}, refusing)))
    report = strategies.work(Idea(1, strategies.texts[0]), contexts, lambda stage: None)
    assert report.outcome.cause == "order_price"
    assert report.outcome.reasons[-1].startswith("no order guards: S defines buy or sell itself")


@pytest.mark.parametrize(
    ("trades", "reasons", "kind"), [(True, "guarded", "traded"), (False, "given", "failed")]
)
def test_a_version_without_the_bars_it_fails_on_stands_only_if_it_trades(
    folder: Path, trades: bool, reasons: str, kind: str
) -> None:
    def dividing(source: str, bars: BarsFile) -> RunResult:
        if "_rbi_bar" not in source:
            return bad_result(
                Failure(FailureKind.ERROR, "ZeroDivisionError: division by zero", "skip it", line=3)
            )
        return (
            good_result()
            if trades
            else bad_result(Failure(FailureKind.NEVER_ORDERED, "no order", "loosen it"))
        )

    write(own=FINE)
    strategies = OwnStrategies.read(BacktestRequest(("s",), str(folder), repair=True), 0.25)
    contexts = dict.fromkeys(Mode, context(ScriptedEffects({}, dividing)))
    report = strategies.work(Idea(1, strategies.texts[0]), contexts, lambda stage: None)
    draft = report.draft
    assert [attempt.reason.value for attempt in draft.attempts] == ["given", "guarded"]
    assert (draft.attempts[draft.chosen - 1].reason.value, report.outcome.kind.value) == (reasons, kind)
    assert all(fix.changes_orders for fix in draft.attempts[1].fixes)
