"""A run in lines that a person reads, from its RUN.json, whoever wrote it: nothing is assumed to be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(view: Mapping[str, Any]) -> Iterator[str]:
    """The run, its gates with their attempts and failed checks, its invocations and its end."""
    workflow = _object(view.get("workflow"))
    yield f"run         {_text(view.get('run_id'))}"
    yield f"workflow    {_text(workflow.get('name'))} {_text(workflow.get('version'))}".rstrip()
    yield f"slug        {_text(workflow.get('slug'))}"
    yield f"artifacts   {_text(workflow.get('artifact_path'))}"
    yield f"depth       {_text(view.get('depth'))}"
    yield f"status      {_text(view.get('status'))}"
    yield f"started     {_text(view.get('started_at'))}"
    yield f"finished    {_text(view.get('finished_at')) or '-'}"
    if view.get("prompt"):
        yield f"prompt      {_text(view['prompt']).strip()[:200]}"
    for gate in _objects(view.get("gates")):
        yield ""
        yield f"{_text(gate.get('gate'))}  {_text(gate.get('status'))}  {_text(gate.get('name'))}".rstrip()
        for attempt in _objects(gate.get("attempts")):
            yield from _attempt(attempt)
    invocations = _objects(view.get("invocations"))
    if invocations:
        yield ""
    for invocation in invocations:
        yield f"invocation  {' '.join(_text(invocation.get(key)) for key in ('invocation_id', 'gate', 'agent', 'status', 'model'))}"
    own = _object(view.get("windlass"))
    if own:
        yield ""
        yield f"head        {_text(own.get('journal_head'))}"


def _attempt(attempt: Mapping[str, Any]) -> Iterator[str]:
    checks = _objects(attempt.get("validations"))
    artifacts = [found for found in _objects(attempt.get("artifacts")) if found.get("exists")]
    passed = sum(check.get("pass") is True for check in checks)
    facts = f"{passed} of {len(checks)} checks passed, {len(artifacts)} artifacts" if attempt.get("finished_at") else "not finished"
    named = "  ".join(_text(attempt.get(key)) for key in ("attempt", "status"))
    yield f"  attempt {named}  by {_text(attempt.get('agent'))}  {_text(attempt.get('started_at'))}  {facts}"
    for check in checks:
        if check.get("pass") is not True:
            warned = "warning " if check.get("severity") == "warning" else ""
            why = _text(check.get("reason")) or _text(check.get("code")) or "failed"
            yield f"    {warned}{_text(check.get('type'))} {_text(check.get('path'))}: {why}"
    reason = _text(attempt.get("failure_reason"))
    if reason and not any(_text(check.get("reason")) and _text(check["reason"]) in reason for check in checks if check.get("pass") is not True):
        yield f"    {reason}"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
