"""The parts of a request that not every model takes, and what a refusal of one teaches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.providers.rejection import Rejection

MAX_TOKENS = "max_tokens"
MAX_COMPLETION_TOKENS = "max_completion_tokens"

_OTHER_LIMIT_NAME = {MAX_TOKENS: MAX_COMPLETION_TOKENS, MAX_COMPLETION_TOKENS: MAX_TOKENS}
_LIMIT_NAMES = (MAX_COMPLETION_TOKENS, MAX_TOKENS, "max_output_tokens", "maxOutputTokens", "max_new_tokens")

# Leaving one of these out changes how an answer is sent or priced, or how it varies, but not what is asked.
_OPTIONAL = ("stream_options", "stream", "temperature", "prompt_cache_key", "usage")

_REASONING_MODEL = re.compile(r"(^|/)(o\d|gpt-([5-9]|\d\d))")
_TOO_LOW = re.compile(r"at least|minimum|below|>=|greater than or equal|higher max_tokens", re.IGNORECASE)
_WHOLE_NUMBER = re.compile(r"(?<![\w.,-])(\d{1,3}(?:,\d{3})+|\d{1,9})(?!\w|[.-]\d)( ?\(exclusive\))?")
# A gateway puts the status into the message.
_STATUS = re.compile(r"\b(?:code|status)\b\W{1,4}[45]\d\d\b", re.IGNORECASE)
_NO_STREAM = re.compile(
    r"\bstream(?:ing|=true)?\b[^.]{0,40}\bnot (?:supported|allowed|available|enabled)|not support streaming",
    re.IGNORECASE,
)
# A prompt and an answer that are too long together: another prompt may well leave room for the answer.
_NO_FAULT_OF_A_PARAMETER = re.compile(r"context (length|window|limit)|request too large", re.IGNORECASE)
_SYSTEM = r"['\"`]?\b(?:system|developer)['\"`]?"
_SAYING = r"(?:role|message|prompt|instruction)s?"
# "roles must alternate" and "only user and assistant" are what the chat templates of local models say.
_NO_SYSTEM_ROLE = re.compile(
    rf"\brole\b\W{{0,3}} does not support {_SYSTEM}"
    rf"|{_SYSTEM} {_SAYING} (?:(?:is|are) )?not (?:supported|enabled|allowed)\b"
    rf"|\b(?:does not|doesn't) support (?:the |a )?{_SYSTEM} {_SAYING}\b"
    r"|\bonly user and assistant roles are supported\b|\broles must alternate\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one model of one account is asked.

    ``limit_name`` is its name for the limit of output tokens, ``most_output_tokens`` the most it allows there, and
    ``refused`` holds the names that it does not take. Without a ``system_role`` the user says what the system would.
    """

    limit_name: str = MAX_TOKENS
    refused: frozenset[str] = frozenset()
    most_output_tokens: int | None = None
    system_role: bool = True

    @classmethod
    def expected_of(cls, model: str) -> Dialect:
        """What the name of a model behind OpenAI's protocol suggests."""
        return cls(MAX_COMPLETION_TOKENS if _REASONING_MODEL.search(model) else MAX_TOKENS)

    def limit(self, wanted: int) -> dict[str, int]:
        """The limit as it is sent."""
        allowed = wanted if self.most_output_tokens is None else min(wanted, self.most_output_tokens)
        return {self.limit_name: allowed}

    def kept(self, optional: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the optional parameters that the model takes and that are set."""
        return {
            name: value for name, value in optional.items() if name not in self.refused and value is not None
        }

    def after(self, rejection: Rejection, body: Mapping[str, Any]) -> Dialect:
        """The dialect to try after ``body`` was rejected; the same one if nothing can be changed."""
        if rejection.status not in (400, 422):
            return self
        if _has_system_role(body) and _NO_SYSTEM_ROLE.search(rejection.message):
            return replace(self, system_role=False)
        name = _named(rejection, body)
        if name in _LIMIT_NAMES:
            return self._with_other_limit(rejection, name, body[self.limit_name])
        if name == "stream":
            return replace(self, refused=self.refused | {"stream", "stream_options"})
        return replace(self, refused=self.refused | {name}) if name in _OPTIONAL and name in body else self

    def _with_other_limit(self, rejection: Rejection, name: str, sent: int) -> Dialect:
        if _TOO_LOW.search(rejection.message) and not _stated_limit(rejection.message, sent):
            return self
        if _NO_FAULT_OF_A_PARAMETER.search(rejection.message):
            return self
        other = _OTHER_LIMIT_NAME[self.limit_name]
        can_rename = name == self.limit_name and other not in self.refused
        renamed = replace(self, limit_name=other, refused=self.refused | {name})
        if can_rename and re.search(rf"\buse\W+{other}\b", rejection.message, re.IGNORECASE):
            return renamed
        if stated := _stated_limit(rejection.message, sent):
            return replace(self, most_output_tokens=stated)
        return renamed if can_rename else self


def _has_system_role(body: Mapping[str, Any]) -> bool:
    return any(message["role"] == "system" for message in body.get("messages", ()))


def _named(rejection: Rejection, body: Mapping[str, Any]) -> str:
    """The parameter that a rejection is about; empty if it names none that could be changed."""
    if rejection.parameter:
        return re.split(r"[.\[/]", re.sub(r"^/?(?:body\b)?[./]?", "", rejection.parameter), maxsplit=1)[0]
    # The name that was sent first: a refusal may also mention the one that is to be used instead of it.
    for name in (*sorted(_LIMIT_NAMES, key=lambda name: name not in body), *_OPTIONAL):
        # "usage" and "stream" are words as well, and need quotes to be names.
        pattern = rf"['\"`]{name}\b" if name in ("usage", "stream") else rf"\b{name}\b"
        if (name in body or name in _LIMIT_NAMES) and re.search(pattern, rejection.message, re.IGNORECASE):
            return name
    return "stream" if "stream" in body and _NO_STREAM.search(rejection.message) else ""


def _stated_limit(message: str, sent: int) -> int | None:
    """The largest number in a message that is smaller than what was sent: the limit that it should have been."""
    found = _WHOLE_NUMBER.findall(_STATUS.sub("", message))
    stated = (int(number.replace(",", "")) - bool(exclusive) for number, exclusive in found)
    return max((number for number in stated if 1 < number < sent), default=None)
