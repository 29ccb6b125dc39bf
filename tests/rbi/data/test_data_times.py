"""Every usual way to write a time comes to the same nanoseconds, and what is unclear is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.times import join_clock, parse_times
from rbi.errors import RbiError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(800)]
DAYS = [datetime(2022, 11, 5, tzinfo=UTC) + timedelta(days=i) for i in range(300)]


def ns(moments: list[datetime]) -> list[int]:
    return [(moment - EPOCH) // timedelta(microseconds=1) * 1000 for moment in moments]


def parse(cells: Sequence[str | float]) -> tuple[list[int], tuple[str, ...]]:
    lines = np.arange(2, 2 + len(cells), dtype=np.int64)
    parsed = parse_times(pd.Series(list(cells), dtype=object), lines, "bars.csv")
    return parsed.ns.tolist(), parsed.notes


def failure(cells: Sequence[str | float]) -> RbiError:
    with pytest.raises(RbiError) as caught:
        parse(cells)
    return caught.value


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S+00:00",
        "%Y-%m-%d %H:%M:%S UTC",
        "%Y/%m/%d %H:%M",
        "%Y.%m.%d %H:%M:%S",
        "%Y%m%d %H%M",
        "%Y%m%d %H%M%S",
        "%Y%m%d %H:%M:%S",
        "%Y%m%d%H%M%S",
        "%Y%m%d%H%M",
        "%d.%m.%Y %H:%M:%S.%f",
        "%d.%m.%Y %H:%M:%S.%f GMT+0000",
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p",
        "%d-%m-%Y %H:%M",
        "%m/%d/%y %H:%M",
        "%d %b %Y %H:%M",
        "%b %d, %Y, %H:%M",
        "%Y-%m-%d %I-%p",
    ],
)
def test_times_of_day_are_read_in_any_form(form: str) -> None:
    assert parse([moment.strftime(form) for moment in HOURS])[0] == ns(HOURS)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%Y%m%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%y",
        "%b %d, %Y",
        "%d-%b-%y",
        "%d-%m-%Y",
        "%m-%d-%Y",
    ],
)
def test_dates_are_read_in_any_form(form: str) -> None:
    assert parse([moment.strftime(form) for moment in DAYS])[0] == ns(DAYS)


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
@given(st.lists(st.datetimes(datetime(1974, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=20))
def test_epochs_are_told_apart_by_magnitude(unit: int, moments: list[datetime]) -> None:
    wanted = ns([moment.replace(microsecond=0, tzinfo=UTC) for moment in moments])
    cells = [str(value // (10**9 // unit)) for value in wanted]
    if unit == 1000 and all(len(cell) == 12 and cell[:2] in ("19", "20", "21") for cell in cells):
        return  # 197612312359 in ms is in 1976; as written, it is the last minute of that year
    assert parse(cells)[0] == wanted


def test_an_epoch_whose_unit_changes_midway_is_one_history() -> None:
    cells = [str(value // (10**6 if i < 400 else 10**3)) for i, value in enumerate(ns(HOURS))]
    assert parse(cells)[0] == ns(HOURS)


def test_milliseconds_that_look_like_dates_are_read_as_milliseconds_among_others() -> None:
    assert parse(["199912312300", "199912312359", "199999999999"])[0] == [
        199912312300_000_000,
        199912312359_000_000,
        199999999999_000_000,
    ]


def test_epochs_may_have_decimals_or_an_exponent() -> None:
    assert parse(["1672531200.5", "1672531201"])[0] == [1672531200_500_000_000, 1672531201_000_000_000]
    assert parse(["1.6725312e+09"])[0] == [1672531200 * 10**9]


def test_fractions_of_a_second_are_kept_to_the_nanosecond() -> None:
    assert parse(["2023-01-01 00:00:00.123456789"])[0] == [1672531200_123_456_789]
    assert (
        parse(["01.01.2023 00:00:00.123456789", "13.01.2023 00:00:00.000000001"])[0][0] % 10**9 == 123_456_789
    )


def test_offsets_are_converted_to_utc_and_noted() -> None:
    cells = ["2023-03-25 12:00:00+01:00", "2023-03-26 12:00:00+02:00"]
    wanted = ns([datetime(2023, 3, 25, 11, tzinfo=UTC), datetime(2023, 3, 26, 10, tzinfo=UTC)])
    assert parse(cells) == (wanted, ("the times were converted to UTC",))
    assert parse(["01.02.2023 12:00:00.000 GMT+0100"] * 2 + ["13.02.2023 12:00:00.000 GMT+0100"])[1] == (
        "the dates were read as day, month, year",
        "the times were converted to UTC",
    )


@given(st.dates(date(1980, 1, 1), date(2100, 1, 1)), st.booleans())
def test_a_month_of_days_tells_day_from_month(first: date, day_first: bool) -> None:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    moments = [start + timedelta(days=i) for i in range(40)]
    form = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    order = "day, month, year" if day_first else "month, day, year"
    assert parse([moment.strftime(form) for moment in moments]) == (
        ns(moments),
        (f"the dates were read as {order}",),
    )


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("direction", [1, -1])
def test_order_in_time_decides_when_no_day_is_above_twelve(form: str, direction: int) -> None:
    moments = [datetime(2023, 1 + i // 4, 1 + i % 4 * 3, tzinfo=UTC) for i in range(12)][::direction]
    assert parse([moment.strftime(form) for moment in moments])[0] == ns(moments)


def test_dates_that_fit_both_orders_are_asked_about() -> None:
    cells = [f"01/{month:02}/{year}" for year in range(2010, 2020) for month in range(1, 13)]
    error = failure(cells)
    assert "day and month cannot be told apart" in error.what
    assert "2023-01-31" in error.fix


def test_equal_days_and_months_need_no_decision() -> None:
    moments = [datetime(2023, i, i, tzinfo=UTC) for i in range(1, 13)]
    assert parse([moment.strftime("%d/%m/%Y") for moment in moments])[0] == ns(moments)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("2023-01-01", "2023-02-30"),
        ("2023-01-01", "yesterday"),
        ("13/01/2023", "01/13/2023"),
        ("1672531200", "banana"),
        ("1672531200", "-5"),
        ("1672531200", "99999999999"),
        ("20230101", "20231301"),
        ("20230101", "2023011"),
        ("2023-01-01", "3000-01-01"),
        ("Jan 01, 2023", "Foo 01, 2023"),
    ],
)
def test_the_first_unreadable_time_is_shown_with_its_line(good: str, bad: str) -> None:
    error = failure([good, good, bad, good, bad])
    assert f"'{bad}' is no time" in error.what
    assert "(2 such rows)" in error.what
    assert error.where == "bars.csv:4"


def test_an_empty_time_is_an_error() -> None:
    error = failure(["2023-01-01", float("nan")])
    assert "an empty cell is no time" in error.what
    assert error.where == "bars.csv:3"


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse([text, text])
    except RbiError as error:
        assert error.where == "bars.csv:2"


def test_clocks_join_dates_with_and_without_colons() -> None:
    days = pd.Series(["20230101", "20230101"], dtype=object)
    assert join_clock(days, pd.Series(["09:15", "10:15"], dtype=object)).tolist()[0] == "20230101 09:15"
    assert join_clock(days, pd.Series(["0", "91500"], dtype=object)).tolist() == [
        "20230101 000000",
        "20230101 091500",
    ]
