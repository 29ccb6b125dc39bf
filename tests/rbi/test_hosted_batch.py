"""Batches with the real SDKs against a loopback server: what is sent, what is kept, what a key touches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosted_place import IDEAS, KEY, Place
from rbi_commands import Commands

from models.base import StopReason
from models.continuation import MOST_PARTS
from models.loopback import (
    Asked,
    Failure,
    LoopbackServer,
    Misbehaviour,
    Reply,
    bad_key,
    quota_spent,
    unknown_model,
)
from models.loopback.answers import Answer, Answers
from models.loopback.offline import answers_of
from models.providers.offline.writer import OfflineWriter

PlaceOf = Callable[..., Place]
OFFLINE = answers_of(OfflineWriter())


@pytest.fixture
def place(tmp_path: Path, commands: Commands) -> PlaceOf:
    """Make the folder that asks a server with these answers."""

    def place(answers: Answers, model: str = "openai:gpt-6.1-sol") -> Place:
        return Place(tmp_path, LoopbackServer(answers), model, commands)

    return place


@pytest.mark.parametrize(
    "model", ["openai:gpt-6.1-sol", "claude:claude-sonnet-5-5", "anthropic:claude-sonnet-5-5"]
)
def test_a_batch_asks_each_question_once_and_the_key_travels_in_a_header_only(
    place: PlaceOf, model: str
) -> None:
    here = place(OFFLINE, model)
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


def test_the_hold_out_is_in_no_prompt(place: PlaceOf) -> None:
    here = place(OFFLINE)
    with here.server as server:
        here.run("--optimize-rounds", "2")
        assert any("Stage: optimize" in json.dumps(seen.body) for seen in server.seen)
        sent = json.dumps([seen.body for seen in server.seen])
    for year in ("2011", "2012", "2013"):
        assert year not in sent


def test_killed_while_calls_are_out_a_batch_repeats_only_what_had_no_answer(
    place: PlaceOf, tmp_path: Path
) -> None:
    reached, killed = threading.Event(), threading.Event()

    def slow_for_writing(asked: Asked) -> Answer:
        if asked.system.startswith("Stage: write") and not reached.is_set():
            reached.set()
            killed.wait(240)
        return OFFLINE(asked)

    here = place(slow_for_writing)
    with here.server as server:
        process = subprocess.Popen(
            here.command("run", "ideas.txt", "--model", here.model, "--data", "GOOG", "--env", "current"),
            cwd=tmp_path,
            env=here.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert reached.wait(120)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed.set()
        status = here.status()
        possibly_paid = int(str(status["possibly_paid"]))
        assert possibly_paid >= 1
        assert here.rbi("resume", "--delay", "0") == 0
        assert len(server.seen) <= 6 + possibly_paid
    assert here.outcomes() == ["traded"] * 3


@pytest.mark.parametrize(
    ("failure", "said", "code"),
    [
        (bad_key(KEY), "OPENAI_API_KEY", 1),
        (quota_spent(), "quota", 3),  # more credit, and `rbi resume` goes on
        (unknown_model("gpt-6.1-sole"), "gpt-6.1-sol", 1),
    ],
    ids=["bad key", "quota", "unknown model"],
)
def test_what_no_retry_can_mend_stops_the_batch_at_once(
    place: PlaceOf, failure: Failure, said: str, code: int
) -> None:
    here = place(lambda asked: failure, "openai:gpt-6.1-sole")
    with here.server as server:
        # One at a time: a first answer that is late by a second would let the others ask, too.
        assert here.run("--workers", "1") == code
        assert len(server.seen) == 1
    assert said in here.said
    assert "fix:" in here.said
    assert here.leaks() == []


def test_one_ideas_refusal_is_its_own_outcome_and_is_asked_again_on_resume(place: PlaceOf) -> None:
    refusing = threading.Event()
    refusing.set()

    def answer(asked: Asked) -> Answer:
        if refusing.is_set() and "RSI" in asked.user:
            return Reply("I would rather not.", stop=StopReason.REFUSED)
        return OFFLINE(asked)

    here = place(answer)
    with here.server:
        assert here.run() == 3
        assert sorted(here.outcomes()) == ["model failed", "traded", "traded"]
        assert "rbi resume" in here.said
        refusing.clear()
        assert here.rbi("resume", "--delay", "0") == 0
    assert here.outcomes() == ["traded"] * 3


def test_an_answer_that_is_always_cut_off_in_its_code_is_not_run(place: PlaceOf, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        whole = OFFLINE(asked)
        if asked.system.startswith("Stage: write") and isinstance(whole, str):
            return whole[: len(whole) // 2]
        return whole

    here = place(answer)
    with here.server as server:
        assert here.run("--limit", "1") == 3
        assert len(server.seen) == 1 + MOST_PARTS
    assert here.outcomes() == ["model failed"]
    assert "rbi resume" in here.said
    assert not list((tmp_path / "results").glob("*/*/backtests/*"))


def test_a_misspelt_model_is_pointed_out_before_anything_is_asked(place: PlaceOf) -> None:
    here = place(OFFLINE, "openai:gpt-6.1-soll")
    with here.server:
        here.run("--limit", "1")
    assert "did you mean gpt-6.1-sol?" in here.said


def test_an_answer_that_is_no_text_or_holds_the_key_ends_its_own_idea_only(
    place: PlaceOf, tmp_path: Path
) -> None:
    def answer(asked: Asked) -> Answer:
        whole = OFFLINE(asked)
        if asked.system.startswith("Stage: research") and isinstance(whole, str) and "RSI" in asked.user:
            return f"{whole}\nhalf an emoji \ud83d and your key {KEY}"
        return whole

    here = place(answer)
    with here.server:
        assert here.run() == 0
    assert here.outcomes() == ["traded"] * 3
    assert here.leaks() == []
    notes = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "results").glob("*/*/research.md"))
    assert "your key [hidden]" in notes


def test_a_fatal_error_ends_the_process_even_if_other_calls_hang(place: PlaceOf) -> None:
    def research_hangs(asked: Asked) -> Answer:
        return Misbehaviour.HANG if IDEAS[1] in asked.user else OFFLINE(asked)

    here = place(research_hangs)
    with here.server, LoopbackServer(lambda asked: bad_key()) as refusing:
        here.environ["ANTHROPIC_BASE_URL"] = refusing.anthropic_url
        began = time.monotonic()
        code = here.run("--code-model", "claude", "--call-timeout", "600")
        took = time.monotonic() - began
    assert code == 1
    assert "answered 401" in here.said
    assert took < 120
