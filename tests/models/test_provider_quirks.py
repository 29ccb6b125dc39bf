"""What single services do differently, as it is on the wire."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from raw_http import Got, Raw, RawServer, chunk, events, plain

from models.base import BaseModel, Prompt, StopReason, Usage
from models.client import InMemoryCalls, ModelClient
from models.errors import (
    BadKey,
    BadRequest,
    ConnectionFailed,
    EmptyAnswer,
    MalformedAnswer,
    ModelError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
    UnknownModel,
)
from models.factory import ModelFactory
from models.limiter import Limiters, Limits
from models.providers.table import OPENAI_COMPATIBLE
from models.retry import RetryPolicy

KEY = "sk-test-0123456789abcdefghijklmnop"
PROMPT = Prompt("write", "s", "u")
PREFIXES = ["OPENAI", "ANTHROPIC", "DEEPSEEK", "GROQ", "GEMINI", "XAI", "OPENROUTER"]

GEMINI_MINUTE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
            ],
        }
    }
]
GEMINI_DAY = json.loads(json.dumps(GEMINI_MINUTE).replace("PerMinute", "PerDay"))
GEMINI_KEY = [
    {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
]


def factory_at(url: str) -> ModelFactory:
    environ = {f"{prefix}_API_KEY": KEY for prefix in PREFIXES}
    return ModelFactory(environ | {f"{prefix}_BASE_URL": url for prefix in [*PREFIXES, "OLLAMA"]})


def model_at(server: RawServer, spec: str) -> BaseModel:
    return factory_at(server.url).create(spec)


def ask(spec: str, raw: Raw | Callable[[Got], Raw], prompt: Prompt = PROMPT) -> Any:
    """What one question ends in: the response, or the error."""
    with RawServer(raw if callable(raw) else lambda _got: raw) as server:
        try:
            return model_at(server, spec).generate(prompt, deadline_s=20)
        except ModelError as error:
            return error


def test_every_service_is_asked_with_its_own_key_and_named_in_its_answer() -> None:
    raw = Raw(events(chunk("fine", "stop")))
    for service in OPENAI_COMPATIBLE:
        with RawServer(lambda _got: raw) as server:
            response = model_at(server, f"{service.name}:m").generate(PROMPT, deadline_s=20)
            (got,) = server.got
        assert (response.provider, response.text) == (service.name, "fine")
        assert got.path.endswith("/chat/completions")
        assert got.headers.get("authorization") == (f"Bearer {KEY}" if service.needs_key else None)


@pytest.mark.parametrize(
    ("spec", "status", "body", "kind", "wait_s"),
    [
        ("gemini:g", 429, GEMINI_MINUTE, RateLimited, 34.0),
        ("gemini:g", 429, GEMINI_DAY, QuotaExhausted, 34.0),
        ("gemini:g", 429, [{"error": {"code": 429, "message": "You exceeded your current quota.",
                                      "status": "RESOURCE_EXHAUSTED"}}], QuotaExhausted, None),
        ("gemini:g", 429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your"
                                      " current quota. Please retry in 10.5s."}}], RateLimited, 10.5),
        ("gemini:g", 429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your"
                                      " current quota: free_tier_requests, limit: 0, model: g. Please retry in"
                                      " 10.5s."}}], QuotaExhausted, 10.5),
        ("gemini:g", 400, GEMINI_KEY, BadKey, None),
        ("gemini:g", 503, [{"error": {"code": 503, "message": "The model is overloaded.",
                                      "status": "UNAVAILABLE"}}], Overloaded, None),
        ("gemini:g", 404, [{"error": {"code": 404, "message": "models/g is not found.",
                                      "status": "NOT_FOUND"}}], UnknownModel, None),
        ("groq:g", 413, {"error": {"message": "Request too large for model `g` on tokens per minute (TPM): Limit"
                                   " 6000, Requested 9000", "type": "tokens",
                                   "code": "rate_limit_exceeded"}}, BadRequest, None),
        ("groq:g", 429, {"error": {"message": "Request too large for model `g` on tokens per minute (TPM)",
                                   "type": "tokens", "code": "rate_limit_exceeded"}}, BadRequest, None),
        ("groq:g", 429, {"error": {"message": "Rate limit reached on tokens per day (TPD): Limit 500000, Used"
                                   " 499000. Please try again in 7m12.5s.", "type": "tokens",
                                   "code": "rate_limit_exceeded"}}, RateLimited, 432.5),
        ("xai:g", 400, {"code": "Client specified an invalid argument",
                        "error": "Incorrect API key provided: xa***ey."}, BadKey, None),
        ("deepseek:d", 402, {"error": {"message": "Insufficient Balance"}}, QuotaExhausted, None),
        ("openrouter:o", 403, {"error": {"code": 403, "message": "Your input was flagged",
                                         "metadata": {"reasons": ["violence"]}}}, Refused, None),
        ("openrouter:o", 404, {"error": {"code": 404, "message": "No endpoints found for x/y."}},
         UnknownModel, None),
        ("openrouter:o", 200, {"error": {"code": 502, "message": "Provider returned error",
                                         "metadata": {"raw": "upstream is down"}}}, Overloaded, None),
        ("openrouter:o", 200, {"error": {"code": 429, "message": "slow down"}}, RateLimited, None),
        ("openrouter:o", 200, {"id": "x", "choices": []}, MalformedAnswer, None),
        ("ollama:o", 404, {"error": {"message": "model 'o' not found, try pulling it first",
                                     "type": "api_error"}}, UnknownModel, None),
    ],
)  # fmt: skip
def test_errors_of_every_service_are_understood(
    spec: str, status: int, body: object, kind: type[ModelError], wait_s: float | None
) -> None:
    error = ask(spec, plain(body, status))
    assert type(error) is kind, error
    assert error.retry_after_s == wait_s
    assert error.hint


def test_a_wait_in_a_header_wins_over_one_in_the_body() -> None:
    error = ask("gemini:g", plain(GEMINI_MINUTE, 429, {"retry-after": "5"}))
    assert error.retry_after_s == 5.0


def test_openrouter_is_asked_for_the_cost_and_the_cost_is_kept() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.0042}
    with RawServer(
        lambda _got: Raw(b": OPENROUTER PROCESSING\n\n" + events(chunk("x", "stop", usage=usage)))
    ) as server:
        response = model_at(server, "openrouter:o").generate(PROMPT, deadline_s=20)
        assert server.got[0].body["usage"] == {"include": True}
    assert response.reported_cost_usd == 0.0042
    assert response.usage == Usage(10, 5)


@pytest.mark.parametrize("cost", ["0.5", -1, True, None, float("nan"), 1e300])
def test_a_cost_that_is_none_is_not_taken_for_one(cost: object) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": cost}
    assert ask("openrouter:o", Raw(events(chunk("x", "stop", usage=usage)))).reported_cost_usd is None


def test_a_call_paid_with_the_users_own_key_costs_what_both_services_take() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5, "is_byok": True,
             "cost_details": {"upstream_inference_cost": 0.25}}  # fmt: skip
    assert ask("openrouter:o", Raw(events(chunk("x", "stop", usage=usage)))).reported_cost_usd == 0.75


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([chunk("half"), {"error": {"code": 502, "message": "gone"}}], Overloaded),
        ([chunk(""), chunk("", "stop")], EmptyAnswer),
        ([chunk("half")], ConnectionFailed),
        ([chunk("half", "content_filter")], Refused),
        ([chunk("half", "insufficient_system_resource")], Overloaded),
        ([chunk("half", "error")], Overloaded),
        ([{"choices": [{"delta": {}, "error": {"code": 429, "message": "m"}}]}], RateLimited),
        ([{"choices": []}], MalformedAnswer),
    ],
)
def test_what_a_failed_answer_used_and_cost_is_in_its_error(
    parts: list[dict[str, Any]], kind: type[ModelError]
) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}}
    error = ask("openrouter:o", Raw(events(usage, *parts)))
    assert type(error) is kind
    assert (error.usage, error.reported_cost_usd) == (Usage(10, 5), 0.5)


@pytest.mark.parametrize("end", [None, "stop"])
def test_what_came_before_a_connection_broke_is_not_lost(end: str | None) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    body = events(chunk("the answer", end, usage=usage), chunk("never"))
    outcome = ask("openai:o", Raw(body, cut=len(body) - 20))
    assert outcome.usage == Usage(10, 5)
    if end is None:
        assert type(outcome) is ConnectionFailed
    else:
        assert (outcome.text, outcome.stop) == ("the answer", StopReason.COMPLETE)


def test_what_a_broken_message_of_claude_cost_is_not_known() -> None:
    start = {
        "type": "message_start",
        "message": {"model": "c", "usage": {"input_tokens": 7, "output_tokens": 1}},
    }
    body = f"event: message_start\ndata: {json.dumps(start)}\n\nevent: ping\n".encode() + b"x" * 50
    error = ask("claude:c", Raw(body, cut=len(body) - 10))
    assert type(error) is ConnectionFailed
    # The one token it starts with is not what was written until it broke.
    assert (error.usage, error.model) == (None, "c")


def test_comments_and_empty_lines_while_a_request_waits_are_nothing() -> None:
    waiting = b": keep-alive\n\n\n\n: keep-alive\n\n"
    parts = [
        {"choices": [{"delta": {"content": None, "reasoning_content": "hmm"}}]},
        {"choices": [{"delta": {"content": "fine", "reasoning_content": None}, "finish_reason": "stop"}]},
    ]
    assert ask("deepseek:d", Raw(waiting + events(*parts))).text == "fine"
    whole = {
        "choices": [{"message": {"content": "fine", "reasoning_content": "hmm"}, "finish_reason": "stop"}]
    }
    assert ask("deepseek:d", Raw(b"\n\n\n" + json.dumps(whole).encode())).text == "fine"


def test_deepseeks_cache_hits_are_cached_input() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}
    response = ask("deepseek:d", Raw(events(chunk("x", "stop", usage=usage))))
    assert response.usage == Usage(10, 5, cache_read_tokens=4)


def test_reasoning_that_a_service_counts_only_in_the_total_is_output() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115,
             "completion_tokens_details": {"reasoning_tokens": 100}}  # fmt: skip
    response = ask("xai:g", Raw(events(chunk("x", "stop", usage=usage))))
    assert response.usage == Usage(10, 105, reasoning_tokens=100)


def test_groq_puts_the_usage_elsewhere() -> None:
    last = chunk("x", "stop", x_groq={"usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    assert ask("groq:g", Raw(events(last))).usage == Usage(3, 2)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\nfirst this\n</think>\n\nthe answer", "the answer"),
        ("\n<think></think>the answer", "the answer"),
        ("<thinking>\nfirst this\n</thinking>\n\nthe answer", "the answer"),
        ("<THINK>first this</THINK>the answer", "the answer"),
        ("<thinking>a </think> in it</thinking>the answer", "the answer"),
        ("I reason aloud.\n</Thinking>\nthe answer", "the answer"),
        ("<thinker>the answer</thinker>", "<thinker>the answer</thinker>"),
        ("I reason aloud.\n</think>\n\nthe answer", "the answer"),
        ("the answer", "the answer"),
        ("print('</think>')", "print('</think>')"),
        ("code <think>x</think> more", "code <think>x</think> more"),
    ],
)
def test_thoughts_before_an_answer_are_cut_out(text: str, answer: str) -> None:
    assert ask("ollama:o", Raw(events(chunk(text, "stop")))).text == answer


@pytest.mark.parametrize("begin", ["<think>", "<thinking>", "<Think>"])
def test_thoughts_without_an_end_are_no_answer(begin: str) -> None:
    assert type(ask("ollama:o", Raw(events(chunk(f"{begin}hmm", "stop"))))) is EmptyAnswer
    cut = ask("ollama:o", Raw(events(chunk(f"{begin}hmm", "length"))))
    assert (cut.text, cut.stop) == ("", StopReason.TRUNCATED)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain; charset=utf-8"])
def test_one_whole_body_is_an_answer_whatever_its_content_type(kind: str) -> None:
    whole = {"model": "m", "choices": [{"message": {"content": "all"}, "finish_reason": "stop"}]}
    response = ask("openai:o", Raw(json.dumps(whole, indent=2).encode(), kind=kind))
    assert (response.text, response.model) == ("all", "m")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_streams_are_read_with_every_kind_of_line_end_and_odd_characters(newline: str) -> None:
    text = "a\u2028b\x0cc\u0085d \U0001f600"
    body = events(chunk(text), chunk("!", "stop")).decode().replace("\n", newline)
    raw = json.dumps(text).encode()
    body_bytes = body.encode().replace(raw, json.dumps(text, ensure_ascii=False).encode())
    assert ask("openai:o", Raw(body_bytes)).text == text + "!"


def test_a_prompt_that_utf8_cannot_hold_is_still_sent() -> None:
    with RawServer(lambda _got: Raw(events(chunk("fine", "stop")))) as server:
        prompt = Prompt("write", "s", "broken \ud800 half")
        assert model_at(server, "openai:o").generate(prompt, deadline_s=20).text == "fine"
        assert server.got[0].body["messages"][1]["content"] == "broken ? half"


def test_an_empty_system_prompt_is_not_sent() -> None:
    seen = itertools.count()

    def answer(got: Got) -> Raw:
        next(seen)
        assert [message["role"] for message in got.body["messages"]] == ["user"]
        assert "system" not in got.body
        return Raw(events(chunk("fine", "stop")))

    assert ask("openai:o", answer, Prompt("check", "", "u")).text == "fine"
    ask("claude:c", answer, Prompt("check", "", "u"))
    assert next(seen) == 2


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "100", "completion_tokens": "10"},
        {"prompt_tokens": -5, "completion_tokens": -1},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": 10**30, "completion_tokens": 10},
        {"prompt_tokens": 100},
        {"tokens": 100},
    ],
)
def test_a_usage_that_cannot_be_read_is_unknown_and_not_nothing(usage: dict[str, Any]) -> None:
    whole = {"model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    assert ask("openai:m", plain({**whole, "usage": usage})).usage is None
    counts = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
    message = {"type": "message", "model": "m", "stop_reason": "end_turn"}
    content = [{"type": "text", "text": "hi"}]
    assert ask("claude:m", plain({**message, "content": content, "usage": counts})).usage is None


def test_nothing_left_to_say_ends_an_answer_that_was_cut_off() -> None:
    going_on = Prompt("write", "s", "u", continuing="all of it")
    nothing = plain({"model": "m", "choices": [{"message": {"content": ""}, "finish_reason": "stop"}]})
    response = ask("openai:m", nothing, going_on)
    assert (response.text, response.stop) == ("", StopReason.COMPLETE)
    assert isinstance(ask("openai:m", nothing), EmptyAnswer)
    message = {"type": "message", "model": "m", "stop_reason": "end_turn", "content": []}
    assert ask("claude:m", plain(message), going_on).stop is StopReason.COMPLETE


@pytest.mark.parametrize("spec", ["openai:gpt-4o", "claude:claude-sonnet-4-5"])
def test_a_request_that_found_no_server_costs_nothing(spec: str) -> None:
    with RawServer(lambda _got: plain({})) as server:
        url = server.url
    memory = InMemoryCalls()
    client = ModelClient(memory, Limiters(Limits(delay_s=0)), policy=RetryPolicy(max_attempts=1))
    with pytest.raises(ConnectionFailed):
        client.ask(factory_at(url).create(spec), PROMPT, labels={})
    assert [record.cost_usd for record in memory.records] == [0]


NO_SYSTEM = [
    {"error": {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
               "type": "invalid_request_error", "param": "messages[0].role", "code": "unsupported_value"}},
    [{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma-3-27b-it",
                "status": "INVALID_ARGUMENT"}}],
    {"object": "error", "message": "System role not supported", "type": "BadRequestError", "code": 400},
    {"error": {"message": "This model doesn't support the `system` role."}},
    {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}},
]  # fmt: skip


@pytest.mark.parametrize("body", NO_SYSTEM)
def test_a_model_without_a_system_role_gets_its_text_from_the_user_and_is_refused_once(body: object) -> None:
    def answer(got: Got) -> Raw:
        has_system = any(message["role"] == "system" for message in got.body["messages"])
        refuses = got.body["model"] == "old" and has_system
        return plain(body, 400) if refuses else Raw(events(chunk("fine", "stop")))

    with RawServer(answer) as server:
        factory = factory_at(server.url)
        for spec in ("openai:old", "openai:old", "openai:new"):
            assert factory.create(spec).generate(PROMPT, deadline_s=20).text == "fine"
        said = [
            [(message["role"], message["content"]) for message in got.body["messages"]] for got in server.got
        ]
    both, folded = [("system", "s"), ("user", "u")], [("user", "s\n\nu")]
    assert said == [both, folded, folded, both]


def test_an_answer_is_continued_without_a_system_role_too() -> None:
    def answer(got: Got) -> Raw:
        has_system = any(message["role"] == "system" for message in got.body["messages"])
        return plain(NO_SYSTEM[0], 400) if has_system else Raw(events(chunk("fine", "stop")))

    with RawServer(answer) as server:
        model_at(server, "openai:m").generate(Prompt("write", "s", "u", continuing="half"), deadline_s=20)
        said = [message["content"] for message in server.got[-1].body["messages"]]
    assert said[:2] == ["s\n\nu", "half"]


@pytest.mark.parametrize(
    "message",
    [
        "The system does not support this model.",
        "Invalid value: 'messages[0].content' must be a text.",
        "The system prompt is too long and not allowed.",
        "Invalid type for 'messages[0].role'.",
        "Our system is not enabled for your region.",
    ],
)
def test_another_refusal_is_not_taken_for_one_of_the_system_role(message: str) -> None:
    with RawServer(lambda _got: plain({"error": {"message": message}}, 400)) as server:
        with pytest.raises(BadRequest):
            model_at(server, "openai:m").generate(PROMPT, deadline_s=20)
        assert len(server.got) == 1


def test_a_system_role_that_was_refused_for_another_reason_is_tried_again() -> None:
    with RawServer(lambda _got: plain(NO_SYSTEM[0], 400)) as server:
        model = model_at(server, "openai:m")
        for _ in range(2):
            with pytest.raises(BadRequest):
                model.generate(PROMPT, deadline_s=20)
        roles = [[message["role"] for message in got.body["messages"]] for got in server.got]
    assert roles == [["system", "user"], ["user"]] * 2
