"""What an answer says of its change: a version that does not say what it changes and why is not worth a backtest."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^[\s>*_#\-]*(change|why)[\s*_]*[:=][\s*_]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_GREETING = re.compile(
    r"\W*(?:sure|certainly|of course|absolutely|okay|ok|great|thanks|thank you|hello|hi|below|happy to|let me|i hope"
    r"|here(?:'s|\u2019s| is| are| you)|(?:the )?(?:complete|updated|improved|optimi[sz]ed|full|revised|new)\b)",
    re.IGNORECASE,
)
_LONGEST_GREETING = 9  # words; a longer sentence that begins like one says something
_FEWEST_WORDS = 3


def explanation(answer: str) -> str:
    """What an answer says that it changes and why, in one line; empty if it does not say.

    ``Change:`` and ``Why:`` lines, before or after the code; else the sentences before the code, greetings left out.
    """
    outside = _BLOCK.sub("\n", answer)
    named = {name.lower(): _one_line(text) for name, text in _LINE.findall(outside)}
    if named.get("change"):
        return f"Change: {named['change']}" + (f" Why: {named['why']}" if named.get("why") else "")
    block = _BLOCK.search(answer)
    if not block:
        return ""  # code altogether, or words altogether
    return _one_line(" ".join(_telling(answer[: block.start()])))


def _telling(words: str) -> list[str]:
    sentences = [sentence.strip() for sentence in _SENTENCE.split(words)]
    return [s for s in sentences if len(s.split()) >= _FEWEST_WORDS and not _is_greeting(s)]


def _is_greeting(sentence: str) -> bool:
    return bool(_GREETING.match(sentence)) and len(sentence.split()) <= _LONGEST_GREETING


def _one_line(text: str) -> str:
    return " ".join(text.split())
