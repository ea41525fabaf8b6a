"""Server-sent events: the state whenever it changes, and a countdown each second. One look serves everybody who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson

from windlass.windows.power.controller import Controller

MOST_LISTENERS = 64
EVERY_S = 1.0
RETRY_MS = 2000
_PASSING = frozenset({"timestamp", "audit_id", "observed_at", "ttl_remaining_sec", "windows", "trouble"})


class Stream:
    """Everybody who listens to one service. Lives as long as the service."""

    def __init__(self, controller: Controller, monotonic: Callable[[], float]) -> None:
        self._controller = controller
        self._monotonic = monotonic
        self._listeners = 0
        self._looking = asyncio.Lock()
        self._state: Mapping[str, Any] = {}
        self._looked_s = float("-inf")
        self._number = 0

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self._listeners >= MOST_LISTENERS

    async def events(self, *, stopping: asyncio.Event, may_listen: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The events for one listener, until it goes, may listen no longer, or the service stops. An id is that of a state, for everybody."""
        self._listeners += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            before = 0
            while not stopping.is_set() and may_listen():
                state = await self._latest()
                if self._number != before:
                    before = self._number
                    yield _event("state", before, state)
                else:
                    yield _event("countdown", before, {name: state.get(name) for name in ("state", "window_id", "ttl_remaining_sec", "timestamp")})
                try:
                    async with asyncio.timeout(EVERY_S):
                        await stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._listeners -= 1

    async def _latest(self) -> Mapping[str, Any]:
        """The state, at most half a turn old."""
        async with self._looking:
            if self._monotonic() - self._looked_s > EVERY_S / 2:
                state = (await self._controller.state()).body
                if not self._number or _lasting(state) != _lasting(self._state):
                    self._number += 1
                self._state, self._looked_s = state, self._monotonic()
            return self._state


def _lasting(state: Mapping[str, Any]) -> object:
    windows = [(one["window_id"], one["state"], one["deadline"]) for one in state.get("windows", ())]
    return [windows, {name: value for name, value in state.items() if name not in _PASSING}]


def _event(kind: str, number: int, fields: Mapping[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (kind.encode(), number, orjson.dumps(fields))
