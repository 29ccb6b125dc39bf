"""When something will be, in every way that providers write it -> seconds from now."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = r"\d{1,15}(?:\.\d{1,15})?(?:ns|us|µs|ms|s|m|h|d)"
_DURATION = re.compile(rf"(?:{_PART})+", re.ASCII)
_PARTS = re.compile(r"([\d.]+)([a-zµ]+)", re.ASCII)
_IN_PROSE = re.compile(rf"(?:try again|retry) in ((?:{_PART})+)", re.ASCII | re.IGNORECASE)

# Numbers this large are no waits but points in time since 1970: in seconds, and in milliseconds.
_EPOCH_S = 1e9
_EPOCH_MS = 1e12


def seconds_from(text: str) -> float | None:
    """A plain number of seconds, or a duration such as ``1m30s`` or ``12ms``; ``None`` for anything else."""
    text = text.strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PARTS.findall(text))
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def seconds_until(text: str, now: datetime) -> float | None:
    """Seconds from ``now``: a duration, a time since 1970, an RFC 3339 or an HTTP date. Never negative."""
    seconds = seconds_from(text)
    if seconds is None:
        return _until_date(text.strip(), now)
    if seconds >= _EPOCH_S:
        moment_s = seconds / 1000 if seconds >= _EPOCH_MS else seconds
        return max(moment_s - now.timestamp(), 0.0)
    return seconds


def wait_in(prose: str) -> float | None:
    """The wait in a sentence such as ``Please try again in 1m2.4s.``"""
    found = _IN_PROSE.search(prose)
    return seconds_from(found[1]) if found else None


def _until_date(text: str, now: datetime) -> float | None:
    from email.utils import parsedate_to_datetime  # slow to import, and seldom needed

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return max((moment - now).total_seconds(), 0.0)
        except (ValueError, OverflowError):  # not written in this way
            continue
    return None
