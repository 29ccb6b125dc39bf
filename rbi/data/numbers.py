"""Prices and volumes as text, in any usual way of writing numbers, to float64."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rbi.data.bars import Times, Values
from rbi.errors import RbiError

Text = pd.Series  # of str, with NaN where a cell is empty

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?[iI]nf(?:inity)?"
_DECORATION = r"[\s$€£¥'_\u00a0\u202f]"
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}([.,])\d{3}(\1\d{3})*")
_SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9}
_NO_VOLUME = ("-", "--")


@dataclass(frozen=True, slots=True)
class ParsedNumbers:
    """One float64 array for each column, NaN where a cell is empty, and what was assumed."""

    values: Mapping[str, Values]
    notes: tuple[str, ...] = ()


def parse_numbers(columns: Mapping[str, Text], *, separator: str, lines: Times, where: str) -> ParsedNumbers:
    """Read columns of numbers that share one way of writing; ``separator`` is the one between columns.

    Known beside plain numbers: currency signs, thousands separators, a decimal comma, and K, M or B after a
    volume. A lone comma before three digits is a decimal comma, unless commas separate the columns. Raises
    `RbiError` with line, column and text of the first cell that is no number.
    """
    plain = {name: cells.str.replace(_DECORATION, "", regex=True) for name, cells in columns.items()}
    scale: Values | float = 1.0
    if "volume" in plain:
        plain["volume"], scale = _without_suffix(plain["volume"])
    decimal_comma = _has_decimal_comma(plain, separator, where)
    notes: tuple[str, ...] = ()
    if decimal_comma is not None:
        away, comma = (".", ".") if decimal_comma else (",", "")
        plain = {
            name: cells.str.replace(away, "", regex=False).str.replace(",", comma, regex=False)
            for name, cells in plain.items()
        }
        notes = (comma_note(decimal=decimal_comma),)
    values = {name: _floats(name, cells, columns[name], lines, where) for name, cells in plain.items()}
    if "volume" in values:
        values["volume"] = values["volume"] * scale
    return ParsedNumbers(values, notes)


def comma_note(*, decimal: bool) -> str:
    """What to tell about how commas in numbers were read."""
    return f"commas in numbers were read as {'decimal' if decimal else 'thousands'} separators"


def _without_suffix(volume: Text) -> tuple[Text, Values]:
    """Volumes without K, M or B, and what each is to be multiplied with."""
    volume = volume.where(~volume.isin(_NO_VOLUME), np.nan)
    suffix = volume.str[-1:].str.upper()
    scaled = suffix.isin(list(_SUFFIXES))
    scale = np.array([_SUFFIXES.get(letter, 1.0) for letter in suffix])
    return volume.where(~scaled, volume.str[:-1]), scale


def _has_decimal_comma(columns: Mapping[str, Text], separator: str, where: str) -> bool | None:
    """Whether commas are decimal, by what most restricts them; ``None`` when there are none."""
    commas = [cells[cells.str.contains(",", regex=False, na=False)] for cells in columns.values()]
    if all(cells.empty for cells in commas):
        return None
    points = [cells[cells.str.contains(".", regex=False, na=False)] for cells in columns.values()]
    votes = {_decimal_vote(cell) for cell in pd.concat([*commas, *points]).unique()} - {None}
    if len(votes) > 1:
        raise RbiError(
            "some numbers have a decimal comma and some have a decimal point",
            where=where,
            fix="write all numbers the same way, best with a decimal point and nothing between thousands",
        )
    return votes.pop() if votes else separator != ","


def _decimal_vote(cell: str) -> bool | None:
    """Whether a number with a comma or point can only be meant with a decimal comma; ``None``: either way."""
    if "," in cell and "." in cell:
        return cell.rindex(",") > cell.rindex(".")
    sign = "," if "," in cell else "."
    if cell.count(sign) > 1:
        return sign == "."
    return None if _GROUPED.fullmatch(cell) else sign == ","


def _floats(name: str, cells: Text, written: Text, lines: Times, where: str) -> Values:
    empty = cells.isna() | (cells == "")
    bad = ~empty & ~cells.str.fullmatch(_NUMBER, na=False)
    if bad.any():
        at = int(np.argmax(bad.to_numpy()))
        more = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
        raise RbiError(
            f"the {name} {reprlib.repr(str(written.iloc[at]))} is not a number{more}",
            where=f"{where}:{lines[at]}",
            fix="correct the cell or remove the row",
        )
    return cells.where(~empty, "nan").to_numpy(dtype=str).astype(np.float64)
