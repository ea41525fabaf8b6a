"""Which addresses an agent may have, in whichever form somebody writes them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.infra import addresses

METADATA = ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"]


def written_in_ipv6(address: str) -> list[str]:
    """The IPv6 addresses that lead to an IPv4 address."""
    number = int(ipaddress.IPv4Address(address))
    high, low = number >> 16, number & 0xFFFF
    teredo = f"2001:0:4136:e378:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}"
    return [
        f"::ffff:{address}",
        f"::{high:x}:{low:x}",
        f"64:ff9b::{high:x}:{low:x}",
        f"64:ff9b:1::{high:x}:{low:x}",
        f"2002:{high:x}:{low:x}::1",
        teredo,
    ]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_refused_in_every_form(address: str):
    forms = [address, *(written_in_ipv6(address) if "." in address else [])]
    assert all(addresses.refusal(form) for form in forms), forms


@pytest.mark.parametrize(
    "address", ["169.254.0.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", *written_in_ipv6("169.254.1.2")]
)
def test_link_local_and_addresses_of_nobody_or_everybody_are_refused(address: str):
    assert address in (addresses.refusal(address) or "")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.1", "fd12::1", "1.1.1.1", "2606:4700::1111", *written_in_ipv6("10.0.0.7")]
)
def test_loopback_private_and_public_addresses_may_be_called(address: str):
    assert addresses.refusal(address) is None


@given(st.ip_addresses())
def test_every_address_gets_an_answer(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    refused = addresses.refusal(str(address))
    assert bool(refused) >= bool(address.is_link_local or address.is_multicast)


@pytest.mark.parametrize(
    ("url", "bare"), [("http://h", "http://h"), ("https://h:8443/a/b/", "https://h:8443/a/b"), ("http://[::1]:9//", "http://[::1]:9")]
)
def test_a_base_url_ends_without_a_slash(url: str, bare: str):
    assert addresses.base_url(url) == bare


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not an http"),
        ("h:80", "not an http"),
        ("ftp://h", "not an http"),
        ("file:///etc/passwd", "not an http"),
        ("http://", "names no host"),
        ("http://:80", "names no host"),
        ("http:///x", "names no host"),
        ("http://h:0", "names no port"),
        ("http://h:99999", "not a URL"),
        ("http://h:x", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://h/a b", "character"),
        ("http://h/\n", "character"),
        ("http://h\t", "character"),
        ("http://h/\x1b[31m", "character"),
        ("http://h\\@g", "user info"),
        ("http://h\\g", "character"),
        ("http://h/\u202e", "character"),
        ("http://h/\udcff", "character"),
        ("http://h/?q", "query"),
        ("http://h/?", "query"),
        ("http://h/#f", "query"),
        ("http://169.254.169.254/latest", "metadata"),
        ("http://[::ffff:169.254.169.254]", "metadata"),
        ("http://[fe80::1%25eth0]", "link-local"),
        ("http://0.0.0.0:80", "not the address of one host"),
        ("http://2852039166", "169.254.169.254"),
        ("http://0xa9fea9fe", "169.254.169.254"),
        ("http://0251.0376.0251.0376", "169.254.169.254"),
        ("http://127.1", "127.0.0.1"),
        ("http://h/" + "a" * 3000, "3009 characters"),
    ],
)
def test_what_is_no_base_url_is_refused_with_the_reason_in_one_line(url: str, why: str):
    with pytest.raises(ValueError, match=r"refused|URL|host|port|form") as refused:
        addresses.base_url(url)
    assert why in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("rest", ["h", "h/a b", "[::1", "h?x", "169.254.169.254", ""])
def test_a_password_in_a_url_is_refused_and_never_repeated(rest: str):
    with pytest.raises(ValueError, match="user info") as refused:
        addresses.base_url(f"http://me:hunter2-hunter2@{rest}")
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=30))
def test_no_text_makes_the_check_fail_in_another_way(text: str):
    for url in (text, "http://" + text):
        try:
            bare = addresses.base_url(url)
        except ValueError:
            continue
        assert bare.startswith(("http", "HTTP", "hTTP")) or bare[:4].lower() == "http"
        assert bare.isprintable()
