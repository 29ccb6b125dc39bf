"""The equity picture is well-formed, small, and shows the extremes whatever the account did."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.equity_svg import MAX_POINTS, equity_svg, thin
from runners.base import EquityCurve

SVG = "{http://www.w3.org/2000/svg}"
DAY = 86_400 * 10**9
BLUE, GREY = "#2563eb", "#9ca3af"


def curve(equity: list[float], step: int = DAY, start: int = 1_300_000_000 * 10**9) -> EquityCurve:
    peaks = accumulate(equity, max)
    drawdown = tuple(1 - value / peak if peak else 0.0 for value, peak in zip(equity, peaks, strict=True))
    return EquityCurve(tuple(start + i * step for i in range(len(equity))), tuple(equity), drawdown)


def draw(
    equity: list[float], *, title: str = "t", hold: list[float] | None = None, step: int = DAY
) -> ET.Element:
    return ET.fromstring(equity_svg(curve(equity, step), title=title, buy_and_hold=hold))


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def line(svg: ET.Element, color: str) -> list[tuple[float, float]]:
    (found,) = [each for each in svg.iter(f"{SVG}polyline") if each.get("stroke") == color]
    points = [point.split(",") for point in found.get("points", "").split()]
    return [(float(x), float(y)) for x, y in points]


def test_the_picture_needs_nothing_from_outside() -> None:
    text = equity_svg(curve([100.0, 110.0, 90.0]), title="t", buy_and_hold=[100.0, 101.0, 102.0])
    assert "href" not in text
    assert "url(" not in text
    assert "script" not in text
    assert ET.fromstring(text).find(f"{SVG}rect") is not None


def test_title_legend_money_dates_and_drawdown_are_written() -> None:
    svg = draw([1e6, 2e6, 1e6, 3e6] * 100, title="Trend", hold=[1e6] * 400)
    shown = texts(svg)
    for wanted in (
        "Trend",
        "Strategy: 3,000,000",
        "Buy & hold: 1,000,000",
        "0%",
        "-66.7%",
        "2011-05",
        "3.0M",
    ):
        assert wanted in shown


def test_without_buy_and_hold_there_is_no_grey_line() -> None:
    svg = draw([1.0, 2.0, 3.0])
    assert all(each.get("stroke") != GREY for each in svg.iter(f"{SVG}polyline"))
    assert not any("hold" in text for text in texts(svg))


@given(st.text())
def test_any_title_gives_well_formed_xml(title: str) -> None:
    svg = draw([1.0, 2.0], title=title)
    assert len(svg.findtext(f"{SVG}title") or "") <= 75


def test_markup_in_a_title_stays_text() -> None:
    assert (
        draw([1.0, 2.0], title="<script>a & 'b'</script>").findtext(f"{SVG}title")
        == "<script>a & 'b'</script>"
    )


accounts = st.lists(st.floats(-1e12, 1e15) | st.sampled_from([0.0, 1e6, math.nan, math.inf]), max_size=60)


@given(accounts, st.sampled_from([10**6, 10**9, 3600 * 10**9, DAY, 40 * DAY]))
def test_any_account_is_drawn_inside_the_frame(equity: list[float], step: int) -> None:
    time = tuple(i * step for i in range(len(equity)))
    given_curve = EquityCurve(time, tuple(equity), tuple(0.1 for _ in equity))
    svg = ET.fromstring(equity_svg(given_curve, title="t", buy_and_hold=equity))
    if sum(map(math.isfinite, equity)) < 2:
        assert "no equity to draw" in texts(svg)
        return
    for x, y in line(svg, BLUE) + line(svg, GREY):
        assert 72 <= x <= 880
        assert 66 <= y <= 310
    assert len([text for text in texts(svg) if text]) >= 5


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=500), st.integers(4, 40))
def test_thinning_keeps_the_ends_and_the_extremes(values: list[float], most: int) -> None:
    kept = thin(np.array(values), most)
    thinned = np.array(values)[kept]
    assert len(kept) <= max(most, 0)
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert (thinned.min(), thinned.max()) == (min(values), max(values))


def test_a_long_history_makes_a_small_picture_that_keeps_its_spike() -> None:
    equity = [1e6 + math.sin(i / 50) * 1e4 for i in range(200_000)]
    equity[123_456] = 2e6
    text = equity_svg(curve(equity, 60 * 10**9), title="t", buy_and_hold=[1e6] * 200_000)
    points = line(ET.fromstring(text), BLUE)
    assert len(points) <= MAX_POINTS
    assert min(y for _, y in points) < 70
    assert len(text) < 60_000


@pytest.mark.parametrize(
    ("step", "count", "label"),
    [
        (10**9, 120, "2011-03-13 07:07:00"),
        (60 * 10**9, 600, "2011-03-13 08:00"),
        (3600 * 10**9, 100, "2011-03-14 00:00"),
        (DAY, 3000, "2012"),
        (30 * DAY, 600, "2020"),
    ],
)
def test_dates_are_round_and_as_long_as_needed(step: int, count: int, label: str) -> None:
    assert label in texts(draw([1.0 + i for i in range(count)], step=step))


def test_an_account_that_did_nothing_is_a_line_in_the_middle() -> None:
    points = line(draw([1e6] * 50), BLUE)
    assert all(y == pytest.approx((66 + 310) / 2) for _, y in points)


def test_a_benchmark_of_another_length_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="buy_and_hold has 1 values, equity has 2"):
        equity_svg(curve([1.0, 2.0]), title="t", buy_and_hold=[1.0])


def test_an_equity_beyond_all_measure_is_left_out_and_the_rest_drawn() -> None:
    curve = EquityCurve((0, 1, 2, 3), (1e6, 1e308, -1e308, 1.1e6), (0.0, 0.0, 0.0, 0.0))
    assert equity_svg(curve, title="x", buy_and_hold=[1e6, 1e308, 1.0, 2.0]).startswith("<svg")
