"""What a citizen of the town is: an agent that behaves in one way, and what a sweep must find of it."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

JOB = {
    "examples": [{"inputs": {"text": "the quick brown fox jumps"}}, {"inputs": {"text": "pack my box with five dozen liquor jugs"}}],
    "invalid_example": {"txet": "the quick brown fox jumps"},
}
"""What most citizens are asked: say something about a text."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request to an agent. Lives as long as the request."""

    body: Mapping[str, Any]
    number: int
    """How many requests this agent had before."""
    http: web.Request
    memory: dict[str, Any]
    """What the agent remembers from one request to the next."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["inputs"]
        return found

    @property
    def text(self) -> str:
        return str(self.inputs.get("text", ""))

    @property
    def valid(self) -> bool:
        return "text" in self.inputs


Behave = Callable[[Asked], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Citizen:
    """One agent of the town. Lives as long as the module that names it."""

    name: str
    behave: Behave
    rung: str = "executed"
    failure: str | None = None
    task: Mapping[str, Any] = field(default_factory=lambda: JOB)
    url: str | None = None
    """Where the fleet says that it answers; in the town without it. `{port}` is the town's, `{dead}` one where nobody listens."""
    token_env: str | None = None
    also: tuple[str, ...] = ()
    """Further task types of this agent."""

    @property
    def task_types(self) -> tuple[str, ...]:
        return (self.name.upper().replace("-", "_"), *self.also)


def answer(asked: Asked, outputs: Any, **changed: Any) -> dict[str, Any]:
    """The envelope of the contract around `outputs`, with some keys changed."""
    return {
        "status": "ok",
        "ok": True,
        "request_id": asked.body["request_id"],
        "task_type": asked.body["task_type"],
        "outputs": outputs,
        "artifacts": [],
        "warnings": [],
        "provenance": {"engine": "deterministic", "agent_version": "1"},
        "usage": {"duration_ms": 1},
        "grounding": None,
        "error": None,
        **changed,
    }


def refusal(asked: Asked, code: str = "VALIDATION_ERROR", message: str = "text: is required") -> dict[str, Any]:
    """The envelope of a business error."""
    return answer(asked, {}, status="error", ok=False, error={"code": code, "message": message, "details": {}})


def json(document: Any, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def counted(text: str) -> dict[str, Any]:
    """The honest answer to the usual job."""
    words = text.split()
    return {"words": len(words), "longest": max(words, key=len, default=""), "digest": base64.b32encode(text.encode()[:5]).decode()}


def working(outputs: Callable[[Asked], Any], **changed: Any) -> Behave:
    """An agent that refuses what is not its job and answers the rest with `outputs`."""

    async def behave(asked: Asked) -> web.StreamResponse:
        return json(answer(asked, outputs(asked), **changed) if asked.valid else refusal(asked))

    return behave


def always(respond: Callable[[Asked], web.StreamResponse]) -> Behave:
    """An agent that responds without looking at what it is asked."""

    async def behave(asked: Asked) -> web.StreamResponse:
        return respond(asked)

    return behave
