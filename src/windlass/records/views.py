"""The views of a run, in the seed's shape and byte for byte reproducible: RUN.json and one file per attempt. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from windlass.errors import UnusableRecord
from windlass.records import layout
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
from windlass.records.state import Attempt, Gate, Run


def files(run: Run) -> dict[str, bytes]:
    """Every view of the run: path relative to the record → content. RUN.json is last, as it is written last."""
    attempts = {
        layout.attempt(gate.gate, attempt.started.attempt): attempt_file(run, attempt) for gate in run.gates.values() for attempt in gate.attempts
    }
    return {**attempts, layout.RUN: run_file(run)}


def run_file(run: Run) -> bytes:
    """The content of RUN.json."""
    return _content(run_view(run))


def attempt_file(run: Run, attempt: Attempt) -> bytes:
    """The content of an attempt's file."""
    return _content(attempt_view(run, attempt, _invocation_ids(run)))


def invocation_file(event: InvocationRecorded) -> bytes:
    """The content of an invocation's file among the logs."""
    return _content(_invocation(event))


def run_view(run: Run) -> dict[str, Any]:
    """RUN.json. It grows with the work, not with its square: each attempt is told once, and each artifact once more."""
    started, workflow, invoked = run.started, run.started.workflow, _invocation_ids(run)
    return {
        "run_id": started.run_id,
        "workflow": {"name": workflow.name, "version": workflow.version, "slug": workflow.slug, "artifact_path": workflow.artifact_path},
        "depth": started.depth,
        "prompt": started.prompt,
        "status": run.status,
        "started_at": started.at,
        "finished_at": run.completed.at if run.completed else None,
        "gates": [
            {
                "gate": gate.gate,
                "name": gate.name,
                "status": gate.status,
                "attempts": [attempt_view(run, attempt, invoked) for attempt in gate.attempts],
            }
            for gate in run.gates.values()
        ],
        "invocations": [_invocation(event) for event in run.invocations],
        "artifacts_index": _index(run) if run.version > 1 else [line for gate in run.gates.values() for line in _index_of_1(gate)],
        "validations": [],
        "events": [_happened(event) for event in run.happened],
        "windlass": {
            "schema_version": run.version,
            "journal_head": run.head,
            "git_commit": started.git_commit,
            "workflow_sha256": started.workflow_sha256,
            **({"topic_sha256": started.topic_sha256, "version": started.windlass_version} if run.version > 1 else {}),
        },
    }


def attempt_view(run: Run, attempt: Attempt, invoked: Mapping[tuple[str, int | None], list[str]]) -> dict[str, Any]:
    """One attempt, running or finished; `invoked`: the ids of invocations by gate and attempt."""
    started, finished = attempt.started, attempt.finished
    view = {
        "attempt": started.attempt,
        "status": attempt.status,
        "started_at": started.at,
        "finished_at": finished.at if finished else None,
        "agent": started.agent,
        "prompt_sha256": started.prompt_sha256,
        "invocation_ids": invoked.get((started.gate, started.attempt), []),
        "required_outputs": list(started.required_outputs),
        "artifacts": [_artifact(found) for found in finished.artifacts] if finished else [],
        "validations": list(finished.validations) if finished else [],
        "failure_reason": finished.failure_reason if finished else None,
        "contract": {"sha256": started.contract.sha256, "version": started.contract.version} if started.contract else None,
        "window_id": started.window_id or (finished.window_id if finished else None),
    }
    if run.version > 1:
        approvals = run.approvals(started.gate, started.attempt)
        view |= {
            "executor": started.executor,
            "inputs": [_artifact(found) for found in started.inputs],
            "out_of_order": started.out_of_order,
            "approvals": [{"who": event.who, "key_id": event.key_id, "at": event.at, "expires_at": event.expires_at} for event in approvals],
        }
    return view


def _invocation_ids(run: Run) -> dict[tuple[str, int | None], list[str]]:
    ids: dict[tuple[str, int | None], list[str]] = {}
    for event in run.invocations:
        ids.setdefault((event.gate, event.attempt), []).append(event.invocation_id)
    return ids


def _invocation(event: InvocationRecorded) -> dict[str, Any]:
    return {
        "invocation_id": event.invocation_id,
        "gate": event.gate,
        "agent": event.agent,
        "model": event.model,
        "started_at": event.started_at,
        "finished_at": event.finished_at,
        "duration_ms": event.duration_ms,
        "status": event.status,
        "input_refs": list(event.input_refs),
        "output_refs": list(event.output_refs),
        "attempt": event.attempt,
        "tokens_in": event.tokens_in,
        "tokens_out": event.tokens_out,
        "cost_usd": event.cost_usd,
    }


def _artifact(found: Artifact) -> dict[str, Any]:
    return {"path": found.path, "resolved_path": found.resolved_path, "sha256": found.sha256, "size": found.size, "exists": found.exists}


def _index(run: Run) -> list[dict[str, Any]]:
    """Each file once, as an attempt saw it last, with the instants when it was first and (if ever) again recorded."""
    lines: dict[str, dict[str, Any]] = {}
    for event, found in run.recorded():
        line = {"path": found.path, "resolved_path": found.resolved_path, "sha256": found.sha256, "size": found.size, "gate": event.gate}
        earlier = lines.get(found.path)
        lines[found.path] = line | ({"recorded_at": earlier["recorded_at"], "updated_at": event.at} if earlier else {"recorded_at": event.at})
    return list(lines.values())


def _index_of_1(gate: Gate) -> list[dict[str, Any]]:
    """Schema 1 told the files of each gate's newest pass only."""
    passed = [attempt.finished for attempt in gate.attempts if attempt.finished and attempt.status == "PASS"]
    return [
        {
            "path": found.path,
            "resolved_path": found.resolved_path,
            "sha256": found.sha256,
            "size": found.size,
            "gate": gate.gate,
            "recorded_at": passed[-1].at,
        }
        for found in (passed[-1].artifacts if passed else ())
        if found.exists
    ]


def _happened(event: Event) -> dict[str, Any]:
    match event:
        case RunStarted():
            return _line(event.at, "RUN_STARTED", f"Run initialized for {event.workflow.name}/{event.workflow.slug}")
        case GateStarted():
            message = f"Gate {event.gate} attempt {event.attempt} started with agent {event.agent}"
            return _line(event.at, "GATE_STARTED", message, gate=event.gate, attempt=event.attempt, agent=event.agent)
        case GateFinished(status="PASS"):
            message = f"Gate {event.gate} passed on attempt {event.attempt}"
            return _line(event.at, "GATE_PASSED", message, gate=event.gate, attempt=event.attempt)
        case GateFinished():
            message = f"Gate {event.gate} failed: {event.failure_reason}"
            return _line(event.at, "GATE_FAILED", message, gate=event.gate, attempt=event.attempt)
        case InvocationRecorded():
            return {
                "timestamp": event.at,
                "type": "INVOCATION_RECORDED",
                "invocation_id": event.invocation_id,
                "gate": event.gate,
                "agent": event.agent,
            }
        case GateApproved():
            message = f"Gate {event.gate} attempt {event.attempt} approved by {event.who}"
            return _line(event.at, "GATE_APPROVED", message, gate=event.gate, attempt=event.attempt, who=event.who, key_id=event.key_id)
        case RunResumed():
            return _line(event.at, "RUN_RESUMED", f"Run resumed from gate {event.gate}: {event.reason}", gate=event.gate)
        case WindowOpened():
            message = f"Window {event.window_id} opened until {event.deadline}"
            return _line(event.at, "WINDOW_OPENED", message, window_id=event.window_id, services=event.services, deadline=event.deadline)
        case WindowClosed():
            message = f"Window {event.window_id} {event.state}: {event.reason}"
            return _line(event.at, "WINDOW_CLOSED", message, window_id=event.window_id, services=event.services, state=event.state)
        case Note():
            return _line(event.at, event.name, event.message, **({"gate": event.gate} if event.gate else {}), details=event.details)
        case RunCompleted():
            return _line(event.at, "RUN_COMPLETED", f"Run completed: {event.status}")


def _line(at: str, kind: str, message: str, **fields: Any) -> dict[str, Any]:
    return {"timestamp": at, "type": kind, **fields, "message": message}


def _content(view: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(view, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as failure:  # a journal may be nested deeper than JSON can be written
        raise UnusableRecord(f"the run can't be shown as JSON: {failure}") from failure
