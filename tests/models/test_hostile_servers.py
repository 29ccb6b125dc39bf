"""What a server can do to a call, besides answering it: none of it may cost more than the call."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from raw_http import Got, Raw, RawServer, chunk, events, plain

from models.base import BaseModel, ModelResponse, Prompt, StopReason
from models.errors import (
    BadKey,
    BadSetting,
    ConnectionFailed,
    ModelError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Refused,
)
from models.factory import ModelFactory
from models.providers.served import served_models
from models.providers.service import Service
from models.secrets import Secret

KEY = "sk-test-0123456789abcdefghijklmnop"
PROMPT = Prompt("write", "s", "u")
WARM = Prompt("write", "s", "u", temperature=0.2)
OK = Raw(events(chunk("fine", "stop")))

Listen = Callable[[Callable[[socket.socket], None]], str]


def model_at(url: str, spec: str = "openai:m") -> BaseModel:
    prefixes = ("OPENAI", "ANTHROPIC", "OPENROUTER")
    environ = {f"{prefix}_API_KEY": KEY for prefix in prefixes}
    return ModelFactory(environ | {f"{prefix}_BASE_URL": url for prefix in prefixes}).create(spec)


def ask(raw: Raw | Callable[[Got], Raw], spec: str = "openai:m", prompt: Prompt = PROMPT) -> Any:
    with RawServer(raw if callable(raw) else lambda _: raw) as server:
        try:
            return model_at(server.url, spec).generate(prompt, deadline_s=20)
        except ModelError as error:
            return error


@pytest.fixture
def listening() -> Iterator[Listen]:
    """Start servers that do with each connection what they are given."""
    servers: list[socket.socket] = []
    ended = threading.Event()

    def serve(server: socket.socket, treat: Callable[[socket.socket], None]) -> None:
        with suppress(OSError):
            while True:
                opened, _ = server.accept()
                with opened, suppress(OSError):
                    opened.recv(65_536)
                    treat(opened)
                    ended.wait(20)

    def start(treat: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=serve, args=(server, treat), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    ended.set()
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.parametrize("spec", ["openai:m", "claude:c"])
@pytest.mark.parametrize(("status", "kind"), [(307, ConnectionFailed), (401, BadKey), (500, Overloaded)])
def test_only_the_beginning_of_an_error_is_read(
    listening: Listen, spec: str, status: int, kind: type[ModelError]
) -> None:
    def endless(opened: socket.socket) -> None:
        opened.sendall(f"HTTP/1.1 {status} No\r\nlocation: http://127.0.0.1:1/\r\n\r\n".encode())
        while True:
            opened.sendall(b"<b> " * 10_000)
            time.sleep(0.001)

    with pytest.raises(ModelError) as caught:
        model_at(listening(endless), spec).generate(PROMPT, deadline_s=5)
    assert type(caught.value) is kind
    assert len(caught.value.message) < 1000


def test_an_answer_without_an_end_is_given_up_before_it_fills_the_memory(listening: Listen) -> None:
    def endless(opened: socket.socket) -> None:
        opened.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            opened.sendall(b": nothing\n" * 10_000)

    with pytest.raises(ConnectionFailed, match="longer than"):
        model_at(listening(endless)).generate(PROMPT, deadline_s=120)


@pytest.mark.parametrize(("status", "kind"), [(401, BadKey), (429, RateLimited)])
def test_an_error_that_breaks_off_is_still_that_error(status: int, kind: type[ModelError]) -> None:
    body = json.dumps({"error": {"message": "a long explanation"}}).encode()
    error = ask(Raw(body, status, {"retry-after": "7"}, "application/json", cut=20))
    assert type(error) is kind
    assert error.retry_after_s == 7


@pytest.mark.parametrize("last", [b"data:[DONE]\n\n", b"data: [DONE]\n\n" + b": bye\n\n" * 40])
def test_the_end_of_a_stream_is_seen_however_it_is_written(listening: Listen, last: bytes) -> None:
    hung_up = threading.Event()

    def hold(opened: socket.socket) -> None:
        body = events(chunk("fine", "stop"), done=False) + last
        opened.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body)
        opened.settimeout(8)
        while opened.recv(65_536):
            pass
        hung_up.set()

    assert model_at(listening(hold)).generate(PROMPT, deadline_s=10).text == "fine"
    assert hung_up.wait(1)  # the call ended before the server lost its patience, and so before the deadline


def test_a_redirect_to_a_name_that_cannot_be_one_is_a_failed_connection() -> None:
    assert isinstance(ask(Raw(b"", 307, {"location": f"http://a..b/{KEY}"})), ConnectionFailed)


def test_a_key_in_a_request_id_is_hidden() -> None:
    answer = ask(Raw(OK.body, headers={"x-request-id": f"req-{KEY}"}))
    assert isinstance(answer, ModelResponse)
    assert answer.request_id == "req-[hidden]"
    assert KEY not in repr(answer)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALL_PROXY", "gopher://user:password@127.0.0.1:9"), ("SSL_CERT_FILE", "/not/there")],
)
def test_a_connection_that_cannot_be_set_up_is_a_bad_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting, match="no connection can be made") as caught:
        model_at("http://127.0.0.1:1/v1").generate(PROMPT, deadline_s=5)
    assert "password" not in str(caught.value)
    assert variable in caught.value.hint


@pytest.mark.parametrize(
    "url", ["http://a..b/v1", "http://h/v1\x7f", "http://h h/v1", "http://h/v1?version=1"]
)
def test_an_address_that_no_request_can_go_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadSetting, match="no web address"):
        model_at(url)


def refusal(message: str, param: str | None = None, status: int = 400, **more: Any) -> Raw:
    return plain({"error": {"message": message, "param": param, **more}}, status)


WORDS = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


@pytest.mark.parametrize(
    ("parameter", "raw"),
    [
        ("max_tokens", refusal(WORDS)),
        ("max_tokens", refusal(f"litellm.BadRequestError: Error code: 400 - {{'message': \"{WORDS}\"}}")),
        (
            "max_tokens",
            refusal("Provider returned error", metadata={"raw": json.dumps({"code": 400, "m": WORDS})}),
        ),
        ("temperature", refusal("Temperature is not supported with reasoning models")),
        ("temperature", refusal("bad", "body.temperature")),
        ("temperature", refusal("bad", "/temperature")),
        ("temperature", refusal("Unsupported parameter: 'temperature'", status=200, code=400)),
        ("stream", refusal("Streaming is not supported for this model.")),
        ("stream", refusal("This model does not support streaming")),
    ],
)
def test_a_refusal_is_understood_in_other_words_too(parameter: str, raw: Raw) -> None:
    bodies: list[dict[str, Any]] = []

    def answer(got: Got) -> Raw:
        bodies.append(got.body)
        return raw if parameter in got.body else OK

    assert ask(answer, "openrouter:m", WARM).text == "fine"
    assert len(bodies) == 2
    assert bodies[1].get("max_tokens", bodies[1].get("max_completion_tokens")) == WARM.max_output_tokens


def test_an_error_without_words_is_known_by_its_name() -> None:
    error = ask(plain({"error": {"code": "insufficient_quota", "message": None}}, 429))
    assert isinstance(error, QuotaExhausted)


@pytest.mark.parametrize("finish", ["content_filter: PROHIBITED_CONTENT", "SAFETY"])
def test_geminis_words_for_a_refusal_are_understood(finish: str) -> None:
    assert isinstance(ask(Raw(events(chunk("", finish)))), Refused)


def test_a_cut_answer_is_one_in_capitals_too() -> None:
    assert ask(Raw(events(chunk("part", "MAX_TOKENS")))).stop is StopReason.TRUNCATED


def test_an_answer_in_parts_is_the_text_without_the_thoughts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "fine"},
    ]
    message = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}
    assert ask(plain(message)).text == "fine"


def test_a_usage_that_no_answer_can_have_is_not_known() -> None:
    answer = ask(Raw(events(chunk("fine", "stop", usage={"prompt_tokens": 10**30, "completion_tokens": 5}))))
    assert answer.usage is None


def test_a_server_that_wants_a_key_is_asked_for_its_models_with_it() -> None:
    def answer(got: Got) -> Raw:
        wrong = got.headers.get("authorization") != f"Bearer {KEY}"
        return plain({"error": "no key"}, 401) if wrong else plain({"data": [{"id": "first"}]})

    with RawServer(answer) as server:
        mine = Service("mine", "MINE_API_KEY", "MINE_BASE_URL", server.url, "")
        assert ModelFactory({"MINE_API_KEY": KEY}, own=(mine,)).create("mine").name == "mine:first"


def test_asking_for_models_does_not_wait_for_headers_that_trickle_in(listening: Listen) -> None:
    def trickle(opened: socket.socket) -> None:
        opened.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        for _ in range(100):
            opened.sendall(b"a")
            time.sleep(0.1)
        opened.sendall(b"\r\ncontent-length: 27\r\n\r\n" + b'{"data": [{"id": "first"}]}')

    assert served_models(listening(trickle), 0.3, Secret("")) is None
