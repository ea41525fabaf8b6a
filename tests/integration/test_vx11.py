"""`examples/vx11` as a user runs it: the real command, the real engine, the service beside it, and kills; its core is never touched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.engines import real
from tests.integration.test_window_cli import processes_of
from tests.integration.windows_services import TOKEN, Service, until
from tests.unit.cli.test_start import environment

pytestmark = pytest.mark.docker
EXAMPLE = Path(__file__).parents[2] / "examples/vx11"
CORE = {"madre", "tentaculo_link", "redis"}
START_S, GRACE_S = 25.0, 5.0
X_S = GRACE_S + 3.0
WATCHER = b"windlass.windows.power.watcher"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The example, copied, under a project name of its own, its core up. Lives as long as this module."""

    directory: Path
    project: str
    environment: dict[str, str] = field(default_factory=lambda: environment(VX11_IMAGE=real.IMAGE))

    def windlass(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What `windlass window …` prints."""
        argv = [sys.executable, "-m", "windlass", "window", *arguments]
        ended = subprocess.run(argv, cwd=self.directory, env=self.environment | variables, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout

    def told(self, *arguments: str, code: int = 0) -> Any:
        """The same as JSON."""
        return json.loads(self.windlass(*arguments, "--json", code=code))

    def compose(self, *arguments: str) -> None:
        """What its owner does, past the windows."""
        argv = ["docker", "compose", "--project-name", self.project, *arguments]
        ran = subprocess.run(argv, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr

    def container(self, service: str) -> dict[str, Any]:
        """What must stay as it is where nobody touches a service, and its restart policy."""
        [found] = real.lines(
            "ps",
            "-aq",
            "--no-trunc",
            "--filter",
            f"label=com.docker.compose.project={self.project}",
            "--filter",
            f"label=com.docker.compose.service={service}",
        )
        [seen] = json.loads(subprocess.run(["docker", "inspect", found], capture_output=True, check=True).stdout)
        return {
            "id": seen["Id"],
            "started": seen["State"]["StartedAt"],
            "pid": seen["State"]["Pid"],
            "restart": seen["HostConfig"]["RestartPolicy"]["Name"],
        }

    def powered(self) -> set[str]:
        """What runs besides the core."""
        return real.running(self.project) - CORE

    def leases(self) -> list[str]:
        """The leases that the engine keeps for it."""
        return real.lines("volume", "ls", "-q", "--filter", f"label=dev.windlass.project={self.project}")

    def deadline_s(self) -> float:
        """What the one lease says, in seconds since 1970."""
        [lease] = self.leases()
        return int(real.lines("volume", "inspect", "--format", '{{index .Labels "dev.windlass.deadline_ms"}}', lease)[0]) / 1000

    def opening(self, *arguments: str) -> subprocess.Popen[bytes]:
        """An opening that is under way: some of it runs, and the command has not ended."""
        argv = [sys.executable, "-m", "windlass", "window", "open", *arguments]
        command = subprocess.Popen(argv, cwd=self.directory, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.powered, "the services that start", 60)
        assert command.poll() is None, "it was open before it could be killed"
        return command


@pytest.fixture(name="vx", scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`docker compose up --detach --wait`, as the README has it: the core and nothing else."""
    real.needed()
    with real.project() as name:
        directory = tmp_path_factory.mktemp("vx") / "vx11"
        shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns(".windlass"))
        toml = directory / "windlass.toml"
        toml.write_text(toml.read_text().replace('"vx11"', f'"{name}"').replace("start_timeout_sec = 30", f"start_timeout_sec = {START_S:g}"))
        made = Stack(directory=directory, project=name)
        made.compose("up", "--detach", "--wait", "--pull", "never")
        assert real.running(name) == CORE
        try:
            yield made
        finally:
            for pid in processes_of(directory):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def core_untouched(vx: Stack) -> Iterator[None]:
    """Nothing of the core is recreated, restarted or changed by any of this, and nothing else is left."""
    before = {name: vx.container(name) for name in CORE}
    yield
    assert {name: vx.container(name) for name in CORE} == before
    until(lambda: not vx.powered() and not vx.leases() and not processes_of(vx.directory), "the end of all but the core", 30)
    assert {one["restart"] for one in before.values()} == {"unless-stopped"}


def test_the_commands_of_the_readme_work(vx: Stack) -> None:
    assert "7 allowlisted services; 0 must change, 1 should" in vx.windlass("doctor")
    opened = vx.told("open", "switch", "hermes", "--ttl", "60", "--reason", "reindex")
    assert (opened["state"], opened["services_started"]) == ("open", ["hermes", "switch"])
    assert {one["health"] for one in opened["results"]} == {"healthy"}
    seen = vx.told("status")
    assert (seen["state"], seen["active_services"], seen["drift"]) == ("OPEN", ["hermes", "switch"], [])
    assert seen["core"] == dict.fromkeys(sorted(CORE), "running")
    assert seen["closed_by"] == opened["closed_by"]
    assert vx.told("extend", opened["window_id"], "--ttl", "120")["deadline"] > opened["deadline"]
    assert "is core: it is never opened and never stopped" in vx.told("open", "madre", code=2)["message"]
    closed = vx.told("close")
    assert (closed["state"], sorted(closed["services_stopped"]), closed["core_changed"]) == ("closed", ["hermes", "switch"], [])
    assert vx.told("status")["state"] == "SOLO_MADRE_CORE"
    assert vx.told("audit", "verify")["problems"] == []
    actions = [entry["action"] for entry in vx.told("audit")["entries"]]
    assert actions.index("open_requested") < actions.index("opened") < actions.index("extended") < actions.index("window_closed")


def test_what_one_service_needs_is_opened_and_closed_with_it(vx: Stack) -> None:
    assert vx.told("open", "hermes", "--ttl", "60")["services"] == ["hermes", "switch"]
    assert vx.powered() == {"hermes", "switch"}
    assert vx.windlass("close").splitlines()[0].endswith("closed  manual  hermes, switch")


def test_restart_policies_are_taken_at_close_and_given_back_at_the_next_open(vx: Stack) -> None:
    for _ in range(2):
        vx.windlass("open", "spawner", "hormiguero", "--ttl", "60")
        assert [vx.container(name)["restart"] for name in ("spawner", "hormiguero")] == ["always", "on-failure"]
        vx.windlass("close")
        assert [vx.container(name)["restart"] for name in ("spawner", "hormiguero")] == ["no", "no"]


def test_what_ran_before_its_window_goes_on_as_it_was_until_the_core_is_to_be_alone(vx: Stack) -> None:
    vx.compose("up", "--detach", "--wait", "--pull", "never", "spawner")
    before = vx.container("spawner")
    assert vx.told("status")["drift"] == ["spawner"]
    vx.windlass("open", "spawner", "mcp", "--ttl", "60")
    assert vx.told("close")["services_stopped"] == ["mcp"]
    assert vx.container("spawner") == before
    vx.windlass("open", "mcp", "--ttl", "60")
    applied = vx.told("apply-core")
    assert (applied["services_stopped"], applied["still_running"], applied["state"]) == (["mcp", "spawner"], [], "SOLO_MADRE_CORE")


def test_a_service_that_fails_as_the_originals_did_is_told_with_its_last_words_and_the_rest_is_open(vx: Stack) -> None:
    shown = vx.windlass("open", "manifestator", "mcp", "--ttl", "60", VX11_BROKEN="manifestator")
    assert "  warning: 1 of 2 did not come up: manifestator" in shown
    assert "    | ModuleNotFoundError: No module named 'manifestator'" in shown
    assert vx.powered() == {"mcp"}
    vx.windlass("close")
    alone = vx.windlass("open", "manifestator", code=1, VX11_BROKEN="manifestator")
    assert "closed  manifestator did not come up" in alone


def test_the_command_and_the_service_use_one_ledger(vx: Stack) -> None:
    with serving(vx) as service:
        opened = vx.told("open", "mcp", "--ttl", "60")
        assert opened["closed_by"] == f"service, pid {service.process.pid}"
        assert (service.state()["window_id"], service.state()["active_services"]) == (opened["window_id"], ["mcp"])
        assert service.open("switch")[0] == 409
        assert service.close()[1]["services_stopped"] == ["mcp"]

        status, answered = service.open("switch", ttl_sec=60)
        assert status == 200
        assert f"; closed by service, pid {service.process.pid}" in vx_refused(vx, "open", "mcp")
        assert vx.told("extend", answered["window_id"], "--ttl", "90")["window_id"] == answered["window_id"]
        assert vx.told("close")["services_stopped"] == ["switch"]
        assert service.state()["state"] == "SOLO_MADRE_CORE"
        assert not processes_of(vx.directory, WATCHER), "a service closes; nobody else need be left"


def test_a_service_that_is_killed_leaves_its_window_to_the_next_command(vx: Stack) -> None:
    with serving(vx) as service:
        assert service.open("mcp", ttl_sec=60)[0] == 200
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait(10)
        assert vx.told("status")["closed_by"].startswith("nobody here")
        assert vx.told("close")["services_stopped"] == ["mcp"]


def test_a_command_that_is_killed_in_the_middle_of_open_leaves_a_watcher_that_closes(vx: Stack) -> None:
    command = vx.opening("switch", "hermes", "--ttl", "2")
    latest_s = vx.deadline_s() + X_S
    command.kill()
    command.wait(10)
    until(lambda: not vx.powered() and not vx.leases(), "the end of the window", max(0.0, latest_s - time.time()))
    closed = [entry for entry in vx.told("audit")["entries"] if entry["action"] == "window_closed"][-1]
    assert closed["reason"] in {"recovered", "start_failed"}


def test_with_command_watcher_and_ledger_gone_the_reaper_closes(vx: Stack) -> None:
    command = vx.opening("switch", "hermes", "--ttl", "1")
    latest_s = vx.deadline_s() + X_S
    for pid in (command.pid, *processes_of(vx.directory, WATCHER)):
        os.kill(pid, signal.SIGKILL)
    command.wait(10)
    (vx.directory / ".windlass").rename(vx.directory / f"gone-{os.getpid()}")
    argv = [sys.executable, "-m", "windlass", "window", "reap", "--project", vx.project, "--json"]
    with subprocess.Popen(argv, cwd=vx.directory, env=vx.environment, stdout=subprocess.PIPE, text=True) as reaper:
        assert reaper.stdout is not None
        told = json.loads(reaper.stdout.readline())
        reaper.terminate()
        reaper.communicate(timeout=30)
    assert (told["result"], told["services"]) == ("closed", ["hermes", "switch"])
    assert time.time() < latest_s
    assert vx.windlass("reap", "--once", "--project", vx.project) == ""


@contextlib.contextmanager
def serving(vx: Stack) -> Iterator[Service]:
    """`windlass serve windows` over the example."""
    made = Service(vx.environment, vx.directory / "windlass.toml", WINDLASS_WINDOWS_TOKEN=TOKEN)
    try:
        yield made
    finally:
        made.end()


def vx_refused(vx: Stack, *arguments: str) -> str:
    argv = [sys.executable, "-m", "windlass", "window", *arguments]
    ended = subprocess.run(argv, cwd=vx.directory, env=vx.environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stderr
