"""What a backtest produced as strict JSON values: columns are base64 of little-endian 8-byte numbers, or of texts."""

import base64

import numpy as np
import pandas as pd

PRICES = ("Open", "High", "Low", "Close")


def encode_floats(values):
    """A column of numbers; None becomes NaN."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def encode_integers(values):
    """A column of whole numbers."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<i8").tobytes()).decode("ascii")


def encode_texts(texts):
    """A column of texts, which may hold anything: UTF-8, separated by NUL."""
    joined = "\0".join(text.replace("\0", " ") for text in texts)
    return base64.b64encode(joined.encode("utf-8", "replace")).decode("ascii")


def encode_statistics(statistics):
    """Of ``(key, value)`` pairs those that can be written down: not NaT, nor times beyond the year 9999."""
    encoded = {}
    for key, value in statistics:
        try:
            encoded[key] = encode_statistic(key, value)
        except (TypeError, ValueError, OverflowError):
            continue
    return encoded


def encode_statistic(key, value):
    """One statistic: times and durations, in time or in bars, and what is not finite are written out."""
    if value is pd.NaT and key not in ("Start", "End"):
        return "nan"
    if key.endswith("Duration"):
        return encode_duration(key, value)
    if isinstance(value, pd.Timestamp):
        value.to_pydatetime(warn=False)  # raises for years that python's own times do not have
        return {"ts": value.isoformat()}
    if key in ("Start", "End"):
        return {"bar": whole(value)}
    return encode_number(value)


def encode_duration(key, value):
    """A duration; of drawdowns that are all on the last bar, backtesting.py gives the depth instead."""
    if isinstance(value, pd.Timedelta):
        return {"seconds": value.total_seconds()}
    number = encode_number(value)
    if isinstance(number, str) or (isinstance(value, float) and "Drawdown" in key and value <= 1):
        return "nan"
    return {"bars": number}


def encode_number(value):
    """A number; a string if it is not finite."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    value = float(value)
    if np.isnan(value):
        return "nan"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def whole(value):
    """``value`` if it is a whole number. Raises `TypeError` otherwise."""
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"not a bar number: {value!r}")
    return int(value)


def encode_bars(frame):
    """Prices and times of a frame."""
    times = bar_times(frame.index)
    columns = {name: encode_floats(frame[name].to_numpy(dtype="<f8", na_value=np.nan)) for name in PRICES}
    return {"time": None if times is None else encode_integers(times), **columns}


def bar_times(index):
    """An index of times as int64, ns since 1970 UTC; None for any other, and for times that do not fit."""
    if not isinstance(index, pd.DatetimeIndex):
        return None
    try:
        return index.as_unit("ns").asi8
    except pd.errors.OutOfBoundsDatetime:
        return None
