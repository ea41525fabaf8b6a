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


def refusal(address: str) -> str | None:
    """Why this IP address must not be connected to, or None."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    if ip in _METADATA:
        return f"{address} is a metadata service"
    if ip.is_link_local:
        return f"{address} is link-local"
    if ip.is_multicast or ip.is_unspecified or ip == ipaddress.ip_address("255.255.255.255"):
        return f"{address} is not the address of one host"
    return None


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
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as failure:
        raise ValueError(f"{url!r} is not a URL: {failure}") from failure
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is not an http or https URL")
    if not host or any(character.isspace() or ord(character) < 0x21 for character in url):
        raise ValueError(f"{url!r} names no host")
    if "@" in parts.netloc:
        raise ValueError("a URL with user info is refused; a token belongs into the variable that token_env names")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(f"{url!r} has a query or fragment; give the base URL of the agent")
    address = literal(host)
    reason = refusal(address) if address else None
    if reason:
        raise ValueError(f"{url!r} is refused: {reason}")
    return url.rstrip("/")
