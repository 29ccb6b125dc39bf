"""Removing a folder: all of it goes, nothing outside it does, and nothing is ever raised."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.child.removal import remove_folder

KINDS = ("file", "link to a folder", "link to nothing", "pipe", "closed folder")
PLACES = st.lists(st.sampled_from("abc"), min_size=1, max_size=6)


def put(path: Path, kind: str, outside: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or path.is_symlink():
        return
    if kind == "file":
        path.touch()
    elif kind == "link to a folder":
        path.symlink_to(outside)
    elif kind == "link to nothing":
        path.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
        (path / "inside").touch()
        path.chmod(0)


@given(things=st.lists(st.tuples(PLACES, st.sampled_from(KINDS)), max_size=12))
def test_every_tree_goes_and_what_its_links_point_to_stays(
    tmp_path_factory: pytest.TempPathFactory, things: list[tuple[list[str], str]]
) -> None:
    base = tmp_path_factory.mktemp("removal")
    top, outside = base / "top", base / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    top.mkdir()
    for number, (place, kind) in enumerate(things):
        put(top.joinpath(*place, f"x{number}"), kind, outside)
    remove_folder(str(top))
    assert not top.exists()
    assert (outside / "kept").exists()


def test_a_link_in_the_place_of_the_folder_goes_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "top").symlink_to("target")
    remove_folder(str(tmp_path / "top"))
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    remove_folder(str(tmp_path / "gone"))


def test_only_what_cannot_be_removed_is_left(tmp_path: Path) -> None:
    held = tmp_path / "top" / "deep" / "held"
    held.mkdir(parents=True)
    (tmp_path / "top" / "other").touch()
    (held / "file").touch()
    done = subprocess.run(["chattr", "+i", held / "file"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("files cannot be made immutable here")
    try:
        remove_folder(str(tmp_path / "top"))
        left = [path for path in (tmp_path / "top").rglob("*") if path.is_file()]
        assert [path.name for path in left] == ["file"]
    finally:
        subprocess.run(["chattr", "-i", "-R", tmp_path / "top"], check=True, capture_output=True)
