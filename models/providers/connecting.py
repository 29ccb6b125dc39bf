"""Opening a connection in the time that a call has left, whatever the name server and the addresses do.

The system's name lookup cannot be interrupted, and the HTTP library allows its timeout for each address of a name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable

import httpcore2
import httpx2

from models.providers.deadline import within

_SHORTEST_TIMEOUT_S = 0.001


class BoundedConnecting(httpcore2.NetworkBackend):
    """Connects within ``left_s()`` seconds, all the addresses of a name taken together.

    One that is dead leaves time for those after it: each gets an equal share of what is left, at most ``timeout``.
    """

    def __init__(self, left_s: Callable[[], float]) -> None:
        self._left_s = left_s
        self._system = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """See `httpcore2.NetworkBackend.connect_tcp`."""
        addresses = self._addresses(host, port)
        failed: Exception = httpcore2.ConnectError(f"{host} has no address")
        for n, address in enumerate(addresses):
            share = max(self._left_s() / (len(addresses) - n), _SHORTEST_TIMEOUT_S)
            allowed = share if timeout is None else min(share, timeout)
            try:
                return self._system.connect_tcp(address, port, allowed, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    def _addresses(self, host: str, port: int) -> list[str]:
        if _is_address(host):
            return [host]
        try:
            found = within(self._left_s(), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"the name {host} was not looked up in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return list(dict.fromkeys(_numeric(address) for *_, address in found))


def connect_with(client: httpx2.Client, backend: httpcore2.NetworkBackend) -> None:
    """Let ``client`` open its connections, to proxies as well, through ``backend``.

    The library has no public way that also keeps its proxies of the environment.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = backend


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _numeric(address: tuple[str | int, ...] | tuple[int, bytes]) -> str:
    host, scope = str(address[0]), address[3] if len(address) == 4 else 0
    return f"{host}%{scope}" if scope else host
