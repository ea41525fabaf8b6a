"""Execute against loopback agents that work, and agents that do not."""

from __future__ import annotations

import asyncio
import socket
import time

import orjson
import pytest
from tests.unit.orchestrator import worlds

from windlass.errors import Refused
from windlass.infra import server

ANSWER = b'{"status": "ok", "ok": true, "outputs": {"claims": [1]}}'


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def silent(_asked: worlds.Received, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await reader.read()


async def endless(_asked: worlds.Received, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers 1 GB of JSON that never ends."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n{"a":"')
    for _ in range(1000):
        writer.write(b"x" * 1_000_000)
        await writer.drain()


async def cut(_asked: worlds.Received, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Breaks off inside its answer."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"a":')
    await writer.drain()


async def echoing(asked: worlds.Received, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the headers that it was sent."""
    content = orjson.dumps({"status": "ok", "headers": asked.headers})
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
    await writer.drain()


@pytest.mark.anyio
async def test_an_execution_answers_the_dispatch_and_the_agents_own_answer(tmp_path):
    async with worlds.agent(worlds.answering(ANSWER)) as (url, received), worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
        answered = await served.execute(worlds.body(inputs={"claims": ["x"]}, budgets={"timeout_ms": 5000}), headers={"X-Correlation-ID": "run-7"})
        assert answered.status == 200
        assert answered.json == {
            "dispatch_type": "agent",
            "agent_name": "agent-verify",
            "agent_url": url,
            "budgets": {"timeout_ms": 5000},
            "rag_plan": {},
            "request_id": "req-1",
            "result": orjson.loads(ANSWER),
        }
        [asked] = received
        assert asked.path == "/agents/run/sync"
        assert asked.body["inputs"] == {"claims": ["x"]}
        assert (asked.headers["x-correlation-id"], asked.headers["x-request-id"]) == ("run-7", "req-1")
        assert "authorization" not in asked.headers
        assert [(entry["action"], entry["outcome"]) for entry in served.audited()] == [("dispatch", "OK"), ("execute", "OK")]


@pytest.mark.anyio
async def test_the_callers_request_id_header_goes_on_and_one_that_is_no_header_does_not(tmp_path):
    async with worlds.agent(worlds.answering(ANSWER)) as (url, received), worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
        await served.execute(worlds.body(), headers={"X-Request-ID": "given"})
        await served.execute(worlds.body(request_id="näme"), headers={"X-Request-ID": "two words"})
        assert received[0].headers["x-request-id"] == "given"
        assert "x-request-id" not in received[1].headers
        assert received[1].body["request_id"] == "näme"


@pytest.mark.anyio
async def test_the_agent_gets_its_own_token_and_nobody_else_gets_to_see_it(tmp_path):
    token = worlds.AGENT_TOKEN
    async with (
        worlds.agent(echoing) as (url, received),
        worlds.orchestrator(worlds.fleet(url), tmp_path, agent_tokens={"agent-verify": token}) as served,
    ):
        answered = await served.execute(worlds.body())
        assert received[0].headers["authorization"] == f"Bearer {token}"
        assert answered.json["result"]["headers"]["authorization"] == "Bearer [redacted]"
        assert worlds.TOKEN not in str(received)
        assert token not in served.audit_path.read_text()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("respond", "status", "code", "extra"),
    [
        (worlds.answering(b"{}", "302 Found", "Location: http://127.0.0.1:1/"), 502, "AGENT_BAD_ANSWER", ("agent_status", 302)),
        (worlds.answering(b"<html>garbage", "200 OK"), 502, "AGENT_BAD_ANSWER", ("agent_status", 200)),
        (worlds.answering(b"\xff\xfe", "200 OK"), 502, "AGENT_BAD_ANSWER", ("agent_status", 200)),
        (worlds.answering(b"{}", "500 Internal Server Error"), 502, "AGENT_BAD_ANSWER", ("agent_status", 500)),
        (worlds.answering(b'{"error":"VALIDATION_ERROR"}', "422 Unprocessable Entity"), 502, "AGENT_REFUSED", ("agent_status", 422)),
        (worlds.answering(b"{}", "401 Unauthorized"), 502, "AGENT_REFUSED", ("agent_status", 401)),
        (endless, 502, "AGENT_BAD_ANSWER", ("agent_status", 200)),
        (cut, 502, "AGENT_UNREACHABLE", ("fault", "REFUSED")),
        (silent, 504, "AGENT_TIMEOUT", ("fault", "TIMEOUT")),
    ],
    ids=["redirect", "garbage", "invalid UTF-8", "500", "422", "401", "1 GB", "cut", "silent"],
)
async def test_every_way_of_failing_is_named_in_the_one_shape_and_in_the_audit(tmp_path, respond, status, code, extra):
    async with worlds.agent(respond) as (url, _), worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
        started = time.monotonic()
        answered = await served.execute(worlds.body(budgets={"timeout_ms": 300} if respond is silent else {}))
        assert time.monotonic() - started < 3
        found = answered.json
        assert (answered.status, found["code"], found["error"]) == (status, code, code)
        assert found["correlation_id"] == answered.headers["X-Correlation-ID"]
        assert found["request_id"] == "req-1"
        expected = {"agent_key": "agent-verify", "task_type": "CLAIM_VERIFY", extra[0]: extra[1]}
        assert expected.items() <= found["details"].items()
        assert expected.items() <= found.items()
        assert [entry["outcome"] for entry in served.audited()] == ["OK", code]


@pytest.mark.anyio
@pytest.mark.parametrize(("host", "fault"), [("127.0.0.1", "REFUSED"), ("nobody.invalid", "DNS")])
async def test_an_agent_that_is_not_there_is_unreachable(tmp_path, host, fault):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can answer here
        url = f"http://{host}:{taken.getsockname()[1]}"
        async with worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
            found = (await served.execute(worlds.body())).json
            assert (found["code"], found["fault"]) == ("AGENT_UNREACHABLE", fault)


@pytest.mark.anyio
async def test_an_agent_that_speaks_no_tls_is_unreachable(tmp_path):
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
            found = (await served.execute(worlds.body())).json
            assert (found["code"], found["fault"]) == ("AGENT_UNREACHABLE", "TLS")


@pytest.mark.anyio
async def test_the_services_own_limit_holds_where_the_budget_is_larger(tmp_path):
    async with worlds.agent(silent) as (url, _), worlds.orchestrator(worlds.fleet(url), tmp_path, execute_timeout_s=0.2) as served:
        started = time.monotonic()
        assert (await served.execute(worlds.body(budgets={"timeout_ms": 60_000}))).status == 504
        assert time.monotonic() - started < 2


@pytest.mark.anyio
async def test_a_refused_execution_reaches_no_agent_and_leaves_one_entry(tmp_path):
    async with worlds.agent(worlds.answering(ANSWER)) as (url, received), worlds.orchestrator(worlds.fleet(url, modes=["DEMO"]), tmp_path) as served:
        await served.execute(worlds.body(mode="LIVE"))
        refused = await served.execute(worlds.body(budgets={"timeout_ms": 0}))
        assert list(refused.json["details"]["fieldErrors"]) == ["budgets.timeout_ms"]
        assert received == []
        assert [(entry["action"], entry["outcome"]) for entry in served.audited()] == [
            ("execute", "MODE_NOT_ALLOWED"),
            ("execute", "VALIDATION_ERROR"),
        ]


@pytest.mark.anyio
async def test_the_dispatch_is_in_the_audit_before_the_agent_hears_of_it(tmp_path):
    seen: list[list[str]] = []

    async def looking(asked, reader, writer):
        seen.append([entry["action"] for entry in served.audited()])
        await worlds.answering(ANSWER)(asked, reader, writer)

    async with worlds.agent(looking) as (url, _), worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
        await served.execute(worlds.body())
        assert seen == [["dispatch"]]


@pytest.mark.anyio
async def test_slow_agents_do_not_hold_up_dispatch(tmp_path):
    arrived = asyncio.Semaphore(0)

    async def slow(asked, reader, writer):
        arrived.release()
        await silent(asked, reader, writer)

    async with worlds.agent(slow) as (url, _), worlds.orchestrator(worlds.fleet(url), tmp_path) as served:
        waiting = [asyncio.create_task(served.execute(worlds.body(budgets={"timeout_ms": 1500}))) for _ in range(20)]
        for _ in waiting:
            await asyncio.wait_for(arrived.acquire(), 5)
        started = time.monotonic()
        assert (await served.dispatch(worlds.body())).status == 200
        assert time.monotonic() - started < 0.5
        assert {answered.status for answered in await asyncio.gather(*waiting)} == {504}


def test_a_port_that_is_taken_is_refused_by_its_number():
    with server.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} on 127.0.0.1 is in use"):
            server.bound("127.0.0.1", port)
