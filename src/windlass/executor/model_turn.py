"""A turn with the model: ask for a draft, hold it against the engine's rules, ask once more with the complaints, or fall back.

Nothing that the model wrote reaches the outputs before the engine has no complaint and the agent's output model takes it. Neither prompt nor
draft is logged. What a fallback quotes of a refused draft stands in `warnings`, clipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from windlass import model
from windlass.agents.agent import Agent, Context, Inputs
from windlass.agents.modelling import DATA_NOTICE, Chat, Draft, ModelEngine, Reply
from windlass.errors import AgentError

BYTES_PER_TOKEN = 4
"""`max_output_tokens` counts the outputs' JSON in tokens of this many bytes, rounded up: a rule that needs no tokenizer."""
MOST_MATERIAL = 400_000
"""Bytes of material that a model is given; an agent with more answers by itself."""
TURNS = 2
"""How often a model is asked, where `budgets.max_model_calls` does not say less."""
_SHARE_OF_TIME = 0.9
"""Of what is left of the run: the rest is for checking the draft, and for the fallback's way out."""
_COMPLAINTS_SHOWN = 5
_COMPLAINTS_SENT = 30
_COMPLAINT_LENGTH = 300

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The model that an executor may use, and the task types whose PHI may be sent to it. Lives as long as the service."""

    chat: Chat
    phi: frozenset[str] = frozenset()

    def admit(self, task_type: str, risk_tier: model.RiskTier) -> None:
        """Raise AgentError RISK_TIER_NOT_ALLOWED for protected text that would leave for the model."""
        if risk_tier == "PHI" and task_type not in self.phi:
            raise AgentError(
                "RISK_TIER_NOT_ALLOWED",
                f"{task_type} would send protected text to the model {self.chat.name}; the fleet file does not allow it (phi_to_model: true)",
            )


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What one run asks the model for, and within what. Lives as long as the run."""

    agent: Agent[Any]
    engine: ModelEngine[Any]
    inputs: Inputs
    work: Mapping[str, Any]
    context: Context
    max_output_tokens: int | None
    turns: int = TURNS
    """How often the model may be asked."""


@dataclass(frozen=True, kw_only=True)
class Turned:
    """How the turn ended. `result` is the step result of an accepted draft; None where the deterministic answer stands."""

    result: Mapping[str, Any] | None
    faults: tuple[str, ...] = ()
    """Why the draft was refused; empty where it was accepted, or where the model had nothing to do."""
    asked: bool
    tokens: Mapping[str, int] = field(default_factory=dict)


async def turn(asked: Ask, chat: Chat) -> Turned:
    """The accepted draft, or why there is none."""
    material = await asyncio.to_thread(asked.engine.material, asked.inputs, asked.work)
    if material is None:
        return Turned(result=None, asked=False)
    shown = await asyncio.to_thread(orjson.dumps, material)
    if len(shown) > MOST_MATERIAL:
        fault = f"MODEL_NOT_ASKED: the material takes {len(shown)} bytes, a model is given at most {MOST_MATERIAL}"
        return Turned(result=None, faults=(fault,), asked=False)
    tokens: dict[str, int] = {}
    faults: list[str] = []
    user = shown.decode()
    for _attempt in range(asked.turns):
        try:
            reply = await _reply(asked, chat, user)
        except AgentError as failure:
            _count(tokens, failure.details)
            faults = [f"{failure.code}: {failure.message}"]
            if failure.code != "MODEL_BAD_ANSWER":
                break
            user = _again(material, None, faults)
            continue
        _count(tokens, {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens})
        result, faults = await asyncio.to_thread(_held, asked, reply)
        if result is not None:
            return Turned(result=result, asked=True, tokens=tokens)
        user = await asyncio.to_thread(_again, material, reply.fields, faults)
    await log.awarning(
        "a model's draft was not taken",
        action="draft",
        agent=asked.agent.name,
        request_id=asked.context.request_id,
        model=chat.name,
        faults=len(faults),
    )
    return Turned(result=None, faults=tuple(faults), asked=True, tokens=tokens)


def fallback_warnings(chat: Chat, faults: Sequence[str]) -> list[str]:
    """What an answer says that stands in for a refused draft: which complaints the draft met, clipped."""
    shown = [model.clip(fault, _COMPLAINT_LENGTH) for fault in faults[:_COMPLAINTS_SHOWN]]
    more = [f"and {len(faults) - len(shown)} more complaints"] if len(faults) > len(shown) else []
    return [
        f"the model {chat.name} gave no answer that holds: the deterministic engine answered",
        *(f"model: {fault}" for fault in [*shown, *more]),
    ]


def tokens_of(outputs: Mapping[str, Any]) -> int:
    """The tokens that outputs take, by the rule of `BYTES_PER_TOKEN`."""
    return -(-len(orjson.dumps(outputs)) // BYTES_PER_TOKEN)


async def _reply(asked: Ask, chat: Chat, user: str) -> Reply:
    within = (asked.context.deadline - time.monotonic()) * _SHARE_OF_TIME
    if within <= 0:
        raise AgentError("MODEL_UNAVAILABLE", "the run's time is used up")
    system = f"{asked.engine.instructions.strip()}\n\n{DATA_NOTICE}"
    return await chat.ask(system=system, user=user, schema=asked.engine.draft, within_s=within, max_tokens=asked.max_output_tokens)


def _held(asked: Ask, reply: Reply) -> tuple[Mapping[str, Any] | None, list[str]]:
    """The step result of a draft that holds, or the complaints."""
    draft_model: type[Draft] = asked.engine.draft
    try:
        draft = draft_model.model_validate_json(orjson.dumps(reply.fields))
    except ValidationError as failure:
        return None, _misfits(failure, draft_model)
    if complaints := asked.engine.complaints(asked.inputs, asked.work, draft, asked.context):
        return None, complaints
    try:
        result = asked.engine.assemble(asked.inputs, asked.work, draft, asked.context)
        outputs = asked.agent.outputs.model_validate(result["outputs"]).model_dump(mode="json", by_alias=True)
    except AgentError as refusal:
        return None, [f"{refusal.code}: {refusal.message}"]
    except ValidationError as failure:
        return None, _misfits(failure, asked.agent.outputs)
    limit, taken = asked.max_output_tokens, tokens_of(outputs)
    if limit is not None and taken > limit:
        return None, [f"the answer takes {taken} tokens, {limit} are allowed: be shorter"]
    return result, []


def _misfits(failure: ValidationError, of: type[BaseModel]) -> list[str]:
    errors = model.field_errors(failure, of.model_fields)
    return [f"{name}: {message}" for name, messages in errors.items() for message in messages]


def _again(material: Mapping[str, Any], draft: Any, faults: Sequence[str]) -> str:
    """The material once more, with the refused draft and what was wrong with it."""
    complaints = [model.clip(fault, _COMPLAINT_LENGTH) for fault in faults[:_COMPLAINTS_SENT]]
    return orjson.dumps({**material, "your_refused_answer": draft, "complaints_about_it": complaints}).decode()


def _count(tokens: dict[str, int], told: Mapping[str, Any]) -> None:
    for name in ("input_tokens", "output_tokens"):
        if isinstance(told.get(name), int):
            tokens[f"model_{name}"] = tokens.get(f"model_{name}", 0) + told[name]
