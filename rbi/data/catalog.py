"""Datasets by name: the bars bundled with backtesting.py, and a user's own files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from rbi.data.bars import Bars
from rbi.data.csv_bars import read_bars
from rbi.data.files import missing, names_in, similar
from rbi.data.timeframe import timeframe_label
from rbi.errors import RbiError, UsageError

BUNDLED = ("GOOG", "EURUSD", "BTCUSD")
BUNDLED_SOURCE = "bundled"

_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bars with a name that is safe as a file name, a timeframe label such as ``15m``, and a fingerprint.

    ``source`` is ``bundled`` or the path the bars were read from. ``notes`` tell what was assumed and changed
    in reading them. ``fingerprint`` is that of the bars, whatever file they came from. ``file`` is the user's
    own file, ``None`` for bundled bars.
    """

    name: str
    source: str
    timeframe: str
    bars: Bars
    notes: tuple[str, ...]
    fingerprint: str
    file: Path | None = None


def load(spec: str) -> Dataset:
    """The dataset that ``spec`` names: ``GOOG``, ``EURUSD`` or ``BTCUSD`` in any case, or a CSV file's path.

    A file called like a bundled dataset needs a folder or suffix in ``spec`` (``./goog``, ``goog.csv``).
    Raises `RbiError` for an unknown name and for a file that cannot be read with certainty.
    """
    looks_like_path = "/" in spec or "\\" in spec or bool(Path(spec).suffix)
    if _is_bundled(spec) and not looks_like_path:
        name = spec.upper()
        return _read(_bundled_file(name), name)
    path = _path(spec)
    if not spec.strip() or not _exists(path):
        raise missing(path) if looks_like_path and not _is_bundled(path.stem) else _unknown(spec, path)
    return _read(path, safe_name(path), own=True)


def load_all(specs: Sequence[str]) -> tuple[Dataset, ...]:
    """The datasets in the order given, each once, with names that differ even where case does not count.

    Specs with equal bars are one dataset, the first. Files whose names would be equal get the start of their
    fingerprints appended. Raises as `load` does.
    """
    by_fingerprint: dict[str, Dataset] = {}
    for spec in specs:
        dataset = load(spec)
        by_fingerprint.setdefault(dataset.fingerprint, dataset)
    datasets = tuple(by_fingerprint.values())
    names = [dataset.name.casefold() for dataset in datasets]
    return tuple(
        replace(dataset, name=f"{dataset.name}-{dataset.fingerprint[:8]}")
        if names.count(dataset.name.casefold()) > 1 and dataset.source != BUNDLED_SOURCE
        else dataset
        for dataset in datasets
    )


def _read(path: Path, name: str, *, own: bool = False) -> Dataset:
    checked = read_bars(path)
    bars = checked.bars
    return Dataset(
        name=name,
        source=str(path) if own else BUNDLED_SOURCE,
        timeframe=timeframe_label(bars.time),
        bars=bars,
        notes=checked.notes,
        fingerprint=bars.fingerprint(),
        file=path.absolute() if own else None,
    )


def _bundled_file(name: str) -> Path:
    # Importing backtesting takes over a second; finding it does not.
    spec = find_spec("backtesting")
    if spec is None or spec.origin is None:
        raise RbiError(
            "backtesting.py is not installed, and the bundled data comes with it",
            fix="install rbi again: pip install --force-reinstall rbi",
        )
    return Path(spec.origin).parent / "test" / f"{name}.csv"


def safe_name(path: Path) -> str:
    """A name for the data in ``path``: letters, digits, ``.``, ``_`` and ``-``, at most 60, never empty."""
    stem = re.sub(r"(\.(csv|txt|tsv))?(\.(gz|zip))?$", "", path.name, flags=re.IGNORECASE)
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_stem)
    slug = re.sub(r"\.{2,}", ".", slug).strip("-._")
    return slug[:_LONGEST_NAME].rstrip("-._") or "data"


def _path(spec: str) -> Path:
    try:
        return Path(spec).expanduser()
    except RuntimeError:
        raise RbiError(
            "there is no such user's home folder", where=spec, fix="write the path in full"
        ) from None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # reading it will tell what is in the way


def _is_bundled(name: str) -> bool:
    return name.upper() in BUNDLED


def _unknown(spec: str, path: Path) -> RbiError:
    here = [name for name in names_in(Path()) if name.lower().endswith((".csv", ".gz", ".zip"))]
    known = {name.split(".")[0].lower(): name for name in (*here, *BUNDLED)}
    guess = known.get(path.stem.lower())
    fix = f"did you mean {guess}?" if guess else similar(spec, [*BUNDLED, *here]) or _bundled_hint()
    return UsageError("no dataset of this name", where=spec, fix=fix)


def _bundled_hint() -> str:
    return f"use {', '.join(BUNDLED)}, or the path of a CSV file"
