"""The orchestrator's routes: who asks, what is asked, what the rules say, what the audit keeps, what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from starlette.requests import Request

from windlass import fleet as fleets
from windlass import model
from windlass.fleet import Fleet
from windlass.infra import bearer, problems
from windlass.infra.problems import Json, Problem
from windlass.orchestrator import bodies, execution, routing
from windlass.orchestrator.audit import Action, Audit
from windlass.orchestrator.refusal import Refusal
from windlass.orchestrator.routing import Routed

_CALLERS = frozenset({"service"})
_READERS = frozenset({"service", "read"})


@dataclass(frozen=True, kw_only=True)
class Open:
    """What is open while the service runs."""

    audit: Audit
    client: aiohttp.ClientSession


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One call of dispatch or execute; lives as long as its request."""

    action: Action
    http: Request
    open: Open
    correlation_id: str

    def note(self, outcome: str, *, asked: Mapping[str, Any], agent_name: str | None, action: Action | None = None) -> None:
        """Write the call's audit entry."""
        self.open.audit.write(action or self.action, asked=asked, agent_name=agent_name, correlation_id=self.correlation_id, outcome=outcome)


class Routes:
    """The functions behind the paths, for one fleet. Lives as long as the app; changes nothing."""

    def __init__(self, fleet: Fleet, *, holder_of: bearer.Check, agent_tokens: Mapping[str, str], execute_timeout_s: float) -> None:
        self._fleet = fleet
        self._holder_of = holder_of
        self._agent_tokens = agent_tokens
        self._execute_timeout_s = execute_timeout_s
        self._gaps = fleets.gaps(fleet)
        self._listing = orjson.dumps(_listing(fleet))

    async def dispatch(self, http: Request) -> Json:
        """Say which agent does the task, and where it answers."""
        call = _call("dispatch", http)
        asked, routed = await self._decided(call)
        call.note("OK", asked=vars(asked), agent_name=routed.agent_name)
        return Json(orjson.dumps(_answer(asked, routed)))

    async def execute(self, http: Request) -> Json:
        """Dispatch the task, run it, and answer with what the agent answered under `result`."""
        call = _call("execute", http)
        asked, routed = await self._decided(call)
        told = vars(asked)
        token = self._agent_tokens.get(routed.agent_name)
        run = execution.planned(routed, asked, limit_s=self._execute_timeout_s, headers=_forwarded(call, asked), token=token)
        if isinstance(run, Refusal):
            call.note(run.code, asked=told, agent_name=routed.agent_name)
            raise _problem(run, asked.request_id)
        call.note("OK", asked=told, agent_name=routed.agent_name, action="dispatch")
        outcome = "STOPPED"
        try:
            result = await execution.execute(call.open.client, run)
            outcome = result.code if isinstance(result, Refusal) else "OK"
        finally:
            call.note(outcome, asked=told, agent_name=routed.agent_name)
        if isinstance(result, Refusal):
            raise _problem(result, asked.request_id)
        return Json(orjson.dumps({**_answer(asked, routed), "result": orjson.Fragment(result)}))

    async def task_types(self, http: Request) -> Json:
        """List what can be asked for: task type → agent, modes, risk tiers, input schema, example."""
        self._admit(http, _READERS)
        return Json(self._listing)

    async def health(self, _http: Request) -> Json:
        """Say that the process is up."""
        return Json(b'{"status":"up"}')

    async def ready(self, http: Request) -> Json:
        """Say whether every task type can be dispatched."""
        gaps = [*self._gaps, *([] if _open(http).audit.sound else ["the audit can't be made durable"])]
        if gaps:
            raise Problem(503, "NOT_READY", "; ".join(gaps), extras={"gaps": gaps})
        return Json(b'{"status":"ready"}')

    async def _decided(self, call: _Call) -> tuple[model.DispatchRequest, Routed]:
        """The request and its agent; a refusal at any step is in the audit when it is raised."""
        try:
            self._admit(call.http, _CALLERS)
            content = await call.http.body()
        except Problem as problem:
            call.note(problem.code, asked={}, agent_name=None)
            raise
        document = bodies.parsed(content) if len(content) < bodies.LARGE else await asyncio.to_thread(bodies.parsed, content)
        if isinstance(document, Refusal):
            raise self._refused(call, document, {})
        asked = bodies.fitted(document)
        if isinstance(asked, Refusal):
            raise self._refused(call, asked, document)
        decision = routing.decide(self._fleet, asked)
        if isinstance(decision, Refusal):
            raise self._refused(call, decision, vars(asked))
        return asked, decision

    def _refused(self, call: _Call, refusal: Refusal, told: Mapping[str, Any]) -> Problem:
        call.note(refusal.code, asked=told, agent_name=None)
        return _problem(refusal, bodies.request_id(told))

    def _admit(self, http: Request, holders: frozenset[str]) -> None:
        holder = self._holder_of(http.scope["headers"])
        if holder is None:
            raise Problem(401, "AUTH_REQUIRED", "a valid bearer token is required", headers=[(b"www-authenticate", b"Bearer")])
        if holder not in holders:
            raise Problem(403, "INSUFFICIENT_PERMISSIONS", "this token may list task types, but neither dispatch nor execute")


def _call(action: Action, http: Request) -> _Call:
    return _Call(action=action, http=http, open=_open(http), correlation_id=problems.correlation_id(http.scope))


def _open(http: Request) -> Open:
    found: Open = http.scope["state"]["open"]
    return found


def _answer(asked: model.DispatchRequest, routed: Routed) -> dict[str, Any]:
    return {
        "dispatch_type": "agent",
        "agent_name": routed.agent_name,
        "agent_url": routed.agent_url,
        "budgets": asked.budgets,
        "rag_plan": {},
        "request_id": asked.request_id,
    }


def _forwarded(call: _Call, asked: model.DispatchRequest) -> dict[str, str]:
    """The ids that go on to the agent; one that could not be a header is left out, it is in the body anyway."""
    given = next((value for name, value in call.http.scope["headers"] if name == b"x-request-id"), b"")
    ids = [candidate for candidate in (given, asked.request_id.encode()) if problems.header_safe(candidate)]
    return {"X-Correlation-ID": call.correlation_id, **({"X-Request-ID": ids[0].decode("ascii")} if ids else {})}


def _problem(refusal: Refusal, request_id: str | None) -> Problem:
    return Problem(refusal.status, refusal.code, refusal.message, details=refusal.details, extras=refusal.extras, request_id=request_id)


def _listing(fleet: Fleet) -> dict[str, Any]:
    return {
        "fleet": fleet.name,
        "task_types": {
            name: {
                "agent_name": task.agent,
                "modes": task.modes,
                "risk_tiers": task.risk_tiers,
                "input_schema": task.input_schema,
                "example": task.examples[0].inputs if task.examples else None,
            }
            for name in fleet.expected
            for task in (fleet.tasks[name],)
        },
    }
