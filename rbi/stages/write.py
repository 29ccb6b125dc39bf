"""Write: a note becomes a strategy module."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent

from models.client import Answer
from rbi.domain import Attempt, AttemptReason, Draft
from rbi.stages.context import Context
from runners.base import Failure, FailureKind

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*?)[ \t]*$", re.MULTILINE)
_PYTHON = re.compile(r"\bpy(?:thon)?[\d.]*\b", re.IGNORECASE)
_CLASS = re.compile(r"^class\b", re.MULTILINE)
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Block:
    """A fenced block that begins at ``start``. ``is_code`` unless it says that it is something else than Python."""

    start: int
    text: str
    is_code: bool
    closed: bool


def write(draft: Draft, context: Context) -> Draft:
    """Ask for the code of the note's rules."""
    inputs = {"idea": draft.words, "note": note_text(draft), **context.version_inputs()}
    answer = context.effects.ask(draft.idea, "write", inputs)
    return add_attempt(draft, AttemptReason.WRITTEN, answer)


def note_text(draft: Draft) -> str:
    """The note as later prompts show it."""
    return draft.note.markdown if draft.note else ""


def add_attempt(draft: Draft, reason: AttemptReason, answer: Answer, *, base: int = 0) -> Draft:
    """The draft with the version that an answer holds, made from the attempt ``base``."""
    source, remark, problem = extract_code(answer.text)
    model = f"{answer.provider}:{answer.model}"
    attempt = Attempt(reason, source, model, remark, problem, base=base)
    return replace(draft, attempts=(*draft.attempts, attempt), models=(*draft.models, model))


def extract_code(text: str) -> tuple[str, str, Failure | None]:
    """The module in an answer, the words before it, and what is wrong if it is not complete.

    The longest fenced block with a class counts; blocks of shell commands, output and the like are passed over. An
    answer without fences is taken as code altogether. What a model thought before it answered is no part of either.
    """
    text = _THOUGHTS.sub("", text)
    found = list(_blocks(text))
    if not found:
        return text.strip() + "\n", "", None
    remark = text[: found[0].start].strip()
    code = [block for block in found if block.is_code] or found
    if not code[-1].closed:
        cut = Failure(
            FailureKind.SYNTAX,
            "the answer ends inside a code block: it was cut off",
            "answer with the whole module in one closed code block",
        )
        return code[-1].text, remark, cut
    return _longest(code).text.strip() + "\n", remark, None


def _longest(blocks: Sequence[_Block]) -> _Block:
    return max(blocks, key=lambda block: (bool(_CLASS.search(block.text)), len(block.text)))


def _blocks(text: str) -> Iterator[_Block]:
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif _closes(fence, opened):
            yield _block(text, opened, fence.start(), closed=True)
            opened = None
        elif not _may_be_code(opened) and _PYTHON.search(fence[3]):
            opened = fence  # an answer that is a block as a whole has its code in another inside
    if opened is not None and text[opened.end() :].strip():
        yield _block(text, opened, len(text), closed=False)


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    return fence[2].startswith(opened[2]) and not fence[3]


def _may_be_code(opened: re.Match[str]) -> bool:
    return not opened[3] or bool(_PYTHON.search(opened[3]))


def _block(text: str, opened: re.Match[str], end: int, *, closed: bool) -> _Block:
    body = text[opened.end() + 1 : end]
    # In a list the whole block is indented.
    return _Block(opened.start(), dedent(body) if opened[1] else body, _may_be_code(opened), closed)
