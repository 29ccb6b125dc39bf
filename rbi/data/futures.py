"""Bars with another future: what a strategy may know at some bar stays, everything after it is made up."""

from __future__ import annotations

import numpy as np

from rbi.data.bars import Bars, Values


def with_other_future(bars: Bars, first: int) -> Bars:
    """The bars up to ``first`` as they are, and from its open on others that could have been, the same each time.

    The open of bar ``first`` (0-based) stays, because an order decided on the bar before is filled there. After it the
    returns from close to close are the real ones in another order and with the other sign; gaps and shadows keep their
    size. Raises `ValueError` unless ``first`` has bars on both sides.
    """
    if not 0 < first < len(bars):
        raise ValueError(f"bar {first} has no bars on both sides among {len(bars)}")
    random = np.random.default_rng(first)
    before = bars.close[first - 1]
    returns = np.diff(np.log(bars.close[first - 1 :]))
    close = before * np.exp(np.cumsum(-random.permutation(returns)))
    previous = np.concatenate(([before], close[:-1]))
    opened = previous * (bars.open[first:] / bars.close[first - 1 : -1])
    opened[0] = bars.open[first]
    high = np.maximum(opened, close) * (bars.high[first:] / np.maximum(bars.open[first:], bars.close[first:]))
    low = np.minimum(opened, close) * (bars.low[first:] / np.minimum(bars.open[first:], bars.close[first:]))
    volume = random.permutation(bars.volume[first:])

    def joined(real: Values, other: Values) -> Values:
        return np.concatenate((real[:first], other))

    return Bars(
        bars.time,
        joined(bars.open, opened),
        joined(bars.high, high),
        joined(bars.low, low),
        joined(bars.close, close),
        joined(bars.volume, volume),
    )
