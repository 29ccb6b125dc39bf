"""A picture of an account's equity and drawdown: one self-contained SVG, drawn without a library."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from runners.base import EquityCurve

MAX_POINTS = 1000
_LARGEST = 1e100

_WIDTH, _HEIGHT = 900, 460
_LEFT, _RIGHT = 72, 20
_EQUITY_TOP, _EQUITY_BOTTOM = 66, 310
_DRAWDOWN_TOP, _DRAWDOWN_BOTTOM = 338, 424
_LONGEST_TITLE = 75
_INK, _FAINT, _GRID = "#1f2937", "#6b7280", "#e5e7eb"
_EQUITY, _HOLD, _DRAWDOWN = "#2563eb", "#9ca3af", "#dc2626"
_MAX_DATES = 8
# Steps between dates: a numpy unit, how many of it, and how many characters of an ISO date it shows.
_DATE_STEPS = [
    *(("s", n, 19) for n in (1, 5, 15, 30)),
    *(("m", n, 16) for n in (1, 5, 15, 30)),
    *(("h", n, 16) for n in (1, 2, 3, 6, 12)),
    *(("D", n, 10) for n in (1, 2, 7, 14)),
    *(("M", n, 7) for n in (1, 2, 3, 6)),
    *(("Y", n, 4) for n in (1, 2, 5, 10, 20, 50)),
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where a value is drawn: ``low`` at pixel ``start``, ``high`` at pixel ``end``."""

    low: float
    high: float
    start: float
    end: float

    def pixels(self, values: Array) -> Array:
        share = (values - self.low) / (self.high - self.low)
        pixels: Array = self.start + share * (self.end - self.start)
        return pixels

    def pixel(self, value: float) -> float:
        return float(self.pixels(np.array([value]))[0])


def equity_svg(equity: EquityCurve, *, title: str, buy_and_hold: Sequence[float] | None) -> str:
    """The SVG text: equity, buy-and-hold in grey behind it if given, and drawdown below, over time.

    ``buy_and_hold`` is in account currency, one value a bar as ``equity`` has. Bars whose equity is not finite
    are left out. At most `MAX_POINTS` points are drawn of a line; its highest and lowest are always among them.
    Raises `ValueError` when the lengths differ.
    """
    if buy_and_hold is not None and len(buy_and_hold) != len(equity.equity):
        raise ValueError(f"buy_and_hold has {len(buy_and_hold)} values, equity has {len(equity.equity)}")
    values = np.array(equity.equity, dtype=np.float64)
    known = _drawable(values)
    shown_title = _clean(title)
    if known.sum() < 2:
        return _svg(shown_title, [_text(_WIDTH / 2, 200, "no equity to draw", anchor="middle", color=_FAINT)])
    time = np.array(equity.time, dtype=np.int64)[known]
    drawdown = np.nan_to_num(np.array(equity.drawdown, dtype=np.float64)[known], nan=0.0)
    hold = None if buy_and_hold is None else np.array(buy_and_hold, dtype=np.float64)[known]
    x = _Axis(float(time[0]), max(float(time[-1]), float(time[0]) + 1), _LEFT, _WIDTH - _RIGHT)
    return _svg(
        shown_title,
        [
            *_dates(time, x),
            *_equity_panel(time.astype(np.float64), values[known], hold, x),
            *_drawdown_panel(time.astype(np.float64), drawdown, x),
        ],
    )


def thin(values: Array, most: int = MAX_POINTS) -> NDArray[np.intp]:
    """Positions, in order, of at most ``most`` (four or more) values that look like all of them.

    The first, the last, and the lowest and highest of each of equally long stretches; all if there are few.
    """
    if len(values) <= most:
        return np.arange(len(values))
    length = -(-len(values) // ((most - 2) // 2))
    stretches = np.resize(values, (-(-len(values) // length), length))
    stretches[-1, (len(values) - 1) % length + 1 :] = values[-1]  # the last one is filled up
    first = np.arange(len(stretches)) * length
    extremes = np.concatenate([first + stretches.argmin(axis=1), first + stretches.argmax(axis=1)])
    return np.unique([0, *np.minimum(extremes, len(values) - 1), len(values) - 1])


def _equity_panel(time: Array, equity: Array, hold: Array | None, x: _Axis) -> list[str]:
    finite_hold = np.array([]) if hold is None else hold[_drawable(hold)]
    everything = np.concatenate([equity, finite_hold])
    ticks = _ticks(float(everything.min()), float(everything.max()), 5)
    y = _Axis(ticks[0], ticks[-1], _EQUITY_BOTTOM, _EQUITY_TOP)
    step, largest = ticks[1] - ticks[0], max(abs(tick) for tick in ticks)
    parts = [part for tick in ticks for part in _level(y.pixel(tick), _money(tick, step, largest))]
    legend = [("Strategy", _EQUITY, float(equity[-1]))]
    if hold is not None and len(finite_hold) > 1:
        known = _drawable(hold)
        parts.append(_line(time[known], hold[known], x, y, _HOLD, 1.4))
        legend.append(("Buy & hold", _HOLD, float(finite_hold[-1])))
    parts.append(_line(time, equity, x, y, _EQUITY, 1.8))
    return parts + _legend(legend)


def _drawdown_panel(time: Array, drawdown: Array, x: _Axis) -> list[str]:
    deepest = float(drawdown.max())
    y = _Axis(0, max(deepest, 0.01), _DRAWDOWN_TOP, _DRAWDOWN_BOTTOM)
    kept = thin(drawdown)
    points = _points(x.pixels(time[kept]), y.pixels(drawdown[kept]))
    first, last = x.pixel(time[0]), x.pixel(time[-1])
    area = f"M{first:.1f},{_DRAWDOWN_TOP}L{points}L{last:.1f},{_DRAWDOWN_TOP}Z"
    levels = [
        part for level in (0.0, y.high) for part in _level(y.pixel(level), f"-{level:.1%}" if level else "0%")
    ]
    return [
        *levels,
        f'<path d="{area}" fill="{_DRAWDOWN}" fill-opacity="0.45"/>',
        _text(_LEFT, _DRAWDOWN_TOP - 7, f"Drawdown, at most {deepest:.1%}", color=_FAINT),
    ]


def _line(time: Array, values: Array, x: _Axis, y: _Axis, color: str, width: float) -> str:
    kept = thin(values)
    points = _points(x.pixels(time[kept]), y.pixels(values[kept]))
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}"'
        ' stroke-linejoin="round"/>'
    )


def _points(xs: Array, ys: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))


def _dates(time: NDArray[np.int64], x: _Axis) -> list[str]:
    parts = []
    for tick, label in _date_ticks(int(time[0]), int(time[-1])):
        at = x.pixel(tick)
        anchor = "end" if at > _WIDTH - _RIGHT - 30 else "start" if at < _LEFT + 20 else "middle"
        parts.append(
            f'<path d="M{at:.1f},{_EQUITY_TOP}V{_EQUITY_BOTTOM}M{at:.1f},{_DRAWDOWN_TOP}V{_DRAWDOWN_BOTTOM}"'
            f' stroke="{_GRID}"/>'
        )
        parts.append(_text(at, _DRAWDOWN_BOTTOM + 20, label, anchor=anchor, color=_FAINT))
    return parts


def _date_ticks(first: int, last: int) -> list[tuple[int, str]]:
    """Round times from ``first`` to ``last`` (ns), at most `_MAX_DATES`, each with its label."""
    for unit, step, characters in _DATE_STEPS:
        lowest, highest = (_count(moment, "ns", unit) for moment in (first, last))
        # Counted from the year 0, so that decades are round.
        origin = -1970 if unit == "Y" else 0
        begin = math.ceil((lowest - origin) / step) * step + origin
        if (highest - begin) // step < _MAX_DATES:
            moments = [_count(n, unit, "ns") for n in range(begin, highest + 1, step)]
            return [(ns, _label(ns, characters)) for ns in moments if first <= ns <= last]
    return []


def _count(value: int, unit: str, wanted: str) -> int:
    """A time since 1970 in another of numpy's units, rounded down."""
    return int(np.array(value).astype(f"datetime64[{unit}]").astype(f"datetime64[{wanted}]").astype(np.int64))


def _label(ns: int, characters: int) -> str:
    return str(np.datetime64(ns, "ns"))[:characters].replace("T", " ")


def _drawable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are numbers, and of a size whose differences and multiples are numbers too."""
    return np.asarray(np.abs(values) < _LARGEST)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round values, equally spaced, the first at or below ``low`` and the last at or above ``high``."""
    if high - low <= max(abs(high) * 1e-9, 1e-300):  # a flat line goes to the middle
        margin = abs(high) * 0.05 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [n * step for n in range(first, last + 1)]


def _money(value: float, step: float, largest: float) -> str:
    """``1.25M``, ``950k`` or ``12.5``: one unit for an axis, and the decimals its steps need, at most three."""
    units = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
    unit, letter = next(((u, c) for u, c in units if u <= largest and step >= u / 1000), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    return f"{value / unit:,.{decimals}f}{letter if value else ''}"


def _level(y: float, label: str) -> list[str]:
    return [
        f'<path d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>',
        _text(_LEFT - 8, y + 4, label, anchor="end", color=_FAINT),
    ]


def _legend(entries: list[tuple[str, str, float]]) -> list[str]:
    parts = []
    at = float(_LEFT)
    for name, color, final in entries:
        label = f"{name}: {final:,.0f}" if abs(final) >= 100 else f"{name}: {final:,.2f}"
        parts.append(f'<path d="M{at:.0f},48h18" stroke="{color}" stroke-width="3"/>')
        parts.append(_text(at + 24, 52, label))
        at += 50 + 7.2 * len(label)
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", color: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _clean(title: str) -> str:
    """One line without the characters that XML cannot hold, not even escaped."""
    line = " ".join(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", title).split())
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def _svg(title: str, parts: list[str]) -> str:
    # Its own background, so that it reads the same on a light and on a dark page.
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
            f' height="{_HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="8" fill="#ffffff"'
            f' stroke="{_GRID}"/>',
            f'<text x="{_LEFT}" y="28" font-size="15" font-weight="600" fill="{_INK}">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )
