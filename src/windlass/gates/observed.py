"""What was seen beside the contract while an attempt was worked on: services that came and went, files that the work left as evidence.

An attempt that waits for approvals is not worked on again. What was seen then stands in the record as a note, so that whoever goes on
after the approval, in whichever process, finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windlass.records.artifacts import Artifact
from windlass.records.events import Note
from windlass.records.run import RunRecord

NOTE = "WAITS_FOR_APPROVAL"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What belongs to the verdict on an attempt. `reason`: why it fails, whatever its outputs are. `evidence`: files of the record."""

    checks: Sequence[dict[str, Any]] = ()
    evidence: Sequence[Artifact] = ()
    reason: str | None = None
    window_id: str | None = None


NOTHING = Observed()


def keep(record: RunRecord, gate: str, attempt: int, waits_for: str, seen: Observed) -> None:
    """Record, once, that all is done but the approvals, with what was seen."""
    if kept(record, gate, attempt) is None:
        details = {"attempt": attempt, "checks": list(seen.checks), "evidence": [found.path for found in seen.evidence], "window_id": seen.window_id}
        record.event(NOTE, waits_for, gate=gate, details=details)


def kept(record: RunRecord, gate: str, attempt: int) -> Observed | None:
    """What was seen when the attempt began to wait, None where it does not wait."""
    for event in reversed(record.run.happened):
        if isinstance(event, Note) and (event.name, event.gate, event.details.get("attempt")) == (NOTE, gate, attempt):
            seen = event.details
            evidence = [record.artifact(template) for template in seen["evidence"]]
            return Observed(checks=seen["checks"], evidence=evidence, window_id=seen["window_id"])
    return None
