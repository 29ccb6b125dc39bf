"""Files as exchanges, brokers and spreadsheets write them, and what a broken one is told."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from rbi.data.csv_bars import read_bars
from rbi.data.soundness import SoundBars
from rbi.errors import RbiError

ROWS = 120
START = datetime(2023, 1, 1, tzinfo=UTC)
HEADER = "datetime,open,high,low,close,volume"


def moment(i: int, step: timedelta = timedelta(hours=1)) -> datetime:
    return START + i * step


def prices(i: int) -> tuple[float, float, float, float]:
    return 100 + i, 103.5 + i, 98.25 + i, 101 + i


def row(i: int, when: str | None = None, separator: str = ",") -> str:
    when = moment(i).strftime("%Y-%m-%d %H:%M:%S") if when is None else when
    return separator.join([when, *(f"{price:g}" for price in prices(i)), f"{10 + i}"])


def table(header: str = HEADER, line: Callable[[int], str] = row, rows: int = ROWS) -> list[str]:
    return [header, *(line(i) for i in range(rows))] if header else [line(i) for i in range(rows)]


def read(tmp_path: Path, lines: list[str], name: str = "bars.csv", end: str = "\n") -> SoundBars:
    path = tmp_path / name
    path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")
    return read_bars(path)


def failure(tmp_path: Path, lines: list[str]) -> RbiError:
    with pytest.raises(RbiError) as caught:
        read(tmp_path, lines)
    assert caught.value.fix
    return caught.value


def assert_standard(result: SoundBars, *, volume: bool = True) -> None:
    """The bars are those that `row` writes."""
    bars = result.bars
    assert len(bars) == ROWS
    assert bars.time.tolist() == [int(moment(i).timestamp()) * 10**9 for i in range(ROWS)]
    wanted = np.array([prices(i) for i in range(ROWS)])
    for column, name in enumerate(("open", "high", "low", "close")):
        np.testing.assert_array_equal(getattr(bars, name), wanted[:, column])
    if volume:
        np.testing.assert_array_equal(bars.volume, 10.0 + np.arange(ROWS))
    else:
        assert np.isnan(bars.volume).all()


def test_a_plain_file_is_read_without_notes(tmp_path: Path) -> None:
    result = read(tmp_path, table())
    assert_standard(result)
    assert result.notes == ()


@pytest.mark.parametrize(
    "header",
    [
        " Datetime , OPEN, High , low,Close ,Volume",
        "Date,Open,High,Low,Close,Vol.",
        "timestamp,1. open,2. high,3. low,4. close,5. volume",
        "Open time,Open,High,Low,Close,Volume",
        "Gmt time,Open,High,Low,Close,Volume",
        "Date (UTC),Open (USD),High (USD),Low (USD),Close (USD),Volume BTC",
        "t,o,h,l,c,v",
        "time,open,high,low,close,tick_volume",
        ",Open,High,Low,Close,Volume",
        "Unnamed: 0,Open,High,Low,Close,Volume",
        '"datetime","open","high","low","close","volume"',
    ],
)
def test_headers_are_known_by_their_words(tmp_path: Path, header: str) -> None:
    assert_standard(read(tmp_path, table(header)))


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    def line(i: int) -> str:
        o, h, low, c = prices(i)
        return f"{i},BTC,{10 + i},{c},{low},{h},{o},{moment(i):%Y-%m-%d %H:%M},x"

    assert_standard(read(tmp_path, table(",symbol,volume,close,low,high,open,date,note", line)))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found_out(tmp_path: Path, separator: str, end: str) -> None:
    lines = table(HEADER.replace(",", separator), lambda i: row(i, separator=separator))
    assert_standard(read(tmp_path, lines, end=end))


def test_trailing_separators_with_and_without_a_header_for_them(tmp_path: Path) -> None:
    both = table("datetime, open, high, low, close, volume,", lambda i: row(i, separator=", ") + ",")
    assert_standard(read(tmp_path, both))
    assert_standard(read(tmp_path, table(line=lambda i: row(i) + ",")))


def test_an_index_without_a_name_in_the_header_is_not_taken_for_the_time(tmp_path: Path) -> None:
    assert_standard(read(tmp_path, table(line=lambda i: f"{i},{row(i)}")))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_and_utf_16_are_decoded(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes("\n".join(table()).encode(encoding))
    assert_standard(read_bars(path))


def test_a_file_in_a_windows_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes("\n".join(table(HEADER + ",größe", lambda i: row(i) + ",ü")).encode("cp1252"))
    assert_standard(read_bars(path))


def test_gzip_and_zip_are_unpacked_by_content(tmp_path: Path) -> None:
    content = "\n".join(table()).encode()
    (tmp_path / "a.csv").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", content)
    assert_standard(read_bars(tmp_path / "a.csv"))
    assert_standard(read_bars(tmp_path / "a.zip"))


def test_date_and_time_in_two_columns_are_joined(tmp_path: Path) -> None:
    def metatrader(i: int) -> str:
        return row(i, f"{moment(i):%Y.%m.%d}\t{moment(i):%H:%M:%S}", "\t") + "\t0\t2"

    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    result = read(tmp_path, table(header, metatrader))
    assert result.bars.volume[0] == 0
    assert "the volume is column '<VOL>'" in result.notes
    assert result.bars.time[1] - result.bars.time[0] == 3600 * 10**9

    def stooq(i: int) -> str:
        return f"X,60,{row(i, f'{moment(i):%Y%m%d},{moment(i):%H%M%S}')},0"

    header = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"
    assert_standard(read(tmp_path, table(header, stooq)))


def test_a_clock_without_leading_zeros_is_joined(tmp_path: Path) -> None:
    def line(i: int) -> str:
        return row(i, f"{moment(i):%Y%m%d},{int(moment(i).strftime('%H%M%S'))}")

    assert_standard(read(tmp_path, table("date,time,open,high,low,close,volume", line)))


def test_files_without_a_header_are_read_by_position_and_say_so(tmp_path: Path) -> None:
    def binance(i: int) -> str:
        return row(i, str(int(moment(i).timestamp()) * 1000)) + f",{i},1,2,3,4,0"

    layouts: list[Callable[[int], str]] = [
        binance,
        row,
        lambda i: row(i, f"{moment(i):%Y%m%d %H%M%S}", ";"),
        lambda i: row(i, f"{moment(i):%Y.%m.%d},{moment(i):%H:%M}"),
    ]
    for line in layouts:
        result = read(tmp_path, table("", line))
        assert_standard(result)
        assert "no header" in result.notes[0]


def test_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    lines = ["https://www.CryptoDataDownload.com", "# note, with, commas, in, it", "", *table()]
    assert_standard(read(tmp_path, lines))


def test_a_crypto_data_download_file_is_read_newest_first(tmp_path: Path) -> None:
    def line(i: int) -> str:
        o, h, low, c = prices(i)
        when = moment(i)
        unix = int(when.timestamp()) * (1000 if i % 2 else 1)
        return f"{unix},{when:%Y-%m-%d %H:%M:%S},BTC/USD,{o},{h},{low},{c},{(10 + i) * 7},{10 + i}"

    lines = table("unix,date,symbol,open,high,low,close,Volume USD,Volume BTC", line)
    result = read(tmp_path, ["https://www.CryptoDataDownload.com", lines[0], *reversed(lines[1:])])
    assert_standard(result)
    assert "the newest bar came first; the order was reversed" in result.notes
    assert "the volume is column 'Volume BTC'" in result.notes


def test_a_yfinance_file_with_three_header_lines_is_read(tmp_path: Path) -> None:
    def line(i: int) -> str:
        o, h, low, c = prices(i)
        return f"{moment(i):%Y-%m-%d %H:%M:%S+00:00},{c},{h},{low},{o},{10 + i}"

    header = ["Price,Close,High,Low,Open,Volume", "Ticker,X,X,X,X,X", "Date,,,,,"]
    assert_standard(read(tmp_path, [*header, *table("", line)]))


def test_an_investing_file_has_its_price_as_close_and_letters_in_volumes(tmp_path: Path) -> None:
    def line(i: int) -> str:
        o, h, low, c = prices(i)
        when = moment(i, timedelta(days=1)).strftime("%m/%d/%Y")
        volume = "-" if i == 3 else f"{10 + i}.5K"
        return f'"{when}","1,{c:06.2f}","1,{o:06.2f}","1,{h:06.2f}","1,{low:06.2f}","{volume}","0.1%"'

    lines = table('"Date","Price","Open","High","Low","Vol.","Change %"', line)
    result = read(tmp_path, lines)
    assert result.bars.close[0] == 1101
    assert result.bars.high[0] == 1103.5
    assert result.bars.volume[0] == 10_500
    assert np.isnan(result.bars.volume[3])
    assert "commas in numbers were read as thousands separators" in result.notes
    assert "the volume is NaN in 1 of 120 bars" in result.notes


def test_dollar_signs_and_close_last_are_understood(tmp_path: Path) -> None:
    def line(i: int) -> str:
        o, h, low, c = prices(i)
        return f"{moment(i):%Y-%m-%d %H:%M},${c},{10 + i},${o},${h},${low}"

    assert_standard(read(tmp_path, table("Date,Close/Last,Volume,Open,High,Low", line)))


def test_decimal_commas_are_read_and_noted(tmp_path: Path) -> None:
    lines = table(HEADER.replace(",", ";"), lambda i: row(i, separator=";").replace(".", ","))
    result = read(tmp_path, lines)
    assert_standard(result)
    assert result.notes == ("commas in numbers were read as decimal separators",)


def test_the_close_is_used_and_the_adjusted_close_is_not(tmp_path: Path) -> None:
    def line(i: int) -> str:
        return row(i).rsplit(",", 1)[0] + f",{prices(i)[3] / 2},{10 + i}"

    result = read(tmp_path, table("Date,Open,High,Low,Close,Adj Close,Volume", line))
    assert_standard(result)
    assert result.notes == ("the close is column 'Close'; the adjusted close is not used",)


def test_a_missing_volume_is_nan_and_noted(tmp_path: Path) -> None:
    result = read(tmp_path, table("date,open,high,low,close", lambda i: row(i).rsplit(",", 1)[0]))
    assert_standard(result, volume=False)
    assert result.notes == ("no volume: it is NaN in every bar",)


def test_rows_without_prices_are_dropped_and_counted(tmp_path: Path) -> None:
    lines = table()
    lines[50:50] = ["2023-01-03 01:00:00,null,null,null,null,null", ""]
    result = read(tmp_path, lines)
    assert_standard(result)
    assert result.notes == ("2 rows without prices dropped",)


def test_blank_lines_at_the_end_are_not_worth_a_note(tmp_path: Path) -> None:
    result = read(tmp_path, [*table(), "", ""])
    assert_standard(result)
    assert result.notes == ()


def test_a_missing_price_column_is_named_with_the_columns_found(tmp_path: Path) -> None:
    error = failure(tmp_path, table("date,open,high,lo,price"))
    assert "no column for low" in error.what
    assert "'date', 'open', 'high', 'lo', 'price'" in error.what
    assert error.where.endswith("bars.csv:1")


def test_unknown_headers_are_never_guessed_by_position(tmp_path: Path) -> None:
    error = failure(tmp_path, table("date,bid,ask,mid,last,size"))
    assert "no column for open, high, low" in error.what


def test_two_instruments_side_by_side_are_refused(tmp_path: Path) -> None:
    lines = table("Date,Open,High,Low,Close,Close", lambda i: row(i))
    assert "2 columns are called 'Close'" in failure(tmp_path, lines).what


def test_a_missing_time_column_is_an_error(tmp_path: Path) -> None:
    lines = table("symbol,open,high,low,close,volume")
    assert "no column holds the time" in failure(tmp_path, lines).what


def test_counted_rows_are_not_taken_for_times(tmp_path: Path) -> None:
    error = failure(tmp_path, table(",open,high,low,close,volume", lambda i: row(i, str(i))))
    assert "'0' is no time" in error.what
    assert error.where.endswith("bars.csv:2")


@pytest.mark.parametrize("above", [0, 3])
def test_a_cell_that_is_no_number_is_shown_with_its_line(tmp_path: Path, above: int) -> None:
    lines = ["comment"] * above + table()
    lines[above + 40] = "2023-01-02 15:00:00,139,142,oops,140,49"
    lines.insert(above + 20, "")
    error = failure(tmp_path, lines)
    assert "the low 'oops' is not a number" in error.what
    assert error.where.endswith(f"bars.csv:{above + 42}")


def test_a_line_with_too_many_fields_is_named(tmp_path: Path) -> None:
    lines = ["comment", *table()]
    lines[60] += ",7"
    error = failure(tmp_path, lines)
    assert error.what == "a row has 7 fields, the rows before it have 6"
    assert error.where.endswith("bars.csv:61")


def test_a_line_cut_off_is_named(tmp_path: Path) -> None:
    lines = table()
    lines[-1] = "2023-01-05 23:00:00,219,222"
    error = failure(tmp_path, lines)
    assert "the low is missing" in error.what
    assert error.where.endswith(f"bars.csv:{ROWS + 1}")


def test_a_quote_that_never_ends_is_named(tmp_path: Path) -> None:
    lines = ["comment", *table()]
    lines[60] = '"' + lines[60]
    error = failure(tmp_path, lines)
    assert "quoted cell never ends" in error.what
    assert error.where.endswith("bars.csv:61")


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_header_without_bars_is_an_error(tmp_path: Path, end: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(HEADER + end)
    with pytest.raises(RbiError, match="no bars"):
        read_bars(path)


def test_text_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    assert "not a table" in failure(tmp_path, ["some words", "and more"]).what


def test_a_cell_of_terminal_codes_is_shown_escaped(tmp_path: Path) -> None:
    lines = table()
    lines[5] = "2023-01-01 04:00:00,1,2,\x1b[31mred,1,1"
    assert "\x1b" not in failure(tmp_path, lines).what
