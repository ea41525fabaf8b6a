"""The main job, as one story: open what is needed, sweep it, judge the gates, record everything, close, verify the record.

Control plane and load are kept apart: the orchestrator is the core, the agents are the window. A stranger's agents are never
started or stopped. State lies inside the run's folder: runs do not meet.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from windlass import __version__
from windlass.errors import GivenUp
from windlass.gates import recorded, sweep_contracts
from windlass.gates.recorded import CLOSED, WINDOW
from windlass.gates.standing import Closing
from windlass.infra import git, instants
from windlass.premises import CORE, FLEET, Needs, Premises, Up
from windlass.records import workflows
from windlass.records.artifacts import Artifact, Places
from windlass.records.checks import judge as judging
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import finding
from windlass.records.events import Contract, GateName
from windlass.records.report import Report
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowGate
from windlass.sweep import again, conduct, plan, probes, stages
from windlass.sweep.run import Access, OnMoment, Stage

DISPATCH, EXECUTION, PROOF = "DISPATCH", "EXECUTION", "PROOF"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be proved, and how. Lives as long as the run."""

    needs: Needs
    out: Path
    run_ids_lead_here: bool
    """Whether `windlass sweep show RUN_ID` finds runs in `out`."""
    terms: plan.Terms = field(default_factory=plan.Terms)
    timeout_s: float = 30.0
    concurrency: int = 16
    keep_open: bool = False
    keep_bodies: bool = False
    allow_probe_code: bool = False


ChapterName = Literal["begin", "core", "open", "sweep", "close", "kept open", "verify"]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A part of the story has ended; `facts` are plain values for whoever tells it. Lives as long as the event."""

    name: ChapterName
    elapsed_s: float
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the run ended."""

    run_id: str
    directory: Path
    passed: bool
    sweep: Mapping[str, Any] | None
    report: Report
    failure: str | None
    """Why there is no sweep, in one line, or None."""


Tell = Callable[[Chapter], None]


async def prove(request: Request, tell: Tell, on_moment: OnMoment) -> Outcome:
    """Prove a fleet and leave a record of it. Raises Refused before anything was started; whatever happens later, everything is closed.

    Cancelled, it closes, records the run as CANCELED and is cancelled.
    """
    premises = Premises(request.needs)
    with recorded.beginning(request.out, premises):
        story = _Story(request, premises, tell, on_moment)
        run = recorded.Recorded(story.begin(), premises, evidence=story.evidence)
    ended = await run.through(story.sweep_and_judge, on_up=story.up, on_closed=story.closed, leave_open=story.is_left_open)
    return story.end(ended)


class _Story:
    """One run of `windlass prove`: what is told of it, and the sweep between its opening and its closing. Lives as long as the run."""

    def __init__(self, request: Request, premises: Premises, tell: Tell, on_moment: OnMoment) -> None:
        self.request = request
        self._premises = premises
        self._tell = tell
        self._on_moment = on_moment
        self._probe_for = probes.finder(allow_code=request.allow_probe_code)
        sweep_id, nonce = f"sweep_{instants.compact_ms(instants.now())}_{secrets.token_hex(8)}", os.urandom(16).hex()
        self._planned = plan.plan(premises.fleet, request.terms, sweep_id=sweep_id, nonce=nonce, probe_for=self._probe_for)
        self._sweep: dict[str, Any] | None = None
        self._record: RunRecord
        self._gates: dict[str, WorkflowGate]

    def begin(self) -> RunRecord:
        """Start the record. Everything that can be refused is refused by now."""
        workflow = workflows.read(*_shipped_workflow())
        gates = [gate for gate in workflow.gates if gate.gate != CLOSED or not self.request.keep_open]
        self._gates = {gate.gate: gate for gate in gates}
        self._record = RunRecord.create(
            self.request.out,
            root=self.request.out,
            workflow=workflow.name,
            slug=workflow.name,
            gates=[GateName(gate=gate.gate, name=gate.name) for gate in gates],
            version=__version__,
            git_commit=git.head_commit(Path.cwd()),
            workflow_content=workflow.content,
        )
        fleet = self._premises.fleet
        facts = {"run_id": self._record.run_id, "fleet": fleet.name, "agents": len(fleet.agents), "task_types": len(fleet.tasks)}
        self._say("begin", 0.0, facts | {"reference": self.request.needs.fleet_file is None})
        return self._record

    def end(self, ended: recorded.Ended) -> Outcome:
        """Say how the record was found, and how the run ended."""
        report = ended.report
        facts = {"verdict": report.verdict, "entries": report.entries, "head": report.head, "problems": [str(one) for one in report.problems]}
        self._say("verify", ended.elapsed_s, facts)
        return Outcome(
            run_id=self._record.run_id,
            directory=self._record.directory,
            passed=ended.passed,
            sweep=self._sweep,
            report=report,
            failure=ended.failure,
        )

    def evidence(self, gate: str) -> list[Artifact]:
        """What a gate that fails before it could be judged has to show: what there is of the sweep."""
        return self._record.evidence("sweep") if gate != WINDOW else []

    def up(self, up: Up) -> None:
        """A service is ready."""
        facts = {"service": up.service, "agents": len(self._premises.fleet.agents), "deadline": f"{up.window.deadline:%H:%M:%S}Z"}
        self._say("core" if up.service == CORE else "open", up.elapsed_s, facts)

    def closed(self, elapsed_s: float, closing: Closing) -> None:
        """Everything was closed, or is told of."""
        services = [name for window in self._premises.held for name in window.services]
        self._say("close", elapsed_s, {"services": services, "left": closing.left})

    def is_left_open(self) -> bool:
        """Whether the services stay open, as they do where that was asked for and the sweep came to its end; the record says so."""
        if not self.request.keep_open or self._sweep is None:
            return False
        details = {
            "deadline": instants.stamp(max(window.deadline for window in self._premises.held)),
            "urls": {CORE: self._premises.core.url, FLEET: self._premises.agents.url if self._premises.agents else None},
            "directories": [str(window.state_dir) for window in self._premises.held],
        }
        self._record.event("KEPT_OPEN", "the services stay open until their deadline", details={"deadline": details["deadline"]})
        self._say("kept open", 0.0, details)
        return True

    async def sweep_and_judge(self) -> None:
        """Sweep the fleet; the three gates are the sweep's, and their evidence is its evidence."""
        planned = self._planned
        access = Access(
            orchestrator_url=self._premises.core.url,
            token=self._premises.token,
            agent_tokens=self._premises.agent_tokens,
            concurrency=self.request.concurrency,
            timeout_s=self.request.timeout_s,
        )
        self._started(DISPATCH)
        began = time.perf_counter()
        sweep = await conduct.conduct(planned, access, self._place(), stages.watching(len(planned.cells), self._on_moment, self._next_gate))
        for gate in (DISPATCH, EXECUTION, PROOF):
            self._judge(gate, sweep)
        self._sweep = sweep
        self._say("sweep", time.perf_counter() - began, {"sweep": sweep, "by": sorted({cell.by for cell in planned.cells})})

    def _next_gate(self, stage: Stage) -> None:
        """The gate of the next stage begins when every cell has left the one before."""
        if stage != "prove":
            self._started({"dispatch": EXECUTION, "execute": PROOF}[stage])

    def _started(self, gate: str) -> None:
        """Begin a gate of the sweep under its contract, which the record carries."""
        contract = self._contract(gate)
        self._record.bind(contract.content)
        self._record.gate_started(gate, "windlass", contract=Contract(sha256=contract.sha256, version=contract.version), executor="sweep")

    def _contract(self, gate: str) -> contracts.Contract:
        """The contract that the workflow's gate means, for the fleet that is proved."""
        asked = self._gates[gate]
        options = {**asked.executor.options, "fleet": self._premises.fleet.name}
        of_fleet = replace(asked, executor=replace(asked.executor, options=options))
        return contracts.read(sweep_contracts.rendered(None, "", of_fleet, sweep_contracts.TARGET), f"{gate}.contract.json")

    def _held_to_contract(self, gate: str) -> judging.Judgement:
        """The contract's verdict, from the rows as they lie there, judged again from the stored bytes."""
        given = judging.Given(
            places=Places(root=self.request.out.absolute(), record=self._record.record_directory, slug="prove", artifact_path="."),
            depth="standard",
            seed=self._record.run_id,
            agent="windlass",
            sweep=lambda directory: again.judged(directory, None, self._probe_for, show=self._place().show),
        )
        return judging.judge(self._contract(gate), given)

    def _judge(self, gate: str, sweep: Mapping[str, Any]) -> None:
        verdict = sweep["gates"][gate.lower()]
        checks = [{"type": "sweep", "path": "{record}/evidence/sweep/sweep.json", "pass": verdict["verdict"] == "PASS", **verdict}]
        if gate == PROOF:
            checks += [{"type": "door", "name": name, **found} for name, found in (sweep["door"] or {}).items()]
        evidence = self._record.evidence("sweep") if gate == PROOF else [self._record.artifact("{record}/evidence/sweep/sweep.json")]
        held = self._held_to_contract(gate)
        checks += held.validations
        passed = verdict["verdict"] == "PASS" and held.status == "PASS"
        reason = None if passed else f"{verdict['verdict']}: {verdict['passed']} of {verdict['total']} passed; {verdict['reason'] or ''}".rstrip("; ")
        if verdict["verdict"] == "PASS" and not passed:
            reason = f"the contract: {held.failure_reason}"
        self._record.gate_finished(gate, "PASS" if passed else "FAIL", validations=checks, artifacts=evidence, failure_reason=reason)

    def _place(self) -> conduct.Place:
        evidence = self._record.evidence_directory / "sweep"
        bodies = evidence / "bodies" if self.request.keep_bodies else self._record.logs_directory / "sweep" / "bodies"
        return conduct.Place(
            directory=evidence,
            bodies=bodies,
            bodies_from_directory=os.path.relpath(bodies, evidence),
            show=f"windlass sweep show {self._record.run_id if self.request.run_ids_lead_here else self._record.directory}",
            git_commit=self._record.run.started.git_commit,
        )

    def _say(self, name: ChapterName, elapsed_s: float, facts: Mapping[str, Any]) -> None:
        self._tell(Chapter(name=name, elapsed_s=elapsed_s, facts=facts))


def _shipped_workflow() -> tuple[bytes, str]:
    found = finding.shipped("workflows", "prove.json")
    if found is None:
        raise GivenUp("this installation of Windlass is not whole: it has no workflow for prove")
    return found
