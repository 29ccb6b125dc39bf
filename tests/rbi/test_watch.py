"""A source of ideas that goes on being written: what is taken from it, and when."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbi.errors import RbiError, UsageError
from rbi.intake.arriving import FollowedInput
from rbi.intake.following import GONE_S, FollowedFile, FollowedFolder, follow
from rbi.intake.lines import Tail, entries
from rbi.intake.news import BLOCK_STILL_S, LINE_STILL_S, News

WHOLE = "# ideas\nfirst\nsecond with é\n  goes on\n\n  and on \\\nto its end\n# aside\n  after a comment\nlast one\n"


class Watched:
    """A source and the clock that its looks are timed by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1000.0
        self.followed = follow(str(path), io.BytesIO(), lambda: self.now)

    def begin(self) -> list[str]:
        return list(self.followed.begin().texts)

    def after(self, seconds: float) -> News:
        """What is found by looks within this time, all together."""
        news = News()
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            news = news.and_more(self.followed.look())
        return news

    def texts_after(self, seconds: float) -> list[str]:
        return [idea.text for idea in self.after(seconds).ideas]


def write(path: Path, text: str, mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8", newline="") as file:
        file.write(text)


def written_long_ago(path: Path, text: str) -> None:
    write(path, text)
    os.utime(path, (1_600_000_000, 1_600_000_000))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    written_long_ago(tmp_path / "ideas.txt", "one\ntwo\n")
    made = Watched(tmp_path / "ideas.txt")
    assert made.begin() == ["one", "two"]
    return made


def test_what_is_taken_from_the_beginning_of_a_file_is_the_beginning_of_what_is_taken_from_all_of_it() -> (
    None
):
    content = WHOLE.encode()
    whole = list(entries([content], "f"))
    for length in range(len(content)):
        tail = Tail()
        found = list(entries([content[:length]], "f", tail))
        assert found == whole[: len(found)], content[:length]
        if tail.last is not None and length and content[length - 1 : length] == b"\n":
            assert whole[len(found)].text.startswith(tail.last.text)


def test_a_line_counts_within_a_second_and_not_before_its_end_is_there(watched: Watched) -> None:
    write(watched.path, "thr", "a")
    news = watched.after(BLOCK_STILL_S + 0.3)
    assert (news.ideas, len(news.remarks)) == ((), 1)
    assert "ideas.txt:3 waits for the end of its line" in news.remarks[0]
    write(watched.path, "ee\n", "a")
    assert watched.texts_after(LINE_STILL_S - 0.2) == []
    assert watched.texts_after(0.4) == ["three"]
    write(watched.path, "four\nfi", "a")
    assert watched.texts_after(0.2) == ["four"]
    assert not watched.after(0.5).remarks


def test_a_block_is_never_split(watched: Watched) -> None:
    write(watched.path, "block\n", "a")
    assert watched.texts_after(0.3) == []
    write(watched.path, "  its second li", "a")
    assert watched.texts_after(5) == []
    write(watched.path, "ne\n", "a")
    assert watched.texts_after(0.8) == []
    assert watched.texts_after(0.4) == ["block\nits second line"]
    write(watched.path, "joined \\\n", "a")
    assert watched.texts_after(0.8) == []
    write(watched.path, "with this\nnext", "a")
    assert watched.texts_after(0.2) == ["joined with this"]


def test_edits_are_new_ideas_and_what_is_taken_out_stays_known(watched: Watched) -> None:
    written_long_ago(watched.path, "two, but longer\n")
    assert watched.texts_after(1) == ["two, but longer"]
    write(watched.path, "two\none\ntwo, but longer\nnew\n")
    assert watched.texts_after(1) == ["new"]


def test_a_file_may_vanish_for_a_moment_and_be_replaced(watched: Watched) -> None:
    watched.path.rename(watched.path.with_suffix(".bak"))
    assert watched.after(GONE_S - 0.5) == News()
    written_long_ago(watched.path.with_suffix(".new"), "one\nthree\n")
    watched.path.with_suffix(".new").rename(watched.path)
    assert watched.texts_after(1) == ["three"]
    watched.path.unlink()
    assert [("is gone" in remark) for remark in watched.after(3 * GONE_S).remarks] == [True]


def test_bad_lines_and_repetitions_are_told_once_each(watched: Watched) -> None:
    write(watched.path, "x" * 20_001 + "\none\nsound\nmore\n", "a")
    news = watched.after(1)
    assert [idea.text for idea in news.ideas] == ["sound", "more"]
    assert [one.place.line for one in news.refused] == [3]
    assert [(one.place.line, one.first.line) for one in news.repeated] == [(4, 1)]
    write(watched.path, "another above\n" + watched.path.read_text(encoding="utf-8"))
    news = watched.after(1)
    assert ([idea.text for idea in news.ideas], news.refused, news.repeated) == (["another above"], (), ())


def test_what_is_no_text_any_more_is_told_once_and_passes(watched: Watched) -> None:
    watched.path.write_bytes(b"three\n\xff\xff\xff\n")
    news = watched.after(3)
    assert len(news.remarks) == 1
    assert "not UTF-8" in news.remarks[0]
    write(watched.path, "three\nfour\n")
    assert [*(idea.text for idea in news.ideas), *watched.texts_after(1)] == ["three", "four"]


def test_a_watched_file_has_to_be_there_but_may_be_empty(tmp_path: Path) -> None:
    with pytest.raises(RbiError, match="no such ideas file"):
        Watched(tmp_path / "none.txt").begin()
    write(tmp_path / "empty.txt", "")
    assert Watched(tmp_path / "empty.txt").begin() == []


def test_a_pipe_is_not_watched_as_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="cannot be looked at again"):
        Watched(tmp_path / "pipe")


def test_a_file_in_a_folder_counts_when_two_looks_saw_it_the_same(tmp_path: Path) -> None:
    written_long_ago(tmp_path / "a.md", "one\nin two lines\n")
    watched = Watched(tmp_path)
    assert isinstance(watched.followed, FollowedFolder)
    assert watched.begin() == ["one\nin two lines"]
    (tmp_path / "deeper").mkdir()
    written_long_ago(tmp_path / "deeper" / "b.txt", "tw")
    assert watched.texts_after(0.35) == []
    write(tmp_path / "deeper" / "b.txt", "two")
    assert watched.texts_after(0.3) == []
    assert watched.texts_after(0.35) == ["two"]
    write(tmp_path / "c.txt", "")
    (tmp_path / "a.md").unlink()
    assert watched.after(1.5) == News()
    write(tmp_path / "deeper" / "b.txt", "two, edited")
    assert watched.texts_after(0.7) == ["two, edited"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.BufferedReader]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        yield writing, stream


def test_lines_arrive_on_standard_input_until_its_end(pipe: tuple[int, io.BufferedReader]) -> None:
    writing, stream = pipe
    now = [0.0]
    followed = FollowedInput(stream, lambda: now[0])
    assert followed.begin().texts == ()
    assert followed.look() == News()
    os.write(writing, b"one\ntw")
    assert [str(idea.place) for idea in followed.look().ideas] == ["standard input:1"]
    os.write(writing, b"o\n")
    assert followed.look().ideas == ()
    now[0] += LINE_STILL_S
    assert [idea.text for idea in followed.look().ideas] == ["two"]
    os.write(writing, "one\nthr\u00e9e".encode())
    os.close(writing)
    last = followed.look()
    assert ([(i.text, i.place.line) for i in last.ideas], last.is_last) == ([("thr\u00e9e", 4)], True)


def test_a_line_without_an_end_on_standard_input_stops_none_that_follow(
    pipe: tuple[int, io.BufferedReader],
) -> None:
    writing, stream = pipe
    followed = FollowedInput(stream)
    followed.begin()
    for _ in range(80):
        os.write(writing, b"x" * 2**16)
        assert followed.look() == News()
    os.write(writing, b"\nbuy low\n")
    os.close(writing)
    last = followed.look()
    assert [(idea.text, idea.place.line) for idea in last.ideas] == [("buy low", 2)]
    assert [one.what[:9] for one in last.refused] == ["5,242,880"]


def test_a_followed_file_is_opened_once_for_each_change(tmp_path: Path) -> None:
    written_long_ago(tmp_path / "ideas.txt", "one\n")
    opened = []

    class Counted(type(Path())):  # type: ignore[misc]
        def open(self, *arguments: object, **more: object) -> object:
            opened.append(str(self))
            return super().open(*arguments, **more)

    now = [0.0]
    followed = FollowedFile(Counted(tmp_path / "ideas.txt"), "ideas.txt", lambda: now[0])
    followed.begin()
    for _ in range(10):
        now[0] += 1
        followed.look()
    assert len(opened) == 1
