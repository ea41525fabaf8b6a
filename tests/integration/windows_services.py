"""The windows service as a process over a scripted engine, and a caller for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.engines.scripted import ScriptedEngine

UP = ("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--")
TOKEN = "a-token-of-this-test"
CORE = {"madre": {"restart": "always"}, "redis": {}}
POWERED = {"switch": {"depends_on": ["redis"]}, "hermes": {}, "spawner": {"depends_on": ["stranger"]}, "stranger": {}}


def configured(engine: ScriptedEngine, services: Mapping[str, Mapping[str, Any]] | None = None, **settings: Any) -> Path:
    """A windlass.toml for the project `vx` on this engine; `settings` are keys of [windows]."""
    file = engine.compose_file({**CORE, **POWERED, **(services or {})})
    values = {
        "project": "vx",
        "files": [str(file)],
        "core": list(CORE),
        "allowlist": ["switch", "hermes", "spawner"],
        "start_timeout_sec": 15,
        "stop_grace_sec": 1,
        "health_interval_sec": 0.5,
        **settings,
    }
    place = engine.directory / "windlass.toml"
    place.write_text("[windows]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    return place


class Reached(Protocol):
    """An engine that `docker` reaches with these variables."""

    @property
    def environment(self) -> dict[str, str]: ...


class Service:
    """`windlass serve windows` as a process. Lives as long as its test."""

    def __init__(self, engine: Reached | Mapping[str, str], config: Path, **variables: str) -> None:
        argv = [sys.executable, "-m", "windlass", "serve", "windows", "--config", str(config), "--port", "0"]
        inherited = engine if isinstance(engine, Mapping) else engine.environment
        environment = {**inherited, "WINDLASS_WINDOWS_TOKEN": TOKEN, **variables}
        self.process = subprocess.Popen(argv, cwd=config.parent, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert " at http://" in line, line + self.process.stderr.read()
        self.url = line.split(" at ")[1].strip()

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON body of an answer."""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=content, method=method, headers=dict(headers or {}))
        if token is not None:
            request.add_header("X-VX11-Token", token)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def open(self, *services: str, **fields: Any) -> tuple[int, Any]:
        return self.call("POST", "/madre/power/window/open", {"services": list(services), **fields})

    def close(self, **fields: Any) -> tuple[int, Any]:
        return self.call("POST", "/madre/power/window/close", fields)

    def state(self) -> Any:
        return self.call("GET", "/madre/power/state")[1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def service(engine: Reached | Mapping[str, str], config: Path, **variables: str) -> Iterator[Service]:
    """The service, answering, ended with its test."""
    made = Service(engine, config, **variables)
    try:
        yield made
    finally:
        made.end(signal.SIGKILL if made.process.poll() is None else signal.SIGTERM)


def until(condition: Callable[[], Any], what: str, patience_s: float = 20) -> Any:
    """What the condition gives once it gives something."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {patience_s} s in vain for {what}")


def up(engine: ScriptedEngine, file: Path, services: Iterable[str]) -> None:
    """Start services as their owner would, past the windows."""
    argv = [str(engine.docker), "compose", "--project-name", "vx", "--file", str(file), *UP, *services]
    subprocess.run(argv, env=engine.environment, check=True, capture_output=True)


def core_up(engine: ScriptedEngine) -> None:
    """Start the core."""
    up(engine, engine.directory / "compose.json", CORE)


def touched(engine: ScriptedEngine) -> list[str]:
    """What happened to the core after its start."""
    events = [one for one in engine.told()["events"] if one["service"] in CORE]
    return [f"{one['what']} {one['service']}" for one in events if one["what"] not in {"create", "start"}]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
