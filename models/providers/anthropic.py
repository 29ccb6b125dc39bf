"""Claude models through Anthropic's messages endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from models.base import ModelResponse, Prompt, Usage
from models.errors import ConnectionFailed, EmptyAnswer, MalformedAnswer, ModelError, Refused, Truncated
from models.providers import untrusted
from models.providers.connection import ONE_CALL_EACH, Deadline
from models.providers.hosted import HostedModel
from models.providers.rejection import Rejection
from models.providers.service import Service
from models.secrets import Secret

if TYPE_CHECKING:
    import anthropic

CLAUDE = Service(
    name="claude",
    key_variable="ANTHROPIC_API_KEY",
    base_url_variable="ANTHROPIC_BASE_URL",
    default_base_url="https://api.anthropic.com",
    default_model="claude-sonnet-5-5",
    aliases=("anthropic",),
)

# Shorter prompts than about 1,024 tokens are never cached, so marking them would only change the request.
_CACHEABLE_CHARACTERS = 4096

_TRY_ANOTHER = "Run again; if it keeps happening, use another model."
_CUT_SHORT = {"max_tokens", "model_context_window_exceeded"}


class Anthropic(HostedModel["anthropic.Anthropic"]):
    """A Claude model. Sends no sampling parameters: the endpoint refuses them."""

    @staticmethod
    def build_client(base_url: str, key: Secret, on_request: Callable[[Any], None]) -> anthropic.Anthropic:
        """The SDK's client with its retries off."""
        import anthropic

        return anthropic.Anthropic(
            api_key=key.reveal(),
            base_url=base_url,
            max_retries=0,
            default_headers=ONE_CALL_EACH,
            http_client=anthropic.DefaultHttpxClient(event_hooks={"request": [on_request]}),
        )

    def _ask_once(
        self, client: anthropic.Anthropic, prompt: Prompt, deadline: Deadline
    ) -> ModelResponse | ModelError:
        import anthropic
        import httpx2

        reply = _Reply()
        try:
            # Not messages.stream(): what it accumulates fails in many ways on an event that is not as expected.
            with client.messages.create(
                model=self.model,
                max_tokens=prompt.max_output_tokens,
                system=_system(prompt.system),
                messages=[{"role": "user", "content": prompt.user}],
                stream=True,
                timeout=anthropic.Timeout(deadline.read_timeout_s(), connect=deadline.connect_timeout_s()),
            ) as stream:
                reply.request_id = stream.response.headers.get("request-id")
                if "event-stream" in stream.response.headers.get("content-type", ""):
                    for event in stream:
                        reply.add(untrusted.as_json(event))
                else:
                    reply.add_whole(untrusted.parsed(stream.response.read()))
        except anthropic.APIConnectionError as error:
            return self._broken(error, deadline)
        except anthropic.APIStatusError as error:
            return self._refusal(error)
        # The SDK lets the HTTP library's own exceptions through once the answer has begun.
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            return self._broken(error, deadline)
        except ValueError:
            reply.begun = False  # the SDK could not read an event as JSON
        if deadline.passed and reply.stop is None:
            return self._broken(TimeoutError(), deadline)
        return self._judge(reply)

    def _refusal(self, error: anthropic.APIStatusError) -> ModelError:
        # An error event inside a stream carries the status of the stream, which is 200.
        status = error.status_code if error.status_code >= 400 else None
        rejection = Rejection.from_body(error.body, status=status) or Rejection(error.message, status)
        return self._rejected(replace(rejection, headers=error.response.headers))

    def _judge(self, reply: _Reply) -> ModelResponse | ModelError:
        """An answer is only what came complete, with text, and was not declined."""
        if reply.rejection is not None:
            return self._rejected(reply.rejection)
        facts: dict[str, Any] = {"usage": reply.usage(), "model": reply.model or self.model}
        if not reply.begun:
            return MalformedAnswer(
                f"{self.name} sent something that is not a message", hint=_TRY_ANOTHER, **facts
            )
        if reply.stop == "refusal":
            return Refused(f"{self.name} declined to answer", hint="Reword the idea.", **facts)
        if reply.stop in _CUT_SHORT:
            hint = "Ask for a shorter answer or allow more output tokens."
            return Truncated(f"{self.name} stopped at the token limit", hint=hint, **facts)
        if not reply.text.strip():
            return EmptyAnswer(f"{self.name} answered without text", hint=_TRY_ANOTHER, **facts)
        if reply.stop is None:
            return ConnectionFailed(
                f"{self.name} stopped in the middle of its answer", hint=_TRY_ANOTHER, **facts
            )
        return ModelResponse(
            text=reply.text,
            provider=self.provider,
            model=reply.model or self.model,
            usage=facts["usage"],
            request_id=reply.request_id,
        )


@dataclass(slots=True)
class _Reply:
    """What has come so far: streamed events, or the one body of a server that ignores ``stream``."""

    text: str = ""
    stop: str | None = None
    model: str | None = None
    request_id: str | None = None
    begun: bool = False
    counts: dict[str, Any] = field(default_factory=dict)
    rejection: Rejection | None = None

    def add(self, event: object) -> None:
        """Take in one event, whatever it is."""
        kind = untrusted.text(event, "type")
        if kind == "message_start":
            message = untrusted.mapping(event, "message")
            self.begun = bool(message)
            self.model = untrusted.text(message, "model") or None
            self._count(untrusted.mapping(message, "usage"))
        elif kind == "content_block_delta":
            self.text += untrusted.text(untrusted.mapping(event, "delta"), "text")
        elif kind == "message_delta":
            self.stop = untrusted.text(untrusted.mapping(event, "delta"), "stop_reason") or self.stop
            self._count(untrusted.mapping(event, "usage"))

    def add_whole(self, body: object) -> None:
        """Take in a body that is a message or an error, whatever it is."""
        self.rejection = Rejection.from_body(body)
        if not isinstance(body, Mapping) or untrusted.text(body, "type") != "message":
            return
        self.begun = True
        self.model = untrusted.text(body, "model") or None
        self.stop = untrusted.text(body, "stop_reason") or None
        self._count(untrusted.mapping(body, "usage"))
        blocks = body.get("content")
        for block in blocks if isinstance(blocks, list) else ():
            self.text += untrusted.text(block, "text")

    def usage(self) -> Usage | None:
        """Anthropic's ``input_tokens`` leaves the cached ones out; ours has them in."""
        if not self.counts:
            return None
        read = untrusted.count(self.counts, "cache_read_input_tokens")
        written = untrusted.count(self.counts, "cache_creation_input_tokens")
        return Usage(
            input_tokens=untrusted.count(self.counts, "input_tokens") + read + written,
            output_tokens=untrusted.count(self.counts, "output_tokens"),
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=untrusted.count(
                untrusted.mapping(self.counts, "output_tokens_details"), "thinking_tokens"
            ),
        )

    def _count(self, usage: Mapping[str, Any]) -> None:
        # The last event's counts are running totals, and it may repeat only some of them.
        self.counts |= {name: value for name, value in usage.items() if value is not None}


def _system(text: str) -> Any:
    if len(text) < _CACHEABLE_CHARACTERS:
        return text
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
