"""The command line as a user has it: real processes, real files, exit codes."""

from __future__ import annotations

import io
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rbi_commands import Commands

from models.loopback import Asked, LoopbackServer
from models.loopback.answers import Answer
from models.loopback.offline import answers_of
from models.providers.offline import OfflineWriter
from rbi.console import Console
from rbi.domain import Row
from rbi.views import results_table
from runners.base import Level

IDEAS = """# a comment
Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below.
Buy when RSI(14) falls below 30 and exit when RSI rises above 60.
Go long when funding rates turn negative.
Buy when price closes above the upper Bollinger Band (20, 2), exit at the middle band.
"""


class Place:
    """A working folder and the commands run in it. No key of the machine reaches them."""

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.endswith(("_API_KEY", "_BASE_URL")) and not name.startswith(("RBI_", "PYTHON"))
        }
        (folder / "ideas.txt").write_text(IDEAS, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "rbi", *arguments]

    def rbi(self, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        done = self.commands.run(*arguments, folder=self.folder, environ={**self.environ, **environ})
        return ended_as_expected(done, code)

    def alone(self, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """In a python that has imported nothing before."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
        )
        return ended_as_expected(done, code)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.rbi("run", "ideas.txt", "--data", "GOOG", "--env", "current", *more, code=code)

    def status(self) -> dict[str, object]:
        return dict(json.loads(self.rbi("status", "--json").stdout))

    def figures(self) -> dict[str, bytes]:
        """Everything a batch ends with that has to be the same however it got there."""
        patterns = ("*/leaderboard.csv", "*/*/**/*.*")
        return {
            str(path.relative_to(self.folder / "results")): path.read_bytes()
            for pattern in patterns
            for path in (self.folder / "results").glob(pattern)
            if path.is_file()
        }


def ended_as_expected(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def place(tmp_path: Path, commands: Commands) -> Place:
    return Place(tmp_path, commands)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Place:
    """A finished batch to look at."""
    made = Place(tmp_path_factory.mktemp("a folder with blanks"), commands)
    made.run("--name", "first")
    return made


# Looking


def test_help_needs_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys; from rbi.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'numpy', 'rich', 'openai', 'anthropic', 'backtesting', 'sqlite3'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_batch_leaves_a_table_a_leaderboard_and_a_folder_for_each_idea(done: Place) -> None:
    table = done.rbi("results").stdout
    assert "CANNOT TELL" in table
    assert "not feasible" in table
    folders = sorted(p.name[:4] for p in (done.folder / "results/first").iterdir() if p.is_dir())
    assert folders == ["0001", "0002", "0003", "0004"]
    rows = json.loads(done.rbi("results", "--json").stdout)
    assert {row["number"] for row in rows} == {1, 2, 3, 4}
    assert all(row["trades"] > 0 for row in rows if row["outcome"] == "traded")


def test_the_same_command_again_costs_nothing_and_changes_nothing(done: Place) -> None:
    before, figures = done.status(), done.figures()
    done.run("--name", "first")
    after = done.status()
    assert (after["answers"], after["backtests"]) == (before["answers"], before["backtests"])
    assert done.figures() == figures


def test_an_idea_is_shown_by_number_by_id_and_by_a_part_of_its_name(done: Place) -> None:
    row = next(r for r in json.loads(done.rbi("results", "--json").stdout) if r["number"] == 2)
    by_number = done.rbi("show", "2").stdout
    assert "RSI(14)" in by_number
    assert done.rbi("show", row["idea_id"]).stdout == by_number
    assert done.rbi("show", "rsi(14) falls").stdout == by_number


def test_show_prints_code_stats_and_log(done: Place) -> None:
    assert "Strategy" in done.rbi("show", "2", "--code").stdout
    stats = json.loads(done.rbi("show", "2", "--stats", "--json").stdout)
    assert stats["01-goog"]["# Trades"] > 0
    log = done.rbi("show", "2", "--log").stdout
    assert [line.split()[0] for line in log.splitlines()[:3]] == ["model", "model", "backtest"]


def test_a_refused_idea_says_what_to_do(done: Place) -> None:
    shown = done.rbi("show", "3").stdout
    assert "not feasible" in shown
    assert "OPENAI_API_KEY" in shown
    assert "funding rate" in shown
    assert "fix:" in done.rbi("show", "3", "--code", code=1).stderr


def test_every_listing_speaks_json(done: Place) -> None:
    for command in (
        ["status"],
        ["results"],
        ["show", "1"],
        ["show", "1", "--log"],
        ["models"],
        ["plan", "ideas.txt"],
    ):
        json.loads(done.alone(*command, "--json").stdout)


def test_doctor_finds_nothing_wrong_and_what_is(done: Place, place: Place) -> None:
    (place.folder / "ideas.txt").unlink()
    ill = place.start("doctor", "--env", f"conda:{place.folder}/none", "--json")  # at once: both mostly wait
    done.rbi("init")
    done.rbi("doctor", "--env", "current")
    out, _ = ill.communicate()
    assert ill.returncode == 1
    said = json.loads(out)
    wrong = {finding["name"] for finding in said["findings"] if not finding["ok"]}
    assert wrong == {"ideas", "environment"}  # there is no ideas/ideas.txt, either
    assert [level["level"] for level in said["levels"]] == list(reversed(Level))


def test_only_the_first_three_quarters_of_the_bars_are_used(done: Place) -> None:
    stats = json.loads(done.rbi("show", "2", "--stats", "--json").stdout)
    assert stats["01-goog"]["End"]["ts"] < "2011-02"
    run = json.loads((done.folder / "results/first/run.json").read_text(encoding="utf-8"))
    assert run["datasets"][0]["bars"] == 2148


# Beginning


def test_init_writes_first_files_once_and_they_run(place: Place) -> None:
    made = json.loads(place.rbi("init", "--json").stdout)
    assert set(made.values()) == {"made"}
    (place.folder / "rbi.toml").write_text('data = ["GOOG"]\nenv = "current"\nlimit = 1\n', encoding="utf-8")
    assert set(json.loads(place.rbi("init", "--json").stdout).values()) == {"kept"}
    assert "1 traded" in place.rbi("run").stdout


def test_only_and_limit_choose_ideas_and_a_later_run_takes_the_rest(place: Place) -> None:
    place.run("--only", "funding")
    assert place.status()["ideas"] == 1
    place.run("--limit", "1")
    assert place.status()["ideas"] == 2
    assert "fix:" in place.run("--only", "no such words", code=2).stderr


def test_progress_for_machines_is_json_lines_only(place: Place) -> None:
    lines = place.run("--limit", "1", "--json").stdout.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events[0] == "batch_started"
    assert events[-1] == "batch_finished"


def test_a_users_own_bars_are_tested_beside_the_bundled_ones(place: Place) -> None:
    rows = ["Date, OPEN ,High,low,Close,Volume,"]
    rows += [
        f"{1 + n % 28:02d}/{1 + n // 28 % 12:02d}/{2015 + n // 336},{p},{p + 2},{p - 2},{p + 1},{1000},"
        for n, p in enumerate(100 + 30 * ((k // 40) % 2) + k % 17 for k in range(1000))
    ]
    (place.folder / "mine.csv").write_text("\n".join(rows), encoding="utf-8")
    place.run("--data", "mine.csv", "--limit", "1")
    rows_out = json.loads(place.rbi("results", "--json").stdout)
    assert [row["dataset"] for row in rows_out] == ["GOOG", "mine"]


# Stopping


@pytest.fixture
def stopped_at_one(place: Place) -> Iterator[Callable[..., str]]:
    """Runs a batch that is sent a signal when one idea has ended; what it said.

    It cannot have ended by then: it is not answered about the second idea before.
    """
    go_on = threading.Event()
    offline = answers_of(OfflineWriter())

    def answer(asked: Asked) -> Answer:
        if "RSI(14)" in asked.user:
            go_on.wait()
        return offline(asked)

    def run(number: signal.Signals, *more: str) -> str:
        process = place.start(
            *("run", "ideas.txt", "--data", "GOOG", "--env", "current", "--workers", "1"),
            *("--model", "openai:gpt-4o", "--delay", "0", *more),
        )
        assert process.stderr is not None
        last_resort = threading.Timer(240, process.kill)  # what is never said fails, and does not hang
        last_resort.start()
        while "1/4" not in (line := process.stderr.readline()):
            assert line, "ended early"
        last_resort.cancel()
        os.kill(process.pid, number)
        go_on.set()
        _, said = process.communicate(timeout=240)
        assert process.returncode == 130, said
        return said

    with LoopbackServer(answer) as server:
        place.environ |= {"OPENAI_API_KEY": "sk-of-the-tests", "OPENAI_BASE_URL": server.openai_url}
        yield run
        go_on.set()


def test_ctrl_c_says_what_is_safe_and_how_to_go_on(place: Place, stopped_at_one: Callable[..., str]) -> None:
    place.environ["RBI_OPTIMIZE_ROUNDS"] = "0"  # so that each idea is two calls
    said = stopped_at_one(signal.SIGINT)
    assert "rbi resume" in said
    assert "Traceback" not in said
    place.rbi("resume")
    status = place.status()
    assert (status["finished"], status["answers"]) == (4, 7)


def test_whenever_it_is_killed_resume_ends_with_the_same_bytes_and_asks_nothing_twice(
    place: Place, tmp_path_factory: pytest.TempPathFactory, commands: Commands
) -> None:
    smooth = Place(tmp_path_factory.mktemp("smooth"), commands)
    smooth.run("--name", "b")
    moments = random.Random(7)
    for _ in range(6):
        process = place.start("run", "ideas.txt", "--data", "GOOG", "--env", "current", "--name", "b")
        time.sleep(moments.uniform(0.4, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    place.run("--name", "b")
    assert place.figures() == smooth.figures()
    status = place.status()
    assert status["answers"] == smooth.status()["answers"]
    assert status["in_flight"] == 0


def test_two_processes_share_a_batch_and_do_nothing_twice(place: Place) -> None:
    place.environ["RBI_OPTIMIZE_ROUNDS"] = "0"  # so that each idea is two calls
    arguments = ("run", "ideas.txt", "--data", "GOOG", "--env", "current", "--workers", "2")
    both = [place.start(*arguments) for _ in range(2)]
    for process in both:
        out, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        assert "3 traded" in out
    status = place.status()
    assert (status["ideas"], status["answers"], status["backtests"]) == (4, 7, 3)


@pytest.mark.parametrize("redirection", ["2>&-", ">&-", "2>/dev/full", "2>&1 | head -1", "--json | head -1"])
def test_a_batch_goes_on_to_its_end_whoever_stops_listening(place: Place, redirection: str) -> None:
    command = shlex.join(place.command("run", "ideas.txt", "--data", "GOOG", "--env", "current"))
    done = subprocess.run(
        ["bash", "-c", f"{command} {redirection}; exit ${{PIPESTATUS[0]}}"],
        cwd=place.folder,
        env=place.environ,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 0
    assert place.status()["finished"] == 4


def test_a_reader_of_a_listing_may_leave_early(done: Place) -> None:
    command = shlex.join(done.command("show", "2", "--stats"))
    left = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=done.folder,
        env=done.environ,
        capture_output=True,
        text=True,
    )
    assert (left.returncode, left.stderr) == (0, "")


def test_the_command_to_go_on_with_can_be_typed_as_it_is_printed(
    place: Place, stopped_at_one: Callable[..., str]
) -> None:
    place.environ["RBI_OPTIMIZE_ROUNDS"] = "0"
    said = stopped_at_one(signal.SIGTERM, "--name", "my batch", "--results", "other place")
    printed = said.partition("continue: ")[2].splitlines()[0]
    assert shlex.split(printed)[0] == "rbi"
    place.rbi(*shlex.split(printed)[1:])
    status = json.loads(place.rbi("status", "--results", "other place", "--json").stdout)
    assert (status["batch"], status["finished"]) == ("my batch", 4)


def test_output_in_ascii_loses_characters_and_nothing_else(done: Place) -> None:
    shown = done.alone("results", PYTHONIOENCODING="ascii").stdout
    assert "CANNOT TELL" in shown


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_table_never_cuts_a_number(done: Place, width: int) -> None:
    rows = [Row.from_json(row) for row in json.loads(done.rbi("results", "--json").stdout)]
    out = io.StringIO()
    Console(file=out, width=width).print(results_table(rows, title="x", width=width))
    shown = out.getvalue()
    assert max(len(line) for line in shown.splitlines()) <= width
    for row in rows:
        if row.return_pct is not None:
            assert f"{row.return_pct:,.2f}" in shown
            assert str(row.trades) in shown


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rum"], 2, "did you mean run?"),
        (["run", "--worker", "3"], 2, "did you mean --workers?"),
        (["run", "ideas.txt", "--workers", "many"], 2, "whole number"),
        (["run", "ideas.txt", "--timeout", "0"], 2, "from 1"),
        (["run", "ideas.txt", "--model", "opnai:gpt"], 2, "openai"),
        (["run", "ideas.txt", "--model", "openai"], 1, "OPENAI_API_KEY"),
        (["run", "ideas.txt", "--model", "offline:big"], 2, "offline"),
        (["run", "ideas.txt", "--data", "GOGO"], 2, "GOOG"),
        (["run", "ideas.txt", "--env", "conda:none-of-that-name"], 1, "conda"),
        (["run", "ideas.txt", "--env", "docker"], 2, "venv"),
        (["run", "ideas.txt", "--budget", "-1"], 2, "from 0"),
        (["run", "ideas.txt", "--budget", "nan"], 2, "from 0"),
        (["run", "ideas.txt", "--temperature", "3"], 2, "to 2"),
        (["run", "ideas.txt", "--model", "offline,opnai"], 2, "openai"),
        (["run", "ideas.txt", "--budget", "much"], 2, "or none"),
        (["run", "ideas.txt", "--model", "gpt-4o"], 2, "Did you mean openai:gpt-4o?"),
        (["run", "ideas.txt", "--model", ",claude"], 2, "where: --model"),
        (["run", "ideas.txt", "--model", "claude,claude"], 2, "where: --model"),
        (["run", "ideas.txt", "--model", "offline", "--code-model", "a,,b"], 2, "where: --code-model"),
        (["run", "ideas.txt", "--model", "opnai"], 2, "where: --model"),
        (["plan", "ideas.txt", "--debug-model", "claude,"], 2, "where: --debug-model"),
        (["plan", "--yes"], 2, "rbi plan --help"),
        (["resume", "--temperature", "1"], 2, "--temperature"),
        (["resume", "--model", "x"], 2, "--name ANOTHER"),
        (["resume", "b", "--cash=5"], 2, "keeps its --cash for life"),
        (["models", "openai"], 2, "--check"),
        (["run", "idea.txt"], 1, "ideas.txt"),
        (["run", "nowhere"], 1, "no such ideas file"),
        (["run", "ideas.txt", "--cash", "10"], 2, "cash"),
        (["run", "ideas.txt", "--results", ""], 2, "--results"),
        (["run", "ideas.txt", "--name", "rbi.db"], 2, "--name"),
        (["run", "ideas.txt", "--env", "current", "--config", "."], 2, "rbi init"),
        (["resume"], 1, "rbi run"),
        (["plan", ""], 2, "ideas must not be empty"),
        (["results"], 1, "rbi run"),
        (["show", "1"], 1, "rbi run"),
    ],
)
def test_a_mistake_is_explained_with_its_fix(
    place: Place, arguments: list[str], code: int, said: str
) -> None:
    error = place.rbi(*arguments, code=code).stderr
    assert "fix:" in error
    assert said in error


@pytest.mark.parametrize(
    "environ", [{"OPENAI_API_KEY": "two words"}, {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "nowhere"}]
)
def test_a_bad_key_or_address_is_no_wrong_usage(place: Place, environ: dict[str, str]) -> None:
    place.rbi("run", "ideas.txt", "--model", "openai", code=1, **environ)


@pytest.mark.parametrize("word", ["--yes", "--verbose", "--x"])
def test_a_flag_like_no_other_is_not_taken_for_a_slip(place: Place, word: str) -> None:
    assert "did you mean" not in place.rbi("plan", word, code=2).stderr


def test_bad_lines_do_not_stop_the_good_ones_but_are_an_error_at_the_end(place: Place) -> None:
    (place.folder / "ideas.txt").write_text(IDEAS + "x" * 1_000_000 + "\n", encoding="utf-8")
    ended = place.run("--limit", "1", code=1)
    assert "1 traded" in ended.stdout
    assert "ideas.txt:6" in ended.stderr


def test_a_damaged_journal_is_explained_and_results_stay(place: Place) -> None:
    place.run("--limit", "1")
    (place.folder / "results/rbi.db").write_bytes(b"garbage" * 1000)
    before = place.figures()
    error = place.run(code=1).stderr
    assert "damaged" in error
    assert place.figures() == before


def test_changed_bars_are_not_mixed_into_a_batch(place: Place) -> None:
    def write(shift: int) -> None:
        lines = [
            f"{1_600_000_000 + 3600 * n},{p},{p},{p},{p},1"
            for n, p in enumerate(range(500 + shift, 800 + shift))
        ]
        (place.folder / "mine.csv").write_text(
            "time,open,high,low,close,volume\n" + "\n".join(lines), encoding="utf-8"
        )

    write(0)
    run = ("run", "ideas.txt", "--data", "mine.csv", "--env", "current", "--limit", "1", "--name", "b")
    place.rbi(*run)
    write(1)
    assert "other settings" in place.rbi("resume", code=2).stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_explained(place: Place) -> None:
    (place.folder / "results").mkdir(mode=0o500)
    assert "--results" in place.run(code=1).stderr


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_explained_and_the_batch_can_go_on_when_there_is_space(
    place: Place, full_disk: Path
) -> None:
    ended = place.run("--results", str(full_disk), code=1)
    assert "free some space" in ended.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", str(full_disk)], check=True)
    place.run("--results", str(full_disk))
    assert json.loads(place.rbi("status", "--results", str(full_disk), "--json").stdout)["finished"] == 4
