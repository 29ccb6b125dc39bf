"""Which addresses may be fetched."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.intake.addresses import checked_url, is_permitted
from rbi.intake.failures import DocumentFailed

PRIVATE = [
    ipaddress.IPv4Network(one)
    for one in (
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
    )
]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://a.org",
        "//a.org/x",
        "a.org",
        "http:///x",
        "http://user@a.org/",
        "http://user:secret@a.org/",
        "http://a.org:0/",
        "http://a.org:99999/",
        "http://a.org\\@b.org/",
        "http://a.org/ x",
        "http://a.org/\r\nHost:b",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://a.org/" + "x" * 5000,
    ],
)
def test_an_address_that_is_not_plainly_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(DocumentFailed) as caught:
        checked_url(url)
    assert caught.value.fix
    assert not caught.value.retryable
    assert "secret" not in caught.value.where


def test_an_ordinary_address_is_accepted_without_its_fragment() -> None:
    assert str(checked_url("https://A.org:443/x?y=1#z")) == "https://a.org/x?y=1"
    assert checked_url("https://bücher.example/ä").raw_host == b"xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "not an address",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_permitted(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_permitted(address)


def forms(inner: ipaddress.IPv4Address) -> list[str]:
    """An IPv4 address in all the IPv6 addresses that lead to it."""
    number = int(inner)
    bases = {"::": 0, "::ffff:0:0": 0xFFFF << 32, "64:ff9b::": 0x64FF9B << 96}
    inside = [ipaddress.IPv6Address(base | number) for base in bases.values()]
    return [str(inner), *map(str, inside), str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))]


@given(st.sampled_from(PRIVATE), st.integers(0, 2**24 - 1))
def test_a_private_address_is_refused_in_whatever_form(network: ipaddress.IPv4Network, offset: int) -> None:
    inner = network[offset % network.num_addresses]
    assert not any(is_permitted(form) for form in forms(inner))


@given(st.sampled_from(PRIVATE), st.integers(0, 2**24 - 1))
def test_a_network_that_is_allowed_is_permitted_and_no_other(
    network: ipaddress.IPv4Network, offset: int
) -> None:
    inner = str(network[offset % network.num_addresses])
    assert is_permitted(inner, (network,))
    assert is_permitted(f"::ffff:{inner}", (network,))
    assert not is_permitted(inner, tuple(other for other in PRIVATE if other != network))


@given(st.text(max_size=60))
def test_any_text_is_either_a_web_address_or_refused(text: str) -> None:
    for url in (text, f"http://{text}"):
        try:
            checked = checked_url(url)
        except DocumentFailed:
            continue
        assert checked.scheme in ("http", "https")
        assert checked.host
        assert not checked.userinfo
