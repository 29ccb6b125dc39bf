"""What a run holds on the disk is found, however its folders are nested, named or renamed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runners.child.removal import remove_folder
from runners.child.scratch import Scratch

MB = 2**20
NOBODY = 2**22 + 1  # no process has an id above the largest


def over(folder: Path, most_bytes: int = MB, most_files: int = 4096) -> bool:
    return bool(Scratch(str(folder), NOBODY, most_bytes=most_bytes, most_files=most_files).is_over())


def fill(folder: int, name: str = "file") -> None:
    file = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.write(file, b"x" * 2 * MB)
    os.close(file)


def nested(folder: Path, depth: int, name: str = "d") -> int:
    """An open folder that many levels below."""
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    return inner


def test_files_and_bytes_are_counted(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"x" * 4096)
    assert not over(tmp_path, most_bytes=40_960, most_files=10)
    assert over(tmp_path, most_bytes=40_959)
    assert over(tmp_path, most_files=9)


def test_each_name_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for number in range(5):
        (tmp_path / f"{number}").hardlink_to(tmp_path / "a")
    assert over(tmp_path, most_files=5)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed like one of a run: pytest gives up on what lies so deep, in the next session."""
    folder = tmp_path / "deep"
    folder.mkdir()
    yield folder
    remove_folder(str(folder))
    assert not folder.exists()


@pytest.mark.parametrize("depth", [1, 100, 1500])
def test_what_lies_deeper_than_any_path_reaches_is_counted(deep: Path, depth: int) -> None:
    inner = nested(deep, depth, "d" * 60)
    assert not over(deep, most_bytes=16 * MB)
    fill(inner)
    os.close(inner)
    assert over(deep)


@contextmanager
def renaming(one: Path, other: Path) -> Iterator[None]:
    stop = threading.Event()

    def rename() -> None:
        while not stop.is_set():
            one.rename(other)
            other.rename(one)

    thread = threading.Thread(target=rename)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_folder_that_is_renamed_all_the_time_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    inner = nested(tmp_path / "one", 20)
    fill(inner)
    os.close(inner)
    with renaming(tmp_path / "one", tmp_path / "other"):
        assert all(over(tmp_path) for _ in range(50))


def test_a_folder_that_is_not_there_holds_nothing_and_one_that_is_closed_too_much(tmp_path: Path) -> None:
    assert not over(tmp_path / "none")
    (tmp_path / "file").write_bytes(bytes(100))
    assert not over(tmp_path / "file")
    (tmp_path / "closed").mkdir(mode=0)
    assert over(tmp_path) is (os.geteuid() != 0)
