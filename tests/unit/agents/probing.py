"""What every probe must show: it accepts the work, and nothing but the work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from windlass.agents.agent import Agent, Context, Step

from . import runs


def passes(agent: Agent[Any], store: Path, seeds: int = 30) -> None:
    """The probe accepts the real answer, for every seed; questions differ from seed to seed."""
    questions = {json.dumps(agent.probe.make(seed), sort_keys=True) for seed in range(seeds)}
    assert len(questions) == seeds
    for seed in range(seeds):
        inputs = agent.probe.make(seed)
        assert agent.probe.make(seed) == inputs
        assert agent.probe.check(seed, inputs, runs.outputs(agent, inputs, store)) is None, f"seed {seed}"


def rejects_canned_answers(agent: Agent[Any], store: Path, seeds: int = 12) -> None:
    """The probe rejects the example's answer, its own question, and the answer to another seed."""
    canned = runs.outputs(agent, agent.example, store)
    answers = {seed: runs.outputs(agent, agent.probe.make(seed), store) for seed in range(seeds)}
    for seed in range(seeds):
        inputs = agent.probe.make(seed)
        assert rejected(agent, seed, canned)
        assert rejected(agent, seed, {})
        assert rejected(agent, seed, inputs)
        assert all(rejected(agent, seed, answers[other]) for other in range(seeds) if other != seed)


def needs_every_step(agent: Agent[Any], store: Path, seeds: int = 4) -> None:
    """With any one step left out, or answering what it answered to another seed, the run fails or the probe does."""
    for step in agent.steps:
        for seed in range(seeds):
            inputs = agent.probe.make(seed)
            canned, real = _result(agent, step, seed + 1000, store), _result(agent, step, seed, store)
            replacements = [{}] if canned == real else [{}, canned]
            for constant in replacements:
                assert fails(agent, step.name, _always(constant), seed, inputs, store), f"{step.name} is not needed at seed {seed}"


def fails(
    agent: Agent[Any],
    step: str,
    change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    seed: int,
    inputs: Mapping[str, Any],
    store: Path,
) -> bool:
    """Whether a run with a changed step, whose result is `change(its true result)`, ends in an error or fails the probe."""
    with capture_logs():  # a traceback of a step that stumbles is expected here, and slow to draw
        answer = runs.answer(with_step(agent, step, change), inputs, store)
    return answer["status"] == "error" or rejected(agent, seed, answer["outputs"])


def with_step(agent: Agent[Any], name: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Agent[Any]:
    """The agent with one step's result changed."""

    def changed(step: Step[Any]) -> Step[Any]:
        def run(inputs: Any, work: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
            return change(step.run(inputs, work, context))

        return dataclasses.replace(step, run=run) if step.name == name else step

    return dataclasses.replace(agent, steps=tuple(changed(step) for step in agent.steps))


def rejected(agent: Agent[Any], seed: int, outputs: Mapping[str, Any]) -> bool:
    """Whether the probe rejects these outputs, be it by stumbling over them."""
    try:
        return agent.probe.check(seed, agent.probe.make(seed), outputs) is not None
    except (KeyError, TypeError, IndexError, AttributeError):
        return True


def _always(constant: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda _true: constant


def _result(agent: Agent[Any], step: Step[Any], seed: int, store: Path) -> Mapping[str, Any]:
    seen: list[Mapping[str, Any]] = []

    def keep(result: Mapping[str, Any]) -> Mapping[str, Any]:
        seen.append(result)
        return result

    runs.outputs(with_step(agent, step.name, keep), agent.probe.make(seed), store)
    return seen[0]
