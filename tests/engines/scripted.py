"""Starting a scripted engine for a test, and talking to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engines import docker_http

ROOT = Path(__file__).parents[2]
SHIM = Path(__file__).with_name("docker.py")
IMAGE = "scripted:1"


class ScriptedEngine:
    """One scripted engine in a process of its own. Lives as long as its test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "engine.sock"
        self.host = f"unix://{self.socket}"
        self.docker = directory / "bin/docker"

    @property
    def environment(self) -> dict[str, str]:
        """What makes `docker` and Windlass talk to this engine and to no other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_", "WINDLASS_"))}
        return {**kept, "DOCKER_HOST": self.host, "PATH": f"{self.docker.parent}:{os.environ['PATH']}"}

    def script(self, **services: Mapping[str, Any]) -> None:
        """Say how services behave."""
        self.post("services", services)

    def post(self, what: str, body: object = None) -> Any:
        """A word to the engine behind its API."""
        return docker_http.post(self.socket, f"/script/{what}", body)

    def told(self) -> Any:
        """Everything that the engine knows and saw."""
        return self.post("tell")

    def running(self, project: str) -> set[str]:
        """The services of a project that run."""
        alive = {"running", "restarting", "paused"}
        return {one["service"] for one in self.told()["containers"] if one["project"] == project and one["status"] in alive}

    def started(self, project: str) -> set[str]:
        """Every service of a project that ever ran."""
        starts = {"start", "restart", "engine-start"}
        return {one["service"] for one in self.told()["events"] if one["project"] == project and one["what"] in starts}

    def compose_file(self, services: Mapping[str, Mapping[str, Any]], name: str = "compose.json") -> Path:
        """A Compose file whose images are there unless they say otherwise."""
        place = self.directory / name
        place.write_text(json.dumps({"services": {service: {"image": IMAGE, **fields} for service, fields in services.items()}}))
        return place


@contextmanager
def scripted(directory: Path) -> Iterator[ScriptedEngine]:
    """A scripted engine that answers, ended with its test."""
    directory.mkdir(parents=True, exist_ok=True)
    engine = ScriptedEngine(directory)
    engine.docker.parent.mkdir()
    engine.docker.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {SHIM} "$@"\n')
    engine.docker.chmod(0o755)
    argv = [sys.executable, "-m", "tests.engines.server", str(engine.socket)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            engine.post("images", [IMAGE])
            yield engine
        finally:
            server.kill()
