"""Measures the services of a window, and the host that they run on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.errors import WindlassError
from windlass.windows.backend import Backend, Cost, Observed
from windlass.windows.cycle import rules
from windlass.windows.cycle.host import Host
from windlass.windows.cycle.rules import Sample
from windlass.windows.power.watch import Watch

_COST_S = 3.0
"""How long an engine may take to say what services use; it is not told then."""


class Meter:
    """Looks at some services, and at what each has used since the last look. Lives as long as its window."""

    def __init__(self, names: Sequence[str], backend: Backend, watch: Watch, host: Host) -> None:
        self._names = tuple(names)
        self._backend = backend
        self._watch = watch
        self._host = host
        self._began = self._last_s = asyncio.get_running_loop().time()
        self._costs: Mapping[str, Cost] = {}

    async def sample(self) -> Sample:
        """One measurement; what can't be seen now is told in it."""
        services, trouble = dict[str, Mapping[str, Any]](), ""
        try:
            seen = (await self._watch.fresh()).services
        except WindlassError as failure:
            trouble = str(failure)
        else:
            services = await self._measured({name: seen[name] for name in self._names if name in seen})
        at_s = asyncio.get_running_loop().time() - self._began
        host = self._host
        return Sample(at_s=round(at_s, 3), cpu=host.cpu(), memory=host.memory(), psi=host.pressure(), services=services, trouble=trouble)

    async def _measured(self, seen: Mapping[str, Observed]) -> dict[str, Mapping[str, Any]]:
        before, before_s, costs = self._costs, self._last_s, dict[str, Cost]()
        with contextlib.suppress(WindlassError, TimeoutError):
            async with asyncio.timeout(_COST_S):
                costs = dict(await self._backend.cost(tuple(seen))) if seen else {}
        self._costs, self._last_s = costs, asyncio.get_running_loop().time()
        found = dict[str, Mapping[str, Any]]()
        for name, one in seen.items():
            cost = costs.get(name, Cost())
            found[name] = {
                "state": one.state,
                "health": one.health,
                "restarts": one.restart_count,
                "started_at": one.started_at,
                "cpu_sec": cost.cpu_s,
                "cpu_percent": rules.cpu_percent(before.get(name, Cost()).cpu_s, cost.cpu_s, self._last_s - before_s),
                "memory_bytes": cost.memory_bytes or cost.peak_memory_bytes,
            }
        return found
