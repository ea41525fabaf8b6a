"""Runs one cycle. Whatever happens between opening and closing, the window is closed, and the report says what happened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from windlass.errors import WindlassError
from windlass.infra.completion import see_through
from windlass.windows.backend import Backend, Cost
from windlass.windows.cycle import rules
from windlass.windows.cycle.host import Host
from windlass.windows.cycle.rules import Limits, Sample
from windlass.windows.power.controller import Controller

SCHEMA_VERSION = 1
_COST_S = 3.0
_LOOK_S = 5.0
Sweep = Callable[[int], Awaitable[Mapping[str, Any]]]
"""Given how much may be done at once, sweeps, and says `verdict`, `summary` and where the evidence lies."""
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a cycle is asked for. Lives as long as its cycle."""

    services: tuple[str, ...]
    ttl_sec: int
    samples: int
    interval_s: float
    wait_s: float
    """How long work waits for a host that is over its limits, before it is done with the least at once."""
    limits: Limits


@dataclass(kw_only=True)
class Cycle:
    """What a cycle came to, as it grows. Lives as long as its report."""

    cycle_id: str
    started_at: str
    asked: Asked
    opened: Mapping[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    throttle: list[dict[str, Any]] = field(default_factory=list)
    sweep: Mapping[str, Any] | None = None
    closed: Mapping[str, Any] | None = None
    core: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""
    finished_at: str = ""

    @property
    def failures(self) -> tuple[str, ...]:
        """Why it does not pass."""
        return rules.failures(self.opened, self.samples, self.closed, self.sweep, self.trouble)

    @property
    def verdict(self) -> rules.Verdict:
        """Whether everything was as it should be."""
        return "FAIL" if self.failures else "PASS"

    def as_json(self) -> dict[str, Any]:
        """`test_results.json`."""
        opened, closed = self.opened, self.closed or {}
        return {
            "schema_version": SCHEMA_VERSION,
            "cycle_id": self.cycle_id,
            "timestamp": self.started_at,
            "finished_at": self.finished_at,
            "status": self.verdict,
            "failures": list(self.failures),
            "window_id": opened.get("window_id"),
            "created_at": opened.get("created_at"),
            "deadline": opened.get("deadline"),
            "ttl_sec": self.asked.ttl_sec,
            "services": list(self.asked.services),
            "services_started": list(opened.get("services_started", ())),
            "services_stopped": list(closed.get("services_stopped", ())),
            "state": closed.get("state"),
            "results": list(opened.get("results", ())),
            "cost": dict(closed.get("cost", {})),
            "core": dict(self.core),
            "core_changed": list(closed.get("core_changed", ())),
            "limits": asdict(self.asked.limits),
            "metrics": [asdict(sample) for sample in self.samples],
            "throttle": self.throttle,
            "sweep": None if self.sweep is None else dict(self.sweep),
        }


async def run(
    controller: Controller, backend: Backend, cycle: Cycle, sweep: Sweep | None, tell: Tell, *, actor: str, before: Callable[[], None]
) -> None:
    """Fill `cycle`. Cancelled, or after an error, the window is closed first; the controller's loop must be at work beside this.

    `before`: as of `Controller.open`.
    """
    opened = False
    try:
        tell(f"open     {', '.join(cycle.asked.services)}")
        body = {"services": list(cycle.asked.services), "ttl_sec": cycle.asked.ttl_sec, "reason": f"cycle {cycle.cycle_id}"}
        answer = await controller.open(body, actor=actor, before=before)
        cycle.opened = answer.body
        opened = answer.is_done
        tell(
            f"         {answer.body.get('state', 'refused')}: {', '.join(answer.body.get('services_started', ())) or answer.body.get('message', '')}"
        )
        if opened:
            await _work(controller, backend, cycle, sweep, tell)
    except asyncio.CancelledError:
        cycle.trouble = "interrupted"
        raise
    except WindlassError as failure:
        cycle.trouble = str(failure)
    finally:
        await see_through(_close(controller, cycle, tell, opened=opened, actor=actor))


async def _work(controller: Controller, backend: Backend, cycle: Cycle, sweep: Sweep | None, tell: Tell) -> None:
    host, began = Host(), asyncio.get_running_loop().time()
    level = rules.MOST_AT_ONCE // 2
    for number in range(cycle.asked.samples):
        await asyncio.sleep(cycle.asked.interval_s)
        sample = await _sample(controller, backend, cycle, host, asyncio.get_running_loop().time() - began)
        cycle.samples.append(sample)
        level = _throttled(cycle, level, sample)
        well = sum(one["state"] == "running" for one in sample.services.values())
        tell(f"measure  {number + 1}/{cycle.asked.samples}  CPU {_percent(sample.cpu)}  memory {_percent(sample.memory)}  {well} running")
    if sweep is None:
        return
    limit = asyncio.get_running_loop().time() + cycle.asked.wait_s
    while rules.over(cycle.samples[-1], cycle.asked.limits) and asyncio.get_running_loop().time() < limit:
        tell(f"wait     {', '.join(rules.over(cycle.samples[-1], cycle.asked.limits))}")
        await asyncio.sleep(cycle.asked.interval_s)
        cycle.samples.append(await _sample(controller, backend, cycle, host, asyncio.get_running_loop().time() - began))
        level = _throttled(cycle, level, cycle.samples[-1])
    tell(f"sweep    {level} at once")
    cycle.sweep = await sweep(level)
    tell(f"         {cycle.sweep.get('summary') or cycle.sweep.get('trouble')}")


def _throttled(cycle: Cycle, before: int, sample: Sample) -> int:
    level = rules.at_once(before, sample, cycle.asked.limits)
    cycle.throttle.append({"at_s": sample.at_s, "at_once": level, "because": list(rules.over(sample, cycle.asked.limits))})
    return level


async def _sample(controller: Controller, backend: Backend, cycle: Cycle, host: Host, at_s: float) -> Sample:
    names = tuple(cycle.opened.get("services_started", ()))
    seen = await controller.watch.fresh()
    costs: Mapping[str, Cost] = {}
    with contextlib.suppress(WindlassError, TimeoutError):
        async with asyncio.timeout(_COST_S):
            costs = await backend.cost(names) if names else {}
    services = {
        name: {
            "state": seen.services[name].state,
            "health": seen.services[name].health,
            "restarts": seen.services[name].restart_count,
            "cpu_sec": costs[name].cpu_s if name in costs else None,
            "memory_bytes": (costs[name].memory_bytes or costs[name].peak_memory_bytes) if name in costs else None,
        }
        for name in names
        if name in seen.services
    }
    return Sample(at_s=round(at_s, 3), cpu=host.cpu(), memory=host.memory(), psi=host.pressure(), services=services)


async def _close(controller: Controller, cycle: Cycle, tell: Tell, *, opened: bool, actor: str) -> None:
    """Close what was opened, also what nobody was told of yet, and look at the core."""
    window_ids = [str(cycle.opened["window_id"])] if opened else []
    for window_id in window_ids:
        cycle.closed = (await controller.close({"window_id": window_id}, actor=actor)).body
    with contextlib.suppress(WindlassError):  # one that is opening, and that nobody was told of yet
        for window in await controller.ledger.live():
            if window.reason == f"cycle {cycle.cycle_id}" and window.window_id not in window_ids:
                cycle.closed = (await controller.close({"window_id": window.window_id}, actor=actor)).body
    tell("close")
    if cycle.closed is None and cycle.opened.get("code") == "START_FAILED" and cycle.opened.get("state") == "closed":
        changed = list(cycle.opened.get("core_changed", ()))
        cycle.closed = {"state": "closed", "services_stopped": [], "core_changed": changed}  # observed by the opening
    state = (await controller.state(patience_s=_LOOK_S)).body
    cycle.core = state.get("core", {})
    tell(f"         {(cycle.closed or {}).get('state', 'nothing was opened')}; {state.get('state')}")


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} %"
