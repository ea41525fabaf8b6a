"""Stops services and believes only what it sees: TERM, the grace, KILL, and looks until nothing of them lives or would come back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.errors import Unavailable
from windlass.windows import backend as backends
from windlass.windows.backend import Backend, Cost, Observation
from windlass.windows.power import opening, rulings
from windlass.windows.power.moment import Time
from windlass.windows.power.policy import Policy
from windlass.windows.power.rulings import Window
from windlass.windows.power.watch import Watch

LOOKS_S = (0.0, 0.05, 0.25, 0.7)
"""Pauses before the looks at a window whose opening was cut short: what an engine was asked for by then may come a moment later."""
_COST_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of stopping came to. Lives as long as its writer."""

    is_closed: bool = False
    stopped: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    results: tuple[Mapping[str, Any], ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)
    core_changed: tuple[str, ...] = ()
    trouble: str = ""

    def facts(self) -> dict[str, Any]:
        """As the audit has it."""
        return {
            "services_stopped": list(self.stopped),
            "left": list(self.left),
            "results": list(self.results),
            "cost": dict(self.cost),
            "core_changed": list(self.core_changed),
            "trouble": self.trouble,
        }

    def closed(self, window: Window, now: backends.Moment) -> Window:
        """The window, closed as it was observed."""
        return replace(
            window,
            state="closed",
            closed_ms=now.epoch_ms,
            stopped=tuple(dict.fromkeys((*window.stopped, *self.stopped))),
            close_results=self.results or window.close_results,
            cost=self.cost or window.cost,
            core_changed=tuple(dict.fromkeys((*window.core_changed, *self.core_changed))),
        )

    def stuck(self, window: Window, now: backends.Moment, attempts: int) -> Window:
        """The window, still there, to be tried again a little later and harder."""
        return replace(
            window,
            state="stuck",
            attempts=attempts,
            retry_uptime_s=now.uptime_s + rulings.retry_after_s(attempts),
            stopped=tuple(dict.fromkeys((*window.stopped, *self.stopped))),
            close_results=self.results or window.close_results,
            cost=self.cost or window.cost,
            trouble=self.trouble or f"{', '.join(self.left)} still there",
        )


async def round_of(window: Window, policy: Policy, backend: Backend, watch: Watch, time: Time) -> Round:
    """Stop what the window holds and nobody else does; raises Unavailable when the engine does not answer."""
    before = await watch.fresh()
    services = _to_stop(window, policy, before, time)
    alive = [name for name in services if name in before.services and before.services[name].is_alive]
    cost = await _cost(backend, alive) if window.attempts == 0 else {}
    outcomes = {one.service: one for one in await backend.stop(services, window.grace_s, kill=window.attempts > 0)} if services else {}
    left = _left(after := await watch.fresh(), services)
    if left:
        outcomes |= {one.service: one for one in await backend.stop(left, 0.0, kill=True)}
    for pause in LOOKS_S if window.ready_ms is None else LOOKS_S[:1]:
        await time.pause(pause)
        left = _left(after := await watch.fresh(), services)
        if left:
            break
    if not left:
        await backend.drop_lease(window.window_id)
    was_up = {*alive, *(one["service"] for one in window.results if one["up"])}  # its keeper, or a reaper, may have come first
    gone = tuple(name for name in services if name in was_up and name not in left)
    return Round(
        is_closed=not left,
        stopped=gone,
        left=left,
        results=tuple(opening.result(outcomes.get(name), after.services.get(name), name) for name in services),
        cost=cost,
        core_changed=opening.changed_core(window.core, after),
        trouble="; ".join(f"{name}: {one.stderr}" for name, one in outcomes.items() if name in left and one.stderr),
    )


async def stopped(backend: Backend, watch: Watch, services: Sequence[str], grace_s: float) -> tuple[str, ...]:
    """Stop services, TERM then KILL; returns those that are still there."""
    if services:
        await backend.stop(services, grace_s, kill=False)
    left = _left(await watch.fresh(), services)
    if left:
        await backend.stop(left, 0.0, kill=True)
        left = _left(await watch.fresh(), services)
    return left


async def all_of(policy: Policy, backend: Backend, watch: Watch) -> dict[str, Any]:
    """Stop every allowed service, whoever started it, and say what was observed."""
    seen = await watch.fresh()
    there = [name for name in sorted(policy.services) if name in seen.services and seen.services[name].is_alive]
    left = await stopped(backend, watch, there, policy.grace_sec(there))
    return {"services_stopped": [name for name in there if name not in left], "still_running": list(left), "trouble": ""}


def _to_stop(window: Window, policy: Policy, seen: Observation, time: Time) -> tuple[str, ...]:
    """By the lease in the engine, which knows how things were; where it is gone, by what the ledger wrote down."""
    now = time.now()
    own = next((lease for lease in seen.leases if lease.window_id == window.window_id and lease.project == policy.project), None)
    if own is not None:
        return backends.to_stop(own, seen.leases, now)
    if window.leased_ms is None:
        return ()  # it never had one, so nothing was started for it
    held = {name for lease in seen.leases if lease.project == policy.project and not lease.is_due(now) for name in lease.to_stop}
    return tuple(name for name in window.services if name not in held and name not in window.ran_before)


def _left(seen: Observation, services: Sequence[str]) -> tuple[str, ...]:
    """Those that live, or that an engine would start again by itself."""
    found = [seen.services[name] for name in services if name in seen.services]
    return tuple(one.service for one in found if one.is_alive or (one.restart_policy.returns and one.state != "absent"))


async def _cost(backend: Backend, services: Sequence[str]) -> dict[str, Any]:
    """What the services used; nothing where the engine does not say so soon: a stop does not wait for it."""
    if not services:
        return {}
    try:
        async with asyncio.timeout(_COST_S):
            found = await backend.cost(services)
    except (Unavailable, TimeoutError):
        return {}
    return {name: _shown(one) for name, one in found.items()}


def _shown(cost: Cost) -> dict[str, Any]:
    return {"cpu_sec": cost.cpu_s, "peak_memory_bytes": cost.peak_memory_bytes}
