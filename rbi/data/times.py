"""Times as text, in any usual form, to nanoseconds since 1970 UTC. A whole column decides its form."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np
import pandas as pd

from rbi.data.bars import Times
from rbi.errors import RbiError

Text = pd.Series  # of str, with NaN where a cell is empty

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?")
_YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_NAMED_MONTH = (
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%a %b %d %Y",
)
_DAY_FIRST = tuple(f"%d{s}%m{s}{y}" for s in "/.-" for y in ("%Y", "%y"))
_MONTH_FIRST = tuple(f"%m{s}%d{s}{y}" for s in "/.-" for y in ("%Y", "%y"))
_TIMES_OF_DAY = (
    "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H%M", "%H%M%S", "%I-%p", "%H",
)  # fmt: skip
_CLOCKS = ("", *(gap + clock for gap in (" ", "T", ", ") for clock in _TIMES_OF_DAY))
_ZONES = ("", "%z", " %z")
_FIX = "write the times as 2023-01-31 09:15:00 (in UTC, or with an offset such as +01:00)"
# Beyond this, nanoseconds do not fit into 64 bits (the years 1677 and 2262).
_MOST_US = (2**63 - 1) // 1000


@dataclass(frozen=True, slots=True)
class ParsedTimes:
    """``ns`` since 1970 UTC, one for each cell in the file's order, and what was assumed."""

    ns: Times
    notes: tuple[str, ...] = ()


def parse_times(cells: Text, lines: Times, where: str) -> ParsedTimes:
    """Read a column of times; ``lines`` are the 1-based lines of ``where`` that the cells stand in.

    Known: ISO 8601, year-first and day- or month-first dates with or without time of day and offset, month
    names, ``20230131``, and seconds, milli-, micro- or nanoseconds since 1970 told apart by magnitude.
    Offsets are converted to UTC; times without one are taken as they are. Raises `RbiError` with the line of
    the first cell that does not fit, or when day and month cannot be told apart.
    """
    if cells.isna().any():
        raise _unreadable(cells, cells.isna().to_numpy(), lines, where)
    cells = cells.str.strip()
    first = str(cells.iloc[0])
    if first.replace(".", "", 1).replace("e+", "", 1).replace("E+", "", 1).isdigit():
        return ParsedTimes(_from_numbers(cells, lines, where))
    if not _ISO.fullmatch(first):
        cells = _zones_as_offsets(cells, first)
        first = str(cells.iloc[0])
    if _ISO.fullmatch(first):
        ns, bad = _to_ns(cells, "ISO8601")
        if bad.any():
            raise _unreadable(cells, bad, lines, where)
        return ParsedTimes(ns, _zone_note(first, date_digits=10))
    return _from_formats(cells, first, lines, where)


def join_clock(days: Text, clocks: Text) -> Text:
    """One column of text from a column of dates and one of times of day (``09:15``, ``0915``, ``091500``)."""
    clocks = clocks.str.strip()
    digits = clocks.str.fullmatch(r"\d+", na=False)
    if digits.any():
        width = 6 if int(clocks[digits].str.len().max()) > 4 else 4
        clocks = clocks.where(~digits, clocks.str.zfill(width))
    return days.str.strip() + " " + clocks


def _from_numbers(cells: Text, lines: Times, where: str) -> Times:
    compact = cells.str.fullmatch(r"(?:19|20|21)\d{6}(?:\d{4}|\d{6})?")
    if compact.all() and cells.str.len().nunique() == 1:
        digits = len(str(cells.iloc[0]))
        ns, bad = _to_ns(cells, {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[digits])
        if not bad.any():
            return ns
        if digits != 12:  # twelve may still be milliseconds, in the seventies
            raise _unreadable(cells, bad, lines, where)
    numbers = pd.to_numeric(cells, errors="coerce")
    values = np.asarray(numbers)
    known = numbers.notna().to_numpy() & (values >= 1e8) & (values < 9.2e18)
    # From 1973 on, each unit has its own range of magnitudes; files that changed unit midway exist.
    per_unit = np.select([values < 1e11, values < 1e14, values < 1e17], [10**9, 10**6, 10**3], 1)
    bad = ~known | ((values < 1e11) & (values > 9.2e9))
    if bad.any():
        odd = ~compact.to_numpy(dtype=bool)
        raise _unreadable(cells, odd if 0 < odd.mean() < 0.5 else bad, lines, where)
    if np.issubdtype(values.dtype, np.integer):
        whole: Times = np.multiply(values, per_unit, dtype=np.int64)
        return whole
    # A float holds microseconds since 1970 exactly, not nanoseconds.
    us: Times = np.rint(values * (per_unit / 1000)).astype(np.int64)
    return us * 1000


def _zones_as_offsets(cells: Text, first: str) -> Text:
    """``... UTC``, ``... GMT+0100`` and ``...Z`` with the offset that strptime understands."""
    if not any(zone in first for zone in ("UTC", "GMT", "Z")):
        return cells
    named = r"\s*(?:UTC|GMT)\s*(?=[+-]\d)"
    return cells.str.replace(named, "", regex=True).str.replace(r"\s*(?:UTC|GMT|Z)$", "+0000", regex=True)


def _from_formats(cells: Text, first: str, lines: Times, where: str) -> ParsedTimes:
    readings = [(form, *_to_ns(cells, form)) for form in _forms_of(first)]
    if not readings:
        raise _unreadable(cells, np.arange(len(cells)) == 0, lines, where)
    whole = [(form, ns) for form, ns, bad in readings if not bad.any()]
    if not whole:
        raise _unreadable(cells, min((bad for _, _, bad in readings), key=np.sum), lines, where)
    if len(whole) > 1 and any((ns != whole[0][1]).any() for _, ns in whole):
        whole = [(form, ns) for form, ns in whole if _is_ordered(ns)]
        if len(whole) != 1:
            raise RbiError(
                f"day and month cannot be told apart in {reprlib.repr(first)}: both orders fit every row",
                where=f"{where}:{lines[0]}",
                fix=_FIX,
            )
    form, ns = whole[0]
    return ParsedTimes(ns, (*_order_note(form), *_zone_note(first if "%z" in form else "", date_digits=0)))


def _forms_of(first: str) -> Iterator[str]:
    """Every known format that the first cell fits: few, and more than one where day and month are unclear."""
    sample = _short_fraction(first)
    marks = _marks(sample)
    dates = (*_YEAR_FIRST, *_NAMED_MONTH, *_DAY_FIRST, *_MONTH_FIRST)
    seen: set[tuple[datetime, bool]] = set()
    for date, clock, zone in product(dates, _CLOCKS, _ZONES):
        if _marks(date + clock + zone) != marks:
            continue  # strptime takes its time over each of thousands of formats
        moment = _strptime(sample, date + clock + zone)
        month_first = date in _MONTH_FIRST
        if moment is not None and (moment, month_first) not in seen:
            seen.add((moment, month_first))
            yield date + clock + zone


def _marks(text: str) -> str:
    """What stands between the numbers and names of a time or of a format for it, zones left out."""
    if ":" in text:  # without a time of day, -2023 at the end is a year
        text = re.sub(r" ?(%z|[+-]\d\d:?\d\d)$", "", text)
    return re.sub(r"%?[A-Za-z0-9]+", "", text)


def _strptime(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None


def _short_fraction(text: str) -> str:
    """Python reads six decimals of a second, pandas nine: the format is the same."""
    whole, dot, fraction = text.rpartition(".")
    digits = len(fraction) - len(fraction.lstrip("0123456789"))
    return whole + dot + fraction[: min(digits, 6)] + fraction[digits:] if ":" in whole else text


def _to_ns(cells: Text, form: str) -> tuple[Times, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    parsed = pd.to_datetime(cells, format=form, utc=True, errors="coerce")
    bad = parsed.isna().to_numpy()
    stamps = parsed.dt.tz_localize(None)
    us = stamps.dt.as_unit("us").to_numpy().astype(np.int64)
    far = ~bad & (np.abs(us) > _MOST_US)
    ns = stamps.where(~(far | bad), pd.Timestamp(0)).dt.as_unit("ns").to_numpy().astype(np.int64)
    return ns, bad | far


def _is_ordered(ns: Times) -> bool:
    steps = np.diff(ns)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _order_note(form: str) -> tuple[str, ...]:
    if form.startswith(_DAY_FIRST):
        return ("the dates were read as day, month, year",)
    return ("the dates were read as month, day, year",) if form.startswith(_MONTH_FIRST) else ()


def _zone_note(first: str, *, date_digits: int) -> tuple[str, ...]:
    clock = first[date_digits:]
    zoned = clock.rpartition("+")[2] if "+" in clock else clock.rpartition("-")[2] if "-" in clock else ""
    return ("the times were converted to UTC",) if zoned.strip("0:") else ()


def _unreadable(cells: Text, bad: np.ndarray, lines: Times, where: str) -> RbiError:
    at = int(np.argmax(bad))
    cell = cells.iloc[at]
    shown = reprlib.repr(cell) if isinstance(cell, str) else "an empty cell"
    more = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
    return RbiError(f"{shown} is no time this tool can read{more}", where=f"{where}:{lines[at]}", fix=_FIX)
