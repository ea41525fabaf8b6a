"""A run as JSON values for programs: what `windlass report --json` prints, and what two runs are compared by."""

from __future__ import annotations

from typing import Any

from windlass.infra import instants
from windlass.records.attest.told import Attempt, Check, Cost, Story

SCHEMA_VERSION = 1


def summary(story: Story) -> dict[str, Any]:
    """The run; durations in milliseconds, cost in US dollars as text, so that no digit of it is lost."""
    started = story.run.started
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": story.run_id,
        "status": story.status,
        "workflow": {
            "name": started.workflow.name,
            "version": started.workflow.version,
            "slug": started.workflow.slug,
            "artifact_path": started.workflow.artifact_path,
            "sha256": started.workflow_sha256,
        },
        "depth": started.depth,
        "git_commit": started.git_commit,
        "started_at": started.at,
        "finished_at": instants.stamp(story.finished_at) if story.finished_at else None,
        "took_ms": round(story.took_ms),
        "record": {"verdict": story.verdict, "entries": story.entries, "head": story.head},
        "gates": [
            {"gate": gate.gate, "name": gate.name, "status": gate.status, "attempts": [_attempt(attempt) for attempt in gate.attempts]}
            for gate in story.gates
        ],
        "artifacts": [
            {"path": artifact.resolved_path, "sha256": artifact.sha256, "size": artifact.size, "gate": attempt.gate}
            for attempt, artifact in story.newest_artifacts()
        ],
        "windows": [
            {
                "window_id": window.window_id,
                "services": list(window.services),
                "opened_at": instants.stamp(window.opened_at),
                "closed_at": instants.stamp(window.closed_at) if window.closed_at else None,
                "state": window.state,
                "reason": window.reason,
            }
            for window in story.windows
        ],
        "cost": _cost(story.cost),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "status": attempt.status,
        "agent": attempt.agent,
        "executor": attempt.executor,
        "started_at": instants.stamp(attempt.started_at),
        "took_ms": None if attempt.took_ms is None else round(attempt.took_ms),
        "failure_reason": attempt.failure_reason,
        "contract_sha256": attempt.contract_sha256,
        "out_of_order": attempt.out_of_order,
        "approved_by": [approval.who for approval in attempt.approvals],
        "checks": [_check(check) for check in attempt.checks],
        "cost": _cost(attempt.cost),
    }


def _check(check: Check) -> dict[str, Any]:
    return {"type": check.type, "path": check.path, "outcome": check.outcome, "code": check.code, "says": check.says}


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "invocations": cost.invocations,
        "failed": cost.failed,
        "tokens_in": cost.tokens_in,
        "tokens_out": cost.tokens_out,
        "cost_usd": None if cost.cost_usd is None else f"{cost.cost_usd:f}",
        "duration_ms": cost.duration_ms,
    }
