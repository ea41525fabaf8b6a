"""Every command of the recorder as a user types it: real processes, real files, and what each leaves when it fails."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.unit.cli.test_start import assert_one_error_line, environment, windlass

ESSAY = "src/app/essays/etymology/the-word-robot"
STARTED = ("run", "start", "--workflow", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project as `windlass init` makes it."""
    assert windlass("init", place=tmp_path).returncode == 0
    return tmp_path


def told(place: Path, *arguments: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    ended = windlass(*arguments, "--json", place=place)
    assert ended.returncode == code, ended.stderr
    return orjson.loads(ended.stdout)


def started(place: Path) -> str:
    run_id = told(place, *STARTED)["run_id"]
    assert isinstance(run_id, str)
    return run_id


def view(place: Path, run_id: str) -> Any:
    return orjson.loads((place / "orchestration/runs" / run_id / "record/RUN.json").read_bytes())


def research(place: Path, sources: int = 8) -> None:
    """The outputs of G1 to G3."""
    folder = place / ESSAY / "research"
    folder.mkdir(parents=True, exist_ok=True)
    for name in "INTAKE SYNTHESIS FIGURES QUOTES TIMELINE VISUALS".split():
        (folder / f"{name}.md").write_text(f"# {name}\n")
    (folder / "CITATIONS.md").write_text("".join(f"### Source {number}: a book\n\ntext\n\n" for number in range(sources)))
    spec = place / "orchestration/skills/visual-essay-invocation/specs/the-word-robot.md"
    spec.parent.mkdir(parents=True, exist_ok=True)
    spec.write_text("".join(f"## Layer {number}: Hook\n\ntext\n\n" for number in range(1, 7)))


def test_the_manual_mode_of_the_seed(place: Path):
    run_id = started(place)
    assert windlass("gate", "start", "--run", run_id, "--gate", "G2", "--agent", "research-orchestrator", place=place).returncode == 0
    failed = told(place, "gate", "finish", "--run", run_id, "--gate", "G2", code=1)
    assert failed["failure_reason"].startswith("Missing: {artifact_path}/research/CITATIONS.md; Missing: {artifact_path}/research/SYNTHESIS.md")
    windlass("gate", "start", "--run", run_id, "--gate", "G2", "--agent", "research-orchestrator", place=place)
    research(place)
    invoked = told(
        place, "invocation", "record", "--run", run_id, "--gate", "G2", "--agent", "research-citations-expert", "--status", "SUCCESS", "--cost", "0.2"
    )
    passed = told(place, "gate", "finish", "--run", run_id, "--gate", "G2")
    assert (passed["status"], passed["attempt"]) == ("PASS", 2)
    gate = view(place, run_id)["gates"][1]
    assert [attempt["status"] for attempt in gate["attempts"]] == ["FAIL", "PASS"]
    assert gate["attempts"][1]["invocation_ids"] == [invoked["invocation_id"]]
    attempt = orjson.loads((place / "orchestration/runs" / run_id / "record/gates/G2/attempt-2.json").read_bytes())
    assert attempt == gate["attempts"][1]
    assert attempt["validations"][-1] == {
        "type": "min_sources",
        "path": "{artifact_path}/research/CITATIONS.md",
        "resolved_path": f"{ESSAY}/research/CITATIONS.md",
        "count": 8,
        "threshold": 8,
        "depth": "standard",
        "pass": True,
        "description": "CITATIONS.md must contain minimum sources based on depth mode",
    }
    assert str(place) not in (place / "orchestration/runs" / run_id / "record/journal.jsonl").read_text()
    ended = windlass("run", "complete", "--run", run_id, place=place)
    assert (ended.returncode, "G1 NOT_STARTED, G3 NOT_STARTED" in ended.stderr, "--status CANCELED" in ended.stderr) == (1, True, True)
    assert told(place, "run", "complete", "--run", run_id, "--status", "CANCELED")["status"] == "CANCELED"
    assert windlass("verify", run_id, place=place).returncode == 0


def test_a_finished_attempt_is_never_rewritten(place: Path):
    run_id = started(place)
    windlass("gate", "start", "--run", run_id, "--gate", "G1", place=place)
    assert windlass("gate", "finish", "--run", run_id, "--gate", "G1", place=place).returncode == 1
    again = windlass("gate", "finish", "--run", run_id, "--gate", "G1", place=place)
    assert again.returncode == 2
    assert "another finish needs another start" in again.stderr
    assert_one_error_line(again.stderr)


def test_a_gate_is_failed_by_hand_with_its_reason(place: Path):
    run_id = started(place)
    windlass("gate", "start", "--run", run_id, "--gate", "G2", place=place)
    assert told(place, "gate", "fail", "--run", run_id, "--gate", "G2", "--reason", "Missing required quotes")["status"] == "FAIL"
    assert view(place, run_id)["gates"][1]["attempts"][0]["failure_reason"] == "Missing required quotes"
    assert view(place, run_id)["status"] == "FAILED"


def test_an_attempt_is_judged_by_the_contract_that_it_was_begun_with(place: Path):
    run_id = started(place)
    windlass("gate", "start", "--run", run_id, "--gate", "G2", place=place)
    contract = place / "orchestration/gates/contracts/G2.contract.json"
    contract.write_text('{"gate": "G2", "required_outputs": {"all_of": [{"path": "windlass.toml"}]}}')
    (place / "windlass.toml").write_text("# nothing\n")
    ended = windlass("gate", "finish", "--run", run_id, "--gate", "G2", place=place)
    assert ended.returncode == 1
    assert "differs from the contract that this attempt was begun with" in ended.stderr


@pytest.mark.parametrize(
    ("contract", "reason"),
    [
        ('{"gate": "G1", "validations": []}', "nothing of this contract can fail"),
        ('{"gate": "G1", "validations": [{"type": "contains_heading", "target": "x"}]}', "did you mean 'contains_headings'?"),
        ('{"schema_version": 1, "gate": "G1", "validation": []}', "is not a known key; did you mean 'validations'?"),
        ('{"gate": "G1", "validations": [{"type": "regex_match", "target": "x", "pattern": "("}]}', "does not compile under RE2"),
        ('{"gate": "G1", "validations": [{"type": "file_exists", "target": "../x"}]}', "must be relative to the project's root"),
        ("{", "is not JSON"),
    ],
)
def test_a_contract_that_can_not_be_used_fails_its_gate_and_lint_says_where(place: Path, contract: str, reason: str):
    (place / "orchestration/gates/contracts/G1.contract.json").write_text(contract)
    linted = windlass("contract", "lint", place=place)
    assert linted.returncode == 1
    assert "orchestration/gates/contracts/G1.contract.json " in linted.stdout
    assert reason in linted.stdout
    run_id = started(place)
    windlass("gate", "start", "--run", run_id, "--gate", "G1", place=place)
    finished = told(place, "gate", "finish", "--run", run_id, "--gate", "G1", code=1)
    assert finished["validations"][0]["code"] == "CONTRACT_INVALID"
    assert reason in finished["failure_reason"]
    loop = windlass("run", "visual-essay", "--slug", "s", "--artifact-path", ".", place=place)
    assert loop.returncode == 2
    assert len(list((place / "orchestration/runs").iterdir())) == 1


def test_what_init_writes_is_clean_and_is_never_overwritten(place: Path):
    assert windlass("contract", "lint", place=place).returncode == 0
    contract = place / "orchestration/gates/contracts/G1.contract.json"
    contract.write_text("mine")
    again = told(place, "init")
    assert (again["written"], contract.read_text()) == ([], "mine")


def test_the_loop_pauses_without_a_terminal_and_goes_on_in_the_same_run(place: Path):
    arguments = ("run", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY)
    paused = told(place, *arguments, code=75)
    assert (paused["outcome"], paused["stopped_at"], paused["status"]) == ("PAUSED", "G1", "RUNNING")
    assert told(place, "run", "resume", "--run", paused["run_id"], code=75)["run_id"] == paused["run_id"]
    packet = place / "orchestration/runs" / paused["run_id"] / "logs/gates/G1/prompt.txt"
    assert f"{ESSAY}/research/INTAKE.md" in packet.read_text()
    digest = view(place, paused["run_id"])["gates"][0]["attempts"][0]["prompt_sha256"]
    assert (place / "orchestration/runs" / paused["run_id"] / "record/evidence/bound" / digest).read_bytes() == packet.read_bytes()


class Terminal:
    """A command at a terminal of its own; lives as long as its test."""

    def __init__(self, *arguments: str, place: Path) -> None:
        self._ours, theirs = pty.openpty()
        argv = [sys.executable, "-m", "windlass", *arguments]
        self.process = subprocess.Popen(argv, cwd=place, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> None:
        """Read until `text` is shown once more than before."""
        deadline, start = time.monotonic() + 30, len(self.shown)
        while text not in self.shown[start:]:
            ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, self.shown
            self.shown += os.read(self._ours, 65_536).decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ended(self) -> int:
        try:
            while chunk := os.read(self._ours, 65_536):
                self.shown += chunk.decode()
        except OSError:
            pass
        os.close(self._ours)
        return self.process.wait(30)


def test_a_person_takes_a_workflow_through_its_gates(place: Path):
    research(place)
    terminal = Terminal("run", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY, place=place)
    for _ in range(3):
        terminal.until("press Enter")
        terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    assert "G1 PASS   G2 PASS   G3 PASS" in terminal.shown
    (run,) = told(place, "run", "list")
    assert (run["status"], [gate["status"] for gate in run["gates"]]) == ("PASSED", ["PASS", "PASS", "PASS"])


def test_a_failed_gate_stops_the_loop_and_resume_tries_it_again(place: Path):
    terminal = Terminal("run", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY, place=place)
    terminal.until("press Enter")
    terminal.type("\n")
    assert terminal.ended() == 1, terminal.shown
    (run,) = told(place, "run", "list")
    assert run["status"] == "FAILED"
    research(place)
    terminal = Terminal("run", "resume", "--run", run["run_id"], place=place)
    for _ in range(3):
        terminal.until("press Enter")
        terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    after = view(place, run["run_id"])
    assert (after["status"], len(after["gates"][0]["attempts"])) == ("PASSED", 2)
    refused = windlass("run", "resume", "--run", run["run_id"], place=place)
    assert (refused.returncode, "nothing can follow" in refused.stderr) == (2, True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_loop_that_is_interrupted_or_killed_leaves_a_run_that_is_gone_on_with(place: Path, how: signal.Signals):
    research(place)
    terminal = Terminal("run", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY, place=place)
    terminal.until("press Enter")
    os.kill(terminal.process.pid, how)
    assert terminal.ended() == (130 if how is signal.SIGINT else -how)
    (run,) = told(place, "run", "list")
    terminal = Terminal("run", "resume", "--run", run["run_id"], place=place)
    for _ in range(3):
        terminal.until("press Enter")
        terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    assert len(view(place, run["run_id"])["gates"][0]["attempts"]) == 1


def test_a_resume_from_a_gate_does_it_and_what_follows_again(place: Path):
    research(place)
    terminal = Terminal("run", "visual-essay", "--slug", "the-word-robot", "--artifact-path", ESSAY, place=place)
    for _ in range(2):
        terminal.until("press Enter")
        terminal.type("\n")
    terminal.until("press Enter")
    terminal.type("\x04")
    assert terminal.ended() == 75, terminal.shown
    (run,) = told(place, "run", "list")
    told(place, "gate", "fail", "--run", run["run_id"], "--gate", "G3", "--reason", "the research was wrong")
    terminal = Terminal("run", "resume", "--run", run["run_id"], "--from", "G2", place=place)
    for _ in range(2):
        terminal.until("press Enter")
        terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    assert [len(gate["attempts"]) for gate in view(place, run["run_id"])["gates"]] == [1, 2, 2]


def commands_project(place: Path, argv: list[str], **gate: Any) -> None:
    """A committed workflow of one gate that runs a command."""
    folder = place / "orchestration"
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    executor = {"kind": "command", "argv": argv, "timeout_s": gate.pop("timeout_s", 30)}
    workflow = {"schema_version": 1, "name": "build", "gates": [{"gate": "B1", "executor": executor, **gate}]}
    (folder / "workflows/build.json").write_bytes(orjson.dumps(workflow))
    contract = {"schema_version": 1, "gate": "B1", "required_outputs": {"all_of": [{"path": "out/{slug}.txt"}]}}
    (folder / "workflows/build/contracts").mkdir(parents=True, exist_ok=True)
    (folder / "workflows/build/contracts/B1.contract.json").write_bytes(orjson.dumps(contract))
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "workflow"]):
        subprocess.run([*git, *command], cwd=place, check=True, capture_output=True)


def test_a_command_does_the_work_of_a_gate_when_it_was_committed(tmp_path: Path):
    commands_project(tmp_path, ["sh", "-c", "mkdir -p out && echo made > out/it.txt"])
    arguments = ("run", "build", "--slug", "it", "--artifact-path", ".")
    done = told(tmp_path, *arguments)
    assert done["status"] == "PASSED"
    shown = view(tmp_path, done["run_id"])
    assert (shown["invocations"][0]["model"], shown["windlass"]["git_commit"] is not None) == ("command", True)
    workflow = tmp_path / "orchestration/workflows/build.json"
    workflow.write_text(workflow.read_text().replace("made", "changed"))
    refused = told(tmp_path, *arguments, code=1)
    assert "NOT_ALLOWED" in refused["reason"]
    assert "commit it first" in refused["reason"]


@pytest.mark.parametrize(("argv", "reason"), [(["false"], "exit code 1"), (["sleep", "60"], "TIMEOUT"), (["no-such-program"], "can't be started")])
def test_a_command_that_fails_fails_its_gate(tmp_path: Path, argv: list[str], reason: str):
    commands_project(tmp_path, argv, timeout_s=1)
    assert reason in told(tmp_path, "run", "build", "--slug", "it", "--artifact-path", ".", code=1)["reason"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("run", "start", "--workflow", "none", "--slug", "s", "--artifact-path", "."), "workflow 'none'"),
        (("run", "start", "--workflow", "visual-essay", "--slug", "../../x", "--artifact-path", "."), "slug '../../x'"),
        (("run", "start", "--workflow", "visual-essay", "--slug", "s", "--artifact-path", "../x"), "--artifact-path '../x'"),
        (("run", "start", "--workflow", "visual-essay", "--slug", "s", "--artifact-path", "/etc"), "--artifact-path '/etc'"),
        (("run", "start", "--workflow", "visual-essay", "--slug", "s", "--artifact-path", ".", "--depth", "endless"), "--depth"),
        (("run", "start", "--workflow", "visual-essay", "--slug", "s", "--artifact-path", ".", "--prompt-file", "none"), "--prompt-file none"),
        (("run", "show", "--run", "../.."), "--run '../..'"),
        (("run", "show", "--run", ""), "--run ''"),
        (("gate", "start", "--run", "run_x", "--gate", "G1"), "--run 'run_x'"),
        (("run", "none", "--slug", "s", "--artifact-path", "."), "workflow 'none'"),
        (("run", "resume"), "--run"),
        (("contract", "lint", "none.json"), "none.json"),
    ],
)
def test_bad_input_is_refused_in_one_line_that_names_it(place: Path, arguments: tuple[str, ...], named: str):
    ended = windlass(*arguments, place=place)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert_one_error_line(ended.stderr)
    assert not (place / "orchestration/runs").exists()


def test_records_of_the_original_runner_are_listed_and_shown_and_nothing_is_written_to_them(tmp_path: Path):
    name = "run_20260119T222303959Z_the-word--robot_uc2s1f"
    record = tmp_path / "orchestration/runs" / name / "record"
    record.mkdir(parents=True)
    gates = [
        {"gate": "G5.3", "name": "Sub", "status": "SKIPPED", "attempts": [{"attempt": 2, "status": "WEIRD", "artifacts": [{"absolute_path": "/x"}]}]}
    ]
    (record / "RUN.json").write_bytes(orjson.dumps({"run_id": name, "workflow": {"name": "visual-essay"}, "status": "FAILED", "gates": gates}))
    torn = tmp_path / "orchestration/runs/run_20260119T222303960Z_torn_uc2s1f/record"
    torn.mkdir(parents=True)
    (torn / "RUN.json").write_text('{"run_id": "run_2026')
    listed = told(tmp_path, "run", "list")
    assert [(run["status"], run["problem"] is None) for run in listed] == [("FAILED", True), ("", False)]
    assert "G5.3  SKIPPED" in windlass("run", "show", "--run", name, place=tmp_path).stdout
    refused = windlass("gate", "start", "--run", name, "--gate", "G5.3", place=tmp_path)
    assert (refused.returncode, "no journal" in refused.stderr) == (2, True)


def test_run_ids_and_gates_are_completed(place: Path):
    run_id = started(place)
    for words, expected in [("windlass run show --run run_", run_id), (f"windlass gate start --run {run_id} --gate ", "G1")]:
        ended = windlass(place=place, _WINDLASS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
        assert expected in ended.stdout, ended.stderr
