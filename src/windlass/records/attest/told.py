"""What every export tells of a run alike: its gates and attempts, the outcome of each check, what it cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from windlass.infra import instants
from windlass.records import state
from windlass.records.artifacts import Artifact
from windlass.records.events import GateApproved, InvocationRecorded, Note, WindowClosed, WindowOpened
from windlass.records.state import Run

Outcome = Literal["passed", "warned", "failed"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of an attempt as the journal tells it. `fields`: the type's own results, as they stand there."""

    type: str
    path: str | None
    outcome: Outcome
    code: str | None
    says: str
    """Why it did not pass, or what it checked; may be empty."""
    resolved_path: str | None
    line: int | None
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`contains_headings specs/a.md`: the same in every attempt at the same contract."""
        return f"{self.type} {self.path}" if self.path else self.type

    @property
    def rule(self) -> str:
        """The failure code, or the type of a check that gave none."""
        return self.code or self.type


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What invocations took: how many, their tokens, US dollars and milliseconds; None where none of them said."""

    invocations: int
    failed: int
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: Decimal | None
    duration_ms: int


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a gate; `finished_at` is None while it runs."""

    gate: str
    number: int
    status: str
    agent: str
    executor: str | None
    started_at: datetime
    finished_at: datetime | None
    checks: tuple[Check, ...]
    artifacts: tuple[Artifact, ...]
    failure_reason: str | None
    contract_sha256: str | None
    contract_version: str | None
    window_id: str | None
    out_of_order: bool
    approvals: tuple[GateApproved, ...]
    invocations: tuple[InvocationRecorded, ...]

    @property
    def took_ms(self) -> float | None:
        """Milliseconds from start to finish."""
        return None if self.finished_at is None else max(0.0, (self.finished_at - self.started_at).total_seconds() * 1000)

    @property
    def cost(self) -> Cost:
        """Of the invocations that belong to it."""
        return cost(self.invocations)

    @property
    def troubles(self) -> tuple[Check, ...]:
        """The checks that failed or warned."""
        return tuple(check for check in self.checks if check.outcome != "passed")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate with its attempts, oldest first."""

    gate: str
    name: str
    status: str
    attempts: tuple[Attempt, ...]

    @property
    def newest(self) -> Attempt | None:
        """The attempt that counts."""
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that was open for the run; `closed_at` is None when its end is not recorded."""

    window_id: str
    services: tuple[str, ...]
    opened_at: datetime
    deadline: datetime
    closed_at: datetime | None
    state: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """A run, told; lives as long as the export that is made of it. `verdict`: what `verify` said of its record, `head` the entry it ends at."""

    run: Run
    verdict: str
    journal_sha256: str
    """Of the journal's bytes up to `head`."""
    entries: int
    gates: tuple[Gate, ...]
    windows: tuple[Window, ...]
    notes: tuple[Note, ...]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.started.run_id

    @property
    def head(self) -> str:
        """The hash of the newest entry that is told."""
        return self.run.head

    @property
    def status(self) -> str:
        """The run's own word: QUEUED, RUNNING, PASSED, FAILED or CANCELED."""
        return self.run.status

    @property
    def started_at(self) -> datetime:
        """When the run began."""
        return instants.parse(self.run.started.at)

    @property
    def ended_at(self) -> datetime:
        """When the newest thing happened."""
        return max(instants.parse(event.at) for event in self.run.happened)

    @property
    def finished_at(self) -> datetime | None:
        """When the run was completed."""
        return instants.parse(self.run.completed.at) if self.run.completed else None

    @property
    def took_ms(self) -> float:
        """Milliseconds from the run's start to the newest thing that happened."""
        return max(0.0, (self.ended_at - self.started_at).total_seconds() * 1000)

    @property
    def cost(self) -> Cost:
        """Of every invocation of the run."""
        return cost(self.run.invocations)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt, in the order in which they began."""
        return tuple(sorted((attempt for gate in self.gates for attempt in gate.attempts), key=lambda attempt: attempt.started_at))

    def newest_artifacts(self) -> Iterator[tuple[Attempt, Artifact]]:
        """The files that the newest attempts found, each once, as it was recorded last; sorted by path."""
        found: dict[str, tuple[Attempt, Artifact]] = {}
        newest = [gate.newest for gate in self.gates if gate.newest and gate.newest.finished_at]
        for attempt in sorted(newest, key=lambda one: one.finished_at or one.started_at):
            found |= {artifact.resolved_path: (attempt, artifact) for artifact in attempt.artifacts if artifact.exists}
        return (found[path] for path in sorted(found))


def tell(run: Run, *, verdict: str, journal_sha256: str, entries: int) -> Story:
    """The story of a run whose record was verified."""
    return Story(
        run=run,
        verdict=verdict,
        journal_sha256=journal_sha256,
        entries=entries,
        gates=tuple(_gate(run, gate) for gate in run.gates.values()),
        windows=tuple(_windows(run)),
        notes=tuple(event for event in run.happened if isinstance(event, Note)),
    )


def cost(invocations: Iterable[InvocationRecorded]) -> Cost:
    """The sum over invocations; dollars are added as decimals, so that ten cents stay ten cents."""
    every = list(invocations)
    dollars = [Decimal(repr(one.cost_usd)) for one in every if one.cost_usd is not None]
    return Cost(
        invocations=len(every),
        failed=sum(one.status == "FAIL" for one in every),
        tokens_in=_total(one.tokens_in for one in every),
        tokens_out=_total(one.tokens_out for one in every),
        cost_usd=sum(dollars, Decimal(0)) if dollars else None,
        duration_ms=sum(one.duration_ms for one in every),
    )


def check(fields: Mapping[str, Any]) -> Check:
    """A validation as the journal keeps it. `severity: warning` makes what did not hold a warning; so does `warning: true` on a pass."""
    path = fields.get("path", fields.get("target"))
    code, line = fields.get("code"), fields.get("line")
    resolved = fields.get("resolved_path")
    return Check(
        type=str(fields["type"]),
        path=str(path) if isinstance(path, str) and path else None,
        outcome=_outcome(fields),
        code=str(code) if isinstance(code, str) and code else None,
        says=_says(fields),
        resolved_path=resolved if isinstance(resolved, str) and resolved else None,
        line=line if type(line) is int and line > 0 else None,
        fields=fields,
    )


def _outcome(fields: Mapping[str, Any]) -> Outcome:
    lenient = fields.get("severity") == "warning"
    if fields["pass"] is not True:
        return "warned" if lenient else "failed"
    return "warned" if fields.get("warning") is True else "passed"


def _says(fields: Mapping[str, Any]) -> str:
    """The check's own reason, else what its result shows, else its description."""
    reason = fields.get("reason")
    if isinstance(reason, str) and reason:
        return reason
    missing = fields.get("missing")
    if isinstance(missing, list) and missing:
        return "missing: " + ", ".join(map(str, missing))
    if "count" in fields and "threshold" in fields:
        return f"{fields['count']} of {fields['threshold']}"
    checked = fields.get("checked")
    if isinstance(checked, list) and fields["pass"] is not True:
        return "none exists: " + ", ".join(str(one.get("path")) if isinstance(one, Mapping) else str(one) for one in checked)
    if fields.get("found") is True and isinstance(fields.get("pattern"), str):
        return f"found: {fields['pattern']}"
    description = fields.get("description")
    return description if isinstance(description, str) else ""


def _gate(run: Run, gate: state.Gate) -> Gate:
    return Gate(gate=gate.gate, name=gate.name, status=gate.status, attempts=tuple(_attempt(run, attempt) for attempt in gate.attempts))


def _attempt(run: Run, attempt: state.Attempt) -> Attempt:
    started, finished = attempt.started, attempt.finished
    return Attempt(
        gate=started.gate,
        number=started.attempt,
        status=attempt.status,
        agent=started.agent,
        executor=started.executor,
        started_at=instants.parse(started.at),
        finished_at=instants.parse(finished.at) if finished else None,
        checks=tuple(map(check, finished.validations)) if finished else (),
        artifacts=finished.artifacts if finished else (),
        failure_reason=finished.failure_reason if finished else None,
        contract_sha256=started.contract.sha256 if started.contract else None,
        contract_version=started.contract.version if started.contract else None,
        window_id=started.window_id or (finished.window_id if finished else None),
        out_of_order=started.out_of_order,
        approvals=run.approvals(started.gate, started.attempt),
        invocations=tuple(one for one in run.invocations if (one.gate, one.attempt) == (started.gate, started.attempt)),
    )


def _windows(run: Run) -> Iterator[Window]:
    closed = {event.window_id: event for event in run.happened if isinstance(event, WindowClosed)}
    for event in run.happened:
        if isinstance(event, WindowOpened):
            end = closed.get(event.window_id)
            yield Window(
                window_id=event.window_id,
                services=event.services,
                opened_at=instants.parse(event.at),
                deadline=instants.parse(event.deadline),
                closed_at=instants.parse(end.at) if end else None,
                state=end.state if end else "open",
                reason=end.reason if end else None,
            )


def _total(numbers: Iterable[int | None]) -> int | None:
    told = [number for number in numbers if number is not None]
    return sum(told) if told else None
