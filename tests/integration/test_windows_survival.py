"""A window closes though its opener, its keeper or its files are gone, and no stranger is harmed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.windows import services

from windlass.errors import Refused
from windlass.windows import kept, process, window

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")]

OPENER = """
import asyncio, sys
from pathlib import Path
from tests.unit.windows import services
from windlass.windows import window
async def main():
    world = services.World(Path(sys.argv[1]))
    world.tag = sys.argv[2]
    await window.open_window([world.service("a", services.SERVE_WITH_DAEMON), world.service("b")], int(sys.argv[3]), world.state_dir)
    print(*world.ports.values(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
CLOSER = """
import asyncio, sys
from pathlib import Path
from windlass.windows import window
closed = asyncio.run(window.close_directory(Path(sys.argv[1]), "manual"))
print(closed.window_id, closed.closed_at.isoformat(), closed.state, [result.rc for result in closed.results])
"""


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def world(tmp_path):
    with services.world(tmp_path) as made:
        yield made


def run_opener(world: services.World, ttl: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", OPENER, str(world.directory), world.tag, str(ttl)], stdout=subprocess.PIPE, text=True)


def first_line(opener: subprocess.Popen[str]) -> str:
    assert opener.stdout is not None
    return opener.stdout.readline()


def run_closer(state_dir: Path) -> str:
    return subprocess.run([sys.executable, "-c", CLOSER, str(state_dir)], capture_output=True, text=True, timeout=30, check=True).stdout


@contextlib.contextmanager
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any window."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], start_new_session=True) as running:
        yield running
        running.kill()


async def test_a_window_whose_opener_is_killed_is_closed_by_its_deadline_and_a_little(world):
    with run_opener(world, 1) as opener:
        ports = first_line(opener).split()
        opener.kill()
    assert len(world.processes()) == 3
    world.ports = dict(zip("ab", map(int, ports), strict=True))
    status = await window.status_directory(world.state_dir)
    assert status.state == "open"
    assert await services.until(lambda: not world.processes(), status.ttl_remaining_s + 0.3 + 1.5)
    assert await services.until(lambda: not world.is_listening("a"), 2)
    assert await services.until(lambda: world.kept("a").state == world.kept("b").state == "closed", 2)
    assert [world.kept(name).ended for name in "ab"] == ["ttl_expired"] * 2
    closed = await window.close_directory(world.state_dir)
    assert (closed.state, closed.reason) == ("closed", "ttl_expired")


async def test_a_window_is_observed_and_closed_by_another_process_and_by_several_at_once(world):
    with run_opener(world, 60) as opener:
        first_line(opener)
        answers = set(await asyncio.gather(*(asyncio.to_thread(run_closer, world.state_dir) for _ in range(3))))
        assert world.processes() == []
        opener.kill()
    assert len(answers) == 1
    assert "closed [-15, -15]" in answers.pop()


async def test_a_window_can_be_closed_while_it_is_being_opened(world):
    never = world.service(code=services.ANSWER + "time.sleep(60)")
    opening = asyncio.create_task(window.open_window([never], 60, world.state_dir))
    assert await services.until(world.processes, 10)
    closed = await window.close_directory(world.state_dir)
    assert closed.state == "closed"
    assert world.processes() == []
    with pytest.raises(window.NotOpened, match="ended by signal 15"):
        await opening


async def test_a_service_dies_with_its_keeper(world):
    opened = await window.open_window([world.service()], 60, world.state_dir)
    os.kill(world.kept().keeper.pid, signal.SIGKILL)
    assert await services.until(lambda: not world.processes() and not world.is_listening(), 5)
    status = await opened.observe()
    assert (status.state, status.services[0].trouble) == ("core", "its keeper was killed")
    assert (await opened.close()).state == "closed"


async def test_a_daemon_whose_keeper_was_killed_is_seen_and_swept_up(world):
    opened = await window.open_window([world.service(code=services.SERVE_WITH_DAEMON)], 60, world.state_dir)
    os.kill(world.kept().keeper.pid, signal.SIGKILL)
    assert await services.until(lambda: len(world.processes()) == 1, 5)
    status = await opened.observe()
    assert (status.state, status.services[0].state) == ("degraded", "orphaned")
    assert (await opened.close()).state == "closed"
    assert world.processes() == []


async def test_what_a_dead_opener_and_a_dead_keeper_left_is_closed_before_the_next_window_opens(world):
    with run_opener(world, 60) as opener:
        first_line(opener)
        opener.kill()
    os.kill(world.kept("a").keeper.pid, signal.SIGKILL)
    with pytest.raises(Refused, match="a window is open"):
        await window.open_window([world.service("c")], 60, world.state_dir)
    os.kill(world.kept("b").keeper.pid, signal.SIGKILL)
    assert await services.until(lambda: len(world.processes()) == 1, 5), "the daemon of a is left"
    async with window.opened([world.service("c")], 60, world.state_dir):
        assert world.processes() == [world.first("c").pid]


async def test_a_keeper_that_was_stopped_is_woken_to_close(world):
    opened = await window.open_window([world.service()], 60, world.state_dir)
    os.kill(world.kept().keeper.pid, signal.SIGSTOP)
    closed = await opened.close()
    assert (closed.state, closed.results[0].ended) == ("closed", "manual")
    assert world.processes() == []


async def test_a_service_that_was_stopped_hears_term(world):
    opened = await window.open_window([world.service(stop_grace_s=10)], 60, world.state_dir)
    os.kill(world.first().pid, signal.SIGSTOP)
    closed = await opened.close()
    assert closed.results[0].rc == -15
    assert closed.results[0].elapsed_ms < 5000


async def test_a_keeper_lets_interrupts_and_hangups_pass(world):
    async with window.opened([world.service()], 60, world.state_dir) as opened:
        keeper = world.kept().keeper
        assert os.getsid(keeper.pid) == keeper.pid
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            os.kill(keeper.pid, number)
        await process.gone(keeper, 0.2)
        assert (await opened.observe()).state == "open"


async def test_a_keeper_goes_on_when_its_directory_is_gone(world, tmp_path):
    opened = await window.open_window([world.service()], 1, world.state_dir)
    world.state_dir.rename(tmp_path / "elsewhere")
    assert await services.until(lambda: not world.processes(), 3.5)
    with pytest.raises(Refused):
        await opened.observe()


def rewrite(state_dir: Path, service: str, **changes) -> None:
    place = kept.path(state_dir, service)
    place.write_text(json.dumps({**json.loads(place.read_text()), **changes}))


async def test_a_pid_that_another_process_got_is_never_killed(world):
    """Keeper and service are said to be a process of this test, by pid, with another start: it must survive, and not count as running."""
    opened = await window.open_window([world.service()], 60, world.state_dir)
    before = world.kept()
    os.kill(before.keeper.pid, signal.SIGKILL)
    assert await services.until(lambda: not world.processes(), 5)
    with stranger() as other:
        reused = {"pid": other.pid, "started": before.keeper.started}
        rewrite(world.state_dir, "web", keeper=reused, process=reused)
        assert (await opened.observe()).state == "core"
        stopped = await process.stop(["web"], world.state_dir)
        assert (stopped[0].state, stopped[0].was_running) == ("closed", False)
        assert (await opened.close()).state == "closed"
        assert other.poll() is None


async def test_a_state_that_cannot_be_read_is_never_called_closed(world):
    opened = await window.open_window([world.service("a"), world.service("b")], 60, world.state_dir)
    place = kept.path(world.state_dir, "a")
    sound = place.read_text()
    place.write_text("{")
    closed = await opened.close()
    assert (closed.state, [result.state for result in closed.results]) == ("stuck", ["stuck", "closed"])
    assert (await opened.observe()).state == "stuck"
    place.write_text(sound)
    assert (await opened.close()).state == "closed", "a stuck window is tried again"
    assert world.processes() == []


def test_a_part_of_an_order_starts_nothing(tmp_path):
    """The opener died while it wrote: the keeper ends without a trace."""
    marker = tmp_path / "started"
    service = {"name": "web", "argv": ["/usr/bin/touch", str(marker)], "env": {}, "directory": "/", "ready_url": "http://127.0.0.1:9/"}
    order = json.dumps({"window_id": "win_1", "state_dir": str(tmp_path), "service": {**service, "log_file": str(tmp_path / "log")}})
    run = subprocess.run([sys.executable, "-I", "-S", str(process.KEEPER), "web"], input=order[:-1].encode(), capture_output=True, check=False)
    assert run.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_keeper_takes_less_than_a_tenth_of_a_second_to_be_up():
    """In processor time, because the machine is shared; the start ends at an empty order, imports included."""
    before = os.times()
    subprocess.run([sys.executable, "-I", "-S", str(process.KEEPER), "web"], input=b"", capture_output=True, check=False)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.1


async def test_an_opening_refuses_a_directory_whose_last_window_is_not_known_to_be_gone(world):
    opened = await window.open_window([world.service()], 60, world.state_dir)
    await opened.close()
    (world.state_dir / "window.json").write_text("{}")
    with pytest.raises(Refused, match=r"window\.json"):
        await window.open_window([world.service()], 60, world.state_dir)
    assert world.processes() == []


async def test_a_keeper_that_cannot_leave_word_starts_nothing(world):
    wanted = world.service()
    world.state_dir.mkdir()
    (world.state_dir / "web.json").mkdir()  # a file can't be put in its place
    with pytest.raises(window.NotOpened, match="its keeper failed"):
        await window.open_window([wanted], 60, world.state_dir)
    assert world.processes() == []
    assert not world.is_listening()


async def test_where_no_window_was_opened_there_is_none_to_close(tmp_path):
    with pytest.raises(Refused, match="no window was ever opened"):
        await window.close_directory(tmp_path)
    with pytest.raises(Refused, match="no window was ever opened"):
        await window.status_directory(tmp_path / "nowhere")
