"""Does one task of a fleet through its orchestrator, which dispatches it to its agent and passes on what the agent answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from windlass.errors import GivenUp, Unavailable
from windlass.infra import http
from windlass.model import Mode, RiskTier

EXECUTE_PATH = "/api/ai/router/execute"
MAX_ANSWER = 64 * 1024 * 1024
_GRACE_S = 5.0
"""Seconds beyond the task's own, in which the orchestrator says that they are used up."""
_SAID = 1000
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class TaskFailed(GivenUp):
    """The agent answered, and its answer is no. `code` may be told anywhere; the message may repeat what the agent was asked."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code if _CODE.fullmatch(code) else "AGENT_ERROR"
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked for. Lives as long as the call."""

    request_id: str
    task_type: str
    mode: Mode
    risk_tier: RiskTier
    inputs: Mapping[str, Any] = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back: the agent that did it, and its whole answer; `elapsed_ms` as the caller waited."""

    task_type: str
    agent: str
    result: dict[str, Any]
    elapsed_ms: int

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs; raises TaskFailed where the agent refused, or has none."""
        outputs = self.result.get("outputs")
        if self.result.get("status") in {"ok", "degraded"} and isinstance(outputs, dict):
            return outputs
        error = self.result.get("error")
        told = error if isinstance(error, dict) else {}
        code = str(told.get("code") or self.result.get("status") or "NO_OUTPUTS")[:100]
        raise TaskFailed(code, f"{self.task_type}: {code}: {str(told.get('message') or 'no outputs')[:_SAID]}")

    @property
    def note(self) -> str | None:
        """What a person should know beside the outputs: why they are degraded."""
        warnings = self.result.get("warnings")
        first = warnings[0] if isinstance(warnings, list) and warnings else ""
        return f"degraded: {str(first)[:_SAID]}" if self.result.get("status") == "degraded" else None


async def execute(url: str, token: str, task: Task) -> Answered:
    """Do a task. Raises Unavailable where nobody answers, and TaskFailed for a refusal of the orchestrator's."""
    body = {
        "request_id": task.request_id,
        "task_type": task.task_type,
        "mode": task.mode,
        "risk_tier": task.risk_tier,
        "inputs": task.inputs,
        "budgets": {"timeout_ms": int(task.timeout_s * 1000)},
    }
    headers = {"Authorization": f"Bearer {token}", "X-Correlation-ID": task.request_id}
    async with http.session() as client:
        answer = await http.call(
            client, "POST", url + EXECUTE_PATH, body=orjson.dumps(body), headers=headers, timeout_s=task.timeout_s + _GRACE_S, cap=MAX_ANSWER
        )
    return read(task.task_type, answer)


def read(task_type: str, answer: http.Answer) -> Answered:
    """What an answer of the orchestrator's says. Pure; raises as `execute` does."""
    if answer.fault:
        raise Unavailable(f"{task_type}: the orchestrator did not answer: {answer.detail}")
    try:
        fields = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        fields = None
    if answer.status != 200 or not isinstance(fields, dict) or not isinstance(fields.get("result"), dict):
        told = fields if isinstance(fields, dict) else {}
        code = str(told.get("code") or f"HTTP_{answer.status}")[:100]
        raise TaskFailed(code, f"{task_type}: HTTP {answer.status}: {str(told.get('message') or told.get('code') or 'no result')[:_SAID]}")
    agent = str(fields.get("agent_name") or task_type)[:200]
    return Answered(task_type=task_type, agent=agent, result=fields["result"], elapsed_ms=int(answer.elapsed_ms))
