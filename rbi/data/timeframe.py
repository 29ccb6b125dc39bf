"""The timeframe of bars, from the distances between them."""

from __future__ import annotations

import numpy as np

from rbi.data.bars import Times

_MS = 10**6
_SECOND = 10**9
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
# Calendar timeframes have no fixed length: shortest and longest, in days.
_CALENDAR = (("1M", 28, 31), ("3M", 89, 92), ("6M", 181, 184), ("1Y", 365, 366))


def timeframe_label(time: Times) -> str:
    """``15m``, ``1h``, ``1d``, ``1w``, ``1M`` or the like, for times in ns of at least two bars in order.

    The median distance counts, so that weekends, holidays and gaps do not.
    """
    steps = np.sort(np.diff(time))
    step = int(steps[(len(steps) - 1) // 2])
    for label, shortest, longest in _CALENDAR:
        if shortest * _DAY <= step <= longest * _DAY:
            return label
    for letter, unit in (
        ("w", 7 * _DAY),
        ("d", _DAY),
        ("h", _HOUR),
        ("m", _MINUTE),
        ("s", _SECOND),
        ("ms", _MS),
    ):
        if step % unit == 0:
            return f"{step // unit}{letter}"
    return f"{step}ns"
