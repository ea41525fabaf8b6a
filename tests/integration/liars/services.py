"""The real commands around the town: an orchestrator on an inherited socket, and `windlass sweep` as its user runs it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

WINDLASS = [sys.executable, "-m", "windlass"]
TOKEN = 'worker/token-7f3a"9+b&c<d'
"""Holds what JSON, URLs and HTML escape."""
PATIENCE_S = 60.0


def environment(directory: Path, **more: str) -> dict[str, str]:
    """What the commands get: the token, a state directory of their own, and nothing of the settings of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "WORKER_SERVICE_TOKEN": TOKEN, "WINDLASS_STATE_DIR": str(directory / "state"), "WINDLASS_TRACEBACK": "1", **more}


@contextlib.contextmanager
def orchestrator(fleet: Path, directory: Path, **more: str) -> Iterator[str]:
    """The base URL of `windlass serve orchestrator --fleet`, ready, until the block ends; its stderr is in `orchestrator.log`."""
    directory.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, (directory / "orchestrator.log").open("wb") as log:
        url, fd = f"http://127.0.0.1:{listener.getsockname()[1]}", listener.fileno()
        argv = [*WINDLASS, "serve", "orchestrator", "--fleet", str(fleet), "--fd", str(fd)]
        process = subprocess.Popen(argv, pass_fds=[fd], env=environment(directory, **more), cwd=directory, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or _ready(url), "the orchestrator is ready")
            assert process.poll() is None, (directory / "orchestrator.log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(10)


def sweeping(fleet: Path, url: str, *options: str, directory: Path, **more: str) -> subprocess.Popen[str]:
    """`windlass sweep` as a process that was just started."""
    argv = [*WINDLASS, "sweep", "--fleet", str(fleet), "--orchestrator-url", url, *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=environment(directory, **more), cwd=directory, stdout=pipe, stderr=pipe, text=True)


def swept(fleet: Path, url: str, *options: str, directory: Path, **more: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a whole `windlass sweep`."""
    process = sweeping(fleet, url, *options, directory=directory, **more)
    told, complained = process.communicate(timeout=PATIENCE_S)
    return process.returncode, told, complained


def until(condition: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fails by its name."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.005)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/health/ready", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def by_task(sweep: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Task type → row."""
    rows: list[dict[str, object]] = sweep["rows"]  # type: ignore[assignment]
    return {str(row["task_type"]): row for row in rows}
