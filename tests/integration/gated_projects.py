"""Small projects with a workflow of their own, and a fleet that stands for the tests of one file."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from tests.unit.cli.test_start import environment, windlass

from windlass.fleet import AGENT_TOKEN
from windlass.premises import Needs, Premises

CLAIMS = {
    "claims": ["Valoxin lowers pressure by 12 mmHg."],
    "groundingPack": {"chunks": [{"chunk_id": "k1", "text": "Valoxin lowers pressure by 12 mmHg."}]},
}
VERIFY: dict[str, Any] = {
    "kind": "agent",
    "task_type": "CLAIM_VERIFY",
    "inputs": {"$json": "claims.json"},
    "outputs": {"{artifact_path}/verdicts.json": "/outputs", "{artifact_path}/reason.txt": "/outputs/claim_verdicts/0/reason"},
    "timeout_s": 30,
}


def project(place: Path, gates: Mapping[str, Mapping[str, Any]], contracts: Mapping[str, Mapping[str, Any]] | None = None) -> Path:
    """A committed project with the workflow `w`: gate → its fields in the workflow file, gate → what its contract has besides."""
    folder = place / "orchestration/workflows"
    (folder / "w/contracts").mkdir(parents=True, exist_ok=True)
    workflow = {"schema_version": 1, "name": "w", "gates": [{"gate": gate, **fields} for gate, fields in gates.items()]}
    (folder / "w.json").write_bytes(orjson.dumps(workflow, option=orjson.OPT_INDENT_2))
    for gate, fields in (contracts or {}).items():
        (folder / f"w/contracts/{gate}.contract.json").write_bytes(orjson.dumps({"schema_version": 1, "gate": gate, **fields}))
    (place / "claims.json").write_bytes(orjson.dumps(CLAIMS))
    if not (place / ".git").exists():
        git(place, "init", "-q")
    commit(place)
    return place


def git(place: Path, *words: str) -> None:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *names, *words], cwd=place, check=True, capture_output=True)


def commit(place: Path) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-qm", "as it is", "--allow-empty")


def leaves(*names: str) -> dict[str, Any]:
    """A contract that asks for files beneath the artifact path."""
    return {"required_outputs": {"all_of": [{"path": f"{{artifact_path}}/{name}"} for name in names]}}


RUN = ("run", "w", "--slug", "it", "--artifact-path", "out")


def told(place: Path, *arguments: str, code: int = 0, **variables: Any) -> Any:
    """What a command prints as JSON."""
    ended = windlass(*arguments, "--json", place=place, **variables)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return orjson.loads(ended.stdout)


def only_run(place: Path) -> Path:
    (found,) = (path for path in (place / "orchestration/runs").iterdir() if path.name.startswith("run_"))
    return found


def view(place: Path) -> Any:
    return orjson.loads((only_run(place) / "record/RUN.json").read_bytes())


def attempts(place: Path, gate: str) -> list[Any]:
    """The attempts of a gate as RUN.json tells them."""
    return next(found["attempts"] for found in view(place)["gates"] if found["gate"] == gate)


def wait_until(condition: Callable[[], Any], what: str, patience_s: float = 60) -> Any:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {patience_s} s in vain for {what}")


def processes_in(place: Path) -> list[str]:
    """Command lines of every process that works in a directory of this project, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            directory = (entry / "cwd").readlink()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if state != "Z" and int(entry.name) != os.getpid() and directory.is_relative_to(place):
            found.append(words)
    return found


class Terminal:
    """A command at a terminal of its own; lives as long as its test."""

    def __init__(self, *arguments: str, place: Path, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        argv = [sys.executable, "-m", "windlass", *arguments]
        self.process = subprocess.Popen(
            argv, cwd=place, env=environment(**variables), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""
        self._read = 0

    def until(self, text: str) -> None:
        """Read until `text` is shown once more than it was waited for before."""
        deadline = time.monotonic() + 60
        while text not in self.shown[self._read :]:
            ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, self.shown
            self.shown += os.read(self._ours, 65_536).decode()
        self._read = self.shown.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ended(self) -> int:
        """The exit code, once everything that was said has been read."""
        try:
            while chunk := os.read(self._ours, 65_536):
                self.shown += chunk.decode()
        except OSError:
            pass
        os.close(self._ours)
        return self.process.wait(60)


@contextmanager
def standing_fleet(place: Path) -> Iterator[dict[str, str]]:
    """The reference fleet behind its orchestrator, and the variables by which a command finds it."""
    premises = Premises(Needs(ttl_sec=600, environment=dict(os.environ)))
    asyncio.run(premises.open(place, lambda _: None))
    agents = premises.agents.url if premises.agents else ""
    try:
        yield {
            "ORCHESTRATOR_URL": premises.core.url,
            "WORKER_SERVICE_TOKEN": premises.token,
            "WINDLASS_AGENTS_URL": agents,
            AGENT_TOKEN: premises.agent_tokens[AGENT_TOKEN],
        }
    finally:
        asyncio.run(premises.close())
