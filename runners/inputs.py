"""What a run is given, checked before anything is started: bars, terms and parameters."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from runners.base import BarsFile, RunnerError, Scalar, Terms

_COLUMNS = ("time", "Open", "High", "Low", "Close", "Volume")


@dataclass(frozen=True, slots=True)
class OpenBars:
    """A bars file, open at its start, with what the runner itself needs of it."""

    file: IO[bytes]
    time: tuple[int, ...]
    lowest_close: float


@contextmanager
def open_bars(bars: BarsFile) -> Iterator[OpenBars]:
    """Open a bars file for one run. Raises `RunnerError` if it is not what `BarsFile` promises."""
    try:
        file = bars.path.open("rb")
    except OSError as error:
        raise _unreadable(bars, error.strerror or str(error)) from error
    with file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                lengths = {arrays[name].shape for name in _COLUMNS}
                time, close = arrays["time"], arrays["Close"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise _unreadable(bars, str(error)) from error
        if lengths != {(bars.rows,)} or time.dtype != np.int64:
            raise _unreadable(bars, f"it does not hold {bars.rows} bars")
        file.seek(0)
        yield OpenBars(file, tuple(time.tolist()), float(close.min()) if bars.rows else math.nan)


def _unreadable(bars: BarsFile, why: str) -> RunnerError:
    return RunnerError(
        f"the bars of {bars.name} ({bars.part}) cannot be read: {bars.path}: {why}",
        hint=f"make the file again: rbi data show {bars.name}",
    )


def check_terms(terms: Terms, lowest_close: float) -> None:
    """Raise `RunnerError` for terms under which no backtest means anything."""
    ranges = {
        "cash": (terms.cash, 0 < terms.cash < math.inf, "more than 0"),
        "commission": (terms.commission, 0 <= terms.commission < 0.1, "a fraction from 0 to below 0.1"),
        "spread": (terms.spread, 0 <= terms.spread < 1, "a fraction from 0 to below 1"),
        "margin": (terms.margin, 0 < terms.margin <= 1, "a fraction above 0, at most 1"),
    }
    for name, (value, good, meaning) in ranges.items():
        if not good:
            raise RunnerError(f"{name} is {value:g}", hint=f"set {name} to {meaning}")
    if terms.cash / terms.margin < lowest_close:
        raise RunnerError(
            f"cash is {terms.cash:g}, but one unit never costs less than {lowest_close:g}: nothing can be bought",
            hint=f"set cash to at least {math.ceil(lowest_close * terms.margin * 100):g}",
        )


def check_params(params: Mapping[str, Scalar]) -> None:
    """Raise `RunnerError` for a parameter that cannot be written down exactly."""
    for name, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise RunnerError(f"the parameter {name} is {value}", hint="give it a finite number")
