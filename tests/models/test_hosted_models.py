"""Both hosted providers through their real SDKs against a loopback server."""

from __future__ import annotations

import json
import pickle
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from models.base import BaseModel, Prompt, StopReason, Usage
from models.errors import (
    BadKey,
    BadRequest,
    BadSetting,
    ConnectionFailed,
    DeadlineExceeded,
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
from models.loopback import (
    Answer,
    Asked,
    Failure,
    LoopbackServer,
    Misbehaviour,
    Reply,
    Script,
    bad_key,
    quota_spent,
    rate_limited,
    unknown_model,
)

Serve = Callable[..., LoopbackServer]
ModelFor = Callable[[LoopbackServer, str], BaseModel]

SOON_S = 20.0  # for what would last for ever

both = pytest.mark.parametrize("spec", ["openai:gpt-4o", "claude:claude-sonnet-5"])


def error_from(model: BaseModel, prompt: Prompt, deadline_s: float = 20.0) -> ModelError:
    with pytest.raises(ModelError) as caught:
        model.generate(prompt, deadline_s=deadline_s)
    return caught.value


@both
def test_an_answer_comes_back_with_its_text_and_usage(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str
) -> None:
    text = "import backtesting\n\n" + "word " * 300
    server = serve(Script([Reply(text, input_tokens=100, cached_tokens=40, output_tokens=77)]))
    response = model_for(server, spec).generate(prompt, deadline_s=20)
    assert response.text == text
    assert response.stop is StopReason.COMPLETE
    assert response.usage == Usage(input_tokens=100, output_tokens=77, cache_read_tokens=40)
    assert f"{response.provider}:{response.model}" == spec


@both
def test_the_key_travels_in_a_header_and_nowhere_else(
    serve: Serve, model_for: ModelFor, prompt: Prompt, key: str, spec: str
) -> None:
    server = serve(Script(["fine"]))
    model_for(server, spec).generate(prompt, deadline_s=20)
    (seen,) = server.seen
    assert key in seen.headers["authorization"]
    assert key not in json.dumps(seen.body) + seen.path
    assert [name for name, value in seen.headers.items() if key in value] == ["authorization"]


@both
def test_the_body_holds_the_prompt_and_no_sampling_parameters_and_not_the_inputs(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str
) -> None:
    server = serve(Script(["fine"]))
    model_for(server, spec).generate(prompt, deadline_s=20)
    (seen,) = server.seen
    sent = json.dumps(seen.body)
    assert seen.body["model"] == spec.partition(":")[2]
    assert seen.body["stream"] is True
    assert json.dumps(prompt.system)[1:-1] in sent
    assert json.dumps(prompt.user)[1:-1] in sent
    assert not {"temperature", "top_p", "top_k", "inputs", "stage"} & set(seen.body)


def model_at(url: str, key: str, provider: str) -> BaseModel:
    environ = {
        "OPENAI_API_KEY": key,
        "OPENAI_BASE_URL": url,
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_BASE_URL": url,
    }
    model = ModelFactory(environ).create(provider)
    model.get_ready()  # importing an SDK is no part of what is timed
    return model


CLASSES: list[tuple[Answer, type[ModelError]]] = [
    (bad_key(), BadKey),
    (Failure(403, "You may not."), BadKey),
    (quota_spent(), QuotaExhausted),
    (Failure(429, "Spent.", code="enforced_spend_limit_reached"), QuotaExhausted),
    (Failure(400, "Your credit balance is too low to use the API."), QuotaExhausted),
    (Failure(402, "Pay."), QuotaExhausted),
    (unknown_model("nope"), UnknownModel),
    (Failure(400, "Prompt is too long."), BadRequest),
    (Failure(413, "Too large."), BadRequest),
    (Failure(422, "No."), BadRequest),
    (rate_limited(), RateLimited),
    (Failure(408, "Slow."), Overloaded),
    (Failure(409, "Conflict."), Overloaded),
    (Failure(500, "Broken."), Overloaded),
    (Failure(503, "Away."), Overloaded),
    (Failure(529, "Overloaded."), Overloaded),
    (Failure(500, "Broken in the middle.", midway=True), Overloaded),
    (Failure(200, "Too many.", code="rate_limit_exceeded"), RateLimited),
    ("", EmptyAnswer),
    (" \n ", EmptyAnswer),
    (Misbehaviour.GARBAGE, MalformedAnswer),
    (Misbehaviour.GARBAGE_EVENTS, MalformedAnswer),
    (Misbehaviour.NO_CHOICES, MalformedAnswer),
    (Misbehaviour.RESET, ConnectionFailed),
    (Misbehaviour.RESET_MIDWAY, ConnectionFailed),
    (Misbehaviour.STOP_MIDWAY, ConnectionFailed),
    (Reply("I would rather not.", stop=StopReason.REFUSED), Refused),
]


@both
@pytest.mark.parametrize(("answer", "kind"), CLASSES)
def test_everything_that_is_no_usable_answer_has_its_own_error(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str, answer: Answer, kind: type[ModelError]
) -> None:
    server = serve(Script([answer]))
    error = error_from(model_for(server, spec), prompt)
    assert type(error) is kind
    assert error.message
    assert error.hint
    assert len(server.seen) == 1, "the SDK must not retry by itself"


@both
@pytest.mark.parametrize("text", ["half an answer", ""])
def test_an_answer_cut_at_the_limit_is_the_part_that_came_and_says_so(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str, text: str
) -> None:
    reply = Reply(text, stop=StopReason.TRUNCATED, input_tokens=10, output_tokens=5)
    response = model_for(serve(Script([reply])), spec).generate(prompt, deadline_s=20)
    assert (response.text, response.stop) == (text, StopReason.TRUNCATED)
    assert response.usage == Usage(input_tokens=10, output_tokens=5)


@both
@pytest.mark.parametrize("shown", ["{key}", "{key}.", "sk-te***mnop", "{key[:20]}", "...{key[-12:]}"])
def test_an_echoed_key_is_hidden_from_everything_an_error_shows(
    serve: Serve, model_for: ModelFor, prompt: Prompt, key: str, spec: str, shown: str
) -> None:
    parts = {"{key}": key, "{key}.": f"{key}.", "{key[:20]}": key[:20], "...{key[-12:]}": "..." + key[-12:]}
    echoed = parts.get(shown, shown)
    error = error_from(model_for(serve(Script([bad_key(echoed)])), spec), prompt)
    printed = "".join(traceback.format_exception(error)) + repr(error) + error.hint + str(vars(error))
    assert echoed not in printed
    assert not any(key[i : i + 8] in printed for i in range(len(key) - 8))
    assert error.__cause__ is None
    assert error.__context__ is None


@both
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry_after_ms": 1500}, 1.5), ({"retry_after": 7}, 7.0), ({"retry_after": "soon"}, None), ({}, None)],
)
def test_a_wait_that_the_provider_asks_for_is_in_the_error(
    serve: Serve,
    model_for: ModelFor,
    prompt: Prompt,
    spec: str,
    headers: dict[str, object],
    seconds: float | None,
) -> None:
    error = error_from(model_for(serve(Script([rate_limited(**headers)])), spec), prompt)
    assert error.retry_after_s == seconds


@both
@pytest.mark.parametrize("how", [Misbehaviour.HANG, Misbehaviour.HANG_MIDWAY, Misbehaviour.TRICKLE])
def test_the_deadline_is_wall_clock_whatever_the_server_does(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str, how: Misbehaviour
) -> None:
    model = model_for(serve(Script(["warm up", how])), spec)
    model.generate(prompt, deadline_s=20)
    began = time.monotonic()
    error = error_from(model, prompt, deadline_s=0.5)
    assert isinstance(error, DeadlineExceeded)
    assert 0.4 < time.monotonic() - began < SOON_S


@both
@pytest.mark.parametrize("how", [Misbehaviour.HANG, Misbehaviour.HANG_MIDWAY, Misbehaviour.TRICKLE])
def test_the_deadline_holds_over_tls(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str, how: Misbehaviour, tls: ssl.SSLContext
) -> None:
    model = model_for(serve(Script(["warm up", how]), tls=tls), spec)
    assert model.generate(prompt, deadline_s=20).text == "warm up"
    began = time.monotonic()
    error = error_from(model, prompt, deadline_s=0.5)
    assert isinstance(error, DeadlineExceeded)
    assert 0.4 < time.monotonic() - began < SOON_S


class TricklingHandler(BaseHTTPRequestHandler):
    """Sends the beginning of a header that never ends."""

    def do_POST(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-long: ")
        try:
            while True:
                self.wfile.write(b"y")
                time.sleep(0.05)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("provider", ["openai", "claude"])
def test_the_deadline_holds_while_headers_trickle_in(prompt: Prompt, key: str, provider: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), TricklingHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        model = model_at(f"http://127.0.0.1:{server.server_address[1]}", key, provider)
        began = time.monotonic()
        error = error_from(model, prompt, deadline_s=0.5)
        assert time.monotonic() - began < SOON_S
        server.shutdown()
    assert isinstance(error, DeadlineExceeded)


@both
def test_a_deadline_holds_for_one_call_and_not_for_its_neighbours(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str
) -> None:
    server = serve(lambda asked: Misbehaviour.TRICKLE if asked.user == "hang" else "fine", latency_s=0.6)
    model = model_for(server, spec)
    texts: list[str] = []
    patient = threading.Thread(target=lambda: texts.append(model.generate(prompt, deadline_s=20).text))
    patient.start()
    error = error_from(model, Prompt("write", "s", "hang"), deadline_s=0.3)
    patient.join(60)
    assert isinstance(error, DeadlineExceeded)
    assert texts == ["fine"]


@both
def test_one_model_serves_many_threads(serve: Serve, model_for: ModelFor, spec: str) -> None:
    together = threading.Barrier(24, timeout=60)

    def answer(asked: Asked) -> str:
        together.wait()
        return f"answer to {asked.user}"

    model = model_for(serve(answer), spec)
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = model.generate(Prompt("write", "s", f"question {number}"), deadline_s=60).text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {n: f"answer to question {n}" for n in range(24)}


@both
def test_an_address_where_nothing_listens_is_a_connection_failure_naming_the_variable(
    serve: Serve, model_for: ModelFor, prompt: Prompt, spec: str
) -> None:
    server = serve(Script([]))
    model = model_for(server, spec)
    server.close()
    error = error_from(model, prompt)
    assert isinstance(error, ConnectionFailed)
    assert "BASE_URL" in error.hint


@pytest.mark.parametrize(("provider", "prefix"), [("openai", "OPENAI"), ("claude", "ANTHROPIC")])
def test_a_404_that_names_no_model_points_to_the_address(
    serve: Serve, prompt: Prompt, key: str, provider: str, prefix: str
) -> None:
    url = f"http://127.0.0.1:{serve(Script([])).port}/wrong"
    error = error_from(model_at(url, key, provider), prompt)
    assert isinstance(error, BadSetting)
    assert f"{prefix}_BASE_URL" in error.hint


@both
def test_a_model_does_not_give_its_key_away(serve: Serve, model_for: ModelFor, key: str, spec: str) -> None:
    model = model_for(serve(Script([])), spec)
    assert key not in repr(model) + repr(vars(model)) + repr(model.account)
    with pytest.raises(TypeError):
        pickle.dumps(model)


JUNK: list[object] = [
    None, 5, "x", [], {}, [1], {"type": 5}, {"type": "message_start"},
    {"type": "message_start", "message": None}, {"type": "message_start", "message": {}},
    {"type": "message_start", "message": {"usage": 5, "content": None, "model": 7}},
    {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": 5}},
    {"type": "message_delta", "delta": None}, {"type": "message_delta", "delta": {"stop_reason": 5}},
    {"choices": None}, {"choices": 5}, {"choices": [None]}, {"choices": [{}]}, {"choices": [{"delta": 5}]},
    {"choices": [{"delta": {"content": 5}}]}, {"usage": 5, "choices": []}, {"usage": {"prompt_tokens": "x"}},
    {"error": 5}, {"error": {"message": 5}}, {"error": {"code": 429, "message": "m"}}, {"error": "words"},
]  # fmt: skip


class JunkHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self.server.payload)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("provider", ["openai", "claude"])
def test_events_of_any_shape_end_in_a_model_error(prompt: Prompt, key: str, provider: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), JunkHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        model = model_at(f"http://127.0.0.1:{server.server_address[1]}", key, provider)
        for junk in JUNK:
            kind = junk.get("type", "message_start") if isinstance(junk, dict) else "message_start"
            server.payload = f"event: {kind}\ndata: {json.dumps(junk)}\n\n".encode()  # type: ignore[attr-defined]
            error = error_from(model, prompt)
            assert isinstance(error, MalformedAnswer | EmptyAnswer | RateLimited), junk
        server.shutdown()
