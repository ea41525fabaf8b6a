"""A project's services in memory, and a time that only tests let pass: for thousands of windows in a minute."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from windlass.errors import Refused, Unavailable
from windlass.windows import backend as backends
from windlass.windows.backend import Closure, Cost, Facts, Lease, Moment, Observation, Observed, Outcome
from windlass.windows.power.moment import Time

CORE, ALLOWED, OUTSIDE = ("madre", "redis"), ("a", "b", "c"), ("stranger",)
LEAST_PAUSE_S = 0.25
"""Whoever waits a moment waits at least so long: a test has more to do than to wait in small steps."""
NEEDS = {"a": {"redis": "depends_on"}, "b": {"a": "depends_on"}, "c": {}, "stranger": {}, "madre": {}, "redis": {}}


class World:
    """Both clocks, the services and the engine that runs them. Lives as long as a test; controllers come and go in it."""

    def __init__(self) -> None:
        self.wall_ms = 1_800_000_000_000
        self.boot, self.uptime_s = "boot-1", 1000.0
        self.true_s = 0.0
        """Seconds that really passed, whatever the clocks say."""
        self.running: dict[str, int] = dict.fromkeys(CORE, 1)
        """Service → which of its starts it is."""
        self.starts: Counter[str] = Counter(CORE)
        self.leases: dict[str, Lease] = {}
        self.ever_started: set[str] = set()
        self.touched: list[str] = []
        self.stop_failures = 0
        self.will_not_start: set[str] = set()
        self.is_silent = False

    def now(self) -> Moment:
        return Moment(epoch_ms=self.wall_ms, boot_id=self.boot, uptime_s=self.uptime_s)

    def pass_time(self, seconds: float, *, asleep: bool = False) -> None:
        """Let time pass; a machine that is asleep counts it on the boot clock too, as CLOCK_BOOTTIME does."""
        del asleep
        self.true_s += seconds
        self.wall_ms += round(seconds * 1000)
        self.uptime_s += seconds

    async def pause(self, seconds: float) -> None:
        self.pass_time(max(seconds, LEAST_PAUSE_S))
        await asyncio.sleep(0)

    @property
    def time(self) -> Time:
        return Time(now=self.now, pause=self.pause)

    def reboot(self, down_s: float) -> None:
        """Everything that runs ends; the core comes back, and nothing else."""
        self.pass_time(down_s)
        self.boot, self.uptime_s = f"{self.boot}'", 5.0
        self.running = {}
        for name in CORE:
            self._start(name)

    def by_hand(self, name: str) -> None:
        """Somebody starts a service past the windows."""
        if name not in self.running:
            self._start(name)

    def die(self, name: str) -> None:
        """A service ends by itself."""
        self.running.pop(name, None)

    def reap(self) -> None:
        """What a reaper does: close what is due from the leases alone."""
        for lease in list(self.leases.values()):
            if lease.is_due(self.now()):
                for name in backends.to_stop(lease, list(self.leases.values()), self.now()):
                    self.running.pop(name, None)
                del self.leases[lease.window_id]

    def _start(self, name: str) -> None:
        self.starts[name] += 1
        self.running[name] = self.starts[name]


class AtOnce(ThreadPoolExecutor):
    """Does what is handed to a thread at once, in the thread that asks: the same sequence of steps gives the same states each time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as failure:  # noqa: BLE001  # a thread would pass on whatever it was
            done.set_exception(failure)
        return done


class Memory:
    """The backend over a world. Lives as long as its controller: it holds nothing itself."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def preflight(self) -> None:
        self._answer()

    async def closure(self, services: Sequence[str], *, digest: str = "") -> Closure:
        del digest
        self._answer()
        reached: dict[str, str] = {}
        found = [name for name in services if name in NEEDS]
        for name in found:
            for needed, how in NEEDS[name].items():
                if needed not in found:
                    found.append(needed)
                    reached[needed] = f"{how} of {name}"
        facts = {name: Facts(service=name, needs=needs, has_healthcheck=True, image="i") for name, needs in NEEDS.items()}
        unknown = tuple(sorted(set(services) - set(NEEDS)))
        return Closure(requested=tuple(services), services=tuple(sorted(found)), facts=facts, reached=reached, unknown=unknown, digest="one")

    async def observe(self) -> Observation:
        self._answer()
        return Observation(services={name: self._observed(name) for name in NEEDS}, leases=tuple(self._world.leases.values()))

    async def start(self, services: Sequence[str], lease: Lease, *, timeout_s: float, digest: str = "") -> tuple[Outcome, ...]:
        self._answer()
        self._check(services, lease)
        before = await self.observe()
        restore = {**backends.restore_of(before, [name for name in services if name not in lease.restore]), **lease.restore}
        await self.put_lease(replace(lease, restore=restore))
        await asyncio.sleep(0)
        outcomes = []
        for name in services:
            fails = name in self._world.will_not_start
            self._world.ever_started.add(name)
            if not fails and name not in self._world.running:
                self._world.by_hand(name)
            outcomes.append(Outcome(service=name, returncode=int(fails), elapsed_ms=1, stderr="no" if fails else ""))
        return tuple(outcomes)

    async def stop(self, services: Sequence[str], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
        self._answer()
        self._world.touched += [name for name in services if name in CORE]
        if self._world.stop_failures:
            self._world.stop_failures -= 1
            return tuple(Outcome(service=name, returncode=1, elapsed_ms=1, stderr="no") for name in services)
        for name in services:
            self._world.running.pop(name, None)
        return tuple(Outcome(service=name, returncode=0, elapsed_ms=1) for name in services)

    async def put_lease(self, lease: Lease) -> None:
        self._answer()
        self._check(lease.services, lease)
        earlier = self._world.leases.get(lease.window_id)
        if earlier is not None and earlier.fencing > lease.fencing:
            raise backends.Fenced("a later claim stands")
        kept = earlier.restore if earlier else {}
        self._world.leases[lease.window_id] = replace(lease, restore={**kept, **lease.restore})

    async def drop_lease(self, window_id: str) -> None:
        self._answer()
        self._world.leases.pop(window_id, None)

    async def log_tail(self, service: str, characters: int) -> str:
        return f"the log of {service}"[:characters]

    async def cost(self, services: Sequence[str]) -> Mapping[str, Cost]:
        self._answer()
        return {name: Cost(cpu_s=1.0, peak_memory_bytes=1) for name in services}

    def _answer(self) -> None:
        if self._world.is_silent:
            raise Unavailable("the engine does not answer")

    def _check(self, services: Sequence[str], lease: Lease) -> None:
        if lease.is_due(self._world.now()):
            raise Refused(f"window {lease.window_id}: its deadline has passed")
        if set(services) - set(lease.services):
            raise Refused("services: the lease does not hold them")

    def _observed(self, name: str) -> Observed:
        start = self._world.running.get(name)
        if start is None:
            return Observed(service=name, state="exited" if self._world.starts[name] else "absent")
        return Observed(service=name, state="running", health="healthy", id=name, ids=(name,), started_at=str(start))
