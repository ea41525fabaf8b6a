"""What an executor gets and gives: the attempt it works for, the means it has, and how its work ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from windlass.records import layout
from windlass.records.artifacts import Artifact, Places
from windlass.records.events import GateStarted
from windlass.records.projects import Project
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowGate

if TYPE_CHECKING:
    from windlass.fleet import Fleet
    from windlass.model import Mode, RiskTier
    from windlass.premises import Premises

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where tasks of a fleet can be done: an orchestrator, and the fleet that it knows. Lives as long as an attempt."""

    url: str
    fleet: Fleet
    token: str = field(repr=False)
    agent_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be written anywhere."""
        return (self.token, *self.agent_tokens.values())


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    import asyncio  # noqa: PLC0415  # a workflow of people and commands needs no event loop

    return asyncio.run(work)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the executors of a loop may use. Lives as long as the loop.

    `ground`: an orchestrator that stands already. `premises(seconds)`: services that are opened for one gate, which may work that long.
    `fleet`: the name of their fleet.
    `run`: runs a coroutine to its end, and raises KeyboardInterrupt when a signal cut it short.
    """

    ground: Callable[[], Ground] | None = None
    premises: Callable[[int], Premises] | None = None
    fleet: str | None = None
    run: Callable[[Coroutine[Any, Any, Any]], Any] = _run
    mode: Mode = "DEMO"
    risk_tier: RiskTier = "NON_SENSITIVE"
    timeout_s: float = 120.0
    allow_commands: bool = False
    allow_probe_code: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """One attempt as its executor sees it. Lives as long as the attempt."""

    record: RunRecord
    project: Project
    gate: WorkflowGate
    started: GateStarted
    places: Places

    @property
    def attempt(self) -> int:
        """The attempt's number."""
        return self.started.attempt

    @property
    def logs(self) -> Path:
        """The attempt's own directory of logs, which is never committed."""
        return self.record.logs_directory / layout.GATES / self.gate.gate / f"attempt-{self.attempt}"

    @property
    def correlation_id(self) -> str:
        """The id that everything which the attempt starts is known by."""
        return f"{self.record.run_id}-{self.gate.gate}-{self.attempt}"


@dataclass(frozen=True, kw_only=True)
class Did:
    """How an executor's work ended: `reason` says why the attempt fails, None where its outputs are there to be judged.

    `said`: lines for whoever watches. `evidence`: files of the record that the work left.
    """

    reason: str | None = None
    said: Sequence[str] = ()
    evidence: Sequence[Artifact] = ()
