"""Server-sent events: the state whenever it changes, and a countdown each second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from windlass.windows.power.controller import Controller

MOST_LISTENERS = 64
EVERY_S = 1.0
RETRY_MS = 2000
_PASSING = frozenset({"timestamp", "audit_id", "observed_at", "ttl_remaining_sec", "windows", "trouble"})


class Stream:
    """Everybody who listens to one service. Lives as long as the service."""

    def __init__(self, controller: Controller, stopping: asyncio.Event) -> None:
        self._controller = controller
        self._stopping = stopping
        self._listeners = 0

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self._listeners >= MOST_LISTENERS

    async def events(self) -> AsyncIterator[bytes]:
        """The events for one listener, until it goes or the service stops."""
        self._listeners += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            before: object = None
            number = 0
            while not self._stopping.is_set():
                state = (await self._controller.state()).body
                lasting = _lasting(state)
                if lasting != before:
                    before, number = lasting, number + 1
                    yield _event("state", number, state)
                else:
                    told = {name: state.get(name) for name in ("state", "window_id", "ttl_remaining_sec", "timestamp")}
                    yield _event("countdown", number, told)
                try:
                    async with asyncio.timeout(EVERY_S):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._listeners -= 1


def _lasting(state: Mapping[str, Any]) -> object:
    windows = [(one["window_id"], one["state"], one["deadline"]) for one in state.get("windows", ())]
    return [windows, {name: value for name, value in state.items() if name not in _PASSING}]


def _event(kind: str, number: int, fields: Mapping[str, Any]) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (kind.encode(), number, orjson.dumps(fields))
