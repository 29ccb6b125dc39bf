"""Which column of a CSV file is which: separator, header, and the roles of its columns."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from rbi.errors import RbiError

PRICES = ("open", "high", "low", "close")

_PRICE_NAMES = {
    "open": ("open", "openprice", "priceopen", "o"),
    "high": ("high", "highprice", "pricehigh", "h"),
    "low": ("low", "lowprice", "pricelow", "l"),
    "close": ("close", "closeprice", "priceclose", "closelast", "last", "price", "c"),
}
# The first that a file has wins: an epoch cannot be misread, a date can.
_TIME_NAMES = (
    "opentime", "timeopen", "unix", "unixtime", "unixtimestamp", "timestamp", "datetime", "dateandtime",
    "gmttime", "localtime", "date", "time", "day", "t", "ts",
)  # fmt: skip
_VOLUME_NAMES = ("volume", "vol", "v", "basevolume", "volumebase")
_TICK_VOLUME_NAMES = ("tickvolume", "tickvol", "ticks")
_QUOTE_CURRENCIES = ("usd", "usdt", "usdc", "busd", "eur", "gbp", "jpy", "quote")
_ADJUSTED = ("adjclose", "adjustedclose")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s*[AaPp][Mm])?|\d{1,6}")
_NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?")
_HEAD_LINES = 60
_BINANCE_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a file. Columns are positions from 0; ``first_line`` is 1-based.

    ``names`` has one entry for each field of a row, in the file's words. ``clock`` is a time of day that
    belongs to the date in column ``time``.
    """

    separator: str
    names: tuple[str, ...]
    first_line: int
    time: int
    clock: int | None
    prices: tuple[int, int, int, int]
    volume: int | None
    notes: tuple[str, ...] = ()

    def numeric(self) -> dict[str, int]:
        """The columns that hold numbers: the four prices, and the volume if there is one."""
        columns = dict(zip(PRICES, self.prices, strict=True))
        return columns if self.volume is None else {**columns, "volume": self.volume}


def find_layout(text: str, where: str) -> Layout:
    """The layout of a CSV text, from its first lines. Raises `RbiError` naming the columns found."""
    head = text[: 1 << 18].split("\n", _HEAD_LINES)[:_HEAD_LINES]
    for number, line in enumerate(head):
        for separator in ",;\t|":
            fields = _split(line, separator)
            if _has_prices(_keys(fields)):
                return _with_header(head, number, separator, where)
            layout = _without_header(fields, number, separator)
            # After a header that was not understood, guessing from numbers alone would invent prices.
            if layout is not None and all(len(_split(above, separator)) < 5 for above in head[:number]):
                return layout
    raise _no_prices(head, where)


def _split(line: str, separator: str) -> list[str]:
    try:
        row = next(csv.reader([line[:10_000]], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []  # not a line of a table; the next one may be
    return [field.strip() for field in row]


def _keys(fields: list[str]) -> list[str]:
    """Names without case, spaces, brackets and numbering: ``1. Open (USD)`` and ``<OPEN>`` are ``open``."""
    keys = []
    for field in fields:
        name = re.sub(r"\(.*?\)", "", field.lower())
        name = re.sub(r"^\d+\.", "", name.strip())
        name = re.sub(r"[^a-z0-9]", "", name)
        keys.append(re.sub(r"^(.*(?:time|timestamp|date))(utc|gmt|ms|est)$", r"\1", name))
    return keys


def _has_prices(keys: list[str]) -> bool:
    return all(any(name in keys for name in names) for names in _PRICE_NAMES.values())


def _with_header(head: list[str], number: int, separator: str, where: str) -> Layout:
    header = _split(head[number], separator)
    first, extra_time = _first_data_line(head, number + 1, separator)
    row = _split(head[first], separator) if first < len(head) else []
    names = _names_for(header, row)
    keys = _keys(names)
    notes: list[str] = []
    open_, high, low, close = (_price_column(role, keys, names, f"{where}:{number + 1}") for role in PRICES)
    if any(key in _ADJUSTED for key in keys):
        notes.append(f"the close is column {names[close]!r}; the adjusted close is not used")
    time, clock = _time_columns(keys, row, extra_time)
    if time is None:
        raise RbiError(
            f"no column holds the time; the columns are {_shown(names)}",
            where=f"{where}:{number + 1}",
            fix="name the column with the time 'datetime'",
        )
    volume = _volume_column(keys)
    if volume is not None and keys[volume] != "volume":
        notes.append(f"the volume is column {names[volume]!r}")
    prices = (open_, high, low, close)
    return Layout(separator, tuple(names), first + 1, time, clock, prices, volume, tuple(notes))


def _first_data_line(head: list[str], start: int, separator: str) -> tuple[int, bool]:
    """The position of the first row, and whether a yfinance ``Ticker`` / ``Date`` block stood before it."""
    line = start
    while line < len(head) and not head[line].strip():
        line += 1
    if line < len(head) and (_split(head[line], separator) or [""])[0].lower() == "ticker":
        for after in range(line + 1, min(line + 4, len(head))):
            if (_split(head[after], separator) or [""])[0].lower() in ("date", "datetime"):
                return after + 1, True
    return line, False


def _names_for(header: list[str], row: list[str]) -> list[str]:
    """The header made as long as a row: a row may have an unnamed index first or a separator at its end."""
    missing = len(row) - len(header)
    if missing == 1 and row[-1]:
        return ["", *header]
    return header + [""] * missing


def _price_column(role: str, keys: list[str], names: list[str], where: str) -> int:
    name = next(name for name in _PRICE_NAMES[role] if name in keys)
    if keys.count(name) > 1:
        raise RbiError(
            f"{keys.count(name)} columns are called {names[keys.index(name)]!r}; one is needed",
            where=where,
            fix="keep the columns of one instrument and delete the others",
        )
    return keys.index(name)


def _time_columns(keys: list[str], row: list[str], yfinance: bool) -> tuple[int | None, int | None]:
    if yfinance:
        return 0, None
    found = [keys.index(name) for name in _TIME_NAMES if name in keys]
    clocks = [c for c in found if keys[c] not in ("date", "day") and _is_clock(row, c)]
    days = [c for c in found if c not in clocks]
    if not days:
        # A data frame's index is written first and often without a name.
        unnamed = bool(keys) and keys[0] in ("", "index", "unnamed0")
        return (0 if unnamed else None), None
    whole_day = keys[days[0]] in ("date", "day") and ":" not in "".join(row[days[0] : days[0] + 1])
    return days[0], clocks[0] if clocks and whole_day else None


def _is_clock(row: list[str], column: int) -> bool:
    return column < len(row) and _CLOCK.fullmatch(row[column]) is not None


def _volume_column(keys: list[str]) -> int | None:
    for name in _VOLUME_NAMES:
        if name in keys:
            return keys.index(name)
    in_units = [key for key in keys if key.startswith("volume") and len(key) <= len("volume") + 5]
    in_units.sort(key=lambda key: key.removeprefix("volume") in _QUOTE_CURRENCIES)
    for name in (*in_units, *_TICK_VOLUME_NAMES):
        if name in keys:
            return keys.index(name)
    return None


def _without_header(fields: list[str], number: int, separator: str) -> Layout | None:
    while fields and not fields[-1]:
        fields = fields[:-1]
    clock = 1 if len(fields) in (6, 7) and ":" in fields[1] and _is_clock(fields, 1) else None
    first = 1 if clock is None else 2
    numbers = fields[first:]
    binance = len(fields) == _BINANCE_COLUMNS and clock is None
    if not binance and len(numbers) not in (4, 5):
        return None
    if sum(c.isdigit() for c in fields[0]) < 6 or not all(_NUMBER.fullmatch(cell) for cell in numbers[:5]):
        return None
    volume = first + 4 if len(numbers) > 4 else None
    roles = ["time", "clock"][:first] + [*PRICES, "volume"][: len(numbers)]
    names = roles + [""] * (len(fields) - len(roles))
    note = f"the file has no header; its columns were read as {', '.join(roles)}"
    prices = (first, first + 1, first + 2, first + 3)
    return Layout(separator, tuple(names), number + 1, 0, clock, prices, volume, (note,))


def _no_prices(head: list[str], where: str) -> RbiError:
    rows = [
        (sum(any(n in _keys(fields) for n in names) for names in _PRICE_NAMES.values()), -number, fields)
        for number, line in enumerate(head)
        for fields in (_split(line, separator) for separator in ",;\t|")
        if len(fields) > 1
    ]
    if not rows:
        return RbiError(
            "this is not a table: no line has two or more columns",
            where=where,
            fix="separate the columns with ',', ';', a tab or '|'",
        )
    _, minus_number, fields = max(rows)
    keys = _keys(fields)
    lacking = [role for role, names in _PRICE_NAMES.items() if not any(name in keys for name in names)]
    return RbiError(
        f"no column for {', '.join(lacking)}; the columns are {_shown(fields)}",
        where=f"{where}:{1 - minus_number}",
        fix="give the file a header with datetime, open, high, low, close and volume",
    )


def _shown(names: list[str]) -> str:
    shown = ", ".join(repr(name[:30]) for name in names[:15])
    return f"{shown} and {len(names) - 15} more" if len(names) > 15 else shown
