"""The compose backend on a real engine: what a script of an engine could get wrong."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines import real

from windlass.windows import moments
from windlass.windows.backend import Lease, Observation
from windlass.windows.compose.compose import Compose, Place

pytestmark = [pytest.mark.anyio, pytest.mark.docker]
SLEEP: dict[str, Any] = {"command": ["sleep", "600"], "init": True}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def project() -> Iterator[str]:
    real.needed()
    with real.project() as name:
        yield name


def place(project: str, directory: Path, services: dict[str, dict[str, Any]], **top: Any) -> Place:
    return Place(project=project, files=(str(real.compose_file(directory, services, **top)),), directory=directory)


def lease(project: str, *services: str) -> Lease:
    return Lease(window_id="win_1", project=project, services=services, deadline_ms=moments.now().epoch_ms + 120_000, fencing=1, grace_s=1.0)


def compose(where: Place, *arguments: str) -> str:
    files = [word for file in where.files for word in ("--file", file)]
    argv = ["docker", "compose", "--project-name", where.project, *files, *arguments]
    ran = subprocess.run(argv, cwd=where.directory, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


async def until(backend: Compose, condition: Callable[[Observation], object], limit_s: float = 20.0) -> Observation:
    end = time.monotonic() + limit_s
    while not condition(seen := await backend.observe()):
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.05)
    return seen


async def test_opening_and_closing_touch_nothing_of_the_core(project, tmp_path):
    services = {"core": {**SLEEP, "volumes": ["kept:/data"]}, "web": {**SLEEP, "depends_on": ["core"], "restart": "always"}}
    where = place(project, tmp_path, services, volumes={"kept": {}})
    compose(where, "up", "--detach", "core")
    async with Compose(where) as backend:
        before = (await backend.observe()).services["core"]
        [outcome] = await backend.start(["web"], lease(project, "web"), timeout_s=30)
        assert outcome.is_done
        await backend.stop(["web"], 1.0, kill=False)
        assert (await backend.observe()).services["core"].fingerprint == before.fingerprint
        compose(where, "restart", "--timeout", "0", "core")
        assert (await backend.observe()).services["core"].fingerprint != before.fingerprint


async def test_the_containers_are_those_that_compose_itself_would_make(project, tmp_path):
    (tmp_path / "web.env").write_text("A=1$$2\n")
    where = place(project, tmp_path, {"web": {**SLEEP, "env_file": ["web.env"], "profiles": ["off"]}})
    async with Compose(where) as backend:
        await backend.start(["web"], lease(project, "web"), timeout_s=30)
        before = (await backend.observe()).services["web"]
        compose(where, "--profile", "off", "up", "--detach", "web")
        assert (await backend.observe()).services["web"].fingerprint == before.fingerprint


async def test_a_crash_loop_is_stopped_for_good(project, tmp_path):
    where = place(project, tmp_path, {"crash": {"command": ["sh", "-c", "exit 1"], "restart": "always"}})
    async with Compose(where) as backend:
        await backend.start(["crash"], lease(project, "crash"), timeout_s=30)
        await until(backend, lambda seen: seen.services["crash"].restart_count >= 2)
        await backend.stop(["crash"], 1.0, kill=False)
        before = (await backend.observe()).services["crash"]
        assert not before.is_alive
        assert not before.restart_policy.returns
        await asyncio.sleep(2)
        assert (await backend.observe()).services["crash"].started_at == before.started_at


async def test_a_paused_service_and_a_one_off_run_are_stopped_too(project, tmp_path):
    where = place(project, tmp_path, {"web": SLEEP})
    async with Compose(where) as backend:
        await backend.start(["web"], lease(project, "web"), timeout_s=30)
        compose(where, "run", "--detach", "web", "sleep", "600")
        compose(where, "pause", "web")
        seen = (await backend.observe()).services["web"]
        assert (seen.state, len(seen.ids)) == ("paused", 2)
        [outcome] = await backend.stop(["web"], 2.0, kill=False)
        assert outcome.is_done
        assert not (await backend.observe()).alive()


async def test_health_is_as_the_engine_sees_it(project, tmp_path):
    check = {"test": ["CMD", "test", "-e", "/tmp/ready"], "interval": "1s", "retries": 100}
    where = place(
        project, tmp_path, {"web": {"command": ["sh", "-c", "sleep 1; touch /tmp/ready; exec sleep 600"], "init": True, "healthcheck": check}}
    )
    async with Compose(where) as backend:
        assert (await backend.closure(["web"])).facts["web"].has_healthcheck
        await backend.start(["web"], lease(project, "web"), timeout_s=30)
        assert (await backend.observe()).services["web"].health == "starting"
        await until(backend, lambda seen: seen.services["web"].health == "healthy")


async def test_every_replica_is_opened_and_closed(project, tmp_path):
    where = place(project, tmp_path, {"web": {**SLEEP, "deploy": {"replicas": 3}}})
    async with Compose(where) as backend:
        await backend.start(["web"], lease(project, "web"), timeout_s=30)
        assert len((await backend.observe()).services["web"].ids) == 3
        await backend.stop(["web"], 1.0, kill=False)
        assert not real.running(project)
