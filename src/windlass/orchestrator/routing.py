"""Decides where a task goes. Pure: a fleet and a request in, a value out; the service acts on it."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.fleet import Fleet
from windlass.model import DispatchRequest
from windlass.orchestrator.refusal import Refusal


@dataclass(frozen=True, kw_only=True)
class Routed:
    """The agent that does the task, and where it answers. Lives as long as its request."""

    task_type: str
    agent_name: str
    agent_url: str


def decide(fleet: Fleet, request: DispatchRequest) -> Routed | Refusal:
    """Route the task, or say why not: unknown task type first, then governance, then a missing endpoint."""
    task = fleet.tasks.get(request.task_type)
    if task is None:
        return Refusal(
            status=400,
            code="UNSUPPORTED_TASK_TYPE",
            message="the fleet has no such task type; supportedTypes lists those it has",
            extras={"supportedTypes": list(fleet.expected)},
        )
    if request.mode not in task.modes:
        return _not_allowed("MODE", request.task_type, "mode", request.mode, list(task.modes))
    if request.risk_tier not in task.risk_tiers:
        return _not_allowed("RISK_TIER", request.task_type, "risk tier", request.risk_tier, list(task.risk_tiers))
    url = fleet.url(request.task_type)
    if not url:
        return Refusal(
            status=500,
            code="AGENT_NOT_CONFIGURED",
            message=f"{task.agent}, which does {request.task_type}, has no endpoint",
            extras={"agent_key": task.agent, "task_type": request.task_type},
        )
    return Routed(task_type=request.task_type, agent_name=task.agent, agent_url=url)


def _not_allowed(what: str, task_type: str, word: str, given: str, allowed: list[str]) -> Refusal:
    return Refusal(
        status=403,
        code=f"{what}_NOT_ALLOWED",
        message=f"{task_type} is not allowed in {word} {given}",
        details={"given": given, "allowed": allowed},
    )
