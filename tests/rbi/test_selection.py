"""Which ideas a command works on, and what becomes of those that have an end already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.config import Settings
from rbi.domain import Idea
from rbi.errors import UsageError
from rbi.records import IdeaRecord
from rbi.results import OUTCOME_FILE
from rbi.selection import Wishes, matching, select
from rbi.workplace import Origin, Workplace, open_workplace

TEXTS = ("buy the dip", "sell the rip", "hold the line", "trade rules.pdf now")
IDS = [Idea(0, text).idea_id for text in TEXTS]
IDENTITY = {"model": "offline:rules"}
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
ORIGIN = Origin("/home/me", {"python": "3.12"})


def test_only_takes_words_or_a_pattern_whatever_the_capitals() -> None:
    assert matching(TEXTS, "THE") == TEXTS[:3]
    assert matching(TEXTS, "*the ?ip") == TEXTS[:2]
    assert matching(TEXTS, "") == TEXTS
    assert matching(["a [b] c", "b"], "[b]") == ("a [b] c", "b")


def test_a_limit_counts_only_what_is_unfinished() -> None:
    chosen = select(TEXTS, {IDS[0]: "traded", IDS[2]: ""}, {}, Wishes(), limit=2)
    assert chosen.left == TEXTS[1:3]
    assert chosen.texts == TEXTS[:3]


@given(
    st.dictionaries(st.sampled_from(IDS), st.sampled_from(["", "traded", "failed", "flagged", "duplicate"])),
    st.builds(Wishes, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 5),
)
def test_what_is_left_is_chosen_within_the_limit_and_only_ends_are_changed(
    endings: dict[str, str], wishes: Wishes, limit: int
) -> None:
    found = select(TEXTS, endings, {}, wishes, limit)
    assert set(found.left) <= set(found.texts)
    assert not limit or len(found.left) <= limit
    left = {Idea(0, text).idea_id for text in found.left}
    assert found.changes.renewed | found.changes.reopened <= left
    assert not found.changes.renewed & found.changes.reopened
    assert all(endings.get(idea_id) for idea_id in found.changes.reopened)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with open_workplace(tmp_path / "results") as workplace:
        yield workplace


def begin(
    place: Workplace,
    wishes: Wishes = Wishes(),  # noqa: B008 - a frozen value
    *,
    day: date = MONDAY,
    origin: Origin = ORIGIN,
    identity: Mapping[str, Any] = IDENTITY,
    name: str = "",
) -> tuple[str, tuple[IdeaRecord, ...]]:
    batch, records = place.begin(
        Settings(ideas="i.txt", name=name), TEXTS, identity=identity, today=day, wishes=wishes, origin=origin
    )
    return batch.name, records


def finish(place: Workplace, batch: str, kinds: Mapping[str, str]) -> None:
    for idea_id, kind in kinds.items():
        number = next(r.idea.number for r in place.journal.ideas(batch) if r.idea.idea_id == idea_id)
        folder = place.journal.place_idea(batch, idea_id, f"{batch}/{number:04d}")
        (place.results / folder).mkdir(parents=True)
        (place.results / folder / OUTCOME_FILE).write_text("{}", encoding="utf-8")
        row = {"number": number, "folder": folder}
        outcome = {"outcome": kind, "number": number, "timed_out": False, "rows": [row], "name": "X"}
        place.journal.save_outcome(batch, idea_id, outcome, final=True)


def test_an_idea_that_another_batch_finished_stands_here_with_where_it_is(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, dict.fromkeys(IDS, "traded"))
    second, records = begin(place, day=TUESDAY)
    assert second != first
    assert [(r.final, r.found_in, r.place) for r in records] == [
        (True, first, f"{first}/{n:04d}") for n in range(1, 5)
    ]
    assert all(r.folder is None for r in records)  # the folder is the other batch's
    assert place.find_batch(f"results/{first}").name == first


def test_a_number_is_the_one_that_the_idea_has_in_its_own_batch(place: Workplace) -> None:
    place.begin(Settings(ideas="j.txt"), TEXTS[2:3], identity=IDENTITY, today=MONDAY, origin=ORIGIN)
    finish(place, "2026-03-02-j", {IDS[2]: "traded"})
    _, records = begin(place)
    outcome = records[2].outcome
    assert outcome is not None
    assert (outcome["number"], outcome["rows"][0]["number"]) == (3, 3)
    assert outcome["rows"][0]["folder"] == "2026-03-02-j/0001"
    assert [r.final for r in records] == [False, False, True, False]


@pytest.mark.parametrize(
    ("origin", "identity", "found"),
    [
        (ORIGIN, IDENTITY, 4),
        (ORIGIN, {"model": "openai:x"}, 0),
        (Origin("/home/me", {"python": "3.13"}), IDENTITY, 0),
        (Origin("/elsewhere", {"python": "3.12"}), IDENTITY, 3),
    ],
    ids=["same", "other model", "other versions", "other folder"],
)
def test_results_stand_elsewhere_only_if_they_would_be_the_same(
    place: Workplace, origin: Origin, identity: Mapping[str, Any], found: int
) -> None:
    first, _ = begin(place)
    finish(place, first, dict.fromkeys(IDS, "traded"))
    _, records = begin(place, day=TUESDAY, origin=origin, identity=identity)
    assert sum(bool(r.found_in) for r in records) == found


def test_a_folder_that_is_gone_is_no_result(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, {IDS[0]: "traded"})
    (place.results / first / "0001" / OUTCOME_FILE).unlink()
    _, records = begin(place, day=TUESDAY, name="other")
    assert not any(r.found_in for r in records)


def test_ends_that_say_nothing_of_an_idea_do_not_stand_elsewhere(place: Workplace) -> None:
    first, _ = begin(place)
    finish(
        place, first, dict(zip(IDS, ("flagged", "duplicate", "no document", "not understood"), strict=True))
    )
    _, records = begin(place, day=TUESDAY)
    assert [bool(r.found_in) for r in records] == [False, False, False, True]


def test_again_makes_a_new_trial_in_a_batch_of_its_own_and_goes_on_with_it(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, dict.fromkeys(IDS, "traded"))
    second, records = begin(place, Wishes(again=True))
    assert second == f"{first}-2"
    assert [(r.idea.trial, r.final) for r in records] == [(2, False)] * 4
    assert begin(place, Wishes(again=True))[0] == second  # it is not finished
    finish(place, second, dict.fromkeys(IDS, "traded"))
    third, records = begin(place, Wishes(again=True))
    assert third == f"{first}-3"
    assert [r.idea.trial for r in records] == [3] * 4
    assert begin(place)[0] == first


def test_a_name_that_has_results_cannot_be_tried_again(place: Workplace) -> None:
    begin(place, name="mine")
    with pytest.raises(UsageError, match="has results already"):
        begin(place, Wishes(again=True), name="mine")


def test_what_failed_is_retried_with_a_new_trial_and_nothing_else_is(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, dict(zip(IDS, ("traded", "failed", "no trades", "no document"), strict=True)))
    _, records = begin(place)
    assert all(r.final for r in records)
    _, records = begin(place, Wishes(retry_failed=True))
    assert [(r.final, r.idea.trial) for r in records] == [(True, 1), (False, 2), (False, 2), (False, 1)]
    _, records = begin(place, Wishes(retry_failed=True))  # interrupted before anything was done
    assert [r.idea.trial for r in records] == [1, 2, 2, 1]


def test_resume_can_retry_what_failed(place: Workplace) -> None:
    name, _ = begin(place)
    finish(place, name, dict(zip(IDS, ("traded", "failed", "flagged", "duplicate"), strict=True)))
    batch = place.find_batch(name)
    assert [r.final for r in place.reopen(batch, Wishes.of({"dedupe": True}))] == [True] * 4
    records = place.reopen(batch, Wishes.of({"dedupe": True}, retry_failed=True))
    assert [r.final for r in records] == [True, False, True, True]


def test_a_failure_of_another_batch_is_retried_here_as_a_new_trial(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, dict.fromkeys(IDS, "failed"))
    _, records = begin(place, Wishes(retry_failed=True), day=TUESDAY)
    assert [(r.final, r.idea.trial) for r in records] == [(False, 2)] * 4


def test_flagged_and_duplicate_ideas_are_taken_up_once_they_are_wanted(place: Workplace) -> None:
    first, _ = begin(place, Wishes(dedupe=True))
    finish(place, first, {IDS[0]: "flagged", IDS[1]: "duplicate", IDS[2]: "traded", IDS[3]: "traded"})
    assert all(r.final for r in begin(place, Wishes(dedupe=True))[1])
    assert [r.final for r in begin(place, Wishes(keep_flagged=True))[1]] == [False, False, True, True]


def test_infeasible_ideas_are_taken_up_once_they_are_wanted(place: Workplace) -> None:
    first, _ = begin(place)
    finish(place, first, {**dict.fromkeys(IDS, "traded"), IDS[0]: "not feasible"})
    assert all(r.final for r in begin(place)[1])
    batch, records = begin(place, Wishes(keep_infeasible=True))
    assert (batch, [r.final for r in records]) == (first, [False, True, True, True])


def test_ideas_of_standard_input_have_no_path(place: Workplace) -> None:
    batch, _ = place.begin(Settings(ideas="-"), TEXTS, identity=IDENTITY, today=MONDAY, origin=ORIGIN)
    assert (batch.source, batch.name) == ("-", "2026-03-02-standard-input")
    assert json.loads(json.dumps(dict(batch.settings)))["base"] == "/home/me"
