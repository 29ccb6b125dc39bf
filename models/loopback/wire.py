"""How the two protocols write questions, answers, streams and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from models.base import StopReason
from models.loopback.answers import Asked, Failure, Reply

_WORDS_PER_EVENT = 20


class Wire(Protocol):
    """One protocol. Events are whole server-sent events, ready to be written.

    ``opening_events`` of a stream bring its first text, and not yet its end.
    """

    opening_events: int

    def asked(self, body: Mapping[str, Any], number: int) -> Asked:
        """The question in a request's body."""
        ...

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def events(self, asked: Asked, reply: Reply, *, wants_usage: bool) -> Iterator[str]:
        """A streamed answer."""
        ...

    def error(self, failure: Failure) -> dict[str, Any]:
        """An error's body."""
        ...

    def error_event(self, failure: Failure) -> str:
        """An error in the middle of a stream."""
        ...


class OpenAIWire:
    """Chat completions."""

    opening_events = 2

    def asked(self, body: Mapping[str, Any], number: int) -> Asked:
        """See `Wire`."""
        said = {m.get("role"): str(m.get("content", "")) for m in body.get("messages", [])}
        system = said.get("system", said.get("developer", ""))
        model, streaming = str(body.get("model", "")), bool(body.get("stream"))
        return Asked("openai", model, system, said.get("user", ""), streaming, number)

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """See `Wire`."""
        message = {"role": "assistant", **self._content(reply)}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(reply)}
        return {
            **self._head(asked, "chat.completion"),
            "choices": [choice],
            "usage": self._usage(asked, reply),
        }

    def events(self, asked: Asked, reply: Reply, *, wants_usage: bool) -> Iterator[str]:
        """See `Wire`."""
        head = self._head(asked, "chat.completion.chunk")
        yield _event({**head, "choices": [_choice({"role": "assistant", "content": ""})]})
        if reply.stop is StopReason.REFUSED:
            yield _event({**head, "choices": [_choice({"refusal": reply.text})]})
        else:
            for piece in _pieces(reply.text):
                yield _event({**head, "choices": [_choice({"content": piece})]})
        yield _event({**head, "choices": [_choice({}, self._finish(reply))]})
        if wants_usage:
            yield _event({**head, "choices": [], "usage": self._usage(asked, reply)})
        yield "data: [DONE]\n\n"

    def error(self, failure: Failure) -> dict[str, Any]:
        """See `Wire`."""
        kind = "invalid_request_error" if failure.status < 500 else "server_error"
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
        return _event(self.error(failure))

    def _head(self, asked: Asked, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{asked.number}", "object": kind, "created": 0, "model": asked.model}

    def _content(self, reply: Reply) -> dict[str, Any]:
        if reply.stop is StopReason.REFUSED:
            return {"content": None, "refusal": reply.text}
        return {"content": reply.text}

    def _finish(self, reply: Reply) -> str:
        return "length" if reply.stop is StopReason.TRUNCATED else "stop"

    def _usage(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        sent, written = _tokens(asked, reply)
        usage: dict[str, Any] = {
            "prompt_tokens": sent,
            "completion_tokens": written,
            "total_tokens": sent + written,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        }
        return usage if reply.cost_usd is None else {**usage, "cost": reply.cost_usd}


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
        user = "".join(
            _text(m.get("content", "")) for m in body.get("messages", []) if m.get("role") == "user"
        )
        model, streaming = str(body.get("model", "")), bool(body.get("stream"))
        return Asked("anthropic", model, _text(body.get("system", "")), user, streaming, number)

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """See `Wire`."""
        content = [{"type": "text", "text": reply.text}] if reply.text else []
        return {
            **self._message(asked),
            "content": content,
            "stop_reason": self._stop(reply),
            "usage": self._usage(asked, reply),
        }

    def events(self, asked: Asked, reply: Reply, *, wants_usage: bool) -> Iterator[str]:  # noqa: ARG002
        """See `Wire`; usage is always part of a stream here."""
        usage = self._usage(asked, reply)
        start = {**self._message(asked), "usage": {**usage, "output_tokens": 1}}
        yield _named("message_start", message=start)
        if reply.text:
            yield _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
            for piece in _pieces(reply.text):
                yield _named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
            yield _named("content_block_stop", index=0)
        end = {"stop_reason": self._stop(reply), "stop_sequence": None}
        yield _named("message_delta", delta=end, usage={"output_tokens": usage["output_tokens"]})
        yield _named("message_stop")

    def error(self, failure: Failure) -> dict[str, Any]:
        """See `Wire`."""
        error: dict[str, Any] = {"type": self._error_type(failure), "message": failure.message}
        if failure.code:
            error["details"] = {"error_code": failure.code}
        return {"type": "error", "error": error}

    def error_event(self, failure: Failure) -> str:
        """See `Wire`."""
        return f"event: error\ndata: {json.dumps(self.error(failure))}\n\n"

    def _error_type(self, failure: Failure) -> str:
        return self._ERROR_TYPES.get(failure.status, "api_error")

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

    def _usage(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        sent, written = _tokens(asked, reply)
        return {
            "input_tokens": sent - reply.cached_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": written,
        }


def _tokens(asked: Asked, reply: Reply) -> tuple[int, int]:
    sent = reply.input_tokens
    if sent is None:
        sent = reply.cached_tokens + (len(asked.system) + len(asked.user)) // 4 + 1
    written = reply.output_tokens
    return sent, len(reply.text) // 4 + reply.reasoning_tokens if written is None else written


def _text(content: object) -> str:
    """Anthropic takes text, or a list of blocks."""
    if isinstance(content, list):
        return "".join(str(block.get("text", "")) for block in content if isinstance(block, Mapping))
    return str(content)


def _pieces(text: str) -> Iterator[str]:
    words = text.split(" ")
    for start in range(0, len(words), _WORDS_PER_EVENT):
        yield (" " if start else "") + " ".join(words[start : start + _WORDS_PER_EVENT])


def _choice(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "finish_reason": finish}


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _named(kind: str, **data: Any) -> str:
    return f"event: {kind}\n{_event({'type': kind, **data})}"
