"""The loop of `windlass run <workflow>`: gate after gate is begun, worked on, judged; it stops at a person, at a failure, or at the end.

All that it knows is in the record: a loop that was killed, interrupted or paused is gone on with by `windlass run resume`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windlass.errors import Refused
from windlass.gates import acts
from windlass.gates.acts import Begun, Finished
from windlass.records import bound
from windlass.records.checks import permission, program
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import finding
from windlass.records.events import GateStarted
from windlass.records.projects import Project
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowFile, WorkflowGate

RUNS_HERE = ("human", "command")
"""The executors that this loop has."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something to tell whoever watches: an attempt began, somebody is waited for, an attempt was judged."""

    kind: Literal["began", "waits", "finished", "ran"]
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


def check(workflow: WorkflowFile) -> None:
    """Raise Refused for a workflow that this loop can't run to its end, before anything is begun."""
    for gate in workflow.gates:
        if gate.executor.kind not in RUNS_HERE:
            raise Refused(
                f"workflow {workflow.name}, gate {gate.gate}: executor {gate.executor.kind!r} can't be run yet; known are {', '.join(RUNS_HERE)}"
            )
        if gate.needs:
            raise Refused(f"workflow {workflow.name}, gate {gate.gate}: `needs` ({', '.join(gate.needs)}) can't be opened by this loop yet")


def run(
    record: RunRecord,
    project: Project,
    *,
    ask: Callable[[WorkflowGate, int], bool],
    tell: Callable[[Moment], None],
    start_at: str | None = None,
    allow_commands: bool = False,
) -> Outcome:
    """Go from gate to gate until the end, a failure or a person.

    `ask(gate, attempt)`: waits until a person says that the gate is done; False when nobody is there. `start_at`: the gate from which
    everything is done again; by default what has passed is passed.
    """
    workflow = acts.workflow_of(record)
    if workflow is None:
        raise Refused(f"{record.run_id}: was started without a workflow file; go on by `windlass gate start`")
    check(workflow)
    names = [gate.gate for gate in workflow.gates]
    if start_at is not None and start_at not in names:
        raise Refused(f"--from {start_at!r}: is not a gate of workflow {workflow.name}: {', '.join(names)}")
    again = set(names[names.index(start_at) :]) if start_at else set()
    for gate in workflow.gates:
        if record.run.gates[gate.gate].status == "PASS" and gate.gate not in again:
            continue
        outcome = _one(record, project, gate, ask, tell, allow_commands=allow_commands)
        if outcome:
            return outcome
    passed = all(gate.status == "PASS" for gate in record.run.gates.values())
    record.complete("PASSED" if passed else "FAILED")
    failed = next((gate.gate for gate in record.run.gates.values() if gate.status != "PASS"), None)
    return Outcome(status="PASSED" if passed else "FAILED", gate=failed, reason=None if passed else "a gate that does not block has failed")


def _one(
    record: RunRecord,
    project: Project,
    gate: WorkflowGate,
    ask: Callable[[WorkflowGate, int], bool],
    tell: Callable[[Moment], None],
    *,
    allow_commands: bool,
) -> Outcome | None:
    """One gate, from its begin or from where it was left; None when the loop goes on."""
    attempt = _begun(record, project, gate, tell)
    if gate.executor.kind == "command":
        reason = _command(record, project, gate, attempt, tell, allow_commands=allow_commands)
        if reason:
            acts.fail(record, gate.gate, reason)
            return _stopped(record, gate, reason)
    else:
        tell(Moment(kind="waits", gate=gate, attempt=attempt, packet=_packet(record, gate, attempt)))
        if not ask(gate, attempt):
            return Outcome(status="PAUSED", gate=gate.gate, reason=f"gate {gate.gate} waits for a person")
    finished = acts.finish(record, project, gate.gate, allow_commands=allow_commands)
    tell(Moment(kind="finished", gate=gate, attempt=attempt, finished=finished))
    if finished.waits_for:
        return Outcome(status="PAUSED", gate=gate.gate, reason=f"gate {gate.gate} waits for {finished.waits_for}")
    if finished.judgement.status == "FAIL":
        return _stopped(record, gate, finished.judgement.failure_reason or "")
    return None


def _begun(record: RunRecord, project: Project, gate: WorkflowGate, tell: Callable[[Moment], None]) -> int:
    """The attempt to go on with: a person's that is running, else a new one; an executor's that was cut off is failed first."""
    known = record.run.gates[gate.gate]
    if known.status == "RUNNING":
        if gate.executor.kind == "human":
            return len(known.attempts)
        acts.fail(record, gate.gate, "the attempt was interrupted")
    begun = acts.begin(record, project, gate.gate)
    tell(Moment(kind="began", gate=gate, attempt=begun.attempt, begun=begun, packet=begun.packet))
    return begun.attempt


def _stopped(record: RunRecord, gate: WorkflowGate, reason: str) -> Outcome | None:
    """A blocking gate stops the loop; the run stays open, to be resumed."""
    started = record.run.gates[gate.gate].attempts[-1].started
    return Outcome(status="STOPPED", gate=gate.gate, reason=reason) if _blocks(record, started) else None


def _blocks(record: RunRecord, started: GateStarted) -> bool:
    if started.contract is None:
        return True
    try:
        return contracts.read(bound.read(record.record_directory, started.contract.sha256), started.gate).blocking
    except contracts.InvalidContract:
        return True


def _packet(record: RunRecord, gate: WorkflowGate, attempt: int) -> Path:
    return record.logs_directory / "gates" / gate.gate / f"attempt-{attempt}" / "prompt.txt"


def _command(
    record: RunRecord, project: Project, gate: WorkflowGate, attempt: int, tell: Callable[[Moment], None], *, allow_commands: bool
) -> str | None:
    """Run the gate's command and record it as an invocation; why the attempt fails, or None."""
    options: Mapping[str, object] = gate.executor.options
    argv, timeout_s = options["argv"], options["timeout_s"]
    if not isinstance(argv, Sequence) or not isinstance(timeout_s, int):
        raise TypeError("a workflow was read, so a command has its argv and timeout")
    workflow = record.run.started.workflow.name
    named = finding.workflow(project, workflow)
    content = bound.read(record.record_directory, record.run.started.workflow_sha256 or "")
    path = named[1] if named else f"{project.workflows.relative_to(project.root)}/{workflow}.json"
    allowed = permission.commands(project.root, (permission.Source(path=path, content=content),), allowed=allow_commands)
    if refused := permission.refusal(allowed):
        return f"NOT_ALLOWED: {refused}"
    from time import monotonic  # noqa: PLC0415  # beside its only use

    began = monotonic()
    ran = program.run([str(word) for word in argv], cwd=project.root, timeout_s=timeout_s)
    elapsed_ms = int((monotonic() - began) * 1000)
    reason = _why(ran, timeout_s)
    record.invocation_recorded(gate.gate, gate.agent, status="FAIL" if reason else "SUCCESS", model="command", duration_ms=elapsed_ms)
    log = _packet(record, gate, attempt).with_name("output.txt")
    log.write_text("\n".join(ran.tail) + "\n", encoding="utf-8")
    tell(Moment(kind="ran", gate=gate, attempt=attempt, said=ran.tail))
    return reason


def _why(ran: program.Ran, timeout_s: int) -> str | None:
    if ran.problem:
        return f"the command {ran.problem}"
    if ran.timed_out:
        return f"TIMEOUT: the command ran longer than {timeout_s} s"
    if ran.signal:
        return f"the command was ended by {ran.signal}"
    return None if ran.exit == 0 else f"the command ended with exit code {ran.exit}"
