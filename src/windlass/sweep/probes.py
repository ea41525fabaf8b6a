"""Finds the probe of a task: the reference fleet's own, or a stranger's where running their code was allowed."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from windlass.agents import catalogue
from windlass.agents.agent import Probe
from windlass.errors import Refused
from windlass.fleet import REFERENCE_PROBE, Task


def finder(*, allow_code: bool) -> Callable[[str, Task], Probe | None]:
    """A function (task type, task) → probe or None; it raises Refused for a probe of a stranger's that may not be imported or is none."""

    def find(task_type: str, task: Task) -> Probe | None:
        if task.probe is None:
            return None
        if task.probe == REFERENCE_PROBE:
            agent = catalogue.by_task().get(task_type)
            if agent is None:
                raise Refused(f"tasks.{task_type}.probe: the reference fleet has no {task_type}")
            return agent.probe
        return _imported(task_type, task.probe) if allow_code else None

    return find


def _imported(task_type: str, name: str) -> Probe:
    module, _, attribute = name.partition(":")
    try:
        probe = getattr(importlib.import_module(module), attribute)
    except Exception as failure:  # a stranger's module may raise anything
        raise Refused(f"tasks.{task_type}.probe: {name} can't be imported: {type(failure).__name__}: {failure}") from failure
    if callable(getattr(probe, "make", None)) and callable(getattr(probe, "check", None)):
        return Probe(make=probe.make, check=probe.check)
    raise Refused(f"tasks.{task_type}.probe: {name} has no make(seed) and check(seed, inputs, outputs)")
