"""The reaper: closes every window that is due, from the leases in the engine alone. No database, no controller, no configuration.

It decides nothing that a lease does not say. A lease is given up only after its services were observed gone; until then it is tried
again, each time harder. Reapers and controllers may run side by side: to stop what is stopped is no failure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.errors import Unavailable
from windlass.infra import instants
from windlass.windows import backend, moments
from windlass.windows.backend import Lease, Moment
from windlass.windows.compose.compose import stop_all
from windlass.windows.compose.engine import Engine

LOOKS_S = (0.0, 0.05, 0.25, 0.7)
"""A window is closed when nothing of it runs at any of these looks, so many seconds apart: a start that an engine was asked for before
its asker was killed may take effect a moment after the first."""

TELL_AGAIN_S = 60.0
"""How often a reaper repeats that an engine is silent, a window stuck, a lease damaged."""

Result = Literal["closed", "stuck", "unavailable", "damaged"]


@dataclass(frozen=True, kw_only=True)
class Reaped:
    """What came of one lease that was due, or of a look that failed; `services` still run where it is stuck. Lives as long as its reader."""

    result: Result
    window_id: str
    project: str = ""
    services: tuple[str, ...] = ()
    late_ms: int = 0
    """How long after the deadline it was observed closed."""
    trouble: str = ""


class Sightings:
    """When each lease was first seen and how long it had left then, on a clock that nobody can set. Lives as long as the reaper.

    A lease from another boot, or from an engine elsewhere, has only a wall clock's deadline: set back, that clock would make it longer.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends: dict[tuple[str, str, int], float] = {}

    def due(self, leases: Sequence[Lease], now: Moment) -> list[Lease]:
        """Those of the leases that are due, by the wall clock, by their own boot's, or by ours since we know them. Forgets all others."""
        known, at = self._ends, self._monotonic()
        self._ends = {
            key: known.get(key, at + (one.deadline_ms - now.epoch_ms) / 1000)
            for one in leases
            for key in [(one.project, one.window_id, one.deadline_ms)]
        }
        return [one for one in leases if one.is_due(now) or at >= self._ends[one.project, one.window_id, one.deadline_ms]]


async def once(
    engine: Engine,
    project: str | None = None,
    *,
    sightings: Sightings | None = None,
    clock: instants.Clock = instants.now,
    looks_s: Sequence[float] = LOOKS_S,
) -> list[Reaped]:
    """Close what is due now and say what came of each. Raises Unavailable."""
    found, damaged = await engine.leases(project)
    due = (sightings or Sightings()).due(found, moments.now(clock))
    closed = await asyncio.gather(*(close(engine, one, found, clock, looks_s) for one in due))
    return [*closed, *(Reaped(result="damaged", window_id=one.name, trouble=one.problem) for one in damaged)]


async def close(
    engine: Engine, lease: Lease, leases: Sequence[Lease], clock: instants.Clock = instants.now, looks_s: Sequence[float] = LOOKS_S
) -> Reaped:
    """Stop what the lease holds, TERM first, then KILL; give the lease up when nothing of it is left."""
    services = backend.to_stop(lease, [one for one in leases if one != lease], moments.now(clock))
    try:
        trouble = await _stopped(engine, lease, services, kill=False)
        if trouble:
            trouble = await _stopped(engine, lease, services, kill=True)
        late = max(0, moments.now(clock).epoch_ms - lease.deadline_ms)
        left = await _left(engine, lease, services, looks_s)
        if not left:
            await engine.drop_lease(lease.project, lease.window_id)
            return Reaped(result="closed", window_id=lease.window_id, project=lease.project, services=services, late_ms=late)
        return Reaped(result="stuck", window_id=lease.window_id, project=lease.project, services=left, trouble=trouble)
    except Unavailable as failure:
        return Reaped(result="unavailable", window_id=lease.window_id, project=lease.project, services=services, trouble=str(failure))


async def _stopped(engine: Engine, lease: Lease, services: Sequence[str], *, kill: bool) -> str:
    """Stop once; the empty string when nothing is left, else what went wrong."""
    containers = await engine.containers(lease.project)
    by_service: Mapping[str, list[str]] = {name: [one.id for one in containers if one.service == name] for name in services}
    outcomes = await stop_all(engine, by_service, lease.grace_s, kill=kill)
    troubles = "; ".join(one.stderr for one in outcomes if one.stderr)
    left = await _left(engine, lease, services)
    return troubles or f"{', '.join(left)} still runs" if left else ""


async def _left(engine: Engine, lease: Lease, services: Sequence[str], looks_s: Sequence[float] = LOOKS_S[:1]) -> tuple[str, ...]:
    """The services that live, or that an engine could start again by itself, at the first look that finds any."""
    for pause in looks_s:
        await asyncio.sleep(pause)
        seen = await engine.looked_at([one for one in await engine.containers(lease.project) if one.service in services])
        if found := sorted(name for name, one in seen.items() if one.is_alive or one.restart_policy.returns):
            return tuple(found)
    return ()


class Reaper:
    """The reaper as a loop: a window that is stuck, or slow to stop, keeps no other waiting. Lives until it is cancelled."""

    def __init__(
        self, engine: Engine, project: str | None, every_s: float, told: Callable[[Reaped], None], clock: instants.Clock = instants.now
    ) -> None:
        self._engine = engine
        self._project = project
        self._every_s = every_s
        self._told_to = told
        self._clock = clock
        self._sightings = Sightings()
        self._closing: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._last_told: dict[tuple[str, str, str], float] = {}

    async def run(self) -> None:
        """Look every so often, for ever; an engine that does not answer is asked again."""
        try:
            while True:
                begun = time.monotonic()
                await self._look()
                await asyncio.sleep(max(0.0, begun + self._every_s - time.monotonic()))
        finally:
            for task in self._closing.values():
                task.cancel()
            await asyncio.gather(*self._closing.values(), return_exceptions=True)

    async def _look(self) -> None:
        self._closing = {key: task for key, task in self._closing.items() if not task.done()}
        try:
            found, damaged = await self._engine.leases(self._project)
        except Unavailable as failure:
            self._told(Reaped(result="unavailable", window_id="", trouble=str(failure)))
            return
        for one in damaged:
            self._told(Reaped(result="damaged", window_id=one.name, trouble=one.problem))
        for lease in self._sightings.due(found, moments.now(self._clock)):
            key = (lease.project, lease.window_id)
            if key not in self._closing:
                self._closing[key] = asyncio.create_task(self._close(lease, found))

    async def _close(self, lease: Lease, leases: Sequence[Lease]) -> None:
        self._told(await close(self._engine, lease, leases, self._clock))

    def _told(self, one: Reaped) -> None:
        """What stays as it is, is told again only once in a while."""
        key, now = (one.result, one.project, one.window_id), time.monotonic()
        self._last_told = {known: at for known, at in self._last_told.items() if now < at + TELL_AGAIN_S}
        if one.result == "closed" or key not in self._last_told:
            self._last_told[key] = now
            self._told_to(one)
