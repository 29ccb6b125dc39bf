from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scripted_model import ScriptedModel

from models.base import ModelResponse, Prompt, StopReason, Usage
from models.client import InMemoryCalls, ModelClient
from models.continuation import MOST_PARTS, ends_inside_fence, join, joined, next_prompt
from models.errors import Overloaded, Truncated
from models.limiter import Limiters, Limits
from models.retry import RetryPolicy

PROMPT = Prompt("write", "s", "u", max_output_tokens=100)
PROMPT_WITH_ROOM = Prompt("write", "s", "u", max_output_tokens=65_536)
CODE = "Here it is.\n```python\nclass S:\n    period = 20\n\n    def init(self):\n        pass\n```\n"


def part(text: str, stop: StopReason = StopReason.TRUNCATED) -> ModelResponse:
    return ModelResponse(text, "openai", "gpt-4o", Usage(1000, 100), stop)


def client_with(memory: InMemoryCalls | None = None) -> ModelClient:
    policy = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)
    return ModelClient(memory or InMemoryCalls(), Limiters(Limits(delay_s=0)), policy=policy)


@given(cut=st.integers(1, len(CODE) - 1))
def test_wherever_an_answer_is_cut_its_parts_make_it_whole_again(cut: int) -> None:
    assert join(CODE[:cut], CODE[len(CODE[:cut].rstrip()) :]) == CODE


def test_white_space_at_a_seam_is_neither_lost_nor_doubled() -> None:
    assert join("if x:\n    ", "\n        y = 1") == "if x:\n        y = 1"
    assert join("if x:\n    ", "    y = 1") == "if x:\n    y = 1"
    assert join("if x:\n    ", "y = 1") == "if x:\n    y = 1"


def test_what_an_answer_says_again_and_again_is_not_taken_for_a_repeat() -> None:
    line = "            self.buy()\n"
    assert join(line * 3, line * 2) == line * 5
    assert (
        join("w = [0, 0, 0, 0, 0, 0, 0, ", "0, 0, 0, 0, 0, 0]")
        == "w = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"
    )


@given(cut=st.integers(45, len(CODE) - 1), back=st.integers(12, 40))
def test_what_a_model_repeats_at_the_seam_is_there_once(cut: int, back: int) -> None:
    assume(CODE[cut - 1] not in " \n" and CODE[cut - back] != "\n")  # in the middle of a line
    assert join(CODE[:cut], CODE[cut - back :]) == CODE


@given(st.integers(1, 45))
def test_lines_that_are_equal_all_stay_where_they_were_cut(cut: int) -> None:
    code = "if x:\n" + "        self.buy()\n" * 2
    shown = code[:cut].rstrip()
    assert join(code[:cut], code[len(shown) :]) == code


def test_a_code_block_that_is_opened_again_is_one_block() -> None:
    assert join("```python\na = 1\n", "```python\nb = 2\n```\n") == "```python\na = 1\nb = 2\n```\n"
    assert join("text\n", "```python\nb = 2\n```\n") == "text\n```python\nb = 2\n```\n"


@given(st.text(alphabet="ab \n", max_size=40), st.text(alphabet="ab \n", max_size=40))
def test_joining_never_loses_the_text_before_the_seam(text: str, rest: str) -> None:
    assert join(text, rest).startswith(text)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("no code", False),
        ("```python\nx = 1\n", True),
        ("```python\nx = 1\n```", False),
        ("~~~\n```\n~~~\n", False),
        ("````markdown\n```python\nx\n```\n````\n", False),
        ("a ``` in the middle of a line", False),
        (CODE + "```python\nmore", True),
    ],
)
def test_an_open_code_block_is_seen(text: str, inside: bool) -> None:
    assert ends_inside_fence(text) is inside


def test_a_truncated_answer_is_continued_until_it_is_whole() -> None:
    memory = InMemoryCalls()
    model = ScriptedModel([part(CODE[:30]), part(CODE[30:60]), part(CODE[60:], StopReason.COMPLETE)])
    answer = client_with(memory).ask(model, PROMPT, labels={})
    assert answer.text == CODE
    assert [prompt.continuing for prompt in model.prompts] == ["", CODE[:30], CODE[:60]]
    assert answer.attempts == 3
    assert answer.usage == Usage(3000, 300)
    assert answer.cost_usd == Decimal("0.0035") * 3
    assert [record.cost_usd for record in memory.records] == [Decimal("0.0035")] * 3


def test_an_answer_that_says_it_is_complete_inside_a_code_block_is_continued() -> None:
    model = ScriptedModel([part(CODE[:60], StopReason.COMPLETE), part(CODE[60:], StopReason.COMPLETE)])
    assert client_with().ask(model, PROMPT, labels={}).text == CODE


def test_an_answer_wrapped_whole_into_a_block_is_not_taken_for_a_cut_one() -> None:
    wrapped = f"```markdown\n# Note\n{CODE}```"
    model = ScriptedModel([part(wrapped, StopReason.COMPLETE)])
    assert client_with().ask(model, PROMPT, labels={}).text == wrapped
    assert model.asked == 1


def test_the_parts_that_are_there_are_not_paid_for_again() -> None:
    memory = InMemoryCalls()
    first = ScriptedModel([part(CODE[:30])], then=Overloaded("busy"))
    with pytest.raises(Overloaded):
        client_with(memory).ask(first, PROMPT, labels={})
    second = ScriptedModel([part(CODE[30:], StopReason.COMPLETE)])
    answer = client_with(memory).ask(second, PROMPT, labels={})
    assert (answer.text, answer.attempts, answer.replayed) == (CODE, 1, False)
    assert (answer.cost_usd, answer.original_cost_usd) == (Decimal("0.0035"), Decimal("0.0070"))
    again = client_with(memory).ask(ScriptedModel(), PROMPT, labels={})
    assert (again.text, again.replayed, again.cost_usd) == (CODE, True, Decimal(0))


def test_an_answer_that_never_ends_is_given_up_and_named() -> None:
    model = ScriptedModel(then=part("and so on "))
    with pytest.raises(Truncated, match="gpt-4o"):
        client_with().ask(model, PROMPT, labels={})
    assert model.asked == MOST_PARTS


def test_a_part_that_was_all_thinking_is_given_more_room_and_nothing_to_continue() -> None:
    model = ScriptedModel([part(""), part("fine", StopReason.COMPLETE)])
    assert client_with().ask(model, PROMPT, labels={}).text == "fine"
    assert model.prompts[1].continuing == ""
    assert model.prompts[1].max_output_tokens == 4 * PROMPT.max_output_tokens


@given(st.lists(st.sampled_from(["", "text "]), max_size=6), st.integers(1, 200_000))
def test_the_room_only_grows_and_has_an_end(texts: list[str], limit: int) -> None:
    prompt = Prompt("write", "s", "u", max_output_tokens=limit)
    parts = [part(text) for text in texts]
    following = next_prompt(prompt, parts)
    assert limit <= following.max_output_tokens <= max(limit, 65_536)
    assert following.continuing == joined(parts).rstrip()


def test_an_answer_that_was_all_thinking_is_not_replayed_for_ever() -> None:
    memory = InMemoryCalls()
    for _ in range(2):
        model = ScriptedModel(then=part(""))
        with pytest.raises(Truncated):
            client_with(memory).ask(model, PROMPT_WITH_ROOM, labels={})
        assert model.asked == MOST_PARTS
