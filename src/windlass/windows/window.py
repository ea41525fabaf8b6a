"""Opening a window of local processes, and closing it whatever happens.

    async with window.opened(services, 300, state_dir) as opened:
        ...                                   # closes by opened.deadline, even if this process dies here
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from windlass.errors import GivenUp, Refused, Unavailable
from windlass.infra import instants
from windlass.windows import directory, kept, locks, orders, process, readiness, rules, uptime, view
from windlass.windows.audit import Audit, Listener
from windlass.windows.directory import Status, close_directory, status_directory
from windlass.windows.kept import Kept
from windlass.windows.orders import Deadline
from windlass.windows.process import Stopped
from windlass.windows.rules import Service
from windlass.windows.view import Closed, View

__all__ = ["Closed", "NotOpened", "Status", "Window", "close_directory", "open_window", "opened", "status_directory"]

T = TypeVar("T")


class NotOpened(Unavailable):
    """A service of the window did not come up; all that did start was stopped, and `results` says how each service was found."""

    def __init__(self, message: str, service: str, results: Sequence[Stopped]) -> None:
        self.service = service
        self.results = tuple(results)
        super().__init__(message)


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

    async def close(self, reason: str = "manual") -> Closed:
        """Close and say how it was found. A second call answers the same; one after `stuck` tries again."""
        return await close_directory(self.state_dir, reason, clock=self._clock, on_event=self._on_event, window_id=self.window_id)

    async def observe(self) -> Status:
        """The window as it is now."""
        return await status_directory(self.state_dir)


@dataclass(frozen=True, kw_only=True)
class _Opening:
    """What an opening knows about itself; lives from the claim to the answer."""

    written: View
    services: tuple[Service, ...]
    state_dir: Path
    requested: float
    audit: Audit

    @property
    def start_timeout_s(self) -> float:
        return max(service.start_timeout_s for service in self.services)

    def at(self, moment: float) -> Deadline:
        """A moment of the uptime clock on both clocks."""
        return Deadline(uptime=moment, text=instants.stamp(self.instant(moment)))

    def instant(self, moment: float) -> datetime:
        return self.written.created_at + timedelta(seconds=moment - self.requested)


@dataclass
class _NotUp(Exception):
    """One service stops the opening; becomes `NotOpened` once everything is stopped."""

    service: str
    why: Literal["failed", "exited", "silent", "taken", "lost"]
    detail: str = ""


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

    Raises what `open_window` raises, and GivenUp when the window can't be closed. Not even a second Ctrl-C cuts the closing short.
    """
    window = await open_window(services, ttl_sec, state_dir, clock=clock, on_event=on_event)
    try:
        yield window
    except BaseException:
        if not keep_open:
            await _see_through(window.close("shutdown"))
        raise
    if not keep_open and (closed := await _see_through(window.close())).state == "stuck":
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
    this process is killed at any point. The services' listening sockets are this function's: they are closed here, come what may.
    """
    requested, created_at = uptime.now(), clock()
    wanted = tuple(services)
    window_id = f"win_{instants.compact(created_at)}_{secrets.token_hex(5)}"
    place = state_dir.absolute()
    with contextlib.ExitStack() as held:
        sockets = held.enter_context(contextlib.ExitStack())
        for descriptor in {service.listen_fd for service in wanted} - {None}:
            sockets.callback(os.close, descriptor)
        place.mkdir(parents=True, exist_ok=True)
        async with Audit(place, window_id, clock, on_event) as audit:
            lock = await _claim(wanted, ttl_sec, place, audit)
            held.callback(os.close, lock)
            bound = rules.outer_bound(requested=requested, start_timeout_s=max(one.start_timeout_s for one in wanted), ttl_sec=ttl_sec)
            opening = _Opening(
                written=View(
                    window_id=window_id,
                    state="opening",
                    created_at=created_at,
                    deadline=created_at + timedelta(seconds=bound - requested),
                    ttl_sec=ttl_sec,
                    grace_s=max(one.stop_grace_s for one in wanted),
                    services=tuple(one.name for one in wanted),
                ),
                services=wanted,
                state_dir=place,
                requested=requested,
                audit=audit,
            )
            try:
                running = await _start_all(opening, lock)
                sockets.close()  # from here on a service that is gone refuses connections
                written = await _open(opening, running)
            except BaseException as failure:
                held.close()  # the lock is the keepers' alone: its release says that they are gone
                closed = await _see_through(
                    close_directory(place, "start_failed" if isinstance(failure, Exception) else "shutdown", clock=clock, on_event=on_event)
                )
                if isinstance(failure, _NotUp):
                    raise _explained(failure, closed.results) from None
                raise
    return Window(written, place, clock, on_event)
