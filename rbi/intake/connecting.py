"""Connections for fetching: to addresses that were checked, and for no longer than the fetch may take."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore2

from models.providers.deadline import within
from rbi.intake.addresses import Network, is_permitted

LookUp = Callable[[str, int], Sequence[str]]
_WAKES_EVERY_S = 0.25


class NotPermitted(Exception):
    """A host has no address that may be connected to."""


class Stopped(Exception):
    """The batch is ending."""


class Clock:
    """The time that a fetch has, and whether it is still wanted."""

    def __init__(self, seconds: float, is_stopping: Callable[[], bool]) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._is_stopping = is_stopping

    def left_s(self) -> float:
        """Seconds left, more than 0. Raises `httpcore2.ReadTimeout` or `Stopped` if there is no point in going on."""
        if self._is_stopping():
            raise Stopped
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time is up")
        return left


class CheckedConnecting(httpcore2.NetworkBackend):
    """Looks a host up once and connects to one of those very addresses, if it is permitted.

    Looking it up again for the connection would let a name server answer otherwise the second time.
    """

    def __init__(self, clock: Clock, allowed: Sequence[Network], look_up: LookUp) -> None:
        self._clock = clock
        self._allowed = allowed
        self._look_up = look_up
        self._system = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """See `httpcore2.NetworkBackend.connect_tcp`. Raises `NotPermitted`."""
        del timeout  # the clock's is shorter or the same
        found = self._addresses(host, port)
        permitted = [address for address in found if is_permitted(address, self._allowed)]
        if not permitted:
            raise NotPermitted(f"{host} is at {found[0]}" if found[0] != host else host)
        failed: Exception | None = None
        for n, address in enumerate(permitted):
            share = self._clock.left_s() / (len(permitted) - n)
            try:
                stream = self._system.connect_tcp(address, port, share, local_address, socket_options)
                return BoundedStream(stream, self._clock)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError(host)

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = within(self._clock.left_s(), lambda: self._look_up(host, port))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"the name {host} was not looked up in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} cannot be looked up: {error}") from error
        if not found:
            raise httpcore2.ConnectError(f"{host} has no address")
        return found


class BoundedStream(httpcore2.NetworkStream):
    """A connection whose every operation ends with the clock: a server that sends a byte now and then does, too."""

    def __init__(self, stream: httpcore2.NetworkStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See `httpcore2.NetworkStream.read`."""
        del timeout
        while True:
            try:
                return self._stream.read(max_bytes, min(self._clock.left_s(), _WAKES_EVERY_S))
            except httpcore2.ReadTimeout:
                self._clock.left_s()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See `httpcore2.NetworkStream.write`."""
        del timeout
        self._stream.write(buffer, self._clock.left_s())

    def close(self) -> None:
        """See `httpcore2.NetworkStream.close`."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """See `httpcore2.NetworkStream.start_tls`."""
        del timeout
        secured = self._stream.start_tls(ssl_context, server_hostname, self._clock.left_s())
        return BoundedStream(secured, self._clock)

    def get_extra_info(self, info: str) -> Any:
        """See `httpcore2.NetworkStream.get_extra_info`."""
        return self._stream.get_extra_info(info)


def system_look_up(host: str, port: int) -> Sequence[str]:
    """The numeric addresses of a host, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
