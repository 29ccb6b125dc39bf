"""Ideas files as people really have them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.domain import Idea, normalised
from rbi.errors import RbiError
from rbi.intake.lines import LONGEST_IDEA
from rbi.intake.sources import Ideas, read_source


def read_ideas(path: Path) -> Ideas:
    return read_source(str(path), io.BytesIO())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ideas.txt"


def test_comments_and_blank_lines_are_no_ideas(path: Path) -> None:
    path.write_text("# heading\n\n  buy low  \n\t\n#x\nsell high\n", encoding="utf-8")
    assert read_ideas(path).texts == ("buy low", "sell high")


@pytest.mark.parametrize(
    "content",
    [
        "buy low\nsell high\n".encode("utf-8-sig"),
        b"buy low\r\nsell high\r\n",
        b"buy low\rsell high",
        "buy low\nsell high".encode("utf-16"),
    ],
    ids=["BOM", "CRLF", "CR", "UTF-16"],
)
def test_whatever_the_editor_wrote_the_ideas_are_the_same(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read_ideas(path).texts == ("buy low", "sell high")


def test_a_repeated_idea_is_worked_on_once_and_told(path: Path) -> None:
    path.write_text("buy  low\nsell\nbuy low\n", encoding="utf-8")
    read = read_ideas(path)
    assert read.texts == ("buy  low", "sell")
    assert [(r.place.line, r.first.line) for r in read.repeated] == [(3, 1)]


@pytest.mark.parametrize("bad", ["x" * 1_000_000, "buy \0 low"], ids=["a million characters", "NUL"])
def test_a_bad_line_is_refused_with_its_place_and_the_others_go_on(path: Path, bad: str) -> None:
    path.write_text(f"buy low\n{bad}\nsell high\n", encoding="utf-8")
    read = read_ideas(path)
    assert read.texts == ("buy low", "sell high")
    (refusal,) = read.refused
    assert refusal.place.line == 2
    assert refusal.fix


def test_the_longest_idea_is_accepted_and_one_more_character_is_not(path: Path) -> None:
    path.write_text("x" * LONGEST_IDEA + "\n" + "y" * (LONGEST_IDEA + 1), encoding="utf-8")
    read = read_ideas(path)
    assert (len(read.texts), len(read.refused)) == (1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no idea"),
        (b"# only\n\n# comments\n", "holds no idea"),
        (bytes(range(256)) * 8, "not UTF-8 text"),
        (b"\x7fELF" + b"\0" * 500, "zero bytes"),
        (b"caf\xe9 strategy", "byte 3"),
        (b"x" * 1_000_000, "1,000,000 characters"),
    ],
    ids=["empty", "comments", "binary", "executable", "latin-1", "one endless line"],
)
def test_a_file_without_a_usable_idea_is_an_error_with_a_fix(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RbiError) as caught:
        read_ideas(path)
    assert said in caught.value.what
    assert str(path) in caught.value.where
    assert caught.value.fix


def test_a_missing_file_suggests_the_one_that_was_meant(path: Path) -> None:
    path.write_text("x", encoding="utf-8")
    with pytest.raises(RbiError) as caught:
        read_ideas(path.with_name("idees.txt"))
    assert "ideas.txt" in caught.value.fix


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(path: Path) -> None:
    path.write_text("x", encoding="utf-8")
    path.chmod(0)
    with pytest.raises(RbiError, match="may not be read"):
        read_ideas(path)


@given(st.text(min_size=1, max_size=60), st.lists(st.sampled_from(" \t\n\u00a0"), min_size=1, max_size=3))
def test_white_space_does_not_make_another_idea(text: str, space: list[str]) -> None:
    padded = "".join(space) + text + "".join(space)
    assert Idea(1, padded).idea_id == Idea(2, text).idea_id
    assert normalised(normalised(text)) == normalised(text)


@given(st.text(max_size=200))
def test_an_ideas_folder_name_is_safe_everywhere(text: str) -> None:
    name = Idea(7, text).folder_name
    assert name.startswith("0007-")
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(name) <= 64
