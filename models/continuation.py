"""Answers that were cut off: telling that they were, asking for the rest, and putting the parts together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from models.base import ModelResponse, Prompt, StopReason

MOST_PARTS = 4
"""How many parts are asked for before an answer is given up as `models.errors.Truncated`."""

_LARGER = 4
_LARGEST_OUTPUT = 65_536

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$", re.MULTILINE)

# A model that goes on likes to take a run-up; longer repeats than this are taken for text.
_LONGEST_OVERLAP = 400
_SHORTEST_OVERLAP = 12
_SHORTEST_AFTER_A_LINE = 40


def is_unfinished(parts: Sequence[ModelResponse]) -> bool:
    """Whether the newest part stopped at a limit, or all of them together end inside a code block."""
    if parts[-1].stop is StopReason.TRUNCATED:
        return True
    text = joined(parts)
    # A whole answer wrapped into a code block, with another inside, ends with a mark that only seems to open one.
    last_line = text.rstrip().rpartition("\n")[2].strip()
    return ends_inside_fence(text) and not (len(last_line) >= len("```") and set(last_line) <= {"`", "~"})


def ends_inside_fence(text: str) -> bool:
    """Whether a fenced code block is open at the end of a Markdown text."""
    opened = ""
    for fence in _FENCE.finditer(text):
        marks, info = fence[1], fence[2]
        if not opened:
            opened = marks
        elif marks[0] == opened[0] and len(marks) >= len(opened) and not info:
            opened = ""
    return bool(opened)


def joined(parts: Sequence[ModelResponse]) -> str:
    """The text of all parts as one, without what a model said twice at a seam."""
    text = ""
    for part in parts:
        text = join(text, part.text) if text else part.text
    return text


def join(text: str, rest: str) -> str:
    """``text`` continued by ``rest``.

    A code fence that ``rest`` opens although one is open already, and an end of ``text`` that it repeats, are
    left out. So is white space at the seam that both have: a model is not shown the one that ``text`` ends in.
    """
    if ends_inside_fence(text):
        reopened = _FENCE.match(rest.lstrip("\n"))
        if reopened and reopened[2]:
            rest = rest.lstrip("\n")[reopened.end() :].removeprefix("\n")
    blank = text[len(text.rstrip()) :]
    # A line that was ended is seldom begun again; the next one may well be its equal.
    at_a_line_end = "\n" in blank or rest.startswith("\n")
    shortest = _SHORTEST_AFTER_A_LINE if at_a_line_end else _SHORTEST_OVERLAP
    for length in range(min(len(text), len(rest), _LONGEST_OVERLAP), shortest - 1, -1):
        if text.endswith(rest[:length]):
            # What the text has more than once (rows of zeros, equal lines) may well come once more.
            return text + (rest if rest[:length] in text[:-1] else rest[length:])
    shared = next((n for n in range(len(blank), 0, -1) if rest.startswith(blank[-n:])), 0)
    return text + rest[shared:]


def next_prompt(prompt: Prompt, parts: Sequence[ModelResponse]) -> Prompt:
    """What to ask after ``parts``: the rest of the text.

    A part without any text was spent on thinking: for each one, more output tokens are allowed. White space at
    the end is not shown: Anthropic refuses it, and the models are to be told the same.
    """
    if not parts:
        return prompt
    wordless = sum(not part.text.strip() for part in parts)
    limit = prompt.max_output_tokens * _LARGER**wordless
    limit = max(prompt.max_output_tokens, min(limit, _LARGEST_OUTPUT))
    return replace(prompt, continuing=joined(parts).rstrip(), max_output_tokens=limit)
