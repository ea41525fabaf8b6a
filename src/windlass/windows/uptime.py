"""The clock that deadlines are kept on: seconds since boot, sleep included, which nobody can set."""

from __future__ import annotations

import sys
import time


def now() -> float:
    """Seconds on a clock that all processes of this machine share and that a jump of the wall clock does not move."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    else:  # noqa: RET505  # the type checker follows platforms by branch
        return time.monotonic()
