"""Builds the orchestrator: checks what it is given, opens what it needs, and joins the routes to the rules."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import windlass
from windlass import fleet as fleets
from windlass.errors import InvalidFleet, Refused
from windlass.fleet import Fleet
from windlass.infra import bearer, http, problems, server
from windlass.orchestrator import audit, documentation
from windlass.orchestrator.routes import Open, Routes

TOKEN = "WORKER_SERVICE_TOKEN"
READ_TOKEN = "WINDLASS_READ_TOKEN"


class _Direct(APIRoute):
    """A route whose function takes the request and returns the answer itself: nothing is injected, validated or encoded around it.

    Lives as long as the app.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched; another method is left to the framework, which refuses it."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response: Response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def create(
    fleet: Fleet,
    *,
    token: str,
    audit_path: Path,
    read_token: str | None = None,
    agent_tokens: Mapping[str, str] | None = None,
    execute_timeout_s: float = 120.0,
    allow_gaps: bool = False,
    on_death: Callable[[], None] = server.stop_this_process,
) -> FastAPI:
    """The orchestrator of `fleet`, ready to be served.

    `audit_path` is the audit's file (`audit.NAME` in a state directory); `agent_tokens` maps agent name to bearer token;
    `on_death` is called when a side task dies. Raises Refused for a token that is none, and InvalidFleet that names every
    task type without an endpoint, unless `allow_gaps`.
    """
    holders = _holders(token, read_token)
    known_tokens = {name: bearer.usable(_token_variable(fleet, name), held) for name, held in (agent_tokens or {}).items()}
    unknown = sorted(known_tokens.keys() - fleet.agents.keys())
    if unknown:
        raise Refused(f"there are tokens for agents that the fleet does not have: {', '.join(unknown)}")
    gaps = fleets.gaps(fleet)
    if gaps and not allow_gaps:
        raise InvalidFleet(f"fleet {fleet.name}", gaps)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Open]]:
        async with audit.opened(audit_path, on_death=on_death) as opened, http.session() as client:
            yield {"open": Open(audit=opened, client=client)}

    app = FastAPI(
        title="Windlass orchestrator",
        version=windlass.__version__,
        summary=windlass.__doc__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    routes = Routes(fleet, holder_of=bearer.check(holders), agent_tokens=known_tokens, execute_timeout_s=execute_timeout_s)
    for path, method, endpoint, told in documentation.table(routes):
        app.router.add_api_route(path, endpoint, methods=[method], response_model=None, route_class_override=_Direct, **told)
    return app


def run(app: FastAPI, *, host: str = "127.0.0.1", port: int = 3001, fd: int | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve the orchestrator until SIGTERM; see `server.serve`."""
    server.serve(app, host=host, port=port, fd=fd, ready=ready)


def _holders(token: str, read_token: str | None) -> dict[str, str]:
    holders = {"service": bearer.usable(TOKEN, token)}
    if read_token is not None:
        holders["read"] = bearer.usable(READ_TOKEN, read_token)
        if read_token == token:
            raise Refused(f"{READ_TOKEN} equals {TOKEN}; a reader would have every right")
    return holders


def _token_variable(fleet: Fleet, agent_name: str) -> str:
    entry = fleet.agents.get(agent_name)
    return (entry.token_env if entry else None) or fleets.AGENT_TOKEN
