"""A loopback server that speaks OpenAI's /v1/chat/completions: says what it is told to, misbehaves on demand, records and replays."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from windlass.infra import server

KEY = "sk-canary-7b1fd2c4e9"
Answer = Callable[[web.Request, Mapping[str, Any]], "web.StreamResponse | Mapping[str, Any] | None"]


@dataclass(kw_only=True)
class Served:
    """A server that is up. `asked` holds the bodies that it got, in order."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    strangers: int = 0
    """Requests that did not show the key."""
    strays: list[str] = field(default_factory=list)
    """Paths of requests that are no chat completion."""


def says(fields: Any) -> Answer:
    """The JSON object that was asked for."""
    return text(json.dumps(fields))


def text(content: str | None, **more: Any) -> Answer:
    """A message with this content, well-formed or not."""
    return lambda _request, asked: completion(asked, [choice({"role": "assistant", "content": content, **more})])


def calls(arguments: str) -> Answer:
    """A tool call in place of a text: how models without structured output answer."""
    call = {"id": "call_1", "type": "function", "function": {"name": "draft", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return lambda _request, asked: completion(asked, [choice(message, "tool_calls")])


def cut(content: str) -> Answer:
    """An answer that ran into its token limit."""
    return lambda _request, asked: completion(asked, [choice({"role": "assistant", "content": content}, "length")])


def empty_choices() -> Answer:
    """A completion without any choice."""
    return lambda _request, asked: completion(asked, [])


def fails(status: int, *, retry_after: str | None = None, quoting: bool = True) -> Answer:
    """An HTTP error whose body quotes the prompt back, as some providers' errors do."""

    def answer(_request: web.Request, asked: Mapping[str, Any]) -> web.StreamResponse:
        message = json.dumps(asked["messages"]) if quoting else "no"
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.json_response({"error": {"message": message, "type": "x", "code": None}}, status=status, headers=headers)

    return answer


def html() -> Answer:
    """What a proxy says with status 200."""
    return lambda _request, _asked: web.Response(text="<html>welcome</html>", content_type="text/html")


def hangs() -> Answer:
    """Nothing, until the client gives up."""
    return lambda _request, _asked: None


def choice(message: Mapping[str, Any], finish: str = "stop") -> dict[str, Any]:
    return {"index": 0, "finish_reason": finish, "message": dict(message)}


def completion(asked: Mapping[str, Any], choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": list(choices), "usage": usage}


def digest(asked: Mapping[str, Any]) -> str:
    """What a recorded answer is found by: model and messages. The schema is left out: its form changes with versions of Pydantic."""
    decides = {name: asked.get(name) for name in ("model", "messages")}
    return hashlib.sha256(json.dumps(decides, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def replays(recording: Path) -> Answer:
    """The recorded answer to this very request; 404 to any other, which fails the test that changed a prompt without recording anew."""
    turns = {turn["request_sha256"]: turn["response"] for turn in json.loads(recording.read_text("utf-8"))["turns"]}

    def answer(_request: web.Request, asked: Mapping[str, Any]) -> web.StreamResponse | Mapping[str, Any]:
        return turns.get(digest(asked)) or web.json_response({"error": {"message": "never recorded"}}, status=404)

    return answer


def record(served: Served, answers: Sequence[Mapping[str, Any]], recording: Path, about: str) -> None:
    """Write what was asked and answered as a recording."""
    turns = [
        {"request_sha256": digest(asked), "request": {"messages": asked["messages"]}, "response": completion(asked, [choice(message)])}
        for asked, message in zip(served.asked, answers, strict=True)
    ]
    recording.write_text(json.dumps({"version": 1, "about": about, "turns": turns}, indent=1, ensure_ascii=False) + "\n", "utf-8")


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Served]:
    """A server that gives these answers in turn, the last one for ever."""
    served = Served(url="")
    closing = asyncio.Event()

    async def complete(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        served.strangers += request.headers.get("Authorization") != f"Bearer {KEY}"
        answer = answers[min(len(served.asked), len(answers) - 1)]
        served.asked.append(asked)
        said = answer(request, asked)
        if said is None:
            await closing.wait()
            return web.Response(status=503)
        return said if isinstance(said, web.StreamResponse) else web.json_response(said)

    async def stray(request: web.Request) -> web.StreamResponse:
        served.strays.append(request.path)
        return web.Response(status=404)

    service = web.Application()
    service.router.add_post("/v1/chat/completions", complete)
    service.router.add_route("*", "/{path:.*}", stray)
    runner = web.AppRunner(service)
    await runner.setup()
    listener = server.bound("127.0.0.1", 0)
    await web.SockSite(runner, listener).start()
    served.url = f"{server.base_url(listener)}/v1"
    try:
        yield served
    finally:
        closing.set()
        await runner.cleanup()
