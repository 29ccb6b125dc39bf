"""Which batch a command means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from rbi.config import Settings
from rbi.errors import RbiError, UsageError
from rbi.show import find_idea
from rbi.workplace import Workplace, open_existing, open_workplace

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
OFFLINE = {"model": "offline:rules"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with open_workplace(tmp_path / "results") as workplace:
        yield workplace


def begin(place: Workplace, *, day: date = MONDAY, name: str = "", identity: dict[str, str] = OFFLINE) -> str:
    settings = Settings(ideas="my ideas.txt", name=name)
    batch, _ = place.begin(settings, ["one", "two"], identity=identity, today=day)
    return batch.name


def finish(place: Workplace, batch: str) -> None:
    for record in place.journal.ideas(batch):
        place.journal.save_outcome(batch, record.idea.idea_id, {"rows": [], "name": "X"}, final=True)


def test_a_batch_is_named_after_its_date_and_file(place: Workplace) -> None:
    assert begin(place) == "2026-03-02-my-ideas"


def test_the_same_command_goes_on_with_an_unfinished_batch_even_on_another_day(place: Workplace) -> None:
    assert begin(place) == begin(place, day=TUESDAY)


def test_a_finished_batch_is_shown_again_on_its_day_and_a_new_day_begins_a_new_one(place: Workplace) -> None:
    first = begin(place)
    finish(place, first)
    assert begin(place) == first
    assert begin(place, day=TUESDAY) == "2026-03-03-my-ideas"


def test_other_settings_make_another_batch(place: Workplace) -> None:
    assert begin(place) == "2026-03-02-my-ideas"
    assert begin(place, identity={"model": "openai:x"}) == "2026-03-02-my-ideas-2"


def test_a_name_belongs_to_the_settings_it_was_first_used_with(place: Workplace) -> None:
    assert begin(place, name="mine") == "mine"
    assert begin(place, name="mine", day=TUESDAY) == "mine"
    with pytest.raises(UsageError, match="offline:rules -> openai:x"):
        begin(place, name="mine", identity={"model": "openai:x"})


@pytest.mark.parametrize(
    "name", ["../up", "a/b", ".hidden", "/abs", "rbi.db-journal", "x" * 200, "a\x1b[31m", "trail.", "-x"]
)
def test_a_name_cannot_lead_out_of_the_results_folder(place: Workplace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a batch"):
        begin(place, name=name)


def test_the_latest_batch_is_the_one_worked_on_last(place: Workplace) -> None:
    first, second = begin(place, name="first"), begin(place, name="second")
    assert place.find_batch(None).name == second
    begin(place, name="first")
    assert place.find_batch(None).name == first
    assert place.find_batch("results/second/").name == second


def test_an_unknown_batch_lists_the_known_ones(place: Workplace) -> None:
    begin(place, name="first")
    with pytest.raises(RbiError) as caught:
        place.find_batch("frist")
    assert "first" in caught.value.fix


def test_looking_at_results_that_are_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RbiError, match="no results here"), open_existing(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


def test_an_idea_is_found_by_number_id_start_of_id_or_words(place: Workplace) -> None:
    settings = Settings(ideas="i.txt")
    batch, records = place.begin(
        settings, ["Buy the dip", "Sell the rip", "Buy 2 dips"], identity=OFFLINE, today=MONDAY
    )
    second = records[1].idea
    with pytest.raises(RbiError, match="no idea 30"):
        find_idea(records, "30", batch.name)
    for wanted in ("2", second.idea_id, second.idea_id[:6], "RIP", second.folder_name):
        assert find_idea(records, wanted, batch.name).idea == second
    with pytest.raises(RbiError, match="2 ideas match"):
        find_idea(records, "buy", batch.name)
    with pytest.raises(RbiError, match="no idea matches"):
        find_idea(records, "hold", batch.name)
    with pytest.raises(RbiError, match="a part of its name is needed"):
        find_idea(records, " ", batch.name)
