"""Statistics as scripts print them: found in any output, read back, and compared with what was observed.

A block is what ``print(stats)`` writes, one statistic a line: a name, a gap, a value. It begins with Start, End and
Duration, and its names come in backtesting.py's order. pandas lines the values up at their right end; that tells a
block's own lines from others that look like them, and a figure that was cut in half from a whole one.
Single mentions, dictionaries and ``name: value`` lists are no blocks.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from runners.stats import SOMETIMES_REPORTED, STATISTICS, BacktestStats

_PIECE = 1 << 16
_WINDOW = 4096  # bytes kept of a line, at its end: that is where name and value are
_FOREIGN_LINES = 50  # so many in a row are not an interruption of the block, but its end
_LOOSE_STEP = 4  # names that come right after each other, with those between them that are not always there
_UNSTARTED = -1
_OPENING = frozenset({0, 1, 2})  # Start, End and Duration: what has got so far is a block

_ORDER = tuple(STATISTICS)
_KEYS = sorted(((key, place) for place, key in enumerate(STATISTICS.values())), key=lambda k: -len(k[0]))
_NEEDED = frozenset(place for place, name in enumerate(_ORDER) if name not in SOMETIMES_REPORTED)
_AFTERWARDS = ("_strategy", "_equity_curve", "_trades")

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].)")
_GAP = re.compile(r"\s{2,}|\t")
_TYPE_LINE = re.compile(r"\bdtype: \w+$")
_MARKS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:.]+(?:[+-][0-9:]+|Z)?)?")
_CUT_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*\.\.\.")
_LENGTH = re.compile(
    r"(?P<days>-?[0-9]{1,6}) days?"
    r"(?: \+?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?)?"
)
_UNDEFINED = frozenset({"nan", "NaN", "--", "NaT", "None", "<NA>"})
_INFINITE = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf}


class PrintedStats:
    """Finds the blocks in a script's output, given in pieces of any size; takes linear time and little memory.

    After `close`: ``blocks`` is how many there were, cut-short ones included. ``last`` is the last complete one, or
    if none is ``complete``, the last cut-short one with the statistics it has. A figure that cannot be read
    because pandas cut it off ("2004-08-19 00:00...") is absent.
    """

    def __init__(self) -> None:
        self.blocks = 0
        self.last: BacktestStats | None = None
        self.complete = False
        self._line = bytearray()
        self._block: _Block | None = None
        self._beginning: _Block | None = None  # has not got to the duration yet, so it may be none

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the output, in any encoding that contains ASCII."""
        for start in range(0, len(data), _PIECE):
            *ended, rest = _split(data[start : start + _PIECE])
            for line in ended:
                self._line += line
                self._end_line()
            self._line += rest
            if len(self._line) > 2 * _WINDOW:
                del self._line[:-_WINDOW]

    def close(self) -> None:
        """The output has ended."""
        self._end_line()
        self._finish(whole=False)

    def _end_line(self) -> None:
        if not self._line:
            return
        # Most of the output is outside of every block: there it must be cheap.
        if self._block or self._beginning or b"Start" in self._line:
            text = bytes(self._line[-_WINDOW:]).decode("utf-8", "replace")
            self._read_line(_ESCAPES.sub("", text).rstrip())
        self._line.clear()

    def _read_line(self, text: str) -> None:
        line = _Line.read(text)
        if line and line.place == 0 and (block := _Block.begin(line)):
            self._beginning = block
        elif self._beginning:
            self._beginning.take(line, text)
            if self._beginning.seen >= _OPENING:
                self._finish(whole=False)
                self._block, self._beginning = self._beginning, None
                return
        if self._block:
            self._block.take(line, text)
        if self._block and self._block.ended:
            self._finish(whole=self._block.foreign == 0)
        if self._beginning and self._beginning.ended:
            self._beginning = None

    def _finish(self, *, whole: bool) -> None:
        """The block in progress is over; ``whole`` if its last line was seen."""
        if not self._block:
            return
        if not whole:
            self._block.drop_half_a_figure()
        block, self._block = self._block, None
        if not block.seen >= _OPENING:
            return
        complete = block.seen >= _NEEDED
        self.blocks += 1
        if complete or not self.complete:
            self.last, self.complete = BacktestStats(**block.values), complete


def parse_printed(text: str | bytes) -> PrintedStats:
    """What `PrintedStats` finds in the whole output of a script."""
    printed = PrintedStats()
    printed.feed(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    printed.close()
    return printed


def _split(data: bytes) -> list[bytes]:
    r"""The lines in ``data``, the unfinished last one (possibly empty) too. ``\r`` alone ends a line as well."""
    lines = data.splitlines()
    return [*lines, b""] if data.endswith((b"\n", b"\r")) else lines


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that ends in a name, a gap and a value. ``width`` is from the name's start to the value's end."""

    prefix: str
    place: int
    value: str
    width: int

    @classmethod
    def read(cls, text: str) -> _Line | None:
        gaps = list(_GAP.finditer(text))
        if not gaps:
            return None
        gap = gaps[-1]  # no value has a gap in it
        before = text[: gap.start()]
        for key, place in _KEYS:  # the longest first: "Max. Trade Duration" ends in "Duration"
            if before.endswith(key):
                start = len(before) - len(key)
                # A tab's width depends on the terminal, so that such a line has no width to compare.
                width = len(text) - start if "\t" not in gap.group() else 0
                return cls(_shape(before[:start]), place, text[gap.end() :], width)
        return None


def _shape(prefix: str) -> str:
    """What stays the same in the prefix that a logger gives to every line: no symbols, no particular digits."""
    return _DIGITS.sub("0", _MARKS.sub("", prefix))


@dataclass(slots=True)
class _Block:
    """The statistics read so far; ``seen`` are their places, also of those whose value is unreadable.

    ``place`` is the last one's, ``firm`` that of the last one in line with the others.
    """

    prefix: str
    width: int
    by_bars: bool
    place: int = _UNSTARTED
    firm: int = _UNSTARTED
    values: dict[str, Any] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    foreign: int = 0
    ended: bool = False
    short: bool = False

    @classmethod
    def begin(cls, line: _Line) -> _Block | None:
        """A block from its first line, if it is one."""
        start = _read_time(line.value)
        if start is None and not _CUT_TIME.fullmatch(line.value):
            return None
        block = cls(line.prefix, line.width, by_bars=isinstance(start, int))
        block._put(line, start)
        return block

    def take(self, line: _Line | None, text: str) -> None:
        """Take the next line of the output, which need not belong here."""
        if line and line.prefix in ("", self.prefix) and self._is_next(line):
            value = _read_value(_ORDER[line.place], line.value, self.by_bars)
            if value is not None or line.width == self.width:
                self._put(line, value)
                return
        if _TYPE_LINE.search(text) or text.lstrip().startswith(_AFTERWARDS):
            self.ended, self.foreign = True, 0
        else:
            self.foreign += 1
            self.ended = self.foreign >= _FOREIGN_LINES

    def _is_next(self, line: _Line) -> bool:
        """Whether the line may be the block's own: in line with it, or else following on closely."""
        if line.width == self.width:
            return line.place > self.firm
        return self.place < line.place <= self.place + _LOOSE_STEP

    def _put(self, line: _Line, value: Any) -> None:
        if line.width == self.width:
            for place in range(line.place, self.place + 1):  # those were imitations, before their turn
                self._forget(place)
            self.firm = line.place
        self.place, self.foreign = line.place, 0
        self.short = line.width < self.width or line.width == 0
        self.seen.add(line.place)
        if value is not None:
            self.values[_ORDER[line.place]] = value

    def drop_half_a_figure(self) -> None:
        """Forget the last figure if it ends before the others do, or may: the output was cut off in it."""
        if self.short:
            self._forget(self.place)

    def _forget(self, place: int) -> None:
        self.seen.discard(place)
        self.values.pop(_ORDER[place], None)


def _read_value(name: str, text: str, by_bars: bool) -> Any:
    """The value as `BacktestStats` has it, or ``None`` if it cannot be read."""
    if name in ("start", "end"):
        time = _read_time(text)
        return time if isinstance(time, int) == by_bars else None
    if name == "trades":
        return _read_whole(text)
    if text in _UNDEFINED:
        return math.nan
    if not name.endswith("_s"):
        return _INFINITE.get(text, _read_number(text))
    if by_bars:
        return _read_number(text)
    if length := _LENGTH.fullmatch(text):
        return _seconds(length)
    # Of drawdowns that are all on the last bar, backtesting.py prints the depth instead. Any other number is a length
    # in a unit that the script chose.
    depth = _read_number(text) if "drawdown" in name and "." in text else None
    return math.nan if depth is not None and 0 <= depth <= 1 else None


def _read_time(text: str) -> datetime | int | None:
    if not _TIME.fullmatch(text):
        return _read_whole(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _read_number(text: str) -> float | None:
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) else None


def _read_whole(text: str) -> int | None:
    """A whole number, also written as a float: older versions of pandas print 42 trades as 42.0."""
    number = _read_number(text)
    return int(number) if number is not None and number.is_integer() else None


def _seconds(length: re.Match[str]) -> float:
    """``-1 days +23:45:00`` is minus a quarter of an hour. What is below a microsecond is dropped."""
    parts = length.groupdict(default="0")
    return timedelta(
        days=int(parts["days"]),
        hours=int(parts["hours"]),
        minutes=int(parts["minutes"]),
        seconds=int(parts["seconds"]),
        microseconds=int(parts["fraction"][:6].ljust(6, "0")),
    ).total_seconds()


def disagreement(printed: BacktestStats, observed: BacktestStats) -> str:
    """A sentence on the first printed statistic that is not the observed one; empty if all are.

    Printed figures are rounded, in a way that the script chooses. All of them together show it: the most decimals
    and the most significant digits that any has. What is absent from ``printed`` is not compared.
    """
    rounding = _Rounding.of(printed)
    for name, key in STATISTICS.items():
        shown, true = getattr(printed, name), getattr(observed, name)
        if shown is None:
            continue
        if true is None:
            return f"The script printed {key} {shown}, which its last backtest does not have."
        exact = not isinstance(shown, float) or (name.endswith("_s") and not printed.by_bars)
        if not (_same(shown, true) or _same_day(shown, true) if exact else rounding.allows(shown, true)):
            return f"The script printed {key} {shown}, but in its last backtest it is {true}."
    return ""


def _same(shown: Any, true: Any) -> bool:
    return bool(shown == true) or (_is_nan(shown) and _is_nan(true))


def _same_day(shown: Any, true: Any) -> bool:
    """Whether ``shown`` is a day, as scripts print times in short, and ``true`` a time of that day."""
    if not isinstance(shown, datetime) or not isinstance(true, datetime):
        return False
    return shown.time() == datetime.min.time() and shown.date() == true.date()


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


_OWN_DIGITS = 6  # that many in a whole number may be how it was rounded: 1.234567e+06
_LEAST_DIGITS = 3


@dataclass(frozen=True, slots=True)
class _Rounding:
    """How the figures of a block are rounded: to so many ``decimals`` or, if that is coarser, ``digits``."""

    decimals: int
    digits: int

    @classmethod
    def of(cls, stats: BacktestStats) -> _Rounding:
        names = (name for name in STATISTICS if stats.by_bars or not name.endswith("_s"))
        values = [getattr(stats, name) for name in names]
        figures = [value for value in values if isinstance(value, float) and math.isfinite(value)]
        return cls(max(map(_decimals, figures), default=0), max(map(_digits, figures), default=0))

    def allows(self, shown: float, true: float) -> bool:
        """Whether ``true`` may have been printed as ``shown``."""
        if not (math.isfinite(shown) and math.isfinite(true)):
            return _same(shown, true)
        last = max(-self.decimals, _exponent(true) - max(self.digits, _LEAST_DIGITS) + 1)
        if shown.is_integer() and (own := _digits(shown)) >= _OWN_DIGITS:
            last = max(last, _exponent(true) - own + 1)
        # A figure just below a half may be rounded up, because of its binary form.
        return abs(shown - true) <= 0.5 * 10.0**last * (1 + 1e-9) + 4 * math.ulp(true)


def _decimals(number: float) -> int:
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _digits(number: float) -> int:
    return len(Decimal(repr(float(number))).normalize().as_tuple().digits)


def _exponent(number: float) -> int:
    """Of the leading digit: 0 for 1 to 9.99, and for zero."""
    return Decimal(repr(float(number))).adjusted() if number else 0
