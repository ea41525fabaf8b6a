"""A controller to be killed while at it: opens a window, extends it, holds it and closes it: `python -m tests.engines.opener JSON`.

It is the controller that service and command line have, with a ledger of its own beside the Compose file. Each answer is printed once it
is there; a deadline, in milliseconds since 1970, before it is given to anybody. With `recover` it asks for nothing: it is the next
controller, which closes what the first one left.
"""

import asyncio
import contextlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from windlass.windows import moments
from windlass.windows.compose.compose import Compose, Place
from windlass.windows.power.controller import Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy

START_S = 3.0
TTL_SEC = 1


async def main(terms: dict[str, Any]) -> None:
    """One window, from its opening to its close; or the end of what an earlier controller left."""
    place = Place(project=terms["project"], files=(terms["file"],), directory=Path(terms["file"]).parent, environment=dict(os.environ))
    own = ServicePolicy(start_timeout_sec=START_S, stop_grace_sec=terms["grace_s"], takes_restart=True)
    policy = Policy(project=terms["project"], core=frozenset(), services=dict.fromkeys(terms["services"], own), health_interval_sec=0.5)
    state = Path(terms["file"]).parent / "states" / terms["project"]
    async with Compose(place) as backend, controlling(policy, backend, state) as controller:
        loop = asyncio.create_task(controller.reconciler.run())
        try:
            await (_recover(controller) if terms.get("recover") else _use(controller, terms))
        finally:
            loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop


async def _use(controller: Controller, terms: dict[str, Any]) -> None:
    _say(f"begin {moments.now().epoch_ms + round((START_S + TTL_SEC) * 1000)}")
    opened = (await controller.open({"services": list(terms["services"]), "ttl_sec": TTL_SEC}, actor="test")).body
    if opened.get("status") == "fail" or "window_id" not in opened:
        _say("closed" if opened.get("state") == "closed" else f"failed {opened}")
        return
    _say(f"open {_epoch_ms(opened['deadline'])}")
    longer = TTL_SEC + 1
    _say(f"extending {moments.now().epoch_ms + longer * 1000 + 500}")
    await controller.extend({"window_id": opened["window_id"], "ttl_sec": longer}, actor="test")
    _say("extended")
    await asyncio.sleep(terms["hold_s"])
    closed = (await controller.close({"window_id": opened["window_id"]}, actor="test")).body
    _say(closed["state"])


async def _recover(controller: Controller) -> None:
    while await controller.ledger.live():  # noqa: ASYNC110  # the loop of another task ends them
        await asyncio.sleep(0.05)


def _epoch_ms(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


def _say(step: str) -> None:
    sys.stdout.write(step + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
