"""Ideas from files, folders and standard input."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.domain import normalised
from rbi.errors import RbiError
from rbi.intake.lines import LONGEST_IDEA, Line, entries, joined, split
from rbi.intake.sources import Ideas, Place, read_source

WORDS = st.lists(st.text("abcxyz%.,<>2", min_size=1, max_size=8), min_size=1, max_size=12)


def read(content: str | bytes) -> Ideas:
    return read_source("-", io.BytesIO(content.encode() if isinstance(content, str) else content))


def test_a_trailing_backslash_joins_the_next_line() -> None:
    assert read("buy low \\\nsell high\\\n  or never\nnext\n").texts == ("buy low sell high or never", "next")


def test_a_joined_line_may_begin_with_a_hash() -> None:
    assert read("rule \\\n#1 of the book\n").texts == ("rule #1 of the book",)


def test_an_indented_block_continues_the_idea_above() -> None:
    text = "Mean reversion\n  buy low\n\t# not this\n\tsell high\nnext\n"
    assert read(text).texts == ("Mean reversion\nbuy low\nsell high", "next")


def test_a_blank_line_ends_an_idea() -> None:
    assert read("one\n\n  two\n\nthree \\\n\nfour\n").texts == ("one", "two", "three", "four")


def test_a_backslash_at_the_end_of_the_file_joins_nothing() -> None:
    assert read("one \\").texts == ("one",)
    assert read("one\n\\\n").texts == ("one",)


def test_every_idea_knows_the_line_it_begins_on() -> None:
    found = read("# a\n\none \\\n more\n\ntwo\n one\ntwo one\n")
    assert [str(idea.place) for idea in found.ideas] == ["standard input:3", "standard input:6"]
    assert [(str(one.place), str(one.first)) for one in found.repeated] == [
        ("standard input:8", "standard input:6")
    ]


@given(WORDS, st.data())
def test_however_an_idea_is_broken_into_lines_it_is_the_same_idea(
    words: list[str], data: st.DataObject
) -> None:
    breaks = data.draw(
        st.lists(
            st.sampled_from([" ", " \\\n", "\\\n\t", "\n  ", "\n\t"]),
            min_size=len(words),
            max_size=len(words),
        )
    )
    text = "".join(word + glue for word, glue in zip(words, breaks, strict=True)).rstrip()
    (idea,) = read(text).texts
    assert normalised(idea) == " ".join(words)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300), st.integers(1, 9))
def test_how_the_bytes_arrive_does_not_matter(text: str, size: int) -> None:
    content = ("x" * 30 + text).encode()
    pieces = [content[n : n + size] for n in range(0, len(content), size)]
    assert list(entries(pieces, "f")) == list(entries([content], "f"))


@given(st.lists(st.text("ab \\#\t", max_size=6), max_size=12))
def test_no_word_is_lost_but_those_of_comments(lines: list[str]) -> None:
    kept = "".join(entry.text for entry in joined(split(["\n".join(lines)])))
    written = "".join(line for line in lines if "#" not in line)
    assert kept.count("a") >= written.count("a")
    assert kept.count("b") >= written.count("b")


def test_an_endless_idea_is_counted_and_not_kept() -> None:
    lines = (Line(number, "x" * 100 + "\\", 101) for number in range(1, 2001))
    (entry,) = joined(lines)
    assert entry.length == 2000 * 100 + 1999
    assert len(entry.text) <= LONGEST_IDEA + 200


def test_text_that_is_not_text_is_placed_to_the_byte_and_line() -> None:
    with pytest.raises(RbiError) as caught:
        read(b"good\n" * 30_000 + b"caf\xe9\n")
    assert "byte 150003" in caught.value.what
    assert caught.value.where == "standard input:30001"


def test_a_folder_holds_one_idea_a_file(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text(
        "---\nTitle: 'Slow cross'\nauthor: me\n---\n\n# Heading\nbuy low\n", "utf-8"
    )
    (tmp_path / "a.txt").write_text("sell high\nor not", "utf-8")
    (tmp_path / "notes.csv").write_text("no", "utf-8")
    (tmp_path / ".hidden.md").write_text("no", "utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.MD").write_text("buy  low", "utf-8")
    (tmp_path / "sub" / "d.md").write_text("buy low", "utf-8")
    found = read_source(str(tmp_path), io.BytesIO())
    assert found.texts == ("sell high\nor not", "# Heading\nbuy low", "buy  low")
    assert [idea.title for idea in found.ideas] == ["", "Slow cross", ""]
    assert found.ideas[0].place == Place(str(tmp_path / "a.txt"))
    assert [one.first.file for one in found.repeated] == [str(tmp_path / "sub" / "c.MD")]
    assert found.base == tmp_path


def test_a_bad_file_in_a_folder_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("buy low", "utf-8")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "empty.md").write_text("---\ntitle: x\n---\n", "utf-8")
    (tmp_path / "huge.txt").write_text("x" * 400_000, "utf-8")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.md")
    found = read_source(str(tmp_path), io.BytesIO())
    assert found.texts == ("buy low",)
    assert {Path(one.place.file).name for one in found.refused} == {"latin.md", "empty.md", "huge.txt"}
    assert all(one.fix for one in found.refused)


def test_three_dashes_without_an_end_are_text(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nbuy low", "utf-8")
    assert read_source(str(tmp_path), io.BytesIO()).texts == ("---\nbuy low",)


def test_an_idea_between_two_rules_is_no_front_matter(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nbuy low\n---\nsell high", "utf-8")
    (tmp_path / "b.md").write_text("---\ntags:\n- x\n# y\n\nnote: >\n  z\n---\nbuy high", "utf-8")
    assert read_source(str(tmp_path), io.BytesIO()).texts == ("---\nbuy low\n---\nsell high", "buy high")


def test_the_home_of_nobody_is_an_error_that_can_be_mended() -> None:
    with pytest.raises(RbiError, match="no such home"):
        read_source("~nobody-is-called-so/ideas.txt", io.BytesIO())


def test_a_byte_order_mark_may_arrive_in_pieces() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        pieces = [bytes([byte]) for byte in "buy low".encode(encoding)]
        assert [entry.text for entry in entries(pieces, "f")] == ["buy low"]


def test_a_folder_without_an_idea_says_so(tmp_path: Path) -> None:
    with pytest.raises(RbiError, match="folder holds no idea"):
        read_source(str(tmp_path), io.BytesIO())


def test_standard_input_without_an_idea_says_so() -> None:
    with pytest.raises(RbiError) as caught:
        read("# nothing\n")
    assert caught.value.where == "standard input"
