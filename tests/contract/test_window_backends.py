"""What every window backend promises: Compose on a scripted engine, Compose on a real one, and local processes, by one suite."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from tests.contract import worlds
from tests.contract.worlds import World
from tests.engines import real
from windlass.errors import Refused
from windlass.windows import backend
from windlass.windows.backend import ALIVE, Fenced, Observation

pytestmark = pytest.mark.anyio
KINDS = [pytest.param("scripted"), pytest.param("real", marks=pytest.mark.docker), pytest.param("process")]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=KINDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    if request.param == "real":
        real.needed()
    if request.param == "process" and sys.platform != "linux":
        pytest.skip("processes are looked up in /proc")
    async with contextlib.AsyncExitStack() as opened:
        made = await opened.enter_async_context(worlds.WORLDS[request.param](tmp_path))
        await made.backend.preflight()
        yield made


async def until(world: World, condition: Callable[[Observation], object], limit_s: float = 15.0) -> Observation:
    """The first observation for which the condition holds."""
    end = time.monotonic() + limit_s
    while not condition(seen := await world.backend.observe()):
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.02)
    return seen


async def test_at_first_every_service_is_observed_and_none_runs(world):
    seen = await world.backend.observe()
    assert set(seen.services) == set(worlds.SERVICES)
    assert not seen.alive()
    assert seen.leases == ()
    assert all(one.state == "absent" for one in seen.services.values())


async def test_start_starts_exactly_these_services_under_their_lease(world):
    lease = world.lease("web", "stubborn")
    outcomes = await world.backend.start(["web", "stubborn"], lease, timeout_s=20)
    assert [(one.service, one.returncode) for one in outcomes] == [("web", 0), ("stubborn", 0)]
    seen = await world.backend.observe()
    assert seen.alive() == {"web", "stubborn"} == world.running()
    [held] = seen.leases
    assert replace(held, restore={}) == lease
    assert {name: one.was_running for name, one in held.restore.items()} == {"web": False, "stubborn": False}


async def test_a_service_that_runs_is_left_as_it_is(world):
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    before = (await world.backend.observe()).services["web"]
    [outcome] = await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    assert outcome.returncode == 0
    assert (await world.backend.observe()).services["web"].fingerprint == before.fingerprint


async def test_stop_ends_what_runs_and_finds_nothing_wrong_with_what_does_not(world):
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    outcomes = await world.backend.stop(["web", "stubborn"], 5.0, kill=False)
    assert [(one.service, one.returncode) for one in outcomes] == [("web", 0), ("stubborn", 0)]
    assert not (await world.backend.observe()).alive()
    assert not world.running()
    [again] = await world.backend.stop(["web"], 5.0, kill=True)
    assert again.returncode == 0


async def test_a_service_that_ignores_term_has_its_grace_and_is_killed(world):
    await world.backend.start(["stubborn"], world.lease("stubborn", grace_s=1.0), timeout_s=20)
    await until(world, lambda seen: seen.services["stubborn"].state == "running")
    await asyncio.sleep(0.3 if world.kind != "scripted" else 0)  # its handler is in place: nothing tells from outside
    [outcome] = await world.backend.stop(["stubborn"], 1.0, kill=False)
    assert 900 <= outcome.elapsed_ms < 4000
    assert not world.running()


async def test_a_kill_waits_for_no_grace(world):
    await world.backend.start(["stubborn"], world.lease("stubborn", grace_s=30), timeout_s=20)
    begun = time.monotonic()
    [outcome] = await world.backend.stop(["stubborn"], 30.0, kill=True)
    assert outcome.returncode == 0
    assert time.monotonic() - begun < 5
    assert not world.running()


async def test_services_are_stopped_all_at_once(world):
    await world.backend.start(["web", "stubborn"], world.lease("web", "stubborn", grace_s=1.0), timeout_s=20)
    begun = time.monotonic()
    await world.backend.stop(["web", "stubborn", "crash", "never"], 1.0, kill=False)
    assert time.monotonic() - begun < 4
    assert not world.running()


async def test_a_crash_shows_its_exit_code_its_last_words_and_that_it_is_not_up(world):
    await world.backend.start(["crash"], world.lease("crash"), timeout_s=20)
    seen = await until(world, lambda seen: seen.services["crash"].state in {"restarting", "exited"} or seen.services["crash"].restart_count)
    one = seen.services["crash"]
    assert one.state != "running" or one.restart_count
    assert worlds.LAST_WORDS in await world.backend.log_tail("crash", 500)
    assert (await world.backend.log_tail("crash", 6)).strip() == worlds.LAST_WORDS[-6:].strip()
    await until(world, lambda seen: seen.services["crash"].exit_code == 3)
    await world.backend.stop(["crash"], 1.0, kill=False)
    after = await world.backend.observe()
    assert after.services["crash"].state not in ALIVE
    assert not after.services["crash"].restart_policy.returns


async def test_a_service_that_cannot_be_started_fails_alone(world):
    outcomes = {one.service: one for one in await world.backend.start(["web", "never"], world.lease("web", "never"), timeout_s=20)}
    assert outcomes["web"].returncode == 0
    assert outcomes["never"].returncode != 0
    assert outcomes["never"].stderr
    assert (await world.backend.observe()).alive() == {"web"}


async def test_a_lease_is_replaced_by_a_later_one_and_never_by_an_overtaken_one(world):
    first = world.lease("web", ttl_s=60, fencing=2)
    await world.backend.put_lease(first)
    later = replace(first, deadline_ms=first.deadline_ms + 60_000, deadline_uptime_s=first.deadline_uptime_s + 60, fencing=3)
    await world.backend.put_lease(later)
    assert (await world.backend.observe()).leases == (later,)
    with pytest.raises(Fenced):
        await world.backend.put_lease(replace(first, deadline_ms=first.deadline_ms + 90_000))
    with pytest.raises(Fenced):
        await world.backend.start(["web"], replace(first, fencing=1), timeout_s=20)
    assert (await world.backend.observe()).leases == (later,)
    assert not world.running()


async def test_a_lease_is_dropped_once_and_for_all(world):
    await world.backend.put_lease(world.lease("web"))
    await world.backend.put_lease(world.lease("stubborn", window_id="win_2"))
    await world.backend.drop_lease("win_1")
    await world.backend.drop_lease("win_1")
    assert [one.window_id for one in (await world.backend.observe()).leases] == ["win_2"]


async def test_nothing_starts_for_a_lease_that_is_due(world):
    with pytest.raises(Refused, match="deadline"):
        await world.backend.start(["web"], world.lease("web", ttl_s=-1), timeout_s=20)
    with pytest.raises(Refused, match="deadline"):
        await world.backend.put_lease(world.lease("web", ttl_s=-1))
    assert not world.running()
    assert (await world.backend.observe()).leases == ()


@pytest.mark.parametrize("services", [[], ["nobody"], ["web", "nobody"], ["--help"], ["web", ""]])
async def test_nothing_starts_for_names_that_are_none(world, services):
    with pytest.raises(Refused):
        await world.backend.start(services, world.lease(*(services or ["web"])), timeout_s=20)
    assert not world.running()
    assert (await world.backend.observe()).leases == ()


async def test_nothing_starts_that_its_lease_does_not_hold(world):
    with pytest.raises(Refused, match="does not hold stubborn"):
        await world.backend.start(["web", "stubborn"], world.lease("web"), timeout_s=20)
    assert not world.running()


async def test_a_lease_of_another_project_is_refused(world):
    with pytest.raises(Refused, match="project"):
        await world.backend.start(["web"], world.lease("web", project="another"), timeout_s=20)
    assert not world.running()


async def test_nothing_starts_from_a_configuration_that_was_not_judged(world):
    judged = await world.backend.closure(["web"])
    assert judged.services == ("web",)
    with pytest.raises(Refused, match="changed"):
        await world.backend.start(["web"], world.lease("web"), timeout_s=20, digest="0" * 64)
    assert not world.running()
    [outcome] = await world.backend.start(["web"], world.lease("web"), timeout_s=20, digest=judged.digest)
    assert outcome.returncode == 0


async def test_unknown_names_are_said_to_be_unknown(world):
    found = await world.backend.closure(["web", "nobody", "web"])
    assert (found.requested, found.services, found.unknown) == (("web", "nobody"), ("web",), ("nobody",))
    assert set(found.facts) == set(worlds.SERVICES)


async def test_a_service_that_another_window_holds_was_not_running_by_itself(world):
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    await world.backend.start(["web"], world.lease("web", window_id="win_2"), timeout_s=20)
    leases = {one.window_id: one for one in (await world.backend.observe()).leases}
    assert leases["win_2"].to_stop == ("web",)
    await world.backend.drop_lease("win_1")
    await world.backend.drop_lease("win_2")
    await world.backend.start(["web"], world.lease("web", window_id="win_3"), timeout_s=20)
    [lease] = (await world.backend.observe()).leases
    assert lease.to_stop == ()


async def test_an_extended_lease_still_knows_how_things_were_before(world):
    """Or closing would stop what ran before the window."""
    await world.backend.start(["web"], world.lease("web", window_id="by-hand"), timeout_s=20)
    await world.backend.drop_lease("by-hand")
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    await world.backend.put_lease(world.lease("web", ttl_s=90))
    [lease] = (await world.backend.observe()).leases
    assert lease.to_stop == ()


async def test_another_owner_sees_the_same_and_can_end_it(world):
    """Nothing is kept in memory that a crash would lose."""
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    other = world.another()
    mine, theirs = await world.backend.observe(), await other.observe()
    assert theirs.leases == mine.leases
    assert theirs.services["web"].fingerprint == mine.services["web"].fingerprint
    await other.stop(["web"], 5.0, kill=False)
    await other.drop_lease("win_1")
    assert not world.running()
    assert (await world.backend.observe()).leases == ()


async def test_what_a_running_service_costs_is_known(world):
    await world.backend.start(["web"], world.lease("web"), timeout_s=20)
    cost = await world.backend.cost(["web", "stubborn"])
    assert cost["web"].cpu_s is not None
    assert (cost["web"].peak_memory_bytes or 0) > 100_000
    assert 100_000 < (cost["web"].memory_bytes or 0) <= cost["web"].peak_memory_bytes
    assert cost["stubborn"] == backend.Cost()
