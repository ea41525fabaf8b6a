"""The audit of a project's windows: one chained entry for every request, refused ones too, every act and every observation that counts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson

from windlass.errors import Unavailable
from windlass.infra import chain, instants
from windlass.infra.chain import ChainedLog

FILE_NAME = "audit.jsonl"
Listener = Callable[[Mapping[str, Any]], None]


class Log:
    """The audit as one process writes it; lives as long as its `async with`. Other processes may write the same file."""

    def __init__(self, directory: Path, clock: instants.Clock = instants.now) -> None:
        self.path = directory / FILE_NAME
        self._clock = clock
        self._listeners: list[Listener] = []
        self._one_at_a_time = asyncio.Lock()
        self._log: ChainedLog | None = None

    async def __aenter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._log = await asyncio.to_thread(ChainedLog, self.path)
        except OSError as failure:
            raise Unavailable(f"{self.path}: {failure.strerror or failure}") from failure
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every entry that this process writes, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def note(self, action: str, *, actor: str = "windlass", window_id: str | None = None, **fields: Any) -> str:
        """Append one entry and return its id. On the disk when this returns; raises Unavailable where it can't be written."""
        if self._log is None:
            raise RuntimeError("an audit is written inside its `async with`")
        at = self._clock()
        audit_id = f"aud_{instants.compact_ms(at)}_{secrets.token_hex(6)}"
        entry = {"at": instants.stamp(at), "audit_id": audit_id, "action": action, "actor": actor, "window_id": window_id, **fields}
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(self._log.append, entry)
            except OSError as failure:
                raise Unavailable(f"{self.path}: {failure.strerror}" if failure.strerror else str(failure)) from failure
        for listener in tuple(self._listeners):
            listener(entry)
        return audit_id

    async def since(self, instant: datetime | None, limit: int) -> list[dict[str, Any]]:
        """The newest entries, at most `limit` of them, the oldest first; with `instant` only later ones."""
        return await asyncio.to_thread(self._since, instant, limit)

    def _since(self, instant: datetime | None, limit: int) -> list[dict[str, Any]]:
        try:
            content = self.path.read_bytes()
        except OSError as failure:
            raise Unavailable(f"{self.path}: {failure.strerror}") from failure
        found: list[dict[str, Any]] = []
        for line in reversed(content.splitlines()):
            if len(found) == limit:
                break
            try:
                entry = orjson.loads(line)
                at = instants.parse(entry["at"])
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                continue  # damage is what `audit verify` is for
            if instant is not None and at <= instant:
                break
            found.append(entry)
        return found[::-1]


def checked(path: Path) -> chain.Scan:
    """The whole audit as its chain has it; raises Unavailable where it can't be read."""
    try:
        return chain.scan(path.read_bytes())
    except OSError as failure:
        raise Unavailable(f"{path}: {failure.strerror}") from failure
