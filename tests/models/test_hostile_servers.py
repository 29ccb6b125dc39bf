"""What a server can do to a call, besides answering it: none of it may cost more than the call."""

from __future__ import annotations

import json
import socket
import sys
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
    DeadlineExceeded,
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

HELD_S = 60.0  # how long a server keeps what it owes: whoever is done much sooner did not wait for it
SOON_S = 20.0

Listen = Callable[[Callable[[socket.socket], None]], str]


def model_at(url: str, spec: str = "openai:m") -> BaseModel:
    prefixes = ("OPENAI", "ANTHROPIC", "OPENROUTER")
    environ = {f"{prefix}_API_KEY": KEY for prefix in prefixes}
    model = ModelFactory(environ | {f"{prefix}_BASE_URL": url for prefix in prefixes}).create(spec)
    model.get_ready()  # importing an SDK is no part of what is timed
    return model


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
                    ended.wait(HELD_S)

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
@pytest.mark.parametrize(("status", "kind"), [(307, BadSetting), (401, BadKey), (500, Overloaded)])
def test_only_the_beginning_of_an_error_is_read(
    listening: Listen, spec: str, status: int, kind: type[ModelError]
) -> None:
    def endless(opened: socket.socket) -> None:
        opened.sendall(f"HTTP/1.1 {status} No\r\nlocation: http://127.0.0.1:1/\r\n\r\n".encode())
        while True:
            opened.sendall(b"<b> " * 10_000)
            time.sleep(0.001)

    with pytest.raises(ModelError) as caught:
        model_at(listening(endless), spec).generate(PROMPT, deadline_s=HELD_S)
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
        opened.settimeout(HELD_S)
        while opened.recv(65_536):
            pass
        hung_up.set()

    assert model_at(listening(hold)).generate(PROMPT, deadline_s=2 * HELD_S).text == "fine"
    assert hung_up.wait(
        SOON_S
    )  # the call ended before the server lost its patience, and so before the deadline


@pytest.mark.parametrize("spec", ["openai:m", "claude:c"])
@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_asks_for_a_page_is_no_answer_but_names_the_address_to_use(
    spec: str, status: int
) -> None:
    paths: list[str] = []

    def answer(got: Got) -> Raw:
        paths.append(got.path)
        if got.path.startswith("/v2"):
            return OK
        return Raw(b"moved", status, {"location": f"/v2{got.path}"})

    error = ask(answer, spec)
    assert type(error) is BadSetting
    assert error.status == status
    assert "/v2." in error.hint
    assert "BASE_URL to http://127.0.0.1:" in error.hint
    assert len(paths) == 1


@pytest.mark.parametrize("spec", ["openai:m", "claude:c"])
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_another_server_gets_no_key_and_names_the_address_to_use(
    spec: str, status: int
) -> None:
    with RawServer(lambda _: OK) as other:
        error = ask(lambda got: Raw(b"", status, {"location": f"{other.url}{got.path}"}), spec)
        assert other.got == []
    assert type(error) is BadSetting
    assert other.url in error.message
    assert f"BASE_URL to {other.url}." in error.hint


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_of_the_same_request_on_the_same_server_is_followed(status: int) -> None:
    def answer(got: Got) -> Raw:
        moved = got.path.startswith("/moved")
        return OK if moved else Raw(b"", status, {"location": f"/moved{got.path}"})

    with RawServer(answer) as server:
        assert model_at(server.url).generate(PROMPT, deadline_s=20).text == "fine"
        first, second = server.got
    assert (second.path, second.body) == (f"/moved{first.path}", first.body)
    assert second.headers["authorization"] == f"Bearer {KEY}"


def test_redirects_in_a_circle_come_to_an_end() -> None:
    assert type(ask(lambda got: Raw(b"", 307, {"location": got.path}))) is BadSetting


@pytest.mark.parametrize("location", [f"http://a..b/{KEY}", "http://[", "http://h:99999/", "//user:pass@h/"])
def test_a_redirect_to_what_cannot_be_an_address_is_an_error_without_secrets(location: str) -> None:
    error = ask(Raw(b"", 307, {"location": location}))
    assert isinstance(error, ModelError)
    assert KEY not in error.message + error.hint
    assert "pass" not in error.message + error.hint


Resolving = Callable[[str, Callable[[], list[str]]], None]


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Resolving:
    """Let one name be looked up by a function, which returns addresses; the system looks up all others."""

    def resolve(name: str, look_up: Callable[[], list[str]]) -> None:
        system = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> list[Any]:
            if host != name:
                return list(system(host, port, *rest, **options))
            return [row for address in look_up() for row in system(address, port, *rest, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


@pytest.fixture
def dead() -> Iterator[int]:
    """A port where connections are neither taken nor refused, on every loopback address."""
    full = socket.socket()
    full.bind(("0.0.0.0", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = []
    for number in range(1, 6):
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((f"127.0.0.{number}", port))
            waiting.append(one)
    yield port
    for one in (*waiting, full):
        one.close()


@pytest.mark.parametrize("spec", ["openai:m", "claude:c"])
def test_the_deadline_holds_while_a_name_is_looked_up(resolving: Resolving, spec: str) -> None:
    ended = threading.Event()

    def stuck() -> list[str]:
        ended.wait(HELD_S)
        return ["127.0.0.1"]

    resolving("slow.test", stuck)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        model_at("http://slow.test:1/v1", spec).generate(PROMPT, deadline_s=0.5)
    assert 0.4 < time.monotonic() - began < SOON_S
    assert caught.value.reported_cost_usd == 0.0
    ended.set()


def test_asking_for_models_does_not_wait_for_a_name(
    resolving: Resolving,
) -> None:
    ended = threading.Event()

    def stuck() -> list[str]:
        ended.wait(HELD_S)
        return []

    resolving("slow.test", stuck)
    began = time.monotonic()
    assert served_models("http://slow.test:1/v1", 0.3, Secret("")) is None
    assert time.monotonic() - began < SOON_S
    ended.set()


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs many loopback addresses and a queue that can be full"
)
def test_the_deadline_holds_for_all_the_addresses_of_a_name_together(resolving: Resolving, dead: int) -> None:
    resolving("dead.test", lambda: [f"127.0.0.{number}" for number in range(1, 61)])
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        model_at(f"http://dead.test:{dead}/v1").generate(PROMPT, deadline_s=1)
    assert 0.9 < time.monotonic() - began < SOON_S  # a second for each of them would be a minute


def test_an_address_that_refuses_is_passed_over_for_one_that_answers(
    resolving: Resolving,
) -> None:
    with RawServer(lambda _: OK) as server:
        resolving("two.test", lambda: ["::1", "127.0.0.1"])
        url = server.url.replace("127.0.0.1", "two.test")
        assert model_at(url).generate(PROMPT, deadline_s=20).text == "fine"


def test_a_name_that_nobody_has_is_a_failed_connection(
    resolving: Resolving,
) -> None:
    def unknown() -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolving("nobody.test", unknown)
    with pytest.raises(ConnectionFailed, match="not known") as caught:
        model_at("http://nobody.test:1/v1").generate(PROMPT, deadline_s=20)
    assert caught.value.reported_cost_usd == 0.0


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
