"""Read a user's CSV of bars, whatever its header, dates and way of writing numbers."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from rbi.data.bars import Times, Values
from rbi.data.files import read_text
from rbi.data.layout import PRICES, Layout, find_layout
from rbi.data.numbers import comma_note, parse_numbers
from rbi.data.soundness import Rows, SoundBars, sound_bars
from rbi.data.times import join_clock, parse_times
from rbi.errors import RbiError


def read_bars(path: Path) -> SoundBars:
    """The bars in a CSV file (plain, gzipped or zipped), and notes on what was assumed and changed.

    Raises `RbiError` with file, line and remedy for whatever cannot be read with certainty.
    """
    text = read_text(path)
    where = str(path)
    layout = find_layout(text, where)
    frame = _frame(text, layout, where)
    lines = np.arange(layout.first_line, layout.first_line + len(frame), dtype=np.int64)
    values, number_notes = _numbers(frame, text, layout, lines, where)
    empty = np.all([np.isnan(values[name]) for name in PRICES], axis=0)
    frame, lines = frame[~empty], lines[~empty]
    if frame.empty:
        raise RbiError("the file has no bars", where=where, fix="export it again with its data")
    times = parse_times(_time_cells(frame, layout), lines, where)
    rows = Rows(times.ns, {name: column[~empty] for name, column in values.items()}, lines, where)
    checked = sound_bars(rows)
    notes = (*layout.notes, *number_notes, *times.notes, *_dropped(text, empty), *checked.notes)
    return SoundBars(checked.bars, notes)


def _frame(
    text: str, layout: Layout, where: str, *, decimal: str = ".", text_columns: frozenset[int] = frozenset()
) -> pd.DataFrame:
    """Every row of the file. Blank lines are kept, so that a row's position tells its line."""
    as_text = ({layout.time, layout.clock} - {None}) | text_columns
    *above, body = text.split("\n", layout.first_line - 1)
    body = body if len(above) == layout.first_line - 1 else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(body),
                sep=layout.separator,
                header=None,
                names=list(range(len(layout.names))),
                index_col=False,
                dtype=dict.fromkeys(as_text, "object"),
                skipinitialspace=True,
                skip_blank_lines=False,
                decimal=decimal,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise _malformed(error, layout, where) from None


def _malformed(error: Exception, layout: Layout, where: str) -> RbiError:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        expected, line, saw = (int(number) for number in found.groups())
        return RbiError(
            f"a row has {saw} fields, the rows before it have {expected}",
            where=f"{where}:{line + layout.first_line - 1}",
            fix="correct the row; numbers with commas in them must be quoted",
        )
    quote = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if quote:
        return RbiError(
            "a quoted cell never ends",
            where=f"{where}:{int(quote[1]) + layout.first_line}",
            fix="remove the quote or add its partner",
        )
    if isinstance(error, pd.errors.EmptyDataError):
        return RbiError("the file has a header and no bars", where=where, fix="export it again with its data")
    return RbiError(f"the table is malformed: {error}", where=where, fix="export it again as CSV")


def _numbers(
    frame: pd.DataFrame, text: str, layout: Layout, lines: Times, where: str
) -> tuple[dict[str, Values], tuple[str, ...]]:
    columns = layout.numeric()
    values = _plain_numbers(frame, columns)
    notes: tuple[str, ...] = ()
    if values is None and layout.separator != ",":
        # Only for speed: what this reads, parse_numbers reads the same, in ten times the time.
        values = _plain_numbers(_frame(text, layout, where, decimal=","), columns)
        notes = (comma_note(decimal=True),)
    if values is None:
        # One column that is not plain may tell how all of them are written.
        as_text = _frame(text, layout, where, text_columns=frozenset(columns.values()))
        cells = {name: as_text[column] for name, column in columns.items()}
        parsed = parse_numbers(cells, separator=layout.separator, lines=lines, where=where)
        values, notes = dict(parsed.values), parsed.notes
    values.setdefault("volume", np.full(len(frame), np.nan))
    return values, notes


def _plain_numbers(frame: pd.DataFrame, columns: dict[str, int]) -> dict[str, Values] | None:
    """The columns as floats, or ``None`` if one of them holds anything but plain numbers."""
    if not all(_is_plain(frame[column]) for column in columns.values()):
        return None
    return {name: frame[column].to_numpy(dtype=np.float64) for name, column in columns.items()}


def _is_plain(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _time_cells(frame: pd.DataFrame, layout: Layout) -> pd.Series:
    if layout.clock is None:
        return frame[layout.time]
    return join_clock(frame[layout.time], frame[layout.clock])


def _dropped(text: str, empty: Values) -> tuple[str, ...]:
    # The text's last line end makes no row; blank lines at the end are nothing to tell about.
    trailing = len(text) - len(text.rstrip("\n"))
    count = int(empty.sum()) - max(trailing - 1, 0)
    return (f"{count} {'row' if count == 1 else 'rows'} without prices dropped",) if count > 0 else ()
