"""Columns of numbers as short, exact JSON strings: little-endian 64-bit values, deflated, base64."""

from __future__ import annotations

import base64
import binascii
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub
from typing import Any

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack_floats(values: Iterable[float]) -> str:
    """Floats as a string; NaN and infinities survive."""
    return _deflate(array("d", values))


def unpack_floats(text: str) -> tuple[float, ...]:
    """The inverse of `pack_floats`. Raises `ValueError` for anything else."""
    return tuple(_inflate(text, array("d")))


def pack_times(times: Sequence[int]) -> str:
    """Times (int64) as a string: their differences, which repeat and so deflate to almost nothing."""
    try:
        return _deflate(array("q", map(sub, times, (0, *times))))
    except OverflowError:
        return _deflate(array("q", (_wrap(b - a) for a, b in zip((0, *times), times, strict=False))))


def unpack_times(text: str) -> tuple[int, ...]:
    """The inverse of `pack_times`. Raises `ValueError` for anything else."""
    return tuple(map(_wrap, accumulate(_inflate(text, array("q")))))


def pack_value(value: Any) -> Any:
    """A JSON value; a float that JSON cannot write becomes ``{"float": "nan"}`` and the like."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    return value


def unpack_value(value: Any) -> Any:
    """The inverse of `pack_value`."""
    return _NOT_FINITE[value["float"]] if isinstance(value, dict) else value


def _wrap(value: int) -> int:
    """Into int64, as the hardware would: differences of far apart times overflow."""
    return (value + 2**63) % 2**64 - 2**63


def _deflate(values: array[Any]) -> str:
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(zlib.compress(values.tobytes(), 1)).decode("ascii")


def _inflate(text: str, values: array[Any]) -> array[Any]:
    try:
        values.frombytes(zlib.decompress(base64.b64decode(text, validate=True)))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"not a packed column: {error}") from error
    if sys.byteorder == "big":
        values.byteswap()
    return values
