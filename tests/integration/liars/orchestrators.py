"""Orchestrators that lie: about who does the task, about whom they let in, about what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from tests.integration.liars import forgers, leaks, services
from tests.integration.liars.citizens import json
from tests.integration.liars.town import Dispatched, Route

KNOWN = "HONEST"
"""The task type of the one agent that they have."""


def routed(asked: Dispatched, **changed: Any) -> dict[str, Any]:
    """What an honest orchestrator answers, with some keys changed."""
    agent = next(each for each in asked.town.citizens.values() if KNOWN in each.task_types)
    honest = {"dispatch_type": "agent", "agent_name": agent.name, "agent_url": f"{asked.town.url}/{agent.name}", "budgets": {}, "rag_plan": {}}
    return {**honest, "request_id": asked.body["request_id"], **changed}


def locked(respond: Callable[[Dispatched], web.StreamResponse]) -> Route:
    """An orchestrator that checks token and task type like an honest one, and then responds in its own way."""

    def route(asked: Dispatched) -> web.StreamResponse:
        if asked.token != services.TOKEN:
            return json({"error": "AUTH_REQUIRED", "code": "AUTH_REQUIRED", "message": "no"}, status=401)
        if asked.body["task_type"] != KNOWN:
            return json({"error": "UNSUPPORTED_TASK_TYPE", "code": "UNSUPPORTED_TASK_TYPE", "message": "no"}, status=400)
        return respond(asked)

    return route


def _naming(url: Callable[[Dispatched], str], **changed: Any) -> Route:
    return locked(lambda asked: json(routed(asked, agent_url=url(asked), **changed)))


def _raw(content: bytes, status: int = 200) -> Route:
    return locked(lambda _: web.Response(body=content, status=status))


HONEST: Route = locked(lambda asked: json(routed(asked)))
STRANGE: Route = locked(lambda asked: json(routed(asked, agent_url=routed(asked)["agent_url"] + "/", agent_name="\n".join(forgers.TEXTS.values()))))

NAMING_ANOTHER = {
    "the-victim": _naming(lambda asked: asked.town.url + "/victim"),
    "the-victim-by-path": _naming(lambda asked: asked.town.url + "/honest/../victim"),
    "the-victim-by-user-info": _naming(lambda asked: asked.town.url.replace("http://", "http://user:pass@") + "/victim"),
    "metadata": _naming(lambda _: "http://169.254.169.254/latest"),
    "another-scheme": _naming(lambda asked: asked.town.url.replace("http:", "https:") + "/honest"),
    "with-a-query": _naming(lambda asked: asked.town.url + "/honest?x="),
    "with-space": _naming(lambda asked: asked.town.url + "/honest\n"),
    "a-forged-row": _naming(lambda _: "\n".join(forgers.TEXTS.values())),
}
REFUSING = {
    "no-url": locked(lambda asked: json(routed(asked, agent_url=None))),
    "blank-url": _naming(lambda _: "  "),
    "url-of-another-type": locked(lambda asked: json(routed(asked, agent_url=["x"]))),
    "garbage": _raw(b"<html>OK</html>"),
    "bytes": _raw(b"\xff\xfe\x00"),
    "nested": _raw(b"[" * 100_000),
    "empty": _raw(b""),
    "a-list": _raw(b'[{"agent_url": "http://127.0.0.1:1"}]'),
    "fails": _raw(b'{"error": {"code": "X"}, "message": ["y"]}', status=500),
    "denies": _raw(b'{"error":"RISK_TIER_NOT_ALLOWED","message":"no"}', status=403),
    "redirects": locked(lambda _: web.Response(status=302, headers={"Location": "/honest-orchestrator/api/ai/router/dispatch"})),
}
CONFUSING = {
    "another-request": locked(lambda asked: json(routed(asked, request_id="of-somebody-else"))),
    "no-request": locked(lambda asked: json(routed(asked, request_id=None))),
}
OPEN = {
    "lets-everybody-in": lambda asked: json(routed(asked)),
    "asks-for-any-token": lambda asked: json(routed(asked)) if asked.token else json({}, status=401),
    "takes-every-task": lambda asked: json(routed(asked)) if asked.token == services.TOKEN else json({}, status=401),
    "forbids-without-401": lambda asked: HONEST(asked) if asked.token == services.TOKEN else json({}, status=403),
}


def _echoing(asked: Dispatched) -> web.StreamResponse:
    """Tells the service token in an error, in every form."""
    token = asked.token or "none"
    told = {name: encode(token) for name, encode in leaks.ENCODINGS.items()}
    response = json({"error": f"no: Bearer {token}", "message": " ".join(told.values()), **told}, status=502)
    response.headers["X-Authorization"] = token
    return response


ECHOING: Route = _echoing
