"""A run as SARIF 2.1.0, as code scanning reads it: a result per check that failed or warned in the newest attempt of each gate.

A gate that failed without a failed check, or never ran, is a result too: an empty list of results must mean that nothing is wrong.
Source: OASIS SARIF 2.1.0 with errata 01; what GitHub asks for beyond it is a physical location with a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windlass import __version__
from windlass.infra import escapes, instants
from windlass.records import layout
from windlass.records.artifacts import IN_RECORD
from windlass.records.attest.told import Attempt, Check, Gate, Story

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RECORD, ROOT = "RECORD", "PROJECT_ROOT"
"""Base ids: the record's directory, and the project's root. Neither is told as an absolute path."""
_RULES = {
    "GATE_FAILED": "The gate failed, and no check of it did: somebody failed it by hand, or it was interrupted.",
    "NOT_RUN": "The gate was never started.",
    "NOT_FINISHED": "The newest attempt at the gate has not finished.",
    "MISSING_ARTIFACT": "A file that the contract asks for does not exist.",
    "EMPTY_FILE": "A file that the contract asks for is empty.",
    "NOT_A_FILE": "What the contract asks for is no regular file.",
    "OUTSIDE_ROOT": "A path leads out of the project.",
    "UNREADABLE": "A file can't be read.",
    "HEADING_MISMATCH": "A heading that the contract asks for is not there.",
    "VALIDATION_FAILED": "A check of the contract does not hold.",
    "TOO_LARGE": "A file is larger than the check reads.",
    "LINE_TOO_LONG": "A line is longer than the check reads.",
    "TIMEOUT": "A check did not end in time.",
    "CONTRACT_INVALID": "The contract itself does not fit.",
    "NOT_ALLOWED": "The check may not run here.",
}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One result; lives as long as the rendering."""

    gate: str
    attempt: Attempt | None
    rule: str
    level: str
    message: str
    uri: str
    base: str
    line: int
    what: str
    """What stays the same when the run is repeated: a reader of many runs knows the trouble again by it."""


def render(story: Story, record: str | None = None) -> str:
    """The document, ASCII JSON. `record`: the record's directory relative to the project's root, where it lies below it."""
    return escapes.json_document(log(story, record))


def log(story: Story, record: str | None = None) -> dict[str, Any]:
    """The SARIF log, as JSON values."""
    troubles = [trouble for gate in story.gates for trouble in _troubles(gate)]
    rules = sorted({trouble.rule for trouble in troubles})
    bases: dict[str, Any] = {ROOT: {"description": {"text": "The root of the project that the run belongs to."}}}
    bases[RECORD] = {"uri": quote(record) + "/", "uriBaseId": ROOT} if record else {"description": {"text": "The record's directory."}}
    driver = {"name": "Windlass", "version": __version__, "semanticVersion": __version__, "rules": [_rule(rule) for rule in rules]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"windlass/{story.run.started.workflow.name}/{story.run.started.workflow.slug}/{story.run_id}"},
                "invocations": [_invocation(story)],
                "originalUriBaseIds": bases,
                "columnKind": "unicodeCodePoints",
                "results": [_result(trouble, rules.index(trouble.rule)) for trouble in troubles],
                "properties": {"runId": story.run_id, "status": story.status, "journalHead": story.head, "record": story.verdict},
            }
        ],
    }


def _troubles(gate: Gate) -> Iterator[Trouble]:
    newest = gate.newest
    if newest is None:
        yield _own(gate, None, "NOT_RUN", f"Gate {gate.gate} ({gate.name}) was never started.")
        return
    for check in newest.troubles:
        yield _checked(newest, check)
    if newest.finished_at is None:
        yield _own(gate, newest, "NOT_FINISHED", f"Gate {gate.gate} ({gate.name}): attempt {newest.number} has not finished.")
    elif newest.status != "PASS" and not any(check.outcome == "failed" for check in newest.checks):
        yield _own(gate, newest, "GATE_FAILED", f"Gate {gate.gate} ({gate.name}) failed: {newest.failure_reason}")


def _own(gate: Gate, attempt: Attempt | None, rule: str, message: str) -> Trouble:
    uri = layout.attempt(gate.gate, attempt.number) if attempt else layout.RUN
    return Trouble(gate=gate.gate, attempt=attempt, rule=rule, level="error", message=message, uri=uri, base=RECORD, line=1, what="gate")


def _checked(attempt: Attempt, check: Check) -> Trouble:
    said = f"{attempt.gate}: {check.name}: {check.says or 'does not hold'}"
    uri, base = check.resolved_path or "", ROOT
    if uri.startswith(IN_RECORD):
        uri, base = uri.removeprefix(IN_RECORD), RECORD
    if "{" in uri or any(part in ("", ".", "..") for part in uri.split("/")):  # no file of the project: what the check said lies in the attempt
        uri, base = layout.attempt(attempt.gate, attempt.number), RECORD
    level = "error" if check.outcome == "failed" else "warning"
    line = check.line if check.line and base == ROOT else 1
    return Trouble(gate=attempt.gate, attempt=attempt, rule=check.rule, level=level, message=said, uri=uri, base=base, line=line, what=check.name)


def _result(trouble: Trouble, rule: int) -> dict[str, Any]:
    location = {"artifactLocation": {"uri": quote(trouble.uri), "uriBaseId": trouble.base}, "region": {"startLine": trouble.line}}
    known = hashlib.sha256(json.dumps([trouble.gate, trouble.rule, trouble.what, trouble.uri]).encode()).hexdigest()
    return {
        "ruleId": _rule_id(trouble.rule),
        "ruleIndex": rule,
        "kind": "fail",
        "level": trouble.level,
        "message": {"text": _message(trouble.message)},
        "locations": [{"physicalLocation": location, "logicalLocations": [{"name": trouble.gate, "kind": "gate"}]}],
        "partialFingerprints": {"windlassCheck/v1": known},
        "properties": {"gate": trouble.gate, "attempt": trouble.attempt.number if trouble.attempt else None},
    }


def _rule(rule: str) -> dict[str, Any]:
    says = _RULES.get(rule, f"The check {rule} of a gate's contract does not hold.")
    return {"id": _rule_id(rule), "shortDescription": {"text": _message(says)}}


def _rule_id(rule: str) -> str:
    return escapes.visible(rule)


def _message(text: str) -> str:
    """A message's text: brackets would make a link of it (3.11.6), braces a placeholder (3.11.5)."""
    shown = escapes.visible(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return shown.replace("{", "{{").replace("}", "}}")


def _invocation(story: Story) -> dict[str, Any]:
    times = {"startTimeUtc": instants.stamp(story.started_at), **({"endTimeUtc": instants.stamp(story.finished_at)} if story.finished_at else {})}
    return {"executionSuccessful": story.finished_at is not None and story.status != "CANCELED", **times}
