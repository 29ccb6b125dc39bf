"""The stages and what they make of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.stages.check import find_problem
from rbi.stages.write import extract_code
from runners.base import FailureKind

CODE = "from backtesting import Strategy\n\n\nclass S(Strategy):\n    pass\n"


def test_code_is_taken_from_the_longest_closed_block() -> None:
    text = f"I changed x.\n```python\nx = 1\n```\nand\n```py\n{CODE}```\nbye"
    assert extract_code(text) == (CODE, "I changed x.", None)


@pytest.mark.parametrize(
    "answer",
    [
        "Install:\n```bash\npip install backtesting\n```\nThe code:\n```python\n{}```\nRun:\n```sh\npython s.py\n```\n",
        "The file:\n```text\nstrategy.py\n```\n```Python\n{}```\n",
        "Sure:\n```python3\n{}```\n",
        "```python title=strategy.py\n{}```\nand run it\n```bash\npython strategy.py",
        "~~~python\n{}~~~\n",
        "````markdown\nThe code:\n```python\n{}```\n````\n",
        "```markdown\n# Strategy\n```python\n{}```\n```\n",
        "```python\n{}```\nTuning:\n```python\n" + "bt.optimize(n=range(5, 30))\n" * 9 + "```\n",
    ],
)
def test_blocks_of_other_things_are_not_taken_for_the_module(answer: str) -> None:
    source, _, problem = extract_code(answer.format(CODE))
    assert (source, problem) == (CODE, None)


def test_a_block_that_is_indented_as_a_whole_is_not_indented_code() -> None:
    indented = "".join(f"   {line}" for line in f"```python\n{CODE}```\n".splitlines(keepends=True))
    assert extract_code(f"1. The code:\n\n{indented}2. Enjoy.") == (CODE, "1. The code:", None)


def test_an_answer_without_fences_is_code() -> None:
    assert extract_code(CODE) == (CODE, "", None)


def test_what_a_model_thought_is_neither_code_nor_remark() -> None:
    thought = f"<think>\nI could write\n```python\n{CODE * 5}```\n</think>\n"
    assert extract_code(f"{thought}I changed x.\n```python\n{CODE}```") == (CODE, "I changed x.", None)


def test_an_answer_cut_off_inside_its_code_is_never_run() -> None:
    _, _, problem = extract_code(f"```python\n{CODE}    def next(self):\n        if")
    assert problem is not None
    assert problem.kind is FailureKind.SYNTAX
    assert "cut off" in problem.message


@given(st.text(alphabet=st.characters(exclude_characters="`"), max_size=200))
def test_closed_code_comes_back_whole(body: str) -> None:
    source, _, problem = extract_code(f"```python\n{body}\n```")
    assert (source.strip(), problem) == (body.strip(), None)


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("class S(\n", FailureKind.SYNTAX, 1),
        ("x = 1\nif x\n", FailureKind.SYNTAX, 2),
        ("x = 1\n", FailureKind.NO_STRATEGY_CLASS, None),
        ("", FailureKind.NO_STRATEGY_CLASS, None),
        ("x = '\0'", FailureKind.SYNTAX, None),
    ],
)
def test_what_cannot_run_is_known_without_running(source: str, kind: FailureKind, line: int | None) -> None:
    problem = find_problem(source)
    assert problem is not None
    assert problem.kind is kind
    if line is not None:
        assert problem.line == line
    assert problem.hint


def test_a_sound_module_has_no_problem() -> None:
    assert find_problem(CODE) is None
