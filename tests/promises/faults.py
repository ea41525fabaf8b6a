"""Strikes a command at one of its system calls, by strace: kills it there, or makes that call fail. Which calls there are is found by a dry run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from tests.unit.cli.test_start import environment
from windlass.infra import chain
from windlass.records.verify import verify

MUTATING = "write pwrite64 fsync fdatasync ftruncate rename renameat renameat2 mkdir mkdirat unlink unlinkat rmdir link linkat symlink fchmod".split()
ESSAY = "essays/robot"
RUN = "run_20260119T143012000Z_robot_abcdefghijklm"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The `number`-th call (from 1) of one system call."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A command, and the project that it is called in. Lives as long as the test."""

    name: str
    project: Path
    arguments: tuple[str, ...]
    code: int

    def copy(self, place: Path) -> Path:
        """The project, to be struck."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.project, place, symlinks=True)
        return place

    def points(self, place: Path) -> list[Point]:
        """Every mutating call that the command makes."""
        trace = place.with_name(f"{place.name}.trace")
        ended = struck(self.copy(place), self.arguments, ["-e", f"trace={','.join(MUTATING)}", "-o", str(trace)])
        assert ended.returncode == self.code, ended.stderr
        calls = Counter(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
        return [Point(call=call, number=number) for call in MUTATING for number in range(1, calls[call] + 1)]


WINDLASS = ("-m", "windlass")


def struck(project: Path, arguments: tuple[str, ...], options: list[str], program: tuple[str, ...] = WINDLASS) -> subprocess.CompletedProcess[str]:
    """The command, or another program of Python's, under strace with those options."""
    argv = ["strace", "-f", "-qq", *options, sys.executable, "-B", *program, *arguments]
    return subprocess.run(argv, cwd=project, env=environment(), capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)


def cut_short(project: Path, arguments: tuple[str, ...], limit: int) -> subprocess.CompletedProcess[str]:
    """The command where no file can grow beyond `limit` bytes: the write that gets there is short, and the next one fails."""
    argv = ["prlimit", f"--fsize={limit}", sys.executable, "-B", "-m", "windlass", *arguments]
    return subprocess.run(argv, cwd=project, env=environment(), capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)


def windlass(project: Path, *arguments: str, code: int = 0) -> str:
    """The command, unharmed."""
    argv = [sys.executable, "-m", "windlass", *arguments]
    ended = subprocess.run(argv, cwd=project, env=environment(), capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == code, ended.stderr
    return ended.stdout


def needs_strace() -> None:
    """Skip where there is no strace, or it may not trace."""
    if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs strace, and to be allowed to trace (apt-get install strace)")


def scenarios(ground: Path) -> Iterator[Scenario]:
    """Every act on a run, each in a project that is ready for it: one attempt failed, so there is evidence to lose."""
    base = ground / "base"
    base.mkdir()
    windlass(base, "init")
    yield Scenario(
        name="run start", project=base, arguments=("run", "start", "--workflow", "visual-essay", "--slug", "robot", "--artifact-path", ESSAY), code=0
    )
    made = orjson.loads(windlass(base, "run", "start", "--workflow", "visual-essay", "--slug", "robot", "--artifact-path", ESSAY, "--json"))["run_id"]
    run = ("--run", made)
    windlass(base, "gate", "start", *run, "--gate", "G1")
    windlass(base, "gate", "finish", *run, "--gate", "G1", code=1)
    (base / ESSAY / "research").mkdir(parents=True)
    (base / ESSAY / "research/INTAKE.md").write_text("# Intake\n")
    yield Scenario(name="gate start", project=base, arguments=("gate", "start", *run, "--gate", "G1"), code=0)
    yield Scenario(name="run resume", project=base, arguments=("run", "resume", *run), code=75)
    yield Scenario(name="run complete", project=base, arguments=("run", "complete", *run, "--status", "FAILED"), code=0)
    running = ground / "running"
    shutil.copytree(base, running)
    windlass(running, "gate", "start", *run, "--gate", "G1")
    yield Scenario(name="gate finish", project=running, arguments=("gate", "finish", *run, "--gate", "G1"), code=0)
    yield Scenario(name="gate fail", project=running, arguments=("gate", "fail", *run, "--gate", "G1", "--reason", "no"), code=0)
    yield Scenario(name="invocation record", project=running, arguments=("invocation", "record", *run, "--gate", "G1", "--agent", "a"), code=0)
    yield Scenario(name="run complete while running", project=running, arguments=("run", "complete", *run, "--status", "CANCELED"), code=0)
    approving = ground / "approving"
    shutil.copytree(base, approving)
    contract = approving / "orchestration/gates/contracts/G1.contract.json"
    contract.write_bytes(orjson.dumps(orjson.loads(contract.read_bytes()) | {"approvals": {"quorum": 1}}))
    windlass(approving, "keys", "new", "--who", "Ada", "--role", "approver", "--out", str(ground / "ada.pem"), "--add")
    windlass(approving, "gate", "start", *run, "--gate", "G1")
    approve = ("gate", "approve", *run, "--gate", "G1", "--as", "Ada", "--key", str(ground / "ada.pem"), "--yes")
    yield Scenario(name="gate approve", project=approving, arguments=approve, code=0)
    approved = ground / "approved"
    shutil.copytree(approving, approved)
    windlass(approved, *approve)
    yield Scenario(name="gate finish, approved", project=approved, arguments=("gate", "finish", *run, "--gate", "G1"), code=0)


def journals(project: Path) -> dict[str, bytes]:
    """The journal of every run of a project."""
    return {path.parents[1].name: path.read_bytes() for path in sorted(project.glob("orchestration/runs/run_*/record/journal.jsonl"))}


def check(before: Path, after: Path, what: str) -> None:
    """Whatever was struck: every run is whole, nothing that was recorded is lost, and work can go on."""
    was, now = journals(before), journals(after)
    for name, content in was.items():
        assert now[name].startswith(content), f"{what}: an entry of {name} is lost"
    for name, content in now.items():
        directory = after / "orchestration/runs" / name
        view = orjson.loads((directory / "record/RUN.json").read_bytes())
        assert view["run_id"] == name, what
        for path in (directory / "record/gates").glob("*/attempt-*.json"):
            assert orjson.loads(path.read_bytes())["status"] in {"RUNNING", "PASS", "FAIL"}, what
        for path in (before / "orchestration/runs" / name / "record/gates").glob("*/attempt-*.json") if name in was else ():
            if orjson.loads(path.read_bytes())["status"] != "RUNNING":
                assert (directory / "record" / path.relative_to(before / "orchestration/runs" / name / "record")).read_bytes() == path.read_bytes(), (
                    what
                )
        assert chain.scan(content).breaks == (), what
        report = verify(directory)
        assert report.problems == (), (what, report.problems)
        if view["finished_at"] is None and b'"run.completed"' not in content:
            windlass(after, "invocation", "record", "--run", name, "--gate", "G1", "--agent", "after")
            report = verify(directory)
            assert report.problems == (), (what, report.problems)
            left = [warning for warning in report.warnings if not warning.file.startswith("evidence/")]
            assert left == [], (what, left)
