"""The CSV text of a slice, which programs read for themselves."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rbi.data.bars import Bars, Times
from rbi.data.catalog import Dataset
from rbi.data.csv_bars import read_bars
from rbi.data.files import read_text
from rbi.data.layout import find_layout
from rbi.data.slices import FULL, Slice, keep
from rbi.errors import RbiError

HEADER = ("datetime", "open", "high", "low", "close", "volume")
_SECOND_NS = 10**9
_PACKED = (b"\x1f\x8b", b"PK\x03\x04")  # gzip, zip


def write_text(part: Slice, dataset: Dataset, folder: Path) -> Path:
    """A CSV file of the slice's bars, in the words of the user's own file where there is one.

    All bars of a plain CSV file: that very file, since programs rely on its header. A part of one: its lines
    above the rows and the part's own rows, byte for byte, if they alone read as exactly these bars. Otherwise, and
    for bundled or compressed data: `canonical`. What is written goes into ``folder``; no bar outside the slice is
    in it. Raises `RbiError` when it cannot be written.
    """
    own = dataset.file
    content = b"" if own is None else own.read_bytes()
    if own is None or content.startswith(_PACKED):
        return _kept(part, canonical(part.bars), folder)
    if part.part == FULL:
        return own
    rows = _first_rows(content, own, len(part.bars))
    return _kept(part, rows if _reads_as(rows, part.bars) else canonical(part.bars), folder)


def canonical(bars: Bars) -> bytes:
    """The bars as UTF-8 CSV: times as ``2024-01-31 00:00:00``, floats that read back exactly, no unknown volume."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    prices = (bars.open, bars.high, bars.low, bars.close)
    volume = ["" if value != value else repr(value) for value in bars.volume.tolist()]
    columns = [[repr(value) for value in column.tolist()] for column in prices]
    writer.writerows(zip(_times(bars.time), *columns, volume, strict=True))
    return out.getvalue().encode()


def _times(time: Times) -> list[str]:
    moments = time.astype("datetime64[ns]")
    whole = not np.any(time % _SECOND_NS)
    iso = (moments.astype("datetime64[s]") if whole else moments).astype(str)
    return [text.replace("T", " ") for text in iso.tolist()]


def _first_rows(content: bytes, path: Path, count: int) -> bytes:
    """What stands above the rows, and the first ``count`` rows; nothing of a file whose lines are not plain."""
    lines = content.split(b"\n")
    above = find_layout(read_text(path), str(path)).first_line - 1
    plain = b"\0" not in content and b"\r" not in content.replace(b"\r\n", b"")
    return b"\n".join(lines[: above + count]) + b"\n" if plain else b""


def _reads_as(content: bytes, bars: Bars) -> bool:
    # In a private folder first: read wrongly, the newest bars may stand at the top of the file.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part.csv"
        path.write_bytes(content)
        try:
            return read_bars(path).bars == bars
        except RbiError:  # such as too few rows to tell how the dates are written
            return False


def _kept(part: Slice, content: bytes, folder: Path) -> Path:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{part.name}-{part.part}-{digest[:16]}.csv"
    keep(path, content)
    return path
