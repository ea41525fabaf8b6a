"""What is seen of a project's services: one look at a time, however many ask, and the last one while the engine takes its time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from windlass.errors import WindlassError
from windlass.windows.backend import Backend, Moment, Observation
from windlass.windows.power.moment import Now

PATIENCE_S = 0.05
"""How long somebody who asks for the state waits for a look that is under way."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen, and when; nothing yet where `seen` is None. Lives as long as its reader."""

    seen: Observation | None
    at: Moment | None
    trouble: str = ""
    """Why there is no newer one."""


class Watch:
    """The looks at one backend. Lives as long as its owner."""

    def __init__(self, backend: Backend, now: Now) -> None:
        self._backend = backend
        self._now = now
        self._looking: asyncio.Task[Observation] | None = None
        self._last = Look(seen=None, at=None)

    @property
    def last(self) -> Look:
        """The newest look that ended."""
        return self._last

    async def look(self) -> Observation:
        """A look that begins now or is under way; raises Unavailable when the engine does not answer."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def fresh(self) -> Observation:
        """A look that begins after this call; what was asked of the engine before is seen in it."""
        if self._looking is not None and not self._looking.done():
            await asyncio.wait({self._looking})
        return await self.look()

    async def soon(self, patience_s: float = PATIENCE_S) -> Look:
        """A fresh look if it ends soon, else the last one, which says how old it is."""
        looking = asyncio.ensure_future(self.look())
        done, _ = await asyncio.wait({looking}, timeout=patience_s)
        if not done:
            looking.add_done_callback(_forgotten)
            return Look(seen=self._last.seen, at=self._last.at, trouble="the engine has not answered yet")
        try:
            looking.result()
        except WindlassError as failure:
            return Look(seen=self._last.seen, at=self._last.at, trouble=str(failure))
        return self._last

    async def close(self) -> None:
        """Let no look run on."""
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look(self) -> Observation:
        at = self._now()
        seen = await self._backend.observe()
        self._last = Look(seen=seen, at=at)
        return seen


def _forgotten(task: asyncio.Future[Observation]) -> None:
    """Nobody waits any more; the next look says what went wrong."""
    if not task.cancelled():
        task.exception()
