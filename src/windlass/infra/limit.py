"""How much is done at once, by a number that may change while it is done."""

from __future__ import annotations

import asyncio


class Limit:
    """At most so many at once, those that wait in order. Lives as long as what it limits.

    Made smaller, it interrupts nothing: less begins until as many have ended.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._permits = asyncio.Semaphore(at_once)
        self._owed = 0

    @property
    def at_once(self) -> int:
        """What is allowed now."""
        return self._at_once

    def allow(self, at_once: int) -> None:
        """Allow so many from now on; at least one."""
        if at_once < 1:
            raise ValueError(f"at least one must be allowed, not {at_once}")
        more, self._at_once = at_once - self._at_once, at_once
        self._owed += max(0, -more)
        for _ in range(more):
            self._give_back()

    async def __aenter__(self) -> None:
        await self._permits.acquire()
        while self._owed:  # this permit is one too many: it is kept, and another one waited for
            self._owed -= 1
            await self._permits.acquire()

    async def __aexit__(self, *_failure: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._permits.release()
