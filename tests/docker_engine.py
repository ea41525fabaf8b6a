"""A real Docker Engine for tests that are marked `docker`.

They are skipped where there is none, and failed where WINDLASS_REQUIRE_DOCKER=1 says that there must be one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "python:3.11-slim-bookworm"
PATIENCE_S = 120


@functools.cache
def missing() -> str | None:
    """Why nothing can be run on an engine here, or None."""
    if not shutil.which("docker"):
        return "there is no docker command"
    for argv in (["docker", "version"], ["docker", "compose", "version"], ["docker", "image", "inspect", IMAGE]):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            return f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-300:]}"
    if sys.version_info[:2] != (3, 11):
        return f"containers use this interpreter's packages, and {IMAGE} has Python 3.11, not {sys.version_info[0]}.{sys.version_info[1]}"
    return None


def ask_for() -> None:
    """Skip the test that needs an engine, or fail it, when there is none."""
    reason = missing()
    if reason is None:
        return
    if os.environ.get("WINDLASS_REQUIRE_DOCKER") == "1":
        pytest.fail(f"WINDLASS_REQUIRE_DOCKER=1, and {reason}", pytrace=False)
    pytest.skip(f"needs a Docker Engine with Compose v2: {reason}")


def windlass(*words: str, **more: Any) -> dict[str, Any]:
    """A service that runs this source's `windlass` with this interpreter's packages, mounted and not copied."""
    environment = {"PYTHONPATH": "/src:/site", "PYTHONDONTWRITEBYTECODE": "1", "WINDLASS_STATE_DIR": "/state", **more.pop("environment", {})}
    return {
        "image": IMAGE,
        "entrypoint": ["/usr/bin/python3", "-m", "windlass", *words],
        "environment": environment,
        "volumes": [f"{ROOT / 'src'}:/src:ro", f"{sysconfig.get_path('purelib')}:/site:ro", *more.pop("volumes", [])],
        "tmpfs": ["/state"],
        "stop_grace_period": "1s",
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class Project:
    """A Compose project of our own that is up. Lives as long as its `with` block."""

    directory: Path
    name: str

    def compose(self, *words: str, check: bool = True) -> str:
        """What `docker compose` prints about it."""
        argv = ["docker", "compose", "--project-name", self.name, *words]
        done = subprocess.run(argv, cwd=self.directory, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def processes(self, service: str) -> list[str]:
        """The command lines of all processes in the service's container."""
        return self.compose("top", service).splitlines()


@contextlib.contextmanager
def project(directory: Path, name: str, services: dict[str, Any], *, up: Sequence[str] = ("--wait",), **more: Any) -> Iterator[Project]:
    """A project with these services, up until the block ends; then nothing is left of it."""
    directory.mkdir(parents=True, exist_ok=True)
    unique = f"{name}-{os.getpid()}"
    (directory / "compose.yaml").write_text(yaml.safe_dump({"name": unique, "services": services, **more}))
    standing = Project(directory=directory, name=unique)
    try:
        standing.compose("up", "--detach", "--pull", "never", *up)
        yield standing
    finally:
        standing.compose("down", "--volumes", "--remove-orphans", "--timeout", "1", check=False)
