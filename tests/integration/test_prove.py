"""The main job as its user runs it: the real command, real services, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.broken_agents import BrokenAgents

from windlass.agents import catalogue
from windlass.records import verify
from windlass.sweep import conduct

WINDLASS = [sys.executable, "-m", "windlass"]
PATIENCE_S = 60.0


def prove(out: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*WINDLASS, "prove", "--out", str(out), *options], env=env(**environment), capture_output=True, text=True, timeout=120, check=False
    )


def env(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TMPDIR"} or key.startswith("COVERAGE_")}
    return kept | more


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*WINDLASS, "prove", "--out", str(out), *options], env=env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s in vain for {what}")


def only_run(out: Path) -> Path:
    (run,) = out.glob("run_*")
    return run


def processes_of(out: Path) -> list[str]:
    """Command lines of every process that was started for a run below `out`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (entry.parent / "stat").read_text().rpartition(")")[2].split()[0]
            directory = str((entry.parent / "cwd").readlink())
        except OSError:
            continue
        if (
            state != "Z"
            and int(entry.parent.name) != os.getpid()
            and ("serve" in words or "keeper" in words)
            and (str(out) in words or str(out) in directory)
        ):
            found.append(words)
    return found


def everything_is_closed(out: Path) -> None:
    assert processes_of(out) == []


@pytest.fixture(scope="module")
def broken() -> Iterator[BrokenAgents]:
    with BrokenAgents() as agents:
        yield agents


def test_the_reference_fleet_is_proved_recorded_and_closed(tmp_path: Path) -> None:
    done = prove(tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    total = len(catalogue.by_task())
    assert done.stdout.rstrip().splitlines()[-1] == f"SUMMARY: {total}/{total} PASS"
    run = only_run(tmp_path / "out")
    sweep = conduct.load(run / "record/evidence/sweep")
    assert {row["task_type"]: row["rung"] for row in sweep["rows"]} == dict.fromkeys(catalogue.by_task(), "executed")
    assert {row["by"] for row in sweep["rows"]} == {"probe"}
    record = json.loads((run / "record/RUN.json").read_text())
    assert [(gate["gate"], gate["status"]) for gate in record["gates"]] == [
        (name, "PASS") for name in ("WINDOW", "DISPATCH", "EXECUTION", "PROOF", "CLOSED")
    ]
    assert record["status"] == "PASSED"
    assert verify.verify(run).verdict == "intact, unanchored"
    assert not (run / "logs/store").exists()
    everything_is_closed(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], "nothing is left beside the run"


def test_two_runs_side_by_side_do_not_meet(tmp_path: Path) -> None:
    running = [start(tmp_path / "out", "--json") for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    documents = [json.loads(output) for output in outputs]
    assert documents[0]["run_id"] != documents[1]["run_id"]
    assert all(document["verdict"] == "PASS" and document["record"]["verdict"] == "intact" for document in documents)
    everything_is_closed(tmp_path)


def test_each_broken_agent_is_named_with_class_and_next_command(tmp_path: Path, broken: BrokenAgents) -> None:
    endpoints = {name: broken.url(kind) for name, kind in broken.KINDS.items()}
    done = prove(tmp_path / "out", "--json", "--timeout", "3", AGENT_ENDPOINTS_JSON=json.dumps(endpoints))
    assert done.returncode == 1, done.stdout + done.stderr
    document = json.loads(done.stdout)
    found = {row["task_type"]: row["failure_class"] for row in document["failures"]}
    assert found == broken.EXPECTED
    assert all(row["next_command"] for row in document["failures"])
    assert document["gates"]["proof"]["verdict"] == "FAIL"
    assert document["summary"] == {"passed": len(catalogue.by_task()) - len(found), "total": len(catalogue.by_task())}
    record = json.loads((only_run(tmp_path / "out") / "record/RUN.json").read_text())
    assert record["status"] == "FAILED"
    assert {gate["gate"]: gate["status"] for gate in record["gates"]}["CLOSED"] == "PASS"
    everything_is_closed(tmp_path)


def test_a_person_reads_what_failed_and_what_to_do(tmp_path: Path, broken: BrokenAgents) -> None:
    endpoints = {"agent-verify": broken.url("dead")}
    done = prove(tmp_path / "out", AGENT_ENDPOINTS_JSON=json.dumps(endpoints))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith("FAIL")]
    assert "CLAIM_VERIFY" in lines[at]
    assert "REFUSED" in lines[at]
    assert "next: curl" in lines[at + 1]
    assert lines[-1] == f"SUMMARY: {len(catalogue.by_task()) - 1}/{len(catalogue.by_task())} PASS"


@pytest.mark.parametrize("stage", ["opening", "sweeping"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_closes_and_says_so(tmp_path: Path, stage: str, number: signal.Signals) -> None:
    process = start(tmp_path / "out", *SLOW)
    sign = "logs/fleet/audit.jsonl" if stage == "opening" else "record/evidence/sweep/expectation.json"
    wait_until(lambda: list((tmp_path / "out").glob(f"run_*/{sign}")), sign)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == "error: interrupted"
    run = only_run(tmp_path / "out")
    record = json.loads((run / "record/RUN.json").read_text())
    assert record["status"] == "CANCELED"
    assert verify.verify(run).problems == ()
    everything_is_closed(tmp_path)


SLOW = ("--concurrency", "1")


def test_a_kill_of_everything_above_leaves_nothing_behind_the_deadline(tmp_path: Path) -> None:
    process = start(tmp_path / "out", "--ttl", "3", *SLOW)
    wait_until(lambda: list((tmp_path / "out").glob("run_*/record/evidence/sweep/expectation.json")), "the sweep to begin")
    process.kill()
    process.communicate(timeout=60)
    assert processes_of(tmp_path), "the services live on until their deadline"
    began = time.monotonic()
    wait_until(lambda: not [words for words in processes_of(tmp_path) if "serve executor" in words], "the window to close by itself")
    assert time.monotonic() - began < 3 + 10
    assert verify.verify(only_run(tmp_path / "out")).problems == ()


def test_no_token_is_in_any_file_that_a_run_leaves(tmp_path: Path, broken: BrokenAgents) -> None:
    broken.tokens_seen()
    done = prove(tmp_path / "out", "--json", AGENT_ENDPOINTS_JSON=json.dumps({"agent-verify": broken.url("leaky")}))
    assert done.returncode == 1
    (token,) = broken.tokens_seen()
    assert len(token) > 20
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if token.encode() in path.read_bytes()] == []
    assert token not in done.stdout + done.stderr


def test_a_strangers_fleet_is_proved_without_starting_or_stopping_it(tmp_path: Path, broken: BrokenAgents) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        f"""
name: stranger
agents:
  adder: {{url: "{broken.url("honest")}", token_env: WINDLASS_AGENT_ADDER}}
tasks:
  ADD:
    agent: adder
    examples:
      - {{inputs: {{a: 1, b: 2}}, expect: {{properties: {{sum: {{const: 3}}}}, required: [sum]}}}}
      - {{inputs: {{a: 5, b: 6}}, expect: {{properties: {{sum: {{const: 11}}}}, required: [sum]}}}}
    invalid_example: {{a: 1}}
"""
    )
    done = prove(tmp_path / "out", "--fleet", str(fleet), "--json", WINDLASS_AGENT_ADDER="adder-token-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"] == {"passed": 1, "total": 1}
    assert "adder-token-1" in broken.tokens_seen()
    assert not (only_run(tmp_path / "out") / "logs/fleet").exists()
    everything_is_closed(tmp_path)
    assert prove(tmp_path / "out2", "--fleet", str(fleet)).returncode == 2, "a token that the fleet names and nobody set"


def test_kept_open_until_the_deadline_and_closed_earlier_by_hand(tmp_path: Path) -> None:
    done = prove(tmp_path / "out", "--keep-open", WORKER_SERVICE_TOKEN="chosen-by-the-user-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(processes_of(tmp_path)) >= 2
    commands = [line.partition("close earlier: windlass ")[2].split() for line in done.stdout.splitlines() if "close earlier" in line]
    assert len(commands) == 2
    for command in commands:
        closed = subprocess.run([*WINDLASS, *command], env=env(), capture_output=True, text=True, timeout=60, check=False)
        assert closed.returncode == 0, closed.stderr
    everything_is_closed(tmp_path)


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (("--ttl", "0"), {}, "ttl_sec"),
        (("--ttl", "x"), {}, "--ttl"),
        (("--timeout", "-1"), {}, "TIMEOUT_SECS"),
        (("--mode", "TEST"), {}, "--mode"),
        (("--fleet", "no-such.yaml"), {}, "no-such.yaml"),
        (("--nonsense",), {}, "--nonsense"),
        ((), {"AGENT_ENDPOINTS_JSON": "{"}, "AGENT_ENDPOINTS_JSON"),
        ((), {"AGENT_ENDPOINTS_JSON": '{"agent-verify": 7, "agent-x": "http://h"}'}, "agent-x"),
        ((), {"AGENT_ENDPOINTS_JSON": '{"agent-verify": "http://169.254.169.254"}'}, "metadata"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_starts(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str], named: str
) -> None:
    done = prove(tmp_path / "out", *options, **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("run_*")), "nothing half done"


def test_an_out_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = prove(tmp_path / "file" / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
