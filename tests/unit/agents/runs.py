"""Runs an agent the way the executor does, for tests of its behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windlass import model
from windlass.agents.agent import Agent
from windlass.executor import graph, run


def answer(agent: Agent[Any], inputs: Mapping[str, Any], store: Path, **request: Any) -> dict[str, Any]:
    """The whole answer of one run of `agent`, through its real graph."""
    body = model.RunRequest.model_validate({"request_id": "req-1", "task_type": agent.task_types[0], "inputs": dict(inputs), **request})
    return asyncio.run(run.execute(agent, graph.build(agent), body, store))


def outputs(agent: Agent[Any], inputs: Mapping[str, Any], store: Path, **request: Any) -> dict[str, Any]:
    """The outputs of one run that must succeed."""
    answered = answer(agent, inputs, store, **request)
    assert answered["status"] == "ok", answered["error"]
    found: dict[str, Any] = answered["outputs"]
    return found


def refusal(agent: Agent[Any], inputs: Mapping[str, Any], store: Path, **request: Any) -> dict[str, Any]:
    """The error of one run that must be refused."""
    answered = answer(agent, inputs, store, **request)
    assert answered["status"] == "error", answered
    assert answered["outputs"] == {}
    found: dict[str, Any] = answered["error"]
    return found
