"""Which addresses may be fetched: of the public internet, over HTTP, written plainly."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import httpx2

from rbi.intake.failures import DocumentFailed, Trouble

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_URL = 4096
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# What the system's lookup would take for an IPv4 address: one to four numbers, decimal, octal or hexadecimal.
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}\.?", re.IGNORECASE)
_NEVER_IN_A_URL = re.compile(r"[\s\\\x00-\x20\x7f]")


def checked_url(text: str) -> httpx2.URL:
    """``text`` as an address that may be asked for, without its fragment.

    Raises `DocumentFailed` for another scheme than http and https, for a user or password in it, and for a host that
    is missing or is a number in disguise. Where its name leads to is `is_permitted`'s to judge.
    """
    wrong = _wrong_spelling(text)
    if wrong:
        raise DocumentFailed(Trouble.ADDRESS, wrong, _without_user(text))
    try:
        url = httpx2.URL(text).copy_with(fragment=None)
        host = url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, UnicodeError, ValueError, TypeError):
        raise DocumentFailed(Trouble.ADDRESS, "this is not a valid address", _without_user(text)) from None
    wrong = _wrong_parts(url, host)
    if wrong:
        raise DocumentFailed(Trouble.ADDRESS, wrong, _without_user(text))
    return url


def _wrong_spelling(text: str) -> str:
    if len(text) > _LONGEST_URL:
        return f"the address has more than {_LONGEST_URL:,} characters"
    if _NEVER_IN_A_URL.search(text):
        return "the address holds a blank, a backslash or a control character"
    return ""


def _wrong_parts(url: httpx2.URL, host: str) -> str:
    if url.scheme not in ("http", "https"):
        return f"only http and https are fetched, not {url.scheme or 'an address without either'}"
    if url.userinfo or b"@" in url.netloc:
        return "the address holds a user name or password"
    if not host or "%" in host:
        return "the address names no host"
    if url.port is not None and not 0 < url.port < 2**16:
        return f"there is no port {url.port}"
    if _NUMERIC.fullmatch(host) and not _is_plain_ipv4(host):
        return f"{host} is an unusual way to write a numeric address"
    return ""


def _is_plain_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _without_user(text: str) -> str:
    return re.sub(r"//[^/?#\s]*@", "//", text)


def networks(text: str) -> tuple[Network, ...]:
    """The networks named in a text, with commas between them. Raises `ValueError`."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_permitted(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether a connection to a numeric address may be opened: a public one, or one in an ``allowed`` network.

    An IPv4 address inside an IPv6 one (mapped, compatible, 6to4, Teredo, NAT64) is judged, too.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = _embedded(parsed)
    if any(
        one in network for one in (parsed, *inner) for network in allowed if one.version == network.version
    ):
        return True
    return all(_is_public(one) for one in inner) if inner else _is_public(parsed)


def _embedded(address: _Address) -> tuple[ipaddress.IPv4Address, ...]:
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _is_public(address: _Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address.scope_id):
        return False
    return address.is_global
