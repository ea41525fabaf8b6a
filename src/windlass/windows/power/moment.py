"""The time as the windows have it: a moment on both clocks, and a pause; tests hand in their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from windlass.windows import moments
from windlass.windows.backend import Moment

Now = Callable[[], Moment]
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Time:
    """How an owner of windows knows the time and lets it pass. Lives as long as its owner."""

    now: Now = moments.now
    pause: Pause = asyncio.sleep

    def clock(self) -> datetime:
        """The wall's time."""
        return instant(self.now().epoch_ms)


def instant(epoch_ms: int) -> datetime:
    """That moment of the wall clock, in UTC."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
