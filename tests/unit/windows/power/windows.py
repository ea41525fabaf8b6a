"""Windows and policies as the tests of their rules need them, and one window in a world whose clocks a test sets."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.engines.memory import ALLOWED, CORE, AtOnce, Memory, World
from windlass.windows.backend import Moment
from windlass.windows.power.controller import Answer, Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy
from windlass.windows.power.rulings import State, Window

NOON_MS = 1_768_824_000_000
"""2026-01-19T12:00:00Z."""
DAY_MS = 86_400_000
SERVICES = ("a", "b", "c")
MOST_S, HOLD_S, START_S = 600, 1800, 10.0
OWN = ServicePolicy(max_ttl_sec=MOST_S, start_timeout_sec=START_S, stop_grace_sec=1.0)
IN_MEMORY = Policy(project="p", core=frozenset(CORE), services=dict.fromkeys(ALLOWED, OWN), hold_max_sec=HOLD_S)
SHM = Path("/dev/shm")  # for speed, where thousands of steps are not about the disk
NOW = Moment(epoch_ms=NOON_MS, boot_id="boot-1", uptime_s=1000.0)


def policy(**fields: Any) -> Policy:
    """A policy of three services and a core; `own` is what holds for each of them."""
    own = fields.pop("own", ServicePolicy())
    return replace(Policy(project="p", core=frozenset({"madre"}), services=dict.fromkeys(SERVICES, own)), **fields)


def window(window_id: str = "win_1", **fields: Any) -> Window:
    """A window that was asked for at noon, for a minute."""
    asked_ms = fields.get("asked_ms", NOON_MS)
    return replace(
        Window(
            window_id=window_id,
            fencing=1,
            services=("a",),
            requested=("a",),
            state="asked",
            mode="ttl",
            on_partial="degraded",
            reason="",
            actor="t",
            asked_ms=asked_ms,
            ttl_sec=60,
            grace_s=1.0,
            deadline_ms=asked_ms + 60_000,
            boot_id="boot-1",
            deadline_uptime_s=1060.0,
        ),
        **fields,
    )


@contextmanager
def running() -> Iterator[asyncio.Runner]:
    """A loop whose threads do at once what they are handed."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AtOnce())
        yield runner


class Windows:
    """One window of service `c` in a world whose clocks a test sets. Lives as long as its `with`."""

    def __init__(self, runner: asyncio.Runner, controller: Controller, world: World) -> None:
        self._runner = runner
        self._controller = controller
        self.world = world
        self.window_id = ""
        self.ready_true_s = 0.0

    def open(self, ttl_sec: int, mode: str) -> Window:
        answer = self._do(self._controller.open({"services": ["c"], "ttl_sec": ttl_sec, "mode": mode}, actor="t"))
        assert answer.http == 200, answer.body
        self.window_id, self.ready_true_s = answer.body["window_id"], self.world.true_s
        return self.window

    def extend(self, ttl_sec: int) -> Answer:
        return self._do(self._controller.extend({"window_id": self.window_id, "ttl_sec": ttl_sec}, actor="t"))

    @property
    def state(self) -> State:
        return self.window.state

    @property
    def window(self) -> Window:
        found = self._runner.run(self._controller.ledger.window(self.window_id))
        assert found is not None
        return found

    def settle(self) -> None:
        """Let the loop look once more."""

        async def looked() -> None:
            assert self._controller.reconciler.take()
            await self._controller.reconciler.once()

        self._runner.run(looked())

    def _do(self, work: Awaitable[Answer]) -> Answer:
        async def driven() -> Answer:
            asked = asyncio.ensure_future(work)
            while not asked.done():
                assert self._controller.reconciler.take()
                await self._controller.reconciler.once()
                await asyncio.sleep(0)
            return asked.result()

        return self._runner.run(driven())


@contextmanager
def windows(directory: Path | None = None) -> Iterator[Windows]:
    """A world with no window yet; its state is forgotten unless it has a directory."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as made, running() as runner:
        world = World()
        opened = controlling(IN_MEMORY, Memory(world), directory or Path(made), time=world.time)
        controller = runner.run(opened.__aenter__())
        try:
            yield Windows(runner, controller, world)
        finally:
            runner.run(controller.reconciler.let_go())
            runner.run(opened.__aexit__(None, None, None))


def jump(world: World, seconds: float) -> None:
    """Somebody sets the wall clock."""
    world.wall_ms += round(seconds * 1000)
