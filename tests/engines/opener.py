"""Opens, extends and closes a window, to be killed while at it: `python -m tests.engines.opener JSON`.

It does what a controller does, in its order: lease, start, wait until ready, extend, wait, stop, observe, give the lease up. Each step is
printed once it is done; a deadline, in milliseconds since 1970, before it is given to anybody.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.windows import moments
from windlass.windows.backend import Backend, Lease
from windlass.windows.compose.compose import Compose, Place


async def main(terms: dict[str, Any]) -> None:
    """One window, from its opening to its close."""
    place = Place(project=terms["project"], files=(terms["file"],), directory=Path(terms["file"]).parent, environment=dict(os.environ))
    async with Compose(place) as backend:
        lease = _lease(terms)
        _say(f"begin {lease.deadline_ms}")
        await backend.start(lease.services, lease, timeout_s=terms["ttl_s"])
        _say("started")
        await _until_up(backend, lease)
        extended = replace(lease, deadline_ms=lease.deadline_ms + 300, deadline_uptime_s=lease.deadline_uptime_s + 0.3)
        _say(f"open {extended.deadline_ms}")
        await backend.put_lease(extended)
        _say("extended")
        await asyncio.sleep(terms["hold_s"])
        await backend.stop(lease.services, lease.grace_s, kill=False)
        _say("stopped")
        if not (await backend.observe()).alive():
            await backend.drop_lease(lease.window_id)
            _say("closed")


def _lease(terms: dict[str, Any]) -> Lease:
    now, ttl_s = moments.now(), terms["ttl_s"]
    return Lease(
        window_id=f"win_{terms['project']}",
        project=terms["project"],
        services=tuple(terms["services"]),
        deadline_ms=now.epoch_ms + round(ttl_s * 1000),
        fencing=1,
        grace_s=terms["grace_s"],
        boot_id=now.boot_id,
        deadline_uptime_s=now.uptime_s + ttl_s,
    )


async def _until_up(backend: Backend, lease: Lease) -> None:
    while not {name for name, one in (await backend.observe()).services.items() if one.state == "running"} >= set(lease.services):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def _say(step: str) -> None:
    sys.stdout.write(step + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
