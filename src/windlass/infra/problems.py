"""The edge of every service: errors become HTTP error bodies here and nowhere else, all of the shape `model.ErrorBody`.

`Edge` also gives every answer its `X-Correlation-ID` and `X-Response-Time`, and caps what is read of a request.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from windlass import model
from windlass.errors import Refused, Unavailable, WindlassError

MAX_BODY = 10 * 1024 * 1024
"""Bytes of a request body that are read; one more is PAYLOAD_TOO_LARGE."""

_CORRELATION_ID = re.compile(rb"[!#-&(-~]{1,128}")
_SCOPE_KEY = "windlass.correlation_id"
_CORE = frozenset(model.ErrorBody.model_fields)
_SMALL = 64 * 1024
_LINGER_S = 1.0
_TOLD_S = 1.0
Told = Callable[[MutableMapping[str, Any], "Problem"], Awaitable[Mapping[str, Any]]]
"""What a service adds to the body of an error that the edge answers, given the request's scope; its audit hears of it so."""

log = structlog.get_logger()


class Problem(WindlassError):
    """A request is answered with an error. Raised anywhere below the edge; lives until the edge has answered."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        extras: Mapping[str, Any] | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        request_id: str | None = None,
    ) -> None:
        """`extras` stand at the top of the body, where clients look for them, and in `details`, where everything is found."""
        self.status = status
        self.code = code
        self.message = message
        self.details = {**(details or {}), **(extras or {})}
        self.extras = dict(extras or {})
        if _CORE & self.extras.keys():
            raise ValueError(f"{sorted(_CORE & self.extras.keys())} belong to the shape of every error body")
        self.headers = tuple(headers)
        self.request_id = request_id
        super().__init__(f"{code}: {message}")

    def body(self, correlation_id: str) -> dict[str, Any]:
        """The error body; `details` and `request_id` are absent when there are none."""
        body: dict[str, Any] = {"error": self.code, "message": self.message, "code": self.code}
        if self.details:
            body["details"] = self.details
        if self.request_id is not None:
            body["request_id"] = self.request_id
        return {**body, "correlation_id": correlation_id, **self.extras}


class Json(Response):
    """An answer whose bytes are JSON already. Lives as long as its request."""

    def __init__(self, body: bytes, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Skip what the general response does to find its length and type: half of a dispatch's own time."""
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json"), *headers]


def correlation_id(scope: MutableMapping[str, Any]) -> str:
    """The id that this request's answer carries, whether the caller gave it or the edge made it."""
    found: str = scope[_SCOPE_KEY]
    return found


def header_safe(value: bytes) -> bool:
    """Whether a caller's id can go into a header, a log line and a shell without meaning anything: 1–128 printable ASCII, no space, no quote."""
    return _CORRELATION_ID.fullmatch(value) is not None


def install(app: FastAPI, *, max_body: int = MAX_BODY, told: Told | None = None) -> None:
    """Put the edge around `app`, and let the framework's own refusals pass to it; `told` hears of each and adds to its body."""

    async def hand_over(_request: Request, failure: Exception) -> Response:
        raise translated(failure) from failure

    app.add_exception_handler(HTTPException, hand_over)
    app.add_exception_handler(RequestValidationError, hand_over)
    app.add_middleware(Edge, max_body=max_body, told=told)


def translated(failure: Exception) -> Problem:
    """The problem that an exception is to a caller. What nobody raised on purpose is INTERNAL and says nothing of its cause."""
    match failure:
        case Problem():
            return failure
        case HTTPException(status_code=404):
            return Problem(404, "ROUTE_NOT_FOUND", "there is no such route")
        case HTTPException(status_code=405):
            allowed = (failure.headers or {}).get("Allow", "")
            return Problem(405, "METHOD_NOT_ALLOWED", f"this route answers {allowed}", headers=[(b"allow", allowed.encode())])
        case HTTPException(status_code=413):
            return _too_large(None)
        case HTTPException():
            return Problem(failure.status_code, f"HTTP_{failure.status_code}", str(failure.detail))
        case RequestValidationError():
            errors = _field_errors(failure)
            return Problem(422, "VALIDATION_ERROR", model.clip(model.summary(errors), 1000), details={"fieldErrors": errors})
        case Refused():
            return Problem(400, "REFUSED", str(failure))
        case Unavailable():
            return Problem(503, "UNAVAILABLE", str(failure))
        case _:
            return Problem(500, "INTERNAL", "the service failed; its log says why, under this correlation_id")


def _field_errors(failure: RequestValidationError) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for problem in failure.errors():
        field = ".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0])
        errors.setdefault(model.clip(field, 200), []).append(problem["msg"])
    return errors


class Edge:
    """The layer around all routes: ids, times, size cap, and an answer for every exception. Lives as long as the app; keeps nothing of a request."""

    def __init__(self, app: ASGIApp, *, max_body: int = MAX_BODY, told: Told | None = None) -> None:
        self._app = app
        self._max_body = max_body
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through and answer what it raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._max_body, self._told)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except asyncio.CancelledError:
            # Only a stopping server cancels a request: the caller can ask again elsewhere.
            if not exchange.started:
                await exchange.answer(Problem(503, "STOPPING", "the service is stopping; ask again", headers=[(b"connection", b"close")]))
            raise
        except Exception as failure:
            if exchange.started:
                raise
            problem = translated(failure)
            if problem.code == "INTERNAL":
                log.exception("a request failed in a way that nobody foresaw", action="answer", correlation_id=exchange.correlation_id)
            await exchange.answer(problem)


class _Exchange:
    """One request and its answer at the edge; lives as long as the request."""

    __slots__ = (
        "_begun",
        "_chunked",
        "_complete",
        "_declared",
        "_max_body",
        "_read",
        "_receive",
        "_scope",
        "_send",
        "_stamp",
        "_told",
        "_waits",
        "correlation_id",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body: int, told: Told | None) -> None:
        self._begun = time.perf_counter()
        self._scope, self._told = scope, told
        self._receive, self._send, self._max_body = receive, send, max_body
        self._chunked = self._waits = self._complete = self.started = False
        self._read = self._declared = 0
        given: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"x-correlation-id" and given is None:
                given = value
            elif name == b"content-length" and value.isdigit():
                self._declared = int(value[:20])
            elif name == b"transfer-encoding":
                self._chunked = True
            elif name == b"expect":
                self._waits = True  # sends its body only when asked to
        self._stamp = given if given is not None and header_safe(given) else uuid.uuid4().hex.encode()
        self.correlation_id = scope[_SCOPE_KEY] = self._stamp.decode("ascii")

    async def receive(self) -> Message:
        """The next piece of the body, as long as the whole stays under the cap."""
        if self._declared > self._max_body:
            raise _too_large(self._max_body)
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._max_body:
                raise _too_large(self._max_body)
            self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.started = True
            elapsed = b"%dms" % round((time.perf_counter() - self._begun) * 1000)
            message["headers"] = [*message.get("headers", ()), (b"x-correlation-id", self._stamp), (b"x-response-time", elapsed)]
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        """Answer with an error body; a connection on which much of a body is still to come is closed after it."""
        unread = not self._complete and (self._chunked or self._declared > _SMALL)
        headers = (*problem.headers, (b"connection", b"close")) if unread else problem.headers
        content = Json(orjson.dumps({**problem.body(self.correlation_id), **await self._added(problem)}), problem.status, headers)
        await self.send({"type": "http.response.start", "status": content.status_code, "headers": content.raw_headers})
        await self.send({"type": "http.response.body", "body": content.body, "more_body": unread})
        if unread:
            if self._read or not self._waits:
                await self._linger()
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _added(self, problem: Problem) -> Mapping[str, Any]:
        """What the service adds; an answer does not wait for it for long, and is not lost with it."""
        if self._told is None:
            return {}
        try:
            async with asyncio.timeout(_TOLD_S):
                return await self._told(self._scope, problem)
        except (TimeoutError, WindlassError):
            return {}

    async def _linger(self) -> None:
        """Throw away a little of what still comes: closing on unread bytes resets the connection, and the caller would never see the answer."""
        dropped = 0
        try:
            async with asyncio.timeout(_LINGER_S):
                while dropped <= 2 * self._max_body:
                    message = await self._receive()
                    dropped += len(message.get("body", b""))
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _too_large(limit: int | None) -> Problem:
    allowed = f"the body is larger than {limit} bytes" if limit is not None else "the body is too large"
    return Problem(413, "PAYLOAD_TOO_LARGE", allowed, details={"limit_bytes": limit} if limit is not None else None)
