"""Batches that spend: budgets, chains of models, models by stage, and what a journal made before them becomes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hosted_place import Place
from rbi_commands import Commands

from models.breaker import FIRST_COOL_DOWN_S
from models.loopback import Asked, Failure, LoopbackServer, Reply
from models.loopback.answers import Answer
from models.loopback.offline import answers_of
from models.providers.offline.writer import OfflineWriter
from rbi.journal import Journal

PlaceOf = Callable[..., Place]
OFFLINE = answers_of(OfflineWriter())
TWO_CENTS = {"input_tokens": 5_000, "output_tokens": 1_000}  # gpt-6.1-sol: $2 and $10 a million
DEAR_CALL = ["--max-output-tokens", "1200"]
IDEAS = [
    f"Buy when the {n}-day SMA crosses above the 60-day SMA, sell when it crosses back." for n in range(5, 25)
]


def two_cents(asked: Asked) -> Answer:
    whole = OFFLINE(asked)
    return Reply(whole, **TWO_CENTS) if isinstance(whole, str) else whole


@pytest.fixture
def place(tmp_path: Path, commands: Commands) -> PlaceOf:
    """Make the folder that asks a server."""

    def place(server: LoopbackServer, model: str = "openai:gpt-6.1-sol") -> Place:
        here = Place(tmp_path, server, model, commands)
        (tmp_path / "ideas.txt").write_text("\n".join(IDEAS), encoding="utf-8")
        return here

    return place


def test_a_batch_stops_at_its_budget_and_goes_on_with_a_larger_one(place: PlaceOf) -> None:
    with LoopbackServer(two_cents) as server:
        here = place(server)
        assert here.run("--budget", "0.10", *DEAR_CALL) == 3
        spent = len(server.seen) * Decimal("0.02")
        assert Decimal("0.06") <= spent <= Decimal("0.10")
        assert Decimal(str(here.status()["cost_usd"])) == spent
        assert "--budget" in here.said
        assert here.rbi("resume", "--delay", "0") == 3  # the budget belongs to the batch
        assert len(server.seen) * Decimal("0.02") <= Decimal("0.10")
        assert here.rbi("resume", "--budget", "none", "--delay", "0") == 0
        assert len(server.seen) == 2 * len(IDEAS)
    assert here.outcomes() == ["traded"] * len(IDEAS)
    assert Decimal(str(here.status()["cost_usd"])) == Decimal("0.02") * 2 * len(IDEAS)


def test_what_trades_when_the_budget_ends_is_shown_and_gone_on_with_when_there_is_more(
    place: PlaceOf,
) -> None:
    with LoopbackServer(two_cents) as server:
        here = place(server)
        rounds = ["--optimize-rounds", "1", "--target-return", "1e6"]
        assert here.run("--budget", "0.045", "--limit", "1", *rounds, *DEAR_CALL) == 3
        assert here.outcomes() == ["traded"]
        assert len(server.seen) == 2
        assert "stopped at the budget: 0 of 1" in here.said
        assert here.rbi("resume", "--budget", "1", "--delay", "0") == 0
        assert here.outcomes() == ["traded"]
        assert any("Stage: optimize" in json.dumps(seen.body) for seen in server.seen)


def test_an_idea_that_uses_up_its_own_budget_ends_alone(place: PlaceOf) -> None:
    with LoopbackServer(two_cents) as server:
        here = place(server)
        assert here.run("--budget-per-idea", "0.03", "--limit", "3", *DEAR_CALL) == 3
        assert here.outcomes() == ["over budget"] * 3
        assert len(server.seen) == 3
        assert here.rbi("resume", "--budget-per-idea", "1", "--delay", "0") == 0
        assert len(server.seen) == 6
    assert here.outcomes() == ["traded"] * 3


def test_a_budget_needs_a_price(place: PlaceOf, tmp_path: Path) -> None:
    with LoopbackServer(two_cents) as server:
        here = place(server, "openai:from-the-future")
        assert here.run("--budget", "1") == 2
        assert '[prices."openai:from-the-future"]' in here.said
        assert server.seen == ()
        (tmp_path / "rbi.toml").write_text(
            '[prices."openai:from-the-future"]\ninput = 2\noutput = 10\n', encoding="utf-8"
        )
        assert here.run("--budget", "1", "--limit", "1") == 0
    assert Decimal(str(here.status()["cost_usd"])) == Decimal("0.04")


def test_the_batch_finishes_on_the_provider_that_lives(place: PlaceOf, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        return Failure(503, "down for maintenance") if asked.protocol == "anthropic" else OFFLINE(asked)

    with LoopbackServer(answer) as server:
        here = place(server, "claude:claude-opus-5,openai:gpt-6.1-sol")
        assert here.run("--workers", "4") == 0
        dead = [seen.at for seen in server.seen if "messages" in seen.path]
    # At most one call for each worker before it is known to be dead, then one now and then that tries it again.
    later = [at for at in dead if at - dead[0] >= FIRST_COOL_DOWN_S]
    assert len(dead) - len(later) <= 4
    assert all(at - before >= FIRST_COOL_DOWN_S for before, at in pairwise(later))
    assert here.outcomes() == ["traded"] * len(IDEAS)
    outcome = json.loads(next((tmp_path / "results").glob("*/*/outcome.json")).read_text(encoding="utf-8"))
    assert outcome["rows"][0]["model"] == "openai:gpt-6.1-sol"
    assert "claude:claude-opus-5" in here.said  # who was given up on


def test_each_stage_is_written_by_its_own_model(place: PlaceOf) -> None:
    with LoopbackServer(OFFLINE) as server:
        here = place(server)
        assert here.run("--research-model", "openai:gpt-4o-mini", "--limit", "1") == 0
        assert [seen.body["model"] for seen in server.seen] == ["gpt-4o-mini", "gpt-6.1-sol"]
        assert here.rbi("resume", "--delay", "0") == 0


def test_prompt_caching_is_shown_with_what_it_saved(place: PlaceOf) -> None:
    def answer(asked: Asked) -> Answer:
        whole = OFFLINE(asked)
        if not isinstance(whole, str):
            return whole
        return Reply(whole, input_tokens=100_000, cached_tokens=90_000, output_tokens=100)

    with LoopbackServer(answer) as server:
        here = place(server)
        assert here.run("--limit", "1") == 0
    assert "saved by prompt caching $" in here.said
    assert Decimal(str(here.status()["saved_usd"])) > 0


def test_a_journal_of_the_schema_before_is_brought_up_to_date_even_by_a_look(tmp_path: Path) -> None:
    path = tmp_path / "rbi.db"
    journal = Journal(path)
    journal.save_batch("b", source="x", folder="b", settings={}, texts=["an idea"])
    ticket = journal.intend("k", kind="model", request={}, labels={"batch": "b"})
    journal.complete(ticket, {"text": "x"}, Decimal("0.5"))
    journal.close()
    db = sqlite3.connect(path)
    db.execute("DROP TABLE trial")
    db.execute("DROP INDEX effect_money")
    for column in ("model", "reserved_nano_usd", "saved_nano_usd", "input_tokens", "output_tokens"):
        db.execute(f"ALTER TABLE effect DROP COLUMN {column}")
    db.execute("ALTER TABLE batch_idea DROP COLUMN trial")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    looked = Journal(path, read_only=True)
    assert looked.totals("b").cost_usd == Decimal("0.5")
    assert looked.recall("k") == {"text": "x"}
    looked.close()


@pytest.mark.parametrize("spec", ["claude:x,,openai:y", "openai:gpt-4o,openai:gpt-4o"])
def test_a_chain_that_is_none_is_a_clean_error(place: PlaceOf, spec: str) -> None:
    with LoopbackServer(OFFLINE) as server:
        here = place(server, spec)
        assert here.run() in (1, 2)
        assert server.seen == ()
    assert "fix:" in here.said
