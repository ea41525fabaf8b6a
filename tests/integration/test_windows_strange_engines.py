"""Whatever an engine answers, it becomes an error of ours that names the engine; nothing of docker-py comes through."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.errors import Unavailable
from windlass.windows.compose.engine import Engine

pytestmark = pytest.mark.anyio
VERSION = b'{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "1"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextlib.contextmanager
def answering(directory: Path, version: bytes, other: bytes) -> Iterator[str]:
    """An address at which every request is answered with these bytes, and the connection closed."""
    place = directory / "e.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(32)
        thread = threading.Thread(target=_answer, args=(listener, version, other), daemon=True)
        thread.start()
        try:
            yield f"unix://{place}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _answer(listener: socket.socket, version: bytes, other: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                asked = connection.recv(65536)
                connection.sendall(version if b"/version" in asked else other)


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


STRANGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no JSON": answer(b"<html>"),
    "another shape": answer(b'{"message": "hello"}'),
    "a list of numbers": answer(b"[1, 2]"),
    "nulls": answer(b"[null]"),
    "a failure": answer(b'{"message": "boom"}', b"500 Internal Server Error"),
    "a failure in HTML": answer(b"<h1>Bad Gateway</h1>", b"502 Bad Gateway"),
    "forbidden": answer(b'{"message": "authorization denied by plugin"}', b"403 Forbidden"),
}


@pytest.mark.parametrize("strange", STRANGE)
async def test_an_answer_that_is_no_engines_is_an_unavailable_engine(tmp_path, strange):
    with answering(tmp_path, answer(VERSION), STRANGE[strange]) as host:
        engine = Engine(host, answer_s=2)
        try:
            with pytest.raises(Unavailable, match="the Docker engine at unix://") as failure:
                await engine.observe("p")
            assert len(str(failure.value)) < 900
        finally:
            engine.close()


@pytest.mark.parametrize("strange", STRANGE)
async def test_an_engine_with_no_version_of_its_own_is_an_unavailable_engine(tmp_path, strange):
    with answering(tmp_path, STRANGE[strange], b"") as host:
        engine = Engine(host, answer_s=2)
        try:
            with pytest.raises(Unavailable, match="the Docker engine at unix://"):
                await engine.version()
        finally:
            engine.close()


@pytest.mark.parametrize("host", ["unix:///nowhere/d.sock", "tcp://127.0.0.1:1", "ssh://nobody@nowhere", "nonsense", "http://", ""])
async def test_an_address_that_leads_nowhere_is_an_unavailable_engine(host):
    engine = Engine(host, answer_s=2)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="the Docker engine at "):
                await engine.version()
    finally:
        engine.close()
