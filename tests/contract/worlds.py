"""The worlds of the contract suite: the same services behind each backend.

`web` runs and obeys TERM, `stubborn` ignores TERM, `crash` says something and ends with 3 (the engine starts it again), `never` can't be started.
"""

import contextlib
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.engines import real
from tests.engines.scripted import scripted
from windlass.windows import moments
from windlass.windows.adapters.processes import Processes
from windlass.windows.backend import Backend, Lease
from windlass.windows.compose.compose import Compose, Place
from windlass.windows.rules import Service

SERVICES = ("web", "stubborn", "crash", "never")
LAST_WORDS = "no module named switch"
SERVE = "import sys, http.server; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
WAIT = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(143)); time.sleep(1000)"
IGNORE = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
CRASH = f"import sys, time; print('{LAST_WORDS}', flush=True); time.sleep(0.2); sys.exit(3)"


@dataclass(frozen=True, kw_only=True)
class World:
    """One backend with its services. Lives as long as its test; `another` is a second owner of the same world."""

    kind: str
    project: str
    backend: Backend
    another: Callable[[], Backend]
    running: Callable[[], set[str]]
    """The services that run, by a look that shares no code with the backend."""

    def lease(
        self, *services: str, ttl_s: float = 60.0, fencing: int = 1, grace_s: float = 1.0, window_id: str = "win_1", project: str = ""
    ) -> Lease:
        """A lease from now."""
        now = moments.now()
        return Lease(
            window_id=window_id,
            project=project or self.project,
            services=services,
            deadline_ms=now.epoch_ms + round(ttl_s * 1000),
            fencing=fencing,
            grace_s=grace_s,
            boot_id=now.boot_id,
            deadline_uptime_s=now.uptime_s + ttl_s,
        )


@contextlib.asynccontextmanager
async def on_scripted_engine(directory: Path) -> AsyncIterator[World]:
    """Compose on the scripted engine."""
    project = f"p{secrets.token_hex(4)}"
    with scripted(directory) as engine:
        engine.script(
            stubborn={"ignores_term": True}, crash={"runs_s": 0.2, "exit_code": 3, "log": LAST_WORDS + "\n"}, never={"start_error": "no port"}
        )
        file = engine.compose_file({"web": {}, "stubborn": {}, "crash": {"restart": "always"}, "never": {}})
        place = Place(project=project, files=(str(file),), directory=directory, docker=str(engine.docker), environment=engine.environment)
        async with Compose(place) as made, Compose(place) as other:
            yield World(kind="scripted", project=project, backend=made, another=lambda: other, running=lambda: engine.running(project))


@contextlib.asynccontextmanager
async def on_real_engine(directory: Path) -> AsyncIterator[World]:
    """Compose on the real engine."""
    with real.project() as project:
        file = real.compose_file(
            directory,
            {
                "web": {"command": ["python", "-c", WAIT]},
                "stubborn": {"command": ["python", "-c", IGNORE]},
                "crash": {"command": ["python", "-c", CRASH], "restart": "always"},
                "never": {"command": ["/no/such/program"]},
            },
        )
        place = Place(project=project, files=(str(file),), directory=directory)
        async with Compose(place) as made, Compose(place) as other:
            yield World(kind="real", project=project, backend=made, another=lambda: other, running=lambda: real.running(project))


@contextlib.asynccontextmanager
async def on_processes(directory: Path) -> AsyncIterator[World]:
    """Local processes."""
    state = directory / "state"

    def service(name: str, *argv: str, port: int) -> Service:
        url = f"http://127.0.0.1:{port}/"
        return Service(name=name, argv=argv, env={}, directory=directory, ready_url=url, log_file=directory / f"{name}.log", stop_grace_s=1.0)

    ports = {name: _free_port() for name in SERVICES}
    table = [
        service("web", sys.executable, "-I", "-S", "-c", SERVE, str(ports["web"]), port=ports["web"]),
        service("stubborn", sys.executable, "-I", "-S", "-c", IGNORE, port=ports["stubborn"]),
        service("crash", sys.executable, "-I", "-S", "-c", CRASH, port=ports["crash"]),
        service("never", "/no/such/program", port=ports["never"]),
    ]
    made = Processes("local", table, state)
    try:
        yield World(kind="process", project="local", backend=made, another=lambda: Processes("local", table, state), running=lambda: _running(state))
    finally:
        await made.stop(SERVICES, 0.0, kill=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _running(state: Path) -> set[str]:
    """Which services have processes, by the keepers' arguments and their children in the process table."""
    found = set()
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                variables = (place / "environ").read_bytes().split(b"\0")
                marks = [one.partition(b"=")[2].decode() for one in variables if one.startswith(b"WINDLASS_KEEPER=")]
                if marks and str(state.parent) in str((place / "cwd").readlink()):
                    found.add(marks[0].rpartition("/")[2])
    return found


WORLDS = {"scripted": on_scripted_engine, "real": on_real_engine, "process": on_processes}
