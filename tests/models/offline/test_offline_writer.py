"""The offline writer behind the contract of a model: stages, answers, refusals, hostile ideas."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import Prompt, StopReason, Usage
from models.errors import BadRequest, Refused
from models.providers.offline import RULES_VERSION, OfflineWriter

IDEA = "Buy when RSI(2) drops below 10 and price is above the 200-day SMA, exit when RSI(2) rises above 70"
HEADINGS = ["Hypothesis", "Entries", "Exits", "Risk", "Indicators", "Data needed", "Assumed", "Ignored"]


def ask(stage: str, **inputs: str) -> str:
    prompt = Prompt(stage, "", "", MappingProxyType(inputs))
    return OfflineWriter().generate(prompt, deadline_s=1.0).text


def code_in(answer: str) -> str:
    fences = re.findall(r"^```python\n(.*?)^```$", answer, re.DOTALL | re.MULTILINE)
    assert answer.count("```") == 2
    assert len(fences) == 1
    return str(fences[0])


def strategies_in(code: str) -> list[ast.ClassDef]:
    return [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]


def test_it_is_no_language_model_and_costs_nothing() -> None:
    writer = OfflineWriter()
    response = writer.generate(Prompt("research", "", "", {"idea": IDEA}), deadline_s=1.0)
    assert writer.name == "offline:rules"
    assert not writer.is_language_model
    assert response.usage == Usage()
    assert response.stop is StopReason.COMPLETE


def test_what_an_answer_is_remembered_under_holds_the_version_of_the_rules() -> None:
    body = OfflineWriter().request_body(Prompt("write", "s", "u", {"idea": IDEA}))
    assert body["rules_version"] == RULES_VERSION
    assert body["inputs"] == {"idea": IDEA}


def test_the_research_note_has_every_heading_in_order() -> None:
    note = ask("research", idea=IDEA)
    assert note.startswith("# ")
    assert re.findall(r"^## (.+)$", note, re.MULTILINE) == HEADINGS
    assert "Coverage: wholly" in note
    assert "Direction: long" in note


def test_a_refused_idea_says_why_and_what_to_do() -> None:
    note = ask("research", idea="Buy when news sentiment is positive")
    assert "Coverage: none" in note
    assert re.findall(r"^## (.+)$", note, re.MULTILINE) == [*HEADINGS, "Why not"]
    assert "OPENAI_API_KEY" in note


def test_dropped_missing_data_is_said_in_the_first_lines() -> None:
    note = ask("research", idea="Long when price closes above the 20-day high while open interest rises")
    assert "Coverage: partly" in note
    assert "needs data that bars do not hold" in note.split("## Entries")[0]


def test_writing_gives_one_fence_with_one_strategy_class() -> None:
    classes = strategies_in(code_in(ask("write", idea=IDEA, note="")))
    assert len(classes) == 1
    assert ast.unparse(classes[0].bases[0]) == "Strategy"


def test_writing_an_idea_that_is_not_understood_is_refused_with_a_hint() -> None:
    with pytest.raises(Refused) as caught:
        ask("write", idea="Buy when funding rates are negative", note="")
    assert "funding rates" in caught.value.message
    assert caught.value.hint


def test_an_unknown_stage_is_a_bad_request_with_a_hint() -> None:
    with pytest.raises(BadRequest) as caught:
        ask("translate", idea=IDEA)
    assert caught.value.hint


def test_a_missing_input_is_a_bad_request_that_names_it() -> None:
    with pytest.raises(BadRequest, match="'idea'"):
        ask("write")


def test_every_number_in_the_code_is_a_class_parameter() -> None:
    (cls,) = strategies_in(code_in(ask("write", idea=IDEA, note="")))
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    numbers = [
        node.value
        for method in methods
        for node in ast.walk(method)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    ]
    assert set(numbers) <= {0, 1, 2}


def test_the_shipped_ideas_are_understood_except_two() -> None:
    path = Path(__file__).parents[3] / "ideas" / "ideas.txt"
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    coverage = [re.search(r"^Coverage: (\w+)$", ask("research", idea=line), re.MULTILINE) for line in lines]
    words = [match[1] for match in coverage if match is not None]
    assert words == ["wholly"] * (len(lines) - 2) + ["none"] * 2


HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("\"'\\`\n\r\t#\u2028\u2029\x0b\x0c\x85\x1c\u202e{}%"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(before=HOSTILE, after=HOSTILE)
def test_no_text_of_an_idea_reaches_the_code_outside_one_comment(before: str, after: str) -> None:
    try:
        code = code_in(ask("write", idea=f"{before} {IDEA} {after}", note=""))
    except Refused:
        return
    first, rest = code.split("\n", 1)
    assert first.startswith("# Idea: ")
    assert len(code.splitlines()) == code.count("\n")
    assert len(strategies_in(code)) == 1
    docstrings = re.findall(r'"""', rest)
    assert len(docstrings) % 2 == 0
    assert "`" not in first


@settings(max_examples=150, deadline=None)
@given(idea=HOSTILE)
def test_any_text_gets_a_note_with_the_headings_and_no_others(idea: str) -> None:
    note = ask("research", idea=idea)
    found = re.findall(r"^## (.+)$", note, re.MULTILINE)
    assert found[: len(HEADINGS)] == HEADINGS
    assert found[len(HEADINGS) :] in ([], ["Why not"])


WORDS = st.sampled_from(
    """
    buy long short sell exit enter when rsi(14) sma 50-day 200-day crosses above below 30 70 price
    bollinger bands upper lower band volume 1.5x average and or , . ( ) stop atr 2x trailing 5%
    macd signal line squeeze 20-day low percentile 10th adx > < 25 keltner channel breakout
    opposite touch zero divergence obv vwap target 2:1 9999999 0 0-day 1-day -100 cci stochastic
    oversold heikin ashi supertrend parabolic sar reversal ichimoku cloud 100% of by
    """.split()  # noqa: SIM905  words, not quotes
)


@settings(max_examples=300, deadline=None)
@given(words=st.lists(WORDS, max_size=25))
def test_any_mixture_of_its_own_vocabulary_is_refused_or_gives_valid_code(words: list[str]) -> None:
    idea = " ".join(words)
    try:
        code = code_in(ask("write", idea=idea, note=""))
    except Refused:
        return
    assert len(strategies_in(code)) == 1
    assert code == code_in(ask("write", idea=idea, note=""))


@pytest.mark.parametrize(
    "piece", ["long ", "above ", "1", "(", "low high ", "is was trading ", "ab-", "1 x ", "rsi ", "funding "]
)
def test_an_idea_of_a_million_characters_is_read_within_seconds(piece: str) -> None:
    idea = piece * (1_000_000 // len(piece))
    started = time.thread_time()
    ask("research", idea=idea)
    assert time.thread_time() - started < 60  # of computing: what grows with the square would take hours
