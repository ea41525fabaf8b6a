"""Observing and closing a window from the files in its directory alone, in whichever process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from windlass.infra import instants
from windlass.windows import locks, process, rules, uptime, view
from windlass.windows.audit import Audit, Listener
from windlass.windows.process import Observed, Stopped
from windlass.windows.rules import Reason, WindowState
from windlass.windows.view import Closed, View

CONFIRM_S = 5.0
"""How long an opener or keeper that still holds the window after its services were stopped is waited for."""
_LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Status:
    """A window as it is now, observed; `ttl_remaining_s` is 0 when nothing of it runs. Lives as long as its reader."""

    window_id: str
    state: WindowState
    created_at: datetime
    deadline: datetime
    ttl_remaining_s: float
    services: tuple[Observed, ...]


async def status_directory(state_dir: Path) -> Status:
    """The window in this directory as its services are now; raises Refused where no window was ever opened."""
    return await asyncio.to_thread(_status, absolute(state_dir))


def absolute(state_dir: Path) -> Path:
    """The directory's name for processes that work elsewhere; nothing is looked up."""
    return state_dir.absolute()


def _status(state_dir: Path) -> Status:
    written = view.read(state_dir)
    seen = tuple(_of_window(process.observe(name, state_dir), written.window_id) for name in written.services)
    state = rules.window_state([one.state for one in seen])
    if state == "core" and locks.is_held(state_dir):
        state = "opening" if written.state == "opening" else "closing"  # nothing runs yet, or the last keeper is about to go
    deadlines = [one.kept.deadline_uptime for one in seen if one.kept is not None and one.state != "closed"]
    remaining = max(0.0, max(deadlines) - uptime.now()) if deadlines else 0.0
    return Status(
        window_id=written.window_id,
        state=state,
        created_at=written.created_at,
        deadline=written.deadline,
        ttl_remaining_s=round(remaining, 3),
        services=seen,
    )


def _of_window(seen: Observed, window_id: str) -> Observed:
    """An ended service of an earlier window in the same directory says nothing about this one."""
    if seen.state == "closed" and seen.kept is not None and seen.kept.window_id != window_id:
        return Observed(service=seen.service, state="closed", trouble="it was never started")
    return seen


async def close_directory(
    state_dir: Path,
    reason: Reason = "manual",
    *,
    clock: instants.Clock = instants.now,
    on_event: Listener | None = None,
    window_id: str | None = None,
) -> Closed:
    """Close the window in this directory and say how it was found; a window that is closed stays as it was closed.

    Safe when several processes close at once: one does, the others wait and get its answer. With `window_id`, a later window in the
    same directory is left alone. Raises Refused where no window was ever opened, Unavailable when another closer does not come to an end,
    and OSError, after the services were stopped, where that can't be written.
    """
    place = absolute(state_dir)
    first = await asyncio.to_thread(view.read, place)
    async with locks.closing(place, first.grace_s + 4 * CONFIRM_S):
        written = await asyncio.to_thread(view.read, place)
        if window_id is not None and written.window_id != window_id:  # the next one could only open once this one was gone
            return Closed(window_id=window_id, closed_at=clock(), state="closed", reason="manual", results=())
        if written.closed is not None and written.closed.state == "closed" and not locks.is_held(place):
            return written.closed
        async with Audit(place, written.window_id, clock, on_event) as audit:
            return await _close(place, written, reason, clock, audit)


async def _close(state_dir: Path, written: View, reason: Reason, clock: instants.Clock, audit: Audit) -> Closed:
    before = await asyncio.to_thread(_status, state_dir)
    if _expired(before.services):
        reason = "ttl_expired"  # the keepers were first: that is why it closed
    try:
        await audit.note("window.closing", reason=reason, state=before.state)
        await asyncio.to_thread(view.write, state_dir, replace(written, state="closing"))
    finally:  # a full disk must not keep a service alive
        results, free = await _stop_all(state_dir, written)
    for result in results:
        await audit.note("service.stopped", **_entry(result))
    sound = free and all(result.state == "closed" for result in results)
    closed = Closed(
        window_id=written.window_id,
        closed_at=instants.parse(instants.stamp(clock())),
        state="closed" if sound else "stuck",
        reason=reason,
        results=results,
    )
    await asyncio.to_thread(view.write, state_dir, replace(written, state="core" if sound else "stuck", closed=closed))
    await audit.note(f"window.{closed.state}", reason=reason)
    return closed


def _expired(services: Sequence[Observed]) -> bool:
    """Whether the keepers at their deadline left nothing to close."""
    over = all(one.state in {"closing", "closed", "stuck"} for one in services)
    return over and any(one.kept is not None and one.kept.ended == "ttl_expired" for one in services)


async def _stop_all(state_dir: Path, written: View) -> tuple[tuple[Stopped, ...], bool]:
    """Stop until nobody holds the window: an opener at work may start a keeper after the first look. The flag says that it is free."""
    found: dict[str, Stopped] = {}
    limit = uptime.now() + CONFIRM_S + written.grace_s
    while True:
        for result in await process.stop(written.services, state_dir):
            if result.was_running or result.service not in found:
                found[result.service] = result
        free = not await asyncio.to_thread(locks.is_held, state_dir)
        if free or uptime.now() >= limit or any(result.state == "stuck" for result in found.values()):
            return tuple(_result_of_window(found[name], state_dir, written.window_id) for name in written.services), free
        await asyncio.sleep(_LOOK_AGAIN_S)


def _result_of_window(result: Stopped, state_dir: Path, window_id: str) -> Stopped:
    """A service that this window never started has no exit code, whatever an earlier window left in the file."""
    seen = _of_window(process.observe(result.service, state_dir), window_id)
    return replace(result, rc=None, ended=None, stdout="", stderr=seen.trouble) if seen.kept is None and result.state == "closed" else result


def _entry(result: Stopped) -> dict[str, Any]:
    return {
        "service": result.service,
        "rc": result.rc,
        "elapsed_ms": result.elapsed_ms,
        "state": result.state,
        "ended": result.ended,
        "stdout": result.stdout,
        "stderr": result.stderr,
    }
