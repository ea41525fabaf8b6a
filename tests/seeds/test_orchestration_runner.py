"""The record of the original runner: each key of its RUN.json and of its attempt file stands where its readers look for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from windlass.records.events import GateName
from windlass.records.run import RunRecord


def recorded(root: Path) -> RunRecord:
    (root / "essay/research").mkdir(parents=True)
    (root / "essay/research/CITATIONS.md").write_text("### Source 1\n")
    record = RunRecord.create(
        root / "orchestration/runs",
        root=root,
        workflow="visual-essay",
        slug="the-word-robot",
        artifact_path="essay",
        gates=[GateName(gate="G1", name="Intake Approval"), GateName(gate="G2", name="Research Complete")],
    )
    template = "{artifact_path}/research/CITATIONS.md"
    record.gate_started("G2", "research-orchestrator", required_outputs=[template])
    record.gate_finished("G2", "PASS", validations=[{"type": "file_exists", "path": template, "pass": True}], artifacts=[record.artifact(template)])
    record.close()
    return record


def document(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_run_json_has_the_seeds_keys(tmp_path: Path) -> None:
    run = document(recorded(tmp_path).record_directory / "RUN.json")
    assert run["workflow"] == {"name": "visual-essay", "version": "local-dev", "slug": "the-word-robot", "artifact_path": "essay"}
    assert (run["depth"], run["status"], run["finished_at"]) == ("standard", "RUNNING", None)
    assert {"run_id", "started_at", "invocations", "artifacts_index", "validations", "events"} <= run.keys()
    assert [(gate["gate"], gate["name"], gate["status"], len(gate["attempts"])) for gate in run["gates"]] == [
        ("G1", "Intake Approval", "NOT_STARTED", 0),
        ("G2", "Research Complete", "PASS", 1),
    ]


def test_an_attempt_file_has_the_seeds_keys_and_place(tmp_path: Path) -> None:
    attempt = document(recorded(tmp_path).record_directory / "gates/G2/attempt-1.json")
    assert (attempt["attempt"], attempt["status"], attempt["agent"], attempt["failure_reason"]) == (1, "PASS", "research-orchestrator", None)
    assert {"started_at", "finished_at", "invocation_ids"} <= attempt.keys()
    assert attempt["required_outputs"] == ["{artifact_path}/research/CITATIONS.md"]
    (artifact,) = attempt["artifacts"]
    assert (artifact["path"], artifact["exists"], len(artifact["sha256"])) == ("{artifact_path}/research/CITATIONS.md", True, 64)
    assert attempt["validations"] == [{"type": "file_exists", "pass": True, "path": "{artifact_path}/research/CITATIONS.md"}]


def test_record_and_logs_lie_where_the_seed_has_them(tmp_path: Path) -> None:
    record = recorded(tmp_path)
    place = tmp_path / "orchestration/runs" / record.run_id
    assert (place / "record/RUN.json").is_file()
    assert (place / "logs").is_dir()
