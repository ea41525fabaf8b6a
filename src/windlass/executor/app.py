"""The HTTP service that hosts agents, each under `/<agent name>/`; a single one at the root as well.

Source of the routes: `docs/reference/agent-contract.md`. A run never blocks the event loop: reading inputs, every step and checking
outputs happen in threads, so that health answers while agents work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from windlass import __version__, model
from windlass.agents.agent import Agent
from windlass.agents.sources import Source
from windlass.executor import graph, live, run
from windlass.executor.model_turn import Allowed
from windlass.infra import bearer, documents, http, problems

Admit = Callable[[Request], None]

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request: a few books of text; more is 413."""
THREADS = 32
"""Steps that can run at once; each is synchronous code in a thread."""
HEARTBEAT_S = 10.0
"""Seconds of silence on a stream after which a `status` event says that the run goes on."""


def create(
    agents: Mapping[str, Agent[Any]],
    *,
    token: str | None,
    store: Path,
    sources: Mapping[Source, str] | None = None,
    allowed: Allowed | None = None,
    docs: bool = True,
) -> FastAPI:
    """The service for these agents (name → agent); with `token`, runs ask for it. `store` is where agents keep what outlives a run.

    `sources` (name → base URL) are the live sources that agents may ask in LIVE mode; without any, none. `allowed` is the chat model that
    agents may use; without one, every agent answers by its deterministic engine. `docs`: whether /docs and /openapi.json answer; off
    loopback they should not.
    """
    graph.untraced()
    hosted = {name: Hosted(agent, store, allowed) for name, agent in agents.items()}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="step") as threads:
            loop.set_default_executor(threads)
            async with http.session() as client:
                for one in hosted.values():
                    one.live = live.opened(sources, client, loop) if sources else None
                yield

    app = FastAPI(
        title="Windlass executor",
        version=__version__,
        lifespan=lifespan,
        docs_url="/docs" if docs else None,
        openapi_url="/openapi.json" if docs else None,
        redoc_url=None,
        redirect_slashes=False,  # where to would be the caller's own Host header
    )
    app.include_router(_service_routes(hosted))
    app.include_router(_agent_routes(hosted, _door(token)), prefix="/{agent_name}")
    if len(hosted) == 1:
        app.include_router(_agent_routes(hosted, _door(token)), include_in_schema=False)
    problems.install(app, max_body=MAX_BODY)
    return app


class Hosted:
    """An agent with its graph, built once. Lives as long as the process."""

    def __init__(self, agent: Agent[Any], store: Path, allowed: Allowed | None = None) -> None:
        self.agent = agent
        self.graph = graph.build(agent, allowed)
        self.store = store
        self.live: live.Live | None = None

    @property
    def gap(self) -> str | None:
        """What the agent lacks to do its work, or None."""
        return self.agent.needs(self.store)


def _service_routes(hosted: Mapping[str, Hosted]) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """The process is up."""
        return {"status": "ok", "version": __version__, "agents": len(hosted)}

    @router.get("/health/ready")
    async def ready() -> Response:
        """Every hosted agent has what it needs; else 503 names each gap."""
        gaps = {name: gap for name, gap in zip(hosted, await asyncio.gather(*(_gap(agent) for agent in hosted.values())), strict=True) if gap}
        return problems.Json(orjson.dumps({"status": "not ready" if gaps else "ready", "gaps": gaps}), 503 if gaps else 200)

    @router.get("/agents")
    async def listed() -> list[dict[str, Any]]:
        """The agents that this process hosts."""
        return [
            {"name": name, "task_types": one.agent.task_types, "summary": one.agent.summary, "version": one.agent.version}
            for name, one in hosted.items()
        ]

    return router


def _agent_routes(hosted: Mapping[str, Hosted], admit: Admit) -> APIRouter:
    router = APIRouter()

    def chosen(request: Request) -> Hosted:
        name = request.path_params.get("agent_name", next(iter(hosted)))
        if name not in hosted:
            raise problems.Problem(404, "ROUTE_NOT_FOUND", "no agent of this name is hosted here")
        return hosted[name]

    @router.get("/health")
    async def health(request: Request) -> dict[str, Any]:
        """The agent is hosted here."""
        agent = chosen(request).agent
        return {"status": "ok", "agent": agent.name, "version": agent.version}

    @router.get("/health/ready")
    async def ready(request: Request) -> Response:
        """The agent has what it needs; else 503 says what is missing."""
        gap = await _gap(chosen(request))
        return problems.Json(orjson.dumps({"status": "not ready" if gap else "ready", "missing": gap}), 503 if gap else 200)

    @router.post("/agents/run/sync", response_model=model.RunAnswer, openapi_extra=_BODY)
    async def run_sync(request: Request) -> Response:
        """Run the agent to its end; a business error is an answer like any other."""
        one = chosen(request)
        asked = await _asked(request, one.agent, admit)
        answer = await run.execute(one.agent, one.graph, asked, one.store, one.live)
        return problems.Json(orjson.dumps(answer))

    @router.post("/agents/run/stream", openapi_extra=_BODY)
    async def run_stream(request: Request) -> Response:
        """Run the agent and tell how it goes: `started`, `progress` per step, `status` in silence, and one `final`, last."""
        one = chosen(request)
        asked = await _asked(request, one.agent, admit)
        return StreamingResponse(_events(one, asked), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    return router


_KEYS = (*model.RunRequest.model_fields, "input")
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": model.RunRequest.model_json_schema()}}}}


def _door(token: str | None) -> Admit:
    """Lets a request in, or raises AUTH_REQUIRED."""
    check = bearer.check({"caller": bearer.usable("WINDLASS_AGENT_TOKEN", token)}) if token is not None else None

    def admit(request: Request) -> None:
        if check is not None and check(request.scope["headers"]) is None:
            raise problems.Problem(401, "AUTH_REQUIRED", "a bearer token is required", headers=[(b"www-authenticate", b"Bearer")])

    return admit


async def _gap(one: Hosted) -> str | None:
    return await asyncio.to_thread(lambda: one.gap)


async def _asked(request: Request, agent: Agent[Any], admit: Admit) -> model.RunRequest:
    """The request that the body holds; raises 401, 422 or 400, in this order."""
    admit(request)
    asked = await asyncio.to_thread(_parsed, await request.body())
    if asked.task_type not in agent.task_types:
        raise problems.Problem(
            400,
            "UNSUPPORTED_TASK_TYPE",
            f"{agent.name} does not do {model.clip(asked.task_type, 100)}",
            extras={"supportedTypes": list(agent.task_types)},
            request_id=asked.request_id,
        )
    return asked


def _parsed(body: bytes) -> model.RunRequest:
    try:
        return model.RunRequest.model_validate(documents.parsed(body, _KEYS, every_level=True))
    except documents.UnfitBody as failure:
        raise problems.Problem(422, "VALIDATION_ERROR", str(failure), details={"fieldErrors": failure.errors}) from failure
    except ValidationError as failure:
        errors = model.field_errors(failure, model.RunRequest)
        raise problems.Problem(422, "VALIDATION_ERROR", model.clip(model.summary(errors), 1000), details={"fieldErrors": errors}) from failure


async def _events(one: Hosted, asked: model.RunRequest) -> AsyncIterator[bytes]:
    happened: asyncio.Queue[run.Progress | dict[str, Any]] = asyncio.Queue()

    async def work() -> None:
        async for event in run.steps(one.agent, one.graph, asked, one.store, one.live):
            happened.put_nowait(event)

    working = asyncio.create_task(work())
    try:
        yield _event(
            "started", {"request_id": asked.request_id, "task_type": asked.task_type, "agent": one.agent.name, "steps": graph.length(one.graph)}
        )
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    event = await happened.get()
            except TimeoutError:
                yield _event("status", {"request_id": asked.request_id, "state": "running"})
                continue
            if isinstance(event, dict):
                yield _event("final", event)
                return
            yield _event("progress", {"step": event.step, "done": event.done, "total": event.total})
    finally:
        working.cancel()  # whoever listened has left; a step that runs sees its deadline, the next one never starts


def _event(name: str, fields: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(fields) + b"\n\n"
