"""What is approved: the outputs of one attempt as they were judged, under the contract and the packet of that attempt. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import rfc8785

from windlass.errors import Refused
from windlass.records.artifacts import Artifact
from windlass.records.state import Run


@dataclass(frozen=True, kw_only=True)
class Content:
    """One attempt and what it made; `agent` made it, and can't approve it."""

    run_id: str
    gate: str
    attempt: int
    journal_head_at_start: str
    """The hash of the journal's entry that began the attempt: a copy of the run with another history has another."""
    contract_sha256: str | None
    prompt_sha256: str | None
    artifacts_sha256: str
    agent: str

    def bound(self) -> dict[str, Any]:
        """What an approval repeats and is held against, word for word."""
        return {name: value for name, value in vars(self).items() if name != "agent"}


def of(run: Run, gate: str, attempt: int, artifacts: Iterable[Artifact]) -> Content:
    """The content of an attempt whose outputs are `artifacts`; raises Refused when there is no such attempt."""
    attempts = run.gates[gate].attempts if gate in run.gates else ()
    if not 0 < attempt <= len(attempts):
        raise Refused(f"gate {gate}: there is no attempt {attempt} to approve")
    started = attempts[attempt - 1].started
    return Content(
        run_id=run.started.run_id,
        gate=gate,
        attempt=attempt,
        journal_head_at_start=run.starts[gate, attempt],
        contract_sha256=started.contract.sha256 if started.contract else None,
        prompt_sha256=started.prompt_sha256,
        artifacts_sha256=digest(artifacts),
        agent=started.agent,
    )


def digest(artifacts: Iterable[Artifact]) -> str:
    """The SHA-256 of the canonical JSON (RFC 8785) of `[{"path", "sha256"}]`, each file once, sorted; null for a file that is not there."""
    listed = sorted({(found.resolved_path, found.sha256 or "") for found in artifacts})
    try:
        content = rfc8785.dumps([{"path": path, "sha256": sha256 or None} for path, sha256 in listed])
    except rfc8785.CanonicalizationError as failure:
        raise Refused(f"the outputs can't be approved: {failure}") from failure
    return hashlib.sha256(content).hexdigest()
