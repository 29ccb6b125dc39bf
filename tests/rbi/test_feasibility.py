"""Ideas that need data which is not here end before code is paid for; those that only sound so do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ScriptedEffects, context, good_result

from rbi.data_needs import needs_in
from rbi.domain import Draft, Idea, Outcome, OutcomeKind
from rbi.research_note import parse_note
from rbi.stages.context import OHLCV, Admission, Context
from rbi.stages.feasibility import feasibility

IDEA = "buy the dip"


def facts() -> Context:
    return context(ScriptedEffects({}, lambda source, bars: good_result()))


def judged(note: str, idea: str = IDEA, where: Context | None = None) -> Outcome | None:
    draft = Draft(Idea(1, idea), note=parse_note(note, idea))
    return feasibility(draft, where or facts()).outcome


def note(data: str, entries: str = "RSI(14) < 30", more: str = "") -> str:
    return f"# X\nCoverage: partly\n## Entries\n- {entries}\n## Data needed\n{data}\n{more}"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("the order book imbalance is above 0.3", "order_book"),
        ("level 2 data shows a wall", "order_book"),
        ("bid-ask imbalance rises", "order_book"),
        ("cumulative volume delta turns up", "order_flow"),
        ("tick data shows aggressor buying", "order_flow"),
        ("the VIX closes above 30", "volatility_index"),
        ("funding rate < -0.05%", "funding_rates"),
        ("open interest falls 10%", "open_interest"),
        ("price enters a liquidation cluster", "liquidations"),
        ("the put/call ratio is above 1.2", "options"),
        ("implied volatility exceeds realised volatility", "options"),
        ("on-chain exchange outflows rise", "on_chain_data"),
        ("the news sentiment score is above 0.5", "sentiment"),
        ("Google Trends searches double", "sentiment"),
        ("the fear and greed index is below 20", "sentiment"),
        ("it gaps up after an earnings surprise", "fundamentals"),
        ("the yield curve inverts", "economic_data"),
        ("correlation with BTC is above 0.8", "other_instruments"),
        ("the pair is cointegrated with another", "other_instruments"),
        ("BTC dominance falls", "other_instruments"),
        ("the curve is in contango", "futures_curve"),
        ("short interest is above 20%", "positioning"),
    ],
)
def test_rules_on_data_that_is_not_here_end_the_idea_and_name_it(words: str, cause: str) -> None:
    outcome = judged(f"# X\n## Entries\n- {words}\n")
    assert outcome is not None
    assert (outcome.kind, outcome.verdict, outcome.cause) == (OutcomeKind.NOT_FEASIBLE, None, cause)
    assert outcome.final
    assert "Open, High, Low, Close, Volume" in outcome.reasons[0]
    assert "--keep-infeasible" in outcome.reasons[0]


@pytest.mark.parametrize(
    "words",
    [
        "price returns to a bullish order block",
        "price is above the point of control of the volume profile",
        "exit options: half at 2R, half at 3R",
        "the depth of the pullback is below 5%",
        "market sentiment is bullish: close above SMA(200)",
        "the spread between the 10 and 50 SMA widens",
        "the spread between two averages of the close is positive",
        "historical volatility is below its 20th percentile",
        "realized volatility doubles",
        "the Williams VIX Fix is above its band",
        "avoid trading at news",
        "no trade within an hour of FOMC events",
        "tick volume is above its average",
        "the pair trades above its 200 SMA",
        "bullish order flow: higher highs and higher lows",
        "correlation of price and volume over 20 bars is negative",
        "place straddle orders around the opening range",
        "a short squeeze: close above the highest high of 20 bars",
        "the funding is 95% of the equity",
        "liquidation of all positions at the close",
        "a volatility index of ATR / close is above 2%",
        "the dividend-adjusted close is above SMA(50)",
        "liquidation clusters are approximated by wicks above 2x ATR",
        "open interest > 0 (optional)",
        "a long time after the high",
    ],
)
def test_words_that_only_sound_like_it_do_not(words: str) -> None:
    assert judged(f"# X\n## Entries\n- {words}\n") is None


@pytest.mark.parametrize(
    "data",
    [
        "OHLCV bars",
        "- OHLCV\n- VIX (optional)",
        "OHLCV bars only; no order book, news or funding rates",
        "OHLCV bars. Not available: funding rates, order book.",
        "OHLCV; the VIX is replaced by historical volatility",
        "OHLCV. Open interest would be nice to have.",
        "OHLCV and, if available, funding rates",
        "OHLCV (1h). No further data (such as the order book) or sentiment data is needed",
        "Only OHLCV is needed, tick data is unnecessary",
        "OHLCV; funding rate history (the idea asks for it, but only bars exist)",
    ],
)
def test_data_that_a_note_does_without_is_dealt_with(data: str) -> None:
    idea = "buy when funding rates are negative and the VIX is above 30, open interest rising"
    assert judged(note(data), idea) is None


def test_what_a_note_ignores_or_assumes_away_is_dealt_with() -> None:
    rules = "funding rate < 0"
    assert judged(note("OHLCV, funding rates", rules)) is not None
    assert judged(note("OHLCV, funding rates", rules, "## Ignored\n- the funding rate\n")) is None
    assert (
        judged(note("OHLCV, funding rates", rules, "## Assumed\n- a proxy for funding rates is RSI(2)\n"))
        is None
    )


def test_data_that_is_needed_and_said_not_to_be_there_ends_the_idea() -> None:
    outcome = judged(note("OHLCV; VIX closes, which are not available", "the VIX is above 30"))
    assert outcome is not None
    assert outcome.cause == "volatility_index"


def test_data_that_is_listed_and_never_traded_on_ends_nothing() -> None:
    assert judged(note("OHLCV, sentiment data")) is None
    assert judged(note("OHLCV, sentiment data"), "buy on positive news sentiment") is None
    assert judged(note("OHLCV, sentiment data", "sentiment > 0.5 and RSI(2) < 10")) is not None


@pytest.mark.parametrize(
    ("data", "rule", "cause"),
    [
        ("- Sentiment", "sentiment turns positive", "sentiment"),
        ("- Market sentiment indicator", "market sentiment is bullish", "sentiment"),
        ("- Level 2 order book", "bid imbalance > 2", "order_book"),
        ("- Order-book depth", "bids exceed asks", "order_book"),
        ("- $VIX", "$VIX above 30", "volatility_index"),
    ],
)
def test_rules_may_speak_of_listed_data_in_other_words(data: str, rule: str, cause: str) -> None:
    outcome = judged(note(data, rule))
    assert outcome is not None
    assert outcome.cause == cause


def test_every_need_is_named_and_the_first_is_the_cause() -> None:
    outcome = judged(note("OHLCV, open interest, VIX", "VIX > 30 and open interest falls"))
    assert outcome is not None
    assert outcome.cause == "open_interest"
    assert 'open interest and volatility index ("VIX")' in outcome.reasons[0]


@pytest.mark.parametrize(
    ("idea", "cause"),
    [
        ("Trade long when funding rates turn negative alongside rising open interest", "funding_rates"),
        ("Detect liquidation clusters using high-volume retracements, entering on breakouts", ""),
        ("Buy after a squeeze, targeting subsequent liquidation cascades", ""),
        ("Buy when RSI is below 30, but avoid the news", ""),
        ("I follow the VIX", ""),
    ],
)
def test_without_rules_only_what_the_idea_makes_a_condition_counts(idea: str, cause: str) -> None:
    outcome = judged("", idea)
    assert (outcome.cause if outcome else "") == cause


def test_a_note_that_covers_nothing_names_the_data_or_is_not_understood() -> None:
    written = "# X\nCoverage: none\n## Why not\n"
    outcome = judged(f"{written}It needs the order book, which bars do not hold.")
    assert outcome is not None
    assert (outcome.kind, outcome.cause) == (OutcomeKind.NOT_FEASIBLE, "order_book")
    assert "order book" in outcome.reasons[0]
    assert outcome.reasons[1] == "It needs the order book, which bars do not hold."
    outcome = judged(f"{written}It names no rule.")
    assert outcome is not None
    assert (outcome.kind, outcome.reasons) == (OutcomeKind.NOT_UNDERSTOOD, ("It names no rule.",))


def test_a_rejection_can_be_overruled() -> None:
    keeping = replace(facts(), admission=Admission(keep_infeasible=True))
    assert judged(note("OHLCV, VIX", "VIX > 30"), where=keeping) is None


@pytest.mark.parametrize("column", ["OpenInterest", "open_interest", "Open Interest"])
def test_a_column_that_holds_the_data_makes_it_feasible(column: str) -> None:
    assert needs_in("open interest rises", OHLCV)
    assert (
        judged("# X\n## Entries\n- open interest rises\n", where=replace(facts(), columns=(*OHLCV, column)))
        is None
    )
