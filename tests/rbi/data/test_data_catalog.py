"""A name or path becomes a dataset; each dataset has one name, and each name one dataset."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.catalog import load, load_all, safe_name
from rbi.errors import RbiError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def write(path: Path, first: float = 100.0) -> Path:
    lines = [
        f"{1_600_000_000 + i * 900},{first + i},{first + i + 2},{first + i - 2},{first + i + 1},5"
        for i in range(120)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["time,open,high,low,close,volume", *lines]))
    return path


@pytest.mark.parametrize(
    ("spec", "rows", "timeframe"), [("GOOG", 2148, "1d"), ("eurusd", 5000, "1h"), ("BtcUsd", 156, "1M")]
)
def test_bundled_data_is_found_in_any_case(spec: str, rows: int, timeframe: str) -> None:
    dataset = load(spec)
    assert (dataset.name, dataset.source, dataset.timeframe) == (spec.upper(), "bundled", timeframe)
    assert len(dataset.bars) == rows
    assert dataset.fingerprint == dataset.bars.fingerprint()


def test_bundled_data_is_read_without_importing_backtesting() -> None:
    code = "import sys; from rbi.data.catalog import load; load('GOOG'); print('backtesting' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_file_is_named_by_its_stem(folder: Path) -> None:
    dataset = load(str(write(folder / "BTC-USD.15m.csv")))
    assert (dataset.name, dataset.timeframe) == ("BTC-USD.15m", "15m")
    assert dataset.source == str(folder / "BTC-USD.15m.csv")


def test_a_file_called_like_bundled_data_needs_to_look_like_a_path(folder: Path) -> None:
    write(folder / "goog")
    write(folder / "GOOG.csv")
    assert load("goog").source == "bundled"
    assert load("./goog").source == "goog"
    assert load("GOOG.csv").source == "GOOG.csv"


def test_a_file_without_suffix_is_found_by_its_bare_name(folder: Path) -> None:
    write(folder / "prices")
    assert load("prices").name == "prices"


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ("GOOGL", "did you mean GOOG?"),
        ("eurusd.csv", "did you mean EURUSD?"),
        ("prices", "did you mean prices.csv?"),
        ("price.csv", "did you mean prices.csv?"),
        ("zzz", "use GOOG, EURUSD, BTCUSD, or the path of a CSV file"),
        ("", "use GOOG, EURUSD, BTCUSD, or the path of a CSV file"),
        ("~no-such-user-here/a.csv", "write the path in full"),
    ],
)
def test_an_unknown_name_says_what_may_be_meant(folder: Path, spec: str, fix: str) -> None:
    write(folder / "prices.csv")
    with pytest.raises(RbiError) as caught:
        load(spec)
    assert caught.value.fix == fix


@given(
    st.text(
        alphabet=st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=70
    )
)
def test_a_name_is_always_safe_as_a_file_name(stem: str) -> None:
    name = safe_name(Path(stem + ".csv"))
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name)
    assert ".." not in name
    assert len(name) <= 60


def test_datasets_given_twice_are_one(folder: Path) -> None:
    path = write(folder / "a.csv")
    copy = write(folder / "b.csv")
    assert [dataset.name for dataset in load_all(["GOOG", str(path), "goog", "./a.csv", str(copy)])] == [
        "GOOG",
        "a",
    ]


def test_different_files_of_one_name_get_different_names(folder: Path) -> None:
    one, two = write(folder / "x" / "goog.csv", 100), write(folder / "y" / "Goog.csv", 200)
    datasets = load_all([str(one), "GOOG", str(two)])
    names = [dataset.name for dataset in datasets]
    assert names == [f"goog-{datasets[0].fingerprint[:8]}", "GOOG", f"Goog-{datasets[2].fingerprint[:8]}"]


def test_no_datasets_are_no_datasets() -> None:
    assert load_all([]) == ()
