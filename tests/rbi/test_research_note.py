"""A research note is read whatever a model made of the layout."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.research_note import UNNAMED, Coverage, Indicator, name_from, parse_note

ASKED_FOR = """# RSI dip
Coverage: wholly
Direction: long
## Hypothesis
Oversold prices
come back.
## Entries
- RSI(14) crosses below 30
- Close is above
  SMA(200)
## Exits
- RSI(14) > 60
## Risk
- Stop: 2x ATR(14)
## Indicators
- RSI (14)
- SMA 200 of Close
- 14-day ATR
## Data needed
- OHLCV bars
## Timeframe
Daily
## Assumed
- the period of the ATR
## Ignored
- none
## Why not
N/A
"""
BOLD = (
    "Sure! Here is the note:\r\n\r\n**Strategy Name:** Golden Cross \N{ROCKET}\r\n**Coverage:** Partially\r\n"
    "**Direction:** Long only\r\n\r\n### 1. Entry Rules\r\n1. SMA(50) crosses above SMA(200)\r\n\r\n"
    "### 2. Exit Conditions\r\n* Close below SMA 50\r\n\r\n**Stop Loss:** 2% below entry\r\n\r\n"
    "**Required data**\r\nOHLCV, funding rates (optional)\r\n"
)
THOUGHT = """<think>
## Entries
- something else
</think>
\N{CHART WITH UPWARDS TREND} **Turtle Breakout**

**Entry Conditions**
- **Long:** close above the 20-day high
- **Short:** close below the 20-day low

**Exit**
- 10-day low
- **Stop Loss:** 2 ATR

**Timeframe:** 1 hour
"""
JSON = """Here it is:
```json
{"strategy": {"name": "Mean Rev", "coverage": "full", "entry_rules": ["RSI < 30", "close > ema"],
 "exitRules": "RSI > 70", "indicators": [{"name": "RSI", "period": 14}, {"name": "EMA", "length": 200}],
 "required_data": ["OHLCV", "VIX"], "risk": {"stop": "2%"}, "timeframe": "1h"}}
```"""
YAML = """```yaml
name: Mean Rev
coverage: wholly
entries:
  - RSI < 30
indicators:
  - name: RSI
    period: 14
  - name: MACD
    fast: 12
    slow: 26
data_needed:
  - OHLCV
timeframe: 15m
```"""
TABLE = """## Squeeze
### Strategy rules
- **Entry:** BB inside KC
- **Exit:** middle band
- **Stop loss:** 2 ATR
### Indicators
| Indicator | Periods |
|---|---|
| Bollinger | 20, 2 |
| ATR | 14 |
"""


def test_the_layout_that_is_asked_for_is_read_whole() -> None:
    note = parse_note(ASKED_FOR)
    assert (note.name, note.coverage, note.direction) == ("RSI dip", Coverage.WHOLLY, "long")
    assert note.hypothesis == "Oversold prices come back."
    assert note.entries == ("RSI(14) crosses below 30", "Close is above SMA(200)")
    assert (note.exits, note.risk) == (("RSI(14) > 60",), ("Stop: 2x ATR(14)",))
    assert note.indicators == (Indicator("RSI", (14,)), Indicator("SMA", (200,)), Indicator("ATR", (14,)))
    assert (note.data_needed, note.timeframe) == (("OHLCV bars",), "Daily")
    assert (note.assumed, note.ignored, note.why_not) == (("the period of the ATR",), (), "")


def test_bold_labels_numbered_headings_and_other_words_mean_the_same() -> None:
    note = parse_note(BOLD)
    assert (note.name, note.coverage, note.direction) == ("Golden Cross", Coverage.PARTLY, "long")
    assert (note.entries, note.exits) == (("SMA(50) crosses above SMA(200)",), ("Close below SMA 50",))
    assert (note.risk, note.data_needed) == (("2% below entry",), ("OHLCV, funding rates (optional)",))


def test_what_a_model_thought_aloud_is_no_part_of_its_note() -> None:
    note = parse_note(THOUGHT)
    assert (note.name, note.timeframe) == ("Turtle Breakout", "1 hour")
    assert note.entries == ("Long: close above the 20-day high", "Short: close below the 20-day low")
    assert note.exits == ("10-day low", "Stop Loss: 2 ATR")


def test_json_is_read() -> None:
    note = parse_note(JSON)
    assert (note.name, note.coverage, note.timeframe) == ("Mean Rev", Coverage.WHOLLY, "1h")
    assert (note.entries, note.exits) == (("RSI < 30", "close > ema"), ("RSI > 70",))
    assert note.indicators == (Indicator("RSI", (14,)), Indicator("EMA", (200,)))
    assert (note.data_needed, note.risk) == (("OHLCV", "VIX"), ("stop: 2%",))


def test_yaml_is_read() -> None:
    note = parse_note(YAML)
    assert (note.name, note.coverage, note.entries) == ("Mean Rev", Coverage.WHOLLY, ("RSI < 30",))
    assert note.indicators == (Indicator("RSI", (14,)), Indicator("MACD", (12, 26)))
    assert (note.data_needed, note.timeframe) == (("OHLCV",), "15m")


def test_rules_in_one_part_are_told_apart_and_tables_are_read() -> None:
    note = parse_note(TABLE)
    assert (note.name, note.entries) == ("Squeeze", ("BB inside KC",))
    assert (note.exits, note.risk) == (("middle band",), ("2 ATR",))
    assert note.indicators == (Indicator("Bollinger", (20, 2)), Indicator("ATR", (14,)))


def test_items_under_a_heading_within_a_part_say_so() -> None:
    note = parse_note(
        "# X\n## Entries\n### Long\n- ROC(10) > 5\n### Short\n- ROC(10) < -5\n## Exits\n- opposite"
    )
    assert note.entries == ("Long: ROC(10) > 5", "Short: ROC(10) < -5")
    assert note.exits == ("opposite",)


def test_levels_are_no_periods() -> None:
    note = parse_note("## Indicators\n- RSI(14), oversold below 30\n- Bollinger Bands (20, 2)\n- VWAP")
    assert [i.periods for i in note.indicators] == [(14,), (20, 2), ()]


@pytest.mark.parametrize(
    "line", ["**Coverage:** none", "coverage - NONE", "- Coverage: none (no bars)", "## Coverage\nNone."]
)
def test_coverage_is_found_however_a_model_decorates_it(line: str) -> None:
    note = parse_note(f"# X\n{line}\n## Why not\nIt needs the order book.\n")
    assert (note.coverage, note.why_not) == (Coverage.NONE, "It needs the order book.")


@pytest.mark.parametrize("line", ["", "Coverage: wholly, partly or none", "Coverage: good"])
def test_a_note_that_does_not_state_its_coverage_is_not_taken_for_complete(line: str) -> None:
    assert parse_note(f"# X\n{line}\nsome prose").coverage is Coverage.PARTLY


def test_prose_is_the_hypothesis_and_the_idea_gives_the_name() -> None:
    note = parse_note(
        "Buy low and sell high; it is robust.", "buy the dip, when the RSI(2) is very low indeed"
    )
    assert (note.name, note.has_rules) == ("Buy the dip when the RSI 2", False)
    assert note.hypothesis == "Buy low and sell high; it is robust."


@pytest.mark.parametrize(
    "answer",
    ["", "<think>never ends", "# \N{ROCKET}\n", "# Research Note\n", "# Not understood\nCoverage: none"],
)
def test_a_note_without_a_name_gets_one(answer: str) -> None:
    assert parse_note(answer, "sell in may").name == "Sell in may"
    assert parse_note(answer).name == UNNAMED


@given(st.text(max_size=80))
def test_a_name_from_an_idea_is_one_short_line(idea: str) -> None:
    name = name_from(idea)
    assert name == name_from(idea)
    assert 0 < len(name) <= 80
    assert name.isprintable()


_PIECES = st.sampled_from(
    [
        *(
            "# ",
            "## Entries\n",
            "**Exit**\n",
            "- ",
            "1. ",
            ": ",
            "\n",
            "|",
            "|---|\n",
            "```json\n",
            "{",
            '"a": ',
            "}",
            "[",
        ),
        *(
            "]",
            "Coverage: ",
            "<think>",
            "</think>",
            "Indicators:",
            "(14",
            "9" * 400,
            "\\ud800",
            '"',
            "\r\n",
            "  ",
            "__",
        ),
    ]
)


@given(
    st.one_of(
        st.text(max_size=300), st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=40).map("".join)
    )
)
def test_any_text_is_a_note_that_can_be_written_down(text: str) -> None:
    note = parse_note(text, text)
    assert note.markdown == text
    assert note.name.strip()
    json.dumps(note.parsed(), ensure_ascii=False, allow_nan=False).encode()


def test_nesting_without_end_and_characters_that_cannot_be_written_are_harmless() -> None:
    assert parse_note('{"name": ' + "[" * 100_000, "x").entries == ()
    note = parse_note('{"name": "\\ud800", "entries": ["\\ud800 x"]}')
    assert note.entries == ("? x",)
