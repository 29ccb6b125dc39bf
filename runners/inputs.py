"""What a run is given, checked before anything is started: bars, terms and parameters."""

from __future__ import annotations

import math
import os
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from runners.base import BarsFile, RunnerError, Scalar, Terms
from runners.claim import BarArrays

_PRICES = ("Open", "High", "Low", "Close", "Volume")
_COLUMNS = ("time", *_PRICES)
_KEPT_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class LoadedBars:
    """A slice in memory: ``arrays`` for the runner itself, ``time`` as tuple for results, and ``file`` for children.

    ``file`` holds the columns time (int64, ns since 1970 UTC), Open, High, Low, Close, Volume (float64), one after the
    other. Children map it privately, so that all of them share its pages and none can change what another one sees.
    """

    file: IO[bytes]
    arrays: BarArrays
    time: tuple[int, ...]
    lowest_close: float
    size: int


class BarsCache:
    """Slices, each read and checked once. Safe to use from many threads; what was used longest ago goes first."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[object, ...], LoadedBars] = OrderedDict()

    def load(self, bars: BarsFile) -> LoadedBars:
        """The slice. Raises `RunnerError` if the file is not what `BarsFile` promises."""
        try:
            status = bars.path.stat()
        except OSError as error:
            raise _unreadable(bars, error.strerror or str(error)) from error
        key = (bars.path, bars.rows, status.st_ino, status.st_mtime_ns, status.st_size)
        with self._lock:
            loaded = self._loaded.pop(key, None) or _load(bars)
            self._loaded[key] = loaded
            while (
                len(self._loaded) > 1 and sum(kept.size for kept in self._loaded.values()) > self._kept_bytes
            ):
                self._loaded.popitem(last=False)
        return loaded

    def close(self) -> None:
        """Forget all of them; what children have mapped stays theirs."""
        with self._lock:
            while self._loaded:
                self._loaded.popitem()[1].file.close()


def _load(bars: BarsFile) -> LoadedBars:
    try:
        # Of a file that it opened itself and cannot read, numpy leaves a descriptor open.
        with bars.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            time, columns = arrays["time"], [arrays[name] for name in _PRICES]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(bars, str(error)) from error
    if time.dtype != np.int64 or any(column.shape != (bars.rows,) for column in (time, *columns)):
        raise _unreadable(bars, f"it does not hold {bars.rows} bars")
    prices = [column.astype("<f8") for column in columns]
    content = memory_file(time.astype("<i8").tobytes() + b"".join(column.tobytes() for column in prices))
    return LoadedBars(
        file=content,
        arrays=BarArrays(time, *prices[:4]),
        time=tuple(time.tolist()),
        lowest_close=float(prices[3].min()) if bars.rows else math.nan,
        size=2 * 8 * bars.rows * len(_COLUMNS),
    )


def memory_file(content: bytes) -> IO[bytes]:
    """A file without a name that holds ``content``; where the system can do it, in memory and never to be changed."""
    if not hasattr(os, "memfd_create"):
        file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - whoever asked closes it
        file.write(content)
        file.seek(0)
        return file
    import fcntl

    fd = os.memfd_create("rbi", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    file = os.fdopen(fd, "r+b", buffering=0)
    view = memoryview(content)
    while view:
        view = view[file.write(view) or 0 :]
    file.seek(0)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return file


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
