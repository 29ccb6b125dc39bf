"""Near-duplicates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from rbi.intake.similarity import THRESHOLD, near_duplicates

CROSS = "Buy when the 20-day average crosses above the 50-day average, exit on a 2x ATR trailing stop"


def test_ideas_that_say_nearly_the_same_belong_to_the_first() -> None:
    texts = ["Sell the open", CROSS, CROSS.replace("2x", "3x"), CROSS.upper() + ".", "Hold forever"]
    found = near_duplicates(texts)
    assert [(one.position, one.leader) for one in found] == [(2, 1), (3, 1)]
    assert found[0].differs == "2x → 3x"


def test_an_idea_cut_short_is_not_the_same_as_the_whole_one() -> None:
    assert near_duplicates([CROSS, CROSS[:60]]) == ()


def test_one_other_indicator_makes_another_idea() -> None:
    base = "A breakout strategy that enters when price crosses a 20-day channel while {}, with a 3x ATR stop."
    assert (
        near_duplicates(
            [base.format("the Stochastic RSI is oversold"), base.format("money flow is positive")]
        )
        == ()
    )


def test_members_resemble_their_leader_and_not_one_another_only() -> None:
    chain = ["a" * n + "b" * (100 - n) for n in range(0, 40, 4)]
    for one in near_duplicates(chain):
        assert fuzz.ratio(chain[one.leader], chain[one.position]) >= THRESHOLD


TEXTS = st.lists(st.text("ab é", max_size=24), max_size=12)


@given(TEXTS, st.sampled_from([50, 75, 90, 100]))
def test_leaving_comparisons_out_changes_nothing(texts: list[str], threshold: int) -> None:
    plain = [" ".join(text.split()) for text in texts]
    leaders: list[int] = []
    expected = []
    for position, text in enumerate(plain):
        scores = [(leader, fuzz.ratio(plain[leader], text)) for leader in leaders]
        close = next((leader for leader, score in scores if score >= threshold), None)
        if close is None:
            leaders.append(position)
        else:
            expected.append((position, close))
    assert [(one.position, one.leader) for one in near_duplicates(texts, threshold)] == expected


def test_counts_too_large_to_hold_do_not_mislead() -> None:
    long = "İ" * 20_000
    assert [one.leader for one in near_duplicates([long, "x", long + "x"])] == [0]
