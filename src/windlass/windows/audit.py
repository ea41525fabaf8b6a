"""The audit of a window: every request, act and observation, one chained entry each, and the same told to whoever listens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from windlass.infra import instants
from windlass.infra.chain import ChainedLog

FILE_NAME = "audit.jsonl"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that was done or observed, as it stands in the audit; `action` is one of a few fixed words. Lives as long as its listener."""

    action: str
    at: datetime
    window_id: str
    fields: dict[str, Any]


Listener = Callable[[Event], None]


class Audit:
    """The audit as one opener or closer writes it; lives as long as its `async with`. Entries are on the disk before anyone is told."""

    def __init__(self, state_dir: Path, window_id: str, clock: instants.Clock, listener: Listener | None) -> None:
        self._path = state_dir / FILE_NAME
        self._window_id = window_id
        self._clock = clock
        self._listener = listener
        self._one_at_a_time = asyncio.Lock()
        self._log: ChainedLog | None = None

    async def __aenter__(self) -> Self:
        self._log = await asyncio.to_thread(ChainedLog, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()

    async def note(self, action: str, **fields: Any) -> None:
        """Append one entry, then tell the listener; what the listener raises goes to the loop's handler, never to the window."""
        if self._log is None:
            raise RuntimeError("an audit is written inside its `async with`")
        event = Event(action=action, at=self._clock(), window_id=self._window_id, fields=fields)
        entry = {"at": instants.stamp(event.at), "action": action, "window_id": self._window_id, "by_pid": os.getpid(), **fields}
        async with self._one_at_a_time:
            await asyncio.to_thread(self._log.append, entry)
        if self._listener is not None:
            asyncio.get_running_loop().call_soon(self._listener, event)
            await asyncio.sleep(0)  # told in order, and before the writer goes on
