"""The compose backend when things go wrong: hung and killed commands, a silent engine, broken files, single services that fail."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.scripted import ROOT, ScriptedEngine, scripted

from windlass.errors import Refused, Unavailable
from windlass.windows import moments, processes
from windlass.windows.backend import TIMED_OUT, Lease, RestartPolicy
from windlass.windows.compose.compose import Compose, Place

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def engine(tmp_path):
    with scripted(tmp_path) as made:
        yield made


def place(engine: ScriptedEngine, services, **environment) -> Place:
    file = engine.compose_file(services)
    return Place(
        project="vx", files=(str(file),), directory=engine.directory, docker=str(engine.docker), environment={**engine.environment, **environment}
    )


def lease(*services: str, ttl_s: float = 60.0) -> Lease:
    now = moments.now()
    return Lease(
        window_id="win_1",
        project="vx",
        services=services,
        deadline_ms=now.epoch_ms + round(ttl_s * 1000),
        fencing=1,
        grace_s=1.0,
        boot_id=now.boot_id,
        deadline_uptime_s=now.uptime_s + ttl_s,
    )


def commands(engine: ScriptedEngine) -> list[int]:
    """The `docker` commands of this engine's tests that run now."""
    return [row.process.pid for row in processes.table() if not row.ended and _names(row.process.pid, engine.directory)]


def _names(pid: int, directory: Path) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"up" in words and any(word.startswith(str(directory).encode()) for word in words)
    return False


async def until(condition: Callable[[], Any], limit_s: float = 10.0) -> Any:
    end = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return found


async def test_a_command_that_hangs_is_ended_at_its_timeout_with_all_its_processes(engine):
    engine.script(web={"up_hangs": True})
    async with Compose(place(engine, {"web": {}})) as backend:
        begun = time.monotonic()
        [outcome] = await backend.start(["web"], lease("web"), timeout_s=1.0)
        assert outcome.returncode == TIMED_OUT
        assert "its time was up" in outcome.stderr
        assert time.monotonic() - begun < 4
        assert not commands(engine)
        assert [one.window_id for one in (await backend.observe()).leases] == ["win_1"]  # what it did start is not forgotten


async def test_no_command_goes_on_beyond_the_deadline_whatever_timeout_was_asked_for(engine):
    engine.script(web={"up_hangs": True})
    async with Compose(place(engine, {"web": {}})) as backend:
        begun = time.monotonic()
        [outcome] = await backend.start(["web"], lease("web", ttl_s=1.5), timeout_s=600)
        assert outcome.returncode == TIMED_OUT
        assert time.monotonic() - begun < 4
        assert not commands(engine)


async def test_a_command_ends_with_whoever_asked_for_it(engine):
    engine.script(web={"up_hangs": True})
    terms = {"project": "vx", "file": str(engine.compose_file({"web": {}})), "services": ["web"], "ttl_s": 60.0, "grace_s": 1.0, "hold_s": 0.0}
    opener = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.engines.opener", json.dumps(terms), cwd=ROOT, env=engine.environment, stdout=asyncio.subprocess.DEVNULL
    )
    await until(lambda: commands(engine))
    opener.send_signal(signal.SIGKILL)
    await opener.wait()
    await until(lambda: not commands(engine), 3.0)
    assert engine.running("vx") == set()


async def test_a_start_that_is_cancelled_leaves_no_command_behind(engine):
    engine.script(web={"up_hangs": True})
    async with Compose(place(engine, {"web": {}})) as backend:
        starting = asyncio.create_task(backend.start(["web"], lease("web"), timeout_s=60))
        await until(lambda: commands(engine))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await until(lambda: not commands(engine), 3.0)


async def test_an_engine_that_is_silent_is_said_to_be_and_heard_again_later(engine):
    async with Compose(place(engine, {"web": {}}), answer_s=1.0) as backend:
        await backend.preflight()
        engine.post("silent", {"s": 4})
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"the Docker engine at unix://"):
            await backend.observe()
        assert time.monotonic() - begun < 3.5
        await asyncio.sleep(max(0.0, begun + 4.2 - time.monotonic()))
        assert not (await backend.observe()).alive()


async def test_an_engine_that_is_gone_is_said_to_be(engine, tmp_path):
    nowhere = place(engine, {"web": {}}, DOCKER_HOST=f"unix://{tmp_path}/nobody.sock")
    async with Compose(nowhere) as backend:
        with pytest.raises(Unavailable, match=r"nobody\.sock"):
            await backend.preflight()


async def test_a_missing_program_is_said_to_be_missing(engine):
    async with Compose(replace(place(engine, {"web": {}}), docker="no-such-docker")) as backend:
        with pytest.raises(Unavailable, match="no-such-docker: no such program"):
            await backend.preflight()
        with pytest.raises(Unavailable, match="no-such-docker: no such program"):
            await backend.closure(["web"])


async def test_a_directory_that_is_gone_is_named(engine, tmp_path):
    async with Compose(replace(place(engine, {"web": {}}), directory=tmp_path / "gone")) as backend:
        with pytest.raises(Unavailable, match="gone: No such file or directory"):
            await backend.closure(["web"])


async def test_a_compose_that_is_too_old_is_said_to_be(engine):
    shim = engine.docker.read_text()
    engine.docker.write_text(shim.replace("exec", 'case "$2" in version) echo v2.17.3; exit;; esac\nexec', 1))
    async with Compose(place(engine, {"web": {}})) as backend:
        with pytest.raises(Unavailable, match=r"v2\.17\.3 is too old, 2\.20 or later is needed"):
            await backend.preflight()


async def test_a_broken_file_is_refused_by_name_and_hides_nothing_that_runs(engine):
    good = place(engine, {"web": {}})
    async with Compose(good) as backend:
        await backend.start(["web"], lease("web"), timeout_s=20)
    (engine.directory / "compose.json").write_text("services: {")
    async with Compose(good) as backend:
        with pytest.raises(Refused, match=r"compose\.json"):
            await backend.closure(["web"])
        with pytest.raises(Refused, match=r"compose\.json"):
            await backend.start(["web"], lease("web"), timeout_s=20)
        assert (await backend.observe()).alive() == {"web"}
        await backend.stop(["web"], 1.0, kill=False)
        assert engine.running("vx") == set()


async def test_one_service_that_fails_takes_no_other_with_it(engine):
    """Compose gives up all that it was asked for at the first that it can't start; each says for itself what was wrong."""
    engine.script(bad={"up_error": "Bind for 0.0.0.0:80 failed: port is already allocated"})
    async with Compose(place(engine, {"bad": {}, "a": {}, "b": {}, "no-image": {"image": "nowhere:1"}})) as backend:
        outcomes = {one.service: one for one in await backend.start(["bad", "a", "b", "no-image"], lease("bad", "a", "b", "no-image"), timeout_s=20)}
    assert {name: one.returncode for name, one in outcomes.items()} == {"bad": 1, "a": 0, "b": 0, "no-image": 1}
    assert "port is already allocated" in outcomes["bad"].stderr
    assert outcomes["no-image"].stderr == "image nowhere:1: is not there; build or pull it first: opening never does"
    assert engine.running("vx") == {"a", "b"}


async def test_a_restart_policy_is_taken_at_the_stop_and_given_back_at_the_next_open(engine):
    async with Compose(place(engine, {"web": {"restart": "on-failure:3"}, "other": {"restart": "always"}})) as backend:
        await backend.start(["web"], lease("web"), timeout_s=20)
        assert (await backend.observe()).services["web"].restart_policy == RestartPolicy(name="on-failure", max_retries=3)
        await backend.stop(["web"], 1.0, kill=False)
        assert not (await backend.observe()).services["web"].restart_policy.returns
        await backend.start(["web"], lease("web"), timeout_s=20)
        assert (await backend.observe()).services["web"].restart_policy == RestartPolicy(name="on-failure", max_retries=3)


async def test_a_container_that_was_only_created_does_not_come_back_with_the_engine_either(engine):
    engine.script(web={"start_error": "no such device"})
    async with Compose(place(engine, {"web": {"restart": "always"}})) as backend:
        await backend.start(["web"], lease("web"), timeout_s=20)
        assert (await backend.observe()).services["web"].state == "created"
        await backend.stop(["web"], 1.0, kill=False)
        engine.script(web={})
        engine.post("restart")
        assert engine.running("vx") == set()


async def test_the_environment_can_not_change_what_compose_does(engine):
    """COMPOSE_FILE, COMPOSE_PROFILES and the like are options behind the arguments' back: one of them removes what it does not know."""
    shim = engine.docker.read_text()
    engine.docker.write_text(shim.replace("exec", f'env | grep ^COMPOSE_ >>"{engine.directory}/seen"\nexec', 1))
    async with Compose(place(engine, {"web": {}}, COMPOSE_FILE="other.yaml", COMPOSE_REMOVE_ORPHANS="1", COMPOSE_PROFILES="x")) as backend:
        await backend.start(["web"], lease("web"), timeout_s=20)
    seen = set((engine.directory / "seen").read_text().split())
    assert seen == {"COMPOSE_REMOVE_ORPHANS=false", "COMPOSE_IGNORE_ORPHANS=true", "COMPOSE_ANSI=never"}


async def test_a_stop_that_the_engine_fails_is_a_failure_in_its_own_words(engine):
    engine.script(web={"stop_errors": 1})
    async with Compose(place(engine, {"web": {}})) as backend:
        await backend.start(["web"], lease("web"), timeout_s=20)
        [failed] = await backend.stop(["web"], 1.0, kill=False)
        assert failed.returncode == 1
        assert "did not receive an exit event" in failed.stderr
        assert (await backend.observe()).alive() == {"web"}
        [done] = await backend.stop(["web"], 1.0, kill=True)
        assert done.returncode == 0


async def test_what_a_command_says_is_cut_and_holds_no_secret(engine):
    engine.script(web={"up_error": "x" * 2000 + " password hunter2hunter2"})
    async with Compose(place(engine, {"web": {"environment": {"DB_PASSWORD": "hunter2hunter2"}}})) as backend:
        [outcome] = await backend.start(["web"], lease("web"), timeout_s=20)
    assert outcome.stderr.endswith("x password [redacted]")
    assert len(outcome.stderr) == 500


async def test_observing_does_not_wait_for_a_start_that_hangs(engine):
    engine.script(web={"up_hangs": True})
    async with Compose(place(engine, {"web": {}})) as backend:
        await backend.preflight()
        starting = asyncio.create_task(backend.start(["web"], lease("web"), timeout_s=3))
        await until(lambda: commands(engine))
        times = []
        for _ in range(20):
            begun = time.monotonic()
            await backend.observe()
            times.append(time.monotonic() - begun)
        assert sorted(times)[len(times) // 2] < 0.1
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


async def test_a_lease_whose_name_is_taken_by_a_stranger_gets_another(engine):
    async with Compose(place(engine, {"web": {}})) as backend:
        stranger = {"Name": "windlass-win_1", "Labels": {}}
        await asyncio.to_thread(_make_volume, engine, stranger)
        held = lease("web")
        await backend.put_lease(held)
        assert (await backend.observe()).leases == (held,)
        await backend.drop_lease("win_1")
    assert [one["Name"] for one in engine.told()["volumes"]] == ["windlass-win_1"]


def _make_volume(engine: ScriptedEngine, body: object) -> None:
    from tests.engines import docker_http

    docker_http.post(engine.socket, "/volumes/create", body)


async def test_at_no_moment_is_there_no_lease_while_one_is_replaced(engine):
    held = lease("web")
    async with Compose(place(engine, {"web": {}})) as backend, Compose(place(engine, {"web": {}})) as watcher:
        await backend.put_lease(held)
        seen = [len((await watcher.observe()).leases)]

        async def watch() -> None:
            while True:
                seen.append(len((await watcher.observe()).leases))

        watching = asyncio.create_task(watch())
        for number in range(60):
            await backend.put_lease(replace(held, deadline_ms=held.deadline_ms + number))
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert set(seen) == {1}
        assert len(seen) > 10
        assert len(engine.told()["volumes"]) == 1
