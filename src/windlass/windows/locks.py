"""The two locks of a window's directory: who holds the window, and who is closing it.

A kernel lock goes with its holders, so that neither a crash nor a restart leaves one behind. The window's lock is passed on from the
opener to its keepers: it is held as long as any of them lives, and says so without a doubt, even of a keeper that has not written yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from windlass.errors import Unavailable

_LOOK_AGAIN_S = 0.02
_ATTEMPTS = 10


async def claim(state_dir: Path) -> int | None:
    """Take the window's lock: a descriptor to pass on and close, or None when a window is held there."""
    os.close(os.open(state_dir / "closing.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # now: on a disk that is full later, closing can't
    for _ in range(_ATTEMPTS):  # a look by `is_held` takes the lock for a moment
        if (descriptor := _try(state_dir / "window.lock", fcntl.LOCK_EX)) is not None:
            return descriptor
        await asyncio.sleep(_LOOK_AGAIN_S)
    return None


def is_held(state_dir: Path) -> bool:
    """Whether an opener or a keeper of a window in this directory still lives."""
    descriptor = _try(state_dir / "window.lock", fcntl.LOCK_SH)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


@contextlib.asynccontextmanager
async def closing(state_dir: Path, limit_s: float) -> AsyncIterator[None]:
    """Be the only one who closes here; raises Unavailable when another does for longer than `limit_s`."""
    try:
        async with asyncio.timeout(limit_s):
            while (descriptor := _try(state_dir / "closing.lock", fcntl.LOCK_EX)) is None:  # noqa: ASYNC110  # another process sets no Event of ours
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError:
        raise Unavailable(f"another process has been closing the window in {state_dir.name} for {limit_s:g} s") from None
    try:
        yield
    finally:
        os.close(descriptor)


def _try(path: Path, kind: int) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
