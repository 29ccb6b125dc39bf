"""One SDK client per account, shared by threads, whose calls end at a wall-clock deadline.

The SDKs' own timeout is per read: a server that sends a byte, or a comment line that the SDK swallows, now and
then is never timed out. So each call opens its own connection, and a timer shuts its socket down at the deadline,
whatever the SDK is doing with it. Opening a connection costs two round trips, which is little beside the seconds
a model takes, and a stale connection can never swallow a paid request.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from models.secrets import Secret

Client = TypeVar("Client")

ONE_CALL_EACH = {"Connection": "close"}

CONNECT_TIMEOUT_S = 10.0

# The per-read timeout is only there in case the timer's thread is starved: the timer must win.
_READ_GRACE_S = 5.0


class Deadline:
    """The wall-clock limit of one call, which closes the call's sockets when it passes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(max(seconds, 0.0), self._cut)
        self._timer.daemon = True

    def start(self) -> None:
        """Let the time run."""
        self._timer.start()

    def cancel(self) -> None:
        """The call is over; let go of its sockets."""
        self._timer.cancel()
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    def read_timeout_s(self) -> float:
        """Seconds after which a silent read is hopeless."""
        return max(self._end - time.monotonic(), 0.0) + _READ_GRACE_S

    def connect_timeout_s(self) -> float:
        """Seconds allowed for opening the connection."""
        return min(CONNECT_TIMEOUT_S, max(self._end - time.monotonic(), 0.001))

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """The HTTP library's trace callback: take note of every socket the call opens."""
        if not event.endswith("connect_tcp.complete"):
            return
        # A duplicate, because TLS takes the socket over and leaves this object empty.
        opened = info["return_value"].get_extra_info("socket").dup()
        with self._lock:
            self._sockets.append(opened)
            if self.passed:
                _shut(opened)

    def _cut(self) -> None:
        with self._lock:
            self.passed = True
            for opened in self._sockets:
                _shut(opened)


class Connection(Generic[Client]):
    """An account's SDK client, built on first use by ``build(base_url, key, on_request)``."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        build: Callable[[str, Secret, Callable[[Any], None]], Client],
    ) -> None:
        self.base_url = base_url
        self.key = key
        self._build = build
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._here = threading.local()

    def client(self) -> Client:
        """The shared client."""
        with self._lock:
            if self._client is None:
                self._client = self._build(self.base_url, self.key, self._on_request)
            return self._client

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[Deadline]:
        """Hold what this thread sends inside the block to ``seconds`` of wall-clock time."""
        deadline = Deadline(seconds)
        self._here.deadline = deadline
        deadline.start()
        try:
            yield deadline
        finally:
            deadline.cancel()
            self._here.deadline = None

    def _on_request(self, request: Any) -> None:
        deadline = getattr(self._here, "deadline", None)
        if deadline is not None:
            request.extensions["trace"] = deadline.watch


def _shut(opened: socket.socket) -> None:
    # A socket the other side has closed already needs no shutting.
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
