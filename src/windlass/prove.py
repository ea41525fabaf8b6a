"""The main job, as one story: open what is needed, sweep it, judge the gates, record everything, close, verify the record.

Control plane and load are kept apart: the orchestrator is the core, the agents are the window. A stranger's agents are never
started or stopped. State lies inside the run's folder: runs do not meet.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import orjson

from windlass import __version__
from windlass.errors import GivenUp, Refused, WindlassError
from windlass.infra import git, instants
from windlass.infra.completion import see_through
from windlass.premises import CORE, FLEET, STORE, Needs, Premises, Up
from windlass.records import verify as verifying
from windlass.records.artifacts import Places
from windlass.records.checks import judge as judging
from windlass.records.contracts import contract as contracts
from windlass.records.events import Contract, GateName
from windlass.records.report import Report
from windlass.records.run import RunRecord
from windlass.sweep import again, conduct, plan, probes, stages
from windlass.sweep.run import Access, OnMoment, Stage

WORKFLOW = "prove"
WINDOW, DISPATCH, EXECUTION, PROOF, CLOSED = "WINDOW", "DISPATCH", "EXECUTION", "PROOF", "CLOSED"
_WORKFLOW_FILE = resources.files("windlass.records") / "shipped" / "workflows" / "prove.json"
_RUNGS = {DISPATCH: "dispatched", EXECUTION: "responded", PROOF: "executed"}
_TITLES = {
    WINDOW: "Services are open and ready",
    DISPATCH: "Every task type is dispatched",
    EXECUTION: "Every agent responds",
    PROOF: "Every agent executes",
    CLOSED: "Services are observed stopped",
}


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
    try:
        story = _Story(request, premises, tell, on_moment)
        record = story.begin()
    except BaseException:
        premises.abandon()
        raise
    with record:
        try:
            await story.open_sweep_close()
            return story.end()
        except asyncio.CancelledError:
            story.fail_running_gates("interrupted")
            record.complete("CANCELED")
            raise
        except OSError as failure:
            raise story.unwritable(failure) from failure
        except Exception:
            story.fail_running_gates("a bug in Windlass ended the run")
            record.complete("FAILED")
            raise


class _Story:
    """One run of `windlass prove`, from its record's first entry to its last. Lives as long as the run."""

    def __init__(self, request: Request, premises: Premises, tell: Tell, on_moment: OnMoment) -> None:
        self.request = request
        self._premises = premises
        self._tell = tell
        self._on_moment = on_moment
        probe_for = probes.finder(allow_code=request.allow_probe_code)
        sweep_id, nonce = f"sweep_{instants.compact_ms(instants.now())}_{secrets.token_hex(8)}", os.urandom(16).hex()
        self._planned = plan.plan(premises.fleet, request.terms, sweep_id=sweep_id, nonce=nonce, probe_for=probe_for)
        self._sweep: dict[str, Any] | None = None
        self._failure: str | None = None
        self._record: RunRecord

    def begin(self) -> RunRecord:
        """Start the record. Everything that can be refused is refused by now."""
        gates = [gate for gate in _TITLES if gate != CLOSED or not self.request.keep_open]
        try:
            if not str(self.request.out.absolute()).isprintable():
                raise Refused(f"--out {str(self.request.out.absolute())!r}: a record names its directory, and can't name one with such characters")
            self._record = RunRecord.create(
                self.request.out,
                root=self.request.out,
                workflow=WORKFLOW,
                slug=WORKFLOW,
                gates=[GateName(gate=gate, name=_TITLES[gate]) for gate in gates],
                version=__version__,
                git_commit=git.head_commit(Path.cwd()),
                workflow_content=_WORKFLOW_FILE.read_bytes(),
            )
        except OSError as failure:
            raise Refused(f"--out {self.request.out}: can't hold a run: {failure.strerror}") from failure
        fleet = self._premises.fleet
        facts = {"run_id": self._record.run_id, "fleet": fleet.name, "agents": len(fleet.agents), "task_types": len(fleet.tasks)}
        self._say("begin", time.perf_counter(), facts | {"reference": self.request.needs.fleet_file is None})
        return self._record

    async def open_sweep_close(self) -> None:
        """The three acts. What fails on the way is recorded; nothing that was opened stays open, unless it was asked to."""
        try:
            await self._open()
            await self._sweep_and_judge()
        except WindlassError as failure:
            self._failure = str(failure)
            self.fail_running_gates(str(failure))
        finally:
            if self._premises.held and not (self.request.keep_open and self._sweep is not None):
                await see_through(self._close())
            elif self._premises.held:
                self._leave_open()

    def end(self) -> Outcome:
        """Seal the record, and verify it as a stranger would, against the head that only this process knows."""
        gates_passed = all(gate.status == "PASS" for gate in self._record.run.gates.values())
        self._record.complete("PASSED" if gates_passed else "FAILED")
        began = time.perf_counter()
        report = verifying.verify(self._record.directory, head=self._record.head)
        self._say(
            "verify",
            began,
            {"verdict": report.verdict, "entries": report.entries, "head": report.head, "problems": [str(one) for one in report.problems]},
        )
        return Outcome(
            run_id=self._record.run_id,
            directory=self._record.directory,
            passed=gates_passed and report.verdict == "intact",
            sweep=self._sweep,
            report=report,
            failure=self._failure,
        )

    def unwritable(self, failure: OSError) -> GivenUp:
        """What to say when the record can't be written any more; what was open is closed by then."""
        reason = f"the record in {self._record.directory} can't be written: {failure.strerror or failure}"
        return GivenUp(f"{reason}; {self._failure}" if self._failure else reason)

    def fail_running_gates(self, reason: str) -> None:
        """Every attempt that still runs has failed, for this reason; what evidence there is belongs to it."""
        reason = reason.replace(f"{self._record.directory}/", "")  # a record holds no path of this machine
        for attempt in list(self._record.run.running):
            evidence = self._record.evidence("sweep") if attempt.gate != WINDOW else []
            self._record.gate_finished(attempt.gate, "FAIL", validations=[], artifacts=evidence, failure_reason=reason)

    async def _open(self) -> None:
        """Open the premises; the gate is theirs."""
        self._record.gate_started(WINDOW, "windlass")
        held = await self._premises.open(self._record.logs_directory, self._up)
        for window in held:
            self._record.window_opened(window.window_id, window.services, instants.stamp(window.deadline))
        ready = [{"type": "service_ready", "service": name, "pass": True} for window in held for name in window.services]
        self._record.gate_finished(WINDOW, "PASS", validations=ready, window_id=held[-1].window_id)

    def _up(self, up: Up) -> None:
        facts = {"service": up.service, "agents": len(self._premises.fleet.agents), "deadline": f"{up.window.deadline:%H:%M:%S}Z"}
        self._tell(Chapter(name="core" if up.service == CORE else "open", elapsed_s=up.elapsed_s, facts=facts))

    async def _sweep_and_judge(self) -> None:
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
        self._say("sweep", began, {"sweep": sweep, "by": sorted({cell.by for cell in planned.cells})})

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
        check = {"type": "sweep", "target": "{record}/evidence/sweep", "fleet": self._premises.fleet.name, "rung": _RUNGS[gate]}
        content = orjson.dumps({"schema_version": 1, "gate": gate, "name": _TITLES[gate], "validations": [check]}, option=orjson.OPT_INDENT_2)
        return contracts.read(content, f"{gate}.contract.json")

    def _held_to_contract(self, gate: str) -> judging.Judgement:
        """The contract's verdict, from the rows as they lie there, judged again from the stored bytes."""
        find = probes.finder(allow_code=self.request.allow_probe_code)
        given = judging.Given(
            places=Places(root=self.request.out.absolute(), record=self._record.record_directory, slug=WORKFLOW, artifact_path="."),
            depth="standard",
            seed=self._record.run_id,
            agent="windlass",
            sweep=lambda directory: again.judged(directory, None, find, show=self._place().show),
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

    async def _close(self) -> None:
        """Close the premises, also where nothing can be written any more."""
        began = time.perf_counter()
        try:
            self._record.gate_started(CLOSED, "windlass")
        finally:
            found = await self._premises.close()
        for window, closed in found.closed:
            self._record.window_closed(window.window_id, window.services, state=closed.state, reason=closed.reason)
        audits = self._keep_audits()
        reason = "; ".join(found.left) or None
        self._record.gate_finished(CLOSED, "FAIL" if reason else "PASS", validations=found.checks, artifacts=audits, failure_reason=reason)
        shutil.rmtree(self._record.logs_directory / STORE, ignore_errors=True)
        self._failure = self._failure or found.complaint or reason
        services = [name for window in self._premises.held for name in window.services]
        self._say("close", began, {"services": services, "left": found.left})

    def _leave_open(self) -> None:
        details = {
            "deadline": instants.stamp(max(window.deadline for window in self._premises.held)),
            "urls": {CORE: self._premises.core.url, FLEET: self._premises.agents.url if self._premises.agents else None},
            "directories": [str(window.state_dir) for window in self._premises.held],
        }
        self._record.event("KEPT_OPEN", "the services stay open until their deadline", details={"deadline": details["deadline"]})
        self._say("kept open", time.perf_counter(), details)

    def _keep_audits(self) -> list[Any]:
        """The chained audits of dispatch and windows become evidence, now that nobody writes them any more."""
        kept = [(self._record.logs_directory / "orchestrator_audit.jsonl", "dispatch_audit.jsonl")]
        kept += [(window.state_dir / "audit.jsonl", f"window_audit_{window.state_dir.name}.jsonl") for window in self._premises.held]
        for source, name in kept:
            if source.exists():
                shutil.copyfile(source, self._record.evidence_directory / name)
        return [
            self._record.artifact(self._record.evidence_directory / name) for _, name in kept if (self._record.evidence_directory / name).exists()
        ]

    def _say(self, name: ChapterName, began: float, facts: Mapping[str, Any]) -> None:
        self._tell(Chapter(name=name, elapsed_s=time.perf_counter() - began, facts=facts))
