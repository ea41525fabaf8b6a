"""The state of a run, folded from its journal: pure rules that take a state and an event and return the next state, or refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from windlass.errors import Refused
from windlass.infra.chain import GENESIS, Entry
from windlass.records import journal
from windlass.records.artifacts import Artifact
from windlass.records.events import (
    Event,
    GateApproved,
    GateFinished,
    GateStarted,
    InvocationRecorded,
    Note,
    RunCompleted,
    RunResumed,
    RunStarted,
    WindowClosed,
    WindowOpened,
)

OWN_NOTES = frozenset(
    "RUN_STARTED RUN_RESUMED RUN_COMPLETED GATE_STARTED GATE_PASSED GATE_FAILED GATE_APPROVED WINDOW_OPENED WINDOW_CLOSED INVOCATION_RECORDED".split()
)
"""Names in RUN.json's `events` that only the events of that kind may have: a note can't pass for one."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a gate; `finished` is None while it runs."""

    started: GateStarted
    finished: GateFinished | None

    @property
    def status(self) -> str:
        """RUNNING, PASS or FAIL."""
        return self.finished.status if self.finished else "RUNNING"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate of the run's workflow with its attempts, oldest first."""

    gate: str
    name: str
    attempts: tuple[Attempt, ...]

    @property
    def status(self) -> str:
        """The newest attempt's: NOT_STARTED, RUNNING, PASS or FAIL."""
        return self.attempts[-1].status if self.attempts else "NOT_STARTED"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as its journal tells it up to the entry whose hash is `head`."""

    started: RunStarted
    gates: dict[str, Gate]
    open_windows: frozenset[str]
    happened: tuple[Event, ...]
    completed: RunCompleted | None
    head: str
    version: int
    """Of the schema that the run was begun with, and keeps."""
    starts: dict[tuple[str, int], str]
    """Gate and attempt → the hash of the entry that began it, which approvals are bound to."""

    @property
    def status(self) -> str:
        """QUEUED, RUNNING, PASSED, FAILED or CANCELED. FAILED without an end: it stopped at a failed gate, and can be resumed."""
        if self.completed:
            return self.completed.status
        if not any(gate.attempts for gate in self.gates.values()):
            return "QUEUED"
        stopped = not self.running and any(gate.status == "FAIL" for gate in self.gates.values())
        return "FAILED" if stopped and self.version > 1 else "RUNNING"

    @property
    def invocations(self) -> tuple[InvocationRecorded, ...]:
        """Every recorded invocation, oldest first."""
        return tuple(event for event in self.happened if isinstance(event, InvocationRecorded))

    def approvals(self, gate: str, attempt: int) -> tuple[GateApproved, ...]:
        """The approvals that were recorded for an attempt, oldest first; whether they count is for `approvals.count` to say."""
        return tuple(event for event in self._approved if (event.gate, event.attempt) == (gate, attempt))

    @cached_property
    def _approved(self) -> tuple[GateApproved, ...]:
        """Every approval, found once: a view asks for those of each attempt."""
        return tuple(event for event in self.happened if isinstance(event, GateApproved))

    @property
    def running(self) -> tuple[GateStarted, ...]:
        """The attempts that have not finished."""
        return tuple(gate.attempts[-1].started for gate in self.gates.values() if gate.status == "RUNNING")

    def is_out_of_order(self, gate: str) -> bool:
        """Whether a gate that comes before `gate` in the workflow has not passed."""
        names = list(self.gates)
        return any(self.gates[name].status != "PASS" for name in names[: names.index(gate)]) if gate in names else False

    def recorded(self) -> Iterable[tuple[GateFinished, Artifact]]:
        """Every artifact that an attempt found, in the order of the journal."""
        return ((event, found) for event in self.happened if isinstance(event, GateFinished) for found in event.artifacts if found.exists)


def fold(entries: Iterable[Entry]) -> Run | None:
    """The state after all of `entries`, None when there are none; raises Refused at the first one that may not follow."""
    run: Run | None = None
    for entry in entries:
        run = follow(run, entry)
    return run


def follow(run: Run | None, entry: Entry) -> Run:
    """The state after one more entry of the journal; raises Refused when it may not follow."""
    return apply(run, journal.read(entry.fields), entry.hash, entry.fields["v"])


def apply(run: Run | None, event: Event, head: str = GENESIS, version: int = journal.SCHEMA_VERSION) -> Run:
    """The state after `event`, of that schema; raises Refused, saying why, when the rules do not allow it here."""
    if run is None:
        return _begin(event, head, version)
    if version != run.version:
        raise Refused(f"/v: an entry of schema {version} in a run of schema {run.version}")
    if run.completed:
        raise Refused(f"the run is {run.status}: {event.type} can't follow its completion")
    changed = _change(run, event)
    starts = {**run.starts, (event.gate, event.attempt): head} if isinstance(event, GateStarted) else run.starts
    return replace(changed, happened=(*run.happened, event), head=head, starts=starts)


def _begin(event: Event, head: str, version: int) -> Run:
    if not isinstance(event, RunStarted):
        raise Refused(f"a run begins with run.started, not with {event.type}")
    gates = {name.gate: Gate(gate=name.gate, name=name.name, attempts=()) for name in event.gates}
    return Run(started=event, gates=gates, open_windows=frozenset(), happened=(event,), completed=None, head=head, version=version, starts={})


def _change(run: Run, event: Event) -> Run:
    match event:
        case GateStarted():
            return _gate_started(run, event)
        case GateFinished():
            return _gate_finished(run, event)
        case WindowOpened():
            if event.window_id in run.open_windows:
                raise Refused(f"window {event.window_id} is open already")
            return replace(run, open_windows=run.open_windows | {event.window_id})
        case WindowClosed():
            if event.window_id not in run.open_windows:
                raise Refused(f"window {event.window_id} is not open")
            return replace(run, open_windows=run.open_windows - {event.window_id})
        case InvocationRecorded():
            return _invoked(run, event)
        case GateApproved():
            return _approved(run, event)
        case RunResumed():
            _gate(run, event.gate)
            return run
        case Note():
            return _note(run, event)
        case RunCompleted():
            return _completed(run, event)
        case RunStarted():
            raise Refused("the run has started already")


def _gate(run: Run, name: str) -> Gate:
    if name not in run.gates:
        raise Refused(f"gate {name!r} is not in workflow {run.started.workflow.name}: {', '.join(run.gates) or 'it has none'}")
    return run.gates[name]


def _with(run: Run, gate: Gate, attempts: tuple[Attempt, ...]) -> Run:
    return replace(run, gates={**run.gates, gate.gate: replace(gate, attempts=attempts)})


def _gate_started(run: Run, event: GateStarted) -> Run:
    gate = _gate(run, event.gate)
    if gate.status == "RUNNING":
        raise Refused(f"gate {gate.gate}: attempt {len(gate.attempts)} is still running; finish or fail it first")
    if event.attempt != len(gate.attempts) + 1:
        raise Refused(f"gate {gate.gate}: attempt {len(gate.attempts) + 1} is next, not {event.attempt}")
    return _with(run, gate, (*gate.attempts, Attempt(started=event, finished=None)))


def _gate_finished(run: Run, event: GateFinished) -> Run:
    gate = _gate(run, event.gate)
    if gate.status != "RUNNING":
        raise Refused(f"gate {gate.gate}: no attempt is running; another finish needs another start")
    if event.attempt != len(gate.attempts):
        raise Refused(f"gate {gate.gate}: attempt {len(gate.attempts)} is running, not {event.attempt}")
    _check_verdict(event)
    *finished, running = gate.attempts
    if event.window_id and running.started.window_id not in (None, event.window_id):
        raise Refused(f"gate {gate.gate}: began in window {running.started.window_id}, can't end in {event.window_id}")
    return _with(run, gate, (*finished, replace(running, finished=event)))


def _check_verdict(event: GateFinished) -> None:
    if event.status == "FAIL":
        if not event.failure_reason:
            raise Refused(f"gate {event.gate}: a FAIL says why")
        return
    if event.failure_reason:
        raise Refused(f"gate {event.gate}: a PASS has no failure reason")
    if not event.validations:
        raise Refused(f"gate {event.gate}: nothing was checked, and that is no PASS")
    checks = [check for check in event.validations if check.get("severity") != "warning"]
    if not checks:
        raise Refused(f"gate {event.gate}: nothing but warnings was checked, and that is no PASS")
    failed = [check for check in checks if not check["pass"]]
    if failed:
        raise Refused(f"gate {event.gate}: a check failed ({failed[0]['type']}), and that is no PASS")


def _invoked(run: Run, event: InvocationRecorded) -> Run:
    newest = len(_gate(run, event.gate).attempts) or None
    if event.attempt != newest:
        raise Refused(f"gate {event.gate}: the newest attempt is {newest}, not {event.attempt}")
    if any(earlier.invocation_id == event.invocation_id for earlier in run.invocations):
        raise Refused(f"invocation {event.invocation_id} is recorded already")
    return run


def _approved(run: Run, event: GateApproved) -> Run:
    gate = _gate(run, event.gate)
    if gate.status != "RUNNING" or event.attempt != len(gate.attempts):
        raise Refused(f"gate {gate.gate}: attempt {event.attempt} is not running; only what is about to be finished can be approved")
    if any(isinstance(earlier, GateApproved) and earlier.nonce == event.nonce for earlier in run.happened):
        raise Refused(f"gate {gate.gate}: this approval was used already (nonce {event.nonce})")
    return run


def _note(run: Run, event: Note) -> Run:
    if event.name in OWN_NOTES:
        raise Refused(f"note {event.name!r}: the name belongs to the journal's own events")
    if event.gate is not None:
        _gate(run, event.gate)
    return run


def _completed(run: Run, event: RunCompleted) -> Run:
    if run.running:
        raise Refused(f"gate {run.running[0].gate}: attempt {run.running[0].attempt} is still running; finish or fail it first")
    if event.status == "PASSED":
        if not run.gates:
            raise Refused("a run without gates can't be PASSED")
        open_gates = [f"{gate.gate} {gate.status}" for gate in run.gates.values() if gate.status != "PASS"]
        if open_gates:
            raise Refused(f"not PASSED: {', '.join(open_gates)}; complete it as FAILED or CANCELED, or pass them first")
    return replace(run, completed=event)
