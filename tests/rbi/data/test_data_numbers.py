"""Numbers come out as they were meant, or the cell that prevents it is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.data.numbers import parse_numbers
from rbi.errors import RbiError

prices = st.lists(st.floats(0.01, 1e6).map(lambda value: round(value, 2)), min_size=1, max_size=20)


def parse(
    cells: list[str], *, name: str = "close", separator: str = ";", open_: list[str] | None = None
) -> list[float]:
    columns = {
        key: pd.Series(value, dtype=object) for key, value in {name: cells, "open": open_ or cells}.items()
    }
    lines = np.arange(2, 2 + len(cells), dtype=np.int64)
    values: list[float] = (
        parse_numbers(columns, separator=separator, lines=lines, where="b.csv").values[name].tolist()
    )
    return values


def failure(cells: list[str]) -> RbiError:
    with pytest.raises(RbiError) as caught:
        parse(cells)
    return caught.value


@given(prices)
def test_commas_between_thousands_change_nothing(values: list[float]) -> None:
    assert parse([f"{value:,.2f}" for value in values], separator=",") == values


@given(prices)
def test_decimal_commas_change_nothing(values: list[float]) -> None:
    written = [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in values]
    assert parse(written) == values


@given(prices)
def test_a_decimal_comma_is_read_the_same_without_thousands_separators(values: list[float]) -> None:
    assert parse([f"{value:.2f}".replace(".", ",") for value in values]) == values


@pytest.mark.parametrize(
    "text", ["$1234.5", "1 234.5", "1'234.5", "+1234.5", "1.2345e3", "1\u202f234.5", "€ 1234.5"]
)
def test_signs_and_spaces_around_a_number_are_ignored(text: str) -> None:
    assert parse([text]) == [1234.5]


def test_a_comma_before_three_digits_depends_on_the_separator_unless_another_cell_decides() -> None:
    assert parse(["1,234"], separator=";") == [1.234]
    assert parse(["1,234"], separator=",") == [1234]
    assert parse(["1,234", "0,5"], separator=",") == [1.234, 0.5]
    assert parse(["1,234", "1,234,567"], separator=";") == [1234, 1234567]
    assert parse(["1,234"], separator=";", open_=["1.5"]) == [1234]
    assert parse(["1.234"], separator=";", open_=["1,5"]) == [1234]


def test_contradicting_numbers_are_refused() -> None:
    assert "decimal comma" in failure(["1,5", "1.5"]).what


def test_volumes_may_have_a_letter_or_a_dash() -> None:
    values = parse(["1.5K", "2M", "3b", "-", "7"], name="volume", open_=["1"] * 5)
    assert values[:3] == [1500, 2e6, 3e9]
    assert np.isnan(values[3])
    assert values[4] == 7


def test_prices_may_not_have_a_letter() -> None:
    assert "the close '1.5K' is not a number" in failure(["1.5K"]).what


@pytest.mark.parametrize("text", ["oops", "0x10", "1.2.3", "--5", "1e", "True"])
def test_a_cell_that_is_no_number_is_shown(text: str) -> None:
    error = failure(["1", text])
    assert repr(text) in error.what
    assert error.where == "b.csv:3"


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_any_text_is_read_or_refused(cells: list[str]) -> None:
    try:
        assert len(parse(cells)) == len(cells)
    except RbiError as error:
        assert error.where.startswith("b.csv")
