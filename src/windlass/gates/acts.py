"""The acts on one gate, the same for a person's command line and for the loop: begin an attempt, judge it, finish it, fail it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from windlass.errors import Refused, UnusableRecord
from windlass.gates import given as inputs_given
from windlass.gates import observed as observations
from windlass.gates import sources, sweep_contracts
from windlass.gates.observed import NOTHING, Observed
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


class Judged(NamedTuple):
    """A verdict on a running attempt that is not recorded yet; `contract` is None where none can be used."""

    started: GateStarted
    contract: Contract | None
    judgement: Judgement
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
    who = agent or worker(found)
    contract, named, warnings = _contract_now(record, project, found)
    where = places(record, project)
    inputs = [where.describe(template) for template in inputs_of(found)]
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


def worker(gate: WorkflowGate) -> str:
    """Who does the work of a gate, as the workflow says; a gate that no person does is not said to be a person's."""
    if gate.executor.kind == "human" or gate.agent != "human":
        return gate.agent
    return str(gate.executor.options["task_type"]) if gate.executor.kind == "agent" else gate.executor.kind


def inputs_of(gate: WorkflowGate) -> tuple[str, ...]:
    """The templates of every file that an attempt is begun with."""
    named = inputs_given.templates(gate.executor.options["inputs"]) if gate.executor.kind == "agent" else ()
    return tuple(dict.fromkeys((*gate.inputs, *named)))


def _put_packet(record: RunRecord, gate: str, attempt: int, content: bytes) -> Path:
    folder = record.logs_directory / layout.GATES / gate
    path = folder / f"attempt-{attempt}" / "prompt.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    for place in (path, folder / "prompt.txt"):
        files.replace(place, content, durable=False)
    return path


def judged(record: RunRecord, project: Project, gate: str, *, allow_commands: bool = False) -> Judged:
    """The running attempt, and the verdict on it, as things are now, by the contract that it was begun with; nothing is recorded.

    Raises Refused when no attempt is running.
    """
    started = running(record, gate)
    if started.contract is None:
        reason = f"no contract could be bound when attempt {started.attempt} began; mend it, fail this attempt and start another"
        return Judged(started=started, contract=None, judgement=judging.invalid(reason), warnings=())
    content = bound.read(record.record_directory, started.contract.sha256)
    now = _found_now(record, project, gate)
    path = now[1] if now else f"{gate}.contract.json"
    warnings: list[str] = []
    try:
        contract = contracts.read(content, path)
    except contracts.InvalidContract as invalid:
        return Judged(started=started, contract=None, judgement=judging.invalid("; ".join(invalid.problems)), warnings=())
    if _of_attempt(now[0] if now else None, path, gate_of(record, gate), contract) != content:
        warnings.append(f"{path}: differs from the contract that this attempt was begun with; the attempt is judged by that one")
    judgement = judging.judge(contract, given(record, project, started, contract, allow_commands=allow_commands))
    return Judged(started=started, contract=contract, judgement=judgement, warnings=tuple(warnings))


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
    now = _found_now(record, project, contract.gate)
    known = record.run.gates.get(contract.gate)
    is_author = bool(now and known and _of_attempt(now[0], now[1], gate_of(record, contract.gate), contract) == contract.content)
    found = [(contract.path, now[0] if now and is_author else contract.content)]
    if record.run.started.workflow_sha256:
        source = sources.workflow(record, project)
        found.append((source.path, source.content))
    return found


def finish(record: RunRecord, project: Project, gate: str, *, allow_commands: bool = False) -> Finished:
    """Judge the running attempt and record the verdict, for good.

    Where the contract asks for approvals that are not there, and every check passes, nothing is recorded: the gate waits.
    """
    found = judged(record, project, gate, allow_commands=allow_commands)
    return settle(record, project, gate, found, observations.kept(record, gate, found.started.attempt) or NOTHING)


def settle(record: RunRecord, project: Project, gate: str, found: Judged, observed: Observed = NOTHING) -> Finished:
    """Record a verdict, for good, with what was observed beside it; or nothing, where approvals are waited for."""
    judgement = _with(found.judgement, observed)
    if found.contract and found.contract.approvals and judgement.status == "PASS":
        from windlass.gates import approving  # noqa: PLC0415  # cryptography is loaded where an approval is counted

        judgement, waits_for = approving.counted(record, project, found.contract, found.started, judgement, instants.now())
        if waits_for:
            return Finished(attempt=found.started.attempt, judgement=judgement, waits_for=waits_for, warnings=found.warnings)
    record.gate_finished(
        gate,
        judgement.status,
        validations=judgement.validations,
        artifacts=judgement.artifacts,
        failure_reason=judgement.failure_reason,
        window_id=observed.window_id,
    )
    return Finished(attempt=found.started.attempt, judgement=judgement, waits_for=None, warnings=found.warnings)


def _with(judgement: Judgement, observed: Observed) -> Judgement:
    """The verdict with what was observed: it can only become worse by it."""
    known = {found.resolved_path for found in judgement.artifacts}
    reasons = [reason for reason in (judgement.failure_reason, observed.reason) if reason]
    return replace(
        judgement,
        status="FAIL" if reasons else judgement.status,
        validations=(*judgement.validations, *observed.checks),
        artifacts=(*judgement.artifacts, *(found for found in observed.evidence if found.resolved_path not in known)),
        failure_reason="; ".join(reasons)[:10_000] or None,
    )


def give_up(record: RunRecord, gate: str, reason: str, observed: Observed = NOTHING) -> Finished:
    """Fail the running attempt because its work could not be done; its outputs are not judged."""
    started = running(record, gate)
    kind = started.executor or "human"
    check = {"type": "executor", "kind": kind, "pass": False, "code": "NOT_RUN", "reason": reason}
    found = Judgement(status="FAIL", artifacts=(), validations=(check,), failure_reason=reason)
    judgement = _with(found, observed)
    record.gate_finished(
        gate,
        "FAIL",
        validations=judgement.validations,
        artifacts=judgement.artifacts,
        failure_reason=judgement.failure_reason,
        window_id=observed.window_id,
    )
    return Finished(attempt=started.attempt, judgement=judgement, waits_for=None, warnings=())


def fail(record: RunRecord, gate: str, reason: str) -> int:
    """Fail the running attempt by hand and return its number; raises Refused without one, and for an empty reason."""
    if not reason.strip():
        raise Refused("--reason: is empty; a FAIL says why")
    started = running(record, gate)
    result: dict[str, Any] = {"type": "manual", "pass": False, "code": "VALIDATION_FAILED", "reason": reason}
    record.gate_finished(gate, "FAIL", validations=[result], failure_reason=reason)
    return started.attempt


def running(record: RunRecord, gate: str) -> GateStarted:
    """The gate's running attempt; raises Refused where there is none."""
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


def _contract_now(record: RunRecord, project: Project, gate: WorkflowGate) -> tuple[Contract | None, Bound | None, list[str]]:
    """The gate's contract as it lies there, bound to the run; its bytes are bound also when nothing can be judged by them."""
    try:
        found = finding.contract(project, record.run.started.workflow.name, gate.gate)
    except Refused as refusal:
        return None, None, [f"{refusal}; the gate will fail"]
    if gate.executor.kind == "sweep":
        path = found[1] if found else f"{gate.gate}.contract.json"
        target = sweep_contracts.free(record.evidence_directory)
        found = sweep_contracts.rendered(found[0] if found else None, path, gate, target), path
    if found is None:
        return None, None, [f"gate {gate.gate} has no contract; it will fail"]
    if record.run.version < 2:
        raise UnusableRecord(f"{record.run_id}: was begun by an older Windlass, whose runs carry no contracts; start a new run")
    digest = record.bind(found[0])
    try:
        contract = contracts.read(*found)
    except contracts.InvalidContract as invalid:
        return None, Bound(sha256=digest, version="invalid"), [*invalid.problems, f"gate {gate.gate} will fail with CONTRACT_INVALID"]
    return contract, Bound(sha256=digest, version=contract.version), list(contract.warnings)


def _of_attempt(content: bytes | None, path: str, gate: WorkflowGate, contract: Contract) -> bytes | None:
    """What an attempt that `contract` was bound to would be bound to now."""
    if gate.executor.kind != "sweep":
        return content
    targets = sweep_contracts.targets(contract)
    return sweep_contracts.rendered(content, path, gate, targets[0] if targets else sweep_contracts.TARGET)


def sweep_target(record: RunRecord, started: GateStarted) -> str | None:
    """Where the sweep of an attempt lies by the contract that it was begun with."""
    if started.executor != "sweep" or started.contract is None:
        return None
    try:
        contract = contracts.read(bound.read(record.record_directory, started.contract.sha256), f"{started.gate}.contract.json")
    except contracts.InvalidContract:
        return None
    return next(iter(sweep_contracts.targets(contract)), None)


def _depth(record: RunRecord) -> Depth:
    depth = record.run.started.depth
    return "quick" if depth == "quick" else "deep" if depth == "deep" else "standard"
