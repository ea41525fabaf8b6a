"""The views of a run, in the seed's shape and byte for byte reproducible: RUN.json and one file per attempt. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from windlass.errors import UnusableRecord
from windlass.records import journal, layout
from windlass.records.artifacts import Artifact
from windlass.records.journal import Event, GateFinished, GateStarted, Note, RunCompleted, RunStarted, WindowClosed, WindowOpened
from windlass.records.state import Attempt, Gate, Run


def files(run: Run) -> dict[str, bytes]:
    """Every view of the run: path relative to the record → content. RUN.json is last, as it is written last."""
    attempts = {layout.attempt(gate.gate, attempt.started.attempt): attempt_file(attempt) for gate in run.gates.values() for attempt in gate.attempts}
    return {**attempts, layout.RUN: run_file(run)}


def run_file(run: Run) -> bytes:
    """The content of RUN.json."""
    return _content(run_view(run))


def attempt_file(attempt: Attempt) -> bytes:
    """The content of an attempt's file."""
    return _content(attempt_view(attempt))


def run_view(run: Run) -> dict[str, Any]:
    """RUN.json. It grows with the work, not with its square: each attempt and each artifact of a pass is told once."""
    started, workflow = run.started, run.started.workflow
    return {
        "run_id": started.run_id,
        "workflow": {"name": workflow.name, "version": workflow.version, "slug": workflow.slug, "artifact_path": workflow.artifact_path},
        "depth": started.depth,
        "prompt": started.prompt,
        "status": run.status,
        "started_at": started.at,
        "finished_at": run.completed.at if run.completed else None,
        "gates": [
            {"gate": gate.gate, "name": gate.name, "status": gate.status, "attempts": [attempt_view(attempt) for attempt in gate.attempts]}
            for gate in run.gates.values()
        ],
        "invocations": [],
        "artifacts_index": [line for gate in run.gates.values() for line in _indexed(gate)],
        "validations": [],
        "events": [_happened(event) for event in run.happened],
        "windlass": {
            "schema_version": journal.SCHEMA_VERSION,
            "journal_head": run.head,
            "git_commit": started.git_commit,
            "workflow_sha256": started.workflow_sha256,
        },
    }


def attempt_view(attempt: Attempt) -> dict[str, Any]:
    """One attempt, running or finished."""
    started, finished = attempt.started, attempt.finished
    return {
        "attempt": started.attempt,
        "status": attempt.status,
        "started_at": started.at,
        "finished_at": finished.at if finished else None,
        "agent": started.agent,
        "prompt_sha256": started.prompt_sha256,
        "invocation_ids": [],
        "required_outputs": list(started.required_outputs),
        "artifacts": [_artifact(found) for found in finished.artifacts] if finished else [],
        "validations": list(finished.validations) if finished else [],
        "failure_reason": finished.failure_reason if finished else None,
        "contract": {"sha256": started.contract.sha256, "version": started.contract.version} if started.contract else None,
        "window_id": started.window_id or (finished.window_id if finished else None),
    }


def _artifact(found: Artifact) -> dict[str, Any]:
    return {"path": found.path, "resolved_path": found.resolved_path, "sha256": found.sha256, "size": found.size, "exists": found.exists}


def _indexed(gate: Gate) -> list[dict[str, Any]]:
    passed = [attempt.finished for attempt in gate.attempts if attempt.finished and attempt.status == "PASS"]
    if not passed:
        return []
    newest = passed[-1]
    return [
        {
            "path": found.path,
            "resolved_path": found.resolved_path,
            "sha256": found.sha256,
            "size": found.size,
            "gate": gate.gate,
            "recorded_at": newest.at,
        }
        for found in newest.artifacts
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
