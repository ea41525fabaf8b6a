"""Opening a window of local processes, and closing it whatever happens.

async with window.opened(services, 300, state_dir) as opened:
    ...                                   # closes by opened.deadline, even if this process dies here
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from windlass.errors import GivenUp, NotOpened, Refused, Unavailable, UnusableRecord
from windlass.infra import instants
from windlass.infra.completion import see_through
from windlass.windows import directory, locks, opening, rules, uptime, view
from windlass.windows.audit import Audit, Listener
from windlass.windows.directory import Status, close_directory, status_directory
from windlass.windows.opening import NotUp, Opening
from windlass.windows.rules import Reason, Service
from windlass.windows.view import Closed, View

__all__ = ["Closed", "NotOpened", "Status", "Window", "close_directory", "open_window", "opened", "status_directory"]


class Window:
    """One open window, as its opener holds it. The window may end before this value does, and the other way round."""

    def __init__(self, written: View, state_dir: Path, clock: instants.Clock, on_event: Listener | None) -> None:
        self.window_id = written.window_id
        self.created_at = written.created_at
        self.deadline = written.deadline
        self.services = written.services
        self.state_dir = state_dir
        self._clock = clock
        self._on_event = on_event

    async def close(self, reason: Reason = "manual") -> Closed:
        """Close and say how it was found. A second call answers the same; one after `stuck` tries again."""
        return await close_directory(self.state_dir, reason, clock=self._clock, on_event=self._on_event, window_id=self.window_id)

    async def observe(self) -> Status:
        """The window as it is now."""
        return await status_directory(self.state_dir)


@contextlib.asynccontextmanager
async def opened(
    services: Iterable[Service],
    ttl_sec: int,
    state_dir: Path,
    *,
    keep_open: bool = False,
    clock: instants.Clock = instants.now,
    on_event: Listener | None = None,
) -> AsyncIterator[Window]:
    """A window that is open inside the `async with` and closed after it, unless `keep_open` leaves it to its deadline.

    Raises what `open_window` raises, and GivenUp when the window can't be closed. A cancellation does not cut the closing short; if a
    second Ctrl-C ends the whole loop, the keepers, which have been asked by then, go on.
    """
    window = await open_window(services, ttl_sec, state_dir, clock=clock, on_event=on_event)
    try:
        yield window
    except BaseException:
        if not keep_open:
            await see_through(window.close("shutdown"))
        raise
    if not keep_open and (closed := await see_through(window.close())).state == "stuck":
        stuck = ", ".join(result.service for result in closed.results if result.state == "stuck")
        raise GivenUp(f"the window {window.window_id} is stuck: the end of {stuck or 'a keeper'} could not be confirmed")


async def open_window(
    services: Iterable[Service],
    ttl_sec: int,
    state_dir: Path,
    *,
    clock: instants.Clock = instants.now,
    on_event: Listener | None = None,
) -> Window:
    """Start all services at once, wait until all are ready, and let them run `ttl_sec` seconds from there.

    Raises Refused when the request does not fit or a window is open in `state_dir`, NotOpened (an Unavailable) when a service does not
    come up. Nothing that was started outlives a failure or a cancellation, and nothing outlives request + start timeout + TTL, even if
    this process is killed at any point. A window that a dead opener left in `state_dir` is closed first. The services' listening sockets
    are this function's: they are closed here, come what may.
    """
    requested, created_at = uptime.now(), instants.parse(instants.stamp(clock()))  # as precise as it is written
    wanted = tuple(services)
    place = directory.absolute(state_dir)
    window_id = f"win_{instants.compact(created_at)}_{secrets.token_hex(5)}"
    with contextlib.ExitStack() as sockets:
        sockets.callback(opening.close_descriptors, wanted)  # only the services hold them then: one that is gone refuses connections
        await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
        async with Audit(place, window_id, clock, on_event) as audit:
            await audit.note("window.requested", services=[service.name for service in wanted], ttl_sec=_shown(ttl_sec))
            try:
                asked = Opening(
                    window_id=window_id,
                    services=rules.checked_services(wanted),
                    ttl_sec=rules.checked_ttl(ttl_sec),
                    state_dir=place,
                    requested=requested,
                    created_at=created_at,
                    audit=audit,
                )
                await _recover(asked, clock, on_event)
                lock = await _claim(asked)
            except (Refused, Unavailable) as refusal:
                await audit.note("window.refused", reason=str(refusal))
                raise
            written = await _bring_up(asked, lock, clock, on_event)
    return Window(written, place, clock, on_event)


def _shown(ttl_sec: object) -> str | int:
    return ttl_sec if isinstance(ttl_sec, int) and abs(ttl_sec) <= rules.MAX_TTL_SEC else type(ttl_sec).__name__


async def _recover(asked: Opening, clock: instants.Clock, on_event: Listener | None) -> None:
    """Close a window that nobody holds and nobody closed: its opener died. What it may have left behind must not be forgotten."""
    try:
        last = await asyncio.to_thread(view.read, asked.state_dir)
    except UnusableRecord:
        raise
    except Refused:
        return  # there was none
    if (last.closed is None or last.closed.state == "stuck") and not locks.is_held(asked.state_dir):
        closed = await close_directory(asked.state_dir, "recovered", clock=clock, on_event=on_event, window_id=last.window_id)
        if closed.state == "stuck":
            raise Unavailable(f"the last window in {asked.state_dir}, {last.window_id}, is stuck; see `results` in its {view.FILE_NAME}")


async def _claim(asked: Opening) -> int:
    """Be the one window of the directory, and say so in its view; raises Refused while another is."""
    lock = await locks.claim(asked.state_dir)
    if lock is None:
        raise Refused(f"a window is open in {asked.state_dir}; close it first")
    try:
        await asyncio.to_thread(view.write, asked.state_dir, asked.view())
    except BaseException:
        os.close(lock)
        raise
    return lock


async def _bring_up(asked: Opening, lock: int, clock: instants.Clock, on_event: Listener | None) -> View:
    """From the claim to the open window, or back to nothing."""
    with contextlib.ExitStack() as held:
        held.callback(os.close, lock)  # afterwards the lock is the keepers' alone, and its release says that they are gone
        try:
            await opening.refuse_taken(asked)
            running = await see_through(opening.start_all(asked, lock))
            await opening.await_ready(asked, running)
            return await opening.settle(asked, running)
        except BaseException as failure:
            held.close()
            reason: Reason = "start_failed" if isinstance(failure, Exception) else "shutdown"
            closing = close_directory(asked.state_dir, reason, clock=clock, on_event=on_event, window_id=asked.window_id)
            closed = await see_through(closing)
            if isinstance(failure, NotUp):
                raise opening.explained(failure, closed.results) from None
            raise
