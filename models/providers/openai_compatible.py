"""OpenAI, and every service that speaks its chat completions: one `Service` row each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from models.base import ModelResponse, Prompt, Usage
from models.errors import ConnectionFailed, EmptyAnswer, MalformedAnswer, ModelError, Refused, Truncated
from models.providers import untrusted
from models.providers.connection import ONE_CALL_EACH, Connection, Deadline
from models.providers.hosted import HostedModel
from models.providers.rejection import Rejection
from models.providers.service import Service
from models.secrets import Secret

if TYPE_CHECKING:
    import openai

SERVICES = (
    Service(
        name="openai",
        key_variable="OPENAI_API_KEY",
        base_url_variable="OPENAI_BASE_URL",
        default_base_url="https://api.openai.com/v1",
        default_model="gpt-6.1-sol",
    ),
)

_TRY_ANOTHER = "Run again; if it keeps happening, use another model."
_REASONING_MODEL = re.compile(r"(^|/)(o\d|gpt-([5-9]|\d\d))")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The optional parts of a request that not every model takes."""

    limit_parameter: str
    asks_for_usage: bool = True

    @classmethod
    def expected_of(cls, model: str) -> Dialect:
        """What the model's name suggests."""
        return cls("max_completion_tokens" if _REASONING_MODEL.search(model) else "max_tokens")

    def without(self, parameter: str) -> Dialect:
        """The dialect to try after ``parameter`` was refused; the same one if nothing can be changed."""
        if parameter == "max_tokens":
            return replace(self, limit_parameter="max_completion_tokens")
        if parameter == "max_completion_tokens":
            return replace(self, limit_parameter="max_tokens")
        return replace(
            self, asks_for_usage=self.asks_for_usage and not parameter.startswith("stream_options")
        )


class OpenAICompatible(HostedModel["openai.OpenAI"]):
    """A model behind a chat completions endpoint."""

    def __init__(self, service: Service, model: str, connection: Connection[openai.OpenAI]) -> None:
        super().__init__(service, model, connection)
        self._dialect = Dialect.expected_of(model)

    @staticmethod
    def build_client(base_url: str, key: Secret, on_request: Callable[[Any], None]) -> openai.OpenAI:
        """The SDK's client with its retries off."""
        import openai

        return openai.OpenAI(
            api_key=key.reveal(),
            base_url=base_url,
            max_retries=0,
            default_headers=ONE_CALL_EACH,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [on_request]}),
        )

    def _ask_once(
        self, client: openai.OpenAI, prompt: Prompt, deadline: Deadline
    ) -> ModelResponse | ModelError:
        dialect = self._dialect
        outcome = self._send(client, prompt, deadline, dialect)
        if not isinstance(outcome, _RefusedParameter):
            return outcome
        # A refused parameter costs nothing; which one it is depends on the model, so it is kept for later.
        self._dialect = dialect.without(outcome.name)
        if self._dialect == dialect:
            return outcome.error
        again = self._send(client, prompt, deadline, self._dialect)
        return again.error if isinstance(again, _RefusedParameter) else again

    def _send(
        self, client: openai.OpenAI, prompt: Prompt, deadline: Deadline, dialect: Dialect
    ) -> ModelResponse | ModelError | _RefusedParameter:
        import httpx2
        import openai

        reply = _Reply()
        try:
            with client.chat.completions.create(
                **self._wire_body(prompt, dialect),
                timeout=openai.Timeout(deadline.read_timeout_s(), connect=deadline.connect_timeout_s()),
            ) as stream:
                reply.request_id = stream.response.headers.get("x-request-id")
                if "event-stream" in stream.response.headers.get("content-type", ""):
                    for chunk in stream:
                        reply.add(untrusted.as_json(chunk))
                else:
                    reply.add(untrusted.parsed(stream.response.read()))
        except openai.APIConnectionError as error:
            return self._broken(error, deadline)
        except openai.APIStatusError as error:
            return self._refusal(error)
        except openai.APIError as error:
            reply.add({"error": error.body})
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            return self._broken(error, deadline)
        except ValueError:
            reply.add(None)  # the SDK could not read an event as JSON
        if deadline.passed and reply.finish is None:
            return self._broken(TimeoutError(), deadline)
        return self._judge(reply)

    def _wire_body(self, prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            dialect.limit_parameter: prompt.max_output_tokens,
            "stream": True,
        }
        if dialect.asks_for_usage:
            body["stream_options"] = {"include_usage": True}
        return body

    def _refusal(self, error: openai.APIStatusError) -> ModelError | _RefusedParameter:
        rejection = Rejection.from_body(error.body, status=error.status_code)
        if rejection is None:
            rejection = Rejection(error.message, error.status_code)
        failure = self._rejected(replace(rejection, headers=error.response.headers))
        parameter = error.param or _quoted_parameter(rejection.message)
        if error.status_code == 400 and parameter:
            return _RefusedParameter(parameter, failure)
        return failure

    def _judge(self, reply: _Reply) -> ModelResponse | ModelError:
        """An answer is only what came complete, with text, and was not declined."""
        if reply.rejection is not None:
            return self._rejected(reply.rejection)
        facts: dict[str, Any] = {"usage": reply.usage, "model": reply.model or self.model}
        if reply.refusal or reply.finish == "content_filter":
            said = f": {reply.refusal}" if reply.refusal else ""
            return Refused(f"{self.name} declined to answer{said}", hint="Reword the idea.", **facts)
        if reply.finish == "length":
            hint = "Ask for a shorter answer or allow more output tokens."
            return Truncated(f"{self.name} stopped at the token limit", hint=hint, **facts)
        if reply.garbled or not reply.has_choice:
            return MalformedAnswer(
                f"{self.name} sent something that is not a chat completion", hint=_TRY_ANOTHER, **facts
            )
        if not reply.text.strip():
            return EmptyAnswer(f"{self.name} answered without text", hint=_TRY_ANOTHER, **facts)
        if reply.finish is None:
            return ConnectionFailed(
                f"{self.name} stopped in the middle of its answer", hint=_TRY_ANOTHER, **facts
            )
        return ModelResponse(
            text=reply.text,
            provider=self.provider,
            model=reply.model or self.model,
            usage=reply.usage,
            request_id=reply.request_id,
            reported_cost_usd=reply.cost_usd,
        )


@dataclass(frozen=True, slots=True)
class _RefusedParameter:
    name: str
    error: ModelError


@dataclass(slots=True)
class _Reply:
    """What has come so far: streamed chunks, or the one body of a server that ignores ``stream``."""

    text: str = ""
    refusal: str = ""
    finish: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None
    request_id: str | None = None
    has_choice: bool = False
    garbled: bool = False
    rejection: Rejection | None = None

    def add(self, part: object) -> None:
        """Take in one JSON value from the wire, whatever it is."""
        if not isinstance(part, Mapping):
            self.garbled = True
            return
        if part.get("error"):
            self.rejection = Rejection.from_body(part) or Rejection(str(part["error"]))
            return
        self.model = untrusted.text(part, "model") or self.model
        if usage := untrusted.mapping(part, "usage"):
            self.usage = _usage(usage)
            cost = usage.get("cost")
            self.cost_usd = float(cost) if isinstance(cost, int | float) else None
        choices = part.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            self._add_choice(choices[0])

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        self.has_choice = True
        message = untrusted.mapping(choice, "delta") or untrusted.mapping(choice, "message")
        self.text += untrusted.text(message, "content")
        self.refusal += untrusted.text(message, "refusal")
        self.finish = untrusted.text(choice, "finish_reason") or self.finish


def _usage(usage: Mapping[str, Any]) -> Usage:
    """OpenAI's ``prompt_tokens`` includes the cached ones already."""
    prompt = untrusted.mapping(usage, "prompt_tokens_details")
    completion = untrusted.mapping(usage, "completion_tokens_details")
    return Usage(
        input_tokens=untrusted.count(usage, "prompt_tokens"),
        output_tokens=untrusted.count(usage, "completion_tokens"),
        cache_read_tokens=untrusted.count(prompt, "cached_tokens"),
        cache_write_tokens=untrusted.count(prompt, "cache_write_tokens"),
        reasoning_tokens=untrusted.count(completion, "reasoning_tokens"),
    )


def _quoted_parameter(message: str) -> str | None:
    found = re.search(r"['\"`](max_tokens|max_completion_tokens|stream_options)", message)
    return found[1] if found else None
