"""What the offline writer reads out of an idea, and what it admits not to have read."""

from __future__ import annotations

import pytest

from models.providers.offline.describe import entries_in_words, exits_in_words, risk_in_words
from models.providers.offline.rules import Coverage
from models.providers.offline.text import MAX_CHARACTERS
from models.providers.offline.titles import class_name, title
from models.providers.offline.understand import understand

WHOLLY = [
    (
        "Buy when RSI(2) drops below 10 and price is above the 200-day SMA, exit when RSI(2) rises above 70",
        ["Long when RSI (2) crosses below 10 and close above SMA (200)"],
        ["Long ends when RSI (2) crosses above 70"],
        [],
    ),
    (
        "Golden cross: buy when the 50-day moving average crosses above the 200-day, sell on the death cross",
        ["Long when SMA (50) crosses above SMA (200)"],
        ["Long ends when SMA (50) crosses below SMA (200)"],
        [],
    ),
    (
        "50/200 SMA crossover, long only, 8% trailing stop",
        ["Long when SMA (50) crosses above SMA (200)"],
        [],
        ["Trailing stop: 8%"],
    ),
    (
        "Trade breakouts when the 50-period EMA crosses the 200-period EMA while the ADX rises above 25, "
        "with exits based on a trailing stop set at 2x the average true range (ATR).",
        [
            "Long when EMA (50) crosses above EMA (200) and ADX (14) above 25",
            "Short when EMA (50) crosses below EMA (200) and ADX (14) above 25",
        ],
        [],
        ["Trailing stop: 2 x ATR (14)"],
    ),
    (
        "Enter long when price touches the lower Bollinger Band while ADX is below 25 and exit at the middle "
        "band; short symmetrically on upper band touches.",
        [
            "Long when low below lower Bollinger Band (20, 2) and ADX (14) below 25",
            "Short when high above upper Bollinger Band (20, 2) and ADX (14) below 25",
        ],
        [
            "Long ends when close crosses middle Bollinger Band (20)",
            "Short ends when close crosses middle Bollinger Band (20)",
        ],
        [],
    ),
    (
        "Long when price closes above the upper Bollinger Band (20, 2.5\u03c3), with volume ≥ 150% of its 20-day "
        "average, exit at the middle band",
        [
            "Long when close above upper Bollinger Band (20, 2.5) and volume above 1.5 x average (20) of volume"
        ],
        ["Long ends when close crosses middle Bollinger Band (20)"],
        [],
    ),
    (
        "Enter long when the close breaks above the 55-day high, exit at the 20-day low, 2.5\u00d7 ATR stop",
        ["Long when close crosses above the highest high of the 55 bars before"],
        ["Long ends when low below the lowest low of the 20 bars before"],
        ["Stop: 2.5 x ATR (14)"],
    ),
    (
        "Buy when MACD(12,26,9) crosses above its signal line, 3% stop loss, 6% take profit",
        ["Long when MACD line (12, 26) crosses above MACD signal line (12, 26, 9)"],
        [],
        ["Stop: 3%", "Target: 6%"],
    ),
    (
        "Sell short when RSI is overbought above 80, cover when RSI falls below 50, stop loss 3%",
        ["Short when RSI (14) above 80"],
        ["Short ends when RSI (14) crosses below 50"],
        ["Stop: 3%"],
    ),
    (
        "Trade breakouts when Bollinger Band width contracts to a 20-day low while volume spikes above its "
        "30-day average, with exits on opposing band touch.",
        [
            "Long when Bollinger Band width (%) (20, 2) below the lowest of the 20 bars before within the last 5 "
            "bars and volume above average (30) of volume and close crosses above upper Bollinger Band (20, 2)",
            "Short when Bollinger Band width (%) (20, 2) below the lowest of the 20 bars before within the last 5 "
            "bars and volume above average (30) of volume and close crosses below lower Bollinger Band (20, 2)",
        ],
        [
            "Long ends when low below lower Bollinger Band (20, 2)",
            "Short ends when high above upper Bollinger Band (20, 2)",
        ],
        [],
    ),
    (
        "Buy when 10-day ROC is positive, sell when it turns negative",
        ["Long when rate of change (10) above 0"],
        ["Long ends when rate of change (10) crosses below 0"],
        [],
    ),
    (
        "Buy when price is 5% below its 20-day SMA, exit at the SMA",
        ["Long when close below 0.95 x SMA (20)"],
        ["Long ends when close crosses SMA (20)"],
        [],
    ),
    (
        "Enter long when Aroon Up crosses above Aroon Down, exit on the opposite crossover",
        ["Long when Aroon up (25) crosses above Aroon down (25)"],
        ["Long ends when Aroon up (25) crosses below Aroon down (25)"],
        [],
    ),
    (
        "Buy when the 14-period RSI crosses back above 30; sell when it crosses above 70 or after 10 days",
        ["Long when RSI (14) crosses above 30"],
        ["Long ends when RSI (14) crosses above 70", "The position is closed after 10 bars"],
        [],
    ),
    (
        "A breakout strategy that triggers when price crosses a 20-period Donchian channel while the 5-period ADX "
        "rises above 30, with exits on a 2:1 risk-reward ratio.",
        [
            "Long when close crosses above the highest high of the 20 bars before and ADX (5) above 30",
            "Short when close crosses below the lowest low of the 20 bars before and ADX (5) above 30",
        ],
        [],
        ["Stop: 2 x ATR (14)", "Target: 2 times the risk"],
    ),
]


@pytest.mark.parametrize(("idea", "entries", "exits", "risk"), WHOLLY)
def test_an_idea_is_read_with_the_numbers_it_gives(
    idea: str, entries: list[str], exits: list[str], risk: list[str]
) -> None:
    plan = understand(idea)
    assert plan.coverage is Coverage.WHOLLY, plan.ignored
    assert entries_in_words(plan) == entries
    assert risk_in_words(plan.exits) == risk
    if exits:
        assert exits_in_words(plan.exits) == exits


@pytest.mark.parametrize(
    ("idea", "reason"),
    [
        ("Buy when funding rates are negative and order book imbalance favors bids", "order book imbalance"),
        ("Buy when news sentiment turns positive, sell when it turns negative", "sentiment"),
        ("Short volatility when the VIX term structure is in contango", "vix"),
        (
            "Trade breakouts when price approaches liquidation clusters, stop below them",
            "liquidation clusters",
        ),
        ("ADX above 25", "filters"),
        ("volume spike", "filters"),
        ("Enter when Bollinger Bands contract to a 20-day low", "filters"),
        ("Buy and hold", "No entry rule"),
        ("Pairs trading between two stocks", "pairs trading"),
        ("", "No entry rule"),
        ("Long when RSI is below 30 and RSI is above 60", "exclude each other"),
    ],
)
def test_an_idea_without_a_readable_entry_is_refused_with_its_reason(idea: str, reason: str) -> None:
    plan = understand(idea)
    assert plan.coverage is Coverage.NONE
    assert not plan.long
    assert not plan.short
    assert reason in plan.why_not


def test_missing_data_beside_a_readable_entry_is_dropped_and_named() -> None:
    plan = understand("Enter long when price breaks above the 20-day high during negative funding rates.")
    assert plan.coverage is Coverage.PARTLY
    assert plan.missing_data == ("negative funding rates",)
    assert entries_in_words(plan) == ["Long when close crosses above the highest high of the 20 bars before"]


def test_words_that_no_rule_uses_are_listed() -> None:
    plan = understand("Buy when RSI crosses above 30 near a fibonacci retracement, exit when RSI is above 70")
    assert plan.coverage is Coverage.PARTLY
    assert any("fibonacci" in words for words in plan.ignored)


def test_defaults_that_the_text_left_open_are_listed_as_assumed() -> None:
    plan = understand("Buy when RSI is oversold, exit on a 2:1 risk-reward ratio")
    assert any("oversold RSI is at 30" in line for line in plan.assumed)
    assert any("2 x ATR(14)" in line for line in plan.assumed)


@pytest.mark.parametrize(
    ("idea", "assumed"),
    [
        ("Short when RSI > 80 and cover when RSI < 50", "RSI: period 14"),
        ("Buy when MACD crosses above zero, sell when it crosses below zero", "MACD line: fast 12, slow 26"),
        (
            "Buy when price touches the lower Bollinger Band, 5% target",
            "lower Bollinger Band: period 20, deviations 2",
        ),
        ("Buy when CCI > 100 and ADX > 25, stop 2 ATR", "ADX: period 14"),
        ("Buy when CCI(20) > 100, stop 2 ATR", "the ATR of stops and targets is taken over 14 bars"),
        ("Buy when 12-month ROC is positive, hold for a month", "12 months count as 252 bars"),
        (
            "RSI(14) < 30 long, > 70 short, exit when RSI(14) > 60",
            "an exit that the text states once is mirrored",
        ),
    ],
)
def test_every_number_that_the_text_does_not_give_is_listed_as_assumed(idea: str, assumed: str) -> None:
    assert any(assumed in line for line in understand(idea).assumed)


def test_numbers_that_the_text_gives_are_not_listed_as_assumed() -> None:
    plan = understand("Buy when RSI(14) crosses above 30, exit when RSI(14) is above 70, 2% stop")
    assert plan.assumed == ()


@pytest.mark.parametrize(
    "word",
    """weekly monday overnight pyramiding hedge spread half gap coppock hurst fibonacci kama session
    downtrend earlier pullback nearly sharply first 61.8 unlikely december premarket""".split(),  # noqa: SIM905
)
def test_a_word_that_no_rule_uses_is_never_passed_over(word: str) -> None:
    plan = understand(f"Buy when RSI(14) crosses above 30 {word}, exit when RSI(14) is above 70")
    assert plan.coverage is not Coverage.WHOLLY
    assert any(word in words for words in plan.ignored)


def test_a_number_that_a_rule_drops_is_listed() -> None:
    plan = understand("Short on a close under the lower Keltner Channel (EMA 20, 2x ATR 10), 3% stop")
    assert plan.ignored == ("the number 10",)


def test_an_exit_that_is_not_read_is_listed_and_not_replaced_in_silence() -> None:
    plan = understand("Buy when RSI(14) < 30, exit on Friday")
    assert plan.ignored == ("friday", "the exit")


@pytest.mark.parametrize("ending", ["without exception", "never", "but no more", "not today", "unless"])
def test_a_negation_that_is_not_understood_is_never_read_as_its_opposite(ending: str) -> None:
    plan = understand(
        f"Buy when price crosses above the 50-day SMA, {ending} RSI(14) < 30 and ADX(14) > 20 both rise"
    )
    assert plan.coverage is not Coverage.WHOLLY


@pytest.mark.parametrize(
    ("idea", "name"),
    [
        (
            "Buy when RSI(2) < 10 and price is above the 200-day SMA",
            "RSI(2) reversion + SMA 200 filter, long",
        ),
        ("50/200 SMA crossover, long only", "SMA 50/200 cross, long"),
        (
            "Buy when MACD crosses above its signal line and price is above the 100 EMA",
            "MACD cross + EMA 100 filter, long",
        ),
        ("Donchian 20 breakout, both directions", "Donchian 20 breakout, long and short"),
        ("Buy after 3 consecutive down days", "Lower closes (3), long"),
    ],
)
def test_a_strategy_is_named_by_its_trigger_its_filters_and_its_sides(idea: str, name: str) -> None:
    plan = understand(idea)
    assert title(plan) == name
    assert class_name(plan).isidentifier()


def test_or_between_conditions_means_that_either_will_do() -> None:
    plan = understand("Buy when RSI < 30 or price touches the lower Bollinger Band; exit RSI > 60")
    assert entries_in_words(plan) == ["Long when RSI (14) below 30 or low below lower Bollinger Band (20, 2)"]


def test_a_direction_behind_its_condition_belongs_to_that_condition() -> None:
    plan = understand("RSI 14 below 30 long, above 70 short")
    assert entries_in_words(plan) == ["Long when RSI (14) below 30", "Short when RSI (14) above 70"]


def test_an_exception_of_one_condition_is_negated() -> None:
    plan = understand("Do not buy when RSI is above 70; buy when MACD crosses above zero")
    assert entries_in_words(plan) == ["Long when RSI (14) below 70 and MACD line (12, 26) crosses above 0"]
    assert plan.coverage is Coverage.WHOLLY


def test_an_exception_of_two_conditions_at_once_is_listed_and_not_read() -> None:
    plan = understand("Buy when MACD crosses above zero unless RSI is above 70 and ADX is below 20")
    assert entries_in_words(plan) == ["Long when MACD line (12, 26) crosses above 0"]
    assert plan.ignored == ("rsi is above 70", "adx is below 20")


def test_a_timeframe_is_not_taken_for_a_period() -> None:
    plan = understand("Buy when the 5-minute RSI crosses above 30, exit when RSI is above 70")
    assert entries_in_words(plan) == ["Long when RSI (14) crosses above 30"]
    assert "5 minute" in plan.ignored


def test_what_only_explains_is_no_rule() -> None:
    plan = understand(
        "Buy when RSI crosses above 30, signaling a bullish MACD crossover, exit when RSI is above 70"
    )
    assert entries_in_words(plan) == ["Long when RSI (14) crosses above 30"]


def test_an_exception_is_not_read_as_a_rule() -> None:
    plan = understand(
        "Buy when RSI crosses above 30 and exit when RSI is above 70, filtering low volume periods"
    )
    assert entries_in_words(plan) == ["Long when RSI (14) crosses above 30"]
    assert plan.coverage is Coverage.PARTLY


def test_the_text_after_the_limit_is_not_read_and_that_is_said() -> None:
    plan = understand(
        "Buy when RSI crosses above 30. " + "x" * MAX_CHARACTERS + " Exit when RSI is above 70."
    )
    assert plan.ignored[-1] == f"everything after the first {MAX_CHARACTERS} characters"
