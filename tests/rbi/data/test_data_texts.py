"""The CSV that programs read holds the slice's bars and no other, in the user's own words where it can."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.bars import Bars
from rbi.data.catalog import Dataset, load
from rbi.data.csv_bars import read_bars
from rbi.data.slices import dev, full
from rbi.data.texts import canonical, write_text

HEADER = "datetime, open, high, low, close, volume,"
START = 1_672_531_200
MARK = 987654.5


def line(number: int, price: float, *, time: str = "") -> str:
    moment = time or str(np.datetime64(START + 900 * number, "s")).replace("T", " ")
    return f"{moment},{price},{price + 2},{price - 2},{price + 1},5.5,"


def lines(count: int = 200) -> list[str]:
    """Bars of which those in the last quarter, and only those, hold the mark."""
    return [line(i, 100.0 + i if i < count * 3 // 4 else MARK) for i in range(count)]


def write(folder: Path, rows: list[str], *, header: str = HEADER, end: str = "\n") -> Path:
    path = folder / "BTC-15m.csv"
    path.write_bytes(end.join([header, *rows, ""]).encode())
    return path


def dev_text(path: Path, folder: Path) -> Path:
    dataset = load(str(path))
    return write_text(dev(dataset, 0.25), dataset, folder / "slices")


def test_all_bars_of_a_users_file_are_that_very_file(tmp_path: Path) -> None:
    path = write(tmp_path, lines())
    dataset = load(str(path))
    assert write_text(full(dataset), dataset, tmp_path / "slices") == path
    assert full(dataset).bars == dataset.bars
    assert not (tmp_path / "slices").exists()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_dev_of_a_users_file_is_its_header_and_its_own_rows(tmp_path: Path, end: str) -> None:
    path = write(tmp_path, lines(), end=end)
    text = dev_text(path, tmp_path).read_bytes()
    assert text == end.join([HEADER, *lines()[:150], ""]).encode()
    assert path.read_bytes().startswith(text)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(lines()[::-1], id="newest first"),
        pytest.param([*lines(), lines()[-1]], id="last row repeated"),
        pytest.param([lines()[-1], *lines()[:-1]], id="one row out of order"),
        pytest.param([lines()[0], *lines()], id="first row repeated"),
    ],
)
def test_nothing_of_the_hold_out_is_in_a_dev_text(tmp_path: Path, rows: list[str]) -> None:
    text = dev_text(write(tmp_path, rows), tmp_path)
    assert str(MARK) not in text.read_text()
    assert read_bars(text).bars == dev(load(str(tmp_path / "BTC-15m.csv")), 0.25).bars
    assert {path.name for path in (tmp_path / "slices").iterdir()} == {text.name}


def test_a_reversed_file_is_written_anew_in_plain_columns(tmp_path: Path) -> None:
    text = dev_text(write(tmp_path, lines()[::-1]), tmp_path).read_text()
    assert text.startswith(
        "datetime,open,high,low,close,volume\n2023-01-01 00:00:00,100.0,102.0,98.0,101.0,5.5\n"
    )


@pytest.mark.parametrize("part", ["dev", "full"])
def test_compressed_and_bundled_data_are_plain_columns(tmp_path: Path, part: str) -> None:
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(write(tmp_path, lines()).read_bytes()))
    for dataset in (load(str(path)), load("GOOG")):
        piece = full(dataset) if part == "full" else dev(dataset, 0.25)
        text = write_text(piece, dataset, tmp_path / "slices")
        assert text.read_bytes() == canonical(piece.bars)
        assert read_bars(text).bars == piece.bars


def test_two_files_of_equal_bars_have_texts_of_their_own(tmp_path: Path) -> None:
    one = dev_text(write(tmp_path, lines()), tmp_path)
    two = dev_text(write(tmp_path, lines(), header="Datetime,Open,High,Low,Close,Volume,"), tmp_path)
    assert one != two
    assert two.read_text().startswith("Datetime,Open")


prices = st.lists(st.floats(1e-6, 1e9), min_size=100, max_size=130)


@given(prices, st.sampled_from([1, 900 * 10**9, 86_400 * 10**9, 1_000_003]), st.booleans())
def test_plain_columns_read_back_as_the_same_bars(cells: list[float], step: int, known: bool) -> None:
    column = np.array(cells)
    volume = column if known else np.full(len(cells), np.nan)
    time = START * 10**9 + np.arange(len(cells), dtype=np.int64) * step
    bars = Bars(time, column, column, column, column, volume)
    whole = Dataset("sample", "bundled", "1s", bars, (), bars.fingerprint())
    with TemporaryDirectory() as folder:
        assert read_bars(write_text(full(whole), whole, Path(folder))).bars == bars
