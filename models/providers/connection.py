"""The connections of one account: kept alive, lent to one call at a time, and cut when its time is up.

The SDKs' own timeout is per read: a server that sends a byte, or a comment line, now and then is never timed out.
So the socket that a call goes over is known here, and is shut down at the deadline, whatever the SDK is doing with it.
A line is an SDK client with a pool of one connection: which socket a shared pool gives to a call is not to be
known before the answer begins.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from models.errors import BadSetting
from models.providers.deadline import Deadline, DeadlineWatch
from models.providers.dialect import Dialect
from models.secrets import Secret, public_url

if TYPE_CHECKING:
    import ssl

    import httpx2

Client = TypeVar("Client")

CONNECT_TIMEOUT_S = 10.0

# Servers close idle connections after a minute or so; asking over one that is just being closed fails.
_KEPT_ALIVE_S = 30.0

# The per-read timeout is only there in case the watching thread is starved: the deadline must win.
_READ_GRACE_S = 5.0

# A model may think for minutes without a byte, and a router in between forgets connections that are silent.
_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))


class Line(Generic[Client]):
    """One SDK client over at most one connection, used by one call at a time."""

    def __init__(self, build: Callable[[httpx2.Client], Client], context: ssl.SSLContext) -> None:
        import httpx2

        from models.providers.bounded import shorten_explanation
        from models.providers.connecting import BoundedConnecting, connect_with

        self._http = httpx2.Client(
            verify=context,
            limits=httpx2.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEPT_ALIVE_S
            ),
            event_hooks={"request": [self._on_request], "response": [shorten_explanation]},
        )
        connect_with(self._http, BoundedConnecting(self._left_s))
        self.client = build(self._http)
        self._lock = threading.Lock()
        self._is_cut = False
        self._deadline: Deadline | None = None
        self._stream: Any = None
        self._socket: socket.socket | None = None

    def begin(self, watch: DeadlineWatch, seconds: float) -> Deadline:
        """A call begins, which ``watch`` cuts after ``seconds``."""
        self._is_cut = False
        self._deadline = watch.start(seconds, self.cut)
        return self._deadline

    def cut(self) -> None:
        """End the call: whatever is reading from or writing to the connection fails."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                _shut(self._socket)

    def end(self) -> None:
        """The call is over; a connection that cannot be used again is let go of."""
        if self._stream is not None and self._stream.get_extra_info("socket").fileno() < 0:
            self._forget()

    def close(self) -> None:
        """Close the connection for good."""
        self._http.close()
        self._forget()

    def _left_s(self) -> float:
        return 0.0 if self._deadline is None else self._deadline.left_s()

    def _on_request(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._watch

    def _watch(self, event: str, info: Mapping[str, Any]) -> None:
        """The HTTP library's trace callback: take note of the connection that is opened."""
        if event.endswith("connect_tcp.complete"):
            self._opened(info["return_value"])
        elif event.endswith("start_tls.complete"):
            self._stream = info["return_value"]

    def _opened(self, stream: Any) -> None:
        # A duplicate, because TLS takes the socket over and leaves this object empty.
        opened = stream.get_extra_info("socket").dup()
        _probe_when_silent(opened)
        self._forget()
        with self._lock:
            self._stream, self._socket = stream, opened
            if self._is_cut:
                _shut(opened)

    def _forget(self) -> None:
        with self._lock:
            opened, self._stream, self._socket = self._socket, None, None
        if opened is not None:
            opened.close()


class Connection(Generic[Client]):
    """An account's lines, opened when they are needed, and what was learned about its models.

    ``build`` makes an SDK client from the address, the key and the HTTP client it has to use.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret,
        build: Callable[[str, Secret, httpx2.Client], Client],
        watch: DeadlineWatch,
    ) -> None:
        self.base_url = base_url
        self.key = key
        self.dialects: dict[str, Dialect] = {}
        self._build = build
        self._watch = watch
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        # The last one used is the next one taken: the others may rest, and be closed by the server.
        self._idle: deque[Line[Client]] = deque()
        weakref.finalize(self, _close_all, self._idle)

    @contextlib.contextmanager
    def line(self, seconds: float) -> Iterator[tuple[Line[Client], Deadline]]:
        """A line for one call, cut after ``seconds`` of wall-clock time."""
        line = self._take()
        deadline = line.begin(self._watch, seconds)
        try:
            yield line, deadline
        finally:
            self._watch.stop(deadline)
            line.end()
            self._idle.append(line)

    def hurry(self, deadline: Deadline, seconds: float) -> None:
        """Bring a deadline forward to ``seconds`` from now."""
        self._watch.shorten(deadline, seconds)

    def _take(self) -> Line[Client]:
        try:
            return self._idle.pop()
        except IndexError:
            return self._new_line()

    def _new_line(self) -> Line[Client]:
        import httpx2

        error: Exception
        try:
            return Line(lambda http: self._build(self.base_url, self.key, http), self._tls())
        except (ImportError, OSError, ValueError, httpx2.InvalidURL) as found:
            error = found
        # Outside of the except block, and without the words of an error about an address: it may hold a password.
        said = f": {error}" if isinstance(error, ImportError | OSError) else ""
        raise BadSetting(
            f"no connection can be made to {public_url(self.base_url)}: {type(error).__name__}{said}",
            hint="Check the address, and the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE"
            " and SSL_CERT_DIR.",
        )

    def _tls(self) -> ssl.SSLContext:
        import httpx2

        with self._lock:
            if self._context is None:
                self._context = httpx2.create_ssl_context()  # slow: reads every certificate authority
            return self._context


def read_timeout_s(deadline: Deadline) -> float:
    """Seconds after which a silent read is hopeless."""
    return deadline.left_s() + _READ_GRACE_S


def connect_timeout_s(deadline: Deadline) -> float:
    """Seconds allowed for opening the connection."""
    return min(CONNECT_TIMEOUT_S, max(deadline.left_s(), 0.001))


def _close_all(lines: deque[Line[Any]]) -> None:
    while lines:
        lines.pop().close()


def _probe_when_silent(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _shut(opened: socket.socket) -> None:
    # A socket the other side has closed already needs no shutting.
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
