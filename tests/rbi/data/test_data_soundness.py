"""Bars that cannot be believed are refused with their line; the rest come out in order, once each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.soundness import MIN_BARS, Rows, sound_bars
from rbi.errors import RbiError

COUNT = 120
Changes = Mapping[str, Mapping[int, float]]


def rows(count: int = COUNT, changes: Changes = MappingProxyType({})) -> Rows:
    """Sound bars, with the given values changed: ``{"high": {3: 1.0}}``. Row i is in line i + 2."""
    base = 100.0 + np.arange(count)
    sound = {"open": base, "high": base + 3, "low": base - 2, "close": base + 1, "volume": base * 10}
    values = {name: column.astype(np.float64) for name, column in sound.items()}
    time = np.arange(count, dtype=np.int64) * 60 * 10**9
    for name, cells in changes.items():
        for at, value in cells.items():
            if name == "time":
                time[at] = int(value) * 60 * 10**9
            else:
                values[name][at] = value
    return Rows(time, values, np.arange(2, count + 2, dtype=np.int64), "b.csv")


def failure(broken: Rows) -> RbiError:
    with pytest.raises(RbiError) as caught:
        sound_bars(broken)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"close": {5: np.nan}}, "the close is missing"),
        ({"high": {5: np.inf}}, "the high is infinite: high inf"),
        ({"low": {5: 0.0}}, "the low is not above zero: low 0"),
        ({"open": {5: -1.0}}, "the open is not above zero"),
        ({"high": {5: 90.0}}, "the high is below the low: high 90, low 103"),
        ({"high": {5: 105.5}}, "the high is below the open or the close: open 105, high 105.5"),
        ({"low": {5: 105.5}}, "the low is above the open or the close"),
        ({"volume": {5: -1.0}}, "the volume is negative or infinite: volume -1"),
        ({"volume": {5: np.inf}}, "the volume is negative or infinite"),
    ],
)
def test_an_impossible_value_is_named_with_its_line(changes: Changes, what: str) -> None:
    error = failure(rows(changes=changes))
    assert what in error.what
    assert error.where == "b.csv:7"


def test_the_number_of_further_bad_rows_is_told() -> None:
    assert "and in 2 more rows" in failure(rows(changes={"high": {5: 1.0, 6: 1.0, 9: 1.0}})).what


def test_a_violation_by_rounding_is_accepted_and_left_as_it_is() -> None:
    high = 106.0 * (1 - 5e-7)
    assert sound_bars(rows(changes={"high": {5: high}})).bars.high[5] == high
    assert failure(rows(changes={"high": {5: 106.0 * (1 - 2e-6)}})).where == "b.csv:7"


def test_newest_first_is_reversed_and_noted() -> None:
    forward = rows()
    result = sound_bars(forward.take(np.arange(COUNT)[::-1]))
    assert result.bars == sound_bars(forward).bars
    assert result.notes == ("the newest bar came first; the order was reversed",)


@given(st.permutations(range(COUNT)))
def test_any_order_of_rows_gives_the_same_bars(order: list[int]) -> None:
    forward = rows()
    result = sound_bars(forward.take(np.array(order)))
    assert result.bars == sound_bars(forward).bars
    assert bool(result.notes) == (order != list(range(COUNT)))


@given(st.lists(st.integers(0, COUNT - 1), max_size=30))
def test_identical_rows_count_once(again: list[int]) -> None:
    forward = rows(changes={"volume": {7: np.nan}})
    result = sound_bars(forward.take(np.array([*range(COUNT), *again])))
    assert result.bars == sound_bars(forward).bars
    assert any("repeated" in note for note in result.notes) == bool(again)


def test_two_bars_at_one_time_that_differ_are_an_error() -> None:
    error = failure(rows(changes={"time": {50: 49}}))
    assert "two bars at 1970-01-01T00:49:00 with different values, in lines 51 and 52" in error.what
    assert error.where == "b.csv:52"


def test_too_few_bars_are_an_error_that_says_how_many() -> None:
    assert len(sound_bars(rows(MIN_BARS)).bars) == MIN_BARS
    assert f"only {MIN_BARS - 1} bars" in failure(rows(MIN_BARS - 1)).what
    repeated = rows(MIN_BARS - 1).take(np.array([*range(MIN_BARS - 1), 5, 6]))
    assert f"only {MIN_BARS - 1} bars" in failure(repeated).what


def test_unknown_volumes_are_noted() -> None:
    assert sound_bars(rows(changes={"volume": {3: np.nan}})).notes == (
        f"the volume is NaN in 1 of {COUNT} bars",
    )
