"""The quote before any key is used, and the question before a batch begins."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rbi_commands import Commands

from rbi.plan import prompt_tokens
from rbi.prompts import shipped
from rbi.quote import BYTES_A_TOKEN

IDEAS = """Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below.
Buy when RSI(14) falls below 30 and exit when RSI rises above 60.
Go long when funding rates turn negative.
"""
CLAUDE = "claude:claude-sonnet-4-5"


class Place:
    """A working folder without any key, where every provider's address leads to a listener of ours."""

    def __init__(self, folder: Path, address: str, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        kept = {"PATH", "HOME", "LANG", "TMPDIR"}
        self.environ = {name: value for name, value in os.environ.items() if name in kept}
        self.environ |= {
            "OPENAI_BASE_URL": address,
            "ANTHROPIC_BASE_URL": address,
            "OLLAMA_BASE_URL": address,
        }
        self.write(IDEAS)

    def write(self, text: str, name: str = "ideas.txt") -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def rbi(
        self, *arguments: str, code: int = 0, environ: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        done = self.commands.run(*arguments, folder=self.folder, environ={**self.environ, **environ})
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def plan(self, *arguments: str, **environ: str) -> dict[str, Any]:
        done = self.rbi("plan", "ideas.txt", "--json", *arguments, environ=environ)
        return dict(json.loads(done.stdout))

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def place(tmp_path: Path, listener: socket.socket, commands: Commands) -> Place:
    return Place(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}/v1", commands)


def was_connected_to(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_stages_prompt_is_counted_as_it_is_rendered(idea: str) -> None:
    columns = "Open, High, Low, Close and Volume"
    prompt = shipped().render("research", {"idea": idea, "columns": columns})
    size = len(f"{prompt.system}{prompt.user}".encode())
    assert prompt_tokens([idea], shipped())["research"] * BYTES_A_TOKEN == pytest.approx(size)


def test_a_plan_needs_no_key_asks_nobody_and_leaves_nothing(place: Place, listener: socket.socket) -> None:
    before = place.files()
    made = place.plan("--model", CLAUDE)
    assert (made["ideas"], made["calls"]) == (3, {"low": 6, "likely": 10, "high": 66})
    assert 0 < float(made["usd"]["low"]) < float(made["usd"]["likely"]) < float(made["usd"]["high"])
    assert made["minutes"]["likely"] > 0
    assert not was_connected_to(listener)
    assert place.files() == before


def test_without_a_model_or_a_key_the_plan_connects_to_nobody_either(
    place: Place, listener: socket.socket
) -> None:
    made = place.plan()
    assert float(made["usd"]["high"]) == 0
    assert not was_connected_to(listener)


def test_the_first_provider_with_a_key_is_the_one_quoted(place: Place) -> None:
    stages = place.plan(ANTHROPIC_API_KEY="sk-ant-nothing")["stages"]
    assert all(stage["models"][0].startswith("claude:") for stage in stages)


def test_every_stage_is_quoted_with_its_own_models(place: Place) -> None:
    stages = place.plan("--model", f"{CLAUDE}, offline", "--debug-model", "offline")["stages"]
    assert [stage["models"] for stage in stages] == [
        [CLAUDE, "offline:rules"],
        [CLAUDE, "offline:rules"],
        ["offline:rules"],
        [CLAUDE, "offline:rules"],
    ]


def test_an_unpriced_model_is_unknown_with_the_lines_that_set_its_price(place: Place) -> None:
    asked = ("plan", "ideas.txt", "--model", "openai:not-yet-known")
    page = place.rbi(*asked).stdout
    assert "unknown" in page
    assert '[prices."openai:not-yet-known"]' in page
    place.write('[prices."openai:not-yet-known"]\ninput = 1000\noutput = 1000\n', "rbi.toml")
    assert "unknown" not in place.rbi(*asked).stdout
    assert float(place.plan("--model", "openai:not-yet-known")["usd"]["low"]) > 1


def test_a_provider_of_ones_own_can_be_planned_for(place: Place) -> None:
    place.write('[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\ndefault_model = "m"\n', "rbi.toml")
    made = place.plan("--model", "mine")
    assert made["unpriced"] == ["mine:m"]
    assert made["usd"]["likely"] is None


def test_the_page_states_its_assumptions_and_the_budget(place: Place) -> None:
    page = place.rbi("plan", "ideas.txt", "--model", CLAUDE, "--budget", "0.3").stdout
    for part in (
        "0.5 repairs are asked for of each strategy",
        "4 bytes",
        "s on one core",
        "failed attempts",
        "the budget of $0.30",
    ):
        assert part in page


def test_the_page_says_what_a_budget_for_each_idea_holds(place: Place) -> None:
    asked = ("plan", "ideas.txt", "--model", CLAUDE, "--budget-per-idea")
    made = place.plan("--model", CLAUDE, "--budget-per-idea", "0")["budget_per_idea"]
    first, likely, worst = (float(made[name]) for name in ("first_call_usd", "likely_usd", "worst_usd"))
    assert 0 < first < likely < worst
    assert not made["holds_a_call"]
    for usd, said in (
        (0.0, "nothing would be sent"),
        (0.9 * first, "nothing would be sent"),
        ((first + likely) / 2, "too little for a likely idea"),
        ((likely + worst) / 2, "not the worst case"),
        (1.1 * worst, "holds the worst case"),
    ):
        assert said in place.rbi(*asked, str(usd)).stdout


def test_a_mistake_in_a_plan_is_explained(place: Place) -> None:
    assert "openai" in place.rbi("plan", "ideas.txt", "--model", "opnai:x", code=2).stderr
    assert "fix:" in place.rbi("plan", "no-such.txt", code=1).stderr
    assert "fix:" in place.rbi("plan", "ideas.txt", "--only", "no such words", code=2).stderr


def test_what_is_finished_is_left_out_and_nothing_is_written_to_look(place: Place) -> None:
    run = ("--data", "GOOG", "--env", "current")
    place.rbi("run", "ideas.txt", *run)
    place.write(
        IDEAS + "Buy when price closes above the upper Bollinger Band (20, 2), exit at the middle band.\n"
    )
    before = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*") if path.is_file()}
    made = place.plan(*run)
    assert (made["ideas"], made["finished_ideas"]) == (1, 3)
    assert made["batch"]
    assert "3 finished in batch" in place.rbi("plan", "ideas.txt", *run).stdout
    after = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*") if path.is_file()}
    assert {p: t for p, t in after.items() if p in before} == before
    assert {p.name for p in after.keys() - before.keys()} <= {"rbi.db-shm", "rbi.db-wal"}
    other = place.plan(*run, "--cash", "50000")
    assert (other["ideas"], other["batch"]) == (4, None)


# The question before a batch

ASKING = """
import sys
from decimal import Decimal
from models.cost import PriceTable, TokenPrice
from rbi.config import Settings
from rbi.plan import confirm
from rbi.quote import ASKED_STAGES, QuotedModel, Work, quote

provider, above, yes = sys.argv[1:]
model = QuotedModel(provider, "m", is_language_model=provider != "offline")
work = Work(
    ideas=10,
    prompt_tokens=dict.fromkeys(ASKED_STAGES, 500.0),
    chains=dict.fromkeys(ASKED_STAGES, (model,)),
    datasets=1,
    workers=5,
    cores=2,
)
prices = PriceTable({"dear:m": TokenPrice(Decimal(100), Decimal(100))})
print(confirm(quote(work, prices), Settings(confirm_above=float(above)), yes=yes == "yes"))
"""


def on_terminal(
    command: list[str], answer: str, *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code, standard output, and what a terminal showed when ``answer`` was typed into it."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    out, _ = process.communicate(timeout=120)
    shown = b""
    with contextlib.suppress(OSError):  # the other side of a terminal that is closed is an error, not an end
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    return process.returncode, out.strip(), shown.decode()


def asked(provider: str, answer: str, *, above: float = 1.0, yes: bool = False) -> tuple[str, str]:
    """What `confirm` returned and what a terminal showed when ``answer`` was typed."""
    command = [sys.executable, "-c", ASKING, provider, str(above), "yes" if yes else "no"]
    _, out, shown = on_terminal(command, answer)
    return out, shown


def test_a_batch_that_costs_much_begins_when_it_is_agreed_to() -> None:
    result, shown = asked("dear", "y\n")
    assert result == "True"
    assert "about $" in shown
    assert "10 ideas and 32 calls" in shown
    assert "go on? [y/N]" in shown


@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n", "\x04"])
def test_any_other_answer_sends_nothing(answer: str) -> None:
    result, shown = asked("dear", answer)
    assert result == "False"
    assert "nothing was sent" in shown


def test_an_unknown_cost_is_asked_about_as_well() -> None:
    result, shown = asked("unpriced", "no\n")
    assert result == "False"
    assert "unknown cost" in shown


def test_nothing_is_asked_when_it_was_answered_before_costs_little_or_is_offline() -> None:
    for result, shown in (
        asked("dear", "", yes=True),
        asked("dear", "", above=1000.0),
        asked("ollama", ""),
    ):
        assert result == "True"
        assert "calls" in shown
        assert "[y/N]" not in shown
    assert asked("offline", "") == ("True", "")


def test_without_a_terminal_nothing_is_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKING, "dear", "1", "no"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "True"
    assert "[y/N]" not in done.stderr


def test_a_no_to_a_run_is_no_error_and_leaves_nothing(place: Place, listener: socket.socket) -> None:
    place.write(f'[providers.mine]\nbase_url = "{place.environ["OPENAI_BASE_URL"]}"\n', "rbi.toml")
    before = place.files()
    run = [sys.executable, "-m", "rbi", "run", "ideas.txt", "--model", "mine:m", "--env", "current"]
    code, out, shown = on_terminal(run, "n\n", folder=place.folder, environ=place.environ)
    assert (code, out) == (0, "")
    assert "unknown cost for 3 ideas" in shown
    assert "nothing was sent" in shown
    assert place.files() == before
    assert not was_connected_to(listener)


def test_ctrl_c_at_the_question_sends_nothing_and_speaks_of_no_batch(place: Place) -> None:
    place.write(f'[providers.mine]\nbase_url = "{place.environ["OPENAI_BASE_URL"]}"\n', "rbi.toml")
    before = place.files()
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rbi", "run", "ideas.txt", "--model", "mine:m", "--env", "current"],
        cwd=place.folder,
        env=place.environ,
        stdin=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert b"nothing was sent" in shown
    assert b"resume" not in shown
    assert place.files() == before
