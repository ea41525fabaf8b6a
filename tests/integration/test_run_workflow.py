"""Gates that no person does, and those that one does, as `windlass run` takes a workflow through them: real processes, services and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.integration.gated_projects import (
    RUN,
    VERIFY,
    Terminal,
    attempts,
    commit,
    leaves,
    only_run,
    processes_in,
    project,
    standing_fleet,
    told,
    view,
    wait_until,
)
from tests.unit.cli.test_start import assert_one_error_line, environment, windlass

from windlass.records import verify

DISPATCHED = {"kind": "sweep", "fleet": "research", "rung": "dispatch"}
NEEDS = {"needs": ["fleet"]}


def command(script: str, timeout_s: int = 60) -> dict[str, Any]:
    return {"executor": {"kind": "command", "argv": ["sh", "-c", script], "timeout_s": timeout_s}}


def intact(place: Path) -> bool:
    return not verify.verify(only_run(place)).problems


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with standing_fleet(tmp_path_factory.mktemp("fleet")) as variables:
        yield variables


# --- services that a gate needs


def test_a_workflow_without_people_opens_what_each_gate_needs_and_sees_it_gone(tmp_path: Path):
    script = 'test -n "$WORKER_SERVICE_TOKEN" && test -s "$WINDLASS_PACKET"'
    script += ' && echo "$ORCHESTRATOR_URL $WORKER_SERVICE_TOKEN" | tee "out/$WINDLASS_SLUG.txt"'
    gates = {"A1": {"executor": VERIFY, **NEEDS}, "S1": {"executor": DISPATCHED, **NEEDS}, "C1": {**command(script), **NEEDS}}
    project(tmp_path, gates, {"A1": leaves("verdicts.json", "reason.txt"), "C1": leaves("{slug}.txt")})
    done = told(tmp_path, *RUN)
    assert (done["status"], [gate["status"] for gate in done["gates"]]) == ("PASSED", ["PASS", "PASS", "PASS"])
    assert orjson.loads((tmp_path / "out/verdicts.json").read_bytes())["overallPass"] is True
    assert (tmp_path / "out/reason.txt").read_text() == "a sentence of the evidence carries the claim's words and numbers"

    shown = view(tmp_path)
    windows = {gate["gate"]: gate["attempts"][0]["window_id"] for gate in shown["gates"]}
    assert len(set(windows.values())) == 3
    journal = [orjson.loads(line) for line in (only_run(tmp_path) / "record/journal.jsonl").read_bytes().splitlines()]
    opened, closed = ([entry["window_id"] for entry in journal if entry["type"] == f"window.{what}"] for what in ("opened", "closed"))
    assert sorted(opened) == sorted(closed)
    assert set(windows.values()) <= set(opened)
    for gate in shown["gates"]:
        found = {(check["type"], check.get("service")): check["pass"] for check in gate["attempts"][0]["validations"]}
        assert found["service_stopped", "fleet"] is found["service_stopped", "orchestrator"] is True
    (agent, _) = shown["invocations"]
    assert (agent["agent"], agent["status"], agent["output_refs"]) == ("agent-verify", "SUCCESS", list(VERIFY["outputs"]))
    audit = (only_run(tmp_path) / "record/evidence/gates/A1/attempt-1/dispatch_audit.jsonl").read_text()
    assert f'"{done["run_id"]}-A1-1"' in audit, "the gate's attempt is the correlation id of what it started"

    _, token = (tmp_path / "out/it.txt").read_text().split()
    kept = [path for path in only_run(tmp_path).rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert kept == [], "the token that a program was lent stays out of record and logs"
    assert intact(tmp_path)
    assert processes_in(tmp_path) == []


def test_services_that_do_not_come_up_fail_the_gate_and_leave_nothing(tmp_path: Path):
    broken = tmp_path / "broken/uvicorn"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('no server today')\n")
    place = project(tmp_path / "project", {"A1": {"executor": VERIFY, **NEEDS}}, {"A1": leaves("verdicts.json")}) if _made(tmp_path) else tmp_path
    done = told(place, *RUN, code=1, PYTHONPATH=str(tmp_path / "broken"))
    assert (done["outcome"], done["stopped_at"]) == ("STOPPED", "A1")
    (attempt,) = attempts(place, "A1")
    assert attempt["validations"][0]["type"] == "executor"
    assert str(tmp_path) not in (only_run(place) / "record/RUN.json").read_text()
    assert processes_in(tmp_path) == []
    assert intact(place)
    again = told(place, "run", "resume", "--run", done["run_id"])
    assert (again["status"], len(attempts(place, "A1"))) == ("PASSED", 2)


def _made(place: Path) -> bool:
    (place / "project").mkdir()
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_services_are_open_closes_them_and_the_run_can_be_gone_on_with(tmp_path: Path, how: signal.Signals):
    script = "test -e out/again || { touch out/begun; sleep 120; }; echo done > out/it.txt"
    (tmp_path / "out").mkdir()
    project(tmp_path, {"C1": {**command(script), **NEEDS}}, {"C1": leaves("{slug}.txt")})
    process = subprocess.Popen([sys.executable, "-m", "windlass", *RUN], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_until((tmp_path / "out/begun").exists, "the command to begin")
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"go on with: windlass run resume --run {only_run(tmp_path).name}" in said
    assert processes_in(tmp_path) == []
    (attempt,) = attempts(tmp_path, "C1")
    assert (attempt["status"], attempt["failure_reason"]) == ("FAIL", "the attempt was interrupted")
    assert {check["service"] for check in attempt["validations"] if check["type"] == "service_stopped"} == {"orchestrator", "fleet"}
    (tmp_path / "out/again").touch()
    assert told(tmp_path, "run", "resume", "--run", only_run(tmp_path).name)["status"] == "PASSED"
    assert intact(tmp_path)


def test_a_loop_that_is_killed_leaves_services_that_resume_finds_and_closes(tmp_path: Path):
    script = "test -e out/again || { echo $$ > out/pid.txt; sleep 120; }; echo done > out/it.txt"
    (tmp_path / "out").mkdir()
    project(tmp_path, {"C1": {**command(script), **NEEDS}}, {"C1": leaves("{slug}.txt")})
    process = subprocess.Popen([sys.executable, "-m", "windlass", *RUN], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    pid = wait_until(lambda: (tmp_path / "out/pid.txt").exists() and (tmp_path / "out/pid.txt").read_text().strip(), "the command to begin")
    process.kill()
    process.wait(60)
    os.killpg(int(pid), signal.SIGKILL)
    assert [words for words in processes_in(tmp_path) if " serve " in words], "services outlive a killed loop, until their deadline"
    (tmp_path / "out/again").touch()
    resumed = windlass("run", "resume", "--run", only_run(tmp_path).name, place=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert resumed.stdout.count("observed stopped (recovered)") == 2
    first, second = attempts(tmp_path, "C1")
    assert (first["failure_reason"], second["status"]) == ("the attempt was interrupted", "PASS")
    assert processes_in(tmp_path) == []
    assert intact(tmp_path)


# --- agents


def agent_project(place: Path, **changes: Any) -> Path:
    return project(place, {"A1": {"executor": {**VERIFY, **changes}}}, {"A1": leaves("verdicts.json")})


def test_an_agent_that_refuses_fails_its_gate_and_the_same_run_goes_on_when_its_input_is_mended(tmp_path: Path, fleet: Any):
    agent_project(tmp_path)
    whole = (tmp_path / "claims.json").read_bytes()
    (tmp_path / "claims.json").write_text('{"claims": ["x"]}')
    done = told(tmp_path, *RUN, code=1, **fleet)
    assert "CLAIM_VERIFY: VALIDATION_ERROR: groundingPack: is required" in done["reason"]
    assert not (tmp_path / "out").exists(), "nothing is written of an answer that is none"
    assert view(tmp_path)["invocations"][0]["status"] == "FAIL"
    (tmp_path / "claims.json").write_bytes(whole)
    again = told(tmp_path, "run", "resume", "--run", done["run_id"], **fleet)
    assert (again["status"], again["run_id"]) == ("PASSED", done["run_id"])
    first, second = attempts(tmp_path, "A1")
    assert (first["status"], second["status"]) == ("FAIL", "PASS")
    packet = (only_run(tmp_path) / "logs/gates/A1/attempt-2/prompt.txt").read_text()
    assert "| executor : CLAIM_VERIFY: VALIDATION_ERROR" in packet
    assert "claims.json  sha256 " in packet


def test_of_protected_work_the_record_has_the_code_and_not_the_words(tmp_path: Path, fleet: Any):
    agent_project(tmp_path)
    (tmp_path / "claims.json").write_text('{"claims": ["x"], "Mary Shelley": 1, "groundingPack": {"chunks": []}}')
    done = told(tmp_path, *RUN, "--risk-tier", "PHI", code=1, **fleet)
    assert done["reason"].startswith("VALIDATION_ERROR; what was said of it")
    assert not [path for path in (only_run(tmp_path) / "record").rglob("*") if path.is_file() and b"Shelley" in path.read_bytes()]
    refused = windlass("run", "resume", "--run", done["run_id"], "--risk-tier", "NON_SENSITIVE", place=tmp_path, **fleet)
    assert (refused.returncode, "was begun with 'PHI'" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outputs": {"{artifact_path}/verdicts.json": "/outputs/verdicts"}}, "answered without /outputs/verdicts"),
        ({"inputs": {"$json": "gone.json"}}, "gone.json: is missing"),
        ({"inputs": {"$json": "orchestration/workflows/w.json"}, "task_type": "NO_SUCH_TASK"}, "NO_SUCH_TASK"),
        ({"inputs": {"claims": {"$topic": True}}}, "give one with --prompt-file"),
        ({"outputs": {"{artifact_path}/.git/hooks/pre-commit": "/outputs"}}, "belongs to the repository"),
    ],
)
def test_what_an_agent_can_not_do_fails_the_gate_with_its_reason(tmp_path: Path, fleet: Any, changes: dict[str, Any], reason: str):
    agent_project(tmp_path, **changes)
    assert reason in told(tmp_path, *RUN, code=1, **fleet)["reason"]
    assert not list(tmp_path.glob("out/**/*"))
    assert intact(tmp_path)


def test_an_agent_writes_through_no_link(tmp_path: Path, fleet: Any):
    place = tmp_path / "project"
    place.mkdir()
    agent_project(place)
    (tmp_path / "elsewhere").mkdir()
    (place / "out").symlink_to(tmp_path / "elsewhere")
    assert "nothing is written through it" in told(place, *RUN, code=1, **fleet)["reason"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- sweeps


def test_each_attempt_of_a_sweep_has_evidence_of_its_own_and_the_contract_judges_it(tmp_path: Path, fleet: Any):
    check = {"type": "sweep", "fleet": "research", "rung": "responded"}
    project(tmp_path, {"S1": {"executor": DISPATCHED | {"rung": "execution"}}}, {"S1": {"validations": [check]}})
    failed = told(tmp_path, *RUN, code=1, **fleet, AGENT_ENDPOINTS_JSON='{"agent-verify": "http://127.0.0.1:9/elsewhere"}')
    assert "1 did not reach responded: CLAIM_VERIFY" in failed["reason"]
    again = told(tmp_path, "run", "resume", "--run", failed["run_id"], **fleet)
    assert again["status"] == "PASSED"
    first, second = attempts(tmp_path, "S1")
    assert [attempt["validations"][0]["path"] for attempt in (first, second)] == ["{record}/evidence/sweep", "{record}/evidence/sweep-2"]
    assert second["validations"][0]["rejudged"] is True
    assert intact(tmp_path)


# --- commands and people


def test_a_gate_that_does_not_block_lets_the_loop_go_on_to_a_run_that_failed(tmp_path: Path):
    gates = {"C1": command("exit 3"), "C2": command("mkdir -p out; echo x > out/it.txt")}
    project(tmp_path, gates, {"C1": {"blocking": False, **leaves("x")}, "C2": leaves("it.txt")})
    done = told(tmp_path, *RUN, code=1)
    assert (done["status"], done["outcome"]) == ("FAILED", "FAILED")
    assert [gate["status"] for gate in done["gates"]] == ["FAIL", "PASS"]
    assert "ended with exit code 3" in attempts(tmp_path, "C1")[0]["failure_reason"]


def test_a_command_is_told_its_attempt_and_its_output_is_kept(tmp_path: Path):
    script = 'mkdir -p "$1" && echo "$WINDLASS_GATE $WINDLASS_ATTEMPT $WINDLASS_DEPTH" | tee "$1/it.txt"'
    gate = {"executor": {"kind": "command", "argv": ["sh", "-c", script, "sh", "{artifact_path}"], "timeout_s": 30}}
    project(tmp_path, {"C1": gate}, {"C1": leaves("{slug}.txt")})
    told(tmp_path, *RUN, "--depth", "deep")
    assert (tmp_path / "out/it.txt").read_text() == "C1 1 deep\n"
    assert (only_run(tmp_path) / "logs/gates/C1/attempt-1/output.txt").read_text() == "C1 1 deep\n"
    assert attempts(tmp_path, "C1")[0]["agent"] == "command", "nobody is said to have done by hand what a program did"


def test_a_terminated_loop_takes_its_command_along(tmp_path: Path):
    project(tmp_path, {"C1": command("mkdir -p out; touch out/begun; sleep 120")}, {"C1": leaves("it.txt")})
    process = subprocess.Popen([sys.executable, "-m", "windlass", *RUN], cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "out/begun").exists, "the command to begin")
    process.terminate()
    assert process.wait(30) == 130
    assert processes_in(tmp_path) == []
    assert attempts(tmp_path, "C1")[0]["failure_reason"] == "the attempt was interrupted"


def test_a_gate_that_waits_for_an_approval_is_not_worked_on_again(tmp_path: Path):
    approved = {**leaves("it.txt"), "approvals": {"quorum": 1}}
    project(tmp_path, {"C1": command("mkdir -p out; echo x >> out/count; echo y > out/it.txt")}, {"C1": approved})
    home: Any = {"HOME": str(tmp_path.parent / f"{tmp_path.name}-home"), "XDG_CONFIG_HOME": str(tmp_path.parent / f"{tmp_path.name}-home/c")}
    made = windlass("keys", "new", "--who", "Ada", "--role", "approver", "--add", place=tmp_path, **home)
    assert made.returncode == 0, made.stderr
    commit(tmp_path)
    paused = told(tmp_path, *RUN, code=75, **home)
    assert paused["outcome"] == "PAUSED"
    assert "approval" in paused["reason"]
    assert told(tmp_path, "run", "resume", "--run", paused["run_id"], code=75, **home)["outcome"] == "PAUSED"
    signed = windlass("gate", "approve", "--run", paused["run_id"], "--gate", "C1", "--as", "Ada", "--yes", place=tmp_path, **home)
    assert signed.returncode == 0, signed.stderr
    assert told(tmp_path, "run", "resume", "--run", paused["run_id"], **home)["status"] == "PASSED"
    assert (tmp_path / "out/count").read_text() == "x\n"
    assert len(attempts(tmp_path, "C1")) == 1
    assert intact(tmp_path)


PEOPLE = {gate: {"name": f"Gate {gate}"} for gate in ("P1", "P2", "P3")}


@pytest.mark.parametrize("gate", list(PEOPLE))
def test_a_loop_that_is_killed_at_any_gate_goes_on_there(tmp_path: Path, gate: str):
    project(tmp_path, PEOPLE, {name: leaves("it.txt") for name in PEOPLE})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/it.txt").write_text("x\n")
    before = list(PEOPLE).index(gate)
    terminal = Terminal(*RUN, place=tmp_path)
    for _ in range(before):
        terminal.until("press Enter")
        terminal.type("\n")
    terminal.until("press Enter")
    terminal.process.kill()
    assert terminal.ended() == -signal.SIGKILL
    assert [len(attempts(tmp_path, name)) for name in PEOPLE] == [1 if place <= before else 0 for place in range(3)]
    terminal = Terminal("run", "resume", "--run", only_run(tmp_path).name, place=tmp_path)
    for _ in range(3 - before):
        terminal.until("press Enter")
        terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    assert [len(attempts(tmp_path, name)) for name in PEOPLE] == [1, 1, 1]
    assert intact(tmp_path)


def test_people_and_programs_take_turns(tmp_path: Path):
    gates = {"P1": {"agent": "writer"}, "C1": command("tr a-z A-Z < out/draft.txt > out/it.txt")}
    project(tmp_path, gates, {"P1": leaves("draft.txt"), "C1": {**leaves("it.txt"), "validations": [{"type": "different_agent", "from_gate": "P1"}]}})
    terminal = Terminal(*RUN, place=tmp_path)
    terminal.until("press Enter")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/draft.txt").write_text("words\n")
    terminal.type("\n")
    assert terminal.ended() == 0, terminal.shown
    assert (tmp_path / "out/it.txt").read_text() == "WORDS\n"


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        ({"A1": {"executor": VERIFY}}, 'say "needs": ["fleet"], or give --orchestrator-url'),
        ({"A1": {"executor": VERIFY, "needs": ["postgres"]}}, "needs 'postgres'"),
        ({"P1": {"needs": ["fleet"]}}, "goes with an executor"),
        ({"A1": {"executor": {**VERIFY, "outputs": {"README.md": "/outputs"}}, **NEEDS}}, "begin with {artifact_path}/"),
        ({"A1": {"executor": {**VERIFY, "outputs": {"{artifact_path}/x": "outputs"}}, **NEEDS}}, "is no JSON pointer"),
        ({"A1": {"executor": {**VERIFY, "inputs": {"a": [{"$file": "../x"}]}}, **NEEDS}}, "inputs/a/0/$file: must be relative"),
        ({"S1": {"executor": {**DISPATCHED, "fleet": "other"}, **NEEDS}}, "give its file with --fleet"),
        ({"W1": {"executor": "window"}}, "executor 'window'"),
    ],
)
def test_what_the_loop_can_not_do_is_refused_before_anything_is_begun(tmp_path: Path, gates: dict[str, Any], named: str):
    project(tmp_path, gates, {gate: leaves("x") for gate in gates})
    ended = windlass(*RUN, place=tmp_path)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert_one_error_line(ended.stderr)
    assert not (tmp_path / "orchestration/runs").exists()


def test_every_problem_of_a_workflow_is_told_at_once(tmp_path: Path):
    project(tmp_path, {"A1": {"executor": VERIFY}, "P1": {"needs": ["x"]}}, {"A1": leaves("x"), "P1": leaves("x")})
    ended = windlass(*RUN, place=tmp_path)
    assert [line[:12] for line in ended.stderr.splitlines()[1:]] == ["  - gate A1:", "  - gate P1:", "  - gate P1:"]


def test_the_workflow_that_ships_with_prove_says_who_runs_it(tmp_path: Path):
    (tmp_path / "orchestration").mkdir()
    ended = windlass("run", "prove", "--slug", "s", "--artifact-path", ".", place=tmp_path)
    assert (ended.returncode, "`windlass prove` runs the workflow" in ended.stderr) == (2, True)


def test_a_run_on_a_strangers_fleet_names_the_option_again_where_it_stops(tmp_path: Path):
    project(tmp_path, {"P1": {}, "A1": {"executor": {**VERIFY, "task_type": "ADD"}, **NEEDS}}, {"P1": leaves("x"), "A1": leaves("x")})
    (tmp_path / "fleet.yaml").write_text(
        "name: stranger\nagents: {adder: {url: 'http://127.0.0.1:9'}}\ntasks: {ADD: {agent: adder, examples: [{inputs: {a: 1}}, {inputs: {a: 2}}]}}\n"
    )
    ended = windlass(*RUN, "--fleet", "fleet.yaml", place=tmp_path)
    assert ended.returncode == 75, ended.stderr
    assert f"next    windlass run resume --run {only_run(tmp_path).name} --fleet fleet.yaml" in ended.stdout
    other = windlass("run", "resume", "--run", only_run(tmp_path).name, place=tmp_path)
    assert (other.returncode, "--fleet: is 'research', and the run was begun with 'stranger'" in other.stderr) == (2, True)
