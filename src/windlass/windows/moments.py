"""This moment on both clocks: the wall's, which people read and may set, and the boot's, which nobody can."""

from __future__ import annotations

import functools
from pathlib import Path

from windlass.infra import instants
from windlass.windows import uptime
from windlass.windows.backend import Moment


def now(clock: instants.Clock = instants.now) -> Moment:
    """The moment as this machine has it."""
    return Moment(epoch_ms=round(clock().timestamp() * 1000), boot_id=boot_id(), uptime_s=uptime.now())


@functools.cache
def boot_id() -> str:
    """What tells this boot from any other; empty where the system does not say, and then only the wall clock counts."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
