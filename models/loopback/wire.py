"""What the two protocols have in common: reading questions out of bodies, and writing server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from models.base import RateReport, Usage
from models.loopback.answers import Asked, Failure, Reply
from models.loopback.limits import Excess

_WORDS_PER_EVENT = 20


class Wire(Protocol):
    """One protocol. Events are whole server-sent events, ready to be written.

    ``opening_events`` of a stream bring its first text, and not yet its end.
    """

    opening_events: int

    def asked(self, body: Mapping[str, Any], number: int) -> Asked:
        """The question in a request's body."""
        ...

    def whole(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def hollow(self, asked: Asked) -> str:
        """A body, or the events of a stream, without any answer in it."""
        ...

    def events(self, asked: Asked, reply: Reply, usage: Usage, *, wants_usage: bool) -> Iterator[str]:
        """A streamed answer."""
        ...

    def opening_usage(self, usage: Usage) -> Usage | None:
        """What the opening events of a stream say of the usage; ``None`` when they say nothing."""
        ...

    def error(self, failure: Failure) -> dict[str, Any]:
        """An error's body."""
        ...

    def error_event(self, failure: Failure) -> str:
        """An error in the middle of a stream."""
        ...

    def headers(self, number: int, report: RateReport) -> dict[str, str]:
        """The headers of every response: the request's name and the state of the limits."""
        ...

    def too_many(self, asked: Asked, excess: Excess, *, says_when: bool) -> Failure:
        """The answer to a request that breaks a limit."""
        ...


def messages_of(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message; what is no message is left out."""
    messages = body.get("messages")
    return [
        (str(message.get("role")), text_of(message.get("content", "")))
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, Mapping)
    ]


def first_said(messages: list[tuple[str, str]], *roles: str) -> str:
    """What the first message with one of the roles says."""
    return next((text for role, text in messages if role in roles), "")


def text_of(content: object) -> str:
    """Both protocols take text, or a list of blocks."""
    if isinstance(content, list):
        return "".join(str(block.get("text", "")) for block in content if isinstance(block, Mapping))
    return content if isinstance(content, str) else ""


def limit_of(body: Mapping[str, Any], *names: str) -> int | None:
    """The first of the named parameters that is a whole number."""
    return next((body[name] for name in names if isinstance(body.get(name), int)), None)


def pieces(text: str) -> Iterator[str]:
    """The text in parts of a few words, which together are the text."""
    words = text.split(" ")
    for start in range(0, len(words), _WORDS_PER_EVENT):
        yield (" " if start else "") + " ".join(words[start : start + _WORDS_PER_EVENT])


def event(data: Mapping[str, Any]) -> str:
    """A server-sent event without a name."""
    return f"data: {json.dumps(data)}\n\n"


def named_event(kind: str, **data: Any) -> str:
    """A server-sent event whose data says what it is called, too."""
    return f"event: {kind}\n{event({'type': kind, **data})}"
