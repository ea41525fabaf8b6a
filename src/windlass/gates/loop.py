"""The loop of `windlass run <workflow>`: gate after gate is begun, worked on, judged; it stops at a person, at a failure, or at the end.

All that it knows is in the record: a loop that was killed, interrupted or paused is gone on with by `windlass run resume`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from windlass.errors import Refused, WindlassError
from windlass.gates import acts, given, observed, outputs
from windlass.gates.acts import Begun, Finished
from windlass.gates.observed import NOTHING, Observed
from windlass.gates.work import Did, Ground, Means, Work
from windlass.records import bound, layout
from windlass.records.contracts import contract as contracts
from windlass.records.events import GateStarted
from windlass.records.projects import Project
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowFile, WorkflowGate

if TYPE_CHECKING:
    from windlass.gates.standing import Standing

RUNS_HERE = ("human", "agent", "command", "sweep")
"""The executors that this loop has."""
SERVICES = ("orchestrator", "fleet")
"""What a gate can need."""
INTERRUPTED = "the attempt was interrupted"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something to tell whoever watches: an attempt began, somebody is waited for, services opened or closed, work ended, a verdict."""

    kind: Literal["began", "waits", "opening", "opened", "closed", "working", "ran", "finished"]
    gate: WorkflowGate
    attempt: int
    begun: Begun | None = None
    finished: Finished | None = None
    packet: Path | None = None
    said: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where the loop stopped: PASSED or FAILED at the end, STOPPED at a blocking gate that failed, PAUSED for a person."""

    status: Literal["PASSED", "FAILED", "STOPPED", "PAUSED"]
    gate: str | None
    reason: str | None
    for_person: bool = False
    """A person does the gate's work; an approval is waited for otherwise."""


Ask = Callable[[WorkflowGate, int], bool]
Tell = Callable[[Moment], None]


def check(workflow: WorkflowFile, means: Means | None = None) -> None:
    """Raise Refused, with every problem, for a workflow that this loop can't run to its end with these means, before anything is begun."""
    problems = [f"gate {gate.gate}: {problem}" for gate in workflow.gates for problem in _problems(gate, means or Means())]
    if problems:
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  - {problem}" for problem in problems)
        raise Refused(f"workflow {workflow.name}: {listed}")


def _problems(gate: WorkflowGate, means: Means) -> Iterator[str]:
    kind, options = gate.executor.kind, gate.executor.options
    if kind not in RUNS_HERE:
        yield f"executor {kind!r} is none that `windlass run` has ({', '.join(RUNS_HERE)}); `windlass prove` runs the workflow that ships with it"
        return
    for name in gate.needs:
        if name not in SERVICES:
            yield f"needs {name!r}, which is no service that can be opened; known are {', '.join(SERVICES)}"
    if gate.needs and kind == "human":
        yield "`needs` goes with an executor: services are not held open while a person is waited for"
    if kind == "agent":
        yield from (f"inputs{problem}" for problem in given.problems(options["inputs"]))
        yield from _output_problems(options["outputs"])
    if gate.needs and means.premises is None:
        yield "`needs` can't be opened here"
    if kind in {"agent", "sweep"} and not gate.needs and means.ground is None:
        yield f'has executor {kind!r}, and nothing to work with: say "needs": ["fleet"], or give --orchestrator-url'
    if kind == "sweep" and means.fleet is not None and options["fleet"] != means.fleet:
        yield f"sweeps the fleet {options['fleet']!r}, and the one at hand is {means.fleet!r}; give its file with --fleet"


def _output_problems(wanted: Any) -> Iterator[str]:
    for template, pointer in wanted.items():
        if not template.startswith(outputs.IN_ARTIFACT_PATH):
            yield f"outputs {template}: an agent writes beneath the artifact path; begin with {outputs.IN_ARTIFACT_PATH}"
        if pointer and not pointer.startswith("/"):
            yield f"outputs {template}: {pointer!r} is no JSON pointer; the agent's outputs are at /outputs"


def needs_means(workflow: WorkflowFile) -> bool:
    """Whether any gate of the workflow is worked on by a fleet, or needs services."""
    return any(gate.executor.kind in {"agent", "sweep"} or gate.needs for gate in workflow.gates)


def settle(record: RunRecord, means: Means) -> list[str]:
    """Close what a killed loop left open, record how it was found, and say so; nothing where nothing was open."""
    if not record.run.open_windows:
        return []
    from windlass.gates import standing  # noqa: PLC0415  # windows are loaded where there was one

    found: list[str] = means.run(standing.settle(record))
    return found


def run(record: RunRecord, project: Project, *, ask: Ask, tell: Tell, means: Means | None = None, start_at: str | None = None) -> Outcome:
    """Go from gate to gate until the end, a failure or a person.

    `ask(gate, attempt)`: waits until a person says that the gate is done; False when nobody is there. `start_at`: the gate from which
    everything is done again; by default what has passed is passed. Interrupted, it closes and records what it can, and raises
    KeyboardInterrupt: the run can be resumed.
    """
    workflow = acts.workflow_of(record)
    if workflow is None:
        raise Refused(f"{record.run_id}: was started without a workflow file; go on by `windlass gate start`")
    having = means or Means()
    check(workflow, having)
    names = [gate.gate for gate in workflow.gates]
    if start_at is not None and start_at not in names:
        raise Refused(f"--from {start_at!r}: is not a gate of workflow {workflow.name}: {', '.join(names)}")
    again = set(names[names.index(start_at) :]) if start_at else set()
    each = _Gates(record, project, having, ask, tell)
    for gate in workflow.gates:
        if record.run.gates[gate.gate].status == "PASS" and gate.gate not in again:
            continue
        outcome = each.one(gate)
        if outcome:
            return outcome
    passed = all(gate.status == "PASS" for gate in record.run.gates.values())
    record.complete("PASSED" if passed else "FAILED")
    failed = next((gate.gate for gate in record.run.gates.values() if gate.status != "PASS"), None)
    return Outcome(status="PASSED" if passed else "FAILED", gate=failed, reason=None if passed else "a gate that does not block has failed")


class _Gates:
    """Takes one gate at a time from its begin to its verdict. Lives as long as the loop."""

    def __init__(self, record: RunRecord, project: Project, means: Means, ask: Ask, tell: Tell) -> None:
        self._record, self._project, self._means = record, project, means
        self._ask, self._tell = ask, tell

    def one(self, gate: WorkflowGate) -> Outcome | None:
        """One gate, from its begin or from where it was left; None when the loop goes on."""
        attempt = self._begun(gate)
        if gate.executor.kind == "human":
            packet = self._record.logs_directory / layout.GATES / gate.gate / f"attempt-{attempt}" / "prompt.txt"
            self._tell(Moment(kind="waits", gate=gate, attempt=attempt, packet=packet))
            if not self._ask(gate, attempt):
                return Outcome(status="PAUSED", gate=gate.gate, reason=f"gate {gate.gate} waits for a person", for_person=True)
            finished = acts.finish(self._record, self._project, gate.gate, allow_commands=self._means.allow_commands)
        elif observed.kept(self._record, gate.gate, attempt):  # the work is done, and was judged; it waits for approvals
            finished = acts.finish(self._record, self._project, gate.gate, allow_commands=self._means.allow_commands)
        else:
            finished = self._worked(gate)
        self._tell(Moment(kind="finished", gate=gate, attempt=attempt, finished=finished))
        if finished.waits_for:
            return Outcome(status="PAUSED", gate=gate.gate, reason=f"gate {gate.gate} waits for {finished.waits_for}")
        if finished.judgement.status == "FAIL" and self._blocks(gate):
            return Outcome(status="STOPPED", gate=gate.gate, reason=finished.judgement.failure_reason or "")
        return None

    def _begun(self, gate: WorkflowGate) -> int:
        """The attempt to go on with: one that waits for somebody, else a new one; an executor's that was cut off is failed first."""
        known = self._record.run.gates[gate.gate]
        if known.status == "RUNNING":
            attempt = len(known.attempts)
            if gate.executor.kind == "human" or observed.kept(self._record, gate.gate, attempt):
                return attempt
            acts.give_up(self._record, gate.gate, INTERRUPTED, Observed(evidence=self._evidence(acts.running(self._record, gate.gate))))
        begun = acts.begin(self._record, self._project, gate.gate)
        self._tell(Moment(kind="began", gate=gate, attempt=begun.attempt, begun=begun, packet=begun.packet))
        return begun.attempt

    def _worked(self, gate: WorkflowGate) -> Finished:
        """The executor does the work, its outputs are judged while the services stand, and the verdict is recorded once they are gone."""
        started = acts.running(self._record, gate.gate)
        place = acts.places(self._record, self._project)
        work = Work(record=self._record, project=self._project, gate=gate, started=started, places=place)
        judged: acts.Judged | None = None
        did, held = Did(), _Held()
        try:
            with self._held(work) as held:
                did = self._do(work, held.ground) if held.reason is None else Did(reason=held.reason)
                if did.said:
                    self._tell(Moment(kind="ran", gate=gate, attempt=work.attempt, said=did.said))
                if did.reason is None:
                    judged = acts.judged(self._record, self._project, gate.gate, allow_commands=self._means.allow_commands)
        except KeyboardInterrupt:
            acts.give_up(self._record, gate.gate, INTERRUPTED, replace(held.seen, evidence=self._evidence(started)))
            raise
        seen = replace(held.seen, evidence=(*did.evidence, *held.seen.evidence))
        if judged is None:
            return acts.give_up(self._record, gate.gate, did.reason or "", seen)
        finished = acts.settle(self._record, self._project, gate.gate, judged, seen)
        if finished.waits_for:
            observed.keep(self._record, gate.gate, work.attempt, finished.waits_for, seen)
        return finished

    def _do(self, work: Work, ground: Ground | None) -> Did:
        self._tell(Moment(kind="working", gate=work.gate, attempt=work.attempt))
        match work.gate.executor.kind:
            case "command":
                from windlass.gates import command  # noqa: PLC0415  # each executor is loaded by the workflow that has it

                return command.do(work, self._means, ground)
            case "agent" if ground:
                from windlass.gates import agent  # noqa: PLC0415  # as above

                return agent.do(work, self._means, ground)
            case "sweep" if ground:
                from windlass.gates import sweep  # noqa: PLC0415  # as above

                target = acts.sweep_target(self._record, work.started)
                return sweep.do(work, self._means, ground, target) if target else Did(reason="its contract can't be used, so nothing was swept")
        raise AssertionError("a workflow was checked, so its gates have executors and the ground that these need")

    @contextmanager
    def _held(self, work: Work) -> Iterator[_Held]:
        """The services that the gate needs, open inside and closed after it whatever happened; or the ground that stands already."""
        if not work.gate.needs or self._means.premises is None:
            ground = self._means.ground() if self._means.ground and work.gate.executor.kind in {"agent", "sweep"} else None
            yield _Held(ground=ground)
            return
        from windlass.gates import interrupts, standing  # noqa: PLC0415  # windows are loaded where a gate needs services

        held = _Held()
        try:
            premises = self._means.premises(int(work.gate.executor.options.get("timeout_s", 0)))
        except WindlassError as failure:
            yield _Held(reason=str(failure))
            return
        services = standing.Standing(self._record, premises)
        self._tell(Moment(kind="opening", gate=work.gate, attempt=work.attempt, said=work.gate.needs))
        try:
            try:
                held.checks += self._means.run(services.open(work.logs))
                held.ground = Ground(url=premises.core.url, token=premises.token, agent_tokens=premises.agent_tokens, fleet=premises.fleet)
                self._tell(Moment(kind="opened", gate=work.gate, attempt=work.attempt, said=services.services))
            except WindlassError as failure:
                held.reason = str(failure).replace(f"{self._record.directory}/", "")
            with interrupts.as_one():
                yield held
        finally:
            if services.services:
                self._close(work, services, held)

    def _close(self, work: Work, services: Standing, held: _Held) -> None:
        from windlass.infra.completion import see_through  # noqa: PLC0415  # asyncio is loaded where a gate needs services

        evidence = self._record.evidence_directory / layout.GATES / work.gate.gate / f"attempt-{work.attempt}"
        closing = self._means.run(see_through(services.close(evidence)))
        held.checks += closing.checks
        held.seen = Observed(checks=held.checks, evidence=closing.audits, reason=closing.complaint or closing.reason, window_id=closing.window_id)
        told = closing.left or [f"{', '.join(services.services)} observed stopped"]
        self._tell(Moment(kind="closed", gate=work.gate, attempt=work.attempt, said=told))

    def _evidence(self, started: GateStarted) -> list[Any]:
        """What a sweep that was cut short has left, and the audits of its services: no file of the record is without a mention."""
        below = [f"{layout.GATES}/{started.gate}/attempt-{started.attempt}"]
        target = acts.sweep_target(self._record, started)
        below += [target.removeprefix("{record}/evidence/")] if target else []
        return [found for folder in below for found in self._record.evidence(folder)]

    def _blocks(self, gate: WorkflowGate) -> bool:
        """Whether a failure of the gate stops the loop; a contract that can't be read lets nobody through."""
        started = self._record.run.gates[gate.gate].attempts[-1].started
        if started.contract is None:
            return True
        try:
            return contracts.read(bound.read(self._record.record_directory, started.contract.sha256), started.gate).blocking
        except contracts.InvalidContract:
            return True


class _Held:
    """What stands for a gate while it runs, and how it was found afterwards. Lives as long as the attempt."""

    def __init__(self, *, ground: Ground | None = None, reason: str | None = None) -> None:
        self.ground = ground
        self.reason = reason
        self.checks: list[dict[str, Any]] = []
        self.seen = NOTHING
