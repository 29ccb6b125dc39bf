"""Dev and hold-out are the dataset cut in two, and what a runner gets holds dev alone."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.bars import Bars
from rbi.data.catalog import Dataset
from rbi.data.slices import dev, hold_out, write_npz
from rbi.errors import RbiError
from runners.base import BarsFile

MARK = 98765.4321


def dataset(values: list[float]) -> Dataset:
    column = np.array(values)
    bars = Bars(np.arange(len(values)) * 10**9, column, column + 1, column - 1, column, column)
    return Dataset("sample", "bundled", "1s", bars, (), bars.fingerprint())


values = st.lists(st.floats(1, 1e6), min_size=10, max_size=200)
fractions = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])


@given(values, fractions)
def test_dev_and_hold_out_together_are_the_dataset(cells: list[float], fraction: float) -> None:
    whole = dataset(cells)
    parts = (dev(whole, fraction).bars, hold_out(whole, fraction).bars)
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name, _ in whole.bars.arrays()]
    assert Bars(*joined) == whole.bars


@given(values, fractions, st.floats(1, 1e6))
def test_dev_does_not_depend_on_the_hold_out(cells: list[float], fraction: float, other: float) -> None:
    kept = len(dev(dataset(cells), fraction).bars)
    changed = cells[:kept] + [other] * (len(cells) - kept)
    assert dev(dataset(changed), fraction).fingerprint == dev(dataset(cells), fraction).fingerprint


@pytest.mark.parametrize(
    ("count", "fraction", "kept"),
    [(100, 0.25, 75), (10, 0.9, 1), (10, 0.1, 9), (101, 0.25, 75), (100, 0.001, 99)],
)
def test_the_cut_is_exact(count: int, fraction: float, kept: int) -> None:
    assert len(dev(dataset([1.0] * count), fraction).bars) == kept


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, 0.9999, float("nan")])
def test_a_fraction_that_leaves_one_side_empty_is_refused(fraction: float) -> None:
    with pytest.raises(RbiError, match="hold-out"):
        dev(dataset([1.0] * 100), fraction)


def written(folder: Path, cells: list[float] | None = None) -> BarsFile:
    return write_npz(dev(dataset(cells or [float(i) for i in range(1, 101)]), 0.25), folder)


def test_the_file_holds_the_bars_as_agreed(tmp_path: Path) -> None:
    part = dev(dataset([float(i) for i in range(1, 101)]), 0.25)
    file = write_npz(part, tmp_path / "new" / "folder")
    assert (file.name, file.part, file.rows, file.fingerprint) == ("sample", "dev", 75, part.fingerprint)
    assert part.fingerprint[:16] in file.path.name
    with np.load(file.path, allow_pickle=False) as arrays:
        assert list(arrays) == ["time", "Open", "High", "Low", "Close", "Volume"]
        assert arrays["time"].dtype == np.int64
        assert arrays["Close"].dtype == np.float64
        restored = Bars(*(arrays[name] for name in arrays))
    assert restored == part.bars


def test_nothing_of_the_hold_out_is_in_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, [1.5] * 75 + [MARK] * 25)
    assert np.float64(MARK).tobytes() not in file.path.read_bytes()
    assert np.float64(MARK).tobytes() in written(tmp_path, [MARK] * 100).path.read_bytes()


def test_the_same_bars_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a"), written(tmp_path / "b")
    assert one.path.name == two.path.name
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_right_file_is_left_alone_and_a_wrong_one_replaced(tmp_path: Path) -> None:
    path = written(tmp_path).path
    os.utime(path, (1, 1))
    content = path.read_bytes()
    assert written(tmp_path).path.stat().st_mtime == 1
    for damaged in (b"", content[:-5], content.replace(content[200:208], b"\1" * 8)):
        path.write_bytes(damaged)
        assert written(tmp_path).path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_at_once_leave_one_right_file(tmp_path: Path) -> None:
    threads = [threading.Thread(target=written, args=(tmp_path,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == written(tmp_path / "alone").path.read_bytes()


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RbiError) as caught:
        written(tmp_path / "file")
    assert caught.value.where.startswith(str(tmp_path / "file"))


def test_slices_of_renamed_datasets_have_files_of_that_name(tmp_path: Path) -> None:
    renamed = replace(dataset([1.0] * 100), name="other")
    assert write_npz(dev(renamed, 0.25), tmp_path).path.name.startswith("other-dev-")
