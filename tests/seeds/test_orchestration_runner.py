"""The record of the original runner: each key of its RUN.json and of its attempt file stands where its readers look for it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.seeds import ledger
from tests.unit.cli.test_start import windlass
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


ESSAY = "src/app/essays/etymology/the-word-robot"
SEED = "node orchestration/runner/cli.js "
SEQUENCE: list[tuple[str, int]] = [
    ("run start --workflow visual-essay --slug the-word-robot --artifact-path src/app/essays/etymology/the-word-robot --depth standard", 0),
    ("gate start --run <run-id> --gate G2 --agent research-orchestrator", 0),
    ("invocation record --run <run-id> --gate <Gx> --agent <agent-name> [--status SUCCESS|FAIL]", 0),
    ("gate finish --run <run-id> --gate G2", 1),
    ("gate start --run $RUN_ID --gate G2 --agent research-orchestrator", 0),
    ('gate fail --run <run-id> --gate <Gx> --reason "Missing required quotes"', 0),
    ("gate start --run <run-id> --gate <Gx> --agent <agent-name>", 0),
    ("gate finish --run $RUN_ID --gate G2", 1),
    ("gate start --run run_20260119T143012Z_the-word-robot_ab12cd --gate G2 --agent research-orchestrator", 0),
    ("gate finish --run <run-id> --gate <Gx>", 1),
    ("run list", 0),
    ("run show --run <run-id>", 0),
    ("run complete --run <run-id> [--status PASSED|FAILED|CANCELED]", 0),
    ("run start --workflow <name> --slug <slug> --artifact-path <path> [--depth quick|standard|deep]", 0),
    ("run visual-essay --slug <slug> --artifact-path <path> [--depth quick|standard|deep] [--prompt-file <path>]", 75),
    ("run visual-essay --slug the-word-robot --artifact-path src/app/essays/etymology/the-word-robot --depth standard", 75),
    (
        f"run visual-essay --slug the-word-robot --artifact-path {ESSAY} --depth standard --prompt-file prompts/robot-topic.txt",
        75,
    ),
]
"""Every command of the seed, in an order in which it can be called, with its exit code: FAIL is 1, a pause for a person 75."""
CHOSEN = {
    "[--status SUCCESS|FAIL]": "--status FAIL",
    "[--status PASSED|FAILED|CANCELED]": "--status FAILED",
    "[--depth quick|standard|deep]": "--depth quick",
    "[--prompt-file <path>]": "--prompt-file prompts/robot-topic.txt",
    "<agent-name>": "somebody",
    "<Gx>": "G2",
    "<name>": "visual-essay",
    "<slug>": "a-slug",
    "<path>": "essays/a-slug",
}


def test_every_command_of_the_seed_is_called_by_the_name_windlass(tmp_path: Path) -> None:
    known = {standing.entry.text for standing in ledger.read() if (standing.document, standing.entry.kind) == ("orchestration-runner", "command")}
    assert {f"{SEED}{command}" for command, _ in SEQUENCE} == known
    assert windlass("init", place=tmp_path).returncode == 0
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/robot-topic.txt").write_text("Where does the word robot come from?\n")
    run_id = ""
    for command, code in SEQUENCE:
        called = command
        for written, meant in CHOSEN.items():
            called = called.replace(written, meant)
        for written in ("<run-id>", "$RUN_ID", "run_20260119T143012Z_the-word-robot_ab12cd"):
            called = called.replace(written, run_id)
        ended = windlass(*shlex.split(called), place=tmp_path)
        assert ended.returncode == code, (called, ended.stderr)
        run_id = run_id or ended.stdout.split()[0]


def test_the_seeds_files_lie_where_it_has_them(tmp_path: Path) -> None:
    assert windlass("init", place=tmp_path).returncode == 0
    for path in ("README.md", "contracts/G1.contract.json", "contracts/G2.contract.json", "contracts/G3.contract.json"):
        assert (tmp_path / "orchestration/gates" / path).is_file()
    assert windlass("run", "visual-essay", "--slug", "s", "--artifact-path", "essays/s", place=tmp_path).returncode == 75
    (packet,) = tmp_path.glob("orchestration/runs/*/logs/gates/G1/prompt.txt")
    run_id = packet.parents[3].name
    assert windlass("invocation", "record", "--run", run_id, "--gate", "G1", "--agent", "a", place=tmp_path).returncode == 0
    (invocation,) = tmp_path.glob("orchestration/runs/*/logs/invocations/inv_*.json")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    record = packet.parents[3] / "record/RUN.json"
    ignored = subprocess.run(["git", "check-ignore", packet, invocation, record], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ignored.stdout.split() == [str(packet), str(invocation)]
