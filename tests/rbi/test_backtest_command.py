"""``rbi backtest`` as a user has it: real processes, real files, real backtests."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rbi_commands import Commands

SMA = """
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


def sma(values, n):
    return pd.Series(values).rolling(n).mean()


class SmaCross(Strategy):
    def init(self):
        self.fast = self.I(sma, self.data.Close, 10)
        self.slow = self.I(sma, self.data.Close, 30)

    def next(self):
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()
"""

IDLE = "from backtesting import Strategy\nclass Idle(Strategy):\n    def init(self): pass\n    def next(self): pass\n"

FAILS = IDLE.replace("def next(self): pass", "def next(self): 1 / 0")

PROGRAM = f"""{SMA}
from backtesting import Backtest

data = pd.read_csv("/somebody/elses/path/BTC-USD-15m.csv")
print("columns", list(data.columns), "rows", len(data))
data.columns = [column.strip().lower() for column in data.columns]
data = data.set_index(pd.to_datetime(data["datetime"]))
data = data.rename(columns={{name: name.title() for name in ("open", "high", "low", "close", "volume")}})
data = data[["Open", "High", "Low", "Close", "Volume"]]
bt = Backtest(data, SmaCross, cash=50_000, commission=0.002)
print(bt.run())
"""

HEADER = "datetime, open, high, low, close, volume,"


class Place:
    """A working folder with strategies and a CSV file, and the commands run in it."""

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.endswith(("_API_KEY", "_BASE_URL")) and not name.startswith(("RBI_", "PYTHON"))
        }
        self.environ["RBI_CACHE"] = str(folder / "cache")
        self.write("bars.csv", "\n".join([HEADER, *(bar(number) for number in range(400)), ""]))

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rbi(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.commands.run(*arguments, folder=self.folder, environ=self.environ)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def backtest(self, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.rbi("backtest", "s", "--data", "bars.csv", "--env", "current", *more, code=code)

    def objects(self, *more: str, code: int = 0) -> dict[str, dict[str, Any]]:
        lines = self.backtest("--json", *more, code=code).stdout.splitlines()
        return {value["path"]: value for value in map(json.loads, lines)}

    def backtests_done(self) -> int:
        return int(json.loads(self.rbi("status", "--json").stdout)["backtests"])


def bar(number: int) -> str:
    price = 100 + 10 * ((number // 40) % 2) + (number % 40) / 4 * (-1 if (number // 40) % 2 else 1)
    day, quarter = divmod(number, 96)
    time = f"2023-01-{day + 1:02d} {quarter // 4:02d}:{quarter % 4 * 15:02d}:00"
    return f"{time},{price},{price + 1},{price - 1},{price + 0.5},12.0,"


@pytest.fixture
def place(tmp_path: Path, commands: Commands) -> Place:
    return Place(tmp_path, commands)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Place:
    """A finished batch of one strategy of each kind."""
    made = Place(tmp_path_factory.mktemp("own strategies"), commands)
    made.write("s/sma.py", SMA)
    made.write("s/z-copy.py", SMA)
    made.write("s/idle.py", IDLE)
    made.write("s/fails.py", FAILS)
    made.write("s/broken.py", "class S(\n")
    made.write("s/bytes.py", b"\xff\xfe\x00")
    made.write("s/deep/program.py", PROGRAM)
    made.backtest("--name", "first")
    return made


def test_every_file_has_an_outcome_by_name_and_none_stops_the_others(done: Place) -> None:
    rows = json.loads(done.rbi("results", "--json").stdout)
    assert {row["name"]: (row["outcome"], row["cause"]) for row in rows} == {
        "s/sma.py": ("traded", ""),
        "s/idle.py": ("no trades", "never_ordered"),
        "s/fails.py": ("failed", "error"),
        "s/broken.py": ("failed", "syntax"),
        "s/bytes.py": ("failed", "syntax"),
        "s/deep/program.py": ("traded", ""),
    }
    assert all(row["part"] == "full" for row in rows if row["dataset"])


def test_the_run_folder_has_a_leaderboard_and_a_folder_for_each_strategy(done: Place) -> None:
    run = done.folder / "results/first"
    with (run / "leaderboard.csv").open(encoding="utf-8") as file:
        assert {row["name"] for row in csv.DictReader(file)} >= {"s/sma.py", "s/deep/program.py"}
    folder = next(path for path in run.iterdir() if "sma" in path.name)
    assert (folder / "strategy.py").read_text(encoding="utf-8") == SMA
    found = sorted(path.name for path in (folder / "backtests/01-bars").iterdir())
    assert found == ["backtest.json", "equity.svg", "stats.json", "stderr.txt", "stdout.txt", "trades.csv"]
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert (description["part"], description["datasets"][0]["hold_out"]) == ("full", 0.0)
    assert description["repeated"] == [{"path": "s/z-copy.py", "same_as": "s/sma.py"}]


def test_the_same_command_again_costs_nothing_and_changes_nothing(done: Place) -> None:
    before = done.backtests_done()
    files = {p: p.read_bytes() for p in (done.folder / "results/first").rglob("*.json")}
    done.backtest("--name", "first")
    assert done.backtests_done() == before == 4
    assert all(path.read_bytes() == content for path, content in files.items())


def test_json_has_an_object_for_each_file_and_dataset_with_all_there_is_to_compare(done: Place) -> None:
    found = done.objects("--name", "first")
    assert set(found) == {
        *("s/sma.py", "s/z-copy.py", "s/idle.py", "s/fails.py", "s/broken.py", "s/bytes.py"),
        "s/deep/program.py",
    }
    sma, program = found["s/sma.py"], found["s/deep/program.py"]
    assert (sma["dataset"], sma["part"], sma["mode"], sma["road"]) == ("bars", "full", "class", "class")
    assert (program["mode"], program["road"]) == ("script", "observed")
    assert sma["stats"]["# Trades"] == sma["trades"] > 0
    assert found["s/z-copy.py"]["same_as"] == "s/sma.py"
    assert found["s/z-copy.py"]["stats"] == sma["stats"]
    assert found["s/fails.py"]["failure"]["line"] == FAILS.splitlines().index("    def next(self): 1 / 0") + 1
    assert found["s/idle.py"]["failure"]["kind"] == "never_ordered"
    assert found["s/broken.py"]["failure"]["kind"] == "syntax"
    for value in (sma, program):
        assert value["check"]["status"] == "confirmed"
        assert value["orders"]["placed"] >= value["trades"]
        assert value["elapsed_s"] > 0
    assert program["account"]["cash"] == 50_000
    assert sma["account"]["cash"] == 1_000_000


def test_a_program_reads_the_users_own_file_unchanged(done: Place) -> None:
    run = done.folder / "results/first"
    folder = next(path for path in run.iterdir() if "program" in path.name)
    printed = (folder / "backtests/01-bars/stdout.txt").read_text(encoding="utf-8")
    names = ["datetime", " open", " high", " low", " close", " volume", "Unnamed: 6"]
    assert f"columns {names} rows 400" in printed


def test_show_says_what_was_ordered_and_what_went_wrong_where(done: Place) -> None:
    shown = done.rbi("show", "s/fails.py").stdout
    assert "ZeroDivisionError" in shown
    assert "in line 4" in shown
    assert "hint:" in shown
    shown = done.rbi("show", "s/sma.py").stdout
    assert "numbers: confirmed" in shown
    assert "orders: " in shown


def test_own_strategies_are_called_strategies_all_the_way(done: Place) -> None:
    assert "6 of 6 strategies finished" in done.rbi("status").stdout
    again = done.backtest("--name", "first")
    assert "first: 6 strategies, 6 done before" in again.stderr
    assert "idea" not in again.stdout + again.stderr


def test_dev_leaves_the_hold_out_out(place: Place) -> None:
    place.write("s/program.py", PROGRAM)
    place.write("s/sma.py", SMA)
    found = place.objects("--part", "dev")
    assert {value["part"] for value in found.values()} == {"dev"}
    assert all(value["account"]["bars"] == 300 for value in found.values())
    (text,) = (place.folder / "cache/slices").glob("*.csv")
    assert text.read_text(encoding="utf-8") == "\n".join([HEADER, *map(bar, range(300)), ""])


def test_a_changed_strategy_begins_another_batch_and_the_others_are_not_run_again(place: Place) -> None:
    place.write("s/sma.py", SMA)
    place.write("s/idle.py", IDLE)
    place.backtest()
    first = json.loads(place.rbi("status", "--json").stdout)
    place.write("s/idle.py", IDLE + "# changed\n")
    place.backtest()
    second = json.loads(place.rbi("status", "--json").stdout)
    assert second["batch"] == first["batch"] + "-2"
    assert second["backtests"] == 1
    assert "not the ones" in place.rbi("resume", str(first["batch"]), code=1).stderr


def test_resume_goes_on_with_a_batch_of_own_strategies(place: Place) -> None:
    place.write("s/sma.py", SMA)
    place.backtest()
    name = json.loads(place.rbi("status", "--json").stdout)["batch"]
    folder = next((place.folder / "results" / name).glob("0001-*"))
    (folder / "outcome.json").unlink()
    place.rbi("resume", "--env", "current")
    assert (folder / "outcome.json").is_file()
    assert place.backtests_done() == 1
    refused = place.rbi("resume", "--env", "current", "--retry-failed", code=2).stderr
    assert "asks no model" in refused


def test_an_interrupted_batch_goes_on_with_the_same_command(place: Place) -> None:
    place.write("s/a.py", SMA)
    place.write("s/b.py", IDLE.replace("def next(self): pass", "def next(self):\n        while True: pass"))
    command = ["backtest", "s", "--data", "bars.csv", "--env", "current", "--workers", "1"]
    running = subprocess.Popen(
        [sys.executable, "-m", "rbi", *command],
        cwd=place.folder,
        env=place.environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    while "1 traded" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    assert "1 of 2 strategies are finished" in running.communicate()[1]
    assert running.returncode == 130
    ended = {v["path"]: v["outcome"] for v in place.objects("--timeout", "1").values()}
    assert ended == {"s/a.py": "traded", "s/b.py": "failed"}
    assert place.backtests_done() == 2


def test_programs_need_no_cash_of_ours(place: Place) -> None:
    place.write("s/program.py", PROGRAM)
    (found,) = place.objects("--cash", "1").values()
    assert found["outcome"] == "traded"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backtest"], "PATH"),
        (["backtest", "gone.py"], "no such file"),
        (["backtest", "."], "no .py file"),
        (["backtest", "bars.csv"], "a .py file"),
        (["backtest", ".", "--part", "ful"], "did you mean full?"),
        (["backtest", ".", "--mode", "scripts"], "did you mean script?"),
        (["backtest", ".", "--sandbox", "namespace"], "did you mean namespaces?"),
        (["backtest", ".", "--sandbox", "=colt"], "did you mean cold?"),
        (["backtest", ".", "--model", "claude"], "--mode"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage_and_touches_nothing(
    place: Place, arguments: list[str], said: str
) -> None:
    assert said in place.rbi(*arguments, code=2).stderr
    assert not (place.folder / "results").exists()
