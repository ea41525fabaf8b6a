"""The dispatch audit: one chained entry per decision and one per execution, never what was in the inputs.

An entry is in the file before its answer leaves; it is on the disk at most 100 ms later. A call of `execute` writes the entry
of its dispatch before the agent hears of it, and the entry of its execution when that has ended: a crash in between shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import structlog

from windlass import model
from windlass.errors import Unavailable, UnusableRecord
from windlass.infra import instants
from windlass.infra.chain import ChainedLog

NAME = "orchestrator_audit.jsonl"
GROUP_S = 0.05
"""Entries of this long are made durable together."""

Action = Literal["dispatch", "execute"]
_CLIP = 200
_ASKED = ("task_type", "request_id", "mode", "risk_tier")

log = structlog.get_logger()


def entry(action: Action, *, at: str, asked: Mapping[str, Any], agent_name: str | None, correlation_id: str, outcome: str) -> dict[str, str | None]:
    """The fields of one entry. `asked` may be whatever a caller sent: only four names are taken of it, only strings, clipped."""
    told = {name: value if isinstance(value := asked.get(name), str) else None for name in _ASKED}
    return {
        "at": at,
        "action": action,
        "task_type": _clipped(told["task_type"]),
        "agent_name": agent_name,
        "request_id": _clipped(told["request_id"]),
        "correlation_id": correlation_id,
        "mode": _clipped(told["mode"]),
        "risk_tier": _clipped(told["risk_tier"]),
        "outcome": outcome,
    }


class Audit:
    """The open audit of one orchestrator. Lives from the start of the service to its end; written by the event loop only."""

    def __init__(self, log_file: ChainedLog, *, clock: instants.Clock = instants.now) -> None:
        self._file = log_file
        self._clock = clock
        self._unsynced = asyncio.Event()
        self._closing = False
        self._failure: Exception | None = None

    def write(self, action: Action, *, asked: Mapping[str, Any], agent_name: str | None, correlation_id: str, outcome: str) -> None:
        """Append one entry at once; raises Unavailable when that is not possible: what can't be audited is not done."""
        if self._failure is not None:
            raise Unavailable("the audit can't be made durable; nothing is dispatched") from self._failure
        at = instants.stamp(self._clock())
        fields = entry(action, at=at, asked=asked, agent_name=agent_name, correlation_id=correlation_id, outcome=outcome)
        try:
            self._file.append(fields, sync=False)
        except OSError as failure:
            raise Unavailable("the audit can't be written; nothing is dispatched") from failure
        self._unsynced.set()

    @property
    def sound(self) -> bool:
        """Whether every entry so far could be made durable."""
        return self._failure is None

    async def keep_durable(self) -> None:
        """Make entries durable in groups until the audit closes; when that fails, it raises and nothing more is written."""
        try:
            while not self._closing:
                await self._unsynced.wait()
                self._unsynced.clear()
                await asyncio.to_thread(self._file.sync)
                await asyncio.sleep(GROUP_S)
        except Exception as failure:
            # The kernel may drop what it could not write and succeed the next time: a later fsync proves nothing.
            self._failure = failure
            raise

    def close(self) -> None:
        """Let `keep_durable` end after what is left."""
        self._closing = True
        self._unsynced.set()


@asynccontextmanager
async def opened(path: Path, *, on_death: Callable[[], None], open_log: Callable[[Path], ChainedLog] = ChainedLog) -> AsyncIterator[Audit]:
    """The audit at `path`, whose directory is made when missing; `on_death` is called when entries can't be made durable any more.

    Raises UnusableRecord when the chain that is already there is damaged or can't be opened.
    """
    file = await asyncio.to_thread(_open, path, open_log)
    audit = Audit(file)
    task = asyncio.create_task(audit.keep_durable(), name="audit-durable")

    def ended(_: object) -> None:
        if not audit.sound:
            log.critical("the audit can't be made durable; the service stops", action="audit", path=str(path))
            on_death()

    task.add_done_callback(ended)
    try:
        yield audit
    finally:
        audit.close()
        try:
            await task
        finally:
            await asyncio.to_thread(file.close)


def _open(path: Path, open_log: Callable[[Path], ChainedLog]) -> ChainedLog:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_log(path)
    except OSError as failure:
        raise UnusableRecord(f"the audit can't be opened: {failure}") from failure
    try:
        file.append_all([])  # reads the head that is there: a damaged chain is found now, not at the first dispatch
    except OSError as failure:
        file.close()
        raise UnusableRecord(f"the audit can't be continued: {failure}") from failure
    return file


def _clipped(text: str | None) -> str | None:
    return None if text is None else model.clip(text, _CLIP)
