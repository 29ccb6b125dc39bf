"""The outcomes of strategies that the user wrote, and what is recorded of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import NoLibrary, ScriptedEffects, bad_result, bars, context, good_result

from models.client import ModelClient
from models.limiter import Limiters
from models.stopping import Flag
from rbi.backtest_command import BacktestRequest, OwnStrategies
from rbi.config import load as load_settings
from rbi.console import Console
from rbi.data.catalog import load
from rbi.domain import Attempt, AttemptReason, Backtest, Draft, Idea, IdeaReport, OutcomeKind, Row, Verdict
from rbi.effects import JournaledEffects
from rbi.errors import UsageError
from rbi.events import Events
from rbi.journal import Journal
from rbi.leaderboard import rows_of
from rbi.pipeline import conclude
from rbi.prompts import shipped
from rbi.records import BatchRecord
from rbi.results import IdeaFolders
from rbi.settings_table import SANDBOXES
from rbi.stages.context import Scenario
from rbi.turns import Turns
from rbi.views import results_table
from rbi.writers import Writers
from runners.base import (
    Account,
    BarsFile,
    CheckStatus,
    Failure,
    FailureKind,
    Level,
    Mode,
    NumbersCheck,
    OrderDiagnostics,
    RunRequest,
    RunResult,
    Terms,
)

SOURCE = "from backtesting import Strategy\nclass S(Strategy):\n    pass\n"
ORDERS = OrderDiagnostics(300, 29, 12, 10, 4, {"margin": 6}, 0, 2, 8, 120, 31)
ACCOUNT = Account("S", 1e4, 0.0, None, 2.5, 1.0, False, False, True, True, 300)
FORGED = Failure(FailureKind.FORGED, "Return [%] is 900, its trades lead to 4.2", "compute nothing by hand")


def failure(kind: FailureKind) -> Failure:
    return Failure(kind, kind.value, "mend it", line=3, source_line="pass")


def draft(*results: RunResult, part: str = "full") -> Draft:
    attempt = Attempt(AttemptReason.GIVEN, SOURCE, model="")
    names = ("GOOG", "EURUSD", "BTCUSD")
    backtests = tuple(
        Backtest(1, replace(bars(name), part=part), result)
        for name, result in zip(names, results, strict=False)
    )
    return Draft(Idea(1, "s/s.py 00ff"), attempts=(attempt,), backtests=backtests, file="s/s.py")


def with_failure(kind: FailureKind, *, trades: int = 0) -> RunResult:
    return replace(good_result(trades=trades), failure=failure(kind))


def report(ended: Draft) -> IdeaReport:
    return IdeaReport(ended, conclude(ended))


INVALID = replace(
    bad_result(FORGED), check=NumbersCheck(CheckStatus.INVALID, "Return [%]: 900 where 4.2 is computed")
)


@pytest.mark.parametrize(
    "kind", [FailureKind.NEVER_ORDERED, FailureKind.ALL_CANCELLED, FailureKind.NO_TRADES]
)
def test_a_backtest_without_trades_ends_so_and_names_why(kind: FailureKind) -> None:
    outcome = conclude(draft(with_failure(kind)))
    assert (outcome.kind, outcome.cause, outcome.final) == (OutcomeKind.NO_TRADES, kind.value, True)
    assert "mend it" in outcome.reasons[0]


def test_a_bust_account_traded_and_fails() -> None:
    outcome = conclude(draft(with_failure(FailureKind.BUST, trades=9)))
    assert (outcome.kind, outcome.verdict) == (OutcomeKind.TRADED, Verdict.FAIL)


def test_forged_numbers_are_invalid_whatever_the_other_datasets_say_and_come_first() -> None:
    outcome = conclude(draft(good_result(), with_failure(FailureKind.NEVER_ORDERED), INVALID))
    assert (outcome.kind, outcome.cause, outcome.verdict) == (OutcomeKind.INVALID, "forged", None)
    assert FORGED.message in outcome.reasons[0]
    assert outcome.final


def test_a_program_that_fails_after_its_backtest_has_failed_but_keeps_its_numbers() -> None:
    ended = draft(with_failure(FailureKind.ERROR, trades=5))
    outcome = conclude(ended)
    assert (outcome.kind, outcome.cause) == (OutcomeKind.FAILED, "error")
    (row,) = rows_of(report(ended), "f")
    assert (row.trades, row.failure) == (5, "error")


def test_an_error_counts_more_than_a_lack_of_trades_on_another_dataset() -> None:
    outcome = conclude(draft(with_failure(FailureKind.NEVER_ORDERED), bad_result(failure(FailureKind.ERROR))))
    assert (outcome.kind, outcome.cause) == (OutcomeKind.FAILED, "error")


@pytest.mark.parametrize(("part", "said"), [("dev", "dev slice only"), ("full", "all bars were used")])
def test_the_reason_says_which_bars_were_used(part: str, said: str) -> None:
    assert conclude(draft(good_result(), part=part)).reasons[0].startswith(said)


def test_rows_of_invalid_results_show_no_numbers() -> None:
    forged = replace(good_result(), failure=FORGED, check=INVALID.check)
    (row,) = rows_of(report(draft(forged)), "f")
    assert (row.trades, row.return_pct, row.sharpe, row.check) == (None, None, None, "invalid")


def test_everything_beside_the_figures_is_recorded(tmp_path: Path) -> None:
    result = replace(
        good_result(),
        level=Level.LANDLOCK,
        seed=7,
        orders=ORDERS,
        account=ACCOUNT,
        check=NumbersCheck(CheckStatus.CONFIRMED),
        disagreement="it printed 12 trades",
    )
    record = IdeaFolders(tmp_path).write("run/one", report(draft(result)))
    about = json.loads((tmp_path / "run/one/backtests/01-goog/backtest.json").read_text(encoding="utf-8"))
    for found in (about, record["backtests"][0]):
        assert (found["level"], found["part"], found["seed"]) == ("landlock", "full", 7)
        assert found["check"] == {"status": "confirmed", "detail": ""}
        assert (found["orders"]["cancelled"], found["account"]["commission"]) == ({"margin": 6}, None)
        assert found["disagreement"] == "it printed 12 trades"
    summary = (tmp_path / "run/one/summary.md").read_text(encoding="utf-8")
    for part in (
        "6 cancelled (margin)",
        "level landlock",
        "by a function + 2.5 an order",
        "12 trades",
        "(full",
    ):
        assert part in summary
    assert record["name"] == "s/s.py"


def test_a_row_recorded_before_there_were_checks_is_still_read() -> None:
    (row,) = rows_of(report(draft(good_result())), "f")
    older = {k: getattr(row, k) for k in Row.__dataclass_fields__}
    for new in ("part", "failure", "check", "level", "road"):
        del older[new]
    assert Row.from_json(older).check == ""


# A request


def request(folder: Path, *paths: str, part: str = "full") -> OwnStrategies:
    return OwnStrategies.read(BacktestRequest(paths, str(folder), part), hold_out=0.25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/class.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "s/program.py").write_text("Backtest(data, S).run()\n", encoding="utf-8")
    (tmp_path / "s/broken.py").write_text("class S(\n", encoding="utf-8")
    return tmp_path


def test_a_recorded_batch_reads_its_strategies_again_from_wherever_it_is_resumed(folder: Path) -> None:
    began = request(folder, "s", part="dev")
    recorded = json.loads(json.dumps({"identity": began.identity()}))
    again = OwnStrategies.of(BatchRecord("b", "s", 0.0, "b", recorded), hold_out=0.25)
    assert again == began
    assert OwnStrategies.of(BatchRecord("b", "i.txt", 0.0, "b", {"identity": {}}), hold_out=0.25) is None


@pytest.mark.parametrize(("part", "rows", "hold_out"), [("full", 2148, 0.0), ("dev", 1611, 0.25)])
def test_programs_get_a_text_and_classes_do_not_need_one(
    folder: Path, part: str, rows: int, hold_out: float
) -> None:
    for path, has_text in (("s/class.py", False), ("s/program.py", True)):
        strategies = request(folder, path, part=part)
        (found,) = strategies.slices([load("GOOG")], folder / "slices")
        assert (found.part, found.rows, strategies.hold_out) == (part, rows, hold_out)
        assert (found.text is not None) == has_text == (not strategies.use_terms)


def test_each_file_is_run_as_what_it_is_and_a_broken_one_not_at_all(folder: Path) -> None:
    strategies = request(folder, "s")
    effects = {mode: ScriptedEffects({}, lambda source, bars: good_result()) for mode in Mode}
    contexts = {mode: context(effects[mode]) for mode in Mode}
    stages: list[str] = []
    kinds = {
        text: strategies.work(Idea(number, text), contexts, stages.append).outcome.kind
        for number, text in enumerate(strategies.texts, start=1)
    }
    assert sorted(kinds.values()) == ["failed", "traded", "traded"]
    assert [len(effects[mode].ran) for mode in (Mode.CLASS, Mode.SCRIPT)] == [2, 2]
    assert {"class S" in source for source, _ in effects[Mode.SCRIPT].ran} == {False}
    assert set(stages) == {"run"}


def test_lines_are_strict_json_for_whatever_is_recorded(folder: Path) -> None:
    strategies = request(folder, "s")

    def recorded(mode: Mode, source: str, slice: BarsFile) -> RunResult | None:
        return good_result(trades=0) if mode is Mode.CLASS else None

    lines = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        for line in strategies.lines([bars("GOOG")], recorded)
    ]
    assert {line["path"]: line["outcome"] for line in lines} == {
        "s/broken.py": "failed",
        "s/class.py": "no trades",
        "s/program.py": None,
    }


class ListingRunner:
    """A runner that trades, and keeps what it was asked to run."""

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []

    def identity(self, request: RunRequest) -> Mapping[str, Any]:
        return {"source": request.source, "mode": request.mode.value}

    def accepts(self, result: RunResult) -> bool:
        return True

    def run(self, request: RunRequest) -> RunResult:
        self.requests.append(request)
        return good_result()

    def run_all(self, requests: Sequence[RunRequest]) -> tuple[RunResult, ...]:
        return tuple(map(self.run, requests))

    def drain(self) -> None:
        return

    def interrupt(self) -> None:
        return


def test_effects_run_sources_as_what_they_are_told_and_know_what_is_recorded(tmp_path: Path) -> None:
    journal, runner = Journal(tmp_path / "rbi.db"), ListingRunner()
    made = {
        mode: JournaledEffects(
            batch="b",
            journal=journal,
            client=ModelClient(journal, Limiters()),
            writers=Writers((), {}, max_output_tokens=1, temperature=None),
            prompts=shipped(),
            library=NoLibrary(),
            runner=runner,
            terms=Terms(),
            timeout_s=10.0,
            events=Events(),
            stopping=Flag(),
            turns=Turns(1, Flag()),
            mode=mode,
        )
        for mode in Mode
    }
    script, other = made[Mode.SCRIPT], made[Mode.CLASS]
    assert script.recorded(SOURCE, bars()) is None
    ran = script.backtest(Idea(1, "s"), "run", SOURCE, Scenario(bars()))
    assert [request.mode for request in runner.requests] == [Mode.SCRIPT]
    found = script.recorded(SOURCE, bars())
    assert found is not None
    assert found.to_json() == ran.to_json()
    assert other.recorded(SOURCE, bars()) is None
    journal.close()


def test_every_level_of_containment_can_be_asked_for() -> None:
    assert list(SANDBOXES) == [level.value for level in reversed(Level)]


def test_a_containment_is_asked_for_by_flag_variable_and_file(tmp_path: Path) -> None:
    (tmp_path / "rbi.toml").write_text('sandbox = "limits"\n', encoding="utf-8")
    assert load_settings({}, folder=tmp_path, environ={}).sandbox == "limits"
    environ = {"RBI_SANDBOX": "landlock"}
    assert load_settings({}, folder=tmp_path, environ=environ).sandbox == "landlock"
    assert load_settings({"sandbox": "=cold"}, folder=tmp_path, environ=environ).sandbox == "=cold"
    assert "sandbox" not in load_settings({}, folder=tmp_path, environ={}).identity()


@pytest.mark.parametrize("value", ["strong", "==cold", "=", "COLD ", "namespace"])
def test_a_containment_that_there_is_not_is_wrong_usage(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="no level of containment") as caught:
        load_settings({"sandbox": value}, folder=tmp_path, environ={})
    assert caught.value.where == "--sandbox"
    assert caught.value.fix


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_the_table_shows_the_check_and_the_cause_and_cuts_no_number(width: int) -> None:
    checks = (CheckStatus.CONFIRMED, CheckStatus.CANNOT_TELL)
    results = [replace(good_result(), check=NumbersCheck(status)) for status in checks]
    rows = [
        *rows_of(report(draft(*results)), "f"),
        replace(rows_of(report(draft(with_failure(FailureKind.ALL_CANCELLED))), "f")[0], number=2),
        replace(rows_of(report(draft(INVALID)), "f")[0], number=3),
    ]
    out = io.StringIO()
    Console(file=out, width=width).print(results_table(rows, title="x", width=width))
    shown = out.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for part in ("10.00", "✓", "?", "✗", "40"):
        assert part in shown
    assert ("all cancelled" in shown) == (width >= 120)
