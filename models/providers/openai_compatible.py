"""OpenAI, and every service that speaks its chat completions: one `Service` row each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from models.base import GO_ON, Prompt, Usage
from models.providers import untrusted
from models.providers.dialect import Dialect
from models.providers.exchange import SDK, Request
from models.providers.hosted import HostedModel, written
from models.providers.rejection import Rejection
from models.providers.reply import Reply, cost_in
from models.providers.server_events import json_values
from models.secrets import Secret

if TYPE_CHECKING:
    import httpx2
    import openai

# The SDK cannot be made without a key. This one is not sent.
_NO_KEY = "none"

_OPENAI_HOST = "api.openai.com"


class OpenAICompatible(HostedModel["openai.OpenAI"]):
    """A model behind a chat completions endpoint."""

    path = "/chat/completions"

    @staticmethod
    def build_client(base_url: str, key: Secret, http: httpx2.Client) -> openai.OpenAI:
        """See `HostedModel.build_client`."""
        import openai

        client = openai.OpenAI(
            api_key=key.reveal() or _NO_KEY, base_url=base_url, max_retries=0, http_client=http
        )
        if urlsplit(base_url).hostname != _OPENAI_HOST:
            # The SDK reads them from the process's environment, and they are nobody else's business.
            client.organization = client.project = None
        return client

    @staticmethod
    def _sdk() -> SDK:
        import openai

        return cast(SDK, openai)

    def _first_dialect(self) -> Dialect:
        return Dialect.expected_of(self.model)

    def _request(self, prompt: Prompt, dialect: Dialect) -> Request:
        optional = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": prompt.temperature,
            "prompt_cache_key": _cache_key(prompt.system) if self.service.takes_cache_key else None,
            **self.service.extra_body,
        }
        body = {
            "model": self.model,
            "messages": _messages(prompt, dialect),
            **dialect.limit(prompt.max_output_tokens),
            **dialect.kept(optional),
        }
        return Request(self.path, body, {} if self._connection.key.reveal() else _no_key())

    def _read(self, body: bytes) -> Reply:
        reply = _ChatReply()
        for value in json_values(body):
            reply.add(value)
        return reply


@dataclass(slots=True)
class _ChatReply(Reply):
    """Streamed chunks, or the one body of a server that ignores ``stream``."""

    def add(self, part: object) -> None:
        """Take in one JSON value from the wire, whatever it is."""
        if isinstance(part, list):
            self.rejection = Rejection.from_body(part) or self.rejection
            part = part[0] if part else None
        if not isinstance(part, dict):
            self.garbled = True
            return
        self.model = untrusted.text(part, "model") or self.model
        usage = untrusted.mapping(part, "usage") or untrusted.mapping(
            untrusted.mapping(part, "x_groq"), "usage"
        )
        if usage:
            self.usage = _usage(usage) or self.usage
            self.cost_usd = cost_in(usage) if cost_in(usage) is not None else self.cost_usd
        self._reject(part)
        choices = part.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            self._add_choice(choices[0])

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        self.begun = True
        message = untrusted.mapping(choice, "delta") or untrusted.mapping(choice, "message")
        self.text += _content(message)
        self.refusal += untrusted.text(message, "refusal")
        self.finish = untrusted.text(choice, "finish_reason") or self.finish
        self._reject(choice)

    def _reject(self, holder: Mapping[str, Any]) -> None:
        if error := holder.get("error"):
            self.rejection = Rejection.from_body({"error": error}) or Rejection(str(error))
        elif "choices" not in holder and isinstance(holder.get("message"), str):
            self.rejection = Rejection.from_body(holder)


def _no_key() -> dict[str, openai.Omit]:
    import openai

    return {"Authorization": openai.Omit()}


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message. Mistral's reasoning models send a list of parts, some of them thoughts."""
    parts = message.get("content")
    if isinstance(parts, list):
        return "".join(untrusted.text(part, "text") for part in parts)
    return untrusted.text(message, "content")


def _messages(prompt: Prompt, dialect: Dialect) -> list[dict[str, str]]:
    if dialect.system_role:
        said = [("system", prompt.system), ("user", prompt.user)]
    else:
        said = [("user", "\n\n".join(text for text in (prompt.system, prompt.user) if text))]
    if prompt.continuing:
        said += [("assistant", prompt.continuing), ("user", GO_ON)]
    return [{"role": role, "content": written(text)} for role, text in said if text or role == "user"]


def _cache_key(system: str) -> str:
    return hashlib.sha256(system.encode("utf-8", "replace")).hexdigest()[:32]


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    """OpenAI's ``prompt_tokens`` includes the cached ones already. ``None`` if what was sent or written is not said.

    Some services leave the reasoning out of ``completion_tokens``, but never out of ``total_tokens``.
    """
    prompt = untrusted.mapping(usage, "prompt_tokens_details")
    completion = untrusted.mapping(usage, "completion_tokens_details")
    sent = untrusted.count(usage, "prompt_tokens")
    written_out = untrusted.count(usage, "completion_tokens")
    total = untrusted.count(usage, "total_tokens")
    if sent is None or (written_out is None and total is None):
        return None
    return Usage(
        input_tokens=sent,
        output_tokens=max(written_out or 0, (total or 0) - sent),
        cache_read_tokens=untrusted.count(prompt, "cached_tokens")
        or untrusted.count(usage, "prompt_cache_hit_tokens")
        or 0,
        cache_write_tokens=untrusted.count(prompt, "cache_write_tokens") or 0,
        reasoning_tokens=untrusted.count(completion, "reasoning_tokens") or 0,
    )
