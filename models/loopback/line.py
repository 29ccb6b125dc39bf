"""HTTP/1.1 on a connection: requests in, and responses out in as few writes as possible."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BufferedReader

_LONGEST_LINE = 65_536
_CHUNKED = {"transfer-encoding": "chunked"}
_LAST_CHUNK = b"0\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """A request with the names of its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def keeps_alive(self) -> bool:
        """Whether the caller wants to send another request over the same connection."""
        return self.headers.get("connection", "").lower() != "close"


def read_request(reader: BufferedReader) -> Request | None:
    """The next request; ``None`` when the caller has hung up or does not speak HTTP."""
    words = reader.readline(_LONGEST_LINE).decode("latin-1").split()
    if len(words) != 3:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline(_LONGEST_LINE).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    content = reader.read(int(length)) if length.isdigit() else b""
    return Request(words[0], words[1], headers, content)


class Line:
    """The writing side of a connection. Every method raises `OSError` when the caller is gone."""

    def __init__(self, connection: socket.socket, headers: Mapping[str, str], *, keeps_alive: bool) -> None:
        self._connection = connection
        self._headers = headers
        self.keeps_alive = keeps_alive

    def send(self, status: int, kind: str, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A whole response in one write."""
        length = {"content-length": str(len(content))}
        self._connection.sendall(self._head(status, kind, {**length, **(headers or {})}) + content)

    def send_stream(self, text: str) -> None:
        """A whole stream in one write."""
        self._connection.sendall(self._head(200, "text/event-stream", _CHUNKED) + _chunk(text) + _LAST_CHUNK)

    def open_stream(self) -> None:
        """The head of a stream, whose parts come one by one."""
        self._connection.sendall(self._head(200, "text/event-stream", _CHUNKED))

    def send_part(self, text: str) -> None:
        """A part of a stream that is open."""
        self._connection.sendall(_chunk(text))

    def end_stream(self) -> None:
        """The end of a stream that is open."""
        self._connection.sendall(_LAST_CHUNK)

    def open_body(self, kind: str, length: int) -> None:
        """The head of a response that announces ``length`` bytes and leaves sending them to `send_raw`."""
        self._connection.sendall(self._head(200, kind, {"content-length": str(length)}))

    def send_raw(self, content: bytes) -> None:
        """Bytes as they are."""
        self._connection.sendall(content)

    def wait(self, closing: threading.Event, every_s: float = 0.05) -> bool:
        """Let ``every_s`` seconds pass; gives whether there is any use in going on.

        There is none when ``closing`` is set or the caller has gone: until it has its answer it has nothing to
        say, so whatever can be read is its goodbye.
        """
        if closing.wait(every_s):
            return False
        with selectors.DefaultSelector() as readable:
            readable.register(self._connection, selectors.EVENT_READ)
            return not readable.select(timeout=0)

    def break_off(self) -> None:
        """Make closing the connection send a reset instead of an orderly end."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _head(self, status: int, kind: str, headers: Mapping[str, str]) -> bytes:
        fields = {"content-type": kind, **self._headers, **headers}
        if not self.keeps_alive:
            fields["connection"] = "close"
        lines = [
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Overloaded')}",
            *(f"{name}: {value}" for name, value in fields.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
