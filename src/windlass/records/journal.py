"""The events of a run as values, and how each is written to and read from an entry of the run's journal.

An entry of the journal (a chained log) is `{seq, prev, type, v, at, …the event's fields…, hash}`; `v` is the version of its shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import orjson

from windlass.errors import Refused, UnusableRecord
from windlass.records import layout
from windlass.records.artifacts import Artifact
from windlass.records.fields import INSTANT, SHA256, Fields

SCHEMA_VERSION = 1

Depth = Literal["quick", "standard", "deep"]
GateVerdict = Literal["PASS", "FAIL"]
RunVerdict = Literal["PASSED", "FAILED", "CANCELED"]
DEPTHS: tuple[Depth, ...] = ("quick", "standard", "deep")
GATE_VERDICTS: tuple[GateVerdict, ...] = ("PASS", "FAIL")
RUN_VERDICTS: tuple[RunVerdict, ...] = ("PASSED", "FAILED", "CANCELED")

_NOTE_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, kw_only=True)
class GateName:
    """A gate of a workflow: its id and what people call it."""

    gate: str
    name: str

    @classmethod
    def read(cls, fields: Fields) -> GateName:
        """Read one; raises UnusableRecord."""
        gate = cls(gate=fields.text("gate", layout.NAME), name=fields.text("name"))
        fields.end()
        return gate


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """What a run works on; `artifact_path` is relative to the project's root."""

    name: str
    version: str
    slug: str
    artifact_path: str

    @classmethod
    def read(cls, fields: Fields) -> Workflow:
        """Read one; raises UnusableRecord."""
        workflow = cls(
            name=fields.text("name", layout.NAME),
            version=fields.text("version"),
            slug=fields.text("slug", layout.SLUG),
            artifact_path=fields.text("artifact_path"),
        )
        fields.end()
        if workflow.artifact_path.startswith("/") or ".." in workflow.artifact_path.split("/"):
            raise UnusableRecord(f"/workflow/artifact_path: {workflow.artifact_path!r} must be relative to the project's root, without '..'")
        return workflow


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Which rules an attempt was held to."""

    sha256: str
    version: str

    @classmethod
    def read(cls, fields: Fields) -> Contract:
        """Read one; raises UnusableRecord."""
        contract = cls(sha256=fields.text("sha256", SHA256), version=fields.text("version"))
        fields.end()
        return contract


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run exists, with the gates that it must pass."""

    type: ClassVar[str] = "run.started"
    at: str
    run_id: str
    workflow: Workflow
    depth: str
    prompt: str | None
    gates: tuple[GateName, ...]
    git_commit: str | None
    workflow_sha256: str | None

    @classmethod
    def read(cls, fields: Fields) -> RunStarted:
        """Read one; raises UnusableRecord."""
        gates = tuple(GateName.read(part) for part in fields.parts("gates"))
        if len({gate.gate for gate in gates}) < len(gates):
            raise UnusableRecord("/gates: a gate is named twice")
        return cls(
            at=fields.text("at", INSTANT),
            run_id=fields.text("run_id", layout.RUN_ID),
            workflow=Workflow.read(fields.part("workflow")),
            depth=fields.word("depth", DEPTHS),
            prompt=fields.maybe_text("prompt"),
            gates=gates,
            git_commit=fields.maybe_text("git_commit"),
            workflow_sha256=fields.maybe_text("workflow_sha256", SHA256),
        )


@dataclass(frozen=True, kw_only=True)
class GateStarted:
    """An attempt at a gate began."""

    type: ClassVar[str] = "gate.started"
    at: str
    gate: str
    attempt: int
    agent: str
    window_id: str | None
    prompt_sha256: str | None
    required_outputs: tuple[str, ...]
    contract: Contract | None

    @classmethod
    def read(cls, fields: Fields) -> GateStarted:
        """Read one; raises UnusableRecord."""
        contract = fields.maybe_part("contract")
        return cls(
            at=fields.text("at", INSTANT),
            gate=fields.text("gate", layout.NAME),
            attempt=fields.number("attempt", 1),
            agent=fields.text("agent"),
            window_id=fields.maybe_text("window_id"),
            prompt_sha256=fields.maybe_text("prompt_sha256", SHA256),
            required_outputs=fields.texts("required_outputs"),
            contract=None if contract is None else Contract.read(contract),
        )


@dataclass(frozen=True, kw_only=True)
class GateFinished:
    """An attempt ended, with what was checked and what it was checked on. `window_id`: learned only while the gate ran."""

    type: ClassVar[str] = "gate.finished"
    at: str
    gate: str
    attempt: int
    status: str
    artifacts: tuple[Artifact, ...]
    validations: tuple[dict[str, Any], ...]
    failure_reason: str | None
    window_id: str | None

    @classmethod
    def read(cls, fields: Fields) -> GateFinished:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            gate=fields.text("gate", layout.NAME),
            attempt=fields.number("attempt", 1),
            status=fields.word("status", GATE_VERDICTS),
            artifacts=tuple(Artifact.read(part) for part in fields.parts("artifacts")),
            validations=tuple(_validation(part) for part in fields.parts("validations")),
            failure_reason=fields.maybe_text("failure_reason"),
            window_id=fields.maybe_text("window_id"),
        )


@dataclass(frozen=True, kw_only=True)
class WindowOpened:
    """Services were opened for the run, until `deadline` at the latest."""

    type: ClassVar[str] = "window.opened"
    at: str
    window_id: str
    services: tuple[str, ...]
    deadline: str

    @classmethod
    def read(cls, fields: Fields) -> WindowOpened:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            window_id=fields.text("window_id"),
            services=fields.texts("services"),
            deadline=fields.text("deadline", INSTANT),
        )


@dataclass(frozen=True, kw_only=True)
class WindowClosed:
    """A window is over; `services` are those whose stop was observed, `state` is `closed` or `stuck`."""

    type: ClassVar[str] = "window.closed"
    at: str
    window_id: str
    services: tuple[str, ...]
    state: str
    reason: str

    @classmethod
    def read(cls, fields: Fields) -> WindowClosed:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            window_id=fields.text("window_id"),
            services=fields.texts("services"),
            state=fields.word("state", ("closed", "stuck")),
            reason=fields.text("reason"),
        )


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something worth telling that changes no state: `name` in capitals, `details` of the writer's own."""

    type: ClassVar[str] = "note"
    at: str
    name: str
    message: str
    gate: str | None
    details: dict[str, Any]

    @classmethod
    def read(cls, fields: Fields) -> Note:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            name=fields.text("name", _NOTE_NAME),
            message=fields.text("message"),
            gate=fields.maybe_text("gate", layout.NAME),
            details=fields.free("details"),
        )


@dataclass(frozen=True, kw_only=True)
class RunCompleted:
    """The run is over; nothing follows."""

    type: ClassVar[str] = "run.completed"
    at: str
    status: str

    @classmethod
    def read(cls, fields: Fields) -> RunCompleted:
        """Read one; raises UnusableRecord."""
        return cls(at=fields.text("at", INSTANT), status=fields.word("status", RUN_VERDICTS))


Event = RunStarted | GateStarted | GateFinished | WindowOpened | WindowClosed | Note | RunCompleted

_EVENTS: dict[str, type[Event]] = {
    event.type: event for event in (RunStarted, GateStarted, GateFinished, WindowOpened, WindowClosed, Note, RunCompleted)
}


def write(event: Event) -> dict[str, Any]:
    """The fields of the entry for `event`; raises Refused for what is not JSON."""
    try:
        nested = orjson.dumps([[[[[[[[event]]]]]]]])  # as deep as a view nests it: what can be recorded can be shown
        fields = cast("dict[str, Any]", orjson.loads(nested)[0][0][0][0][0][0][0][0])
    except orjson.JSONEncodeError as failure:
        raise Refused(f"{event.type}: {failure}") from failure
    return {"type": event.type, "v": SCHEMA_VERSION, **fields}


def read(entry: Mapping[str, Any]) -> Event:
    """The event of an entry's fields; raises UnusableRecord, naming the JSON pointer, for anything that `write` would not have written."""
    fields = Fields(dict(entry))
    kind = fields.text("type")
    version = fields.number("v", 1)
    if version > SCHEMA_VERSION:
        raise UnusableRecord(f"/v: written by a newer Windlass (schema {version}; this one reads up to {SCHEMA_VERSION})")
    if kind not in _EVENTS:
        raise UnusableRecord(f"/type: {kind[:80]!r} is none of {', '.join(_EVENTS)}")
    event = _EVENTS[kind].read(fields)
    fields.end()
    return event


def _validation(fields: Fields) -> dict[str, Any]:
    kind, passed = fields.text("type"), fields.truth("pass")
    return {"type": kind, "pass": passed, **fields.rest()}
