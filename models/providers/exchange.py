"""One request over an SDK's client, and what came back for it, complete or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from models.providers.connection import connect_timeout_s, read_timeout_s
from models.providers.deadline import Deadline
from models.providers.server_events import is_over

if TYPE_CHECKING:
    import httpx2

_LONGEST_END = 96

# These alone ask for the same request again; after another redirect a client asks for a page instead.
_SAME_REQUEST = (307, 308)
_MOST_REDIRECTS = 2

# Of an answer, unpacked. The longest ones of today, with an event for each token, are a third of it.
_LONGEST_BODY = 64 * 1024 * 1024

# A server that has said its last word and holds the connection open costs this long, and not the whole deadline.
_AFTER_THE_END_S = 2.0


class SDK(Protocol):
    """What the modules ``openai`` and ``anthropic`` have in common."""

    APIConnectionError: type[Exception]
    APIStatusError: type[Exception]
    Timeout: type[httpx2.Timeout]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back. ``status`` is ``None`` when nothing did; header names are in lower case.

    ``broken`` says, in the HTTP library's words, why the body is not complete; empty when it is. ``unsent`` is true
    when there never was a connection to send the request over. ``moved_to`` is the address of a redirect that was not
    followed.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b""
    broken: str = ""
    unsent: bool = False
    moved_to: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. A header may be the SDK's own word for one that is to be left out."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, Any]


def exchange(
    sdk: SDK,
    client: Any,
    request: Request,
    deadline: Deadline,
    *,
    accepted: Callable[[Mapping[str, str]], None],
    ended: Callable[[float], None],
) -> Exchange:
    """Send ``request`` once, and again where the same server sends it on to. Never raises for what that can do.

    The body is read as bytes: what the SDKs build for every event costs several times the rest of a call.
    ``accepted`` is called with the headers of an answer before its body is read, ``ended`` with the seconds that
    the other side has to close an answer whose end has come.
    """
    path = request.path
    for _ in range(1 + _MOST_REDIRECTS):
        answer = _exchange_once(sdk, client, replace(request, path=path), deadline, accepted, ended)
        if answer.status not in _SAME_REQUEST or not _is_same_server(answer.moved_to, str(client.base_url)):
            break
        path = answer.moved_to
    return answer


def _exchange_once(
    sdk: SDK,
    client: Any,
    request: Request,
    deadline: Deadline,
    accepted: Callable[[Mapping[str, str]], None],
    ended: Callable[[float], None],
) -> Exchange:
    import httpx2

    status, headers, received = None, {}, bytearray()
    try:
        response: httpx2.Response = client.post(
            request.path,
            body=request.body,
            cast_to=httpx2.Response,
            stream=True,
            options={
                "headers": request.headers,
                "timeout": sdk.Timeout(read_timeout_s(deadline), connect=connect_timeout_s(deadline)),
            },
        )
        with contextlib.closing(response):
            status, headers = response.status_code, _plain(response.headers)
            accepted(headers)
            for piece in response.iter_bytes():
                received += piece
                if len(received) > _LONGEST_BODY:
                    return Exchange(status, headers, broken=f"longer than {_LONGEST_BODY >> 20} MB")
                if is_over(bytes(received[-_LONGEST_END - len(piece) :])):
                    ended(_AFTER_THE_END_S)
    except sdk.APIStatusError as error:
        answer: httpx2.Response = error.response  # type: ignore[attr-defined]
        headers = _plain(answer.headers)
        moved_to = _location(str(answer.request.url), headers) if answer.status_code < 400 else ""
        return Exchange(answer.status_code, headers, answer.content, moved_to=moved_to)
    except (
        sdk.APIConnectionError,
        httpx2.HTTPError,
        httpx2.StreamError,
        httpx2.InvalidURL,
        UnicodeError,
    ) as error:
        cause = error.__cause__ or error
        unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        return Exchange(status, headers, bytes(received), f"{type(cause).__name__}: {cause}", unsent)
    return Exchange(status, headers, bytes(received))


def _plain(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _location(asked: str, headers: Mapping[str, str]) -> str:
    """Where a redirect leads; empty if it does not say, or nothing that can be an address."""
    said = headers.get("location", "")
    try:
        return urljoin(asked, said) if said and _port(urlsplit(urljoin(asked, said))) != 0 else ""
    except ValueError:
        return ""


def _is_same_server(url: str, other: str) -> bool:
    """Whether the key may go there too: the same scheme, name and port."""
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.hostname, _port(one)) == (two.scheme, two.hostname, _port(two))


def _port(parts: SplitResult) -> int | None:
    return parts.port if parts.port is not None else {"http": 80, "https": 443}.get(parts.scheme)
