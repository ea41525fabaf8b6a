"""What an agent is: typed inputs and outputs, steps, examples and a probe. Values only; the executor builds the graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from windlass.agents.modelling import ModelEngine
from windlass.errors import BudgetExceeded
from windlass.model import Mode, RiskTier

Work = Mapping[str, Any]
"""What the steps before this one returned, merged: plain JSON values, so that a checkpoint can hold it."""


class Inputs(BaseModel):
    """Inputs of one agent run: unknown keys and wrong types are refused. Lives as long as the run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Outputs(BaseModel):
    """Outputs of one agent run, checked before they leave. Lives as long as the run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(BaseModel):
    """A part of inputs or outputs. Lives as long as the run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenItem(BaseModel):
    """A part of inputs that may carry keys of the user's own (a paper of somebody's export). Lives as long as the run."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


InputsT = TypeVar("InputsT", bound=Inputs)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a step may know beside its inputs. Lives as long as the run."""

    request_id: str
    mode: Mode
    risk_tier: RiskTier
    store: Path
    """A directory that outlives the run; agents that remember keep their files in a folder of their own below it."""
    deadline: float
    """`time.monotonic()` at which the run's time is used up."""
    timeout_ms: int
    sources: Mapping[Literal["pubmed", "openalex"], str] = field(default_factory=dict)
    """Live sources that the operator allows: name → base URL."""
    fetch: Callable[[str], bytes] | None = None
    """GETs one URL of an allowed source; None where none is allowed. Raises AgentError SOURCE_UNAVAILABLE."""

    def check(self) -> None:
        """Raise BudgetExceeded when time is up; every loop that can run long calls it."""
        if time.monotonic() >= self.deadline:
            raise BudgetExceeded("timeout_ms", self.timeout_ms, f"the run's {self.timeout_ms} ms are used up")


@dataclass(frozen=True, kw_only=True)
class Step(Generic[InputsT]):
    """One node of the agent's graph: plain synchronous code, run off the event loop.

    Returns what it found, as plain JSON values, merged into the work. Keys with a meaning of their own: `warnings` (list of
    sentences, collected over the steps), `grounding` (object), `artifacts` (list, collected) and `outputs` (the last step's).
    Raises AgentError for a business error.
    """

    name: str
    run: Callable[[InputsT, Work, Context], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question whose right answer only doing the work gives.

    `make(seed)` returns valid inputs, different for different seeds; `check(seed, inputs, outputs)` returns None, or the reason
    why these outputs can't come from that work. It computes the right answer by itself, from the seed: it shares no function
    with the engine, and it must catch an engine that answers with a constant, with its inputs, or with the answer to another seed.
    """

    make: Callable[[int], dict[str, Any]]
    check: Callable[[int, Mapping[str, Any], Mapping[str, Any]], str | None]


@dataclass(frozen=True, kw_only=True)
class Agent(Generic[InputsT]):
    """One agent of the fleet. Lives as long as the process."""

    name: str
    task_types: tuple[str, ...]
    summary: str
    """One sentence: what the agent does with its inputs."""
    version: str
    inputs: type[InputsT]
    outputs: type[Outputs]
    steps: tuple[Step[InputsT], ...]
    example: Mapping[str, Any]
    """Inputs a newcomer can send as they are."""
    probe: Probe
    needs: Callable[[Path], str | None] = field(default=lambda _store: None)
    """Asked for readiness with the store: None, or what is missing (an index, a key, a file)."""
    model: ModelEngine[Any] | None = None
    """How the agent uses a chat model where the operator configures one; the steps' own answer stands when a draft does not hold."""
