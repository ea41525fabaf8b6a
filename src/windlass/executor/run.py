"""Runs one agent once: the single seam through which every transport executes an agent.

`execute` answers in the contract's shape, whatever happens inside: a business error is an answer, never an exception.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
from pydantic import ValidationError

from windlass import model
from windlass.agents.agent import Agent, Context, Inputs
from windlass.errors import AgentError, BudgetExceeded
from windlass.executor import model_turn
from windlass.executor.graph import Call, Graph, State, length
from windlass.executor.live import Live

DEFAULT_TIMEOUT_MS = 120_000

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A step of the run has ended. Lives as long as the event."""

    step: str
    done: int
    total: int


async def execute(agent: Agent[Any], graph: Graph, request: model.RunRequest, store: Path, live: Live | None = None) -> dict[str, Any]:
    """Run to the end and return the answer."""
    answer: dict[str, Any] = {}
    async for happened in steps(agent, graph, request, store, live):
        if isinstance(happened, dict):
            answer = happened
    return answer


async def steps(
    agent: Agent[Any], graph: Graph, request: model.RunRequest, store: Path, live: Live | None = None
) -> AsyncIterator[Progress | dict[str, Any]]:
    """Run the agent, yielding a `Progress` per finished step and, once and last, the answer."""
    started = time.monotonic()
    try:
        call = await asyncio.to_thread(_call, agent, request, store, live, started)
        state: State = {"work": {}, "warnings": [f"the budget {name!r} is not enforced by this agent" for name in request.budgets.unenforced]}
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + call.context.timeout_ms / 1000):
            done = 0
            async for kind, value in graph.astream(state, context=call, stream_mode=["updates", "values"]):
                if kind == "values":
                    state = value  # type: ignore[assignment]  # LangGraph types every streamed value as a plain dict
                else:
                    done += 1
                    yield Progress(step=next(iter(value)), done=done, total=length(graph))
        yield await asyncio.to_thread(_answer, agent, request, started, state)
    except TimeoutError:
        limit = request.budgets.timeout_ms or DEFAULT_TIMEOUT_MS
        yield _refusal(agent, request, started, BudgetExceeded("timeout_ms", limit, f"the run's {limit} ms are used up"))
    except AgentError as refusal:
        yield _refusal(agent, request, started, refusal)
    except Exception:  # noqa: BLE001  # an agent's bug is answered like any failure; the traceback goes to the log only
        await log.aexception("an agent failed in a way of its own", action="execute", agent=agent.name, request_id=request.request_id)
        yield _refusal(agent, request, started, AgentError("INTERNAL", "the agent failed; its log says why"))


def _call(agent: Agent[Any], request: model.RunRequest, store: Path, live: Live | None, started: float) -> Call:
    timeout_ms = request.budgets.timeout_ms or DEFAULT_TIMEOUT_MS
    context = Context(
        request_id=request.request_id,
        mode=request.mode,
        risk_tier=request.risk_tier,
        store=store,
        deadline=started + timeout_ms / 1000,
        timeout_ms=timeout_ms,
        sources=live.sources if live else {},
        fetch=live.fetch if live else None,
    )
    return Call(
        inputs=validated(agent, request.inputs),
        context=context,
        task_type=request.task_type,
        max_output_tokens=request.budgets.max_output_tokens,
        max_model_calls=model_turn.TURNS if request.budgets.max_model_calls is None else request.budgets.max_model_calls,
    )


def validated(agent: Agent[Any], inputs: Mapping[str, Any]) -> Inputs:
    """The agent's typed inputs; raises AgentError VALIDATION_ERROR that names every field, and the nearest known key."""
    try:
        typed: Inputs = agent.inputs.model_validate(inputs)
    except ValidationError as failure:
        errors = model.field_errors(failure, agent.inputs)
        raise AgentError("VALIDATION_ERROR", model.clip(model.summary(errors), 1000), {"fieldErrors": errors}) from failure
    return typed


def _answer(agent: Agent[Any], request: model.RunRequest, started: float, state: State) -> dict[str, Any]:
    work = state["work"]
    try:
        outputs = agent.outputs.model_validate(work["outputs"]).model_dump(mode="json", by_alias=True)
    except (KeyError, ValidationError) as failure:
        raise AgentError("INVALID_OUTPUT", f"the agent's own outputs do not fit its output model: {model.clip(str(failure), 500)}") from failure
    limit = request.budgets.max_output_tokens
    tokens = model_turn.tokens_of(outputs)
    if limit is not None and tokens > limit:
        raise BudgetExceeded("max_output_tokens", limit, f"the outputs take {tokens} tokens, {limit} are allowed; nothing was cut")
    drafted = state.get("drafted", {})
    warnings = drafted.get("warnings", state.get("warnings", []))
    answer = _envelope(agent, request, started, "degraded" if drafted.get("degraded") else "ok")
    answer.update(outputs=outputs, artifacts=state.get("artifacts", []), warnings=warnings, grounding=work.get("grounding"))
    answer["usage"] |= {"output_tokens": tokens, **drafted.get("tokens", {})}
    if drafted.get("model"):
        answer["provenance"] |= {"engine": "model", "model": drafted["model"]}
    return answer


def _refusal(agent: Agent[Any], request: model.RunRequest, started: float, refusal: AgentError) -> dict[str, Any]:
    answer = _envelope(agent, request, started, "error")
    answer["error"] = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
    return answer


def _envelope(agent: Agent[Any], request: model.RunRequest, started: float, status: Literal["ok", "degraded", "error"]) -> dict[str, Any]:
    canonical = orjson.dumps(request.inputs, option=orjson.OPT_SORT_KEYS)
    return {
        "status": status,
        "ok": status == "ok",
        "request_id": request.request_id,
        "task_type": request.task_type,
        "outputs": {},
        "artifacts": [],
        "warnings": [],
        "provenance": {
            "engine": "deterministic",
            "model": None,
            "agent_version": agent.version,
            "input_sha256": hashlib.sha256(canonical).hexdigest(),
        },
        "usage": {"duration_ms": round((time.monotonic() - started) * 1000, 3)},
        "grounding": None,
        "error": None,
    }
