"""A server on this machine that speaks both protocols, records what it is sent, and fails on request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any

from models.loopback.answers import Answers
from models.loopback.exchange import Listener
from models.loopback.latency import Latency, drawn
from models.loopback.ledger import Entry, Ledger, Prices, WorstWindow, bill, worst_window
from models.loopback.limits import Enforced, Enforcement
from models.loopback.line import Request
from models.loopback.tokens import PromptCache


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived: header names in lower case, ``at`` in seconds on the server's clock."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float


class LoopbackServer:
    """Serves ``answers`` on ``127.0.0.1`` in a thread of its own, until closed. A context manager.

    ``latency_s`` passes before each answer and ``pace_s`` after each event of a stream; both are seconds or what
    draws them. ``limits`` are enforced on the ``clock`` (seconds). ``caching`` reports long prefixes that were
    sent before as cached. ``models`` is what ``GET /v1/models`` lists. ``on_end`` is called, from any thread, when a
    question is over. Port 0 takes a free one; see ``port``. With ``tls`` it speaks HTTPS, as ``localhost``.
    """

    def __init__(
        self,
        answers: Answers,
        *,
        port: int = 0,
        latency_s: float | Latency = 0.0,
        pace_s: float | Latency = 0.0,
        limits: Enforced | None = None,
        caching: bool = False,
        models: Sequence[str] = ("loopback",),
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[Entry], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers = answers
        self.closing = threading.Event()
        self.ledger = Ledger()
        self.enforcement = Enforcement(limits or Enforced(), clock)
        self.cache = PromptCache() if caching else None
        self._latency_s, self._pace_s = latency_s, pace_s
        self._models = tuple(models)
        self._clock = clock
        self._on_end = on_end
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._connections: set[socket.socket] = set()
        self._listener = Listener(("127.0.0.1", port), self)
        self._origin = f"http://127.0.0.1:{self.port}"
        if tls is not None:
            # The handshake is left to each connection's own thread: a caller that dallies holds up nobody else.
            self._listener.socket = tls.wrap_socket(
                self._listener.socket, server_side=True, do_handshake_on_connect=False
            )
            self._origin = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._listener.server_address[1])

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
        """Every request so far, questions or not, in order of arrival."""
        with self._lock:
            return tuple(self._seen)

    @property
    def log(self) -> tuple[Entry, ...]:
        """Every question so far: when it came, whether it was turned away, what it used."""
        return self.ledger.entries

    @property
    def peak(self) -> int:
        """The most questions ever being answered at once."""
        return self.ledger.peak

    @property
    def is_paced(self) -> bool:
        """Whether streams come event by event."""
        return self._pace_s != 0

    def worst_window(self, period_s: float = 60.0, *, turned_away: bool = True) -> WorstWindow:
        """The most that arrived in any ``period_s`` seconds, with or without what was turned away."""
        return worst_window(self.log, period_s, turned_away=turned_away)

    def bill(self, prices: Prices) -> Decimal:
        """US dollars for every question whose answer carried a usage. Raises `LookupError` without a price."""
        return bill(self.log, prices)

    def close(self) -> None:
        """Stop serving, end every answer that is hanging and every connection."""
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the caller may have hung up already
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> LoopbackServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        """Keep the connection in mind, to end it when the server is closed."""
        with self._lock:
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)

    def record(self, request: Request, body: Mapping[str, Any]) -> None:
        """Write down a request."""
        with self._lock:
            self._seen.append(Seen(request.path, request.headers, body, self._clock()))

    def wait_before_answering(self) -> None:
        """Let the latency pass, or the server be closed."""
        self._wait(self._latency_s)

    def wait_between_events(self) -> None:
        """Let the pace's time pass, or the server be closed."""
        self._wait(self._pace_s)

    def ended(self, entry: Entry) -> None:
        """A question is over."""
        if self._on_end is not None:
            self._on_end(entry)

    def _wait(self, latency: float | Latency) -> None:
        seconds = drawn(latency)
        if seconds > 0:
            self.closing.wait(seconds)

    def model_list(self) -> dict[str, Any]:
        """What both protocols' SDKs take for a list of models."""
        return {
            "object": "list",
            "has_more": False,
            "first_id": None,
            "last_id": None,
            "data": [_listed(name) for name in self._models],
        }


def _listed(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "type": "model",
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "display_name": name,
        "owned_by": "loopback",
    }
