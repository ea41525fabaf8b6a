"""Calling an HTTP service that may be hostile, slow, dead or wrong: one call, one value, no exception and no redirect.

The connector checks the address it is about to connect to, after every resolution, so that a name which changes its address
between check and use gains nothing. Proxies from the environment are ignored: a proxy would see tokens and answer for agents.
"""

from __future__ import annotations

import asyncio
import errno
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from windlass.infra import addresses
from windlass.model import Fault


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: `status` 0 when nothing did; `body` is whole unless `fault` is set; `elapsed_ms` from the first byte sent."""

    status: int
    body: bytes
    elapsed_ms: float
    fault: Fault | None = None
    detail: str = ""
    headers: Mapping[str, str] | None = None


_IDLE_S = 1
"""Seconds that an idle connection is kept: servers close theirs after 2 (gunicorn) or 5 (uvicorn, Node), and a call must not meet that."""
_SAID = 1000
"""Characters of a failure's own words that are told; callers redact them before they cut them shorter."""


class _ForbiddenAddressError(OSError):
    """The address that a name resolved to must not be connected to."""


def _guarded_socket(found: Any) -> socket.socket:
    family, kind, protocol, _name, address = found
    reason = addresses.refusal(address[0])
    if reason:
        raise _ForbiddenAddressError(errno.EACCES, reason)
    return socket.socket(family=family, type=kind, proto=protocol)


def session() -> aiohttp.ClientSession:
    """A client session without redirects, cookies, proxies or environment; the caller bounds how many calls are in flight."""
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=10, keepalive_timeout=_IDLE_S, socket_factory=_guarded_socket)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False)


async def call(
    client: aiohttp.ClientSession,
    method: Literal["GET", "POST"],
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
    cap: int,
) -> Answer:
    """Make one call: at most `timeout_s` seconds in all, at most `cap` bytes of body kept (TOO_LARGE beyond). Never raises for what a peer does."""
    started = time.perf_counter()
    status, received = 0, bytearray()
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    fault: Fault | None = None
    detail = ""
    answered: Mapping[str, str] | None = None
    try:
        async with asyncio.timeout(timeout_s):
            content = io.BytesIO(body) if body and len(body) > _RAW_AT_MOST else body
            async with client.request(method, url, data=content, headers=sent, allow_redirects=False, timeout=_NO_TIMEOUT) as response:
                status, answered = response.status, response.headers
                async for piece in response.content.iter_any():
                    received += piece
                    if len(received) > cap:
                        fault, detail = "TOO_LARGE", f"the answer is larger than {cap} bytes"
                        response.close()
                        break
    except Exception as failure:  # noqa: BLE001  # whatever a peer provokes in the client library is that peer's failure; `_explained` names it
        fault, detail = _explained(failure, status, timeout_s)
    elapsed = (time.perf_counter() - started) * 1000
    return Answer(status=status, body=bytes(received[:cap]), elapsed_ms=elapsed, fault=fault, detail=detail, headers=answered)


_RAW_AT_MOST = 1024 * 1024  # aiohttp warns of larger raw bytes, and wants them as a file
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)


def _explained(failure: Exception, status: int, timeout_s: float) -> tuple[Fault, str]:
    """The fault class and one sentence for an exception of the client library; the only place where they are translated."""
    cause = getattr(failure, "os_error", failure)
    if isinstance(cause, _ForbiddenAddressError):
        return "UNREGISTERED_ENDPOINT", f"refused to connect: {cause.strerror}"
    match failure:
        case TimeoutError():
            return "TIMEOUT", f"no whole answer within {timeout_s:g} s"
        case aiohttp.ClientConnectorDNSError():
            return "DNS", f"the name {failure.host!r} does not resolve"
        case UnicodeError():
            return "DNS", f"the name can't be one: {_plain(failure)}"
        case aiohttp.InvalidURL():
            return "REFUSED", f"the URL can't be called: {_plain(failure)}"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS", f"TLS failed: {_plain(failure)}"
        case aiohttp.ClientConnectorError():
            return "REFUSED", f"no connection: {failure.os_error.strerror or failure.os_error}"
        case aiohttp.ClientResponseError():
            return "REFUSED", f"the answer is not HTTP: {_plain(failure.message)}"
        case aiohttp.ClientError() | OSError() | EOFError():
            return "REFUSED", f"the connection broke {'inside' if status else 'before'} the answer: {_plain(failure)}"
        case _:
            return "REFUSED", f"the call failed: {type(failure).__name__}: {_plain(failure)}"


def _plain(failure: BaseException | str) -> str:
    words = " ".join(str(failure).split()) or type(failure).__name__
    return words.encode("utf-8", "backslashreplace").decode()[:_SAID]  # a peer's bytes may be no text
