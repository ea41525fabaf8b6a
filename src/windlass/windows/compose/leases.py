"""Leases as the engine keeps them: one volume each, whose labels say everything. Pure.

The labels of a volume can't change, so a lease is replaced by one of the next generation, made before the last is removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.windows.backend import Damaged, Lease, Restore, restart_policy

SCHEMA_VERSION = "1"
WINDOW, PROJECT, SERVICES = "dev.windlass.window", "dev.windlass.project", "dev.windlass.services"
_VERSION, _DEADLINE, _FENCING = "dev.windlass.schema_version", "dev.windlass.deadline_ms", "dev.windlass.fencing"
_GRACE, _RESTORE, _BOOT, _UPTIME = "dev.windlass.grace_s", "dev.windlass.restore", "dev.windlass.boot_id", "dev.windlass.deadline_uptime_s"
_GENERATION = "dev.windlass.generation"
_WINDOW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_LONGEST_GRACE_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One volume that is a lease. Lives as long as its reader."""

    volume: str
    generation: int
    lease: Lease


def can_identify(window_id: str) -> bool:
    """Whether a window with this id can have a lease."""
    return _WINDOW_ID.fullmatch(window_id) is not None


def volume_name(window_id: str, generation: int) -> str:
    """`windlass-<window_id>`, and for the n-th replacement `windlass-<window_id>.n`."""
    return f"windlass-{window_id}.{generation}" if generation else f"windlass-{window_id}"


def labels(lease: Lease, generation: int) -> dict[str, str]:
    """Everything that closing needs to know."""
    return {
        _VERSION: SCHEMA_VERSION,
        WINDOW: lease.window_id,
        PROJECT: lease.project,
        SERVICES: json.dumps(list(lease.services)),
        _DEADLINE: str(lease.deadline_ms),
        _FENCING: str(lease.fencing),
        _GRACE: repr(float(lease.grace_s)),
        _RESTORE: json.dumps({name: [one.restart.name, one.restart.max_retries, one.was_running] for name, one in lease.restore.items()}),
        _BOOT: lease.boot_id,
        _UPTIME: repr(float(lease.deadline_uptime_s)),
        _GENERATION: str(generation),
    }


def read(volumes: Iterable[Mapping[str, Any]]) -> tuple[list[Kept], list[Damaged]]:
    """The leases among these volumes, as the Engine API lists them, of each window the newest first; and what should be one and is not."""
    kept: list[Kept] = []
    damaged: list[Damaged] = []
    for volume in volumes:
        name = str(volume.get("Name", ""))
        try:
            kept.append(_kept(name, volume["Labels"] or {}))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as failure:
            damaged.append(Damaged(name=name, problem=f"{type(failure).__name__}: {failure}"))
    kept.sort(key=lambda one: (one.lease.window_id, -one.lease.fencing, -one.generation))
    return kept, damaged


def newest(kept: Iterable[Kept]) -> tuple[Lease, ...]:
    """Of each window the lease that counts."""
    found: dict[tuple[str, str], Lease] = {}
    for one in kept:
        found.setdefault((one.lease.project, one.lease.window_id), one.lease)
    return tuple(found.values())


def _kept(name: str, found: Mapping[str, str]) -> Kept:
    if found[_VERSION] != SCHEMA_VERSION:
        raise ValueError("written by another version of Windlass")
    services, grace = json.loads(found[SERVICES]), float(found[_GRACE])
    if not isinstance(services, list) or not all(isinstance(one, str) and one for one in services):
        raise ValueError("its services are no list of names")
    if not 0 <= grace <= _LONGEST_GRACE_S:
        raise ValueError("its grace is no number of seconds")
    uptime = float(found[_UPTIME])
    if uptime != uptime:  # noqa: PLR0124  # NaN would never come
        raise ValueError("its deadline is no number of seconds")
    restore = {
        service: Restore(restart=restart_policy(str(policy), int(retries)), was_running=was_running is True)
        for service, (policy, retries, was_running) in json.loads(found[_RESTORE]).items()
    }
    return Kept(
        volume=name,
        generation=int(found[_GENERATION]),
        lease=Lease(
            window_id=found[WINDOW],
            project=found[PROJECT],
            services=tuple(services),
            deadline_ms=int(found[_DEADLINE]),
            fencing=int(found[_FENCING]),
            grace_s=grace,
            restore=restore,
            boot_id=found[_BOOT],
            deadline_uptime_s=uptime,
        ),
    )
