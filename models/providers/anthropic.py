"""Claude models through Anthropic's messages endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from models.base import GO_ON, Prompt, Usage
from models.providers import untrusted
from models.providers.dialect import Dialect
from models.providers.exchange import SDK, Request
from models.providers.hosted import HostedModel, written
from models.providers.rejection import Rejection
from models.providers.reply import Reply
from models.providers.server_events import json_values
from models.secrets import Secret

if TYPE_CHECKING:
    import anthropic
    import httpx2

# The last version of the protocol that takes a temperature.
_WITH_TEMPERATURE = {"anthropic-version": "2023-06-01"}


class Anthropic(HostedModel["anthropic.Anthropic"]):
    """A Claude model. Sends a temperature only if the prompt has one: the newest protocol refuses it."""

    path = "/v1/messages"

    @staticmethod
    def build_client(base_url: str, key: Secret, http: httpx2.Client) -> anthropic.Anthropic:
        """See `HostedModel.build_client`."""
        import anthropic

        return anthropic.Anthropic(api_key=key.reveal(), base_url=base_url, max_retries=0, http_client=http)

    @staticmethod
    def _sdk() -> SDK:
        import anthropic

        return cast(SDK, anthropic)

    def _first_dialect(self) -> Dialect:
        return Dialect()

    def _request(self, prompt: Prompt, dialect: Dialect) -> Request:
        optional = {
            "stream": True,
            "temperature": prompt.temperature,
            "system": _system(written(prompt.system)),
        }
        body = {
            "model": self.model,
            "messages": _messages(prompt),
            **dialect.limit(prompt.max_output_tokens),
            **dialect.kept(optional),
        }
        return Request(self.path, body, _WITH_TEMPERATURE if "temperature" in body else {})

    def _read(self, body: bytes) -> Reply:
        reply = _MessageReply()
        for value in json_values(body):
            reply.add(value)
        return reply


@dataclass(slots=True)
class _MessageReply(Reply):
    """Streamed events, or the one body of a server that ignores ``stream``."""

    counts: dict[str, Any] = field(default_factory=dict)

    def add(self, event: object) -> None:
        """Take in one JSON value from the wire, whatever it is."""
        if not isinstance(event, dict):
            self.garbled = True
            return
        kind = untrusted.text(event, "type")
        if kind == "message_start":
            message = untrusted.mapping(event, "message")
            self.begun = bool(message)
            self.model = untrusted.text(message, "model") or None
            # Its output tokens are those of the beginning; an answer that breaks off has cost more.
            usage = untrusted.mapping(message, "usage")
            self._count({name: value for name, value in usage.items() if name != "output_tokens"})
        elif kind == "content_block_delta":
            self.text += untrusted.text(untrusted.mapping(event, "delta"), "text")
        elif kind == "message_delta":
            self.finish = untrusted.text(untrusted.mapping(event, "delta"), "stop_reason") or self.finish
            self._count(untrusted.mapping(event, "usage"))
        elif kind == "message":
            self._add_whole(event)
        elif error := event.get("error"):
            self.rejection = Rejection.from_body(event) or Rejection(str(error))

    def _add_whole(self, message: Mapping[str, Any]) -> None:
        self.begun = True
        self.model = untrusted.text(message, "model") or None
        self.finish = untrusted.text(message, "stop_reason") or None
        self._count(untrusted.mapping(message, "usage"))
        blocks = message.get("content")
        for block in blocks if isinstance(blocks, list) else ():
            self.text += untrusted.text(block, "text")

    def _count(self, usage: Mapping[str, Any]) -> None:
        # The last event's counts are running totals, and it may repeat only some of them.
        self.counts |= {name: value for name, value in usage.items() if value is not None}
        if self.counts:
            self.usage = _usage(self.counts)


def _usage(counts: Mapping[str, Any]) -> Usage | None:
    """Anthropic's ``input_tokens`` leaves the cached ones out; ours has them in. ``None`` if a count is none."""
    read = untrusted.count(counts, "cache_read_input_tokens") if "cache_read_input_tokens" in counts else 0
    kept = "cache_creation_input_tokens"
    written_to_cache = untrusted.count(counts, kept) if kept in counts else 0
    sent, written_out = untrusted.count(counts, "input_tokens"), untrusted.count(counts, "output_tokens")
    if read is None or written_to_cache is None or sent is None or written_out is None:
        return None
    details = untrusted.mapping(counts, "output_tokens_details")
    return Usage(
        input_tokens=sent + read + written_to_cache,
        output_tokens=written_out,
        cache_read_tokens=read,
        cache_write_tokens=written_to_cache,
        reasoning_tokens=untrusted.count(details, "thinking_tokens") or 0,
    )


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    said = [("user", prompt.user)]
    # A text of the model's own that ends in white space is refused.
    if unfinished := prompt.continuing.rstrip():
        said += [("assistant", unfinished), ("user", GO_ON)]
    return [{"role": role, "content": written(text)} for role, text in said]


def _system(text: str) -> Any:
    """The system text marked for the cache, which each model keeps from a length of its own on; nothing if empty."""
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}] if text else None
