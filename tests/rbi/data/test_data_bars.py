"""Bars cannot be changed, and their fingerprint follows their values and nothing else."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.bars import COLUMNS, Bars
from rbi.data.timeframe import timeframe_label

MINUTE = 60 * 10**9


def bars(count: int = 10, changes: Mapping[str, tuple[int, float]] = MappingProxyType({})) -> Bars:
    columns = {name: np.linspace(1, 2, count) for name in COLUMNS[1:]}
    time = np.arange(count, dtype=np.int64)
    for name, (at, value) in changes.items():
        (time if name == "time" else columns[name])[at] = value
    return Bars(time, **columns)


def test_the_arrays_of_bars_are_copies_that_cannot_be_written_to() -> None:
    close = np.ones(3)
    made = Bars(np.arange(3), close, close, close, close, close)
    close[0] = 7
    assert made.close[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        made.close[0] = 7


def test_arrays_of_different_lengths_are_refused() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(ValueError, match=r"close has shape \(2,\), time has \(1,\)"):
        Bars(np.arange(1), one, one, one, two, one)


@given(st.sampled_from(COLUMNS), st.integers(0, 9))
def test_a_change_of_any_value_changes_the_fingerprint(name: str, at: int) -> None:
    assert bars(changes={name: (at, 99)}).fingerprint() != bars().fingerprint()
    assert bars(changes={name: (at, 99)}) != bars()


def test_equal_values_have_equal_fingerprints_whatever_their_bits() -> None:
    other_nan = float(np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)[0])
    assert (
        bars(changes={"volume": (3, np.nan)}).fingerprint()
        == bars(changes={"volume": (3, other_nan)}).fingerprint()
    )
    assert (
        bars(changes={"volume": (3, 0.0)}).fingerprint() == bars(changes={"volume": (3, -0.0)}).fingerprint()
    )
    assert hash(bars()) == hash(bars())


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    digest = hashlib.sha256(b"time:2\n" + struct.pack("<2q", 0, 1))
    for name in COLUMNS[1:]:
        digest.update(f"{name}:2\n".encode() + struct.pack("<2d", 1.0, 2.0))
    assert bars(2).fingerprint() == digest.hexdigest()


def test_a_part_cannot_reach_the_rest() -> None:
    part = bars().part(0, 4)
    assert len(part) == 4
    assert part.close.base is None


@pytest.mark.parametrize(
    ("minutes", "label"),
    [
        ([15], "15m"),
        ([60], "1h"),
        ([90], "90m"),
        ([240], "4h"),
        ([1440] * 4 + [3 * 1440], "1d"),
        ([7 * 1440], "1w"),
        ([day * 1440 for day in (31, 28, 31, 30)], "1M"),
        ([day * 1440 for day in (90, 91, 92, 92)], "3M"),
        ([365 * 1440, 366 * 1440], "1Y"),
        ([0.5], "30s"),
        ([1 / 240], "250ms"),
        ([15, 15, 15, 4000, 30], "15m"),
    ],
)
def test_the_median_step_names_the_timeframe(minutes: list[float], label: str) -> None:
    steps = np.array([*minutes] * 5) * MINUTE
    assert timeframe_label(np.cumsum(steps).astype(np.int64)) == label
