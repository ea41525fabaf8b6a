"""Runs that are worth telling: a failed and a passed attempt, a warning, an approval, invocations with costs, a window, a gate that never ran."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit.records import worlds
from windlass.records import verify
from windlass.records.attest import reading
from windlass.records.attest.told import Story
from windlass.records.events import Contract
from windlass.records.run import RunRecord

FAILED: Mapping[str, Any] = {
    "type": "contains_headings",
    "path": "specs/{slug}.md",
    "resolved_path": "specs/the-word-robot.md",
    "pass": False,
    "missing": ["## Layer 4"],
    "code": "HEADING_MISMATCH",
    "reason": "missing: ## Layer 4",
}
WARNED: Mapping[str, Any] = {
    "type": "not_contains",
    "path": "specs/{slug}.md",
    "pattern": "[DRAFT]",
    "found": True,
    "severity": "warning",
    "pass": False,
}
HELD: Mapping[str, Any] = {"type": "file_exists", "path": "specs/{slug}.md", "resolved_path": "specs/the-word-robot.md", "pass": True}


def begun(root: Path, **more: Any) -> RunRecord:
    """A run of three gates: G1 passed, G2 failed and then passed with a warning, G3 not started."""
    (root / "specs").mkdir(parents=True)
    (root / "specs/the-word-robot.md").write_text("# Spec\n")
    record = worlds.new(root, gates="G1 G2 G3", git_commit="a" * 40, workflow_content=b"{}", topic=b"robots", prompt="robots", **more)
    contract = Contract(sha256=record.bind(b'{"gate": "G2"}'), version="3")
    record.window_opened("win-1", ["fleet"], worlds.DEADLINE)
    record.gate_started("G1", "ada", packet=lambda number: b"packet %d" % number)
    record.gate_finished("G1", "PASS", validations=[HELD], artifacts=[record.artifact("specs/the-word-robot.md")])
    record.gate_started("G2", "writer", contract=contract, window_id="win-1")
    record.invocation_recorded("G2", "writer", model="m-1", duration_ms=200, tokens_in=1200, tokens_out=340, cost_usd=0.1)
    record.invocation_recorded("G2", "writer", model="m-1", status="FAIL", tokens_in=10, cost_usd=0.2)
    record.gate_finished("G2", "FAIL", validations=[HELD, FAILED], failure_reason="contains_headings specs/{slug}.md: missing: ## Layer 4")
    record.resumed("G2", "once more")
    record.gate_started("G2", "writer", contract=contract, window_id="win-1")
    (record.evidence_directory / "seen.txt").write_text("seen\n")
    found = [record.artifact("specs/the-word-robot.md"), *record.evidence("")]
    record.gate_finished("G2", "PASS", validations=[HELD, WARNED], artifacts=[one for one in found if "bound" not in one.path])
    record.event("SEEN", "something to tell", gate="G2", details={"share": 0.25, "many": 1e21})
    record.window_closed("win-1", ["fleet"], reason="manual")
    return record


def failed(root: Path) -> Story:
    """The run above, given up as FAILED."""
    with begun(root) as record:
        record.complete("FAILED")
        return told(record.directory)


def passed(root: Path) -> Story:
    """The run above with its third gate passed."""
    with begun(root) as record:
        record.gate_started("G3", "ada")
        record.gate_finished("G3", "PASS", validations=[HELD])
        record.complete("PASSED")
        return told(record.directory)


def running(root: Path) -> Story:
    """The run above while its third gate runs."""
    with begun(root) as record:
        record.gate_started("G3", "ada")
        return told(record.directory)


def told(directory: Path) -> Story:
    """The story of a run that was just written."""
    assert verify.verify(directory).problems == ()
    return reading.read(directory)
