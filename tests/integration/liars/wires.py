"""Agents whose lies are in the bytes on the wire: how long, how many, how broken."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import web
from tests.integration.liars.citizens import Asked, Citizen, always, answer, counted, json

_MEGABYTE = b"x" * 1_000_000
HONEST_BODY = b'{"status":"ok","ok":true,"request_id":"r","task_type":"T","outputs":{"words":5}}'


async def _begun(asked: Asked, **headers: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
    await response.prepare(asked.http)
    return response


async def _trickles(asked: Asked) -> web.StreamResponse:
    response = await _begun(asked)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.1)


async def _never(asked: Asked) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _gigabyte(asked: Asked) -> web.StreamResponse:
    response = await _begun(asked, **{"Content-Length": "1000000000"})
    for _ in range(1000):
        await response.write(_MEGABYTE)
    return response


async def _chunked_gigabyte(asked: Asked) -> web.StreamResponse:
    response = await _begun(asked)
    response.enable_chunked_encoding()
    for _ in range(1000):
        await response.write(_MEGABYTE)
    return response


def _bomb() -> bytes:
    """100 MB of nothing, in 100 kB."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()


def _raw(content: bytes, *, abort: bool = False) -> Callable[[Asked], Awaitable[web.StreamResponse]]:
    """Writes these bytes to the connection, and ends it."""

    async def behave(asked: Asked) -> web.StreamResponse:
        transport = asked.http.transport
        assert transport
        transport.write(content)
        if abort:
            await asyncio.sleep(0.05)  # so that the bytes are on the way before the reset overtakes them
            transport.abort()
        else:
            transport.close()
        await asyncio.Event().wait()  # until the server cancels it with its connection
        raise AssertionError

    return behave


def _said(head: bytes, body: bytes = HONEST_BODY) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body


def _status(status: int) -> Callable[[Asked], Awaitable[web.StreamResponse]]:
    return always(lambda asked: json(answer(asked, counted(asked.text)), status=status))


async def _hangs_when_wrong(asked: Asked) -> web.StreamResponse:
    if not asked.valid:
        await asyncio.Event().wait()
    return json(answer(asked, counted(asked.text)))


def _redirects(asked: Asked) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "/redirected-to/agents/run/sync"}, body=HONEST_BODY)


_BOMB = _bomb()

LIARS = [
    Citizen(name="slow-loris", behave=_trickles, rung="dispatched", failure="TIMEOUT"),
    Citizen(name="never-answers", behave=_never, rung="dispatched", failure="TIMEOUT"),
    Citizen(name="hangs-when-wrong", behave=_hangs_when_wrong, rung="conformed", failure="TIMEOUT"),
    Citizen(name="gigabyte", behave=_gigabyte, rung="dispatched", failure="TOO_LARGE"),
    Citizen(name="chunked-gigabyte", behave=_chunked_gigabyte, rung="dispatched", failure="TOO_LARGE"),
    Citizen(
        name="gzip-bomb",
        behave=always(lambda _: web.Response(body=_BOMB, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})),
        rung="responded",
        failure="NOT_JSON",
    ),
    Citizen(name="redirects", behave=always(_redirects), rung="dispatched", failure="CONTRACT"),
    Citizen(name="no-content", behave=always(lambda _: web.Response(status=204)), rung="dispatched", failure="CONTRACT"),
    Citizen(name="accepted", behave=_status(202), rung="dispatched", failure="CONTRACT"),
    Citizen(name="http-500", behave=_status(500), rung="dispatched", failure="HTTP_5XX"),
    Citizen(name="http-503", behave=_status(503), rung="dispatched", failure="HTTP_5XX"),
    Citizen(name="http-404", behave=_status(404), rung="dispatched", failure="HTTP_4XX"),
    Citizen(name="http-401", behave=_status(401), rung="dispatched", failure="HTTP_4XX"),
    Citizen(name="http-429", behave=_status(429), rung="dispatched", failure="HTTP_4XX"),
    Citizen(name="resets-inside", behave=_raw(_said(b"Content-Length: 9000"), abort=True), rung="dispatched", failure="REFUSED"),
    Citizen(name="too-short-a-body", behave=_raw(_said(b"Content-Length: 9000")), rung="dispatched", failure="REFUSED"),
    Citizen(name="too-long-a-body", behave=_raw(_said(b"Content-Length: 60")), rung="dispatched", failure="REFUSED"),
    Citizen(name="broken-chunks", behave=_raw(_said(b"Transfer-Encoding: chunked", b"ZZ\r\n\xff\xfe")), rung="dispatched", failure="REFUSED"),
    Citizen(name="no-http", behave=_raw(b"SSH-2.0-OpenSSH_9.6\r\n"), rung="dispatched", failure="REFUSED"),
    Citizen(name="bytes-in-headers", behave=_raw(b"HTTP/1.1 200 OK\r\n\xff\xfe\x00 bad\r\n\r\n"), rung="dispatched", failure="REFUSED"),
    Citizen(
        name="header-flood", behave=_raw(_said(b"\r\n".join(b"A%d: x" % number for number in range(50_000)))), rung="dispatched", failure="REFUSED"
    ),
    Citizen(name="closes-at-once", behave=_raw(b""), rung="dispatched", failure="REFUSED"),
    Citizen(name="dead-port", behave=_never, url="http://127.0.0.1:{dead}", rung="dispatched", failure="REFUSED"),
    Citizen(name="no-such-name", behave=_never, url="http://nobody.invalid:1", rung="dispatched", failure="DNS"),
    Citizen(name="speaks-no-tls", behave=_never, url="https://127.0.0.1:{port}/speaks-no-tls", rung="dispatched", failure="TLS"),
]
