"""What has come of an answer so far, in the same words for every protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.base import ModelResponse, StopReason, Usage
from models.errors import (
    ConnectionFailed,
    EmptyAnswer,
    MalformedAnswer,
    ModelError,
    Overloaded,
    Refused,
)
from models.providers import untrusted
from models.providers.rejection import Rejection

_TRY_ANOTHER = "Run again; if it keeps happening, use another model."

_CUT_SHORT = frozenset({"length", "max_tokens", "model_length", "model_context_window_exceeded"})
_DECLINED = frozenset(
    {"refusal", "content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"}
)
_LONGEST_REFUSAL = 600
# The provider gave up in the middle: what has come is no answer, whatever it looks like.
_GIVEN_UP = frozenset({"error", "insufficient_system_resource", "abort"})

# No call costs so many dollars; sums of such numbers would not fit into a record.
_NO_PRICE = 1e6

_THOUGHTS_BEGIN = re.compile(r"\s*<(think|thinking)>", re.IGNORECASE)


@dataclass(slots=True)
class Reply:
    """An answer as it comes in. ``begun`` says that something like an answer has come at all.

    ``finish`` is why the model stopped, in the provider's word; ``garbled`` that a part of it was not JSON.
    """

    text: str = ""
    refusal: str = ""
    finish: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None
    begun: bool = False
    garbled: bool = False
    rejection: Rejection | None = None

    def facts(self, asked_for: str) -> dict[str, Any]:
        """What an error keeps of the answer: it may have to be paid for."""
        return {"usage": self.usage, "model": self.model or asked_for, "reported_cost_usd": self.cost_usd}

    def judged(self, provider: str, asked_for: str, *, goes_on: bool = False) -> ModelResponse | ModelError:
        """The answer, or why it is none. It is one only if it came complete, with text, and was not declined.

        One that ``goes_on`` with what was cut off needs no text: nothing may have been left to say.
        """
        name, facts = f"{provider}:{asked_for}", self.facts(asked_for)
        text = without_thoughts(self.text)
        # Gemini writes its own words, or adds one: MAX_TOKENS, "content_filter: PROHIBITED_CONTENT".
        finish = self.finish and self.finish.lower().partition(":")[0]
        if self.refusal or finish in _DECLINED:
            said = f": {self.refusal[:_LONGEST_REFUSAL]}" if self.refusal else ""
            return Refused(f"{name} declined to answer{said}", hint="Reword the idea.", **facts)
        if finish in _CUT_SHORT:
            return self._response(text, StopReason.TRUNCATED, provider, asked_for)
        if self.garbled or not self.begun:
            said = f"{name} sent something that is not an answer"
            return MalformedAnswer(said, hint=_TRY_ANOTHER, **facts)
        if finish in _GIVEN_UP:
            said = f"{name} gave up in the middle of its answer: {self.finish}"
            return Overloaded(said, hint=f"{provider} is busy or failing: run again later.", **facts)
        if not text.strip() and not (goes_on and self.finish):
            return EmptyAnswer(f"{name} answered without text", hint=_TRY_ANOTHER, **facts)
        if self.finish is None:
            return ConnectionFailed(f"{name} stopped in the middle of its answer", hint=_TRY_ANOTHER, **facts)
        return self._response(text, StopReason.COMPLETE, provider, asked_for)

    def _response(self, text: str, stop: StopReason, provider: str, asked_for: str) -> ModelResponse:
        return ModelResponse(
            text=text,
            provider=provider,
            model=self.model or asked_for,
            usage=self.usage,
            stop=stop,
            reported_cost_usd=self.cost_usd,
        )


def without_thoughts(text: str) -> str:
    """``text`` without the thoughts that some models write before their answer.

    Thoughts without an end were cut off, and no answer has begun. Some servers swallow the word they begin with.
    """
    begins = _THOUGHTS_BEGIN.match(text)
    name = begins[1] if begins else "(?:think|thinking)"
    end = re.search(f"</{name}>", text, re.IGNORECASE)
    if end is None:
        return "" if begins else text
    thoughts, answer = text[: end.start()], text[end.end() :]
    if begins or (thoughts.endswith("\n") and answer[:1] in ("", "\n", "\r")):
        return answer.lstrip()
    return text


def cost_in(usage: Mapping[str, Any]) -> float | None:
    """The price in US dollars that came with the usage, if it is one.

    Where the user's own key for the service behind was used, that service's price comes on top.
    """
    cost = _price(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    return cost + (_price(untrusted.mapping(usage, "cost_details").get("upstream_inference_cost")) or 0.0)


def _price(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _NO_PRICE else None
