"""What a stranger without a token can do to the port of a service: fill no memory, hold no connection, write no log, be sent nowhere."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from tests.hostile import commands
from uvicorn.server import ServerState

from windlass.infra.connection import MAX_HEAD, Connection

RUN = "/agent-lit-retrieval/agents/run/sync"


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    process = commands.started(tmp_path_factory.mktemp("executor"), "serve", "executor", "--agents", "agent-lit-retrieval", "--port", "0")
    with process:
        assert process.stderr
        told = re.search(r":(\d+)$", process.stderr.readline().strip())
        assert told
        yield int(told[1]), process
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr.read() == "", "strangers wrote the log"


def asked(port: int, *pieces: bytes) -> tuple[int, dict[str, object]]:
    """Status and JSON body of the answer to raw bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        received = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            pass  # it has answered already
        try:
            while piece := connection.recv(65536):
                received += piece
                head, _, body = received.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                if length and len(body) >= int(length[1]):
                    break
        except ConnectionError:
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body or b"{}")


def posted(port: int, body: bytes, path: str = RUN) -> tuple[int, dict[str, object]]:
    return asked(port, b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)), body)


@pytest.mark.parametrize("junk", [b"x" * 65536, b"a: b\r\n" * 10_000], ids=["one header", "many headers"])
def test_a_head_without_end_is_cut_off(executor: tuple[int, subprocess.Popen[str]], junk: bytes) -> None:
    port, process = executor
    status, body = asked(port, b"GET /health HTTP/1.1\r\nHost: x\r\nA: ", *[junk] * 400)
    assert (status, body["error"]) == (431, "HEAD_TOO_LARGE")
    assert memory_mib(process.pid) < 400


def memory_mib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: a\x0bb\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["TLS", "HTTP/9.9", "control character", "HTTP/2"],
)
def test_what_is_not_http_is_refused_in_the_shape_of_every_error(executor: tuple[int, subprocess.Popen[str]], said: bytes) -> None:
    status, body = asked(executor[0], said)
    assert (status, body["error"], body["code"]) == (400, "NOT_HTTP", "NOT_HTTP")
    assert body["correlation_id"]


def test_an_upgrade_is_answered_as_if_nobody_had_asked(executor: tuple[int, subprocess.Popen[str]]) -> None:
    assert asked(executor[0], b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")[0] == 200


def test_nobody_is_sent_where_a_host_header_says(executor: tuple[int, subprocess.Popen[str]]) -> None:
    assert asked(executor[0], b"GET /health/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")[0] == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","task_type":"X","inputs":{}}', "task_type: given twice"),
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","inputs":{"query":"a","query":"b"}}', "the key 'query' is given twice"),
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","inputs":{"a":' + b"[" * 900 + b"]" * 900 + b"}}", "nested deeper than"),
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","inputs":{"a":123456789012345678901}}', "beyond 64 bits"),
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","inputs":{"a":NaN}}', "is not JSON"),
        (b'{"request_id":"r","task_type":"LIT_RETRIEVAL","inputs":{"a":"\xff"}}', "is not JSON"),
        (b"{" + b",".join([b'"task_type":1'] * 200_000) + b"}", "task_type: given twice"),
    ],
    ids=["key twice", "input twice", "deep", "long number", "NaN", "not UTF-8", "key 200,000 times"],
)
def test_an_agent_takes_no_body_that_it_could_misread(executor: tuple[int, subprocess.Popen[str]], body: bytes, words: str) -> None:
    status, answer = posted(executor[0], body)
    assert (status, answer["error"]) == (422, "VALIDATION_ERROR")
    assert words in str(answer["message"])


class Impatient(Connection):
    """A connection with little patience. Lives as long as the connection."""

    head_s = 0.2


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"\r\n"], ids=["nothing", "a part of a head", "empty lines"])
def test_who_says_no_whole_head_is_not_waited_for(said: bytes) -> None:
    async def closed() -> bytes:
        config = uvicorn.Config("nowhere:app", loop="asyncio", lifespan="off", log_config=None)
        config.load_app = lambda: None  # type: ignore[method-assign]  # no request comes that far
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: Impatient(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(said)
            received = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return received

    assert asyncio.run(closed()) == b""


def test_heads_may_be_as_long_as_people_write_them() -> None:
    assert MAX_HEAD >= 32 * 1024


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_an_audit_that_would_keep_nothing_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    import os

    path = tmp_path / "state" / "orchestrator_audit.jsonl"
    path.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    arguments = ("serve", "orchestrator", "--agents-url", "http://127.0.0.1:9", "--port", "0", "--state-dir", "state")
    ended = commands.windlass(tmp_path, *arguments, variables={"WORKER_SERVICE_TOKEN": commands.TOKEN})
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "the audit can't be opened" in ended.stderr
    assert "orchestrator_audit.jsonl" in ended.stderr
