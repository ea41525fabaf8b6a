"""Bringing the services of a window up: start them at once, wait until all are ready, tell their keepers the deadline."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from windlass.errors import NotOpened, Unavailable
from windlass.infra import instants
from windlass.windows import locks, orders, process, readiness, rules, uptime, view
from windlass.windows.audit import Audit
from windlass.windows.kept import Kept
from windlass.windows.orders import Deadline
from windlass.windows.process import Stopped
from windlass.windows.rules import Service
from windlass.windows.view import View

_NOBODY_CLOSES_S = 0.1
"""No longer than this for the closing lock: its holder waits for this opening to let go."""


class NotUp(Exception):  # never leaves the package: becomes `NotOpened` when everything is stopped
    """One service stops the opening; lives until its window is closed again."""

    def __init__(self, service: Service, why: Literal["failed", "ended", "silent", "taken"], detail: str = "") -> None:
        self.service = service
        self.why = why
        self.detail = detail
        super().__init__(f"{service.name}: {why}")


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A window that is being opened; lives from the request to the answer. `requested` is on the clock of `uptime.now`."""

    window_id: str
    services: tuple[Service, ...]
    ttl_sec: int
    state_dir: Path
    requested: float
    created_at: datetime
    audit: Audit

    @property
    def start_timeout_s(self) -> float:
        """The longest that any of the services may take."""
        return max(service.start_timeout_s for service in self.services)

    def bound(self, ttl_sec: int) -> Deadline:
        """The latest end of a window with this TTL."""
        return self.at(rules.outer_bound(requested=self.requested, start_timeout_s=self.start_timeout_s, ttl_sec=ttl_sec))

    def at(self, moment: float) -> Deadline:
        """A moment of the uptime clock, with its text."""
        return Deadline(uptime=moment, text=instants.stamp(self.created_at + timedelta(seconds=moment - self.requested)))

    def view(self) -> View:
        """What `window.json` says of it until it is open."""
        return View(
            window_id=self.window_id,
            state="opening",
            created_at=self.created_at,
            deadline=instants.parse(self.bound(self.ttl_sec).text),
            ttl_sec=self.ttl_sec,
            grace_s=max(service.stop_grace_s for service in self.services),
            services=tuple(service.name for service in self.services),
        )


async def refuse_taken(opening: Opening) -> None:
    """Raise NotUp for a service whose place is taken: a stranger's answer would be mistaken for readiness."""
    own = [service for service in opening.services if service.listen_fd is None]
    for service, taken in zip(own, await asyncio.gather(*(readiness.is_taken(service.ready_url) for service in own)), strict=True):
        if taken:
            raise NotUp(service, "taken")


async def start_all(opening: Opening, lock_fd: int) -> tuple[Kept, ...]:
    """Start a keeper per service, all at once; returns or raises only when none is on its way any more."""
    orders_ = [_order(opening, service, lock_fd) for service in opening.services]
    answers = await asyncio.gather(*(asyncio.to_thread(process.start, order) for order in orders_), return_exceptions=True)
    running: list[Kept] = []
    for service, answer in zip(opening.services, answers, strict=True):
        if isinstance(answer, Unavailable):
            raise NotUp(service, "failed", str(answer))
        if isinstance(answer, BaseException):
            raise answer
        if answer.ended == "start_failed":
            raise NotUp(service, "failed", answer.error)
        running.append(answer)
        await opening.audit.note(
            "service.started", service=service.name, argv=[Path(service.argv[0]).name, *service.argv[1:]], pid=answer.process and answer.process.pid
        )
    return tuple(running)


def _order(opening: Opening, service: Service, lock_fd: int) -> orders.Order:
    return orders.Order(
        window_id=opening.window_id,
        service=replace(service, directory=service.directory.absolute(), log_file=service.log_file.absolute()),
        state_dir=opening.state_dir,
        deadline=opening.bound(opening.ttl_sec),
        latest=opening.bound(rules.MAX_TTL_SEC),
        lock_fd=lock_fd,
    )


async def await_ready(opening: Opening, running: Sequence[Kept]) -> None:
    """Return when every service answers 200; raises NotUp at once for the first that ends or has had its time."""
    waiting = [asyncio.create_task(_ready(opening, service, one)) for service, one in zip(opening.services, running, strict=True)]
    try:
        await asyncio.gather(*waiting)
    finally:
        await _drop(waiting)


async def _ready(opening: Opening, service: Service, running: Kept) -> None:
    left = opening.requested + service.start_timeout_s - uptime.now()
    answer = asyncio.create_task(readiness.wait_for_200(service.ready_url, max(0.0, left)))
    end = asyncio.create_task(process.ended(running))
    try:
        await asyncio.wait({answer, end}, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            raise NotUp(service, "ended")
        if trouble := answer.result():
            raise NotUp(service, "silent", trouble)
    finally:
        await _drop([answer, end])
    await opening.audit.note("service.ready", service=service.name, elapsed_ms=round((uptime.now() - opening.requested) * 1000))


async def _drop(tasks: Sequence[asyncio.Task[None] | asyncio.Task[str]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def settle(opening: Opening, running: Sequence[Kept]) -> View:
    """Count the TTL from now, tell every keeper, and write that the window is open; raises NotUp when a service is ending already."""
    moment = rules.deadline(requested=opening.requested, start_timeout_s=opening.start_timeout_s, ttl_sec=opening.ttl_sec, ready=uptime.now())
    deadline = opening.at(moment)
    told = await asyncio.gather(*(process.set_deadline(opening.state_dir, one, deadline) for one in running))
    for service, heard in zip(opening.services, told, strict=True):
        if not heard:
            raise NotUp(service, "ended")
    written = replace(opening.view(), state="open", deadline=instants.parse(deadline.text))
    await _write_open(opening, written)
    await opening.audit.note("window.open", deadline=deadline.text, services=list(written.services))
    return written


async def _write_open(opening: Opening, written: View) -> None:
    """Write it, unless somebody is closing the window or has closed it meanwhile: their word is the later one."""
    try:
        async with locks.closing(opening.state_dir, _NOBODY_CLOSES_S):
            standing = await asyncio.to_thread(view.read, opening.state_dir)
            if standing.window_id != written.window_id or written.state not in rules.NEXT_STATES[standing.state]:
                raise NotUp(opening.services[0], "ended")
            await asyncio.to_thread(view.write, opening.state_dir, written)
    except Unavailable as exc:
        raise NotUp(opening.services[0], "ended") from exc


def explained(failure: NotUp, results: Sequence[Stopped]) -> NotOpened:
    """The error for the caller: which service, why, and the last it logged."""
    service = failure.service
    found = next((result for result in results if result.service == service.name), None)
    sentence = {
        "failed": f"could not be started: {failure.detail}",
        "ended": f"ended {_how(found)} before it was ready",
        "silent": f"was not ready within {service.start_timeout_s:g} s: {service.ready_url}: {failure.detail}",
        "taken": f"was not started: something else already listens at {service.ready_url}",
    }[failure.why]
    tail = f"\n{found.log_tail}" if found and found.log_tail else ""
    return NotOpened(f"{service.name} {sentence}{tail}", service.name, results)


def _how(found: Stopped | None) -> str:
    if found is None or found.rc is None:
        return f"({found.stderr})" if found and found.stderr else "without an exit code"
    return f"with exit code {found.rc}" if found.rc >= 0 else f"by signal {-found.rc}"


def close_descriptors(services: Sequence[Service]) -> None:
    """Close the listening sockets that the services were handed."""
    for descriptor in {service.listen_fd for service in services if service.listen_fd is not None}:
        os.close(descriptor)
