"""Conducts one cycle. Whatever happens between opening and closing, the window is closed, and the cycle says what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.errors import Unavailable, WindlassError
from windlass.infra.completion import see_through
from windlass.infra.limit import Limit
from windlass.windows.backend import Backend
from windlass.windows.cycle import rules
from windlass.windows.cycle.cycle import Cycle, Phase
from windlass.windows.cycle.host import Host
from windlass.windows.cycle.meter import Meter
from windlass.windows.cycle.rules import Sample
from windlass.windows.power.controller import Controller

LOOK_S = 0.1
"""How often it is looked whether the window is still open."""
Told = Callable[[Mapping[str, Any]], None]
Sweep = Callable[[Limit, Told], Awaitable[None]]
"""Sweeps within a limit that may change, and tells `verdict`, `summary`, `evidence` whenever they do. Cancelled, it leaves nothing running."""
Tell = Callable[[str], None]


class Ended(WindlassError):
    """The window ended before the cycle had."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a cycle is conducted with; the controller's loop must be at work beside it. Lives as long as its cycle."""

    controller: Controller
    backend: Backend
    actor: str
    tell: Tell
    sweep: Sweep | None = None
    host: Host = field(default_factory=Host)
    before_claim: Callable[[], None] = lambda: None
    """As of `Controller.open`."""


async def run(cycle: Cycle, means: Means) -> None:
    """Fill `cycle`. Cancelled, or after any error, the window is closed first."""
    opened = False
    try:
        opened = await _open(cycle, means)
        if opened:
            await _while_it_is_open(cycle, means)
    except asyncio.CancelledError:
        cycle.interrupted = True
        cycle.troubles.append(f"interrupted while {cycle.phase}")
        raise
    except (WindlassError, OSError) as failure:
        cycle.troubles.append(str(failure) if isinstance(failure, WindlassError) else f"while {cycle.phase}: {failure}")
    except Exception as bug:  # noqa: BLE001  # it is told by the report, and the window is closed all the same
        cycle.troubles.append(f"a bug in Windlass while {cycle.phase}: {type(bug).__name__}: {bug}")
    finally:
        cycle.phase = "closing"
        await see_through(_close(cycle, means, opened=opened))


async def _open(cycle: Cycle, means: Means) -> bool:
    means.tell(f"open     {', '.join(cycle.asked.services)}")
    body = {"services": list(cycle.asked.services), "ttl_sec": cycle.asked.ttl_sec, "reason": _reason(cycle)}
    answer = await means.controller.open(body, actor=means.actor, before=means.before_claim)
    cycle.opened = answer.body
    up = ", ".join(answer.body.get("services_started", ()))
    means.tell(f"         {answer.body.get('state', 'refused')}: {up or answer.body.get('message', '')}")
    return answer.is_done


async def _while_it_is_open(cycle: Cycle, means: Means) -> None:
    """Do the work as long as the window is open; a window that ends first ends the work."""

    async def watched() -> None:
        while True:
            await _still_open(cycle, means)
            await asyncio.sleep(LOOK_S)

    await _beside(_Work(cycle, means).done(), watched())


async def _still_open(cycle: Cycle, means: Means) -> None:
    """Return when the window is open; raises Ended where it ends, or has ended."""
    reason = await means.controller.ending(str(cycle.opened["window_id"]))
    if reason is not None:
        why = f"its {cycle.asked.ttl_sec} s were over" if reason == "ttl_expired" else f"somebody closed it ({reason})"
        raise Ended(f"the window ended while {cycle.phase}: {why}")


class _Work:
    """What is done while the window is open: measure, wait for the host, sweep. Lives as long as the window."""

    def __init__(self, cycle: Cycle, means: Means) -> None:
        self._cycle = cycle
        self._asked = cycle.asked
        self._means = means
        self._meter = Meter(cycle.opened.get("services_started", ()), means.backend, means.controller.watch, means.host)
        self._at_once = rules.MOST_AT_ONCE // 2

    async def done(self) -> None:
        """All of it."""
        self._cycle.at_open = await self._look()
        await self._measure()
        if self._means.sweep is not None:
            await self._wait()
            await self._sweep(self._means.sweep)

    async def _measure(self) -> None:
        for number in range(self._asked.samples):
            await asyncio.sleep(self._asked.interval_s)
            await self._sample("measuring")
            last = self._cycle.samples[-1]
            well = sum(one["state"] == "running" for one in last.services.values())
            loads = f"CPU {_percent(last.cpu)}  memory {_percent(last.memory)}"
            self._means.tell(f"measure  {number + 1}/{self._asked.samples}  {loads}  {well} running")

    async def _wait(self) -> None:
        """Until the host is within its limits, or for so long as was asked."""
        limit = asyncio.get_running_loop().time() + self._asked.wait_s
        while (over := self._over()) and asyncio.get_running_loop().time() < limit:
            self._means.tell(f"wait     {', '.join(over)}")
            self._cycle.phase = "waiting"
            await asyncio.sleep(self._asked.interval_s)
            await self._sample("waiting")

    async def _sweep(self, sweep: Sweep) -> None:
        """Sweep, with more or less at once as the host allows it meanwhile."""
        limit = Limit(self._at_once)
        self._cycle.phase, self._cycle.sweep = "sweeping", {"verdict": "INCOMPLETE", "summary": "not begun"}

        async def adapt() -> None:
            while True:
                await asyncio.sleep(self._asked.interval_s)
                await self._sample("sweeping")
                if limit.at_once != self._at_once:
                    limit.allow(self._at_once)
                    self._means.tell(f"         {self._at_once} at once{''.join(f', {word}' for word in self._over())}")

        def told(swept: Mapping[str, Any]) -> None:
            self._cycle.sweep = swept

        self._means.tell(f"sweep    {limit.at_once} at once")
        await _beside(sweep(limit, told), adapt())
        await self._sample("sweeping")  # what happened since the last look belongs to the sweep too
        self._means.tell(f"         {self._cycle.sweep['summary']}")

    async def _look(self) -> Sample:
        """A measurement; raises Ended rather than show a window that ends, whose stops would be taken for failures."""
        sample = await self._meter.sample()
        await _still_open(self._cycle, self._means)
        return sample

    async def _sample(self, phase: Phase) -> None:
        self._cycle.phase = phase
        sample = await self._look()
        self._at_once = rules.at_once(self._at_once, sample, self._asked.limits)
        self._cycle.samples.append(sample)
        because = list(rules.over(sample, self._asked.limits))
        self._cycle.throttle.append({"at_s": sample.at_s, "while": phase, "at_once": self._at_once, "because": because})

    def _over(self) -> tuple[str, ...]:
        return rules.over(self._cycle.samples[-1], self._asked.limits) if self._cycle.samples else ()


async def _beside(work: Awaitable[None], side: Coroutine[Any, Any, None]) -> None:
    """The work, with something beside it that ends when the work ends; raises what either raised first."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(side)]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await see_through(asyncio.wait(tasks))
    for task in tasks:
        if task in ended:
            task.result()


async def _close(cycle: Cycle, means: Means, *, opened: bool) -> None:
    """Close what was opened, also what nobody was told of yet, and look at what runs then."""
    means.tell("close")
    try:
        await _closed(cycle, means, opened=opened)
        cycle.after = await _after(means.controller)
    except WindlassError as failure:
        cycle.troubles.append(f"after the close nothing could be seen: {failure}")
    means.tell(f"         {(cycle.closed or {}).get('state', 'nothing was opened')}; {cycle.after.get('state', 'not seen')}")


async def _closed(cycle: Cycle, means: Means, *, opened: bool) -> None:
    window_ids = [str(cycle.opened["window_id"])] if opened else []
    for window_id in window_ids:
        reason = await means.controller.ending(window_id) or "manual"
        cycle.closed = (await means.controller.close({"window_id": window_id}, actor=means.actor, reason=reason)).body
    for window in await means.controller.ledger.live():
        if window.reason == _reason(cycle) and window.window_id not in window_ids:
            cycle.closed = (await means.controller.close({"window_id": window.window_id}, actor=means.actor)).body
    if cycle.closed is None and cycle.opened.get("code") == "START_FAILED" and cycle.opened.get("state") == "closed":
        changed = list(cycle.opened.get("core_changed", ()))
        cycle.closed = {"state": "closed", "services_stopped": [], "core_changed": changed}  # observed by the opening


async def _after(controller: Controller) -> dict[str, Any]:
    """The project as it is now; raises WindlassError where nobody can say."""
    seen = (await controller.watch.fresh()).services
    answer = await controller.state()
    if not answer.is_done:
        raise Unavailable(str(answer.body.get("message")))
    core = {name: (one.health if one.health == "unhealthy" else one.state) for name, one in seen.items() if name in controller.policy.core}
    return {
        "state": answer.body["state"],
        "drift": answer.body["drift"],
        "core": {name: core.get(name, "absent") for name in sorted(controller.policy.core)},
    }


def _reason(cycle: Cycle) -> str:
    """What the ledger has as the window's reason: by it a window is found whose opening was never answered."""
    return f"cycle {cycle.cycle_id}"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} %"
