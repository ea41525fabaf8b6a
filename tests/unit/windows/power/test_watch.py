"""Looks at an engine: one at a time, however many ask; the last one while it takes its time; nobody's trouble is another's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.engines.memory import Memory, World
from windlass.errors import Unavailable
from windlass.windows.backend import Observation
from windlass.windows.power.moment import Time, instant
from windlass.windows.power.watch import Watch

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Slow(Memory):
    """A backend whose looks end when the test lets them. Lives as long as its test."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.begun = 0
        self.may_end = asyncio.Event()

    async def observe(self) -> Observation:
        self.begun += 1
        seen = await super().observe()
        await self.may_end.wait()
        return seen


async def turns(number: int = 20) -> None:
    """Let everybody else of the loop go on."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_share_one_look() -> None:
    backend = Slow(World())
    watch = Watch(backend, World().now)
    asked = [asyncio.create_task(watch.look()) for _ in range(50)]
    await turns()
    assert backend.begun == 1
    backend.may_end.set()
    seen = await asyncio.gather(*asked)
    assert all(one is seen[0] for one in seen)
    assert watch.last.seen is seen[0]
    await watch.look()
    assert backend.begun == 2


async def test_who_goes_away_takes_no_look_from_the_others() -> None:
    backend = Slow(World())
    watch = Watch(backend, World().now)
    first, second = asyncio.create_task(watch.look()), asyncio.create_task(watch.look())
    await turns()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    backend.may_end.set()
    assert (await second).services
    assert backend.begun == 1


async def test_a_fresh_look_begins_after_it_was_asked_for() -> None:
    """What was started meanwhile is seen in it, and not in the look that was under way."""
    world = World()
    backend = Slow(world)
    watch = Watch(backend, world.now)
    stale = asyncio.create_task(watch.look())
    await turns()
    world.by_hand("a")
    fresh = asyncio.create_task(watch.fresh())
    await turns()
    assert backend.begun == 1
    backend.may_end.set()
    assert "a" not in (await stale).alive()
    assert "a" in (await fresh).alive()
    assert backend.begun == 2


async def test_a_look_that_takes_its_time_is_not_waited_for_and_the_last_one_says_how_old_it_is() -> None:
    world = World()
    backend = Slow(world)
    watch = Watch(backend, world.now)
    early = await watch.soon(0.01)
    assert (early.seen, early.at, early.trouble) == (None, None, "the engine has not answered yet")
    backend.may_end.set()
    await watch.look()
    first_at = watch.last.at
    backend.may_end.clear()
    world.pass_time(60)
    late = await watch.soon(0.01)
    assert (late.at, late.trouble) == (first_at, "the engine has not answered yet")
    assert late.seen is not None
    backend.may_end.set()
    soon = await watch.soon(30)
    assert soon.trouble == ""
    assert soon.at is not None
    assert soon.at.epoch_ms == world.wall_ms
    await watch.close()


async def test_an_engine_that_does_not_answer_is_told_and_the_last_look_stays() -> None:
    world = World()
    watch = Watch(Memory(world), world.now)
    seen = await watch.look()
    world.is_silent = True
    with pytest.raises(Unavailable, match="does not answer"):
        await watch.look()
    with pytest.raises(Unavailable, match="does not answer"):
        await watch.fresh()
    look = await watch.soon(30)
    assert (look.seen, look.trouble) == (seen, "the engine does not answer")
    world.is_silent = False
    assert (await watch.soon(30)).trouble == ""


async def test_a_look_that_fails_when_nobody_waits_any_more_troubles_nobody() -> None:
    world = World()

    class Failing(Slow):
        async def observe(self) -> Observation:
            await super().observe()
            raise Unavailable("gone")

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    backend = Failing(world)
    watch = Watch(backend, world.now)
    assert (await watch.soon(0.01)).trouble == "the engine has not answered yet"
    backend.may_end.set()
    await turns()
    backend.may_end.clear()
    going = asyncio.create_task(watch.look())
    await turns()
    going.cancel()
    backend.may_end.set()
    await turns()
    assert told == []
    assert watch.last.seen is None


async def test_the_end_leaves_no_look_running() -> None:
    before = asyncio.all_tasks()
    watch = Watch(Slow(World()), World().now)
    asked = asyncio.create_task(watch.look())
    await turns()
    await watch.close()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await watch.close()
    assert asyncio.all_tasks() == before


def test_a_moment_of_the_wall_clock_is_an_instant_in_utc() -> None:
    assert instant(1_768_824_000_123) == datetime(2026, 1, 19, 12, 0, 0, 123_000, tzinfo=UTC)
    assert instant(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_time_of_an_owner_is_the_one_that_it_was_given() -> None:
    world = World()
    assert world.time.clock() == instant(world.wall_ms)
    own = Time()
    assert abs((own.clock() - datetime.now(UTC)).total_seconds()) < 60
    assert own.now().boot_id == own.now().boot_id
