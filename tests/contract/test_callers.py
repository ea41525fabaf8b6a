"""Whoever makes the calls of a sweep brings back the same: this process, or the one file that runs where the agents are, on any Python."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from windlass.sweep.calling import Caller, Calling, from_here
from windlass.sweep.inside import running

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
TOKEN = "token-of-the-sweep-51c2"
Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def there(python: str) -> Calling:
    """The caller in a process of its own."""
    start = running.Start(
        argv=lambda program: [python, "-c", program],
        environment={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "WORKER_SERVICE_TOKEN": TOKEN},
        variables={"WORKER_SERVICE_TOKEN": TOKEN},
        where="a process",
        largest=100_000,
        next_command=str,
    )
    return running.through(start)


def oldest_python() -> str:
    """A Python 3.8, where this machine has one; the caller promises to run on it."""
    installed = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.8.*/bin/python3.8"))
    found = str(installed[-1]) if installed else shutil.which("python3.8")
    return found or pytest.skip("no Python 3.8 is installed here; test_caller.py holds the file against its grammar")


@pytest.fixture(params=["from here", "the one file", "the one file on Python 3.8"])
def calling(request: pytest.FixtureRequest) -> Calling:
    if request.param == "from here":
        return from_here
    return there(sys.executable if request.param == "the one file" else oldest_python())


@pytest.fixture
def anyio_backend():
    return "asyncio"


pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def peer(respond: Respond | bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request per connection and responds; its URL, and the requests that it had."""
    heard: list[bytes] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                heard.append(await reader.readuntil(b"\r\n\r\n"))
                heard[-1] += await reader.readexactly(2)
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
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
        for task in filter(None, serving):
            task.cancel()
        await asyncio.gather(*filter(None, serving), return_exceptions=True)


async def post(caller: Caller, url: str, *, token: str | None = None, timeout_s: float = 5, cap: int = 1000):
    return await caller.post(url, b"{}", token, timeout_s=timeout_s, cap=cap)


async def test_a_whole_answer_comes_back_byte_by_byte(calling: Calling):
    body = bytes(range(256)) * 3
    async with peer(b"HTTP/1.1 418 X\r\nContent-Length: 768\r\n\r\n" + body) as (url, heard), calling() as caller:
        answer = await post(caller, f"{url}/a%20b?c=d", token=TOKEN)
    assert (answer.status, answer.body, answer.fault, answer.detail) == (418, body, None, "")
    assert 0 < answer.elapsed_ms < 5000
    head = heard[0].decode().lower()
    assert head.startswith("post /a%20b?c=d http/1.1\r\n")
    assert head.endswith("\r\n\r\n{}")
    for line in ("accept-encoding: identity", "content-type: application/json", f"authorization: bearer {TOKEN}", "content-length: 2"):
        assert f"\r\n{line}\r\n" in head


async def test_a_token_is_sent_only_when_it_is_given_and_a_wrong_one_as_it_is(calling: Calling):
    async with peer(OK) as (url, heard), calling() as caller:
        await post(caller, url)
        await post(caller, url, token="a-wrong-one")
    assert b"uthorization" not in heard[0]
    assert b"Bearer a-wrong-one\r\n" in heard[1]


BROKEN = [
    (b"", "REFUSED", 0),
    (b"SSH-2.0\r\n\r\n", "REFUSED", 0),
    (b"HTTP/1.1 99999 OK\r\n\r\n", "REFUSED", 0),
    (b"HTTP/1.1 200 OK\r\n\xff\xfe\x00\r\n\r\n", "REFUSED", 0),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", "REFUSED", 0),
    (b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: x\r\n" % number for number in range(40_000)) + b"\r\n", "REFUSED", 0),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "REFUSED", 200),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "REFUSED", 200),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, "TOO_LARGE", 200),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, "TOO_LARGE", 200),
]


async def test_every_broken_answer_has_the_same_fault(calling: Calling):
    async with calling() as caller:
        for content, fault, status in BROKEN:
            async with peer(content) as (url, _):
                answer = await post(caller, url)
            assert (answer.fault, answer.status) == (fault, status), content[:60]
            assert len(answer.body) <= 1000
            assert answer.detail


async def test_a_redirect_is_an_answer_and_not_an_instruction(calling: Calling):
    redirect = b"HTTP/1.1 307 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
    async with peer(OK) as (other, heard), peer(redirect % other.encode()) as (url, _), calling() as caller:
        answer = await post(caller, url)
    assert (answer.status, heard) == (307, [])


async def test_the_time_is_for_everything_and_a_trickle_does_not_extend_it(calling: Calling):
    async def body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await drip(writer)

    async def head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nA: ")
        await drip(writer)

    async def drip(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with calling() as caller:
        for respond, status in ((body, 200), (head, 0)):
            async with peer(respond) as (url, _):
                began = time.monotonic()
                answer = await post(caller, url, timeout_s=0.3)
            assert (answer.fault, answer.status, answer.detail) == ("TIMEOUT", status, "no whole answer within 0.3 s")
            assert time.monotonic() - began < 2


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
        ("http://127.0.0.1:9", "REFUSED"),
        ("nothing", "REFUSED"),
    ],
)
async def test_what_can_not_or_must_not_be_connected_to_has_its_fault(calling: Calling, url: str, fault: str):
    async with calling() as caller:
        answer = await post(caller, url)
    assert (answer.fault, answer.status, answer.body) == (fault, 0, b"")


async def test_a_peer_that_speaks_no_tls(calling: Calling):
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, calling() as caller:
        assert (await post(caller, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")).fault == "TLS"


async def test_many_calls_are_in_flight_at_once_and_each_gets_its_own_answer(calling: Calling):
    async def echo(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        body = heard_path[writer]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    heard_path: dict[asyncio.StreamWriter, bytes] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard_path[writer] = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        await reader.readexactly(2)
        await echo(reader, writer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, calling() as caller:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        began = time.monotonic()
        answers = await asyncio.gather(*(post(caller, f"{url}/{number}") for number in range(64)))
        assert [answer.body for answer in answers] == [b"/%d" % number for number in range(64)]
        assert time.monotonic() - began < 5, "one after the other would take 12.8 s"
