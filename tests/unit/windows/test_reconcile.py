"""The loop between two acts: what comes while another act is under way. Services and time are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines import memory
from tests.engines.memory import ALLOWED, CORE, Memory, World
from windlass.windows.backend import Lease, Outcome
from windlass.windows.power.controller import Answer, Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy

POLICY = Policy(
    project="p",
    core=frozenset(CORE),
    services=dict.fromkeys(ALLOWED, ServicePolicy(max_ttl_sec=600, start_timeout_sec=30, stop_grace_sec=5)),
    kind="shared",
)


class Interrupted(Memory):
    """A backend beside which something happens once, in the middle of a stop. Lives as long as its test."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def stop(self, services: Sequence[str], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return await super().stop(services, grace_s, kill=kill)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A world, its controller, and the loop of a test."""

    world: World
    backend: Interrupted
    controller: Controller
    runner: asyncio.Runner

    def do(self, work: Awaitable[Answer]) -> Answer:
        """The answer, with the loop at work beside the caller."""

        async def driven() -> Answer:
            asked, loop = asyncio.ensure_future(work), asyncio.ensure_future(self.controller.reconciler.run())
            try:
                return await asked
            finally:
                loop.cancel()
                await asyncio.wait({loop})

        return self.runner.run(driven())


@pytest.fixture(name="scene")
def world_with_a_controller(tmp_path: Path) -> Iterator[Scene]:
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(memory.AtOnce())
        world = World()
        backend = Interrupted(world)
        opened = controlling(POLICY, backend, tmp_path, time=world.time)
        controller = runner.run(opened.__aenter__())
        yield Scene(world=world, backend=backend, controller=controller, runner=runner)
        runner.run(opened.__aexit__(None, None, None))


def test_nothing_is_begun_while_the_core_is_being_left_alone(scene: Scene) -> None:
    scene.world.by_hand("c")
    answers: list[asyncio.Task[Answer]] = []

    async def asked() -> None:
        answers.append(asyncio.ensure_future(scene.controller.open({"services": ["a"], "ttl_sec": 60}, actor="t")))
        await asyncio.wait(answers)  # the application waits in the middle of its stop

    scene.backend.meanwhile = asked
    applied = scene.do(scene.controller.apply(actor="t"))
    assert (applied.http, applied.body["services_stopped"]) == (200, ["c"])
    refused = answers[0].result()
    assert (refused.http, refused.body["code"]) == (409, "CLOSED_MEANWHILE")
    assert "a" not in scene.world.ever_started


def test_a_lost_windows_lease_takes_nothing_from_a_window_that_holds_the_service_now(scene: Scene) -> None:
    """The look that finds the lease comes before the window has its own; the lock of the service comes after."""
    loop, world = scene.controller.reconciler, scene.world
    lost = Lease(window_id="win_lost", project="p", services=("a",), deadline_ms=world.now().epoch_ms - 1, fencing=0, grace_s=1)

    async def opened() -> Answer:
        loop.take()
        await loop.once()
        asked = asyncio.ensure_future(scene.controller.open({"services": ["a"], "ttl_sec": 60}, actor="t"))
        while not await scene.controller.ledger.live():  # noqa: ASYNC110  # the loop runs only where the test says so
            await asyncio.sleep(0)
        world.leases["win_lost"] = lost
        world.pass_time(POLICY.health_interval_sec)
        await loop.once()
        return await asked

    assert scene.runner.run(opened()).http == 200
    assert "a" in world.running
    assert len(world.leases) == 1
    assert "win_lost" not in world.leases
    assert scene.do(scene.controller.close({}, actor="t")).body["services_stopped"] == ["a"]
    assert "a" not in world.running
    assert not world.leases
