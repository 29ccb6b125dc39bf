"""Lines that are no ideas though they stand among them: fragments, headings, and what was said to or by a model.

A look at the words, before anything is paid for. It says what it suspects and why; what to do is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from rbi.domain import normalised
from rbi.intake.links import find_links
from rbi.terminal import counted

_FEWEST_WORDS = 3
_LONGEST_HEADING = 120
_LONGEST_DANGLING = 40  # characters: looking through the whole text would find no more


class Suspicion(StrEnum):
    """What a line seems to be instead of an idea."""

    FRAGMENT = "fragment"
    HEADING = "heading"
    PROMPT = "leaked prompt"
    NO_RULE = "no rule"


@dataclass(frozen=True, slots=True)
class Flag:
    """What an idea is suspected of, and the words or the lack of them that led to it."""

    suspicion: Suspicion
    reason: str


# What is said to a model, or by it about its answer.
_PROMPT = re.compile(
    r"\b(?:(?<![\w,] )(?:you are (?:an?|the|now)|act as (?:an?|the))\b"
    r"|as an? (?:ai|artificial|large|language) |(?:previous|prior|above|these|following|all) instructions\b"
    r"|i(?:'m| am) (?:sorry|an ai|happy to|unable to|ready to)\b|i (?:cannot|can't|can not|hope this)\b"
    r"|i(?:'ll| will) (?:provide|generate|give|list|create|write)\b"
    r"|here(?:'s| are| is) .{0,40}\b(?:ideas?|strateg(?:y|ies)|list|concepts?)\b"
    r"|(?<!.)(?:sure|certainly|of course|absolutely|okay)[,!.:]"
    r"|your (?:(?:response|answer|output|reply|task) (?:is|must|should|will)|task)\b"
    r"|(?:respond|reply|answer) (?:only|with|in)\b|output only\b|do not (?:include|explain|repeat|output)\b"
    r"|(?:generate|give me|provide|write|list|create|come up with|brainstorm|suggest) (?:me )?"
    r"(?:\d+|two|three|five|ten|some|several|more|multiple)\b.{0,40}\b(?:ideas|strategies|concepts)\b"
    r"|(?:one|each) (?:idea|strategy) (?:per|on (?:each|its own)) line\b|(?:user|assistant):|system prompt\b"
    r"|let me know\b|would you like\b|feel free to\b|knowledge cutoff\b|language model\b|chatgpt\b)"
    r"|<(?:\||/?(?:think|thinking|system|user|assistant|idea|ideas|output|answer)>)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^(?:```|~~~)")

_NUMBERED = re.compile(
    r"^(?:[\W_]*)(?:strategy|idea|trading idea|concept|example|part|section|chapter|step|category|group|option|no\.?)?"
    r"\s*#?\s*(?:\d+|[ivx]+)?\s*[.):\-–—*_\s]*$",  # noqa: RUF001 - dashes are what people write
    re.IGNORECASE,
)
_MARKED = re.compile(r"^(?:#{1,6}\s+\S|={3,}|-{3,}|\*{3,}|(?:\*\*|__)[^*_]+(?:\*\*|__):?$)")

_DANGLING = re.compile(
    r"(?:\b(?:e\.\s?g|i\.\s?e|such as|for example|including)\.?"
    r"|\b(?:and|or|but|the|a|an|of|to|with|when|if|while|where|which|that|by|for|from|at|than|is|are"
    r"|was|exceeds|between|using|via|until|as|its|their|into)"
    r"|[,;(\[/&+=<>]|[-–—])[\s\"'”’]*$",  # noqa: RUF001
    re.IGNORECASE,
)
_BEGINS_INSIDE = re.compile(r"^(?:[,;)\]%.]|(?:and|or|but|which|whose|than|of|thereby)\s)")
# "targeting 1." was "targeting 1.5x ..."; after "day 5." and "crosses above 0." nothing need be missing.
_CUT_NUMBER = re.compile(r"(?:^|[\s<>=≤≥(~$])(?P<number>\d)\.$")
_WHOLE_NUMBER = re.compile(
    r"(?:\b(?:day|bar|candle|candles|period|level|step|phase|stage|top|number|no|rank|q|week|month|hour|minute)s?"
    r"|\bto|\bcross\w*(?: back)?(?: above| below| over| under| through)?) \d\.$|[:/]\s?\d\.$",
    re.IGNORECASE,
)

_ACTION = re.compile(
    r"\b(?:enter\w*|entr(?:y|ies)|exit\w*|buy\w*|bought|sell\w*|sold|longs?|shorts?|shorting|fade|fading|accumulate"
    r"|go(?:es|ing)? (?:long|short|flat)|clos(?:e|es|ing) (?:the |all |out )?(?:position|trade)s?|position sizing"
    r"|stop(?:s|-loss|-losses| loss)?|take[- ]profits?|trailing|hold\w*|rebalanc\w*|invest\w*|scal(?:e|ing) (?:in|out)"
    r"|revers(?:e|es) (?:the )?position)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:when\w*|if|once|after|until|unless|while|during|upon|as soon as|every|each|only|at the (?:open|close)"
    r"|cross\w*|above|below|exceed\w*|touch\w*|breach\w*"
    r"|break(?:s|ing)? (?:above|below|out|through|the|an?|its|under|over|from)|trigger\w*|hits?|reach\w*|ris(?:es|ing)"
    r"|fall(?:s|ing)?|drops?|clos(?:e|es) (?:above|below|outside|inside)|greater|less|lower|higher|more than|at least"
    r"|confirm(?:s|ed|ing)?|coincid\w*|diverg(?:es|ing)|contract(?:s|ing)?|expand(?:s|ing)?|align\w*|turns?|narrow\w*"
    r"|surg(?:e|es|ing)|oversold|overbought|lowest|highest)\b|[<>≤≥]|\d\s?%",
    re.IGNORECASE,
)


def flag(text: str) -> Flag | None:
    """What an idea's text is suspected of, or ``None``.

    Text with a link in it is judged by its document, later.
    """
    plain = normalised(text)
    if find_links(plain):
        return None
    # A heading is one line; above others it is a part of the idea.
    checks = (
        (_prompt, _fragment, _no_rule) if "\n" in text.strip() else (_prompt, _heading, _fragment, _no_rule)
    )
    for check in checks:
        found = check(plain)
        if found:
            return found
    return None


def _prompt(text: str) -> Flag | None:
    found = _PROMPT.search(text) or _FENCE.search(text)
    if found:
        return Flag(Suspicion.PROMPT, f"{found[0].strip()!r} is said to a model or by one")
    return None


def _heading(text: str) -> Flag | None:
    if _NUMBERED.match(text):
        return Flag(Suspicion.HEADING, "a number or a name of a section, without an idea")
    if _MARKED.match(text):
        return Flag(Suspicion.HEADING, "it is marked as a heading")
    if text.endswith(":") and len(text) <= _LONGEST_HEADING:
        return Flag(Suspicion.HEADING, "it announces what follows: it ends in a colon")
    return None


def _fragment(text: str) -> Flag | None:
    dangling = _DANGLING.search(text[-_LONGEST_DANGLING:])
    if dangling:
        return Flag(Suspicion.FRAGMENT, f"it breaks off after {dangling[0].strip()!r}")
    if _is_cut_number(text):
        return Flag(Suspicion.FRAGMENT, f"it breaks off in a number: '{text.rsplit(maxsplit=1)[-1]}'")
    if text.count("(") > text.count(")"):
        return Flag(Suspicion.FRAGMENT, "a bracket is opened and never closed: it breaks off")
    if _BEGINS_INSIDE.match(text):
        return Flag(Suspicion.FRAGMENT, "it begins in the middle of a sentence")
    return None


def _is_cut_number(text: str) -> bool:
    return _CUT_NUMBER.search(text) is not None and _WHOLE_NUMBER.search(text) is None


def _no_rule(text: str) -> Flag | None:
    words = re.findall(r"\w+", text)
    has_action, has_condition = bool(_ACTION.search(text)), bool(_CONDITION.search(text))
    if len(words) < _FEWEST_WORDS and not has_action:
        return Flag(Suspicion.NO_RULE, f"only {counted(len(words), 'word')}, and nothing in it buys or sells")
    if not has_action and not has_condition:
        return Flag(Suspicion.NO_RULE, "no word of it says when to enter or exit")
    return None
