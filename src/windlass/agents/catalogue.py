"""Finds the agents of the reference fleet: every module in `reference/` that defines `AGENT`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from windlass.agents import reference
from windlass.agents.agent import Agent

REFERENCE_TASK_TYPES = 31
"""How many task types the reference fleet will have; `docs/reference/agents.md` lists those that are there."""


@cache
def agents() -> Mapping[str, Agent[Any]]:
    """Agent name → agent, in order of name. Raises ValueError where two agents claim one name or one task type."""
    found: dict[str, Agent[Any]] = {}
    for module in pkgutil.iter_modules(reference.__path__):
        agent: Agent[Any] = importlib.import_module(f"{reference.__name__}.{module.name}").AGENT
        if agent.name in found:
            raise ValueError(f"two modules define the agent {agent.name}")
        found[agent.name] = agent
    _by_task(found)
    return MappingProxyType(dict(sorted(found.items())))


@cache
def by_task() -> Mapping[str, Agent[Any]]:
    """Task type → the agent that does it, in order of task type."""
    return MappingProxyType(_by_task(agents()))


def _by_task(catalogue: Mapping[str, Agent[Any]]) -> dict[str, Agent[Any]]:
    tasks: dict[str, Agent[Any]] = {}
    for agent in catalogue.values():
        for task_type in agent.task_types:
            if task_type in tasks:
                raise ValueError(f"{agent.name} and {tasks[task_type].name} both claim {task_type}")
            tasks[task_type] = agent
    return dict(sorted(tasks.items()))
