"""Brings one window up: lease and start by the backend, then looks until every service is up, is not coming up, or its time is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from windlass.errors import Unavailable, WindlassError
from windlass.windows.backend import Backend, Closure, Observation, Observed, Outcome
from windlass.windows.power import rulings
from windlass.windows.power.ledger import Ledger
from windlass.windows.power.log import Log
from windlass.windows.power.moment import Time
from windlass.windows.power.policy import Policy
from windlass.windows.power.rulings import Sighting, Window
from windlass.windows.power.watch import Watch

LOOK_AGAIN_S = 0.1
LOG_TAIL_CHARACTERS = 500
_LOG_S = 1.0


class ToldToEnd(WindlassError):
    """The window is to be closed before it is up."""


class Opening:
    """One opening, from the intention that the ledger has to the state that was observed. Lives as long as it takes."""

    def __init__(self, policy: Policy, backend: Backend, ledger: Ledger, log: Log, watch: Watch, time: Time) -> None:
        self._policy = policy
        self._backend = backend
        self._ledger = ledger
        self._log = log
        self._watch = watch
        self._time = time
        self._sightings: dict[str, Sighting] = {}
        self._began_with: dict[str, int] = {}
        self._running_ms: int | None = None

    async def bring_up(self, window: Window) -> None:
        """Raises ToldToEnd when the window is to be closed meanwhile, and what the backend raises when nothing could be started."""
        limit_s = self._time.now().uptime_s + self._policy.start_timeout_sec(window.requested)
        closure, before = await asyncio.gather(self._backend.closure(window.requested, digest=window.digest), self._watch.fresh())
        core = {name: list(before.services[name].fingerprint) for name in sorted(self._policy.core) if name in before.services}
        held = {name for lease in before.leases if lease.window_id != window.window_id for name in lease.to_stop}
        ran = tuple(name for name in window.services if name not in held and name in before.services and before.services[name].is_alive)
        leased_ms = window.deadline_ms  # from here on something may run: were the lease lost, the ledger would know what to stop
        window = await self._ledger.change(window.window_id, lambda w: replace(w, core=core, ran_before=ran, leased_ms=leased_ms))
        outcomes = await self._started(window, limit_s)
        for one in outcomes.values():
            said: dict[str, Any] = {
                "rc": one.returncode,
                "elapsed_ms": one.elapsed_ms,
                "argv": list(one.argv),
                "stdout": one.stdout,
                "stderr": one.stderr,
            }
            await self._log.note("start", window_id=window.window_id, service=one.service, **said)
        up, seen = await self._until_up(window, closure, outcomes, limit_s)
        results = await self._results(window.services, outcomes, up, seen)
        await self._settle(window, up, results, changed_core(core, seen))

    async def _started(self, window: Window, limit_s: float) -> Mapping[str, Outcome]:
        lease = replace(window.lease, project=self._policy.project)
        timeout_s = max(0.1, limit_s - self._time.now().uptime_s)
        starting = asyncio.ensure_future(self._backend.start(window.services, lease, timeout_s=timeout_s, digest=window.digest))
        try:
            while not starting.done():
                await asyncio.wait({starting}, timeout=LOOK_AGAIN_S)
                await self._go_on(window)
        except BaseException:
            starting.cancel()
            await asyncio.wait({starting})
            raise
        return {one.service: one for one in starting.result()}

    async def _go_on(self, window: Window) -> None:
        """Raise ToldToEnd where the window is to be closed."""
        now = await self._ledger.window(window.window_id)
        if now is None or now.state != "opening" or now.close_asked or now.is_due(self._time.now()):
            raise ToldToEnd

    async def _until_up(
        self, window: Window, closure: Closure, outcomes: Mapping[str, Outcome], limit_s: float
    ) -> tuple[Mapping[str, bool], Observation]:
        """Whether each service came up, by the last look."""
        while True:
            seen = await self._watch.fresh()
            self._sight(window.services, seen)
            now_s = self._time.now().uptime_s
            judged = {name: self._judged(seen.services.get(name), closure, name, now_s) for name in window.services}
            for name, outcome in outcomes.items():
                if not outcome.is_done and not (name in seen.services and seen.services[name].is_alive):
                    judged[name] = "failed"
            if "waiting" not in judged.values() or now_s >= limit_s:
                return {name: verdict == "ready" for name, verdict in judged.items()}, seen
            await self._time.pause(LOOK_AGAIN_S)
            await self._go_on(window)

    def _sight(self, names: Sequence[str], seen: Observation) -> None:
        """Remember since when each service is as it is, and when all of them were first seen running."""
        now, found = self._time.now(), [seen.services[name] for name in names if name in seen.services]
        for one in found:
            self._sightings[one.service] = rulings.sighting(one, self._sightings.get(one.service), now.uptime_s)
            self._began_with.setdefault(one.service, one.restart_count)
        if self._running_ms is None and len(found) == len(names) and all(one.state == "running" for one in found):
            self._running_ms = now.epoch_ms

    def _judged(self, seen: Observed | None, closure: Closure, name: str, now_s: float) -> str:
        if seen is None:
            return "waiting"
        still_s = now_s - self._sightings[name].since_s
        return rulings.readiness(seen, closure.facts[name], still_s, seen.restart_count - self._began_with[name])

    async def _results(
        self, services: Sequence[str], outcomes: Mapping[str, Outcome], up: Mapping[str, bool], seen: Observation
    ) -> tuple[Mapping[str, Any], ...]:
        tails = await asyncio.gather(*(self._tail(name) if not up[name] else _nothing() for name in services))
        return tuple(
            {**result(outcomes.get(name), seen.services.get(name), name, tail), "up": up[name]} for name, tail in zip(services, tails, strict=True)
        )

    async def _tail(self, name: str) -> str:
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_LOG_S):
                return await self._backend.log_tail(name, LOG_TAIL_CHARACTERS)
        return ""

    async def _settle(self, window: Window, up: Mapping[str, bool], results: tuple[Mapping[str, Any], ...], changed: tuple[str, ...]) -> None:
        """Write what came of it: open or degraded until its deadline, or to be closed at once."""
        now = self._time.now()
        state = rulings.opened_state(up)
        rolled_back = state != "open" and window.on_partial == "rollback"
        if state == "failed" or rolled_back:
            failed = ", ".join(name for name, is_up in up.items() if not is_up)
            trouble = f"{failed} did not come up"
            await self._log.note("open_failed", window_id=window.window_id, trouble=trouble, results=list(results))
            become = lambda w: replace(w, results=results, trouble=trouble, core_changed=changed, close_asked=w.close_asked or "start_failed")  # noqa: E731  # two futures, one of which is written
        else:
            deadline_ms = min(window.deadline_ms, now.epoch_ms + window.ttl_sec * 1000)
            deadline_uptime_s = min(window.deadline_uptime_s, now.uptime_s + window.ttl_sec)
            become = lambda w: replace(  # noqa: E731  # as above
                w,
                state=state,
                running_ms=self._running_ms,
                ready_ms=now.epoch_ms,
                ready_uptime_s=now.uptime_s,
                deadline_ms=deadline_ms,
                deadline_uptime_s=deadline_uptime_s,
                results=results,
                core_changed=changed,
            )
            await self._log.note("opened", window_id=window.window_id, state=state, deadline_ms=deadline_ms, core_changed=list(changed))
        await self._ledger.change(window.window_id, become)


def changed_core(before: Mapping[str, Sequence[str]], seen: Observation) -> tuple[str, ...]:
    """The services of the core that are not what they were."""
    return tuple(name for name, was in before.items() if name not in seen.services or list(seen.services[name].fingerprint) != list(was))


def result(outcome: Outcome | None, seen: Observed | None, name: str, log_tail: str = "") -> Mapping[str, Any]:
    """What an answer says of one service: the act, and how it was observed afterwards."""
    return {
        "service": name,
        "returncode": outcome.returncode if outcome else None,
        "elapsed_ms": outcome.elapsed_ms if outcome else 0,
        "state": seen.state if seen else "absent",
        "health": seen.health if seen else "none",
        "stdout": outcome.stdout if outcome else "",
        "stderr": outcome.stderr if outcome else "",
        "log_tail": log_tail,
    }


async def _nothing() -> str:
    return ""
