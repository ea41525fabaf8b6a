"""One call, one value: whatever a peer does has a name, and costs no more than it may."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest

from windlass.infra import http

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@contextlib.asynccontextmanager
async def peer(respond: Respond | bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request per connection and responds; its URL, and the heads of the requests that it had."""
    heads: list[bytes] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if isinstance(respond, bytes):
                    writer.write(respond)
                    await writer.drain()
                else:
                    await respond(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
        for task in filter(None, serving):
            task.cancel()
        await asyncio.gather(*filter(None, serving), return_exceptions=True)


async def asked(url: str, *, timeout_s: float = 5, cap: int = 1000, **more: Any) -> http.Answer:
    async with http.session() as client:
        return await http.call(client, "POST", url, body=b"{}", timeout_s=timeout_s, cap=cap, **more)


@pytest.mark.anyio
async def test_a_whole_answer_has_no_fault():
    async with peer(OK) as (url, heads):
        answer = await asked(url + "/x", headers={"Authorization": "Bearer t"})
        assert (answer.status, answer.body, answer.fault, answer.detail) == (200, b"{}", None, "")
        assert answer.elapsed_ms > 0
        head = heads[0].decode().lower()
        assert head.startswith("post /x http/1.1\r\n")
        for line in ("accept-encoding: identity", "content-type: application/json", "authorization: bearer t"):
            assert line in head


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "fault", "status"),
    [
        (b"", "REFUSED", 0),
        (b"SSH-2.0\r\n\r\n", "REFUSED", 0),
        (b"HTTP/1.1 200 OK\r\n\xff\xfe\x00\r\n\r\n", "REFUSED", 0),
        (b"HTTP/1.1 99999 OK\r\n\r\n", "REFUSED", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "REFUSED", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", "REFUSED", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\xff", "REFUSED", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "REFUSED", 200),
        (b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: x\r\n" % number for number in range(40_000)) + b"\r\n", "REFUSED", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, "TOO_LARGE", 200),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, "TOO_LARGE", 200),
    ],
)
async def test_every_broken_answer_has_a_fault_and_a_detail_that_is_text(content: bytes, fault: str, status: int):
    async with peer(content) as (url, _):
        answer = await asked(url)
        assert (answer.fault, answer.status) == (fault, status)
        assert len(answer.body) <= 1000
        assert answer.detail
        assert len(answer.detail) < 1200
        orjson.dumps(answer.detail)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 2",
        b"HTTP/1.0 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2",
    ],
)
async def test_an_odd_head_is_no_fault(head: bytes):
    async with peer(head + b"\r\n\r\n{}") as (url, _):
        answer = await asked(url)
        assert (answer.status, answer.body, answer.fault) == (200, b"{}", None)


@pytest.mark.anyio
async def test_a_redirect_is_an_answer_and_not_an_instruction():
    async with peer(OK) as (other, heard), peer(b"HTTP/1.1 307 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % other.encode()) as (url, _):
        assert (await asked(url)).status == 307
        assert heard == []


@pytest.mark.anyio
async def test_the_time_is_for_everything_and_a_trickle_does_not_extend_it():
    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with peer(trickle) as (url, _):
        began = time.monotonic()
        answer = await asked(url, timeout_s=0.3)
        assert (answer.fault, answer.status) == ("TIMEOUT", 200)
        assert answer.detail == "no whole answer within 0.3 s"
        assert time.monotonic() - began < 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://nobody.invalid", "DNS"),
        ("http://a..b", "DNS"),
        ("http://" + "a" * 70 + ".invalid", "DNS"),
        ("http://169.254.169.254", "UNREGISTERED_ENDPOINT"),
        ("http://[::ffff:169.254.169.254]", "UNREGISTERED_ENDPOINT"),
        ("http://[64:ff9b::a9fe:a9fe]", "UNREGISTERED_ENDPOINT"),
        ("http://[fe80::1]", "UNREGISTERED_ENDPOINT"),
        ("http://224.0.0.1", "UNREGISTERED_ENDPOINT"),
        ("http://h h", "DNS"),
        ("nothing", "REFUSED"),
    ],
)
async def test_what_can_not_or_must_not_be_connected_to_has_its_fault(url: str, fault: str):
    answer = await asked(url, timeout_s=5)
    assert (answer.fault, answer.status, answer.body) == (fault, 0, b"")


@pytest.mark.anyio
async def test_a_peer_that_speaks_no_tls_and_a_port_where_nobody_listens():
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await asked(f"https://127.0.0.1:{port}")).fault == "TLS"
    answer = await asked(f"http://127.0.0.1:{port}")
    assert (answer.fault, answer.detail.split(":")[0]) == ("REFUSED", "no connection")


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    async with peer(OK) as (url, _), peer(OK) as (proxy, heard):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        assert (await asked(url)).fault is None
        assert heard == []


@pytest.mark.anyio
async def test_an_answer_that_was_sent_ahead_does_not_answer_the_next_call():
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await writer.drain()
        await reader.read()

    async with peer(twice) as (url, _), http.session() as client:
        for _ in range(3):
            answer = await http.call(client, "POST", url, body=b"{}", timeout_s=5, cap=1000)
            assert answer.body in {b"{}", b""}


@pytest.mark.anyio
async def test_a_large_body_is_sent_whole():
    received = bytearray()

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(received) < 3_000_000:
            received.extend(await reader.read(100_000))
        writer.write(OK)
        await writer.drain()

    async with peer(counting) as (url, _), http.session() as client:
        answer = await http.call(client, "POST", url, body=b"x" * 3_000_000, timeout_s=10, cap=10)
        assert (answer.fault, len(received)) == (None, 3_000_000)
