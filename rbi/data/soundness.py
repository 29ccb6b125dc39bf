"""Whether bars can be believed: prices that fit together, one bar for each time, in order, and enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rbi.data.bars import Bars, Times, Values
from rbi.errors import RbiError

MIN_BARS = 100
# Vendors round each price by itself, so a high can be a hair below the close. More than this is wrong data.
ROUNDING = 1e-6

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bars in the file's order, unchecked. ``lines`` are the 1-based lines of ``where`` they stand in."""

    time: Times
    values: Mapping[str, Values]
    lines: Times
    where: str

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
        """The rows at the chosen positions, in that order."""
        values = {name: column[chosen] for name, column in self.values.items()}
        return Rows(self.time[chosen], values, self.lines[chosen], self.where)


@dataclass(frozen=True, slots=True)
class SoundBars:
    """Checked bars, and what was done to get them."""

    bars: Bars
    notes: tuple[str, ...]


def sound_bars(rows: Rows) -> SoundBars:
    """Check the values of ``rows``, put them in order and drop identical repetitions.

    Raises `RbiError` with the line of the first bar that has a price that is missing, infinite or not above
    zero, a high or low that does not bound the bar (by more than a relative `ROUNDING`), a negative volume, a
    time that another bar has too with other values; or when fewer than `MIN_BARS` are left.
    """
    _check_values(rows)
    ordered, notes = _ordered(rows)
    single, dropped = _without_repetitions(ordered)
    if dropped:
        notes = (*notes, f"{dropped} repeated {_rows(dropped)} dropped")
    if len(single.time) < MIN_BARS:
        raise RbiError(
            f"only {len(single.time)} bars; a backtest says nothing with fewer than {MIN_BARS}",
            where=rows.where,
            fix="use a longer history or a shorter timeframe",
        )
    return SoundBars(Bars(single.time, **single.values), notes + _volume_notes(single.values["volume"]))


def _check_values(rows: Rows) -> None:
    for name in _PRICES:
        _refuse(rows, np.isnan(rows.values[name]), (name,), f"the {name} is missing")
        _refuse(rows, np.isinf(rows.values[name]), (name,), f"the {name} is infinite")
        _refuse(rows, rows.values[name] <= 0, (name,), f"the {name} is not above zero")
    highest = np.maximum(rows.values["open"], rows.values["close"])
    lowest = np.minimum(rows.values["open"], rows.values["close"])
    high, low = rows.values["high"], rows.values["low"]
    _refuse(rows, high < low * (1 - ROUNDING), ("high", "low"), "the high is below the low")
    _refuse(rows, high < highest * (1 - ROUNDING), _PRICES, "the high is below the open or the close")
    _refuse(rows, low > lowest * (1 + ROUNDING), _PRICES, "the low is above the open or the close")
    volume = rows.values["volume"]
    _refuse(rows, (volume < 0) | np.isinf(volume), ("volume",), "the volume is negative or infinite")


def _refuse(rows: Rows, bad: NDArray[np.bool_], names: tuple[str, ...], what: str) -> None:
    if not bad.any():
        return
    at = int(np.argmax(bad))
    shown = ", ".join(f"{name} {rows.values[name][at]:.10g}" for name in names)
    count = int(bad.sum())
    more = f", and in {count - 1} more {_rows(count - 1)}" if count > 1 else ""
    raise RbiError(
        f"{what}: {shown}{more}",
        where=f"{rows.where}:{rows.lines[at]}",
        fix="correct or remove the rows, or export the data again",
    )


def _ordered(rows: Rows) -> tuple[Rows, tuple[str, ...]]:
    steps = np.diff(rows.time)
    if (steps >= 0).all():
        return rows, ()
    if (steps <= 0).all():
        return rows.take(np.arange(len(rows.time))[::-1]), (
            "the newest bar came first; the order was reversed",
        )
    count = int((steps < 0).sum())
    note = f"the bars were not in order of time ({count} {_rows(count)} earlier than the one before); sorted"
    return rows.take(np.argsort(rows.time, kind="stable")), (note,)


def _without_repetitions(rows: Rows) -> tuple[Rows, int]:
    again = np.concatenate(([False], np.diff(rows.time) == 0))
    if not again.any():
        return rows, 0
    same = again.copy()
    for column in rows.values.values():
        before = np.roll(column, 1)
        same &= (column == before) | (np.isnan(column) & np.isnan(before))
    conflicts = again & ~same
    if conflicts.any():
        at = int(np.argmax(conflicts))
        time = np.datetime_as_string(rows.time[at].astype("datetime64[ns]"), unit="s")
        raise RbiError(
            f"two bars at {time} with different values, in lines {rows.lines[at - 1]} and {rows.lines[at]}"
            f" ({int(conflicts.sum())} such times)",
            where=f"{rows.where}:{rows.lines[at]}",
            fix="keep one bar for each time: one instrument in a file, and times in UTC",
        )
    return rows.take(~again), int(again.sum())


def _volume_notes(volume: Values) -> tuple[str, ...]:
    unknown = int(np.isnan(volume).sum())
    if unknown == 0:
        return ()
    if unknown == len(volume):
        return ("no volume: it is NaN in every bar",)
    return (f"the volume is NaN in {unknown} of {len(volume)} bars",)


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"
