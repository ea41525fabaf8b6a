"""P-14: thirty days of a machine whose clocks jump, that sleeps, reboots and loses its controller and its engine for hours.

Virtual days: a world of `tests/engines/memory.py`, in which only the test lets time pass, and knows how much really did.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random

from tests.engines import memory
from tests.engines.memory import ALLOWED, CORE, Memory, World
from tests.promises import budget
from windlass.windows.power.controller import Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy

DAYS = budget.of(small=3, full=30)
SEED = budget.seed(14)
DAY_S = 86_400.0
START_S, GRACE_S, MAX_TTL = 10.0, 2.0, 3600
X_S = GRACE_S + 3.0
SHM = Path("/dev/shm")


class Machine:
    """A machine with windows, and what happens to it. Lives as long as its days."""

    def __init__(self, place: Path, chance: Random) -> None:
        self.world, self.chance, self.place = World(), chance, place
        own = ServicePolicy(max_ttl_sec=MAX_TTL, start_timeout_sec=START_S, stop_grace_sec=GRACE_S)
        self.policy = Policy(project="p", core=frozenset(CORE), services=dict.fromkeys(ALLOWED, own), health_interval_sec=1)
        self.due: dict[str, float] = {}
        """Window → when it must be closed, in seconds that really passed."""
        self.opened = self.early = 0
        self.events: dict[str, int] = {}
        self.most_late_s = 0.0

    async def live(self) -> None:
        """All the days."""
        while self.world.true_s < DAYS * DAY_S:
            async with controlling(self.policy, Memory(self.world), self.place, time=self.world.time) as controller:
                ends = self.world.true_s + self.chance.uniform(600, DAY_S)  # then the controller is killed
                while self.world.true_s < ends:
                    await self.hour(controller)
                await controller.reconciler.let_go()
            self.count("controller killed")
            if self.chance.random() < 0.3:
                self.count("a day's outage")
                self.world.pass_time(self.chance.uniform(3600, DAY_S))
                await self.back()

    async def back(self) -> None:
        """What a controller that comes back after an outage finds and closes at once."""
        async with controlling(self.policy, Memory(self.world), self.place, time=self.world.time) as controller:
            await self.settled(controller)
            self.judge(await self.held(controller), returned=True)
            await controller.reconciler.let_go()

    async def hour(self, controller: Controller) -> None:
        """Something happens, then time passes in the loop's own steps."""
        await getattr(self, self.chance.choice(("request", "request", "request", "jump", "sleep", "reboot", "silence", "slew")))(controller)
        for _ in range(self.chance.randrange(1, 6)):
            self.world.pass_time(self.chance.choice((1.0, 30.0, 400.0, 3700.0)))
            self.world.pass_time(0.1)
            await self.settled(controller)
            self.judge(await self.held(controller), returned=False)

    async def request(self, controller: Controller) -> None:
        ttl = self.chance.choice((60, 600, 3600))
        asked = asyncio.ensure_future(controller.open({"services": [self.chance.choice(ALLOWED)], "ttl_sec": ttl}, actor="t"))
        begun = self.world.true_s
        while not asked.done():
            await self.settled(controller)
        answer = asked.result()
        if answer.http == 200:
            self.opened += 1
            self.due[str(answer.body["window_id"])] = begun + START_S + ttl

    async def jump(self, _controller: Controller) -> None:
        self.count("clock jumps of a day")
        self.world.wall_ms += self.chance.choice((-1, 1)) * round(DAY_S * 1000)

    async def slew(self, _controller: Controller) -> None:
        self.count("corrections of the clock")
        self.world.wall_ms += self.chance.randint(-2000, 2000)

    async def sleep(self, _controller: Controller) -> None:
        self.count("suspends")
        self.world.pass_time(self.chance.uniform(60, 20_000), asleep=True)

    async def reboot(self, _controller: Controller) -> None:
        self.count("reboots")
        self.world.reboot(self.chance.uniform(5, 4000))
        if self.chance.random() < 0.3:
            self.world.wall_ms -= round(self.chance.uniform(0, DAY_S) * 1000)  # its battery is empty

    async def silence(self, controller: Controller) -> None:
        self.count("engine outages")
        self.world.is_silent = True
        for _ in range(3):
            self.world.pass_time(self.chance.uniform(1, 3000))
            await self.settled(controller)
        self.world.is_silent = False
        self.world.pass_time(6)

    async def settled(self, controller: Controller) -> None:
        for _ in range(3):
            if controller.reconciler.take():
                await controller.reconciler.once()
            await asyncio.sleep(0)

    async def held(self, controller: Controller) -> set[str]:
        return {window.window_id for window in await controller.ledger.live()}

    def judge(self, live: set[str], *, returned: bool) -> None:
        """No window is open beyond its bound, in time that really passed, once somebody could look."""
        for window_id, due in list(self.due.items()):
            if window_id not in live:
                del self.due[window_id]
                self.early += self.world.true_s < due - MAX_TTL
            else:
                late = self.world.true_s - due
                self.most_late_s = max(self.most_late_s, late)
                assert late <= X_S, f"{window_id} is open {late:.0f} s beyond its bound, returned: {returned}"
        assert set(self.world.running) <= {*CORE, *(ALLOWED if live else ())}
        assert set(CORE) <= set(self.world.running)
        assert self.world.touched == []

    def count(self, what: str) -> None:
        self.events[what] = self.events.get(what, 0) + 1


def test_windows_end_in_time_through_jumps_sleeps_reboots_and_outages() -> None:
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as place, asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(memory.AtOnce())
        machine = Machine(Path(place), Random(SEED))
        runner.run(machine.live())
    assert machine.opened > DAYS
    told = ", ".join(f"{number} {what}" for what, number in sorted(machine.events.items()))
    budget.tell(
        "P-14", SEED, f"{DAYS} virtual days, {machine.opened} windows, {told}; none open beyond its bound, at most {machine.most_late_s:.1f} s late"
    )
