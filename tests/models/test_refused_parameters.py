"""What a model refuses is found out once for each model of an account, and is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from raw_http import Got, Raw, RawServer, chunk, events, plain

from models.base import GO_ON, ModelResponse, Prompt
from models.errors import BadRequest
from models.factory import ModelFactory
from models.providers.dialect import Dialect
from models.providers.rejection import Rejection

KEY = "sk-test-0123456789abcdefghijklmnop"
WARM = Prompt("write", "s", "u", temperature=0.2)
OK = Raw(events(chunk("fine", "stop")))
MESSAGE = {
    "type": "message",
    "model": "c",
    "content": [{"type": "text", "text": "fine"}],
    "stop_reason": "end_turn",
}


def refusal(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Raw:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return plain({"error": error}, status)


def factory_at(server: RawServer) -> ModelFactory:
    return ModelFactory(
        {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": server.url,
            "DEEPSEEK_API_KEY": KEY,
            "DEEPSEEK_BASE_URL": server.url,
        }
    )


def asked_twice(
    answer: Callable[[Got], Raw], prompt: Prompt, spec: str = "openai:brand-new"
) -> tuple[list[dict[str, Any]], list[ModelResponse]]:
    """The bodies of all requests when a model is made and asked two times, and the answers."""
    with RawServer(answer) as server:
        factory = factory_at(server)
        answers = [factory.create(spec).generate(prompt, deadline_s=20) for _ in range(2)]
        return [got.body for got in server.got], answers


CASES: list[tuple[str, Callable[[dict[str, Any]], bool], Raw]] = [
    ("temperature", lambda body: "temperature" in body,
     refusal("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value"
             " is supported.", "temperature", "unsupported_value")),
    ("temperature", lambda body: "temperature" in body, refusal("temperature is not allowed for this model")),
    ("max_tokens", lambda body: "max_tokens" in body,
     refusal("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
             " instead.", "max_tokens", "unsupported_parameter")),
    ("stream_options", lambda body: "stream_options" in body,
     refusal("Unrecognized request argument supplied: stream_options")),
    ("stream_options", lambda body: "stream_options" in body,
     plain({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"],
                        "msg": "Extra inputs are not permitted"}]}, 422)),
    ("prompt_cache_key", lambda body: "prompt_cache_key" in body,
     refusal("Unknown parameter: 'prompt_cache_key'.", "prompt_cache_key", "unknown_parameter")),
    ("stream", lambda body: "stream" in body,
     refusal("Your organization must be verified to stream this model.", "stream", "unsupported_value")),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "is_refused", "raw"), CASES)
def test_a_refused_parameter_costs_one_request_and_is_never_sent_again(
    parameter: str, is_refused: Callable[[dict[str, Any]], bool], raw: Raw
) -> None:
    bodies, answers = asked_twice(lambda got: raw if is_refused(got.body) else OK, WARM)
    assert [response.text for response in answers] == ["fine", "fine"]
    assert [parameter in body for body in bodies] == [True, False, False]
    assert all("max_tokens" in body or "max_completion_tokens" in body for body in bodies)


def test_several_refused_parameters_are_learned_within_one_question() -> None:
    def answer(got: Got) -> Raw:
        for parameter, is_refused, raw in CASES:
            if parameter in ("temperature", "max_tokens", "prompt_cache_key") and is_refused(got.body):
                return raw
        return OK

    bodies, _ = asked_twice(answer, WARM)
    assert len(bodies) == 5
    assert bodies[3] == bodies[4]


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("max_tokens is too large: 8192. This model supports at most 4096 completion tokens, whereas you"
         " provided 8192.", 4096),
        ("`max_tokens` must be less than or equal to `4000`, the maximum value for `max_tokens` is less than the"
         " `context_window` for this model", 4000),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8191]", 8191),
        ("Unable to submit request because it has a maxOutputTokens value of 8192 but the supported range is from"
         " 1 (inclusive) to 4097 (exclusive).", 4096),
    ],
)  # fmt: skip
def test_a_limit_that_is_too_large_becomes_the_one_that_is_stated(message: str, limit: int) -> None:
    bodies, _ = asked_twice(lambda got: refusal(message) if got.body["max_tokens"] > limit else OK, WARM)
    assert [body["max_tokens"] for body in bodies] == [8192, limit, limit]


def test_a_lowered_limit_does_not_raise_a_smaller_one() -> None:
    dialect = Dialect(most_output_tokens=4096)
    assert dialect.limit(100) == {"max_tokens": 100}


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4097 tokens. However, you requested 9000 tokens (808 in the"
        " messages, 8192 in the max_tokens). Please reduce the length.",
        "Invalid 'messages': too long.",
    ],
)
def test_what_is_no_fault_of_a_parameter_is_an_error_at_once(message: str) -> None:
    with RawServer(lambda _got: refusal(message)) as server:
        with pytest.raises(BadRequest):
            factory_at(server).create("openai:gpt-4o").generate(WARM, deadline_s=20)
        assert len(server.got) == 1


def test_a_change_that_did_not_help_is_not_remembered() -> None:
    raw = refusal("Unsupported parameter: 'max_tokens'.", "max_tokens")
    with RawServer(lambda _got: raw) as server:
        factory = factory_at(server)
        for _ in range(2):
            with pytest.raises(BadRequest):
                factory.create("openai:gpt-4o").generate(WARM, deadline_s=20)
        assert ["max_tokens" in got.body for got in server.got] == [True, False, True, False]


def test_what_one_model_refuses_another_is_still_sent() -> None:
    with RawServer(
        lambda got: CASES[0][2] if got.body["model"] == "a" and "temperature" in got.body else OK
    ) as server:
        factory = factory_at(server)
        factory.create("openai:a").generate(WARM, deadline_s=20)
        factory.create("openai:b").generate(WARM, deadline_s=20)
        assert ["temperature" in got.body for got in server.got] == [True, False, True]


def test_a_cache_key_is_sent_to_openai_alone_and_is_the_same_for_equal_system_prompts() -> None:
    with RawServer(lambda _got: OK) as server:
        factory = factory_at(server)
        for spec, system in [("openai:m", "a"), ("openai:m", "a"), ("openai:m", "b"), ("deepseek:m", "a")]:
            factory.create(spec).generate(Prompt("write", system, "u"), deadline_s=20)
        first, second, third, fourth = (got.body.get("prompt_cache_key") for got in server.got)
    assert first == second != third
    assert first
    assert third
    assert fourth is None


def test_claude_gets_a_temperature_with_the_protocol_that_takes_one_and_none_otherwise() -> None:
    with RawServer(lambda _got: plain(MESSAGE)) as server:
        model = factory_at(server).create("claude:c")
        model.generate(Prompt("write", "s", "u"), deadline_s=20)
        model.generate(WARM, deadline_s=20)
        normal, warm = server.got
    assert "temperature" not in normal.body
    assert (warm.body["temperature"], warm.headers["anthropic-version"]) == (0.2, "2023-06-01")
    assert normal.headers["anthropic-version"] != "2023-06-01"


@pytest.mark.parametrize(
    "message", ["`temperature` is deprecated for this model.", "temperature: Extra inputs are not permitted"]
)
def test_a_claude_that_refuses_a_temperature_is_asked_without_and_with_the_newest_protocol(
    message: str,
) -> None:
    refused = plain({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400)
    with RawServer(lambda got: refused if "temperature" in got.body else plain(MESSAGE)) as server:
        factory = factory_at(server)
        for _ in range(2):
            assert factory.create("claude:c").generate(WARM, deadline_s=20).text == "fine"
        versions = [got.headers["anthropic-version"] for got in server.got]
    assert len(versions) == 3
    assert versions[0] != versions[1] == versions[2]


def test_a_claude_with_a_smaller_limit_is_asked_for_that() -> None:
    message = "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for claude-3-opus-20240229"
    refused = plain({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400)
    bodies, _ = asked_twice(
        lambda got: refused if got.body["max_tokens"] > 4096 else plain(MESSAGE), WARM, "claude:c"
    )
    assert [body["max_tokens"] for body in bodies] == [8192, 4096, 4096]


@pytest.mark.parametrize(("spec", "kept"), [("openai:m", "half an \n"), ("claude:c", "half an")])
def test_a_cut_answer_is_shown_to_the_model_that_is_to_go_on_with_it(spec: str, kept: str) -> None:
    with RawServer(lambda got: plain(MESSAGE) if "messages" in got.path else OK) as server:
        prompt = Prompt("write", "be brief", "the question", continuing="half an \n")
        factory_at(server).create(spec).generate(prompt, deadline_s=20)
        said = [(message["role"], message["content"]) for message in server.got[0].body["messages"]]
    assert said[-3:] == [("user", "the question"), ("assistant", kept), ("user", GO_ON)]


def test_a_rejection_with_another_status_changes_nothing() -> None:
    rejection = Rejection("'max_tokens' is not supported", 429, parameter="max_tokens")
    assert Dialect().after(rejection, {"max_tokens": 5}) == Dialect()
