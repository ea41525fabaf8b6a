"""The reaper closes what is due from the engine's leases alone: nobody else is left in these tests."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.engines.scripted import scripted

from windlass.infra import instants
from windlass.windows import moments, reap
from windlass.windows.backend import Lease, Moment
from windlass.windows.compose.compose import Compose, Place
from windlass.windows.compose.engine import Engine

pytestmark = pytest.mark.anyio
SERVICES = {"web": {"restart": "always"}, "stubborn": {}, "core": {}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def engine(tmp_path):
    with scripted(tmp_path) as made:
        made.script(stubborn={"ignores_term": True})
        yield made


def place(engine, project="vx") -> Place:
    file = engine.compose_file(SERVICES)
    return Place(project=project, files=(str(file),), directory=engine.directory, docker=str(engine.docker), environment=engine.environment)


def lease(*services, ttl_s=60.0, window_id="win_1", project="vx", grace_s=1.0, boot_id="", **more) -> Lease:
    return Lease(
        window_id=window_id,
        project=project,
        services=services,
        deadline_ms=moments.now().epoch_ms + round(ttl_s * 1000),
        fencing=1,
        grace_s=grace_s,
        boot_id=boot_id,
        **more,
    )


async def opened(engine, services, project="vx", **terms) -> None:
    """A window whose opener is gone."""
    async with Compose(place(engine, project)) as backend:
        await backend.start(services, lease(*services, project=project, **terms), timeout_s=10)


async def reaped(engine, project=None, ahead_s=0.0) -> list[reap.Reaped]:
    """One look, by a clock that is so far ahead."""
    made = Engine(engine.host)
    try:
        return await reap.once(made, project, clock=lambda: instants.now() + timedelta(seconds=ahead_s), looks_s=(0.0, 0.02))
    finally:
        made.close()


async def test_a_window_that_is_not_due_is_left_alone(engine):
    await opened(engine, ["web"])
    assert await reaped(engine) == []
    assert engine.running("vx") == {"web"}


async def test_what_is_overdue_is_stopped_its_restart_policy_first_and_its_lease_given_up_last(engine):
    await opened(engine, ["web", "stubborn"])
    [one] = await reaped(engine, ahead_s=61)
    assert (one.result, one.window_id, one.services) == ("closed", "win_1", ("web", "stubborn"))
    assert engine.running("vx") == set()
    assert engine.told()["volumes"] == []
    engine.post("restart")
    assert engine.running("vx") == set()


async def test_what_ran_before_the_window_goes_on(engine):
    async with Compose(place(engine)) as backend:
        await backend.start(["core"], lease("core", window_id="by-hand"), timeout_s=10)
        await backend.drop_lease("by-hand")
    await opened(engine, ["web", "core"])
    await reaped(engine, ahead_s=61)
    assert engine.running("vx") == {"core"}


async def test_what_another_window_still_holds_goes_on(engine):
    await opened(engine, ["web", "stubborn"])
    await opened(engine, ["web"], window_id="win_2", ttl_s=600)
    [one] = await reaped(engine, ahead_s=61)
    assert (one.window_id, one.services) == ("win_1", ("stubborn",))
    assert engine.running("vx") == {"web"}


async def test_a_lease_is_kept_until_its_services_are_gone(engine):
    engine.script(web={"stop_errors": 3})
    await opened(engine, ["web"])
    [one] = await reaped(engine, ahead_s=61)
    assert (one.result, one.services) == ("stuck", ("web",))
    assert "did not receive an exit event" in one.trouble
    assert len(engine.told()["volumes"]) == 1
    [again] = await reaped(engine, ahead_s=61)
    assert again.result == "closed", again
    assert engine.running("vx") == set()


async def test_a_crash_loop_is_closed_for_good(engine):
    engine.script(web={"runs_s": 0.05, "exit_code": 1})
    await opened(engine, ["web"])
    [one] = await reaped(engine, ahead_s=61)
    assert one.result == "closed"
    starts = len(engine.told()["events"])
    await asyncio.sleep(0.3)
    assert len(engine.told()["events"]) == starts


async def test_a_service_of_the_same_name_in_another_project_is_another_service(engine):
    await opened(engine, ["web"])
    await opened(engine, ["web"], project="other", ttl_s=600)
    await reaped(engine, ahead_s=61)
    assert engine.running("vx") == set()
    assert engine.running("other") == {"web"}


async def test_only_the_project_that_was_asked_for(engine):
    await opened(engine, ["web"])
    await opened(engine, ["web"], project="other")
    assert [one.project for one in await reaped(engine, "other", ahead_s=61)] == ["other"]
    assert engine.running("vx") == {"web"}


async def test_a_volume_that_should_be_a_lease_and_is_none_is_told(engine):
    made = Engine(engine.host)
    await made._call("volumes", lambda client: client.create_volume("windlass-x", labels={"dev.windlass.window": "x", "dev.windlass.project": "vx"}))
    [one] = await reap.once(made)
    made.close()
    assert (one.result, one.window_id) == ("damaged", "windlass-x")


def test_a_clock_that_is_set_back_makes_no_window_longer():
    """A lease of another boot has only the wall clock's word; the reaper has watched it since, on a clock that nobody sets."""
    ticks = [100.0]
    sightings = reap.Sightings(lambda: ticks[0])
    held = replace(lease("web"), deadline_ms=1_000_000)
    assert sightings.due([held], Moment(epoch_ms=990_000, boot_id="a", uptime_s=5)) == []
    ticks[0] += 9.9
    a_day_back = Moment(epoch_ms=990_000 - 86_400_000, boot_id="a", uptime_s=15)
    assert sightings.due([held], a_day_back) == []
    ticks[0] += 0.1
    assert sightings.due([held], a_day_back) == [held]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (Moment(epoch_ms=1000, boot_id="here", uptime_s=50), True),
        (Moment(epoch_ms=999, boot_id="here", uptime_s=50), False),
        (Moment(epoch_ms=-86_400_000, boot_id="here", uptime_s=60), True),
        (Moment(epoch_ms=-86_400_000, boot_id="elsewhere", uptime_s=60), False),
        (Moment(epoch_ms=86_400_000, boot_id="elsewhere", uptime_s=0), True),
    ],
)
def test_either_clock_ends_a_window(now, due):
    held = replace(lease("web"), deadline_ms=1000, boot_id="here", deadline_uptime_s=60)
    assert held.is_due(now) is due


async def test_the_command_closes_a_window_at_its_deadline_and_survives_a_silent_engine(engine):
    argv = [sys.executable, "-m", "tests.engines.reaper", "--every", "0.2", "--json"]
    reaper = await asyncio.create_subprocess_exec(*argv, env={**os.environ, "DOCKER_HOST": engine.host}, stdout=subprocess.PIPE)
    assert reaper.stdout is not None
    try:
        now = moments.now()
        await opened(engine, ["web", "stubborn"], ttl_s=1.5, boot_id=now.boot_id, deadline_uptime_s=now.uptime_s + 1.5)
        engine.post("silent", {"s": 0.5})
        told = json.loads(await reaper.stdout.readline())
        assert (told["result"], told["window_id"], told["services"]) == ("closed", "win_1", ["web", "stubborn"])
        assert told["late_ms"] <= 4000
        assert engine.running("vx") == set()
    finally:
        begun = time.monotonic()
        reaper.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(reaper.wait(), 10)
    assert code == 130
    assert time.monotonic() - begun < 5


def test_the_command_says_what_it_could_not_reach(tmp_path):
    argv = [sys.executable, "-m", "tests.engines.reaper", "--once", "--host", f"unix://{tmp_path}/nobody.sock"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: the Docker engine at unix://")
    assert ran.stderr.count("\n") == 1
