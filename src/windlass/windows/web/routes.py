"""The API's routes: who asks, what is asked, what the controller answers; every answer says when it was given and where the audit has it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from windlass.errors import WindlassError
from windlass.infra import documents, instants, problems, server
from windlass.infra.problems import Json, Problem
from windlass.windows.power.asked import Refusal
from windlass.windows.power.controller import Answer, Controller
from windlass.windows.power.moment import instant
from windlass.windows.power.repeats import Source
from windlass.windows.power.rulings import Window
from windlass.windows.web import metrics
from windlass.windows.web.sessions import Sessions
from windlass.windows.web.stream import Stream

HEADER = b"x-vx11-token"
MAX_BODY = 64 * 1024
_READY_S = 5.0
Act = Callable[[Any], Awaitable[Answer]]


@dataclass(frozen=True, kw_only=True)
class Open:
    """What is open while the service runs."""

    controller: Controller
    stream: Stream
    sessions: Sessions
    loop: asyncio.Task[None]
    preflight: Callable[[], Awaitable[None]]
    counted: Counter[tuple[str, str]]


def opened(request: Request) -> Open:
    """What the service has open."""
    found: Open = request.scope["state"]["open"]
    return found


def actor(request: Request) -> str:
    """Who asks, as far as HTTP shows it."""
    return f"http {request.client.host}" if request.client else "http"


class Routes:
    """The functions behind the API's paths. Lives as long as the app; changes nothing."""

    def __init__(self, token: str) -> None:
        self._token = hashlib.sha256(token.encode()).digest()

    async def open(self, request: Request) -> Response:
        """Open a window."""
        return await self._post(request, "open", ("services", "ttl_sec", "mode", "reason", "on_partial"), opened(request).controller.open)

    async def close(self, request: Request) -> Response:
        """Close a window."""
        return await self._post(request, "close", ("window_id", "reason"), opened(request).controller.close)

    async def extend(self, request: Request) -> Response:
        """Give a window more time."""
        return await self._post(request, "extend", ("window_id", "ttl_sec"), opened(request).controller.extend)

    async def apply(self, request: Request) -> Response:
        """Leave the core alone: close every window, stop every allowed service."""

        async def act(_body: Any, *, actor: str) -> Answer:
            return await opened(request).controller.apply(actor=actor)

        return await self._post(request, "apply", (), act)

    async def state(self, request: Request) -> Response:
        """What is open and what runs."""
        return await self._get(request, "state", opened(request).controller.state)

    async def status(self, request: Request) -> Response:
        """Whether the core is alone."""
        return await self._get(request, "status", opened(request).controller.policy_status)

    async def audit(self, request: Request) -> Response:
        """The newest entries of the audit."""
        return await self._get(request, "audit", lambda: opened(request).controller.audit(request.query_params.get("since"), actor=actor(request)))

    async def metrics(self, request: Request) -> Response:
        """The metrics."""
        refused = await self._stranger(request, "metrics")
        if refused:
            return refused
        held = opened(request)
        state = await held.controller.state()
        shown = metrics.text(state.body if state.is_done else None, held.counted, holds_loop=held.controller.reconciler.holds)
        return Response(shown, media_type=metrics.CONTENT_TYPE)

    async def events(self, request: Request) -> Response:
        """State changes and a countdown, as they come; the page's cookie opens this too, since an EventSource can send no header."""
        held = opened(request)
        headers = request.scope["headers"]
        by_page = held.sessions.session(headers) is not None
        if not by_page:
            refused = await self._stranger(request, "events")
            if refused:
                return refused
        if held.stream.is_full:
            return await refuse(request, "events", Refusal(503, "TOO_MANY_LISTENERS", "too many listen already; ask for the state instead"))
        events = held.stream.events(
            stopping=server.stopping(request.scope), may_listen=lambda: not by_page or held.sessions.session(headers) is not None
        )
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})

    async def health(self, request: Request) -> Response:
        """Whether the process does what it is for: its loop lives, and its ledger can be read."""
        held = opened(request)
        troubles = [] if not held.loop.done() else ["the loop that closes windows has ended"]
        try:
            live: Sequence[Window] | None = await held.controller.ledger.live()
        except WindlassError as failure:
            live, troubles = None, [*troubles, str(failure)]
        look = held.controller.watch.last
        facts = {
            "status": "down" if troubles else "up",
            "holds_loop": held.controller.reconciler.holds,
            "loop_held_by": held.controller.loop_holder(),
            "windows": None if live is None else len(live),
            "engine_seen_at": None if look.at is None else instants.stamp(instant(look.at.epoch_ms)),
            "troubles": troubles,
        }
        return _json(Answer(http=503 if troubles else 200, body=_stamped(held, facts)))

    async def ready(self, request: Request) -> Response:
        """Whether a window could be opened now: the engine answers and the configuration can be read."""
        held = opened(request)
        try:
            async with asyncio.timeout(_READY_S):
                await held.preflight()
        except WindlassError as failure:
            return _json(Answer(http=503, body=_stamped(held, {"status": "not ready", "troubles": [str(failure)]})))
        except TimeoutError:
            return _json(
                Answer(http=503, body=_stamped(held, {"status": "not ready", "troubles": [f"the engine has not answered for {_READY_S:g} s"]}))
            )
        return _json(Answer(http=200, body=_stamped(held, {"status": "ready", "troubles": []})))

    async def _post(self, request: Request, action: str, keys: tuple[str, ...], act: Callable[..., Awaitable[Answer]]) -> Response:
        refused = await self._stranger(request, action)
        if refused:
            return refused
        try:
            content = await request.body()  # the edge reads no more than MAX_BODY of it
            body = documents.parsed(content, keys, every_level=True) if content.strip() or keys else {}
            unknown = [name for name in body if name not in keys] if not keys else []
        except documents.UnfitBody as unfit:
            field = next(iter(unfit.errors))
            return await refuse(request, action, Refusal(422, "INVALID_BODY", unfit.errors[field][0], field=field))
        if unknown:
            return await refuse(request, action, Refusal(422, "INVALID_BODY", "is not a field of this request; it has none", field=unknown[0]))
        return _told(request, action, await act(body, actor=actor(request)))

    async def _get(self, request: Request, action: str, act: Callable[[], Awaitable[Answer]]) -> Response:
        refused = await self._stranger(request, action)
        return refused or _told(request, action, await act())

    async def _stranger(self, request: Request, action: str) -> Response | None:
        """A refusal for whoever has no token, or a wrong one."""
        given = [value for name, value in request.scope["headers"] if name == HEADER]
        if not given:
            return await refuse(request, action, Refusal(401, "AUTH_REQUIRED", "the header X-VX11-Token is required"), "stranger")
        fits = hmac.compare_digest(hashlib.sha256(given[0]).digest(), self._token)
        if len(given) > 1 or not fits:
            return await refuse(request, action, Refusal(403, "WRONG_TOKEN", "the token in X-VX11-Token is not the one of this service"), "stranger")
        return None


async def told(scope: MutableMapping[str, Any], problem: Problem) -> Mapping[str, Any]:
    """What the edge refuses (no such route, a body too large, a stop) is audited and stamped like every other refusal."""
    request = Request(scope)
    endpoint = scope.get("endpoint")
    action = endpoint.__name__ if endpoint is not None else "route"
    refusal = Refusal(problem.status, problem.code, problem.message)
    answer = await opened(request).controller.refused(f"{action}_refused", refusal, actor=actor(request), source="stranger")
    opened(request).counted[action, str(problem.status)] += 1
    return {name: answer.body[name] for name in ("timestamp", "audit_id")}


async def refuse(request: Request, action: str, refusal: Refusal, source: Source = "caller") -> Response:
    """The refusal as an answer that the audit has."""
    answer = await opened(request).controller.refused(f"{action}_refused", refusal, actor=actor(request), source=source)
    return _told(request, action, answer)


def _told(request: Request, action: str, answer: Answer) -> Response:
    opened(request).counted[action, str(answer.http)] += 1
    body = answer.body if answer.is_done else {**answer.body, "correlation_id": problems.correlation_id(request.scope)}
    return _json(Answer(http=answer.http, body=body))


def _json(answer: Answer) -> Response:
    return Json(orjson.dumps(answer.body), answer.http)


def _stamped(held: Open, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {**facts, **held.controller.stamp()}
