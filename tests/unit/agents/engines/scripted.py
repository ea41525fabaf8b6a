"""A chat model that says what a test tells it to, and runs of an agent with it through the agent's real graph."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from windlass import model
from windlass.agents.agent import Agent
from windlass.agents.modelling import Reply
from windlass.errors import AgentError
from windlass.executor import graph, run
from windlass.executor.model_turn import Allowed


@dataclass(kw_only=True)
class Scripted:
    """Says its answers in turn, the last one for ever; an AgentError among them is raised. Lives as long as the test."""

    answers: Sequence[Any]
    name: str = "scripted-model"
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, *, system: str, user: str, schema: type[BaseModel], within_s: float, max_tokens: int | None) -> Reply:
        said = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append({"system": system, "user": orjson.loads(user), "schema": schema, "within_s": within_s, "max_tokens": max_tokens})
        if isinstance(said, AgentError):
            raise said
        return Reply(fields=said, input_tokens=10, output_tokens=5)


def answer(
    agent: Agent[Any], inputs: Mapping[str, Any], store: Path, chat: Scripted, phi: frozenset[str] = frozenset(), **request: Any
) -> dict[str, Any]:
    """The whole answer of one run with this model."""
    body = model.RunRequest.model_validate({"request_id": "req-1", "task_type": agent.task_types[0], "inputs": dict(inputs), **request})
    return asyncio.run(run.execute(agent, graph.build(agent, Allowed(chat=chat, phi=phi)), body, store))


def accepted(agent: Agent[Any], inputs: Mapping[str, Any], store: Path, draft: Any, **request: Any) -> dict[str, Any]:
    """The answer to a draft that must be taken, at the first time of asking."""
    chat = Scripted(answers=[draft])
    answered = answer(agent, inputs, store, chat, **request)
    assert (answered["status"], answered["provenance"]["engine"]) == ("ok", "model"), answered["warnings"]
    assert answered["provenance"]["model"] == "scripted-model"
    assert len(chat.asked) == 1
    return answered


def refused(agent: Agent[Any], inputs: Mapping[str, Any], store: Path, draft: Any, because: str, **request: Any) -> dict[str, Any]:
    """The answer to a draft that must be refused twice: the deterministic one, word for word, with the reason among its warnings."""
    chat = Scripted(answers=[draft])
    answered = answer(agent, inputs, store, chat, **request)
    assert (answered["status"], answered["ok"]) == ("degraded", False), answered["outputs"]
    assert (answered["provenance"]["engine"], answered["provenance"]["model"]) == ("deterministic", None)
    assert any(because in warning for warning in answered["warnings"]), answered["warnings"]
    assert len(chat.asked) == 2
    assert any(because in complaint for complaint in chat.asked[1]["user"]["complaints_about_it"])
    body = model.RunRequest.model_validate({"request_id": "req-1", "task_type": agent.task_types[0], "inputs": dict(inputs), **request})
    alone = asyncio.run(run.execute(agent, graph.build(agent), body, store))
    assert answered["outputs"] == alone["outputs"]
    return answered
