"""The one loop that acts: it begins what the ledger asks for, watches what is open, and owns every stop.

Whoever holds the loop's lock acts, and nobody else: a service, a command, or the watcher that a command leaves behind. The lock is the
kernel's and goes with its holder. Recovery is this loop run by the next holder: all that it knows is in the ledger and in the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from windlass.errors import Unavailable, WindlassError
from windlass.windows import backend as backends
from windlass.windows.backend import Backend, Lease, Observation
from windlass.windows.power import opening, rulings, stopping
from windlass.windows.power.ledger import Application, Ledger
from windlass.windows.power.log import Log
from windlass.windows.power.moment import Time
from windlass.windows.power.opening import Opening
from windlass.windows.power.policy import Policy
from windlass.windows.power.rulings import Window
from windlass.windows.power.watch import Watch

LOCK_NAME = "loop.lock"
Role = Literal["service", "command", "watcher"]
_MOST_CLOSED = 1000
TICK_S = 0.1
"""How often the loop looks at the ledger; a deadline is seen that late at most."""


class Reconciler:
    """The loop over one project's windows. Lives as long as its owner; several may live, one holds the lock."""

    def __init__(self, policy: Policy, backend: Backend, ledger: Ledger, log: Log, watch: Watch, time: Time, role: Role = "command") -> None:
        self._policy = policy
        self._backend = backend
        self._ledger = ledger
        self._log = log
        self._watch = watch
        self._time = time
        self._role = role
        self._me = secrets.token_hex(8)
        self._lock: int | None = None
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._openings: set[str] = set()
        self._begins = True
        self._per_service: dict[str, asyncio.Lock] = {}
        self._wake = asyncio.Event()
        self._next_health_s = 0.0
        self._bugs: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether this one acts."""
        return self._lock is not None

    def take(self) -> bool:
        """Take the loop's lock if nobody has it; says whether this one holds it now."""
        if self._lock is None:
            self._lock = _locked(self._ledger.path.parent / LOCK_NAME, f"{self._role}, pid {os.getpid()}")
        return self.holds

    def wake(self) -> None:
        """Look at the ledger now; something was written."""
        self._wake.set()

    async def run(self, enough: Callable[[], Awaitable[bool]] | None = None) -> None:
        """Act whenever the lock can be had, until `enough` says so after a pass, or for ever. Nothing is left acting when this ends."""
        try:
            while True:
                if self.take():
                    await self._pass()
                if enough is not None and await enough():
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):  # wait_for may lose a cancellation that comes with what it waits for
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await self.let_go()

    async def see_through(self) -> None:
        """Bring up nothing more, and wait for what is being brought up: whoever asked for that would find it cut short."""
        self._begins = False
        while under_way := [self._busy[key] for key in self._openings & self._busy.keys()]:
            await asyncio.wait(under_way)
            self._forget_done()

    async def let_go(self) -> None:
        """Stop acting, whatever is under way: the next holder goes on from the ledger."""
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        self._busy.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def once(self) -> None:
        """One pass, and everything that it began, to its end. For tests and for those who wait."""
        await self._pass()
        while self._busy:
            await asyncio.wait(self._busy.values())
            self._forget_done()

    async def _pass(self) -> None:
        """Look at every window and begin what it needs; trouble with the ledger or the engine is told, and the next pass comes."""
        self._forget_done()
        try:
            while self._bugs:
                await self._log.note("bug", trouble=self._bugs.pop())
            live = await self._applications()
            for window in live:
                await self._one(window)
            await self._look_after(live)
        except WindlassError as failure:
            with contextlib.suppress(WindlassError):
                await self._log.note_often("loop_trouble", source="loop", trouble=str(failure))

    def _forget_done(self) -> None:
        for key, task in list(self._busy.items()):
            if task.done():
                del self._busy[key]
                self._openings.discard(key)
                if not task.cancelled() and (bug := task.exception()) is not None:
                    self._bugs.append(f"{key}: {type(bug).__name__}: {bug}")

    def _begin(self, key: str, work: Awaitable[None]) -> None:
        async def worked() -> None:
            await work

        self._busy[key] = task = asyncio.create_task(worked())
        task.add_done_callback(lambda _: self._wake.set())

    async def _one(self, window: Window) -> None:
        if window.window_id in self._busy:
            return
        now = self._time.now()
        match rulings.act(window, now, self._me):
            case "begin" if self._begins:
                self._openings.add(window.window_id)
                self._begin(window.window_id, self._open(window))
            case "give_up":
                await self._ledger.change(
                    window.window_id, lambda w: replace(w, state="closed", closed_ms=now.epoch_ms, close_asked=rulings.close_reason(w, now))
                )
                await self._log.note("window_closed", window_id=window.window_id, reason=rulings.close_reason(window, now), services=[])
            case "close":
                self._begin(window.window_id, self._close(window))
            case "stop":
                self._begin(window.window_id, self._stop(window))
            case "lease":
                self._begin(window.window_id, self._renew(window))
            case _:
                pass

    async def _open(self, window: Window) -> None:
        """Bring a window up; whatever goes wrong, it is closed."""
        begun = await self._ledger.change(window.window_id, lambda w: replace(w, state="opening", begun_by=self._me))
        if begun.close_asked:
            return
        try:
            async with self._services(begun.services):
                await Opening(self._policy, self._backend, self._ledger, self._log, self._watch, self._time).bring_up(begun)
        except asyncio.CancelledError:
            raise
        except opening.ToldToEnd:
            pass
        except WindlassError as failure:
            await self._failed(begun, str(failure))
        except Exception as bug:
            await self._failed(begun, f"a bug in Windlass: {type(bug).__name__}: {bug}")
            raise

    async def _failed(self, window: Window, trouble: str) -> None:
        await self._log.note("open_failed", window_id=window.window_id, trouble=trouble)
        await self._ledger.change(window.window_id, lambda w: replace(w, trouble=trouble, close_asked=w.close_asked or "start_failed"))

    async def _close(self, window: Window) -> None:
        """Write that the window is being closed, and make the first round of stopping; a ledger that can't be written keeps nothing open."""
        now = self._time.now()
        closing = replace(window, state="closing", close_asked=rulings.close_reason(window, now))
        with contextlib.suppress(Unavailable):
            closing = await self._ledger.change(window.window_id, lambda w: replace(w, state="closing", close_asked=rulings.close_reason(w, now)))
            await self._log.note("closing", actor=closing.close_actor or "windlass", window_id=window.window_id, reason=closing.close_asked)
        await self._stop(closing)

    async def _stop(self, window: Window) -> None:
        """One round: stop, look, and give the window up only when nothing of it was seen."""
        async with self._services(window.services):
            try:
                done = await stopping.round_of(window, self._policy, self._backend, self._watch, self._time)
            except WindlassError as failure:
                done = stopping.Round(trouble=str(failure))
            except Exception as bug:  # noqa: BLE001  # a bug must not keep anything open: it is told, and the next round comes
                done = stopping.Round(trouble=f"a bug in Windlass: {type(bug).__name__}: {bug}")
        now, attempts = self._time.now(), window.attempts + 1
        try:
            if done.is_closed:
                await self._log.note("window_closed", window_id=window.window_id, reason=window.close_asked, **done.facts())
                await self._ledger.change(window.window_id, lambda w: done.closed(w, now))
                return
            if attempts == 1 or window.trouble != done.trouble:
                await self._log.note("stuck", window_id=window.window_id, attempts=attempts, **done.facts())
            await self._ledger.change(window.window_id, lambda w: done.stuck(w, now, attempts))
        except Unavailable:
            await self._time.pause(rulings.retry_after_s(attempts))  # nothing can be written: the next pass stops and looks once more

    async def _renew(self, window: Window) -> None:
        """Bring the engine's lease to the deadline that the ledger has; a window whose lease can't be brought there ends by the earlier one."""
        try:
            await self._backend.put_lease(replace(window.lease, project=self._policy.project))
        except Unavailable:
            return  # the next pass tries again; the earlier lease stands
        except WindlassError as failure:
            await self._failed(window, str(failure))
            return
        await self._ledger.change(window.window_id, lambda w: replace(w, leased_ms=window.deadline_ms))

    async def _applications(self) -> tuple[Window, ...]:
        """The live windows. Whoever demanded that the core be alone gets each of them closed, nothing begun, and then every service stopped."""
        applications, live = await self._ledger.open_applications(), await self._ledger.live()
        for asked in applications:
            live = tuple([await self._ledger.change(window.window_id, _left_alone(asked)) for window in live])
            key = f"application {asked.number}"
            if key not in self._busy and not any(window.begun_by for window in live):
                self._begin(key, self._apply(asked))
        return live

    async def _apply(self, asked: Application) -> None:
        try:
            async with self._services(self._policy.services):
                result = await stopping.all_of(self._policy, self._backend, self._watch)
        except WindlassError as failure:
            result = {"services_stopped": [], "still_running": [], "trouble": str(failure)}
        closed = [window for window in await self._ledger.newest(_MOST_CLOSED) if (window.closed_ms or 0) >= asked.asked_ms]
        result["services_stopped"] = sorted({*result["services_stopped"], *(name for window in closed for name in window.stopped)})
        result["windows_closed"] = [window.window_id for window in closed]
        await self._log.note("policy_applied", actor=asked.actor, **result)
        await self._ledger.applied(asked.number, result)

    async def _look_after(self, live: Sequence[Window]) -> None:
        """Every so often: are the services of open windows well, and is there a lease that is due and that no window of the ledger has?"""
        now = self._time.now()
        if now.uptime_s < self._next_health_s or "health" in self._busy:
            return
        self._next_health_s = now.uptime_s + self._policy.health_interval_sec
        self._begin("health", self._health(live))

    async def _health(self, live: Sequence[Window]) -> None:
        try:
            seen = await self._watch.look()
            for window in live:
                if window.state in {"open", "degraded"}:
                    await self._judge(window, seen)
            known = {window.window_id for window in await self._ledger.live()}
            for lease in seen.leases:
                if lease.project == self._policy.project and lease.window_id not in known and lease.is_due(self._time.now()):
                    await self._orphan(lease)
        except WindlassError as failure:
            await self._log.note_often("health_unknown", source="loop", trouble=str(failure))

    async def _judge(self, window: Window, seen: Observation) -> None:
        ill = [name for name in window.services if not rulings.is_well(seen.services.get(name))]
        state: rulings.State = "degraded" if ill else "open"
        if state != window.state:
            tails = {name: await self._backend.log_tail(name, backends.OUTPUT_CHARACTERS) for name in ill}
            await self._log.note("health", window_id=window.window_id, state=state, ill=ill, log_tails=tails)
            await self._ledger.change(window.window_id, lambda w: replace(w, state=state) if w.state in {"open", "degraded"} else w)

    async def _orphan(self, lease: Lease) -> None:
        """A window that this ledger never had, or lost: its lease says what to stop, but for what another window holds by now."""
        async with self._services(lease.services):
            services = backends.to_stop(lease, (await self._watch.fresh()).leases, self._time.now())
            left = await stopping.stopped(self._backend, self._watch, services, lease.grace_s)
        if not left:
            await self._backend.drop_lease(lease.window_id)
        await self._log.note("lease_without_window", window_id=lease.window_id, services=list(services), left=list(left))

    @contextlib.asynccontextmanager
    async def _services(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Nobody else of this loop starts or stops these meanwhile."""
        async with contextlib.AsyncExitStack() as held:
            for name in sorted(set(names)):
                await held.enter_async_context(self._per_service.setdefault(name, asyncio.Lock()))
            yield


def _left_alone(asked: Application) -> Callable[[Window], Window]:
    return lambda window: replace(window, close_asked=window.close_asked or "policy_applied", close_actor=window.close_actor or asked.actor)


def holder(directory: Path) -> str | None:
    """Who acts for the windows of that directory now, as `service, pid 4711`; None where nobody does."""
    path = directory / LOCK_NAME
    descriptor = _locked(path, "")
    if descriptor is not None:
        os.close(descriptor)
        return None
    return path.read_text("ascii", "replace")[:80]


def _locked(path: Path, who: str) -> int | None:
    """The lock's descriptor, None where somebody has it. `who` is written into it for people: the lock itself is the kernel's."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise Unavailable(f"{path}: {failure.strerror}") from failure
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if who:
        os.pwrite(descriptor, who.encode(), 0)
        os.ftruncate(descriptor, len(who))
    return descriptor
