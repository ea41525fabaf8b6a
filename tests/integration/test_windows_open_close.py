"""A window over real processes: what opens is ready, what closes is gone, what fails says why."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.windows import services

from windlass.errors import Refused, Unavailable
from windlass.infra import chain
from windlass.windows import orders, process, uptime, window
from windlass.windows.audit import Event

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def world(tmp_path):
    with services.world(tmp_path) as made:
        yield made


def actions(state_dir: Path) -> list[str]:
    found = chain.scan((state_dir / "audit.jsonl").read_bytes())
    assert not found.breaks
    assert not found.torn
    return [entry.fields["action"] for entry in found.entries]


async def test_a_window_is_ready_when_it_is_open_and_nothing_is_left_when_it_is_closed(world):
    opened = await window.open_window([world.service("a"), world.service("b")], 60, world.state_dir)
    status = await opened.observe()
    assert status.state == "open"
    assert 55 < status.ttl_remaining_s <= 60
    assert len(world.processes()) == 2
    assert world.is_listening("a")

    closed = await opened.close("manual")
    assert (closed.state, closed.reason) == ("closed", "manual")
    assert [(result.service, result.rc, result.ended) for result in closed.results] == [("a", -15, "manual"), ("b", -15, "manual")]
    assert world.processes() == []
    assert not world.is_listening("a")
    assert not world.is_listening("b")
    assert (await opened.observe()).state == "core"
    assert actions(world.state_dir) == [
        *("window.requested", "service.started", "service.started", "service.ready", "service.ready", "window.open"),
        *("window.closing", "service.stopped", "service.stopped", "window.closed"),
    ]


async def test_the_time_to_live_counts_from_readiness(world):
    slow = services.ANSWER + "time.sleep(0.5); answer()"
    before = uptime.now()
    async with window.opened([world.service(code=slow)], 10, world.state_dir) as opened:
        deadline = world.kept().deadline_uptime
        assert before + 10.5 <= deadline <= uptime.now() + 10
        assert (opened.deadline - opened.created_at).total_seconds() == pytest.approx(deadline - before, abs=0.1)


async def test_closing_twice_answers_the_same(world):
    opened = await window.open_window([world.service()], 60, world.state_dir)
    first = await opened.close("manual")
    assert await opened.close("shutdown") == first
    assert actions(world.state_dir).count("window.closed") == 1


async def test_a_service_that_ends_early_is_reported_at_once_with_its_last_lines_and_all_others_are_stopped(world):
    failing = "import sys; print('a first line', flush=True); sys.exit('ModuleNotFoundError: No module named web')"
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="b ended with exit code 1 before it was ready\na first line\nModuleNotFoundError") as failure:
        await window.open_window([world.service("a"), world.service("b", failing)], 60, world.state_dir)
    assert time.monotonic() - begun < 5
    assert isinstance(failure.value, window.NotOpened)
    results = {result.service: result for result in failure.value.results}
    assert results["b"].rc == 1
    assert results["b"].log_tail.endswith("No module named web")
    assert results["a"].state == "closed"
    assert world.processes() == []
    assert not world.is_listening("a")
    assert (await window.status_directory(world.state_dir)).state == "core"
    assert actions(world.state_dir)[-1] == "window.closed"


async def test_the_tail_of_an_earlier_run_is_not_reported_again(world):
    (world.directory / "web.log").write_text("an old error\n")
    with pytest.raises(Unavailable) as failure:
        await window.open_window([world.service(code="import sys; sys.exit('a new error')")], 60, world.state_dir)
    assert "old" not in str(failure.value)


@pytest.mark.parametrize(
    ("code", "met"),
    [
        (services.ANSWER + "time.sleep(60)", "no answer"),
        (services.ANSWER.replace("200 OK", "503 No") + "answer()", "status 503"),
        (services.ANSWER.replace("HTTP/1.1 200 OK", "hello there") + "answer()", "not HTTP"),
    ],
)
async def test_a_service_that_is_not_ready_in_its_time_is_stopped_and_named(world, code, met):
    with pytest.raises(Unavailable, match=f"web was not ready within 0.6 s: .*{met}"):
        await window.open_window([world.service(code=code, start_timeout_s=0.6)], 60, world.state_dir)
    assert world.processes() == []
    assert not world.is_listening()


async def test_a_program_that_does_not_exist_is_named(world):
    with pytest.raises(Unavailable, match=r"web could not be started: FileNotFoundError.*no-such-program"):
        await window.open_window([world.service(argv=("no-such-program",))], 60, world.state_dir)
    assert world.kept().ended == "start_failed"
    assert not world.is_listening()


async def test_a_place_that_is_taken_is_no_readiness(world):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = replace(world.service(listen=False), ready_url=f"http://127.0.0.1:{stranger.getsockname()[1]}/")
        with pytest.raises(Unavailable, match="web was not started: something else already listens"):
            await window.open_window([taken], 60, world.state_dir)
    assert not (world.state_dir / "web.json").exists()


async def test_a_service_that_ignores_term_is_killed_after_its_grace_and_services_stop_side_by_side(world):
    names = ["a", "b", "c"]
    opened = await window.open_window([world.service(name, services.IGNORE_TERM, stop_grace_s=0.6) for name in names], 60, world.state_dir)
    begun = time.monotonic()
    closed = await opened.close()
    elapsed = time.monotonic() - begun
    assert [(result.state, result.rc) for result in closed.results] == [("closed", -9)] * 3
    assert 0.6 <= elapsed < 1.6, "one after another would take 1.8 s"
    assert world.processes() == []


async def test_a_daemon_that_left_its_session_and_ignores_term_is_gone_after_the_close(world):
    opened = await window.open_window([world.service(code=services.SERVE_WITH_DAEMON)], 60, world.state_dir)
    assert len(world.processes()) == 2
    assert (await opened.close()).state == "closed"
    assert world.processes() == []


async def test_a_daemon_does_not_outlive_a_service_that_ends_by_itself(world):
    with pytest.raises(Unavailable, match="exit code 4"):
        await window.open_window([world.service(code=services.ANSWER + services.DAEMON + "sys.exit(4)")], 60, world.state_dir)
    assert world.processes() == []


async def test_a_tree_that_never_stops_forking_is_ended(world):
    comet = services.ANSWER + "if os.fork() == 0:\n    while True:\n        if os.fork(): os._exit(0)\nanswer()"
    opened = await window.open_window([world.service(code=comet, stop_grace_s=0)], 60, world.state_dir)
    assert (await opened.close()).state == "closed"
    assert world.processes() == []


async def test_a_service_that_dies_later_makes_the_window_degraded_and_its_port_refuse(world):
    async with window.opened([world.service("a"), world.service("b")], 60, world.state_dir) as opened:
        os.kill(world.first("a").pid, signal.SIGKILL)
        assert await services.until(lambda: world.kept("a").state == "closed", 5)
        assert not world.is_listening("a"), "nobody else may hold its socket"
        assert world.is_listening("b")
        assert (await opened.observe()).state == "degraded"
        assert world.kept("a").ended == "exited"
        assert world.kept("a").signal == 9


async def test_one_window_at_a_time_holds_a_directory(world):
    opened = await window.open_window([world.service("a")], 60, world.state_dir)
    with pytest.raises(Refused, match="a window is open"):
        await window.open_window([world.service("b")], 60, world.state_dir)
    assert not world.is_listening("b")
    assert (await opened.observe()).state == "open"
    await opened.close()
    async with window.opened([world.service("b")], 60, world.state_dir) as second:
        assert (await opened.close()).state == "closed"
        assert (await second.observe()).state == "open", "closing the first window again must not touch the second"
    assert actions(world.state_dir).count("window.refused") == 1


async def test_of_many_opens_at_once_exactly_one_opens(world):
    wanted = [world.service(f"s{number}") for number in range(4)]
    answers = await asyncio.gather(*(window.open_window([one], 60, world.state_dir) for one in wanted), return_exceptions=True)
    opened = [answer for answer in answers if isinstance(answer, window.Window)]
    assert len(opened) == 1
    assert sum(isinstance(answer, Refused) for answer in answers) == 3
    await opened[0].close()
    assert world.processes() == []


@pytest.mark.parametrize("ttl", [None, 0, -5, True, "60", 3601])
async def test_a_time_to_live_that_does_not_fit_starts_nothing(world, ttl):
    with pytest.raises(Refused, match="ttl_sec"):
        await window.open_window([world.service()], ttl, world.state_dir)
    assert not world.is_listening()
    assert actions(world.state_dir) == ["window.requested", "window.refused"]
    with pytest.raises(Refused, match="no window was ever opened"):
        await window.close_directory(world.state_dir)


async def test_a_cancelled_opening_leaves_nothing(world):
    never = services.ANSWER + services.DAEMON + "time.sleep(60)"
    opening = asyncio.create_task(window.open_window([world.service("a"), world.service("b", never)], 60, world.state_dir))
    assert await services.until(lambda: len(world.processes()) == 3, 10)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert world.processes() == []
    assert (await window.status_directory(world.state_dir)).state == "core"


async def test_an_opening_that_is_cancelled_twice_is_still_cleared_away(world):
    never = services.ANSWER + "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    service = world.service(code=never)
    opening = asyncio.create_task(window.open_window([service], 60, world.state_dir))
    assert await services.until(lambda: service.log_file.exists() and "deaf" in service.log_file.read_text(), 10)
    opening.cancel()
    assert await services.until(lambda: world.kept().state == "closing", 5)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert world.processes() == []
    assert (await window.status_directory(world.state_dir)).state == "core"


async def test_an_opening_that_is_cancelled_at_any_moment_leaves_nothing(world):
    for turns in (1, 2, 4, 8, 16, 32):
        opening = asyncio.create_task(window.open_window([world.service()], 60, world.state_dir))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert world.processes() == []
        assert not world.is_listening()


async def test_closing_is_not_cut_short_by_a_cancellation(world):
    async def use() -> None:
        async with window.opened([world.service(code=services.IGNORE_TERM)], 60, world.state_dir):
            ready.set()
            await asyncio.sleep(60)

    ready = asyncio.Event()
    using = asyncio.create_task(use())
    await ready.wait()
    using.cancel()
    assert await services.until(lambda: world.kept().state == "closing", 5)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert world.processes() == []
    assert (await window.status_directory(world.state_dir)).state == "core"


async def test_an_error_inside_closes_the_window_and_comes_through(world):
    with pytest.raises(ZeroDivisionError):
        async with window.opened([world.service()], 60, world.state_dir):
            raise ZeroDivisionError
    assert world.processes() == []


async def test_a_window_that_is_kept_open_is_left_to_its_deadline(world):
    async with window.opened([world.service()], 60, world.state_dir, keep_open=True) as opened:
        pass
    assert (await opened.observe()).state == "open"
    assert (await window.close_directory(world.state_dir)).state == "closed"


async def test_no_secret_is_written_anywhere_but_by_the_service_itself(world):
    secret = "c4n4ry-" + "x" * 20
    says_it = services.ANSWER + "print('my token is', os.environ['API_TOKEN'], flush=True); answer()"
    events: list[Event] = []
    async with window.opened([world.service(code=says_it, env={"API_TOKEN": secret})], 60, world.state_dir, on_event=events.append):
        assert not [line for line in command_lines() if secret in line]
    assert "my token is [API_TOKEN]" in world.kept().log_tail
    for place in world.state_dir.iterdir():
        assert secret.encode() not in place.read_bytes(), place.name
    assert secret not in repr(events)


def command_lines() -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(place.read_text(errors="replace"))
    return found


async def test_a_service_inherits_its_socket_and_nothing_else_of_its_opener(world):
    look = services.ANSWER + "print(sorted(os.listdir('/proc/self/fd')), os.environ, flush=True); answer()"
    kept_open, other = os.pipe()
    os.set_inheritable(kept_open, True)
    try:
        wanted = world.service(code=look)
        async with window.opened([wanted], 60, world.state_dir):
            pid = world.first().pid
            ignored = ignored_signals(pid)
            assert os.getsid(pid) == pid
    finally:
        os.close(kept_open)
        os.close(other)
    shown = (world.directory / "web.log").read_text()
    descriptors = set(eval(shown.partition("]")[0] + "]"))
    listing = len(descriptors - {"0", "1", "2", str(wanted.listen_fd)})
    assert listing == 1, f"only the descriptor that lists them may be there beside: {descriptors}"
    assert "PATH" not in shown
    internal = {32, 33}  # the C library of whoever started pytest (make, for one) leaves its own two ignored
    assert ignored - internal <= {signal.SIGPIPE, signal.SIGXFSZ}, "Python ignores these two by itself"


def ignored_signals(pid: int) -> set[int]:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


async def test_a_deadline_can_be_moved_after_the_start_but_not_beyond_the_latest(world):
    async with window.opened([world.service()], 60, world.state_dir):
        running = world.kept()
        later = orders.Deadline(uptime=uptime.now() + 600, text="later")
        assert await process.set_deadline(world.state_dir, running, later)
        assert await services.until(lambda: world.kept().deadline == "later", 5)
        assert await process.set_deadline(world.state_dir, running, orders.Deadline(uptime=float("inf"), text="never"))
        assert await services.until(lambda: world.kept().deadline not in {"later", "never"}, 5)
        assert world.kept().deadline_uptime < uptime.now() + 3600 + 21
        await process.set_deadline(world.state_dir, running, orders.Deadline(uptime=uptime.now(), text="now"))  # False where it ends already
        assert await services.until(lambda: world.kept().state == "closed", 5)
        assert world.kept().ended == "ttl_expired"
    assert actions(world.state_dir)[-1] == "window.closed"


async def test_what_happened_is_told_in_order_and_a_listener_that_fails_harms_nothing(world):
    heard, complaints = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["exception"]))

    def listen(event):
        heard.append(event.action)
        raise ZeroDivisionError

    async with window.opened([world.service()], 60, world.state_dir, on_event=listen):
        assert heard == ["window.requested", "service.started", "service.ready", "window.open"]
    assert heard == actions(world.state_dir)
    assert len(complaints) == len(heard)
