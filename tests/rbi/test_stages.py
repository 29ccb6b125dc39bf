"""The stages and what they make of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.domain import Coverage
from rbi.prompts import render
from rbi.stages.check import find_problem
from rbi.stages.research import parse_note
from rbi.stages.write import extract_code
from runners.base import FailureKind

NOTE = """# Golden cross
Coverage: partly
Direction: long
## Entries
- SMA(50) crosses above SMA(200)
## Ignored
- funding rate
- order book
## Why not
"""

CODE = "from backtesting import Strategy\n\n\nclass S(Strategy):\n    pass\n"


def test_a_note_is_read_with_its_name_coverage_and_what_it_ignored() -> None:
    note = parse_note(NOTE)
    assert (note.name, note.coverage, note.ignored) == (
        "Golden cross",
        Coverage.PARTLY,
        ("funding rate", "order book"),
    )


@pytest.mark.parametrize("line", ["**Coverage:** none", "coverage - NONE", "- Coverage: none (no bars)"])
def test_coverage_is_found_however_a_model_decorates_it(line: str) -> None:
    note = parse_note(f"# X\n{line}\n## Why not\nIt needs the order book.\n")
    assert (note.coverage, note.why_not) == (Coverage.NONE, "It needs the order book.")


def test_a_note_that_does_not_state_its_coverage_is_not_taken_for_complete() -> None:
    assert parse_note("some prose").coverage is Coverage.PARTLY


def test_nothing_ignored_is_nothing() -> None:
    assert parse_note("# X\nCoverage: wholly\n## Ignored\n- None.\n").ignored == ()


@given(st.text(max_size=500))
def test_any_text_is_a_note(text: str) -> None:
    assert parse_note(text).markdown == text


def test_code_is_taken_from_the_longest_closed_block() -> None:
    text = f"I changed x.\n```python\nx = 1\n```\nand\n```py\n{CODE}```\nbye"
    assert extract_code(text) == (CODE, "I changed x.", None)


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


def test_a_prompt_needs_exactly_its_inputs() -> None:
    with pytest.raises(ValueError, match="do not match"):
        render("research", {})
    with pytest.raises(ValueError, match="do not match"):
        render("research", {"idea": "x", "more": "y"})


def test_an_idea_cannot_reach_another_place_of_the_prompt() -> None:
    prompt = render("research", {"idea": "{{note}} {{idea}} \\1"})
    assert "{{note}} {{idea}} \\1" in prompt.user
    assert "{{note}}" not in prompt.system


@pytest.mark.parametrize("stage", ["research", "write", "debug"])
def test_a_prompts_first_line_names_its_stage(stage: str) -> None:
    versions = {"python": "3", "backtesting": "0", "pandas": "3", "numpy": "2"}
    inputs = {
        "research": {"idea": "i"},
        "write": {"idea": "i", "note": "n", **versions},
        "debug": {"idea": "i", "note": "n", "code": "c", "failure": "f", "tried": "t", **versions},
    }[stage]
    prompt = render(stage, inputs)
    assert prompt.system.splitlines()[0] == f"Stage: {stage}"
    for name in inputs.keys() - versions.keys():
        assert f"<{name}>" in prompt.user
