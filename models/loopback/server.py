"""A server on this machine that speaks both protocols, records what it is sent, and fails on request."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from types import TracebackType
from typing import Any

from models.loopback.answers import Answer, Answers, Asked, Failure, Misbehaviour, Reply
from models.loopback.wire import AnthropicWire, OpenAIWire, Wire

_TRICKLE_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived: header names in lower case, ``at`` on the clock of `time.monotonic`."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float


class LoopbackServer:
    """Serves ``answers`` on ``127.0.0.1`` in a thread of its own, until closed. A context manager.

    ``latency_s`` is slept before each answer. Port 0 takes a free one; see ``port``. With ``tls`` it speaks
    HTTPS, under the name ``localhost``.
    """

    def __init__(
        self,
        answers: Answers,
        *,
        port: int = 0,
        latency_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = answers
        self.latency_s = latency_s
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._in_flight = 0
        self._peak = 0
        self._server = _Server(("127.0.0.1", port), _Handler, self)
        self._origin = f"http://127.0.0.1:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._origin = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.server_address[1])

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's SDK (``OPENAI_BASE_URL``)."""
        return f"{self._origin}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL for Anthropic's SDK (``ANTHROPIC_BASE_URL``)."""
        return self._origin

    @property
    def seen(self) -> tuple[Seen, ...]:
        """Every request so far, in order of arrival."""
        with self._lock:
            return tuple(self._seen)

    @property
    def peak(self) -> int:
        """The most requests ever being answered at once."""
        return self._peak

    def close(self) -> None:
        """Stop serving and end every answer that is hanging."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> LoopbackServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def recording(self, seen: Seen) -> Iterator[int]:
        """Count the request while it is being answered; gives its number."""
        with self._lock:
            self._seen.append(seen)
            number = len(self._seen)
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)
        try:
            yield number
        finally:
            with self._lock:
                self._in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], loopback: LoopbackServer
    ) -> None:
        super().__init__(address, handler)
        self.loopback = loopback


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small writes would otherwise wait for the other side's delayed acknowledgements.
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Record the request and answer it; an SDK that hangs up in the middle is no error."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        text = self.rfile.read(int(headers.get("content-length", 0)))
        wire = self._wire()
        try:
            body = json.loads(text)
        except ValueError:
            wire, body = None, {}
        loopback = self.server.loopback
        seen = Seen(self.path, headers, body, time.monotonic())
        with loopback.recording(seen) as number, contextlib.suppress(ConnectionError):
            if wire is None:
                self._send_json(404, {"error": "not a chat completion or messages request"})
                return
            loopback.closing.wait(loopback.latency_s)
            asked = wire.asked(body, number)
            self._answer(wire, asked, loopback.answers(asked), seen)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed: `LoopbackServer.seen` is the log."""

    def _wire(self) -> Wire | None:
        path = self.path.partition("?")[0]
        if path in ("/v1/chat/completions", "/chat/completions"):
            return OpenAIWire()
        return AnthropicWire() if path == "/v1/messages" else None

    def _answer(self, wire: Wire, asked: Asked, answer: Answer, seen: Seen) -> None:
        if isinstance(answer, Misbehaviour):
            self._misbehave(wire, asked, answer)
        elif isinstance(answer, Failure):
            self._fail(wire, asked, answer)
        else:
            reply = Reply(answer) if isinstance(answer, str) else answer
            self._reply(wire, asked, reply, seen.body)

    def _reply(self, wire: Wire, asked: Asked, reply: Reply, body: Mapping[str, Any]) -> None:
        if not asked.streaming:
            self._send_json(200, wire.whole(asked, reply))
            return
        options = body.get("stream_options") or {}
        self._open_stream()
        for event in wire.events(asked, reply, wants_usage=bool(options.get("include_usage"))):
            self._send_piece(event)
        self._end_stream()

    def _fail(self, wire: Wire, asked: Asked, failure: Failure) -> None:
        if not failure.midway:
            self._send_json(failure.status, wire.error(failure), failure.headers)
            return
        self._open_stream()
        self._send_piece(self._beginning(wire, asked))
        self._send_piece(wire.error_event(failure))
        self._end_stream()

    def _misbehave(self, wire: Wire, asked: Asked, how: Misbehaviour) -> None:
        self.close_connection = True
        if how is Misbehaviour.HANG:
            self.server.loopback.closing.wait()
        elif how is Misbehaviour.RESET:
            self._reset()
        elif how is Misbehaviour.GARBAGE:
            self._send(200, "text/html", b"<html>not what you asked for</html>", {})
        else:
            self._misbehave_in_stream(wire, asked, how)

    def _misbehave_in_stream(self, wire: Wire, asked: Asked, how: Misbehaviour) -> None:
        self._open_stream()
        if how is Misbehaviour.GARBAGE_EVENTS:
            self._send_piece("event: message_start\ndata: {not json\n\n")
        elif how is Misbehaviour.NO_CHOICES:
            self._send_piece('data: {"id": "x", "object": "chat.completion.chunk", "choices": []}\n\n')
        else:
            self._send_piece(self._beginning(wire, asked))
        if how is Misbehaviour.HANG_MIDWAY:
            self.server.loopback.closing.wait()
        elif how is Misbehaviour.TRICKLE:
            # Comment lines are swallowed by the SDKs: their callers see no chunk at all.
            while not self.server.loopback.closing.wait(_TRICKLE_EVERY_S):
                self._send_piece(": still thinking\n")
        elif how is Misbehaviour.RESET_MIDWAY:
            self._reset()
            return
        self._end_stream()

    def _beginning(self, wire: Wire, asked: Asked) -> str:
        """A stream's first events, up to and with some text."""
        events = wire.events(asked, Reply("half an answer"), wants_usage=True)
        return "".join(islice(events, wire.opening_events))

    def _send_json(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers or {})

    def _send(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _open_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _send_piece(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        # Lingering for zero seconds makes closing send a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
