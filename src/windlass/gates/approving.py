"""Counts the approvals of an attempt that is about to be finished."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from windlass.errors import Refused
from windlass.records.approvals import content as contents
from windlass.records.approvals import tally, trust
from windlass.records.checks.judge import Judgement
from windlass.records.contracts.contract import Contract
from windlass.records.events import GateStarted
from windlass.records.projects import Project
from windlass.records.run import RunRecord


def counted(
    record: RunRecord, project: Project, contract: Contract, started: GateStarted, judgement: Judgement, now: datetime
) -> tuple[Judgement, str | None]:
    """The judgement with the approvals as one more check, and what the gate waits for when there are too few."""
    rule = contract.approvals
    if rule is None:
        return judgement, None
    envelopes = [event.envelope for event in record.run.approvals(started.gate, started.attempt)]
    content = contents.of(record.run, started.gate, started.attempt, judgement.artifacts)
    try:
        trusted = trust.trusted(project)
    except Refused as refusal:
        return judgement, f"{rule.quorum} approvals, and no keys can be trusted: {refusal}"
    found = tally.count(envelopes, rule, content, trusted.keys, now)
    if found.missing:
        stale = "; ".join(f"{one.key_id or 'an approval'}: {one.reason}" for one in found.rejected)
        told = f"{found}, role {' or '.join(rule.roles)}: windlass gate approve --run {record.run_id} --gate {started.gate} --as WHO"
        return judgement, told + (f" (not counted: {stale})" if stale else "")
    result: dict[str, Any] = {
        "type": "approvals",
        "pass": True,
        "quorum": rule.quorum,
        "valid": [{"who": one.key.who, "key_id": one.key.key_id} for one in found.valid],
        "rejected": [{"key_id": one.key_id, "reason": one.reason} for one in found.rejected],
    }
    return replace(judgement, validations=(*judgement.validations, result)), None
