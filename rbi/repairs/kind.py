"""What an expression is, as far as rules need to know."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """`UNKNOWN` is everything that is not known for certain."""

    UNKNOWN = "unknown"
    STRATEGY = "strategy"
    DATA = "self.data"
    POSITION = "self.position"
    TRADES = "self.trades"
    CLOSED_TRADES = "self.closed_trades"  # say nothing of the position
    TRADE = "a trade"
    INDEX = "times"
    FRAME = "a data frame"
    ARRAY = "an array"
    INDICATOR = "an indicator"  # what self.I returned: next sees no more of it than of the data
    SEVERAL = "several arrays"
    INDICATORS = "several indicators"  # what self.I returned for a function that gives several
    SERIES = "a series with bar numbers"
    DATED = "a series with times"
    LABELLED = "a series with some index"
    TABLE = "Series with bar numbers, side by side"
    TABLE_DATED = "Series with times, side by side"
    PART = "part of a series"  # with its place in the index, so that it is not numbered from 0
    WINDOW_SERIES = "a window over a series"
    WINDOW_DATED = "a window over a series with times"
    WINDOW_LABELLED = "a window over a series with some index"
    KEPT = "whole, kept by init"  # next sees all of it, the bars to come included
    NUMBER = "a number"
    INTEGER = "a whole number"

    @property
    def is_array(self) -> bool:
        """Whether it has none of a series' methods."""
        return self in (Kind.ARRAY, Kind.INDICATOR)

    @property
    def is_series(self) -> bool:
        """Whether it is a pandas Series."""
        return self in _WINDOWS

    @property
    def window(self) -> Kind:
        """What rolling, ewm or expanding gives of a series."""
        return _WINDOWS[self]

    @property
    def under(self) -> Kind:
        """What a window's mean is; `UNKNOWN` for what is no window."""
        return _UNDER.get(self, Kind.UNKNOWN)

    @property
    def is_number(self) -> bool:
        """Whether it is a single number."""
        return self in (Kind.NUMBER, Kind.INTEGER)


_WINDOWS = {
    Kind.SERIES: Kind.WINDOW_SERIES,
    Kind.DATED: Kind.WINDOW_DATED,
    Kind.LABELLED: Kind.WINDOW_LABELLED,
}
_UNDER = {window: series for series, window in _WINDOWS.items()}


def join(kinds: list[Kind]) -> Kind:
    """What is one of these, no matter which."""
    return kinds[0] if kinds and all(kind is kinds[0] for kind in kinds) else Kind.UNKNOWN


def combined(left: Kind, right: Kind) -> Kind:
    """What arithmetic and comparisons give."""
    if left.is_number and right.is_number:
        return Kind.INTEGER if left is right is Kind.INTEGER else Kind.NUMBER
    if left.is_array and (right.is_array or right.is_number):
        return left  # of two arrays, numpy keeps what the first one is: Close - indicator is no indicator
    if left.is_number and right.is_array:
        return right
    for one, other in ((left, right), (right, left)):
        if one.is_series and (other.is_array or other.is_number or other is one):
            return one
    if left.is_series and right.is_series:
        return Kind.LABELLED
    return Kind.UNKNOWN
