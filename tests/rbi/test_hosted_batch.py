"""Batches with the real SDKs against a loopback server: what is sent, what is kept, what a key touches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from models.base import StopReason
from models.loopback import Asked, Failure, LoopbackServer, Reply, bad_key, quota_spent, unknown_model
from models.loopback.answers import Answer, Answers
from models.loopback.offline import answers_of
from models.providers.offline.writer import OfflineWriter

KEY = "sk-a-very-secret-key-0123456789"
IDEAS = [
    "Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below.",
    "Buy when RSI(14) falls below 30 and exit when RSI rises above 60.",
    "Buy when price closes above the 20-day high, exit at the 10-day low.",
]
OFFLINE = answers_of(OfflineWriter())


class Place:
    def __init__(self, folder: Path, server: LoopbackServer, model: str) -> None:
        self.folder = folder
        self.model = model
        self.server = server
        (folder / "ideas.txt").write_text("\n".join(IDEAS), encoding="utf-8")
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("RBI_", "OPENAI_", "ANTHROPIC_", "PYTHON"))
        }
        self.environ = {
            **kept,
            "OPENAI_API_KEY": KEY,
            "ANTHROPIC_API_KEY": KEY,
            "OPENAI_BASE_URL": server.openai_url,
            "ANTHROPIC_BASE_URL": server.anthropic_url,
        }
        self.said = ""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "rbi", *arguments]

    def rbi(self, *arguments: str) -> int:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode

    def run(self, *more: str) -> int:
        return self.rbi(
            "run",
            "ideas.txt",
            "--model",
            self.model,
            "--data",
            "GOOG",
            "--env",
            "current",
            "--delay",
            "0",
            *more,
        )

    def status(self) -> dict[str, object]:
        out = subprocess.run(
            self.command("status", "--json"),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            check=True,
        )
        return dict(json.loads(out.stdout))

    def outcomes(self) -> list[str]:
        paths = sorted((self.folder / "results").glob("*/*/outcome.json"))
        return [json.loads(path.read_text(encoding="utf-8"))["outcome"] for path in paths]

    def leaks(self) -> list[str]:
        """Files and output that hold the key, compressed records of the journal included."""
        found = ["output"] if KEY in self.said else []
        for path in (self.folder / "results").rglob("*"):
            if path.is_file() and KEY.encode() in path.read_bytes():
                found.append(str(path))
        program = (
            "import sqlite3, sys, zlib\n"
            "for r in sqlite3.connect(sys.argv[1]).execute('SELECT request, result FROM effect'):\n"
            "    for blob in r:\n"
            "        if blob: sys.stdout.buffer.write(zlib.decompress(blob))"
        )
        journal = subprocess.run(
            [sys.executable, "-c", program, str(self.folder / "results/rbi.db")],
            capture_output=True,
            check=True,
        )
        return [*found, "journal"] if KEY.encode() in journal.stdout else found


def place(folder: Path, answers: Answers, model: str = "openai:gpt-6.1-sol") -> Place:
    return Place(folder, LoopbackServer(answers), model)


@pytest.mark.parametrize(
    "model", ["openai:gpt-6.1-sol", "claude:claude-sonnet-5-5", "anthropic:claude-sonnet-5-5"]
)
def test_a_batch_asks_each_question_once_and_the_key_travels_in_a_header_only(
    tmp_path: Path, model: str
) -> None:
    here = place(tmp_path, OFFLINE, model)
    with here.server as server:
        assert here.run() == 0
        assert here.outcomes() == ["traded"] * 3
        asked = len(server.seen)
        assert asked == 6
        for seen in server.seen:
            assert KEY in " ".join(seen.headers.values())
            assert KEY not in seen.path + json.dumps(seen.body)
        assert here.run() == 0
        assert len(server.seen) == asked
    assert here.leaks() == []
    assert float(str(here.status()["cost_usd"])) > 0


def test_the_hold_out_is_in_no_prompt(tmp_path: Path) -> None:
    here = place(tmp_path, OFFLINE)
    with here.server as server:
        here.run()
        sent = json.dumps([seen.body for seen in server.seen])
    for year in ("2011", "2012", "2013"):
        assert year not in sent


def test_killed_while_calls_are_out_a_batch_repeats_only_what_had_no_answer(tmp_path: Path) -> None:
    reached = threading.Event()

    def slow_for_writing(asked: Asked) -> Answer:
        if asked.system.startswith("Stage: write") and not reached.is_set():
            reached.set()
            threading.Event().wait(3)
        return OFFLINE(asked)

    here = place(tmp_path, slow_for_writing)
    with here.server as server:
        process = subprocess.Popen(
            here.command("run", "ideas.txt", "--model", here.model, "--data", "GOOG", "--env", "current"),
            cwd=tmp_path,
            env=here.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert reached.wait(30)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        status = here.status()
        possibly_paid = int(str(status["possibly_paid"]))
        assert possibly_paid >= 1
        assert here.rbi("resume", "--delay", "0") == 0
        assert len(server.seen) <= 6 + possibly_paid
    assert here.outcomes() == ["traded"] * 3


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (bad_key(KEY), "OPENAI_API_KEY"),
        (quota_spent(), "quota"),
        (unknown_model("gpt-6.1-sole"), "gpt-6.1-sol"),
    ],
    ids=["bad key", "quota", "unknown model"],
)
def test_what_no_retry_can_mend_stops_the_batch_at_once(tmp_path: Path, failure: Failure, said: str) -> None:
    here = place(tmp_path, lambda asked: failure, "openai:gpt-6.1-sole")
    with here.server as server:
        assert here.run("--workers", "1") == 1
        assert len(server.seen) == 1
    assert said in here.said
    assert "fix:" in here.said
    assert here.leaks() == []


def test_one_ideas_refusal_is_its_own_outcome_and_is_asked_again_on_resume(tmp_path: Path) -> None:
    refusing = threading.Event()
    refusing.set()

    def answer(asked: Asked) -> Answer:
        if refusing.is_set() and "RSI" in asked.user:
            return Reply("I would rather not.", stop=StopReason.REFUSED)
        return OFFLINE(asked)

    here = place(tmp_path, answer)
    with here.server:
        assert here.run() == 3
        assert sorted(here.outcomes()) == ["model failed", "traded", "traded"]
        assert "rbi resume" in here.said
        refusing.clear()
        assert here.rbi("resume", "--delay", "0") == 0
    assert here.outcomes() == ["traded"] * 3


def test_an_answer_cut_off_in_its_code_is_not_run(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        whole = OFFLINE(asked)
        if asked.system.startswith("Stage: write") and isinstance(whole, str):
            return whole[: len(whole) // 2]
        return whole

    here = place(tmp_path, answer)
    with here.server:
        assert here.run("--limit", "1") == 0
    attempts = sorted(p.name for p in (tmp_path / "results").glob("*/*/attempts/*"))
    assert attempts == ["01-written.py", "02-repaired.py"]
    ran = [
        json.loads(p.read_text(encoding="utf-8"))
        for p in (tmp_path / "results").glob("*/*/backtests/*/backtest.json")
    ]
    assert [backtest["attempt"] for backtest in ran] == [2]


def test_a_misspelt_model_is_pointed_out_before_anything_is_asked(tmp_path: Path) -> None:
    here = place(tmp_path, OFFLINE, "openai:gpt-6.1-soll")
    with here.server:
        here.run("--limit", "1")
    assert "did you mean gpt-6.1-sol?" in here.said


def test_an_answer_that_is_no_text_or_holds_the_key_ends_its_own_idea_only(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        whole = OFFLINE(asked)
        if asked.system.startswith("Stage: research") and isinstance(whole, str) and "RSI" in asked.user:
            return f"{whole}\nhalf an emoji \ud83d and your key {KEY}"
        return whole

    here = place(tmp_path, answer)
    with here.server:
        assert here.run() == 0
    assert here.outcomes() == ["traded"] * 3
    assert here.leaks() == []
    notes = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "results").glob("*/*/research.md"))
    assert "your key [hidden]" in notes
