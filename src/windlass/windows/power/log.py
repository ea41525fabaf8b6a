"""The audit of a project's windows: one chained entry for every request, refused ones too, every act and every observation that counts.

What may come any number of times (a refused request, an engine that does not answer) is written one by one only as long as there is
room for it; from then on it is counted, and the counts are entries.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson

from windlass.errors import Unavailable
from windlass.infra import backwards, chain, completion, instants, texts
from windlass.infra.chain import ChainedLog
from windlass.windows import uptime as uptimes
from windlass.windows.power.repeats import Count, Kind, Rooms, Source

FILE_NAME = "audit.jsonl"
COUNT_EVERY_S = 60.0
_TICK = timedelta(milliseconds=1)
_SLIP = timedelta(seconds=5)
"""An instant that lies so little before the last entry's is made later than that; more is a clock that was set back, and told as it is."""


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The newest entries that fit, the oldest of them first. Lives as long as its reader."""

    entries: tuple[Mapping[str, Any], ...]
    more: bool
    """Whether older ones fit as well, and were left out."""


class Log:
    """The audit as one process writes it; lives as long as its `async with`. Other processes may write the same file."""

    def __init__(
        self,
        directory: Path,
        clock: instants.Clock = instants.now,
        *,
        uptime: Callable[[], float] = uptimes.now,
        count_every_s: float = COUNT_EVERY_S,
    ) -> None:
        self.path = directory / FILE_NAME
        self._clock = clock
        self._uptime = uptime
        self._count_every_s = count_every_s
        self._rooms = Rooms()
        self._count: Count | None = None
        self._unwritten: Count | None = None
        """The count that is being written, or could not be."""
        self._counting: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._in_one_thread = threading.Lock()  # whoever is cancelled leaves a thread that still appends
        self._log: ChainedLog | None = None

    async def __aenter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._log = await asyncio.to_thread(ChainedLog, self.path)
        except OSError as failure:
            raise Unavailable(f"{self.path}: {failure.strerror}" if failure.strerror else str(failure)) from failure
        return self

    async def __aexit__(self, *_: object) -> None:
        await completion.see_through(self._end())

    async def note(self, action: str, *, actor: str = "windlass", window_id: str | None = None, **fields: Any) -> str:
        """Append one entry and return its id. On the disk when this returns; raises Unavailable where it can't be written."""
        return await self._append(self._new_id(), action, actor, window_id, fields)

    async def note_often(self, action: str, *, source: Source, actor: str = "windlass", code: str = "", **fields: Any) -> str:
        """Like `note`, for what may come any number of times: beyond its room it is counted. The id is that of the entry that has it."""
        kind = Kind(action=action, code=code, actor=actor)
        if self._rooms.take(kind, source, self._uptime()):
            return await self.note(action, actor=actor, **({"code": code} if code else {}), **fields)
        now = self._clock()
        if self._count is None:
            self._count = Count(audit_id=self._new_id(), first_at=now, last_at=now, kinds={})
        self._count.add(kind, now)
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._write_counts())
        return self._count.audit_id

    async def since(self, after: datetime | int | None, limit: int) -> Newest:
        """The newest entries, at most `limit`: those behind the last one that is not later than an instant, or behind the one of that `seq`.

        Each entry is later than the one before it, but where the wall clock was set back by more than 5 s; a `seq` holds even there.
        """
        return await asyncio.to_thread(self._since, after, limit)

    def _since(self, after: datetime | int | None, limit: int) -> Newest:
        found: list[Mapping[str, Any]] = []
        try:
            with contextlib.closing(backwards.lines(self.path)) as lines:
                for line in lines:
                    entry = _entry(line)
                    if entry is None:
                        continue  # damage is what `audit verify` is for
                    if after is not None and not (entry["seq"] > after if isinstance(after, int) else instants.parse(entry["at"]) > after):
                        break
                    if len(found) == limit:
                        return Newest(entries=tuple(reversed(found)), more=True)
                    found.append(entry)
        except OSError as failure:
            raise Unavailable(f"{self.path}: {failure.strerror}" if failure.strerror else str(failure)) from failure
        return Newest(entries=tuple(reversed(found)), more=False)

    async def _append(self, audit_id: str, action: str, actor: str, window_id: str | None, fields: Mapping[str, Any]) -> str:
        told = texts.writable({"audit_id": audit_id, "action": action, "actor": actor, "window_id": window_id, **fields})
        async with self._one_at_a_time:
            await asyncio.to_thread(self._written, told)
        return audit_id

    def _written(self, told: Mapping[str, Any]) -> None:
        with self._in_one_thread:
            if self._log is None:
                raise RuntimeError("an audit is written inside its `async with`")
            try:
                self._log.append_after(lambda last: {"at": instants.stamp(_later(self._clock(), last)), **told})
            except OSError as failure:
                raise Unavailable(f"{self.path}: {failure.strerror}" if failure.strerror else str(failure)) from failure

    async def _write_counts(self) -> None:
        """Write what was counted, once an interval, until an interval passes in which nothing was."""
        while (self._count or self._unwritten) and not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._count_every_s):
                    await self._ending.wait()
            with contextlib.suppress(Unavailable):  # a full disk: it is counted on, and tried again
                await completion.see_through(self._write_count())  # half done, it would be written twice

    async def _write_count(self) -> None:
        """Write one count, the one that could not be written before where there is one: a flood goes on meanwhile."""
        if self._unwritten is None:
            self._unwritten, self._count = self._count, None
        if self._unwritten is not None:
            await self._append(self._unwritten.audit_id, "repeated", "windlass", None, self._unwritten.fields())
            self._unwritten = None

    async def _end(self) -> None:
        self._ending.set()
        if self._counting is not None:
            await asyncio.wait({self._counting})
        with contextlib.suppress(Unavailable):
            while self._count or self._unwritten:
                await self._write_count()
        await asyncio.to_thread(self._closed)

    def _closed(self) -> None:
        with self._in_one_thread:
            if self._log is not None:
                self._log.close()
                self._log = None

    def _new_id(self) -> str:
        return f"aud_{instants.compact_ms(self._clock())}_{secrets.token_hex(6)}"


def checked(path: Path) -> chain.Scan:
    """The whole audit as its chain has it; raises Unavailable where it can't be read."""
    try:
        return chain.scan(path.read_bytes())
    except OSError as failure:
        raise Unavailable(f"{path}: {failure.strerror}") from failure


def _later(at: datetime, last: Mapping[str, Any] | None) -> datetime:
    """The instant of an entry that follows `last`: `at`, or as little as it takes to be later than that one."""
    try:
        before = instants.parse(last["at"]) if last else None
    except (KeyError, TypeError, ValueError):
        return at
    return before + _TICK if before is not None and before <= at + _SLIP and at < before + _TICK else at


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
        instants.parse(entry["at"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("seq"), int) else None
