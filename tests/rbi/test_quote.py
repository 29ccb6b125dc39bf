"""What a batch will cost, as arithmetic: calls, tokens, money, minutes, and the budget against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cost import PriceTable, TokenPrice
from rbi.config import RateLimits
from rbi.plan import Plan
from rbi.plan_view import assumptions, dollars, plan_json, quote_lines
from rbi.quote import ASKED_STAGES, Quote, QuotedModel, Work, quote
from rbi.screening import Screening

CHEAP, DEAR = QuotedModel("a", "cheap"), QuotedModel("b", "dear")
UNPRICED = QuotedModel("c", "new")
OFFLINE = QuotedModel("offline", "rules", keyed=False, is_language_model=False)
PRICES = PriceTable(
    {"a:cheap": TokenPrice(Decimal(1), Decimal(10)), "b:dear": TokenPrice(Decimal(5), Decimal(50))}
)


@dataclass(frozen=True)
class Used:
    calls: int
    input_tokens: float
    output_tokens: float


def chains(*models: QuotedModel) -> Mapping[str, Sequence[QuotedModel]]:
    return dict.fromkeys(ASKED_STAGES, models)


WORK = Work(
    ideas=100,
    prompt_tokens={"research": 400.0, "write": 500.0, "debug": 300.0, "optimize": 600.0},
    chains=chains(CHEAP),
    datasets=2,
    workers=10,
    cores=4,
    debug_rounds=3,
    optimize_rounds=2,
)


def quoted(**changes: object) -> Quote:
    return quote(replace(WORK, **changes), PRICES)  # type: ignore[arg-type]


def test_calls_are_two_an_idea_at_least_and_at_most_all_rounds_more() -> None:
    made = quoted()
    assert (made.calls.low, made.calls.likely, made.calls.high) == (200, 325, 700)
    none = quoted(debug_rounds=0, optimize_rounds=0)
    assert (none.calls.low, none.calls.likely, none.calls.high) == (200, 200, 200)


def test_the_likely_cost_is_that_of_the_likely_tokens_of_the_likely_calls() -> None:
    research = (400 * 1 + 800 * 10) * 100
    write = ((500 + 800) * 1 + 1500 * 10) * 100
    repair = ((300 + 800 + 1500 + 150) * 1 + 1800 * 10) * 50
    better = ((600 + 800 + 1500 + 700) * 1 + 1800 * 10) * 75
    assert quoted().usd.likely == Decimal(research + write + repair + better) / 1_000_000


def test_the_highest_cost_has_every_answer_at_its_limit_and_every_strategy_all_its_rounds() -> None:
    most = 8192
    repair, better = 300 + 2 * most + 150 + 2 * 150, 600 + 2 * most + 700 + 150
    tokens_in = 400 + (500 + most) + 3 * repair + 2 * better
    assert quoted().usd.high == Decimal((tokens_in + 7 * most * 10) * 100) / 1_000_000


def test_a_chain_costs_its_first_model_and_at_worst_its_dearest() -> None:
    alone, chain = quoted(), quoted(chains=chains(CHEAP, DEAR))
    assert (chain.usd.low, chain.usd.likely) == (alone.usd.low, alone.usd.likely)
    assert chain.usd.high == quoted(chains=chains(DEAR)).usd.high


def test_a_model_without_a_price_makes_the_cost_unknown_and_never_nothing() -> None:
    made = quoted(chains=chains(UNPRICED))
    assert (made.usd.low, made.usd.likely, made.usd.high) == (None, None, None)
    assert made.unpriced == ("c:new",)
    assert "unknown cost" in quote_lines(made)[0]
    assert "c:new" in quote_lines(made)[1]


def test_a_spare_model_without_a_price_leaves_only_the_highest_cost_unknown() -> None:
    made = quoted(chains=chains(CHEAP, UNPRICED))
    assert made.usd.likely is not None
    assert made.usd.high is None
    assert "to unknown" in quote_lines(made)[0]


def test_one_unpriced_stage_is_enough_for_an_unknown_sum() -> None:
    made = quoted(chains={**chains(CHEAP), "debug": (UNPRICED,)})
    assert made.usd.likely is None
    assert made.stages[0].usd.likely is not None


def test_the_offline_writer_is_free_and_takes_the_time_of_its_backtests() -> None:
    made = quoted(chains=chains(OFFLINE))
    assert made.usd.high == 0
    assert made.uses_language_model is False
    assert made.minutes.likely == pytest.approx((225 * 2 * 0.3 + 100 * 1) / 4 / 60)
    assert made.minutes.high == pytest.approx(((400 + 200 * 3) * 2 * 0.3 + 100 * 1) / 4 / 60)


def test_what_enough_calls_took_replaces_what_was_assumed() -> None:
    measured = {"research": Used(20, 1000.0, 100.0), "write": Used(19, 1.0, 1.0)}
    research, write, *_ = quoted(measured=measured).stages
    assert (research.input_tokens.likely, research.output_tokens.likely) == (1000, 100)
    assert (research.measured_calls, write.measured_calls) == (20, 0)
    assert write.output_tokens.likely == 1500
    assert write.input_tokens.likely == 500 + 100


def test_the_rounds_of_each_strategy_are_measured_too() -> None:
    written, asked = {"write": Used(40, 10.0, 10.0)}, Used(10, 10.0, 10.0)
    made = quoted(measured={**written, "debug": asked, "optimize": asked})
    assert made.calls.likely == 250
    assert "0.25 repairs are asked for of each strategy, as measured here" in assumptions(made)
    assert quoted(measured={**written, "optimize": asked}).calls.likely == 225


def test_a_folder_that_never_optimized_says_nothing_of_how_often_it_will() -> None:
    made = quoted(measured={"write": Used(40, 10.0, 10.0)})
    assert made.calls.likely == 200 + 75
    assert "0.75 improvements are asked for of each strategy" in assumptions(made)


def test_calls_go_side_by_side_but_no_faster_than_the_delay_or_a_limit() -> None:
    backtests = (225 * 2 * 0.3 + 100) / 4
    seconds = quoted().minutes.likely * 60 - backtests
    assert seconds == pytest.approx(325 * 20 / 10)
    slow = quoted(limits={"a": RateLimits(delay=10)}).minutes.likely * 60 - backtests
    assert slow == pytest.approx(3250)
    capped = quoted(limits={"a": RateLimits(requests_per_minute=5)}).minutes.likely * 60 - backtests
    assert capped == pytest.approx((325 / 5 - 1) * 60)
    one = quoted(limits={"a": RateLimits(max_calls=1)}).minutes.likely * 60 - backtests
    assert one == pytest.approx(325 * 20)


def test_a_budget_covers_the_ideas_that_its_rest_pays_for_beside_the_worst_case_of_a_call() -> None:
    likely = quoted().usd.likely
    assert likely is not None
    reserve = max(stage.call_usd.reserve for stage in quoted().stages if stage.call_usd.reserve is not None)
    half = quoted(budget_usd=likely + reserve, spent_usd=likely / 2).budget
    assert half is not None
    assert (half.covers, half.left_usd, half.holds_a_call) == (50, likely / 2 + reserve, True)
    whole = quoted(budget_usd=likely + reserve).budget
    assert whole is not None
    assert whole.covers == 100


def test_a_budget_smaller_than_the_first_call_may_cost_sends_nothing() -> None:
    made = quoted(budget_usd=Decimal("0.05"))
    assert made.budget is not None
    assert (made.budget.covers, made.budget.holds_a_call) == (0, False)
    assert "--max-output-tokens" in quote_lines(made)[1]


def test_the_first_call_has_to_fit_into_a_budget_as_a_whole() -> None:
    aside = quoted().stages[0].call_usd.aside
    assert aside is not None
    for usd, fits in ((aside, True), (aside - Decimal("0.000001"), False)):
        made = quoted(budget_usd=usd, idea_budget_usd=usd)
        assert made.budget is not None
        assert made.idea_budget is not None
        assert (made.budget.holds_a_call, made.idea_budget.holds_a_call) == (fits, fits)


def test_a_budget_for_each_idea_is_held_against_the_likely_and_the_worst_case_of_one() -> None:
    made = quoted(idea_budget_usd=Decimal(0)).idea_budget
    assert made is not None
    assert made.costs_usd == quoted().usd.likely / 100  # type: ignore[operator]
    research = 400 + 800 * 10
    write = 500 + 800 + 1500 * 10
    repair = 300 + 800 + 1500 + 150 + 1800 * 10
    better, longest = 600 + 800 + 1500 + 700, 8192 * 10
    likely = research + write + repair + 4 * better + longest
    assert made.likely_usd == Decimal(likely) / 1_000_000
    repairs = 3 * (300 + 2 * 8192 + 150 + 2 * 150 + longest)
    better = 600 + 2 * 8192 + 700 + 150
    worst = (400 + longest) + (500 + 8192 + longest) + repairs + (better + longest) + (4 * better + longest)
    assert made.worst_usd == Decimal(worst) / 1_000_000
    assert "nothing would be sent" in quote_lines(quoted(idea_budget_usd=Decimal(0)))[1]


def test_a_budget_of_nothing_for_each_idea_holds_the_worst_case_of_what_is_free() -> None:
    made = quoted(idea_budget_usd=Decimal(0), chains=chains(OFFLINE))
    assert made.idea_budget is not None
    assert made.idea_budget.holds_a_call
    assert "holds the worst case" in quote_lines(made)[1]


def test_a_budget_for_each_idea_cannot_be_kept_without_a_price() -> None:
    made = quoted(idea_budget_usd=Decimal(5), chains=chains(CHEAP, UNPRICED))
    assert made.idea_budget is not None
    assert not made.idea_budget.holds_a_call
    assert plan_json(Plan(made, Screening()))["budget_per_idea"]["worst_usd"] is None


def test_a_budget_cannot_be_kept_without_a_price() -> None:
    made = quoted(budget_usd=Decimal(5), chains=chains(CHEAP, UNPRICED)).budget
    assert made is not None
    assert (made.covers, made.holds_a_call) == (None, False)


def test_a_budget_of_nothing_covers_what_costs_nothing() -> None:
    free = quoted(budget_usd=Decimal(0), chains=chains(OFFLINE)).budget
    assert free is not None
    assert free.covers == 100
    paid = quoted(budget_usd=Decimal(0)).budget
    assert paid is not None
    assert paid.covers == 0


@given(
    st.integers(0, 5000),
    st.integers(1, 100_000),
    st.floats(0, 10_000),
    st.lists(st.sampled_from([CHEAP, DEAR, OFFLINE]), min_size=1, max_size=3),
    st.dictionaries(
        st.sampled_from(ASKED_STAGES),
        st.builds(Used, st.integers(1, 500), st.floats(1, 50_000), st.floats(1, 50_000)),
    ),
)
def test_low_is_never_above_likely_and_likely_never_above_high(
    ideas: int, most: int, prompt: float, chain: list[QuotedModel], measured: dict[str, Used]
) -> None:
    made = quoted(
        ideas=ideas,
        max_output_tokens=most,
        prompt_tokens=dict.fromkeys(ASKED_STAGES, prompt),
        chains=chains(*chain),
        measured=measured,
    )
    for found in (made.calls, made.input_tokens, made.output_tokens, made.minutes):
        assert found.low <= found.likely <= found.high
    assert made.usd.low is not None
    assert made.usd.likely is not None
    assert made.usd.high is not None
    assert made.usd.low <= made.usd.likely <= made.usd.high
    assert plan_json(Plan(made, Screening()))["usd"]["low"] is not None


@pytest.mark.parametrize(
    ("usd", "shown"),
    [("0", "$0.00"), ("0.00001", "less than $0.0001"), ("0.0042", "$0.0042"), ("1234.5", "$1,234.50")],
)
def test_an_amount_is_shown_so_that_little_is_not_taken_for_nothing(usd: str, shown: str) -> None:
    assert dollars(Decimal(usd)) == shown
