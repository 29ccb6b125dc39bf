"""Fetching from servers that misbehave. Everything stays on the loopback."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from raw_http import Got, Raw, RawServer

from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import MOST_REDIRECTS, USER_AGENT, Fetcher, Kind, Request

LOOPBACK = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))


def page(body: bytes = b"<p>hello", kind: str = "text/html", status: int = 200, **headers: str) -> Raw:
    return Raw(body, status, {name.replace("_", "-"): value for name, value in headers.items()}, kind)


@contextmanager
def serving(answer: Callable[[Got], Raw] | Raw) -> Iterator[RawServer]:
    with RawServer(answer if callable(answer) else lambda _: answer) as server:
        yield server


def fails(url: str, fetcher: Fetcher | None = None) -> DocumentFailed:
    with pytest.raises(DocumentFailed) as caught:
        (fetcher or Fetcher(allowed=LOOPBACK)).get(url)
    assert caught.value.fix
    return caught.value


def test_a_page_is_fetched_with_its_type_and_charset() -> None:
    with serving(page(kind="Text/HTML; Charset=ISO-8859-1")) as server:
        found = Fetcher(allowed=LOOPBACK).get(f"{server.url}/x#top")
    assert (found.kind, found.charset, found.content) == (Kind.HTML, "iso-8859-1", b"<p>hello")
    assert found.url == f"{server.url}/x"


def test_a_request_carries_no_cookie_no_password_and_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(page(set_cookie="a=b")) as server:
        fetcher = Fetcher(allowed=LOOPBACK)
        fetcher.get(server.url)
        fetcher.get(server.url)
    assert server.got[1].headers["user-agent"] == USER_AGENT
    assert not {"cookie", "authorization"} & set(server.got[1].headers)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_the_loopback_is_refused_unless_allowed(host: str) -> None:
    with serving(page()) as server:
        port = server.url.rsplit(":", 1)[1]
        failure = fails(f"http://{host}:{port}/", Fetcher())
        assert failure.trouble is Trouble.PRIVATE_ADDRESS
        assert not failure.retryable
        assert server.connections == 0


def test_a_redirect_to_a_private_address_is_refused() -> None:
    with serving(page(status=302, location="http://169.254.169.254/latest/meta-data/")) as server:
        assert fails(server.url).trouble is Trouble.PRIVATE_ADDRESS


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://u:p@127.0.0.1/", "gopher://127.0.0.1"])
def test_a_redirect_to_no_web_address_is_refused(target: str) -> None:
    with serving(page(status=301, location=target)) as server:
        assert fails(server.url).trouble is Trouble.ADDRESS


def test_a_name_is_looked_up_once_for_each_connection() -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with serving(page()) as server:
        port = server.url.rsplit(":", 1)[1]
        fetcher = Fetcher(allowed=(ipaddress.IPv4Network("127.0.0.1/32"),), look_up=rebinding)
        assert fetcher.get(f"http://rebind.example:{port}/").content == b"<p>hello"
        assert asked == ["rebind.example"]
        assert fails(f"http://rebind.example:{port}/", fetcher).trouble is Trouble.PRIVATE_ADDRESS
        assert server.connections == 1


def test_of_several_addresses_only_permitted_ones_are_connected_to() -> None:
    allowed = (ipaddress.IPv4Network("127.0.0.1/32"),)
    with serving(page()) as server:
        port = server.url.rsplit(":", 1)[1]
        fetcher = Fetcher(allowed=allowed, look_up=lambda *_: ["10.0.0.1", "127.0.0.1"])
        assert fetcher.get(f"http://both.example:{port}/").content == b"<p>hello"


def test_relative_redirects_are_followed_up_to_the_limit() -> None:
    def hop(got: Got) -> Raw:
        left = int(got.path.rsplit("/", 1)[1])
        return page(status=307, location=f"./{left - 1}") if left else page()

    with serving(hop) as server:
        fetcher = Fetcher(allowed=LOOPBACK)
        assert fetcher.get(f"{server.url}/a/{MOST_REDIRECTS}").url == f"{server.url}/a/0"
        assert fails(f"{server.url}/a/{MOST_REDIRECTS + 1}").trouble is Trouble.REDIRECTS


def test_a_redirect_to_nowhere_is_a_broken_answer() -> None:
    with serving(page(status=302)) as server:
        assert fails(server.url).trouble is Trouble.BROKEN_ANSWER


@pytest.mark.parametrize(
    ("status", "trouble", "retryable"),
    [
        (401, Trouble.REFUSED, False),
        (403, Trouble.REFUSED, False),
        (404, Trouble.NOT_FOUND, False),
        (410, Trouble.NOT_FOUND, False),
        (429, Trouble.SERVER, True),
        (500, Trouble.SERVER, True),
        (503, Trouble.SERVER, True),
        (206, Trouble.REFUSED, False),
    ],
)
def test_a_status_says_whether_trying_again_helps(status: int, trouble: Trouble, retryable: bool) -> None:
    with serving(page(status=status)) as server:
        failure = fails(server.url)
    assert (failure.trouble, failure.retryable) == (trouble, retryable)
    assert str(status) in failure.what


@pytest.mark.parametrize("kind", ["image/png", "application/zip", "video/mp4", "application/json"])
def test_what_is_not_a_document_is_refused(kind: str) -> None:
    with serving(page(kind=kind)) as server:
        failure = fails(server.url)
    assert failure.trouble is Trouble.CONTENT_TYPE
    assert kind in failure.what


def test_an_unnamed_type_is_accepted_for_a_pdf_only() -> None:
    with serving(page(b"%PDF-1.4 ...", "application/octet-stream")) as server:
        assert Fetcher(allowed=LOOPBACK).get(server.url).kind == Kind.PDF
    with serving(page(b"MZ...", "application/octet-stream")) as server:
        assert fails(server.url).trouble is Trouble.CONTENT_TYPE


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_page_is_unpacked(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with serving(page(pack(b"<p>hello"), content_encoding=encoding)) as server:
        assert Fetcher(allowed=LOOPBACK).get(server.url).content == b"<p>hello"


def test_a_bomb_ends_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    with serving(page(bomb, content_encoding="gzip")) as server:
        assert fails(server.url, Fetcher(allowed=LOOPBACK, largest=100_000)).trouble is Trouble.TOO_LARGE


@pytest.mark.parametrize(
    "raw",
    [
        page(b"not gzip", content_encoding="gzip"),
        page(gzip.compress(b"x" * 999)[:-12], content_encoding="gzip"),
        page(b"x", content_encoding="br"),
        page(b"x", content_encoding="gzip, gzip"),
        Raw(b"x" * 1000, kind="text/html", cut=10),
    ],
    ids=["no gzip", "half of it", "brotli", "twice", "breaks off"],
)
def test_an_answer_that_is_not_whole_is_a_broken_answer(raw: Raw) -> None:
    with serving(raw) as server:
        failure = fails(server.url)
    assert failure.trouble is Trouble.BROKEN_ANSWER
    assert failure.retryable


def test_a_large_answer_is_refused_by_its_length_and_by_its_bytes() -> None:
    fetcher = Fetcher(allowed=LOOPBACK, largest=1000)
    with serving(page(b"x" * 1001)) as server:
        assert fails(server.url, fetcher).trouble is Trouble.TOO_LARGE
    with serving(page(b"x" * 1000)) as server:
        assert len(fetcher.get(server.url).content) == 1000
    with stream(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", b"x" * 500, every_s=0) as url:
        assert fails(url, fetcher).trouble is Trouble.TOO_LARGE


@contextmanager
def stream(start: bytes, piece: bytes, every_s: float = 0.01) -> Iterator[str]:
    """A server that sends ``start``, then ``piece`` again and again until nobody reads it."""
    done = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(start)
                while not done.wait(every_s):
                    connection.sendall(piece)
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            done.set()
            with suppress(OSError):  # somebody who gave up before the connection was made never came
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
    ],
    ids=["silent", "body byte by byte", "endless header"],
)
def test_the_time_is_for_the_whole_fetch(start: bytes, piece: bytes) -> None:
    with stream(start, piece) as url:
        failure = fails(url, Fetcher(allowed=LOOPBACK, seconds=0.4))
    assert failure.trouble is Trouble.TOO_SLOW
    assert failure.retryable


def test_a_fetch_that_is_not_wanted_any_more_ends() -> None:
    stopping = threading.Event()
    timer = threading.Timer(0.1, stopping.set)
    with stream(b"", b"") as url:
        timer.start()
        failure = fails(url, Fetcher(allowed=LOOPBACK, is_stopping=stopping.is_set))
    timer.join()
    assert failure.trouble is Trouble.STOPPED


def test_nobody_listening_is_said_and_can_be_tried_again() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it does not listen, and nobody else can have the port
        failure = fails(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
    assert failure.trouble is Trouble.UNREACHABLE
    assert failure.retryable


def test_what_is_not_http_is_a_broken_answer() -> None:
    with stream(b"SSH-2.0-OpenSSH\r\n\r\n", b"x") as url:
        assert fails(url).trouble is Trouble.BROKEN_ANSWER


def test_an_exchange_gives_any_answer_as_it_is() -> None:
    with serving(page(b"{}", "application/json", 429)) as server:
        answer = Fetcher(allowed=LOOPBACK).exchange(
            Request(server.url, "POST", (("Content-Type", "application/json"),), b"{}"), 60.0
        )
    assert (answer.status, answer.content) == (429, b"{}")
    assert server.got[0].headers["content-type"] == "application/json"
