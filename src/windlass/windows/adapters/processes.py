"""The process backend as a `Backend`: local processes from a command table, each under a keeper that knows the deadline by itself.

What it promises stands at `windlass.windows.backend.Backend`. Leases are files; a keeper needs none of them to end its service in time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windlass.errors import Refused, Unavailable, UnusableRecord
from windlass.infra import files, instants
from windlass.windows import backend, kept, moments, orders, process, processes, readiness, rules
from windlass.windows.backend import (
    OUTPUT_CHARACTERS,
    Closure,
    Cost,
    Damaged,
    Facts,
    Fenced,
    Health,
    Lease,
    Observation,
    Observed,
    Outcome,
    Restore,
    ServiceState,
    restart_policy,
)
from windlass.windows.kept import Kept
from windlass.windows.rules import Service

SCHEMA_VERSION = 1
PROBE_S = 0.5
"""How long an observation waits for a service's own answer to whether it is ready."""
_LARGEST = 64 * 1024
_TAIL_BYTES = 64 * 1024
_STATES: Mapping[rules.ServiceState, ServiceState] = {
    "opening": "running",
    "open": "running",
    "closing": "removing",
    "closed": "exited",
    "stuck": "running",
    "orphaned": "running",
}


class Processes:
    """A table of commands in one state directory. Lives as long as its owner; all that must survive it is in the keepers and in files."""

    def __init__(self, project: str, services: Sequence[Service], state_dir: Path, *, clock: instants.Clock = instants.now) -> None:
        self._project = project
        self._services = {service.name: service for service in rules.checked_services(services)}
        self._state_dir = state_dir.absolute()
        self._leases_dir = self._state_dir / "leases"
        self._clock = clock
        if taking := [service.name for service in services if service.listen_fd is not None]:
            raise Refused(f"listen_fd: {', '.join(taking)} can't be opened twice: a socket is handed over once")

    async def preflight(self) -> None:
        """See the protocol."""
        try:
            await asyncio.to_thread(self._leases_dir.mkdir, parents=True, exist_ok=True)
        except OSError as failure:
            raise Unavailable(f"{failure.filename}: {failure.strerror}") from failure

    async def closure(self, services: Sequence[str], *, digest: str = "") -> Closure:  # noqa: ARG002  # the table is there; nothing is read
        """See the protocol. Local processes need nobody, and have no powers but those of their user."""
        known = tuple(sorted({name for name in services if name in self._services}))
        facts = {name: Facts(service=name, needs={}, has_healthcheck=True) for name in self._services}
        unknown = tuple(sorted({name for name in services if name not in self._services}))
        return Closure(requested=tuple(dict.fromkeys(services)), services=known, facts=facts, reached={}, unknown=unknown, digest=self._digest())

    async def observe(self) -> Observation:
        """See the protocol."""
        names = tuple(self._services)
        seen = await asyncio.gather(*(asyncio.to_thread(process.observe, name, self._state_dir) for name in names))
        health = await asyncio.gather(*(self._health(one) for one in seen))
        held, damaged = await asyncio.to_thread(self._read_leases)
        services = {name: _observed(one, well) for name, one, well in zip(names, seen, health, strict=True)}
        return Observation(services=services, leases=held, damaged=damaged)

    async def start(self, services: Sequence[str], lease: Lease, *, timeout_s: float, digest: str = "") -> tuple[Outcome, ...]:
        """See the protocol."""
        self._check(services, lease)
        if digest and digest != self._digest():
            raise Refused("the table of commands changed while the window was being opened; ask again")
        before = await self.observe()
        missing = [name for name in services if name not in lease.restore]
        whole = replace(lease, restore={**backend.restore_of(before, missing), **lease.restore})
        await self.put_lease(whole)
        limit = time.monotonic() + timeout_s
        return tuple(await asyncio.gather(*(self._start(name, whole, before.services[name], limit) for name in services)))

    async def stop(self, services: Sequence[str], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
        """See the protocol. The grace is the one that each keeper was told at the start; a shorter one ends in KILL when it is over."""
        return tuple(await asyncio.gather(*(self._stop(name, grace_s, kill=kill) for name in services)))

    async def put_lease(self, lease: Lease) -> None:
        """See the protocol; every keeper of the window is told its deadline too."""
        self._check(lease.services, lease)
        await self.preflight()
        await asyncio.to_thread(self._write_lease, lease)
        await self._tell_keepers(lease.services)

    async def drop_lease(self, window_id: str) -> None:
        """See the protocol."""
        await asyncio.to_thread(self._lease_path(window_id).unlink, missing_ok=True)

    async def log_tail(self, service: str, characters: int) -> str:
        """See the protocol."""
        found = self._services.get(service)
        return "" if found is None or characters <= 0 else await asyncio.to_thread(_tail, found, characters)

    async def cost(self, services: Sequence[str]) -> Mapping[str, Cost]:
        """See the protocol; a service's daemons are counted, where the system shows them."""
        return {name: await asyncio.to_thread(self._cost, name) for name in services}

    def _check(self, services: Sequence[str], lease: Lease) -> None:
        if not services:
            raise Refused("services: a window needs at least one service")
        if strangers := sorted(set(services) - set(self._services)):
            raise Refused(f"services: the table of commands has no {', '.join(strangers)}")
        if unheld := sorted(set(services) - set(lease.services)):
            raise Refused(f"services: the lease of window {lease.window_id} does not hold {', '.join(unheld)}")  # nobody would stop it
        if lease.project != self._project:
            raise Refused(f"project: this backend is that of {self._project}, not of {lease.project}")
        if lease.is_due(moments.now(self._clock)):
            raise Refused(f"window {lease.window_id}: its deadline has passed; nothing is started for it")

    def _digest(self) -> str:
        return hashlib.sha256(json.dumps([asdict(one) for one in self._services.values()], default=str).encode()).hexdigest()

    def _deadline(self, lease: Lease) -> orders.Deadline:
        """The lease's deadline on this boot's clock: the earlier one, where the lease says it on both."""
        now = moments.now(self._clock)
        by_wall = now.uptime_s + (lease.deadline_ms - now.epoch_ms) / 1000
        by_boot = lease.deadline_uptime_s if lease.boot_id == now.boot_id else math.inf
        return orders.Deadline(uptime=min(by_wall, by_boot), text=instants.stamp(datetime.fromtimestamp(lease.deadline_ms / 1000, UTC)))

    async def _health(self, seen: process.Observed) -> Health:
        if seen.state not in {"opening", "open"}:
            return "none"
        trouble = await readiness.wait_for_200(self._services[seen.service].ready_url, PROBE_S)
        return "starting" if trouble else "healthy"

    async def _start(self, name: str, lease: Lease, before: Observed, limit: float) -> Outcome:
        service, begun = replace(self._services[name], stop_grace_s=lease.grace_s), time.monotonic()
        argv = (Path(service.argv[0]).name, *service.argv[1:])
        if before.is_alive:
            return Outcome(service=name, returncode=0, elapsed_ms=0, argv=argv)
        if await readiness.is_taken(service.ready_url):
            return Outcome(service=name, returncode=1, elapsed_ms=0, argv=argv, stderr=f"something else already listens at {service.ready_url}")
        trouble, code = "", 0
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0.0, limit - time.monotonic())):
                found = await asyncio.to_thread(self._run, service, lease)
            trouble, code = found.error, int(found.ended == "start_failed")
        except Unavailable as failure:
            trouble, code = str(failure), 1
        except TimeoutError:
            trouble, code = "its keeper did not start in time", backend.TIMED_OUT
        elapsed = round((time.monotonic() - begun) * 1000)
        return Outcome(service=name, returncode=code, elapsed_ms=elapsed, argv=argv, stderr=trouble[-OUTPUT_CHARACTERS:])

    def _run(self, service: Service, lease: Lease) -> Kept:
        held = os.open(self._state_dir / "keepers.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = self._deadline(lease)
            forever = orders.Deadline(uptime=math.inf, text="")  # how far a window may be extended, the ledger decides
            place = replace(service, directory=service.directory.absolute(), log_file=service.log_file.absolute())
            order = orders.Order(window_id=lease.window_id, service=place, state_dir=self._state_dir, deadline=deadline, latest=forever, lock_fd=held)
            return process.start(order)
        finally:
            os.close(held)

    async def _tell_keepers(self, services: Sequence[str]) -> None:
        """Each keeper's deadline is that of the last window that holds its service."""
        held, _ = await asyncio.to_thread(self._read_leases)
        for name in services:
            seen = await asyncio.to_thread(process.observe, name, self._state_dir)
            deadlines = [self._deadline(one) for one in held if name in one.services]
            if seen.state in {"opening", "open"} and seen.kept is not None and deadlines:
                latest = max(deadlines, key=lambda deadline: deadline.uptime)
                if seen.kept.deadline_uptime != latest.uptime:
                    await _set_deadline(self._state_dir, seen.kept, latest)

    async def _stop(self, name: str, grace_s: float, *, kill: bool) -> Outcome:
        begun = time.monotonic()
        stopping = asyncio.create_task(_stopped(name, self._state_dir))
        if kill or not (await asyncio.wait({stopping}, timeout=grace_s))[0]:
            seen = await asyncio.to_thread(process.observe, name, self._state_dir)
            if seen.kept is not None:
                await asyncio.to_thread(_kill, seen.kept)
        result = await stopping
        return Outcome(
            service=name,
            returncode=0 if result.state == "closed" else 1,
            elapsed_ms=round((time.monotonic() - begun) * 1000),
            stderr=result.stderr[-OUTPUT_CHARACTERS:] if result.state != "closed" else "",
        )

    def _lease_path(self, window_id: str) -> Path:
        if not rules.can_name(window_id[:63]) or "/" in window_id or len(window_id) > 200:
            raise Refused("window_id: can't name a lease; use letters, digits, '_' and '-'")
        return self._leases_dir / f"{window_id}.json"

    def _write_lease(self, lease: Lease) -> None:
        place = self._lease_path(lease.window_id)
        earlier = _read_lease(place) if place.exists() else None
        if isinstance(earlier, Lease) and earlier.fencing > lease.fencing:
            raise Fenced(f"window {lease.window_id}: a later claim than number {lease.fencing} stands")
        if isinstance(earlier, Lease):  # how things were before the window is known since its first lease
            lease = replace(lease, restore={**earlier.restore, **lease.restore})
        files.replace(place, json.dumps({"schema_version": SCHEMA_VERSION, **asdict(lease)}).encode(), mode=0o600)

    def _read_leases(self) -> tuple[tuple[Lease, ...], tuple[Damaged, ...]]:
        found = [_read_lease(place) for place in sorted(self._leases_dir.glob("*.json"))]
        return tuple(one for one in found if isinstance(one, Lease)), tuple(one for one in found if isinstance(one, Damaged))

    def _cost(self, name: str) -> Cost:
        seen = process.observe(name, self._state_dir)
        if seen.kept is None or seen.state == "closed":
            return Cost()
        groups = processes.groups_below(seen.kept.keeper.pid, rows := processes.table())
        pids = [row.process.pid for row in rows if row.group in groups and not row.ended]
        spent = [seconds for pid in pids if (seconds := _cpu_s(pid)) is not None]
        peak, resident = (sum(_memory(pid, field) for pid in pids) or None for field in ("VmHWM", "VmRSS"))
        return Cost(cpu_s=round(sum(spent), 3) if spent else None, peak_memory_bytes=peak, memory_bytes=resident)


async def _set_deadline(state_dir: Path, running: Kept, deadline: orders.Deadline) -> None:
    """Until the keeper has written it, or the service is ending: a keeper that says nothing still ends its service by the deadline it knows."""
    limit = time.monotonic() + process.ANSWER_S
    while time.monotonic() < limit:
        if not await process.set_deadline(state_dir, running, deadline):
            return
        found = await asyncio.to_thread(kept.read, state_dir, running.service)
        if found is None or found.deadline_uptime == deadline.uptime or found.state not in {"opening", "open"}:
            return
        await asyncio.sleep(0.01)


async def _stopped(name: str, state_dir: Path) -> process.Stopped:
    return (await process.stop([name], state_dir))[0]


def _kill(running: Kept) -> None:
    """KILL what the keeper keeps; the keeper, which sees it end, writes that it has ended."""
    for group in processes.groups_below(running.keeper.pid, processes.table()):
        processes.send_group(group, signal.SIGKILL)


def _observed(seen: process.Observed, health: Health) -> Observed:
    found = seen.kept
    if found is None:
        return Observed(service=seen.service, state="running" if seen.state == "stuck" else "absent", trouble=seen.trouble)
    first = found.process
    return Observed(
        service=seen.service,
        state=_STATES[seen.state],
        health=health,
        id=f"{first.pid}@{first.started}" if first else "",
        ids=(f"{first.pid}@{first.started}",) if first else (),
        started_at=found.started_at,
        exit_code=found.returncode,
        trouble=seen.trouble,
    )


def _read_lease(place: Path) -> Lease | Damaged:
    try:
        fields: dict[str, Any] = json.loads(files.content(place, _LARGEST))
        if fields.pop("schema_version") != SCHEMA_VERSION:
            return Damaged(name=place.name, problem="written by another version of Windlass")
        restore = {
            name: Restore(restart=restart_policy(**one["restart"]), was_running=one["was_running"]) for name, one in fields.pop("restore").items()
        }
        return Lease(services=tuple(fields.pop("services")), restore=restore, **fields)
    except (OSError, UnusableRecord, ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        return Damaged(name=place.name, problem=f"{type(failure).__name__}: {failure}")


def _tail(service: Service, characters: int) -> str:
    try:
        with service.log_file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            text = log.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return rules.tail(text, service.env, characters, cut=size > _TAIL_BYTES)


def _cpu_s(pid: int) -> float | None:
    """What the process has used, with its children that ended: else a service would seem to give time back when one of them ends."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int, field: str) -> int:
    """Bytes of a field of `/proc/PID/status`; 0 where it is not told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{field}:")), 0)
