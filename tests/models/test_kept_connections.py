"""Connections are kept alive and used again, and no call is lost or held by it."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from raw_http import Got, Raw, RawServer, chunk, events, plain

from models.base import BaseModel, Prompt
from models.errors import ConnectionFailed, DeadlineExceeded
from models.factory import ModelFactory
from models.providers.deadline import DeadlineWatch

KEY = "sk-test-0123456789abcdefghijklmnop"
PROMPT = Prompt("write", "s", "u")
OK = Raw(events(chunk("fine", "stop")))
MESSAGE = plain(
    {
        "type": "message",
        "model": "c",
        "content": [{"type": "text", "text": "fine"}],
        "stop_reason": "end_turn",
    }
)

both = pytest.mark.parametrize("spec", ["openai:m", "claude:c"])


def model_at(url: str, spec: str = "openai:m") -> BaseModel:
    prefixes = ("OPENAI", "ANTHROPIC")
    environ = {f"{prefix}_API_KEY": KEY for prefix in prefixes}
    model = ModelFactory(environ | {f"{prefix}_BASE_URL": url for prefix in prefixes}).create(spec)
    model.get_ready()  # importing an SDK is no part of what is timed
    return model


def fine(got: Got) -> Raw:
    return MESSAGE if got.path.endswith("/messages") else OK


@both
def test_questions_one_after_the_other_go_over_one_connection(spec: str) -> None:
    with RawServer(fine) as server:
        model = model_at(server.url, spec)
        for _ in range(5):
            assert model.generate(PROMPT, deadline_s=20).text == "fine"
        assert [got.connection for got in server.got] == [0] * 5


@both
def test_an_error_does_not_cost_the_connection(spec: str) -> None:
    answers = iter([plain({"error": {"message": "no", "code": "x"}}, 500)])
    with RawServer(lambda got: next(answers, fine(got))) as server:
        model = model_at(server.url, spec)
        with pytest.raises(Exception, match="no"):
            model.generate(PROMPT, deadline_s=20)
        model.generate(PROMPT, deadline_s=20)
        assert [got.connection for got in server.got] == [0, 0]


def test_there_are_never_more_connections_than_questions_at_once() -> None:
    def slowly(_got: Got) -> Raw:
        time.sleep(0.02)
        return OK

    with RawServer(slowly) as server:
        model = model_at(server.url)
        with ThreadPoolExecutor(6) as pool:
            texts = list(pool.map(lambda _: model.generate(PROMPT, deadline_s=20).text, range(60)))
        assert texts == ["fine"] * 60
        assert server.connections <= 6


@both
def test_a_connection_that_the_server_closed_meanwhile_loses_no_question(spec: str) -> None:
    with RawServer(lambda got: Raw(fine(got).body, kind="application/json", closes=True)) as server:
        model = model_at(server.url, spec)
        for _ in range(4):
            assert model.generate(PROMPT, deadline_s=20).text == "fine"
            server.wait_for_no_connection()
        assert [got.connection for got in server.got] == [0, 1, 2, 3]


@pytest.fixture
def listening() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Start a server that hands each connection to a function, in a thread of its own; gives its address."""
    sockets: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                sockets.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for one in sockets:
        one.close()


def read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return body


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_reused_connection_that_breaks_after_the_request_is_reported_and_not_asked_again(
    listening: Callable[..., str],
) -> None:
    requests: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(CHUNKED + piece(OK.body) + b"0\r\n\r\n")
        requests.append(read_request(connection))
        connection.close()

    model = model_at(listening(serve))
    model.generate(PROMPT, deadline_s=20)
    with pytest.raises(ConnectionFailed):
        model.generate(PROMPT, deadline_s=20)
    assert len(requests) == 2


def test_the_deadline_cuts_a_reused_connection_that_trickles(listening: Callable[..., str]) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + piece(OK.body) + b"0\r\n\r\n")
        read_request(connection)
        connection.sendall(CHUNKED)
        try:
            while True:
                connection.sendall(piece(b": thinking\n\n"))
                time.sleep(0.05)
        except OSError:
            return

    model = model_at(listening(serve))
    model.generate(PROMPT, deadline_s=20)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        model.generate(PROMPT, deadline_s=0.5)
    assert time.monotonic() - began < 20


def test_a_cut_call_keeps_what_it_is_known_to_have_used(listening: Callable[..., str]) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}}

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + piece(f"data: {json.dumps(usage)}\n\n".encode()))

    model = model_at(listening(serve))
    for deadline_s in (0.5, 5, 50):  # longer only where nothing had come yet
        with pytest.raises(DeadlineExceeded) as caught:
            model.generate(PROMPT, deadline_s=deadline_s)
        if caught.value.usage is not None:
            break
    assert caught.value.usage is not None
    assert (caught.value.usage.input_tokens, caught.value.reported_cost_usd) == (10, 0.5)


def test_an_answer_that_is_over_is_not_held_by_a_server_that_does_not_end_it(
    listening: Callable[..., str],
) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + piece(OK.body))

    began = time.monotonic()
    assert model_at(listening(serve)).generate(PROMPT, deadline_s=60).text == "fine"
    assert time.monotonic() - began < 20


def test_a_connection_that_cannot_be_used_again_is_let_go_of(listening: Callable[..., str]) -> None:
    ends: list[bytes] = []
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n"
        connection.sendall(head + OK.body)
        connection.shutdown(socket.SHUT_WR)
        ends.append(connection.recv(10))
        ended.set()

    model = model_at(listening(serve))
    assert model.generate(PROMPT, deadline_s=20).text == "fine"
    assert ended.wait(60), "the connection is still open on this side"
    assert ends == [b""]


def test_connections_close_with_the_last_model_that_uses_them(listening: Callable[..., str]) -> None:
    closed = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED + piece(OK.body) + b"0\r\n\r\n")
        if connection.recv(10) == b"":
            closed.set()

    model = model_at(listening(serve))
    model.generate(PROMPT, deadline_s=20)
    assert not closed.is_set()
    del model
    gc.collect()
    assert closed.wait(60)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(fine) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert model_at("http://models.invalid/v1").generate(PROMPT, deadline_s=20).text == "fine"
        assert proxy.got[0].path == "http://models.invalid/v1/chat/completions"


def test_a_watch_cuts_what_is_late_and_nothing_that_was_stopped() -> None:
    watch = DeadlineWatch()
    late, never = threading.Event(), threading.Event()
    stopped = watch.start(600, never.set)
    patient = watch.start(600, never.set)
    watch.stop(stopped)
    watch.shorten(stopped, 0.1)
    slow = watch.start(0.2, late.set)
    assert late.wait(60)
    assert not never.is_set()
    assert (slow.passed, stopped.passed, patient.passed) == (True, False, False)
    watch.stop(patient)


def test_a_watch_that_is_told_to_hurry_cuts_sooner() -> None:
    watch = DeadlineWatch()
    cut = threading.Event()
    deadline = watch.start(60, cut.set)
    watch.shorten(deadline, 0.05)
    assert cut.wait(60)


def test_a_watch_keeps_no_thread_when_there_is_nothing_to_watch() -> None:
    watch, name = DeadlineWatch(), "model-deadlines"
    for _ in range(2):
        before, cut = set(threading.enumerate()), threading.Event()
        deadline = watch.start(600, cut.set)
        (watching,) = (one for one in threading.enumerate() if one not in before and one.name == name)
        watch.shorten(deadline, 0.05)
        assert cut.wait(60)
        watching.join(60)
        assert not watching.is_alive()
