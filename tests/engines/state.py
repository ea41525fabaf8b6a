"""The state of the scripted engine: containers, volumes and images, and a script for each service that says how it behaves.

Time is real. What happens by itself (a crash, a restart, a health check that turns green) is worked out whenever somebody looks, from
the moment of the last act, so that nothing here needs a thread of its own.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

NEVER = "0001-01-01T00:00:00Z"
RESTART_PAUSE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Script:
    """How one service behaves. Lives as long as its engine's state, unless a test writes another."""

    start_s: float = 0.0  # how long the engine takes to start it
    start_hangs: bool = False  # the engine never answers the start, and never starts it
    start_error: str = ""  # the engine refuses to start it
    runs_s: float | None = None  # it ends by itself after so long
    exit_code: int = 0
    health_s: float | None = None  # it has a health check, which turns healthy after so long
    unhealthy: bool = False
    ignores_term: bool = False
    term_s: float = 0.0  # how long it takes to end after TERM
    stop_errors: int = 0  # so many stops and kills are answered with 500
    log: str = ""
    up_s: float = 0.0  # the `docker compose up` command takes this much longer before it begins
    up_hangs: bool = False  # … or never ends
    up_error: str = ""  # … or fails with this on stderr


@dataclass
class Container:
    """One container. Lives until it is removed."""

    id: str
    project: str
    service: str
    labels: dict[str, str]
    restart: str
    retries: int
    status: str = "created"
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    restarts: int = 0
    stopped_by_hand: bool = False
    stopping: bool = False
    stop_errors: int = 0


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a container, at a wall-clock second. Lives as long as its engine."""

    at: float
    what: str
    project: str
    service: str


class State:
    """Everything that the engine knows. Lives as long as the server's process; every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.scripts: dict[str, Script] = {}
        self.images: set[str] = set()
        self.containers: dict[str, Container] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.events: list[Event] = []
        self.labels_made: list[dict[str, str]] = []
        self.silent_until = 0.0
        self._made = 0

    def script(self, container: Container) -> Script:
        """The script for this project's service, else for the service of any project."""
        return self.scripts.get(f"{container.project}/{container.service}") or self.scripts.get(container.service) or Script()

    def create(self, project: str, service: str, labels: Mapping[str, str], restart: str) -> Container:
        """A container of the service: the one that there is, or a new one."""
        with self.lock:
            for container in self.containers.values():
                if (container.project, container.service) == (project, service):
                    return container
            self._made += 1
            name, _, retries = restart.partition(":")
            made = Container(id=f"{self._made:064x}", project=project, service=service, labels=dict(labels), restart=name, retries=int(retries or 0))
            made.stop_errors = self.script(made).stop_errors
            self.containers[made.id] = made
            return made

    def start(self, container: Container) -> None:
        """Run it, as the engine does when it is asked to."""
        self.settle(container)
        if container.status != "running":
            container.restarts, container.stopped_by_hand = 0, False
            self._run(container, time.time(), "start")

    def _run(self, container: Container, at: float, what: str) -> None:
        container.status, container.started = "running", at
        self.note(what, container, at)

    def note(self, what: str, container: Container, at: float | None = None) -> None:
        """Remember what happened, with the moment when it did."""
        self.events.append(Event(at=time.time() if at is None else at, what=what, project=container.project, service=container.service))

    def settle(self, container: Container) -> None:
        """Let happen what has happened by itself since the last look."""
        script = self.script(container)
        while script.runs_s is not None and not container.stopping:
            now = time.time()
            if container.status == "running" and now >= container.started + script.runs_s:
                container.finished, container.exit_code = container.started + script.runs_s, script.exit_code
                container.status = "restarting" if self._returns(container) else "exited"
                self.note("die", container, container.finished)
            elif container.status == "restarting" and now >= container.finished + RESTART_PAUSE_S:
                container.restarts += 1
                self._run(container, container.finished + RESTART_PAUSE_S, "restart")
            else:
                return

    def _returns(self, container: Container) -> bool:
        if container.restart == "on-failure":
            return container.exit_code != 0 and (not container.retries or container.restarts < container.retries)
        return container.restart in {"always", "unless-stopped"}

    def end(self, container: Container, code: int, what: str) -> None:
        """It has ended because somebody ended it."""
        container.status, container.finished, container.exit_code = "exited", time.time(), code
        container.stopped_by_hand, container.stopping = True, False
        self.note(what, container)

    def restart_engine(self) -> None:
        """What an engine does at its own start: nothing runs, then what has a policy for it comes back, also what was only created."""
        with self.lock:
            for container in self.containers.values():
                self.settle(container)
                if container.status in {"running", "restarting", "paused"}:
                    container.status, container.finished, container.exit_code = "exited", time.time(), 255
                    self.note("engine-stop", container)
                by_hand = container.restart == "unless-stopped" and container.stopped_by_hand
                if container.restart in {"always", "unless-stopped"} and not by_hand:
                    self._run(container, time.time(), "engine-start")

    def inspect(self, container: Container) -> dict[str, Any]:
        """The container as the Engine API shows it."""
        with self.lock:
            self.settle(container)
            script = self.script(container)
            alive = container.status in {"running", "restarting", "paused"}
            state: dict[str, Any] = {
                "Status": container.status,
                "Running": alive,
                "Paused": container.status == "paused",
                "Restarting": container.status == "restarting",
                "ExitCode": container.exit_code,
                "Error": "",
                "StartedAt": _stamp(container.started),
                "FinishedAt": _stamp(container.finished),
            }
            if script.health_s is not None:
                healthy = time.time() >= container.started + script.health_s
                state["Health"] = {"Status": "unhealthy" if script.unhealthy and healthy else "healthy" if healthy else "starting"}
            return {
                "Id": container.id,
                "RestartCount": container.restarts,
                "State": state,
                "Image": "sha256:0",
                "Mounts": [],
                "Config": {"Labels": container.labels, "Tty": False},
                "HostConfig": {
                    "RestartPolicy": {"Name": container.restart, "MaximumRetryCount": container.retries},
                    "LogConfig": {"Type": "json-file"},
                },
            }

    def listed(self, wanted: list[str]) -> list[dict[str, Any]]:
        """The containers that carry all these labels (`name` or `name=value`)."""
        with self.lock:
            return [
                {"Id": one.id, "Labels": one.labels, "State": self.inspect(one)["State"]["Status"]}
                for one in self.containers.values()
                if _carries(one.labels, wanted)
            ]

    def make_volume(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        """The volume of this name: an engine answers with the one that there is, whatever labels are asked for."""
        with self.lock:
            if name not in self.volumes:
                self.labels_made.append(labels)
                self.volumes[name] = {"Name": name, "Driver": "local", "Labels": labels, "Scope": "local", "Options": None}
            return dict(self.volumes[name])

    def listed_volumes(self, wanted: list[str]) -> list[dict[str, Any]]:
        """The volumes that carry all these labels."""
        with self.lock:
            return [dict(one) for one in self.volumes.values() if _carries(one["Labels"], wanted)]

    def told(self) -> dict[str, Any]:
        """Everything, for a test to look at."""
        with self.lock:
            for container in self.containers.values():
                self.settle(container)
            return {
                "events": [asdict(one) for one in self.events],
                "containers": [asdict(one) for one in self.containers.values()],
                "volumes": list(self.volumes.values()),
                "labels_made": self.labels_made,
            }

    def write_script(self, name: str, fields: Mapping[str, Any]) -> None:
        """Let a service (`service` or `project/service`) behave like this from now on."""
        with self.lock:
            self.scripts[name] = replace(Script(), **fields)
            for container in self.containers.values():
                if name in {container.service, f"{container.project}/{container.service}"}:
                    container.stop_errors = self.scripts[name].stop_errors


def _carries(labels: Mapping[str, str], wanted: list[str]) -> bool:
    return all(labels.get(name) == value if equals else name in labels for name, equals, value in (one.partition("=") for one in wanted))


def _stamp(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z") if second else NEVER
