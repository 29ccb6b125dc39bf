"""The cut between dev and hold-out, and the files in which a slice goes to a runner."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import numpy as np

from rbi.data.bars import Bars
from rbi.data.catalog import Dataset
from rbi.data.futures import with_other_future
from rbi.errors import RbiError
from runners.base import BarsFile

DEV = "dev"
HOLD_OUT = "hold-out"
FULL = "full"


@dataclass(frozen=True, slots=True)
class Slice:
    """Some bars of the dataset called ``name``. ``fingerprint`` is that of these bars and of nothing else."""

    name: str
    part: str
    bars: Bars
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", self.bars.fingerprint())


def dev(dataset: Dataset, hold_out_fraction: float) -> Slice:
    """The first ``floor((1 - hold_out_fraction) * n)`` bars: what models, strategies and optimizers may see.

    Raises `RbiError` unless the fraction is above 0, below 1 and leaves at least one bar on each side.
    """
    return Slice(dataset.name, DEV, dataset.bars.part(0, _cut(dataset, hold_out_fraction)))


def hold_out(dataset: Dataset, hold_out_fraction: float) -> Slice:
    """The bars after those of `dev`. Raises as `dev` does."""
    bars = dataset.bars
    return Slice(dataset.name, HOLD_OUT, bars.part(_cut(dataset, hold_out_fraction), len(bars)))


def full(dataset: Dataset) -> Slice:
    """All bars, the hold-out included: only for strategies that were not made here."""
    return Slice(dataset.name, FULL, dataset.bars)


def write_npz(part: Slice, folder: Path) -> BarsFile:
    """Write the slice into ``folder`` (made if missing) for a runner, and describe the file.

    The file's name holds the fingerprint and its bytes depend on the bars alone. A file that is there already
    is left alone if it is right and replaced if it is not. Safe when several threads or processes do it at
    once. Raises `RbiError` when the folder cannot be written to.
    """
    path = folder / f"{part.name}-{part.part}-{part.fingerprint[:16]}.npz"
    keep(path, _npz(part.bars))
    return BarsFile(part.name, part.part, len(part.bars), part.fingerprint, path)


def keep(path: Path, content: bytes) -> None:
    """Have ``content`` in the file ``path``, written only if it is not there. Safe for many writers at once.

    Raises `RbiError` when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.is_file() and path.read_bytes() == content):
            _replace(path, content)
    except OSError as error:
        raise RbiError(
            f"the bars cannot be written: {error.strerror or error}",
            where=str(path),
            fix="free some space there, or choose another results folder",
        ) from error


def _cut(dataset: Dataset, hold_out_fraction: float) -> int:
    bars = len(dataset.bars)
    if 0 < hold_out_fraction < 1:
        # As a decimal fraction: in floats, 1 - 0.9 of 10 bars is less than one bar.
        cut = math.floor((1 - Fraction(str(hold_out_fraction))) * bars)
        if 0 < cut < bars:
            return cut
    raise RbiError(
        f"a hold-out of {hold_out_fraction:g} cuts nothing sensible from the {bars} bars of {dataset.name}",
        where="the hold-out fraction",
        fix="use a fraction such as 0.25",
    )


def _npz(bars: Bars) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        time=bars.time,
        Open=bars.open,
        High=bars.high,
        Low=bars.low,
        Close=bars.close,
        Volume=bars.volume,
    )
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)  # noqa: PTH105  its atomicity is documented under this name
    finally:
        temporary.unlink(missing_ok=True)


def open_prices(bars: BarsFile) -> tuple[float, ...]:
    """The open price of each bar."""
    with np.load(bars.path, allow_pickle=False) as arrays:
        return tuple(arrays["Open"].tolist())


def write_other_future(bars: BarsFile, first: int) -> BarsFile:
    """Write, beside a file of bars, one whose bars are others from the open of bar ``first`` on, and describe it.

    Raises as `write_npz` and `rbi.data.futures.with_other_future` do.
    """
    with np.load(bars.path, allow_pickle=False) as arrays:
        real = Bars(*(arrays[name] for name in ("time", "Open", "High", "Low", "Close", "Volume")))
    other = Slice(bars.name, f"{bars.part}-other-from-{first}", with_other_future(real, first))
    return write_npz(other, bars.path.parent)
