"""The events of a run as values, each read strictly from an entry of the run's journal.

A class says what its entry holds besides `type`, `v` and the chain's own fields; `journal` knows what older schemas lacked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from windlass.errors import UnusableRecord
from windlass.records import layout
from windlass.records.artifacts import Artifact
from windlass.records.fields import INSTANT, SHA256, Fields

Depth = Literal["quick", "standard", "deep"]
GateVerdict = Literal["PASS", "FAIL"]
RunVerdict = Literal["PASSED", "FAILED", "CANCELED"]
DEPTHS: tuple[Depth, ...] = ("quick", "standard", "deep")
GATE_VERDICTS: tuple[GateVerdict, ...] = ("PASS", "FAIL")
RUN_VERDICTS: tuple[RunVerdict, ...] = ("PASSED", "FAILED", "CANCELED")
InvocationVerdict = Literal["SUCCESS", "FAIL"]
INVOCATION_VERDICTS: tuple[InvocationVerdict, ...] = ("SUCCESS", "FAIL")
INVOCATION_ID = re.compile(r"inv_\d{10,16}_[a-z0-9]{4,32}")
"""`inv_<epoch milliseconds>_<random>`, ours and the original's."""

_WORD = re.compile(r"[a-z][a-z0-9_-]{0,63}")
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
    """A run exists, with the gates that it must pass. `prompt`: the topic as text; `topic_sha256`: of its bytes, which the record carries."""

    type: ClassVar[str] = "run.started"
    at: str
    run_id: str
    workflow: Workflow
    depth: str
    prompt: str | None
    gates: tuple[GateName, ...]
    git_commit: str | None
    workflow_sha256: str | None
    topic_sha256: str | None
    windlass_version: str | None

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
            topic_sha256=fields.maybe_text("topic_sha256", SHA256),
            windlass_version=fields.maybe_text("windlass_version"),
        )


@dataclass(frozen=True, kw_only=True)
class GateStarted:
    """An attempt at a gate began. `inputs`: what it was given, hashed then; `out_of_order`: a gate before it had not passed."""

    type: ClassVar[str] = "gate.started"
    at: str
    gate: str
    attempt: int
    agent: str
    window_id: str | None
    prompt_sha256: str | None
    required_outputs: tuple[str, ...]
    contract: Contract | None
    executor: str | None
    inputs: tuple[Artifact, ...]
    out_of_order: bool

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
            executor=fields.maybe_text("executor", _WORD),
            inputs=tuple(Artifact.of(*found) for found in fields.located("inputs")),
            out_of_order=fields.truth("out_of_order"),
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
            artifacts=tuple(Artifact.of(*found) for found in fields.located("artifacts")),
            validations=tuple(_validation(*found) for found in fields.located("validations")),
            failure_reason=fields.maybe_text("failure_reason"),
            window_id=fields.maybe_text("window_id"),
        )


@dataclass(frozen=True, kw_only=True)
class InvocationRecorded:
    """An agent was invoked for a gate: when, for how long (milliseconds), how it ended, on what, and what it cost (tokens, US dollars).

    `attempt`: the gate's newest attempt when it was recorded, None when the gate had not been started. Source of the shape: the
    original runner's records.
    """

    type: ClassVar[str] = "invocation.recorded"
    at: str
    invocation_id: str
    gate: str
    attempt: int | None
    agent: str
    model: str
    started_at: str
    finished_at: str
    duration_ms: int
    status: str
    input_refs: tuple[str, ...]
    output_refs: tuple[str, ...]
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None

    @classmethod
    def read(cls, fields: Fields) -> InvocationRecorded:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            invocation_id=fields.text("invocation_id", INVOCATION_ID),
            gate=fields.text("gate", layout.NAME),
            attempt=fields.maybe_number("attempt", 1),
            agent=fields.text("agent"),
            model=fields.text("model"),
            started_at=fields.text("started_at", INSTANT),
            finished_at=fields.text("finished_at", INSTANT),
            duration_ms=fields.number("duration_ms", 0),
            status=fields.word("status", INVOCATION_VERDICTS),
            input_refs=fields.texts("input_refs"),
            output_refs=fields.texts("output_refs"),
            tokens_in=fields.maybe_number("tokens_in", 0),
            tokens_out=fields.maybe_number("tokens_out", 0),
            cost_usd=fields.maybe_amount("cost_usd"),
        )


@dataclass(frozen=True, kw_only=True)
class GateApproved:
    """Somebody approved what a running attempt made. `envelope` is the signed approval; `keys_sha256` the keys file that it was held against."""

    type: ClassVar[str] = "gate.approved"
    at: str
    gate: str
    attempt: int
    who: str
    key_id: str
    nonce: str
    expires_at: str
    keys_sha256: str
    envelope: dict[str, Any]

    @classmethod
    def read(cls, fields: Fields) -> GateApproved:
        """Read one; raises UnusableRecord."""
        return cls(
            at=fields.text("at", INSTANT),
            gate=fields.text("gate", layout.NAME),
            attempt=fields.number("attempt", 1),
            who=fields.text("who"),
            key_id=fields.text("key_id"),
            nonce=fields.text("nonce"),
            expires_at=fields.text("expires_at", INSTANT),
            keys_sha256=fields.text("keys_sha256", SHA256),
            envelope=fields.free("envelope"),
        )


@dataclass(frozen=True, kw_only=True)
class RunResumed:
    """Work on the run went on, from `gate`."""

    type: ClassVar[str] = "run.resumed"
    at: str
    gate: str
    reason: str

    @classmethod
    def read(cls, fields: Fields) -> RunResumed:
        """Read one; raises UnusableRecord."""
        return cls(at=fields.text("at", INSTANT), gate=fields.text("gate", layout.NAME), reason=fields.text("reason"))


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


Event = RunStarted | GateStarted | GateFinished | InvocationRecorded | GateApproved | RunResumed | WindowOpened | WindowClosed | Note | RunCompleted


def _validation(content: object, pointer: str) -> dict[str, Any]:
    if type(content) is dict and type(content.get("type")) is str and content["type"] and type(content.get("pass")) is bool:
        return {"type": content["type"], "pass": content["pass"], **content}
    fields = Fields(content, pointer)
    kind, passed = fields.text("type"), fields.truth("pass")
    return {"type": kind, "pass": passed, **fields.rest()}
