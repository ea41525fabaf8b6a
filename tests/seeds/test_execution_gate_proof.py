"""The execution sweep as its original clients know it: variables, defaults, columns, gate table, summary line. Real services, real command."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from windlass import settings
from windlass.agents import catalogue

TOKEN, AGENT_TOKEN = "token-of-the-sweep", "token-of-the-agents"
TOTAL = len(catalogue.by_task())
WINDLASS = [sys.executable, "-m", "windlass"]
PATIENCE_S = 60.0
COLUMNS = "task_type dispatch_http agent_name agent_url run_http latency_ms pass_fail error_preview".split()


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"} or name.startswith("COVERAGE_")}
    return kept | more


@contextmanager
def served(directory: Path, *words: str, **variables: str) -> Iterator[str]:
    """The URL that a service announces, while it runs."""
    command = [*WINDLASS, "serve", *words, "--port", "0"]
    with subprocess.Popen(command, cwd=directory, env=environment(**variables), stderr=subprocess.PIPE, text=True) as process:
        said: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert process.stderr
        reader = threading.Thread(target=_pass_on, args=(process.stderr, said), daemon=True)
        reader.start()
        try:
            yield said.get(timeout=PATIENCE_S).split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
            reader.join(PATIENCE_S)


def _pass_on(lines: Iterable[str], said: queue.SimpleQueue[str]) -> None:
    for line in lines:
        said.put(line)


class Short(BaseHTTPRequestHandler):
    """Answers every run with a body of exactly so many characters: `/50/agents/run/sync`."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"x" * int(self.path.split("/")[1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """An executor with every agent, and an agent that answers briefly."""

    agents_url: str
    short_url: str


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    short = ThreadingHTTPServer(("127.0.0.1", 0), Short)
    threading.Thread(target=short.serve_forever, daemon=True).start()
    with served(tmp_path_factory.mktemp("executor"), "executor", WINDLASS_AGENT_TOKEN=AGENT_TOKEN) as url:
        yield Stack(agents_url=url, short_url=f"http://127.0.0.1:{short.server_port}")
    short.shutdown()
    short.server_close()


def swept(directory: Path, stack: Stack, *options: str, **endpoints: str) -> subprocess.CompletedProcess[str]:
    """`windlass sweep` with nothing but the seed's variables, through an orchestrator of its own; the evidence is in `directory`/ev."""
    variables = {"WINDLASS_AGENTS_URL": stack.agents_url, "WINDLASS_AGENT_TOKEN": AGENT_TOKEN, "WORKER_SERVICE_TOKEN": TOKEN}
    variables["AGENT_ENDPOINTS_JSON"] = json.dumps(endpoints)
    with served(directory, "orchestrator", **variables) as url:
        return subprocess.run(
            [*WINDLASS, "sweep", "--out", "ev", *options],
            cwd=directory,
            env=environment(ORCHESTRATOR_URL=url, MODE="DEMO", RISK_TIER="NON_SENSITIVE", **variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def table(directory: Path) -> list[dict[str, str]]:
    (path,) = (directory / "ev").glob("execution_sweep_v2_*.tsv")
    header, *lines = path.read_text("utf-8").splitlines()
    assert header.split("\t") == COLUMNS
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]


def gates(directory: Path) -> list[str]:
    return [line for line in (directory / "ev/gate.md").read_text("utf-8").splitlines() if line.startswith("| ")]


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> tuple[Path, subprocess.CompletedProcess[str]]:
    directory = tmp_path_factory.mktemp("passing")
    return directory, swept(directory, stack, "--gate", "execution")


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> tuple[Path, subprocess.CompletedProcess[str]]:
    directory = tmp_path_factory.mktemp("failing")
    endpoints = {"agent-verify": "http://127.0.0.1:9", "agent-lit-triage": f"{stack.short_url}/50"}
    return directory, swept(directory, stack, "--gate", "execution", **endpoints)


def test_the_variables_of_the_seed_are_enough_for_a_sweep(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert passing[1].returncode == 0, passing[1].stdout + passing[1].stderr


def test_the_tsv_has_the_seeds_columns_and_a_passing_row_reads_as_in_the_seed(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    rows = table(passing[0])
    assert [row["task_type"] for row in rows] == list(catalogue.by_task())
    for row in rows:
        assert (row["dispatch_http"], row["run_http"], row["pass_fail"], row["error_preview"]) == ("200", "200", "PASS", "")
        assert row["agent_url"].endswith(f"/{row['agent_name']}")
        assert row["latency_ms"].isdigit()


def test_the_final_gate_table_is_filled_in(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lines = gates(passing[0])
    assert lines[0] == "| Gate | Condition | Result | Evidence |"
    assert lines[1].startswith(f"| **Dispatch** | {TOTAL}/{TOTAL} dispatch return agent_url | **PASS** |")
    assert "TSV column `dispatch_http` = 200, `agent_url` non-empty" in lines[1]
    assert lines[2].startswith(f"| **Execution** | {TOTAL}/{TOTAL} run/sync HTTP 200, response &gt; 50 chars | **PASS** |")
    assert f"summary line: `SUMMARY: {TOTAL}/{TOTAL} PASS`" in lines[2]


def test_the_row_table_has_the_seeds_seven_columns(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    header = "| task_type | dispatch_http | agent_name | run_http | latency_ms | pass_fail | error_preview |"
    lines = gates(passing[0])
    assert len(lines[lines.index(header) + 1 :]) == TOTAL


def test_the_last_line_is_the_summary(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    summary = f"SUMMARY: {TOTAL}/{TOTAL} PASS"
    assert passing[1].stdout.splitlines()[-1] == summary
    assert (passing[0] / "ev/gate.md").read_text("utf-8").splitlines()[-1] == summary


def test_each_agent_has_its_summary_json_in_the_seeds_layout(passing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    found = {path.parent.parent.name for path in (passing[0] / "ev/validation").glob("*/*/summary.json")}
    assert found == set(catalogue.agents())


def test_execution_passes_only_if_every_row_does_and_a_failure_is_no_exit_0(failing: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    directory, done = failing
    assert done.returncode == 1
    failed = {row["task_type"]: row for row in table(directory) if row["pass_fail"] != "PASS"}
    assert set(failed) == {"CLAIM_VERIFY", "LIT_TRIAGE"}
    assert failed["CLAIM_VERIFY"]["run_http"] == "0"
    assert failed["CLAIM_VERIFY"]["error_preview"].startswith("REFUSED: ")
    assert failed["LIT_TRIAGE"]["run_http"] == "200", "50 characters are not more than 50"
    assert done.stdout.splitlines()[-1] == f"SUMMARY: {TOTAL - 2}/{TOTAL} PASS"
    assert "**FAIL**" in gates(directory)[2]


def test_more_than_50_characters_of_anything_pass_the_seeds_gate_and_no_proof(tmp_path: Path, stack: Stack) -> None:
    Short.asked.clear()
    done = swept(tmp_path, stack, **{"agent-lit-triage": f"{stack.short_url}/51"})
    assert done.returncode == 1
    assert "execution PASS   proof FAIL" in done.stdout
    (row,) = [row for row in table(tmp_path) if row["pass_fail"] != "PASS"]
    assert row["task_type"] == "LIT_TRIAGE"
    assert row["error_preview"].startswith("NOT_JSON: ")
    assert set(Short.asked) == {"/51/agents/run/sync"}, "{agent_url}/agents/run/sync is what is called"


def test_the_defaults_are_the_seeds() -> None:
    found = settings.Settings({}, {})
    assert found.text(settings.ORCHESTRATOR_URL) == "http://127.0.0.1:3001"
    assert (found.text(settings.MODE), found.text(settings.RISK_TIER)) == ("DEMO", "NON_SENSITIVE")
    assert found.text(settings.SERVICE_TOKEN) is None


def test_without_the_service_token_nothing_is_swept(tmp_path: Path) -> None:
    done = subprocess.run(
        [*WINDLASS, "sweep", "--agents-url", "http://127.0.0.1:9"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: WORKER_SERVICE_TOKEN is not set")
    assert list(tmp_path.iterdir()) == []
