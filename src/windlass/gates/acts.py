"""The acts on one gate, the same for a person's command line and for the loop: begin an attempt, judge it, finish it, fail it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.errors import Refused, UnusableRecord
from windlass.infra import files, instants
from windlass.records import artifacts, bound, layout, packets, workflows
from windlass.records.checks import judge as judging
from windlass.records.checks import permission
from windlass.records.checks.judge import Given, Judgement
from windlass.records.contracts import contract as contracts
from windlass.records.contracts import finding
from windlass.records.contracts.contract import Contract
from windlass.records.events import Contract as Bound
from windlass.records.events import Depth, GateFinished, GateStarted
from windlass.records.projects import Project
from windlass.records.run import RunRecord
from windlass.records.workflows import WorkflowFile, WorkflowGate


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An attempt that has just begun; `packet`: where its prompt lies."""

    gate: WorkflowGate
    attempt: int
    packet: Path
    out_of_order: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How `finish` ended: a judgement that was recorded, or None and what the gate still waits for."""

    attempt: int
    judgement: Judgement
    waits_for: str | None
    warnings: tuple[str, ...]


def workflow_of(record: RunRecord) -> WorkflowFile | None:
    """The workflow that the run was started with, from the record itself; None for a run without one."""
    started = record.run.started
    if started.workflow_sha256 is None or record.run.version < 2:
        return None
    return workflows.read(bound.read(record.record_directory, started.workflow_sha256), f"the workflow of {record.run_id}")


def gate_of(record: RunRecord, gate: str) -> WorkflowGate:
    """A gate as the run's workflow describes it; raises Refused for one that it does not have."""
    workflow = workflow_of(record)
    for known in workflow.gates if workflow else ():
        if known.gate == gate:
            return known
    if gate not in record.run.gates:
        raise Refused(f"gate {gate!r} is not in workflow {record.run.started.workflow.name}: {', '.join(record.run.gates) or 'it has none'}")
    name = record.run.gates[gate].name
    human = workflows.Executor(kind="human", options={})
    return WorkflowGate(gate=gate, name=name, agent="human", description=None, instructions=None, executor=human, needs=(), inputs=())


def places(record: RunRecord, project: Project) -> artifacts.Places:
    """What the templates of a run's contracts stand for."""
    workflow = record.run.started.workflow
    return artifacts.Places(root=project.root, record=record.record_directory, slug=workflow.slug, artifact_path=workflow.artifact_path)


def begin(record: RunRecord, project: Project, gate: str, *, agent: str | None = None, window_id: str | None = None) -> Begun:
    """Begin the next attempt at a gate: its contract, packet and inputs are bound to it, and the packet is written beside the logs.

    A contract that can't be used is a warning here and a FAIL at the finish. Raises Refused while an attempt runs.
    """
    found = gate_of(record, gate)
    who = agent or found.agent
    contract, named, warnings = _contract_now(record, project, gate)
    where = places(record, project)
    inputs = [where.describe(template) for template in found.inputs]
    warnings += [f"{one.path}: is missing" for one in inputs if not one.exists]
    written: list[bytes] = []

    def packet(attempt: int) -> bytes:
        written.append(packets.packet(record.run, found, contract, where, attempt, who, inputs).encode())
        return written[-1]

    out_of_order = record.run.is_out_of_order(gate)
    attempt = record.gate_started(
        gate,
        who,
        window_id=window_id,
        required_outputs=[output.path for output in contract.outputs(_depth(record))] if contract else [],
        contract=named,
        executor=found.executor.kind,
        inputs=inputs,
        packet=packet,
    )
    if out_of_order:
        before = [name for name in record.run.gates if name != gate and record.run.gates[name].status != "PASS"]
        warnings.append(f"gate {gate} is started before {before[0]} has passed")
    path = _put_packet(record, gate, attempt, written[-1])
    return Begun(gate=found, attempt=attempt, packet=path, out_of_order=out_of_order, warnings=tuple(warnings))


def _put_packet(record: RunRecord, gate: str, attempt: int, content: bytes) -> Path:
    folder = record.logs_directory / layout.GATES / gate
    path = folder / f"attempt-{attempt}" / "prompt.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    for place in (path, folder / "prompt.txt"):
        files.replace(place, content, durable=False)
    return path


def judged(
    record: RunRecord, project: Project, gate: str, *, allow_commands: bool = False
) -> tuple[GateStarted, Contract | None, Judgement, tuple[str, ...]]:
    """The running attempt, the contract that it was begun with, and the verdict on it as things are now; nothing is recorded.

    Raises Refused when no attempt is running.
    """
    started = _running(record, gate)
    warnings: list[str] = []
    if started.contract is None:
        reason = f"no contract could be bound when attempt {started.attempt} began; mend it, fail this attempt and start another"
        return started, None, judging.invalid(reason), ()
    content = bound.read(record.record_directory, started.contract.sha256)
    now = _found_now(record, project, gate)
    path = now[1] if now else f"{gate}.contract.json"
    if now is None or now[0] != content:
        warnings.append(f"{path}: differs from the contract that this attempt was begun with; the attempt is judged by that one")
    try:
        contract = contracts.read(content, path)
    except contracts.InvalidContract as invalid:
        return started, None, judging.invalid("; ".join(invalid.problems)), tuple(warnings)
    return started, contract, judging.judge(contract, given(record, project, started, contract, allow_commands=allow_commands)), tuple(warnings)


def given(record: RunRecord, project: Project, started: GateStarted, contract: Contract, *, allow_commands: bool = False) -> Given:
    """What the judgement of an attempt may know."""
    run = record.run
    finished = [event for event in run.happened if isinstance(event, GateFinished)]
    passed = {name: gate.attempts[-1] for name, gate in run.gates.items() if gate.status == "PASS"}
    workflow = workflow_of(record)
    sources = tuple(permission.Source(path=path, content=content) for path, content in _sources(record, project, contract))
    return Given(
        places=places(record, project),
        depth=_depth(record),
        seed=f"{record.run_id}/{started.gate}/{started.attempt}",
        agent=started.agent,
        network=workflow.network if workflow else False,
        private_network=workflow.private_network if workflow else False,
        commands=permission.commands(project.root, sources, allowed=allow_commands),
        producers={name: attempt.started.agent for name, attempt in passed.items()},
        recorded=[{found.resolved_path: found.sha256 for found in event.artifacts if found.sha256} for event in finished],
        sweep=_judged_again(record),
    )


def _judged_again(record: RunRecord) -> Callable[[Path], Any]:
    """Judges the rows of a sweep's evidence again, from what was received."""

    def judged(directory: Path) -> Any:
        from windlass.sweep import again, probes  # noqa: PLC0415  # loaded by a contract that has such a check

        return again.judged(directory, None, probes.finder(allow_code=False), show=f"windlass sweep show {record.run_id}")

    return judged


def _sources(record: RunRecord, project: Project, contract: Contract) -> list[tuple[str, bytes]]:
    """The files that can order a command, by the bytes that the run is bound to."""
    started = record.run.started
    found = [(contract.path, contract.content)]
    if started.workflow_sha256:
        named = finding.workflow(project, started.workflow.name)
        path = named[1] if named else f"{project.workflows.relative_to(project.root)}/{started.workflow.name}.json"
        found.append((path, bound.read(record.record_directory, started.workflow_sha256)))
    return found


def finish(record: RunRecord, project: Project, gate: str, *, allow_commands: bool = False) -> Finished:
    """Judge the running attempt and record the verdict, for good.

    Where the contract asks for approvals that are not there, and every check passes, nothing is recorded: the gate waits.
    """
    started, contract, judgement, warnings = judged(record, project, gate, allow_commands=allow_commands)
    if contract and contract.approvals and judgement.status == "PASS":
        from windlass.gates import approving  # noqa: PLC0415  # cryptography is loaded where an approval is counted

        judgement, waits_for = approving.counted(record, project, contract, started, judgement, instants.now())
        if waits_for:
            return Finished(attempt=started.attempt, judgement=judgement, waits_for=waits_for, warnings=warnings)
    _record(record, gate, judgement)
    return Finished(attempt=started.attempt, judgement=judgement, waits_for=None, warnings=warnings)


def _record(record: RunRecord, gate: str, judgement: Judgement) -> None:
    record.gate_finished(
        gate, judgement.status, validations=judgement.validations, artifacts=judgement.artifacts, failure_reason=judgement.failure_reason
    )


def fail(record: RunRecord, gate: str, reason: str) -> int:
    """Fail the running attempt by hand and return its number; raises Refused without one, and for an empty reason."""
    if not reason.strip():
        raise Refused("--reason: is empty; a FAIL says why")
    started = _running(record, gate)
    result: dict[str, Any] = {"type": "manual", "pass": False, "code": "VALIDATION_FAILED", "reason": reason}
    record.gate_finished(gate, "FAIL", validations=[result], failure_reason=reason)
    return started.attempt


def _running(record: RunRecord, gate: str) -> GateStarted:
    for started in record.run.running:
        if started.gate == gate:
            return started
    known = record.run.gates.get(gate)
    if known is None:
        raise Refused(f"gate {gate!r} is not in workflow {record.run.started.workflow.name}: {', '.join(record.run.gates) or 'it has none'}")
    raise Refused(f"gate {gate}: no attempt is running (it is {known.status}); another finish needs another start")


def _found_now(record: RunRecord, project: Project, gate: str) -> tuple[bytes, str] | None:
    try:
        return finding.contract(project, record.run.started.workflow.name, gate)
    except Refused:
        return None


def _contract_now(record: RunRecord, project: Project, gate: str) -> tuple[Contract | None, Bound | None, list[str]]:
    """The gate's contract as it lies there, bound to the run; its bytes are bound also when nothing can be judged by them."""
    try:
        found = finding.contract(project, record.run.started.workflow.name, gate)
    except Refused as refusal:
        return None, None, [f"{refusal}; the gate will fail"]
    if found is None:
        return None, None, [f"gate {gate} has no contract; it will fail"]
    if record.run.version < 2:
        raise UnusableRecord(f"{record.run_id}: was begun by an older Windlass, whose runs carry no contracts; start a new run")
    digest = record.bind(found[0])
    try:
        contract = contracts.read(*found)
    except contracts.InvalidContract as invalid:
        return None, Bound(sha256=digest, version="invalid"), [*invalid.problems, f"gate {gate} will fail with CONTRACT_INVALID"]
    return contract, Bound(sha256=digest, version=contract.version), list(contract.warnings)


def _depth(record: RunRecord) -> Depth:
    depth = record.run.started.depth
    return "quick" if depth == "quick" else "deep" if depth == "deep" else "standard"
