"""Bars: the one in-memory form of market data, immutable, and its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

COLUMNS = ("time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """OHLCV bars, oldest first: six one-dimensional arrays of one length that nobody can write to.

    ``time`` is int64, nanoseconds since 1970 UTC, the start of the bar. Prices are float64 in quote currency.
    ``volume`` is float64, NaN where unknown. Two `Bars` are equal when every value is (NaN equals NaN).
    Raises `ValueError` when the arrays do not have one shape.
    """

    time: Times
    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values

    def __post_init__(self) -> None:
        shape = np.shape(self.time)
        for name in COLUMNS:
            dtype = np.int64 if name == "time" else np.float64
            array = np.array(getattr(self, name), dtype=dtype, order="C")
            if array.ndim != 1 or array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, time has {shape}: bars need one length")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.time)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bars) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def arrays(self) -> Iterator[tuple[str, Times | Values]]:
        """Each column's name and array, in the order of `COLUMNS`."""
        for name in COLUMNS:
            yield name, getattr(self, name)

    def part(self, start: int, stop: int) -> Bars:
        """The bars from ``start`` up to, not including, ``stop``: copied, so nothing else is reachable."""
        return Bars(*(array[start:stop] for _, array in self.arrays()))  # type: ignore[arg-type]

    def fingerprint(self) -> str:
        """The sha256 (hex) of every column's name, length and values as little-endian bytes.

        It depends on values only, not on the machine: every NaN counts as one NaN, and -0.0 as 0.0.
        """
        digest = hashlib.sha256()
        for name, array in self.arrays():
            digest.update(f"{name}:{len(array)}\n".encode())
            digest.update(_canonical(array).tobytes())
        return digest.hexdigest()


def _canonical(array: Times | Values) -> Times | Values:
    if array.dtype == np.int64:
        return array.astype("<i8")
    # Adding zero turns -0.0 into 0.0; NaNs can differ in bits that mean nothing.
    return np.where(np.isnan(array), np.nan, array + 0.0).astype("<f8")
