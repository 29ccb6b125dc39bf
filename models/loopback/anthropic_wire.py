"""Anthropic's messages on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from models.base import RateReport, StopReason, Usage
from models.loopback.answers import Asked, Failure, Reply
from models.loopback.limits import Excess
from models.loopback.rates import anthropic_headers, anthropic_refusal
from models.loopback.tokens import CHARACTERS_PER_TOKEN
from models.loopback.wire import first_said, limit_of, messages_of, named_event, pieces, text_of


class AnthropicWire:
    """Messages."""

    opening_events = 3
    _ERROR_TYPES: Mapping[int, str] = {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }

    def asked(self, body: Mapping[str, Any], number: int) -> Asked:
        """See `Wire`."""
        messages = messages_of(body)
        system = text_of(body.get("system", ""))
        size = len(system) + sum(len(text) for _, text in messages)
        return Asked(
            protocol="anthropic",
            model=str(body.get("model", "")),
            system=system,
            user=first_said(messages, "user"),
            streaming=bool(body.get("stream")),
            number=number,
            continuing="".join(text for role, text in messages if role == "assistant"),
            max_output_tokens=limit_of(body, "max_tokens"),
            input_tokens=size // CHARACTERS_PER_TOKEN + 1,
            parameters=frozenset(body),
            prefix=_marked_prefix(body),
        )

    def whole(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """See `Wire`."""
        content = [{"type": "text", "text": reply.text}] if reply.text else []
        return {
            **self._message(asked),
            "content": content,
            "stop_reason": self._stop(reply),
            "usage": self._usage(usage),
        }

    def events(self, asked: Asked, reply: Reply, usage: Usage, *, wants_usage: bool) -> Iterator[str]:  # noqa: ARG002
        """See `Wire`; usage is always part of a stream here."""
        counts = self._usage(usage)
        start = {**self._message(asked), "usage": {**counts, "output_tokens": 1}}
        yield named_event("message_start", message=start)
        if reply.text:
            yield named_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for piece in pieces(reply.text):
                yield named_event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
            yield named_event("content_block_stop", index=0)
        end = {"stop_reason": self._stop(reply), "stop_sequence": None}
        yield named_event("message_delta", delta=end, usage={"output_tokens": usage.output_tokens})
        yield named_event("message_stop")

    def error(self, failure: Failure) -> dict[str, Any]:
        """See `Wire`."""
        error: dict[str, Any] = {"type": self._error_type(failure), "message": failure.message}
        if failure.code:
            error["details"] = {"error_code": failure.code}
        return {"type": "error", "error": error}

    def error_event(self, failure: Failure) -> str:
        """See `Wire`."""
        return f"event: error\ndata: {json.dumps(self.error(failure))}\n\n"

    def hollow(self, asked: Asked) -> str:
        """See `Wire`."""
        if asked.streaming:
            return named_event("ping")
        usage = self._usage(Usage())
        return json.dumps({**self._message(asked), "stop_reason": "end_turn", "usage": usage})

    def opening_usage(self, usage: Usage) -> Usage | None:
        """See `Wire`: the input is known at the start, and one token of output is stated with it."""
        return replace(usage, output_tokens=1, reasoning_tokens=0)

    def headers(self, number: int, report: RateReport) -> dict[str, str]:
        """See `Wire`."""
        return {"request-id": f"req_{number}", **anthropic_headers(report, datetime.now(UTC))}

    def too_many(self, asked: Asked, excess: Excess, *, says_when: bool) -> Failure:  # noqa: ARG002
        """See `Wire`."""
        return anthropic_refusal(excess, says_when=says_when)

    def _error_type(self, failure: Failure) -> str:
        return failure.kind or self._ERROR_TYPES.get(failure.status, "api_error")

    def _message(self, asked: Asked) -> dict[str, Any]:
        return {
            "id": f"msg_{asked.number}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    def _stop(self, reply: Reply) -> str:
        names = {StopReason.TRUNCATED: "max_tokens", StopReason.REFUSED: "refusal"}
        return names.get(reply.stop, "end_turn")

    def _usage(self, usage: Usage) -> dict[str, Any]:
        """Cached tokens are not among ``input_tokens`` here."""
        return {
            "input_tokens": usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
            "cache_read_input_tokens": usage.cache_read_tokens,
            "cache_creation_input_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
        }


def _marked_prefix(body: Mapping[str, Any]) -> str:
    """The text up to and with the last block that is marked for caching; empty without a mark."""
    messages = body.get("messages")
    contents = [body.get("system")]
    contents += [
        m.get("content") for m in (messages if isinstance(messages, list) else ()) if isinstance(m, Mapping)
    ]
    text, prefix = "", ""
    for content in contents:
        for block in content if isinstance(content, list) else [{"text": text_of(content)}]:
            if isinstance(block, Mapping):
                text += str(block.get("text", ""))
                prefix = text if block.get("cache_control") else prefix
    return prefix
