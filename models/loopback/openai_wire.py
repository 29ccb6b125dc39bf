"""OpenAI's chat completions on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from models.base import RateReport, StopReason, Usage
from models.loopback.answers import Asked, Failure, Reply
from models.loopback.limits import Excess
from models.loopback.rates import openai_headers, openai_refusal
from models.loopback.tokens import CHARACTERS_PER_TOKEN
from models.loopback.wire import event, first_said, limit_of, messages_of, pieces


class OpenAIWire:
    """Chat completions."""

    opening_events = 2

    def asked(self, body: Mapping[str, Any], number: int) -> Asked:
        """See `Wire`."""
        messages = messages_of(body)
        system = first_said(messages, "system", "developer")
        return Asked(
            protocol="openai",
            model=str(body.get("model", "")),
            system=system,
            user=first_said(messages, "user"),
            streaming=bool(body.get("stream")),
            number=number,
            continuing="".join(text for role, text in messages if role == "assistant"),
            max_output_tokens=limit_of(body, "max_completion_tokens", "max_tokens"),
            input_tokens=sum(len(text) for _, text in messages) // CHARACTERS_PER_TOKEN + 1,
            parameters=frozenset(body),
            prefix=system,
        )

    def whole(self, asked: Asked, reply: Reply, usage: Usage) -> dict[str, Any]:
        """See `Wire`."""
        message = {"role": "assistant", **self._content(reply)}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(reply)}
        return {
            **self._head(asked, "chat.completion"),
            "choices": [choice],
            "usage": self._usage(reply, usage),
        }

    def events(self, asked: Asked, reply: Reply, usage: Usage, *, wants_usage: bool) -> Iterator[str]:
        """See `Wire`."""
        head = self._head(asked, "chat.completion.chunk")
        yield event({**head, "choices": [_choice({"role": "assistant", "content": ""})]})
        if reply.stop is StopReason.REFUSED:
            yield event({**head, "choices": [_choice({"refusal": reply.text})]})
        else:
            for piece in pieces(reply.text):
                yield event({**head, "choices": [_choice({"content": piece})]})
        yield event({**head, "choices": [_choice({}, self._finish(reply))]})
        if wants_usage:
            yield event({**head, "choices": [], "usage": self._usage(reply, usage)})
        yield "data: [DONE]\n\n"

    def error(self, failure: Failure) -> dict[str, Any]:
        """See `Wire`."""
        kind = failure.kind or ("invalid_request_error" if failure.status < 500 else "server_error")
        return {
            "error": {
                "message": failure.message,
                "type": kind,
                "param": failure.parameter or None,
                "code": failure.code or None,
            }
        }

    def error_event(self, failure: Failure) -> str:
        """See `Wire`."""
        return event(self.error(failure))

    def hollow(self, asked: Asked) -> str:
        """See `Wire`."""
        if asked.streaming:
            return event({**self._head(asked, "chat.completion.chunk"), "choices": []})
        return json.dumps({**self._head(asked, "chat.completion"), "choices": []})

    def opening_usage(self, usage: Usage) -> Usage | None:  # noqa: ARG002
        """See `Wire`: usage comes last here."""
        return None

    def headers(self, number: int, report: RateReport) -> dict[str, str]:
        """See `Wire`."""
        return {"x-request-id": f"req_{number}", **openai_headers(report)}

    def too_many(self, asked: Asked, excess: Excess, *, says_when: bool) -> Failure:
        """See `Wire`."""
        return openai_refusal(asked.model, excess, says_when=says_when)

    def _head(self, asked: Asked, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{asked.number}", "object": kind, "created": 0, "model": asked.model}

    def _content(self, reply: Reply) -> dict[str, Any]:
        if reply.stop is StopReason.REFUSED:
            return {"content": None, "refusal": reply.text}
        return {"content": reply.text}

    def _finish(self, reply: Reply) -> str:
        return "length" if reply.stop is StopReason.TRUNCATED else "stop"

    def _usage(self, reply: Reply, usage: Usage) -> dict[str, Any]:
        prompt: dict[str, int] = {"cached_tokens": usage.cache_read_tokens}
        if usage.cache_write_tokens:
            prompt["cache_write_tokens"] = usage.cache_write_tokens
        counts: dict[str, Any] = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": prompt,
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }
        return counts if reply.cost_usd is None else {**counts, "cost": reply.cost_usd}


def _choice(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "finish_reason": finish}
