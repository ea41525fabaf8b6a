"""Tiny worlds for tests of the orchestrator: a fleet, a served orchestrator with a client, a loopback agent that does as told."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from windlass.fleet import AgentEntry, Fleet, Task
from windlass.infra import chain, server
from windlass.orchestrator import app, audit

TOKEN = "token-of-the-worker"
READ_TOKEN = "token-of-a-reader"
AGENT_TOKEN = "token/of\"the'agent"
DISPATCH = "/api/ai/router/dispatch"
EXECUTE = "/api/ai/router/execute"


def fleet(url: str | None = "http://127.0.0.1:9", **task: Any) -> Fleet:
    """CLAIM_VERIFY at `url`, governed by `task`, and LIT_TRIAGE by an agent that is somewhere else."""
    return Fleet(
        name="tiny",
        agents={"agent-verify": AgentEntry(url=url), "agent-triage": AgentEntry(url="http://127.0.0.1:1/elsewhere")},
        tasks={"CLAIM_VERIFY": Task(agent="agent-verify", **task), "LIT_TRIAGE": Task(agent="agent-triage")},
    )


def body(**changed: Any) -> dict[str, Any]:
    """A dispatch that fits, with these keys changed."""
    return {"task_type": "CLAIM_VERIFY", "request_id": "req-1", **changed}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answered:
    """What the orchestrator answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Orchestrator:
    """A served orchestrator."""

    url: str
    audit_path: Path
    client: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, content: Any = None, *, token: str | None = TOKEN, headers: Mapping[str, str] | None = None
    ) -> Answered:
        sent = {"Authorization": f"Bearer {token}"} if token is not None else {}
        written = content if isinstance(content, bytes) or content is None else orjson.dumps(content)
        payload = io.BytesIO(written) if written is not None else None
        async with self.client.request(method, self.url + path, data=payload, headers={**sent, **(headers or {})}, allow_redirects=False) as response:
            return Answered(status=response.status, headers=response.headers, content=await response.read())

    async def dispatch(self, content: Any, **options: Any) -> Answered:
        return await self.ask("POST", DISPATCH, content, **options)

    async def execute(self, content: Any, **options: Any) -> Answered:
        return await self.ask("POST", EXECUTE, content, **options)

    async def raw(self, request: bytes) -> bytes:
        """Everything that comes back for these bytes until the server closes the connection."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    def audited(self) -> list[dict[str, Any]]:
        """The audit's entries, after checking that the chain holds."""
        found = chain.scan(self.audit_path.read_bytes())
        assert found.breaks == ()
        assert found.torn == 0
        return [entry.fields for entry in found.entries]


@asynccontextmanager
async def orchestrator(of: Fleet, state: Path, **options: Any) -> AsyncIterator[Orchestrator]:
    """An orchestrator of this fleet, served by a real uvicorn on a free port."""
    path = state / "state" / audit.NAME
    given = {"token": TOKEN, "read_token": READ_TOKEN, **options}
    async with AsyncExitStack() as opened:
        url = await opened.enter_async_context(server.running(app.create(of, audit_path=path, **given), server.bound("127.0.0.1", 0)))
        client = await opened.enter_async_context(aiohttp.ClientSession())
        yield Orchestrator(url=url, audit_path=path, client=client)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Received:
    """What an agent was asked."""

    path: str
    headers: Mapping[str, str]
    body: Any


Respond = Callable[[Received, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def agent(respond: Respond) -> AsyncIterator[tuple[str, list[Received]]]:
    """The base URL of an agent that answers by `respond`, and what it was asked so far."""
    received: list[Received] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            asked = Received(path=head[0].split(" ")[1], headers=headers, body=orjson.loads(await reader.readexactly(int(headers["content-length"]))))
            received.append(asked)
            await respond(asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the orchestrator may leave whenever it has enough
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=32 * 2**20)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", received


def answering(content: bytes, status: str = "200 OK", *headers: str) -> Respond:
    """An agent that always answers these bytes."""

    async def respond(_asked: Received, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + content)
        await writer.drain()

    return respond
