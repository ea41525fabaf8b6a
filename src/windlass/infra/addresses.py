"""Which network addresses an agent may have. Link-local and metadata addresses answer to whoever asks from the inside: never.

Source of the list: RFC 3927, RFC 4291 (link-local), and the metadata services of the large clouds.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"))
)
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/96", "::/96")))
"""NAT64, well-known and local, and the old IPv4-compatible form: the last 32 bits are an IPv4 address."""
_LONGEST = 2000


def refusal(address: str) -> str | None:
    """Why this IP address must not be connected to, or None."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _carried(ip) or ip
    if ip in _METADATA:
        return f"{address} is a metadata service"
    if ip.is_link_local:
        return f"{address} is link-local"
    if ip.is_multicast or ip.is_unspecified or ip == ipaddress.ip_address("255.255.255.255"):
        return f"{address} is not the address of one host"
    return None


def is_public(address: str) -> bool:
    """Whether this IP address, and any that it carries, belongs to the public internet: not loopback, private, shared, reserved or of one link."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _carried(ip) or ip
    return ip.is_global and refusal(address) is None


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, by any of the mappings that routers and kernels know."""
    if any(ip in network for network in _TRANSLATED) and int(ip) > 1:  # `::` and `::1` carry nothing
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def literal(host: str) -> str | None:
    """The IP address that a host name already is, in any form a resolver accepts (`0x7f.1`, `2130706433`), or None for a real name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def base_url(url: str) -> str:
    """The URL without a trailing slash; raises ValueError that says what an agent's base URL must not be."""
    if len(url) > _LONGEST:
        raise ValueError(f"a URL of {len(url)} characters is refused; the longest has {_LONGEST}")
    if "@" in url.partition("//")[2].partition("/")[0]:  # first of all, so that no other refusal repeats the password
        raise ValueError("a URL with user info is refused; a token belongs into the variable that token_env names")
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"{url!r} holds a character that no URL may")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as failure:
        raise ValueError(f"{url!r} is not a URL: {failure}") from failure
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is not an http or https URL")
    if not host or port == 0:
        raise ValueError(f"{url!r} names no {'port' if host else 'host'}")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(f"{url!r} has a query or fragment; give the base URL of the agent")
    address = literal(host)
    if address and address != host and ":" not in host:
        raise ValueError(f"{url!r} writes its address in a form that not everybody reads alike; write {address}")
    reason = refusal(address) if address else None
    if reason:
        raise ValueError(f"{url!r} is refused: {reason}")
    return url.rstrip("/")
