"""One `summary.json` per agent, in the seed's layout `validation/<agent>/<UTC>/summary.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.infra import instants
from windlass.infra.escapes import file_name, json_document
from windlass.sweep.writers import cells

SCHEMA_VERSION = 1
_KEPT = (
    "task_type agent_url dispatch_http run_http latency_ms pass_fail rung by failure_class error_preview next_command "
    "request_sha256 response_sha256 response_bytes"
).split()


def render(sweep: Mapping[str, Any]) -> dict[str, bytes]:
    """Relative path → JSON document, one per agent. Paths are safe and different for different agents, whatever these are called."""
    of: dict[str, list[cells.Row]] = defaultdict(list)
    for row in cells.every(sweep):
        of[row["agent_name"]].append(row)
    at = instants.compact(cells.began(sweep))
    return {f"validation/{file_name(agent)}/{at}/summary.json": _document(sweep, agent, rows) for agent, rows in of.items()}


def _document(sweep: Mapping[str, Any], agent: str, rows: Sequence[cells.Row]) -> bytes:
    passed = sum(map(cells.passed, rows))
    never_run = sum(row["failure_class"] == "NOT_RUN" for row in rows)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "agent_name": agent,
        "verdict": "PASS" if passed == len(rows) else "INCOMPLETE" if passed + never_run == len(rows) else "FAIL",
        "passed": passed,
        "total": len(rows),
        "gate": sweep["gate"],
        "sweep_id": sweep["sweep_id"],
        "fleet": {"name": sweep["fleet"]["name"], "sha256": sweep["fleet"]["sha256"]},
        "git_commit": sweep["git_commit"],
        "nonce": sweep["nonce"],
        "started_at": sweep["started_at"],
        "finished_at": sweep["finished_at"],
        "rows": [{key: row[key] for key in _KEPT} for row in rows],
    }
    return json_document(summary).encode()
