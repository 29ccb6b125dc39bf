"""A server on this machine that sends exactly the bytes a test wants to see on the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer. With ``closes`` the connection ends after it; ``cut`` sends only so many bytes of the body."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "text/event-stream"
    cut: int | None = None
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Got:
    """A request. ``connection`` counts the connections in the order in which they were opened, from 0."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    connection: int


_PATIENCE_S = 60.0


class RawServer:
    """Answers every request with what ``answer`` makes of it, over connections that are kept alive."""

    def __init__(self, answer: Callable[[Got], Raw]) -> None:
        self.got: list[Got] = []
        self._answer = answer
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.raw = self
        self.lock = threading.Lock()
        self.connections = 0
        self._closed = 0
        self._closing = threading.Condition(self.lock)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def respond(self, got: Got) -> Raw:
        with self.lock:
            self.got.append(got)
        return self._answer(got)

    def closed(self) -> None:
        """A connection was closed on this side."""
        with self._closing:
            self._closed += 1
            self._closing.notify_all()

    def wait_for_no_connection(self) -> None:
        """Until every connection so far was closed on this side. `AssertionError` if one is kept."""
        with self._closing:
            assert self._closing.wait_for(lambda: self._closed == self.connections, _PATIENCE_S)

    def __enter__(self) -> RawServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    raw: RawServer

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.raw.closed()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.raw.lock:
            self.number = self.server.raw.connections
            self.server.raw.connections += 1

    def do_GET(self) -> None:
        self._respond({})

    def do_POST(self) -> None:
        self._respond(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _respond(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.server.raw.respond(Got(self.path, headers, body, self.number))
        self.send_response(raw.status)
        self.send_header("content-type", raw.kind)
        self.send_header("content-length", str(len(raw.body)))
        for name, value in raw.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw.body[: raw.cut])
        self.close_connection = raw.closes or raw.cut is not None

    def log_message(self, format: str, *args: object) -> None:
        pass


def events(*values: object, done: bool = True) -> bytes:
    """A stream of OpenAI's kind with these values in it."""
    texts = [f"data: {json.dumps(value)}\n\n" for value in values]
    return "".join([*texts, "data: [DONE]\n\n"] if done else texts).encode()


def chunk(content: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a streamed chat completion."""
    return {
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}],
        **more,
    }


def plain(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Raw:
    """A JSON body."""
    return Raw(json.dumps(value).encode(), status, headers or {}, "application/json")
