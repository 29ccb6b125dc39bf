"""The journal: effects are remembered, batches keep their ideas, damage is explained."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbi.errors import RbiError
from rbi.journal import Journal
from rbi.owners import is_alive, owner_name
from rbi.records import IdeaRecord

LABELS = {"batch": "b", "idea": "i", "stage": "research"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "rbi.db")
    yield made
    made.close()


def intend(journal: Journal, key: str = "k", kind: str = "model") -> int:
    return journal.intend(key, kind=kind, request={"q": 1}, labels=LABELS)


def test_a_completed_effect_is_recalled_by_another_process_on_the_file(tmp_path: Path) -> None:
    first = Journal(tmp_path / "rbi.db")
    first.complete(intend(first), {"text": "yes"}, Decimal("0.01"))
    first.close()
    second = Journal(tmp_path / "rbi.db")
    assert second.recall("k") == {"text": "yes"}
    second.close()


def test_an_intent_a_failure_and_an_unknown_key_recall_nothing(journal: Journal) -> None:
    intend(journal, "open")
    journal.fail(intend(journal, "failed"), {"message": "no"}, None)
    assert [journal.recall(k) for k in ("open", "failed", "never")] == [None, None, None]


def test_totals_add_every_attempt_and_keep_unknown_apart(journal: Journal) -> None:
    journal.complete(intend(journal, "a"), {}, Decimal("0.000000001"))
    journal.fail(intend(journal, "a2"), {"message": "cut"}, Decimal("0.25"))
    journal.complete(intend(journal, "b"), {}, None)
    journal.complete(intend(journal, "c", "backtest"), {}, Decimal(0))
    totals = journal.totals("b")
    assert totals.cost_usd == Decimal("0.250000001")
    assert (totals.answers, totals.failed_calls, totals.unknown_cost, totals.backtests) == (2, 1, 1, 1)


def test_an_open_intent_is_in_flight_while_its_process_lives_and_possibly_paid_after(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "from rbi.owners import owner_name; print(owner_name())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = Journal(tmp_path / "rbi.db")
    gone = Journal(tmp_path / "rbi.db", owner=dead)
    intend(here)
    intend(gone)
    totals = here.totals("b")
    assert (totals.in_flight, totals.possibly_paid) == (1, 1)
    here.close()
    gone.close()


def test_a_reused_process_id_is_not_taken_for_the_process_that_died() -> None:
    host, pid, started = owner_name().rsplit(":", 2)
    assert is_alive(f"{host}:{pid}:{started}")
    assert not is_alive(f"{host}:{pid}:{int(started or 0) + 1}")


def with_ideas(journal: Journal, *texts: str) -> tuple[IdeaRecord, ...]:
    journal.save_batch("b", source="s", folder="b", settings={}, texts=texts)
    return journal.ideas("b")


def test_ideas_keep_their_numbers_when_the_file_is_rearranged(journal: Journal) -> None:
    with_ideas(journal, "one", "two")
    again = with_ideas(journal, "zero", "two", "one")
    assert [(r.idea.number, r.idea.text) for r in again] == [(1, "one"), (2, "two"), (3, "zero")]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=5))
def test_whatever_is_added_numbers_are_unique_and_never_change(
    tmp_path_factory: pytest.TempPathFactory, additions: list[list[str]]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("j") / "rbi.db")
    seen: dict[str, int] = {}
    for texts in additions:
        for record in with_ideas(journal, *texts):
            assert seen.setdefault(record.idea.text, record.idea.number) == record.idea.number
    assert sorted(seen.values()) == list(range(1, len(seen) + 1))
    journal.close()


def test_an_idea_keeps_the_folder_it_was_given_first(journal: Journal) -> None:
    (record,) = with_ideas(journal, "one")
    assert journal.place_idea("b", record.idea.idea_id, "monday/x") == "monday/x"
    assert journal.place_idea("b", record.idea.idea_id, "tuesday/x") == "monday/x"


def test_many_threads_can_write_at_once(journal: Journal) -> None:
    def work(name: str) -> None:
        for n in range(20):
            journal.complete(intend(journal, f"{name}{n}"), {"n": n}, Decimal("0.001"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.totals("b").answers == 160
    assert journal.totals("b").cost_usd == Decimal("0.160")


def test_what_was_recorded_survives_kill_9(tmp_path: Path) -> None:
    program = """
import sys
from decimal import Decimal
from pathlib import Path
from rbi.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    ticket = journal.intend(f"k{n}", kind="model", request={}, labels={"batch": "b"})
    journal.complete(ticket, {"n": n}, Decimal(1))
    print(n, flush=True)
    n += 1
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "rbi.db")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(25):
        last = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    journal = Journal(tmp_path / "rbi.db")
    assert [journal.recall(f"k{n}") for n in range(last + 1)] == [{"n": n} for n in range(last + 1)]
    journal.close()


def damaged(path: Path) -> None:
    journal = Journal(path)
    for n in range(300):
        journal.complete(intend(journal, f"k{n}"), {"text": os.urandom(200).hex()}, None)
    journal.close()
    content = bytearray(path.read_bytes())
    content[8192:-4096] = os.urandom(len(content) - 12288)
    path.write_bytes(content)


def foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()


def of_schema(number: int) -> Any:
    def make(path: Path) -> None:
        Journal(path).close()
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version = {number}")
        db.commit()
        db.close()

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"not a database at all, but long enough" * 50), "damaged"),
        (damaged, "damaged"),
        (foreign, "not a journal of rbi"),
        (of_schema(99), "schema 99"),
        (lambda path: path.mkdir(), "cannot be used"),
    ],
    ids=["text", "damaged pages", "other application", "other schema", "folder"],
)
def test_a_file_that_cannot_be_used_is_explained_and_left_as_it_is(
    tmp_path: Path, make: Any, said: str
) -> None:
    path = tmp_path / "rbi.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(RbiError) as caught:
        Journal(path)
    assert said in caught.value.what
    assert caught.value.fix
    assert before is None or path.read_bytes() == before


def test_a_journal_can_be_looked_at_where_nothing_may_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    journal = Journal(folder / "rbi.db")
    with_ideas(journal, "one")
    journal.close()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    folder.chmod(0o500)
    try:
        looking = Journal(folder / "rbi.db", read_only=True)
        assert [r.idea.text for r in looking.ideas("b")] == ["one"]
        looking.close()
    finally:
        folder.chmod(0o700)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name == "rbi.db"} == before


def test_looking_sees_what_another_process_has_just_written(tmp_path: Path) -> None:
    writing = Journal(tmp_path / "rbi.db")
    with_ideas(writing, "one")
    looking = Journal(tmp_path / "rbi.db", read_only=True)
    writing.save_batch("b", source="s", folder="b", settings={}, texts=["two"])
    assert [r.idea.text for r in looking.ideas("b")] == ["one", "two"]
    looking.close()
    writing.close()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE batch SET settings = '{cut'",
        "UPDATE batch_idea SET text = 'another idea'",
        "UPDATE batch_idea SET outcome = '[1'",
        "UPDATE effect SET result = x'00ff'",
        "UPDATE effect SET request = x'789c00'",
    ],
)
def test_a_record_that_is_not_what_was_written_is_damage_and_not_a_traceback(
    tmp_path: Path, spoil: str
) -> None:
    journal = Journal(tmp_path / "rbi.db")
    (record,) = with_ideas(journal, "one")
    journal.save_outcome("b", record.idea.idea_id, {"rows": []}, final=True)
    journal.complete(intend(journal), {"text": "yes"}, None)
    journal.verify()
    journal.close()
    db = sqlite3.connect(tmp_path / "rbi.db")
    db.execute(spoil)
    db.commit()
    db.close()
    journal = Journal(tmp_path / "rbi.db", read_only=True)
    with pytest.raises(RbiError, match="damaged"):
        journal.verify()
    journal.close()


def test_an_emptied_file_beside_its_log_is_refused_before_the_log_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "rbi.db"
    journal = Journal(path)
    with_ideas(journal, "one")
    log = tmp_path / "rbi.db-wal"
    kept = log.read_bytes()
    assert kept
    journal.close()
    path.write_bytes(b"")
    log.write_bytes(kept)
    for read_only in (True, False):
        with pytest.raises(RbiError, match="damaged"):
            Journal(path, read_only=read_only)
    assert log.read_bytes() == kept


def test_a_journal_of_an_older_schema_is_looked_at_without_being_changed(tmp_path: Path) -> None:
    path = tmp_path / "results/rbi.db"
    journal = Journal(path)
    with_ideas(journal, "one")
    journal.close()
    db = sqlite3.connect(path)
    db.execute("DROP INDEX effect_money")
    for column in ("model", "reserved_nano_usd", "saved_nano_usd", "input_tokens", "output_tokens"):
        db.execute(f"ALTER TABLE effect DROP COLUMN {column}")
    db.execute("ALTER TABLE batch_idea DROP COLUMN trial")
    db.execute("DROP TABLE trial")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    before = path.read_bytes()
    path.parent.chmod(0o500)
    try:
        looking = Journal(path, read_only=True)
        assert [r.idea.text for r in looking.ideas("b")] == ["one"]
        assert looking.totals("b").saved_usd == 0
        looking.close()
    finally:
        path.parent.chmod(0o700)
    assert path.read_bytes() == before
    Journal(path).close()
    assert path.read_bytes() != before


def test_a_journal_that_another_process_has_just_begun_to_make_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "rbi.db"
    being_made = sqlite3.connect(path)
    being_made.execute("PRAGMA journal_mode = WAL")
    looked = Journal(path, read_only=True)
    assert looked.batches() == ()
    looked.close()
    being_made.close()
