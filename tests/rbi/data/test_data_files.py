"""What stands between a path and its text is told, with a way out."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pytest

from rbi.data.files import read_text
from rbi.errors import RbiError


def failure(path: Path) -> RbiError:
    with pytest.raises(RbiError) as caught:
        read_text(path)
    assert caught.value.where == str(path)
    assert caught.value.fix
    return caught.value


def test_a_missing_file_brings_similar_names_to_mind(tmp_path: Path) -> None:
    (tmp_path / "BTC-USD-15m.csv").touch()
    (tmp_path / "unrelated.txt").touch()
    assert failure(tmp_path / "btc-usd_15.csv").fix == "did you mean BTC-USD-15m.csv?"
    assert "holds BTC-USD-15m.csv, unrelated.txt" in failure(tmp_path / "zzz").fix
    assert "folder does not exist" in failure(tmp_path / "no" / "x.csv").what


def test_a_folder_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    error = failure(tmp_path)
    assert "folder" in error.what
    assert "a.csv" in error.fix


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in failure(tmp_path / "pipe.csv").what


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_how_to_allow_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch(mode=0)
    assert "chmod" in failure(path).fix


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_an_impossible_path_is_an_ordinary_error(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in failure(tmp_path / name).what or "no such" in failure(tmp_path / name).what


@pytest.mark.parametrize("content", [b"", b"  \n\r\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert "empty" in failure(tmp_path / "a.csv").what


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ARROW1\0\0", "a Feather file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook"),
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b"<HTML><body>", "a web page"),
        (bytes(range(256)), "a binary file"),
        (b"open,high\0low", "a binary file"),
    ],
)
def test_what_is_not_csv_is_called_by_its_name(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert f"this is {what}, not CSV" in failure(tmp_path / "a.csv").what


@pytest.mark.parametrize(
    "content", [gzip.compress(b"a,b" * 999, mtime=0)[:-20], b"\x1f\x8bgarbage", b"PK\x03\x04garbage"]
)
def test_a_damaged_archive_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert "damaged" in failure(tmp_path / "a.csv").what


@pytest.mark.parametrize(
    ("names", "what"),
    [(["a.csv", "b.csv"], "holds 2 files"), (["[Content_Types].xml", "x"], "Excel workbook")],
)
def test_an_archive_of_anything_but_one_file_is_refused(tmp_path: Path, names: list[str], what: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    assert what in failure(tmp_path / "a.zip").what
