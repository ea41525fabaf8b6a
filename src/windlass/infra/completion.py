"""Awaiting work that must not be left half done: closing what was opened, above all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def see_through(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`; a cancellation that comes meanwhile is kept until the work has ended, and then takes effect."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: it would be reported as never retrieved
        raise cancelled
    return task.result()
