"""Write: a note becomes a strategy module."""

from __future__ import annotations

import re
from dataclasses import replace

from models.client import Answer
from rbi.domain import Attempt, AttemptReason, Draft
from rbi.stages.context import Context
from runners.base import Failure, FailureKind

_OPEN = re.compile(r"^[ \t]*```[ \t]*(?:python|py)?[ \t]*$", re.IGNORECASE | re.MULTILINE)
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"^[ \t]*```[ \t]*$", re.MULTILINE)


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

    The longest fenced block counts. An answer without fences is taken as code altogether. What a model thought
    before it answered is no part of either.
    """
    text = _THOUGHTS.sub("", text)
    opening = _OPEN.search(text)
    if not opening:
        return text.strip() + "\n", "", None
    remark = text[: opening.start()].strip()
    blocks: list[str] = []
    while opening:
        closing = _CLOSE.search(text, opening.end() + 1)
        if not closing:
            cut = Failure(
                FailureKind.SYNTAX,
                "the answer ends inside a code block: it was cut off",
                "answer with the whole module in one closed code block",
            )
            return text[opening.end() + 1 :], remark, cut
        blocks.append(text[opening.end() + 1 : closing.start()])
        opening = _OPEN.search(text, closing.end())
    return max(blocks, key=len).strip() + "\n", remark, None
