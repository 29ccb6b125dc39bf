"""Blocks of statistics in what scripts print, old and new, and everything that surrounds, cuts and imitates them."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.printed_stats import PrintedStats, parse_printed
from runners.stats import STATISTICS, BacktestStats

NEW = """\
Start                     2023-01-01 00:00:00
End                       2023-11-20 19:15:00
Duration                    323 days 19:15:00
Exposure Time [%]                    41.03125
Equity Final [$]                1005978.58475
Equity Peak [$]                 1015978.58475
Commissions [$]                    2124.06682
Return [%]                            0.59786
Buy & Hold Return [%]                127.7094
Return (Ann.) [%]                     0.67586
Volatility (Ann.) [%]                 0.63983
CAGR [%]                              0.67464
Sharpe Ratio                          1.05631
Sortino Ratio                             inf
Calmar Ratio                           1.5106
Alpha [%]                             0.41362
Beta                                  0.00144
Max. Drawdown [%]                    -0.44741
Avg. Drawdown [%]                    -0.44741
Max. Drawdown Duration        0 days 00:30:00
Avg. Drawdown Duration        0 days 00:30:00
# Trades                                    1
Win Rate [%]                            100.0
Best Trade [%]                        1.13453
Worst Trade [%]                       1.13453
Avg. Trade [%]                        1.13453
Max. Trade Duration           0 days 00:15:00
Avg. Trade Duration           0 days 00:15:00
Profit Factor                              --
Expectancy [%]                        1.13453
SQN                                        --
Kelly Criterion                            --
_strategy                           MeanHammer
_equity_curve                             ...
_trades                      Size  EntryBa...
dtype: object
"""
OLD_BY_BARS = """\
Start                                     0.0
End                                   31065.0
Duration                              31065.0
Exposure Time [%]                    12.34567
Equity Final [$]                 1.002618e+06
Equity Peak [$]                  1.102618e+06
Return [%]                             0.2618
Buy & Hold Return [%]                127.7687
Return (Ann.) [%]                         0.0
Volatility (Ann.) [%]                     NaN
Sharpe Ratio                              NaN
Sortino Ratio                            -inf
Calmar Ratio                              NaN
Max. Drawdown [%]                        -0.0
Avg. Drawdown [%]                         NaN
Max. Drawdown Duration                  469.0
Avg. Drawdown Duration               25.70513
# Trades                                 17.0
Win Rate [%]                              NaN
Best Trade [%]                            NaN
Worst Trade [%]                           NaN
Avg. Trade [%]                            NaN
Max. Trade Duration                       NaN
Avg. Trade Duration                       NaN
Profit Factor                             NaN
Expectancy [%]                            NaN
SQN                                       NaN
_strategy                 AverageDivergenc...
_equity_curve                       Equity...
_trades                   Empty DataFrame
...
dtype: object
"""
LINES = NEW.splitlines(keepends=True)


def test_a_block_of_the_new_format_is_read() -> None:
    printed = parse_printed(NEW)
    stats = printed.last
    assert stats is not None
    assert (printed.blocks, printed.complete) == (1, True)
    assert (stats.start, stats.duration_s) == (datetime(2023, 1, 1), 27976500.0)
    assert (stats.commissions, stats.trades, stats.avg_trade_duration_s) == (2124.06682, 1, 900.0)
    assert stats.sortino_ratio == math.inf
    assert stats.sqn is not None
    assert math.isnan(stats.sqn)


def test_a_block_of_the_old_format_without_times_is_read() -> None:
    printed = parse_printed(OLD_BY_BARS)
    stats = printed.last
    assert stats is not None
    assert printed.complete
    assert (stats.by_bars, stats.start, stats.end, stats.duration_s) == (True, 0, 31065, 31065.0)
    assert (stats.trades, stats.equity_final, stats.sortino_ratio) == (17, 1002618.0, -math.inf)
    assert (stats.commissions, stats.beta, stats.kelly_criterion) == (None, None, None)
    assert stats.avg_drawdown_duration_s == 25.70513


def every_line(before: str) -> str:
    return "".join(before + line for line in LINES)


def logged() -> str:
    return "".join(
        f"2024-05-{n:02d} 1{n % 10}:00:0{n % 7},{n} [main] INFO {line}" for n, line in enumerate(LINES)
    )


@pytest.mark.parametrize(
    "output",
    [
        NEW.replace("\n", "\r\n"),
        NEW.replace("\n", "\r"),
        NEW.replace("\n", "\n\n"),
        NEW.encode("utf-8")
        .decode("utf-8")
        .replace("dtype: object", "Name: stats, Length: 35, dtype: object"),
        "\x1b[32mgreen\x1b[0m\n" + NEW.replace("Return", "\x1b[1;31mReturn\x1b[0m"),
        "\x1b]0;title\x07" + every_line("\x1b[2K"),
        "Done in 3 s. Stats: " + NEW,
        "progress 100%\r" + NEW,
        "no line end here" + NEW,
        every_line("    "),
        every_line("│ "),
        every_line("[1] INFO: "),
        logged(),
        "".join(f"{'🌙🚀📈'[n % 3]} {line}" for n, line in enumerate(LINES)),
        "".join(f"{line}bar {n}: Sharpe Ratio  7.7 # Trades  55\n" for n, line in enumerate(LINES)),
        "".join(f"{line}Return [%]   999.9\nSQN     3.0\nWeekEnd   5\n" for line in LINES),
        "".join(line + "🌙 Start     2020-01-01 00:00:00\n" * (n > 2) for n, line in enumerate(LINES)),
        "Return [%]     5\nSQN    5\nStart    2020-01-01 00:00:00\nnothing\n" + NEW,
        NEW + "Return [%]                         888.0\nSQN                                   1.0\n",
        NEW + "Start                     2020-01-01 00:00:00\nEnd     of everything\n",
        NEW.replace("    1005978.58475", "1.00597858475e+06"),
        NEW.replace("1005978.58475", "1,005,978.58475").replace("2124.06682", "2,124.06682"),
    ],
)
def test_a_block_is_read_whatever_surrounds_it(output: str) -> None:
    printed = parse_printed(output)
    assert (printed.blocks, printed.complete) == (1, True)
    assert repr(printed.last) == repr(parse_printed(NEW).last)


def test_blocks_are_counted_and_the_last_complete_one_counts() -> None:
    second = NEW.replace("0.59786", "7.59786")
    cut = "".join(LINES[:15])
    printed = parse_printed(cut + NEW + "between\n" + second + cut)
    assert (printed.blocks, printed.complete) == (4, True)
    assert printed.last is not None
    assert printed.last.return_pct == 7.59786


def test_the_same_block_printed_twice_is_two() -> None:
    assert parse_printed(NEW + NEW).blocks == 2


def test_of_cut_short_blocks_the_last_one_is_given_with_what_it_has() -> None:
    printed = parse_printed("".join(LINES[:20]) + "".join(LINES[:9]) + "Traceback (most recent call last):\n")
    assert (printed.blocks, printed.complete) == (2, False)
    assert printed.last == BacktestStats(
        start=datetime(2023, 1, 1),
        end=datetime(2023, 11, 20, 19, 15),
        duration_s=27976500.0,
        exposure_time_pct=41.03125,
        equity_final=1005978.58475,
        equity_peak=1015978.58475,
        commissions=2124.06682,
        return_pct=0.59786,
        buy_and_hold_return_pct=127.7094,
    )


def test_empty_lines_end_a_block_that_was_cut_short() -> None:
    printed = parse_printed(
        "".join(LINES[:3]) + " \n" * 50 + "Exposure Time [%]                    41.03125\n"
    )
    assert (printed.blocks, printed.complete) == (1, False)
    assert printed.last is not None
    assert printed.last.exposure_time_pct is None


def test_a_block_cut_short_takes_nothing_from_what_follows_much_later() -> None:
    later = "waiting\n" * 60 + "Exposure Time [%]                        99.0\n"
    printed = parse_printed("".join(LINES[:3]) + later)
    assert printed.last is not None
    assert printed.last.exposure_time_pct is None


@given(st.integers(0, len(NEW)))
def test_wherever_the_output_is_cut_no_half_figure_is_read(end: int) -> None:
    whole = parse_printed(NEW).last
    printed = parse_printed(NEW[:end])
    assert printed.blocks == (end >= len("".join(LINES[:3])) - 1)
    assert whole is not None
    for name in STATISTICS if printed.last else ():
        assert repr(getattr(printed.last, name)) in (repr(getattr(whole, name)), "None")


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Backtest done! Return: 12.5% Sharpe 1.2 over 33 trades\n",
        "".join(f"{key}: 5\n" for key in STATISTICS.values()),
        "".join(f"{key:<30}: 5\n" for key in STATISTICS.values()),
        "".join(f"'{key}':     5,\n" for key in STATISTICS.values()),
        str(dict.fromkeys(STATISTICS.values(), 5)),
        "stats['Return [%]']     5\nstats['# Trades']    6\n",
        "".join(LINES[3:]),
        "Start                     2023-01-01 00:00:00\nReturn [%]                            0.59786\n",
        "Start                     yesterday at noon\n" + "".join(LINES[1:]),
        "".join(f"{line.rstrip()}    {line.split('  ')[-1]}" for line in LINES),  # a table of two backtests
    ],
)
def test_what_is_no_block_is_not_taken_for_one(output: str) -> None:
    printed = parse_printed(output)
    assert (printed.blocks, printed.last, printed.complete) == (0, None, False)


@pytest.mark.parametrize(
    ("shown", "seconds"),
    [
        ("0 days 00:30:00", 1800.0),
        ("-1 days +23:45:00", -900.0),
        ("1 days 00:00:00.500000", 86400.5),
        ("12 days 00:00:00.123456789", 12 * 86400 + 0.123456),
        ("5 days", 5 * 86400.0),
        ("NaT", math.nan),
        ("0.01204", math.nan),  # the depth, which backtesting.py gives of a drawdown on the last bar
        ("41", None),
        ("3599100.0", None),
        ("half a day", None),
    ],
)
def test_durations_are_read_in_seconds(shown: str, seconds: float | None) -> None:
    line = f"Max. Drawdown Duration    {shown:>19}\n"
    printed = parse_printed("".join([*LINES[:19], line, *LINES[20:]])).last
    assert printed is not None
    assert repr(printed.max_drawdown_duration_s) == repr(seconds)


@pytest.mark.parametrize(
    ("shown", "number"),
    [
        ("1e+06", 1e6),
        ("-1.5E-3", -0.0015),
        ("+12.", 12.0),
        ("12,345,678.9", 12345678.9),
        ("inf", math.inf),
        ("nan", math.nan),
        ("<NA>", math.nan),
        ("None", math.nan),
        ("12,34.5", None),
        ("1_000", None),
        ("\N{ARABIC-INDIC DIGIT ONE}2", None),
        ("0x10", None),
        ("-2316003425...", None),
    ],
)
def test_numbers_are_read_as_pandas_writes_them(shown: str, number: float | None) -> None:
    printed = parse_printed(NEW.replace("1005978.58475", shown.rjust(13))).last
    assert printed is not None
    assert repr(printed.equity_final) == repr(number)


@given(st.binary(max_size=300), st.binary(max_size=300), st.lists(st.integers(1, 200)))
def test_any_bytes_around_a_block_and_any_pieces_give_the_same(
    before: bytes, after: bytes, sizes: list[int]
) -> None:
    output = before + b"\n" + NEW.encode() + after
    pieces = PrintedStats()
    for size in sizes:
        pieces.feed(output[:size])
        output = output[size:]
    pieces.feed(output)
    pieces.close()
    assert pieces.complete
    assert repr(pieces.last) == repr(parse_printed(NEW).last)


def endless(kind: str) -> Iterator[bytes]:
    piece = {
        "one line": b"x" * 65536,
        "lines": b"Start of trade 12\n" * 4000,
        "escapes": b"\x1b]Start" * 9000,
    }[kind]
    return (piece for _ in range(30))  # 2 MB


@pytest.mark.parametrize("kind", ["one line", "lines", "escapes"])
def test_memory_stays_small_whatever_surrounds_a_block(kind: str) -> None:
    printed = PrintedStats()
    tracemalloc.start()
    try:
        for piece in endless(kind):
            printed.feed(piece)
        printed.feed(b"\n" + NEW.encode())
        for piece in endless(kind):
            printed.feed(piece)
        printed.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert printed.complete
    assert peak < 500_000
