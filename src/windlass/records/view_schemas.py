"""RUN.json and the files of attempts as JSON Schema 2020-12, for programs that read a run and not its journal; what `views` writes.

Schema 2 only. Both are closed: a key that is not in them is none of ours. What a schema can't say (that a view is what its journal
tells) is for `windlass verify` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.records import events, fields, layout
from windlass.records.journal import SCHEMA_VERSION

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": _TEXT}
_COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
_NUMBER: Mapping[str, Any] = {"type": "integer", "minimum": 1}
_TRUTH: Mapping[str, Any] = {"type": "boolean"}


def documents() -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file in docs/reference/schemas."""
    return {"run.schema.json": of_run(), "attempt.schema.json": of_attempt()}


def of_run() -> dict[str, Any]:
    """RUN.json: the run, its gates with their attempts, what was invoked, what was made and what happened."""
    gate = _object(
        {
            "gate": _gate_id(),
            "name": _TEXT,
            "status": {"enum": ["NOT_STARTED", "RUNNING", *events.GATE_VERDICTS]},
            "attempts": {"type": "array", "items": {"$ref": "#/$defs/attempt"}},
        }
    )
    workflow = _object(
        {
            "name": _matching(layout.NAME.pattern),
            "version": _TEXT,
            "slug": _matching(layout.SLUG.pattern),
            "artifact_path": _TEXT,
        }
    )
    own = _object(
        {
            "schema_version": {"const": SCHEMA_VERSION},
            "journal_head": _sha256(),
            "git_commit": _maybe(_TEXT),
            "workflow_sha256": _maybe(_sha256()),
            "topic_sha256": _maybe(_sha256()),
            "version": _maybe(_TEXT),
        }
    )
    return {
        "$schema": _DIALECT,
        "title": f"RUN.json of a Windlass run, schema {SCHEMA_VERSION}",
        **_object(
            {
                "run_id": _matching(layout.RUN_ID.pattern),
                "workflow": workflow,
                "depth": {"enum": list(events.DEPTHS)},
                "prompt": _maybe(_TEXT),
                "status": {"enum": ["QUEUED", "RUNNING", *events.RUN_VERDICTS]},
                "started_at": _instant(),
                "finished_at": _maybe(_instant()),
                "gates": {"type": "array", "items": gate},
                "invocations": {"type": "array", "items": _invocation()},
                "artifacts_index": {"type": "array", "items": _indexed()},
                "validations": {"const": []},
                "events": {"type": "array", "items": {"oneOf": _events()}},
                "windlass": own,
            }
        ),
        "$defs": {"attempt": _attempt(), "artifact": _artifact()},
    }


def of_attempt() -> dict[str, Any]:
    """`gates/<G>/attempt-<n>.json`: one attempt as RUN.json has it too."""
    return {
        "$schema": _DIALECT,
        "title": f"An attempt at a gate of a Windlass run, schema {SCHEMA_VERSION}",
        **_attempt(),
        "$defs": {"artifact": _artifact()},
    }


def _attempt() -> dict[str, Any]:
    artifacts = {"type": "array", "items": {"$ref": "#/$defs/artifact"}}
    approval = _object({"who": _TEXT, "key_id": _TEXT, "at": _instant(), "expires_at": _instant()})
    return _object(
        {
            "attempt": _NUMBER,
            "status": {"enum": ["RUNNING", *events.GATE_VERDICTS]},
            "started_at": _instant(),
            "finished_at": _maybe(_instant()),
            "agent": _TEXT,
            "prompt_sha256": _maybe(_sha256()),
            "invocation_ids": {"type": "array", "items": _matching(events.INVOCATION_ID.pattern)},
            "required_outputs": _TEXTS,
            "artifacts": artifacts,
            "validations": {"type": "array", "items": _validation()},
            "failure_reason": _maybe(_TEXT),
            "contract": _maybe(_object({"sha256": _sha256(), "version": _TEXT})),
            "window_id": _maybe(_TEXT),
            "executor": _maybe(_TEXT),
            "inputs": artifacts,
            "out_of_order": _TRUTH,
            "approvals": {"type": "array", "items": approval},
        }
    )


def _validation() -> dict[str, Any]:
    """One check: what every type tells, and whatever else its own does."""
    known = {
        "type": _TEXT,
        "pass": _TRUTH,
        "path": _TEXT,
        "resolved_path": _TEXT,
        "code": _matching(r"[A-Z][A-Z0-9_]*"),
        "reason": {"type": "string"},
        "severity": {"enum": ["warning"]},
        "description": {"type": "string"},
    }
    return {"type": "object", "properties": known, "required": ["type", "pass"]}


def _artifact() -> dict[str, Any]:
    """A file has a hash and a size; what was not there has neither."""
    paths = {"path": _TEXT, "resolved_path": _TEXT}
    there = _object({**paths, "sha256": _sha256(), "size": _COUNT, "exists": {"const": True}})
    missing = _object({**paths, "sha256": {"type": "null"}, "size": {"type": "null"}, "exists": {"const": False}})
    return {"oneOf": [there, missing]}


def _indexed() -> dict[str, Any]:
    line = {"path": _TEXT, "resolved_path": _TEXT, "sha256": _sha256(), "size": _COUNT, "gate": _gate_id(), "recorded_at": _instant()}
    return _object(line, updated_at=_instant())


def _invocation() -> dict[str, Any]:
    return _object(
        {
            "invocation_id": _matching(events.INVOCATION_ID.pattern),
            "gate": _gate_id(),
            "agent": _TEXT,
            "model": _TEXT,
            "started_at": _instant(),
            "finished_at": _instant(),
            "duration_ms": _COUNT,
            "status": {"enum": list(events.INVOCATION_VERDICTS)},
            "input_refs": _TEXTS,
            "output_refs": _TEXTS,
            "attempt": _maybe(_NUMBER),
            "tokens_in": _maybe(_COUNT),
            "tokens_out": _maybe(_COUNT),
            "cost_usd": _maybe({"type": "number", "minimum": 0}),
        }
    )


def _events() -> list[dict[str, Any]]:
    """Each kind of event with what it tells; the last one is for notes, which have a name of their own and `details`."""
    gate, attempt = {"gate": _gate_id()}, {"gate": _gate_id(), "attempt": _NUMBER}
    window = {"window_id": _TEXT, "services": _TEXTS}
    message = {"message": {"type": "string"}}
    told: dict[str, dict[str, Any]] = {
        "RUN_STARTED": message,
        "GATE_STARTED": {**attempt, "agent": _TEXT, **message},
        "GATE_PASSED": {**attempt, **message},
        "GATE_FAILED": {**attempt, **message},
        "INVOCATION_RECORDED": {"invocation_id": _matching(events.INVOCATION_ID.pattern), **gate, "agent": _TEXT},
        "GATE_APPROVED": {**attempt, "who": _TEXT, "key_id": _TEXT, **message},
        "RUN_RESUMED": {**gate, **message},
        "WINDOW_OPENED": {**window, "deadline": _instant(), **message},
        "WINDOW_CLOSED": {**window, "state": {"enum": ["closed", "stuck"]}, **message},
        "RUN_COMPLETED": message,
    }
    known = [_object({"timestamp": _instant(), "type": {"const": kind}, **keys}) for kind, keys in told.items()]
    note = {"timestamp": _instant(), "type": _matching(r"[A-Z][A-Z0-9_]{0,63}"), "details": {"type": "object"}, "message": _TEXT}
    return [*known, _object(note, **gate)]


def _gate_id() -> dict[str, Any]:
    return _matching(layout.NAME.pattern)


def _sha256() -> dict[str, Any]:
    return _matching(fields.SHA256.pattern)


def _instant() -> dict[str, Any]:
    return _matching(fields.INSTANT.pattern)


def _matching(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _maybe(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(schema), {"type": "null"}]}


def _object(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required), "additionalProperties": False}
