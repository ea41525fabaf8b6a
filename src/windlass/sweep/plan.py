"""Decides, before the first call, what every task type of a fleet will be asked. Pure: the nonce is handed in.

A question is asked of an agent as one request. With a probe the questions are two random ones and one misspelt; without,
they are two of the fleet file's examples, each asked twice, and its invalid example.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from windlass import model
from windlass.agents.agent import Probe
from windlass.errors import Refused
from windlass.fleet import REFERENCE_PROBE, Fleet, Task

_WITHOUT_MODEL: Mapping[str, Any] = {"max_model_calls": 0}
"""A reference probe knows the deterministic engine's answer to the letter; a model's wording of it is checked by the agent, not by the probe."""

Gate = Literal["dispatch", "execution", "proof"]
GATES: tuple[Gate, ...] = ("dispatch", "execution", "proof")
Kind = Literal["dispatch", "first", "second", "again", "second_again", "invalid"]
By = Literal["probe", "examples"]
_TRIES = 4
"""Seeds from which a probe must make at least two different inputs."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request to an agent: its inputs, the seed that a probe made them from, and the schema that its outputs must satisfy."""

    inputs: Mapping[str, Any]
    seed: int | None = None
    expect: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One task type of the expectation, with everything that is needed to ask and to judge it. Lives as long as the sweep."""

    task_type: str
    agent_name: str
    url: str
    token_env: str | None
    output_schema: Mapping[str, Any] | None
    probe: Probe | None
    by: By
    questions: Mapping[Kind, Question] = field(repr=False)
    budgets: Mapping[str, Any] = field(default_factory=dict)
    """What every question of the cell allows."""
    unprovable: str | None = None
    """Why the rung `executed` can't be shown for this cell, whatever the agent does; None when it can."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The expectation of one sweep, committed before the first call. Lives as long as the sweep."""

    sweep_id: str
    nonce: str
    gate: Gate
    mode: model.Mode
    risk_tier: model.RiskTier
    fleet: Fleet
    cells: tuple[Cell, ...]

    def request_id(self, cell: Cell, kind: Kind) -> str:
        """The id of one call; the same when a resumed sweep makes it again."""
        return request_id(self.sweep_id, self.nonce, cell.task_type, kind)

    def expectation(self) -> dict[str, Any]:
        """What is written, and hashed, before the first call."""
        return {
            "schema_version": 1,
            "sweep_id": self.sweep_id,
            "nonce": self.nonce,
            "gate": self.gate,
            "mode": self.mode,
            "risk_tier": self.risk_tier,
            "fleet": {"name": self.fleet.name, "sha256": self.fleet.sha256, "expected": list(self.fleet.expected)},
            "cells": [
                {
                    "task_type": cell.task_type,
                    "agent_name": cell.agent_name,
                    "agent_url": cell.url,
                    "by": cell.by,
                    "unprovable": cell.unprovable,
                    "inputs_sha256": {kind: digest(question.inputs) for kind, question in cell.questions.items()},
                }
                for cell in self.cells
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the person who sweeps decides. Lives as long as the sweep."""

    gate: Gate = "proof"
    mode: model.Mode = "DEMO"
    risk_tier: model.RiskTier = "NON_SENSITIVE"


def plan(fleet: Fleet, terms: Terms, *, sweep_id: str, nonce: str, probe_for: Callable[[str, Task], Probe | None]) -> Plan:
    """The plan for every task type of the fleet; each agent must have an endpoint (`fleet.gaps` is empty)."""
    cells = tuple(_cell(fleet, task_type, nonce, probe_for(task_type, fleet.tasks[task_type])) for task_type in fleet.expected)
    return Plan(sweep_id=sweep_id, nonce=nonce, gate=terms.gate, mode=terms.mode, risk_tier=terms.risk_tier, fleet=fleet, cells=cells)


def digest(value: Any) -> str:
    """SHA-256 of a JSON value with sorted keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _cell(fleet: Fleet, task_type: str, nonce: str, probe: Probe | None) -> Cell:
    task = fleet.tasks[task_type]
    entry = fleet.agents[task.agent]
    questions, unprovable = _probing(probe, task, task_type, nonce) if probe else _showing(task)
    return Cell(
        task_type=task_type,
        agent_name=task.agent,
        url=entry.url or "",
        token_env=entry.token_env,
        output_schema=task.output_schema,
        probe=probe,
        by="probe" if probe else "examples",
        questions=questions,
        budgets=_WITHOUT_MODEL if probe and task.probe == REFERENCE_PROBE else {},
        unprovable=unprovable,
    )


def _probing(probe: Probe, task: Task, task_type: str, nonce: str) -> tuple[dict[Kind, Question], str | None]:
    questions = (_made(probe, task_type, seed(nonce, task_type, number)) for number in range(1, _TRIES + 1))
    first = next(questions)
    second = next((question for question in questions if question.inputs != first.inputs), None)
    if second is None:
        return {"first": first}, f"its probe makes the same inputs from {_TRIES} seeds"
    required = (task.input_schema or {}).get("required", ())
    wrong = misspelt(first.inputs, required, first.seed or 0)
    return {"first": first, "second": second, "invalid": Question(inputs=wrong)}, None


def _made(probe: Probe, task_type: str, number: int) -> Question:
    """The question of a probe, as JSON carries it; a probe of a stranger's may do anything, and is refused for what it does."""
    try:
        inputs = orjson.loads(orjson.dumps(probe.make(number)))
    except Exception as failure:
        raise Refused(f"tasks.{task_type}.probe: make({number}) failed: {type(failure).__name__}: {failure}") from failure
    if not isinstance(inputs, dict):
        raise Refused(f"tasks.{task_type}.probe: make({number}) returned no object of inputs")
    return Question(inputs=inputs, seed=number)


def _showing(task: Task) -> tuple[dict[Kind, Question], str | None]:
    shown = [Question(inputs=example.inputs, expect=example.expect) for example in task.examples]
    first = shown[0] if shown else Question(inputs={})
    others = [question for question in shown[1:] if digest(question.inputs) != digest(first.inputs)]
    questions: dict[Kind, Question] = {"first": first}
    if not shown:
        return questions, "the fleet file has no examples for it"
    if not others:
        return questions, "the fleet file has no second example with other inputs"
    if task.invalid_example is None:
        return questions, "the fleet file has no invalid_example for it"
    questions |= {"second": others[0], "second_again": others[0], "again": first, "invalid": Question(inputs=task.invalid_example)}
    return questions, None


def request_id(sweep_id: str, nonce: str, task_type: str, kind: str) -> str:
    """The id of a call. It does not tell which of the questions it asks: an agent that knew would reject just the one that it must."""
    return f"{sweep_id}-{task_type}-{hidden(nonce, task_type, kind)[:12]}"


def hidden(nonce: str, *parts: str) -> str:
    """64 hexadecimal digits that tell nothing of the nonce to those who see them."""
    return hashlib.sha256(":".join((nonce, *parts)).encode()).hexdigest()


def seed(nonce: str, task_type: str, number: int) -> int:
    """A seed that nobody can know before the nonce is drawn."""
    return int.from_bytes(hashlib.sha256(f"{nonce}:{task_type}:{number}".encode()).digest()[:6], "big")


def misspelt(inputs: Mapping[str, Any], required: Any, number: int) -> dict[str, Any]:
    """The inputs with one key (a required one where there is one) misspelt, as a hurried person would."""
    keys = sorted(key for key in inputs if key in required) or sorted(inputs)
    if not keys:
        return {"unexpcted": True}
    rng = random.Random(number)  # noqa: S311  # a typo, not a secret
    key = rng.choice(keys)
    typos = {key[:at] + key[at + 1] + key[at] + key[at + 2 :] for at in range(len(key) - 1)} | {
        key[:at] + key[at - 1] + key[at:] for at in range(1, len(key))
    }
    longer = next(typo for count in range(1, len(inputs) + 2) if (typo := key + "_" * count) not in inputs)
    wrong = rng.choice(sorted(typo for typo in typos if typo not in inputs) or [longer])
    return {wrong if name == key else name: value for name, value in inputs.items()}
