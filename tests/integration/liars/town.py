"""The town: one loopback server in a thread of its own, every agent and every orchestrator under its own path."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml
from aiohttp import web
from tests.integration.liars.citizens import Asked, Citizen

RUN_PATH = "/agents/run/sync"
DISPATCH_PATH = "/api/ai/router/dispatch"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request that the town had. Lives as long as the town."""

    who: str
    request_id: str
    at: float
    authorization: str | None
    answered_at: float


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """One request to an orchestrator of the town. Lives as long as the request."""

    body: Mapping[str, Any]
    token: str | None
    town: Town
    http: web.Request


@dataclass(frozen=True, kw_only=True)
class Town:
    """The standing town. Lives as long as its `with` block."""

    port: int
    dead_port: int
    citizens: Mapping[str, Citizen]
    heard: list[Heard] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fleet(self, **more: Any) -> dict[str, Any]:
        """The fleet file of the town, as plain values."""
        places = {"port": self.port, "dead": self.dead_port}
        agents: dict[str, Any] = {}
        tasks: dict[str, Any] = {}
        for citizen in self.citizens.values():
            url = (citizen.url or "http://127.0.0.1:{port}/" + citizen.name).format(**places)
            agents[citizen.name] = {"url": url, **({"token_env": citizen.token_env} if citizen.token_env else {})}
            tasks |= {task_type: {"agent": citizen.name, **citizen.task} for task_type in citizen.task_types}
        return {"name": "town", "agents": agents, "tasks": tasks, **more}

    def fleet_file(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "fleet.yaml"
        path.write_text(yaml.safe_dump(self.fleet()))
        return path

    def heard_of(self, who: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.who == who]


Route = Callable[[Dispatched], web.StreamResponse]


@contextlib.contextmanager
def standing(citizens: Sequence[Citizen], orchestrators: Mapping[str, Route] | None = None) -> Iterator[Town]:
    """The town, answering until the block ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can answer there
        town = Town(port=listener.getsockname()[1], dead_port=dead.getsockname()[1], citizens={each.name: each for each in citizens})
        loop = asyncio.new_event_loop()
        up, down = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(town, orchestrators or {}, listener, up, down)))
        thread.start()
        try:
            assert up.wait(10)
            yield town
        finally:
            loop.call_soon_threadsafe(down.set)
            thread.join(10)
            loop.close()


async def _serve(town: Town, orchestrators: Mapping[str, Route], listener: socket.socket, up: threading.Event, down: asyncio.Event) -> None:
    memories: dict[str, dict[str, Any]] = defaultdict(dict)
    numbers: dict[str, int] = defaultdict(int)

    async def run(request: web.Request) -> web.StreamResponse:
        who, body, at = request.match_info["who"], orjson.loads(await request.read()), time.monotonic()
        number = numbers[who]
        numbers[who] += 1
        try:
            return await town.citizens[who].behave(Asked(body=body, number=number, http=request, memory=memories[who]))
        finally:
            authorization = request.headers.get("Authorization")
            told = Heard(who=who, request_id=body["request_id"], at=at, authorization=authorization, answered_at=time.monotonic())
            town.heard.append(told)

    async def dispatch(request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        body = orjson.loads(await request.read())
        return orchestrators[request.match_info["who"]](Dispatched(body=body, token=token, town=town, http=request))

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{who}" + RUN_PATH, run)
    app.router.add_post("/{who}" + DISPATCH_PATH, dispatch)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    up.set()
    await down.wait()
    await runner.cleanup()
