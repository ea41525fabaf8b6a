"""Every option, variable and file of `windlass sweep` with what does not fit: exit 2, one error that names it, no traceback, nothing called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.liars import services
from tests.unit.sweep import climbing

from windlass import cli

TASK = {"agent": "a", "examples": [{"inputs": {"n": 1}}, {"inputs": {"n": 2}}], "invalid_example": {}}
FLEET: dict[str, Any] = {"name": "mine", "agents": {"a": {"url": "http://127.0.0.1:9/a"}}, "tasks": {"T": TASK}}
TOKEN = "a-token-that-is-none-of-theirs"
UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a good fleet file, and an environment that holds the token and nothing else of ours."""
    for name in ("ORCHESTRATOR_URL", "MODE", "RISK_TIER", "TIMEOUT_SECS", "AGENT_ENDPOINTS_JSON", "WINDLASS_AGENTS_URL", "WINDLASS_AGENT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORKER_SERVICE_TOKEN", TOKEN)
    monkeypatch.setenv("WINDLASS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("WINDLASS_TRACEBACK", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(FLEET))
    return tmp_path


def windlass(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str, **environment: str | None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in this process: its entry point, without the half second of a new one."""
    for name, value in environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["windlass", *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capfd.readouterr()
    return int(left.value.code or 0), out, err


def refused(result: tuple[int, str, str], words: str) -> None:
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert err.startswith("error: ")
    assert "error: " not in err[7:]
    assert words in err
    assert "Traceback" not in err
    assert "bug" not in err
    assert TOKEN not in err
    lines = err.splitlines()
    assert all(line.startswith("  - ") for line in lines[1:])


GOOD = ("--fleet", "fleet.yaml", "--orchestrator-url", UNREACHABLE)
OPTIONS: list[tuple[tuple[str, ...], Mapping[str, str | None], str]] = [
    (("--fleet", "none.yaml"), {}, "none.yaml: can't be read"),
    (("--fleet", "."), {}, "can't be read"),
    (("--fleet", ""), {}, "can't be read"),
    ((*GOOD, "--gate", "prof"), {}, "--gate"),
    ((*GOOD, "--gate", ""), {}, "--gate"),
    ((*GOOD, "--mode", "demo"), {}, "--mode"),
    (GOOD, {"MODE": "demo"}, "MODE"),
    ((*GOOD, "--risk-tier", "HIGH"), {}, "--risk-tier"),
    (GOOD, {"RISK_TIER": "HIGH"}, "RISK_TIER"),
    ((*GOOD, "--concurrency", "0"), {}, "--concurrency"),
    ((*GOOD, "--concurrency", "-1"), {}, "--concurrency"),
    ((*GOOD, "--concurrency", "99999"), {}, "--concurrency"),
    ((*GOOD, "--concurrency", "x"), {}, "--concurrency"),
    ((*GOOD, "--timeout", "x"), {}, "--timeout"),
    ((*GOOD, "--timeout", "0"), {}, "TIMEOUT_SECS"),
    ((*GOOD, "--timeout", "-5"), {}, "TIMEOUT_SECS"),
    ((*GOOD, "--timeout", "nan"), {}, "TIMEOUT_SECS"),
    ((*GOOD, "--timeout", "inf"), {}, "TIMEOUT_SECS"),
    ((*GOOD, "--timeout", "1e9"), {}, "TIMEOUT_SECS"),
    (GOOD, {"TIMEOUT_SECS": "soon"}, "TIMEOUT_SECS"),
    ((*GOOD[:2], "--orchestrator-url", "127.0.0.1:3001"), {}, "ORCHESTRATOR_URL"),
    ((*GOOD[:2], "--orchestrator-url", ""), {}, "ORCHESTRATOR_URL"),
    ((*GOOD[:2], "--orchestrator-url", "http://u:p@h"), {}, "user info"),
    ((*GOOD[:2], "--orchestrator-url", "http://169.254.169.254"), {}, "metadata"),
    ((*GOOD[:2], "--orchestrator-url", os.fsdecode(b"http://\xff")), {}, "ORCHESTRATOR_URL"),
    (GOOD[:2], {"ORCHESTRATOR_URL": "h"}, "ORCHESTRATOR_URL"),
    (("--agents-url", "h"), {}, "--agents-url"),
    (("--agents-url", "http://u:p@h"), {}, "user info"),
    ((), {}, "has no endpoint"),
    ((*GOOD, "--out", "fleet.yaml"), {}, "--out"),
    ((*GOOD, "--out", "fleet.yaml/x"), {}, "--out"),
    ((*GOOD, "--out", "/proc/none"), {}, "--out"),
    ((*GOOD, "--resume"), {}, "--resume"),
    ((*GOOD, "--resume", "--out", "."), {}, "expectation.json"),
    (GOOD, {"WORKER_SERVICE_TOKEN": None}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "  "}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "abc"}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "two words of it"}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "a\nsecond-line-of-it"}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "tökentöken"}, "WORKER_SERVICE_TOKEN"),
    (GOOD, {"WORKER_SERVICE_TOKEN": "redacted"}, "token"),
    (GOOD, {"AGENT_ENDPOINTS_JSON": "{"}, "AGENT_ENDPOINTS_JSON"),
    (GOOD, {"AGENT_ENDPOINTS_JSON": '{"b": "http://h"}'}, "AGENT_ENDPOINTS_JSON"),
    ((*GOOD, "--no-such-option"), {}, "--no-such-option"),
    ((*GOOD, "no-such-command"), {}, "no-such-command"),
    ((*GOOD, "--fleet"), {}, "--fleet"),
    (("show",), {}, "RUN"),
    (("show", "none"), {}, "none: no evidence of a sweep there"),
    (("judge",), {}, "EVIDENCE"),
    (("judge", "none"), {}, "no evidence"),
    (("judge", "fleet.yaml"), {}, "no evidence"),
    (("flakes",), {}, "EVIDENCE"),
    (("flakes", "none"), {}, "no evidence"),
]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"), OPTIONS, ids=lambda value: " ".join(map(repr, value))[:50] if isinstance(value, tuple) else None
)
def test_what_does_not_fit_is_refused_by_its_name(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    environment: dict[str, str | None],
    words: str,
):
    refused(windlass(monkeypatch, capfd, "sweep", *arguments, **environment), words)
    assert not list(world.rglob("rows.jsonl"))


FILES: dict[str, tuple[Any, str]] = {
    "unknown key": ({**FLEET, "nmae": 1}, "nmae"),
    "wrong type": ({**FLEET, "tasks": [1]}, "tasks"),
    "key twice": (b"name: a\nname: b\n", "'name' is given twice"),
    "alias bomb": ("\n".join(["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]).encode(), "more than"),
    "deep": (b"a: " + b"[" * 100_000, "nested too deeply"),
    "bad schema": ({**FLEET, "tasks": {"T": {**TASK, "output_schema": {"type": "x"}}}}, "tasks.T.output_schema"),
    "bad pattern": ({**FLEET, "tasks": {"T": {**TASK, "output_schema": {"pattern": "("}}}}, "tasks.T.output_schema"),
    "bad URL": ({**FLEET, "agents": {"a": {"url": "h"}}}, "agents.a.url"),
    "user info": ({**FLEET, "agents": {"a": {"url": "http://u:secret@h"}}}, "agents.a.url"),
    "metadata": ({**FLEET, "agents": {"a": {"url": "http://169.254.169.254"}}}, "agents.a.url"),
    "missing agent": ({**FLEET, "tasks": {"T": {**TASK, "agent": "b"}}}, "tasks.T.agent"),
    "unmapped agent": ({**FLEET, "agents": {**FLEET["agents"], "b": {}}}, "agents.b"),
    "no URL": ({**FLEET, "agents": {"a": {}}}, "has no endpoint"),
    "token that is not set": ({**FLEET, "agents": {"a": {"url": "http://h", "token_env": "WINDLASS_AGENT_NONE"}}}, "WINDLASS_AGENT_NONE is not set"),
    "token in the file": ({**FLEET, "name": TOKEN}, "holds a token that is in use"),
    "empty tasks": ({**FLEET, "tasks": {}}, "tasks"),
    "not UTF-8": (b"name: \xff\n", "UTF-8"),
    "empty": (b"", "must be a mapping"),
    "not a number": (b"name: .nan\n", "JSON can't carry"),
    "hostile key": (b'"\\e[31m\\n::error::x": 1\n', "is not a known key"),
    "many problems": ({**FLEET, "x": 1, "y": 2, "tasks": {"T": {"agent": 3}}}, "tasks.T.agent"),
    "probe of a stranger": ({**FLEET, "tasks": {"T": {**TASK, "probe": "no_such_module_of_theirs:Probe"}}}, "tasks.T.probe"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_fleet_file_that_is_broken_is_refused_by_its_field(
    world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
):
    content, words = FILES[name]
    (world / "broken.yaml").write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    result = windlass(monkeypatch, capfd, "sweep", "--fleet", "broken.yaml", "--orchestrator-url", UNREACHABLE, "--allow-probe-code")
    if name == "token in the file":
        result = (result[0], "", result[2])  # the sweep had already said what it is about to do
    refused(result, words)
    assert "secret" not in result[2]
    assert not any(ord(character) < 32 and character != "\n" for character in result[2])
    assert not any(line.startswith("::") for line in result[2].splitlines())


def test_a_file_of_100_mb_is_refused_at_once(world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    with (world / "large.yaml").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    refused(windlass(monkeypatch, capfd, "sweep", "--fleet", "large.yaml"), "larger than 16 MiB")


@pytest.mark.parametrize("command", ["show", "judge", "flakes"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"schema_version": 2}', b'{"schema_version": 1}', b'{"schema_version": 1, "rows": 3}']
)
def test_evidence_that_is_broken_is_refused_by_its_file(
    world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str, content: bytes
):
    climbing.write(world / "out", climbing.planned(), {"T": climbing.honest})
    (world / "out/sweep.json").write_bytes(content)
    refused(windlass(monkeypatch, capfd, "sweep", command, "out"), "sweep.json")


def test_what_was_kept_is_shown_judged_and_counted(world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    climbing.write(world / "out", climbing.planned(climbing.fleet(["A", "B"])), {"A": climbing.honest, "B": lambda _: (500, b"\x1b[31m\n::x::")})
    code, out, err = windlass(monkeypatch, capfd, "sweep", "show", "out", "B")
    assert (code, err) == (0, "")
    assert "HTTP_5XX: the agent failed while it worked" in out
    assert "\x1b" not in out
    assert not any(line.lstrip().startswith("::") for line in out.splitlines())
    code, out, err = windlass(monkeypatch, capfd, "sweep", "judge", "out")
    assert (code, err, out.splitlines()[-1]) == (1, "", "SUMMARY: 1/2 PASS")
    assert "every row is judged as it was" in out
    code, out, err = windlass(monkeypatch, capfd, "sweep", "flakes", "out", "out")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["B", "0/2"], ["A", "2/2"]]
    refused(windlass(monkeypatch, capfd, "sweep", "show", "out", "AA"), "did you mean 'A'?")


def test_the_real_command_says_the_same(world: Path):
    argv = [*services.WINDLASS, "sweep", "--fleet", "fleet.yaml", "--timeout", "0"]
    process = subprocess.run(argv, cwd=world, env=services.environment(world), capture_output=True, text=True, timeout=30, check=False)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "error: TIMEOUT_SECS is '0.0'; it must be a number of seconds between 0.001 and 86400\n"
