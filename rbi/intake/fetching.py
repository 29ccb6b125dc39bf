"""Fetching documents from servers that nobody vouches for: bounded in size and time, and never from private networks.

No proxy, no cookie and no password of the user's takes part. A proxy would look names up itself, so that
what is connected to could not be checked.
"""

from __future__ import annotations

import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpcore2
import httpx2

from rbi import __version__
from rbi.intake.addresses import Network, checked_url
from rbi.intake.connecting import CheckedConnecting, Clock, LookUp, NotPermitted, Stopped, system_look_up
from rbi.intake.failures import DocumentFailed, Trouble

LARGEST_DOCUMENT = 20 * 1024 * 1024
LONGEST_FETCH_S = 30.0
MOST_REDIRECTS = 5
USER_AGENT = f"rbi/{__version__}"
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (408, 425, 429)
_GONE = (404, 410)
_UNNAMED = ("", "application/octet-stream", "binary/octet-stream")
_GZIP_OR_ZLIB = 47  # window bits: 15, plus 32 to tell the two apart by their header


class Kind:
    """The content types that can be read."""

    HTML = "text/html"
    TEXT = "text/plain"
    PDF = "application/pdf"


_KINDS = {
    "text/html": Kind.HTML,
    "application/xhtml+xml": Kind.HTML,
    "text/plain": Kind.TEXT,
    "text/markdown": Kind.TEXT,
    "text/x-markdown": Kind.TEXT,
    "application/pdf": Kind.PDF,
    "application/x-pdf": Kind.PDF,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, with the headers that are its own."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Names of ``headers`` are in lower case, ``content`` is decompressed."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document: where it was in the end, its content type (one of `Kind`), its charset if the server named one."""

    url: str
    kind: str
    charset: str
    content: bytes


class Fetch(Protocol):
    """How documents are had."""

    def get(self, url: str) -> Fetched:
        """The document at an address. Raises `DocumentFailed`."""

    def exchange(self, request: Request, seconds: float) -> Answer:
        """One request and its answer, without following redirects, within ``seconds``. Raises `DocumentFailed`."""


class Fetcher:
    """Fetches over the network. Safe to share between threads.

    ``allowed`` are networks that may be connected to although they are not public. Once ``is_stopping`` returns true,
    what is under way ends within a fraction of a second.
    """

    def __init__(
        self,
        *,
        allowed: Sequence[Network] = (),
        is_stopping: Callable[[], bool] = lambda: False,
        seconds: float = LONGEST_FETCH_S,
        largest: int = LARGEST_DOCUMENT,
        look_up: LookUp = system_look_up,
    ) -> None:
        self._allowed = tuple(allowed)
        self._is_stopping = is_stopping
        self._seconds = seconds
        self._largest = largest
        self._look_up = look_up
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def get(self, url: str) -> Fetched:
        """See `Fetch.get`. At most five redirects are followed; each is checked like the first address."""
        clock = Clock(self._seconds, self._is_stopping)
        address = checked_url(url)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._exchange(Request(str(address)), clock, _check_document)
            if answer.status not in _REDIRECTS:
                return _document(answer)
            address = checked_url(str(_target(address, answer)))
        raise DocumentFailed(Trouble.REDIRECTS, f"it redirects more than {MOST_REDIRECTS} times", url)

    def exchange(self, request: Request, seconds: float) -> Answer:
        """See `Fetch.exchange`."""
        return self._exchange(request, Clock(min(seconds, self._seconds), self._is_stopping), _check_nothing)

    def _exchange(
        self, request: Request, clock: Clock, check: Callable[[str, int, Mapping[str, str]], None]
    ) -> Answer:
        url = checked_url(request.url)
        backend = CheckedConnecting(clock, self._allowed, self._look_up)
        headers = {"Host": url.netloc.decode("ascii"), "User-Agent": USER_AGENT, "Accept": "*/*"}
        headers |= {name: value for name, value in request.headers if name.lower() not in _OURS}
        headers |= {"Accept-Encoding": "gzip", "Connection": "close"}
        with (
            _explained(str(url), clock),
            httpcore2.ConnectionPool(ssl_context=self._tls(url), network_backend=backend) as pool,
            pool.stream(
                request.method,
                _core(url),
                headers=list(headers.items()),
                content=request.body or None,
            ) as response,
        ):
            found = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            check(str(url), response.status, found)
            # The body of a redirect or an error says nothing that is used.
            content = b"" if response.status in _REDIRECTS else self._body(response, found, str(url))
            return Answer(str(url), response.status, found, content)

    def _body(self, response: httpcore2.Response, headers: Mapping[str, str], url: str) -> bytes:
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._largest:
            raise self._too_large(url)
        out = bytearray()
        for piece in _decompressed(
            response.iter_stream(), headers.get("content-encoding", ""), self._largest, url
        ):
            out += piece
            if len(out) > self._largest:
                raise self._too_large(url)
        return bytes(out)

    def _too_large(self, url: str) -> DocumentFailed:
        return DocumentFailed(Trouble.TOO_LARGE, f"it is larger than {self._largest / 2**20:g} MB", url)

    def _tls(self, url: httpx2.URL) -> ssl.SSLContext | None:
        if url.scheme != "https":
            return None
        with self._lock:
            if self._context is None:
                self._context = httpx2.create_ssl_context()  # slow: reads every certificate authority
            return self._context


_OURS = (
    "host",
    "user-agent",
    "accept-encoding",
    "connection",
    "content-length",
    "transfer-encoding",
    "authorization",
)


def _core(url: httpx2.URL) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path or b"/")


def _target(address: httpx2.URL, answer: Answer) -> httpx2.URL:
    try:
        return address.join(answer.headers["location"])
    except (KeyError, httpx2.InvalidURL, ValueError):
        raise DocumentFailed(
            Trouble.BROKEN_ANSWER, "it redirects to no valid address", str(address)
        ) from None


def _check_nothing(url: str, status: int, headers: Mapping[str, str]) -> None:
    del url, status, headers


def _check_document(url: str, status: int, headers: Mapping[str, str]) -> None:
    """Fail before a body is read that could not be used."""
    if status in _REDIRECTS:
        return
    if status >= 500 or status in _LATER:
        raise DocumentFailed(Trouble.SERVER, f"the server answered {status}", url)
    if status in _GONE:
        raise DocumentFailed(Trouble.NOT_FOUND, f"the server answered {status}: there is nothing here", url)
    if status != 200:
        raise DocumentFailed(Trouble.REFUSED, f"the server answered {status}", url)
    kind, _ = _content_type(headers)
    if kind not in _KINDS and kind not in _UNNAMED:
        raise DocumentFailed(Trouble.CONTENT_TYPE, f"it is {kind}, which is not read", url)


def _content_type(headers: Mapping[str, str]) -> tuple[str, str]:
    """The type in lower case without parameters, and the charset among them."""
    kind, *parameters = headers.get("content-type", "").split(";")
    charset = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'").lower()
    return kind.strip().lower(), charset


def _document(answer: Answer) -> Fetched:
    named, charset = _content_type(answer.headers)
    if answer.content[:1024].lstrip().startswith(b"%PDF-"):
        return Fetched(answer.url, Kind.PDF, "", answer.content)
    if named in _UNNAMED:
        what = "the server does not say what it is, and it is no PDF"
        raise DocumentFailed(Trouble.CONTENT_TYPE, what, answer.url)
    return Fetched(answer.url, _KINDS[named], charset, answer.content)


def _decompressed(pieces: Iterable[bytes], encoding: str, largest: int, url: str) -> Iterator[bytes]:
    """The content of a body. No step makes more than ``largest`` bytes and one, however much is packed into it."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise DocumentFailed(Trouble.BROKEN_ANSWER, f"it is packed as {encoding!r}, unasked", url)
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for piece in pieces:
            yield unpacker.decompress(piece, largest + 1)
    except zlib.error:
        raise DocumentFailed(Trouble.BROKEN_ANSWER, f"it is not the {encoding} that it claims", url) from None
    if not unpacker.eof:
        raise DocumentFailed(Trouble.BROKEN_ANSWER, "the answer breaks off", url)


class _explained:  # noqa: N801 - reads as the with statement that it is
    """Turns what the HTTP library raises into `DocumentFailed`."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        found = None if error is None else self._failure(error)
        if found is not None:
            raise found from error

    def _failure(self, error: BaseException) -> DocumentFailed | None:
        if isinstance(error, Stopped):
            return DocumentFailed(Trouble.STOPPED, "stopped while it was being fetched", self._url)
        if isinstance(error, NotPermitted):
            return DocumentFailed(Trouble.PRIVATE_ADDRESS, f"{error}, which is no public address", self._url)
        if isinstance(error, httpcore2.TimeoutException):
            return DocumentFailed(Trouble.TOO_SLOW, f"not done in {self._clock.seconds:g} s", self._url)
        if isinstance(error, httpcore2.NetworkError | OSError):
            return DocumentFailed(Trouble.UNREACHABLE, f"the connection failed: {error}", self._url)
        if isinstance(error, httpcore2.ProtocolError | httpcore2.UnsupportedProtocol):
            return DocumentFailed(Trouble.BROKEN_ANSWER, f"the answer is not valid HTTP: {error}", self._url)
        return None
