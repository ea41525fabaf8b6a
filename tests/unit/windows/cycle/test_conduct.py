"""How a cycle is conducted: over services in memory, on a host whose load the test writes, with a sweep that looks at its limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.engines.memory import ALLOWED, CORE, Memory, World
from windlass.infra.limit import Limit
from windlass.windows.backend import Moment
from windlass.windows.cycle import conduct
from windlass.windows.cycle.conduct import Means, Sweep, Told
from windlass.windows.cycle.cycle import Asked, Cycle
from windlass.windows.cycle.host import Host
from windlass.windows.cycle.rules import Limits
from windlass.windows.power.controller import Controller, controlling
from windlass.windows.power.moment import Time
from windlass.windows.power.policy import Policy, ServicePolicy

pytestmark = pytest.mark.anyio
PASSED = {"verdict": "PASS", "summary": "1/1 passed"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A world, its controller at work, and a host whose load is what the test writes. Lives as long as its test."""

    world: World
    controller: Controller
    host: Path
    told: list[str] = field(default_factory=list)

    def load(self, memory: int) -> None:
        """So many percent of the memory are in use from now on."""
        (self.host / "next").write_text(f"MemTotal: 100 kB\nMemAvailable: {100 - memory} kB\n")
        (self.host / "next").replace(self.host / "meminfo")

    async def cycle(self, sweep: Sweep | None = None, *, samples: int = 1, wait_s: float = 0.0) -> Cycle:
        asked = Asked(services=("a",), ttl_sec=60, samples=samples, interval_s=0.01, wait_s=wait_s, limits=Limits(memory=80.0))
        cycle = Cycle(cycle_id="cycle_1", started_at="2026-01-19T14:30:12.000Z", asked=asked)
        means = Means(
            controller=self.controller, backend=Memory(self.world), actor="a test", tell=self.told.append, sweep=sweep, host=Host(self.host)
        )
        async with asyncio.timeout(60):
            await conduct.run(cycle, means)
        return cycle


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    world, host = World(), directory / "proc"
    host.mkdir()
    policy = Policy(project="p", core=frozenset(CORE), services=dict.fromkeys(ALLOWED, ServicePolicy(start_timeout_sec=10.0, stop_grace_sec=1.0)))
    began = time.monotonic()

    def now() -> Moment:
        """The world's time, which flows here: a test that lets time pass leaps."""
        at, real_s = world.now(), time.monotonic() - began
        return replace(at, epoch_ms=at.epoch_ms + round(real_s * 1000), uptime_s=at.uptime_s + real_s)

    async with controlling(policy, Memory(world), directory / "state", time=Time(now=now)) as controller:
        acting = asyncio.create_task(controller.reconciler.run())
        try:
            ready = Stage(world=world, controller=controller, host=host)
            ready.load(10)
            yield ready
        finally:
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_a_sweep_does_less_at_once_while_the_host_is_over_its_limits_and_more_again_afterwards(tmp_path: Path):
    seen = []

    async with stage(tmp_path) as at:

        async def sweep(limit: Limit, told: Told) -> None:
            seen.append(limit.at_once)
            at.load(95)
            await until(lambda: limit.at_once == 1)
            at.load(20)
            await until(lambda: limit.at_once >= 4)
            told(PASSED)

        cycle = await at.cycle(sweep)
    assert seen == [9], "eight, and one more for the measurement before"
    assert cycle.verdict == "PASS"
    during = [entry for entry in cycle.throttle if entry["while"] == "sweeping"]
    levels = [entry["at_once"] for entry in during]
    assert (min(levels), levels.index(4) < levels.index(1) < len(levels) - 1) == (1, True), levels
    assert {bool(entry["because"]) for entry in during} == {True, False}
    assert next(entry["because"] for entry in during if entry["because"]) == ["memory 95 % > 80 %"]
    assert [entry["at_s"] for entry in cycle.throttle] == sorted(sample.at_s for sample in cycle.samples)
    assert any("over its limits" in warning for warning in cycle.warnings)


async def test_a_sweep_waits_for_a_busy_host_and_begins_when_it_is_within_its_limits(tmp_path: Path):
    async with stage(tmp_path) as at:
        at.load(95)

        async def sweep(_limit: Limit, told: Told) -> None:
            assert (at.host / "meminfo").read_text().endswith("80 kB\n")
            told(PASSED)

        conducted = asyncio.create_task(at.cycle(sweep, wait_s=60.0))
        await until(lambda: any(line.startswith("wait ") for line in at.told))
        at.load(20)
        cycle = await conducted
    assert "waiting" in {entry["while"] for entry in cycle.throttle}
    assert cycle.verdict == "PASS"


async def test_a_sweep_ends_with_its_window(tmp_path: Path):
    ended = []
    async with stage(tmp_path) as at:

        async def sweep(_limit: Limit, told: Told) -> None:
            told({"verdict": "INCOMPLETE", "summary": "3 of 5"})
            at.world.pass_time(61)
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        cycle = await at.cycle(sweep)
        assert not at.world.running.keys() - set(CORE)
    assert ended == [True]
    assert cycle.failures == ("the window ended while sweeping: its 60 s were over", "sweep: 3 of 5")
    assert cycle.closed is not None
    assert (cycle.closed["state"], cycle.closed["reason"]) == ("closed", "ttl_expired")


async def test_a_window_that_somebody_else_closes_ends_the_cycle(tmp_path: Path):
    async with stage(tmp_path) as at:

        async def sweep(_limit: Limit, _told: Told) -> None:
            await at.controller.close({}, actor="somebody")
            await asyncio.sleep(60)

        cycle = await at.cycle(sweep)
    assert cycle.failures[0] == "the window ended while sweeping: somebody closed it (manual)"


async def failing(_limit: Limit, _told: Told) -> None:
    raise PermissionError(13, "Permission denied", "the evidence")


async def buggy(_limit: Limit, _told: Told) -> None:
    raise KeyError("nobody thought of this")


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        (failing, "while sweeping: [Errno 13] Permission denied: 'the evidence'"),
        (buggy, "a bug in Windlass while sweeping: KeyError: 'nobody thought of this'"),
    ],
)
async def test_a_sweep_that_can_not_be_made_is_told_and_the_window_is_closed(tmp_path: Path, sweep: Sweep, says: str):
    async with stage(tmp_path) as at:
        cycle = await at.cycle(sweep)
        assert not at.world.running.keys() - set(CORE)
    assert cycle.failures == (says, "sweep: not begun")
    assert cycle.closed is not None
    assert cycle.closed["state"] == "closed"


async def test_cancelled_it_closes_first_and_says_while_what(tmp_path: Path):
    cycle: list[Cycle] = []
    sweeping = asyncio.Event()

    async with stage(tmp_path) as at:

        async def sweep(_limit: Limit, _told: Told) -> None:
            sweeping.set()
            await asyncio.sleep(60)

        async def conducted() -> None:
            asked = Asked(services=("a",), ttl_sec=60, samples=1, interval_s=0.01, wait_s=0.0, limits=Limits())
            cycle.append(Cycle(cycle_id="cycle_1", started_at="", asked=asked))
            await conduct.run(cycle[0], Means(controller=at.controller, backend=Memory(at.world), actor="a test", tell=lambda _: None, sweep=sweep))

        task = asyncio.create_task(conducted())
        async with asyncio.timeout(60):
            await sweeping.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not at.world.running.keys() - set(CORE)
    assert (cycle[0].interrupted, cycle[0].failures[0]) == (True, "interrupted while sweeping")
    assert cycle[0].closed is not None
    assert cycle[0].closed["state"] == "closed"


async def during(at: Stage, what: Callable[[], object]) -> Cycle:
    """A cycle in whose middle something happens."""

    async def sweep(_limit: Limit, told: Told) -> None:
        what()
        told(PASSED)

    return await at.cycle(sweep)


def started_anew(world: World) -> None:
    world.die("a")
    world.by_hand("a")


async def test_a_service_that_restarts_while_the_window_is_open_fails_the_cycle(tmp_path: Path):
    async with stage(tmp_path) as at:
        cycle = await during(at, lambda: started_anew(at.world))
    assert cycle.failures == ("a restarted while the window was open: 1 time",)


async def test_a_service_that_ends_while_the_window_is_open_fails_the_cycle(tmp_path: Path):
    async with stage(tmp_path) as at:
        cycle = await during(at, lambda: at.world.die("a"))
    assert cycle.failures == ("a did not stay well: exited",)


async def test_a_core_that_is_down_afterwards_fails_the_cycle(tmp_path: Path):
    async with stage(tmp_path) as at:
        cycle = await during(at, lambda: at.world.die("madre"))
    assert cycle.failures == ("the core changed: madre", "the core is not up: madre exited")


async def test_what_runs_afterwards_and_belongs_to_no_window_is_told(tmp_path: Path):
    async with stage(tmp_path) as at:
        cycle = await during(at, lambda: at.world.by_hand("stranger"))
    assert cycle.verdict == "PASS"
    assert cycle.warnings == ("runs after it, and no window holds it: stranger",)


async def test_an_engine_that_is_silent_for_a_moment_is_told_and_no_failure(tmp_path: Path):
    async with stage(tmp_path) as at:

        async def sweep(_limit: Limit, told: Told) -> None:
            at.world.is_silent = True
            await asyncio.sleep(0.1)
            at.world.is_silent = False
            told(PASSED)

        cycle = await at.cycle(sweep)
    assert cycle.verdict == "PASS"
    assert any("could not be looked at in" in warning and "the engine does not answer" in warning for warning in cycle.warnings)


async def test_an_engine_that_is_gone_at_the_end_is_told_and_nothing_claims_to_be_closed(tmp_path: Path):
    async with stage(tmp_path) as at:

        def gone() -> None:
            at.world.is_silent = True

        cycle = await during(at, gone)
        assert "after the close nothing could be seen: the engine does not answer" in cycle.failures
        assert any(failure.startswith("the window is stuck") for failure in cycle.failures)
        at.world.is_silent = False
