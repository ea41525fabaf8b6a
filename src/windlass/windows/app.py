"""Builds the windows service: checks what it is given, opens ledger, audit and backend, runs the loop beside the routes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import windlass
from windlass.infra import bearer, problems, server
from windlass.windows.power.configured import Configured
from windlass.windows.power.controller import controlling
from windlass.windows.web import routes
from windlass.windows.web.page import Page
from windlass.windows.web.routes import Open, Routes
from windlass.windows.web.sessions import Sessions
from windlass.windows.web.stream import Stream

TOKEN = "WINDLASS_WINDOWS_TOKEN"


class _Direct(APIRoute):
    """A route whose function takes the request and returns the answer itself. Lives as long as the app."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matched; another method is left to the framework, which refuses it."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response: Response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def create(
    configured: Configured, directory: Path, *, token: str, secure_cookie: bool = False, on_death: Callable[[], None] = server.stop_this_process
) -> FastAPI:
    """The windows service over the state in `directory`, ready to be served. Raises Refused for a token that is none.

    `on_death` is called when the loop that closes windows dies: a service that can't close must not look alive.
    """
    usable = bearer.usable(TOKEN, token)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Open]]:
        async with (
            configured.backend(directory) as backend,
            controlling(configured.policy, backend, directory, audit_dir=configured.audit_dir, role="service") as controller,
        ):
            loop = asyncio.create_task(controller.reconciler.run())
            loop.add_done_callback(lambda task: None if task.cancelled() else on_death())
            try:
                yield {
                    "open": Open(
                        controller=controller,
                        stream=Stream(controller, time.monotonic),
                        sessions=Sessions(usable, time.monotonic),
                        loop=loop,
                        preflight=backend.preflight,
                        counted=Counter(),
                    )
                }
            finally:
                if configured.policy.on_shutdown == "close" and not loop.done() and controller.reconciler.holds:
                    await controller.close_all("shutdown")
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)

    app = FastAPI(
        title="Windlass windows",
        version=windlass.__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    problems.install(app, max_body=routes.MAX_BODY, told=routes.told)
    api, page = Routes(usable), Page(secure=secure_cookie)
    for path, method, endpoint in (
        ("/madre/power/window/open", "POST", api.open),
        ("/madre/power/window/close", "POST", api.close),
        ("/madre/power/window/extend", "POST", api.extend),
        ("/madre/power/state", "GET", api.state),
        ("/madre/power/policy/solo_madre/status", "GET", api.status),
        ("/madre/power/policy/solo_madre/apply", "POST", api.apply),
        ("/madre/power/audit", "GET", api.audit),
        ("/madre/power/events", "GET", api.events),
        ("/metrics", "GET", api.metrics),
        ("/health", "GET", api.health),
        ("/health/ready", "GET", api.ready),
        ("/", "GET", page.show),
        ("/page/main", "GET", page.main),
        ("/page/power.js", "GET", page.script),
        ("/page/login", "POST", page.log_in),
        ("/page/logout", "POST", page.log_out),
        ("/page/open", "POST", page.open),
        ("/page/close", "POST", page.close),
        ("/page/extend", "POST", page.extend),
    ):
        app.router.add_api_route(path, endpoint, methods=[method], response_model=None, route_class_override=_Direct)
    return app
