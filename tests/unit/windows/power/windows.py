"""Windows and policies as the tests of their rules need them, and a ledger whose steps follow one another at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.engines.memory import AtOnce
from windlass.windows.backend import Moment
from windlass.windows.power.policy import Policy, ServicePolicy
from windlass.windows.power.rulings import Window

NOON_MS = 1_768_824_000_000
"""2026-01-19T12:00:00Z."""
DAY_MS = 86_400_000
SERVICES = ("a", "b", "c")
NOW = Moment(epoch_ms=NOON_MS, boot_id="boot-1", uptime_s=1000.0)


def policy(**fields: Any) -> Policy:
    """A policy of three services and a core; `own` is what holds for each of them."""
    own = fields.pop("own", ServicePolicy())
    return replace(Policy(project="p", core=frozenset({"madre"}), services=dict.fromkeys(SERVICES, own)), **fields)


def window(window_id: str = "win_1", **fields: Any) -> Window:
    """A window that was asked for at noon, for a minute."""
    asked_ms = fields.get("asked_ms", NOON_MS)
    return replace(
        Window(
            window_id=window_id,
            fencing=1,
            services=("a",),
            requested=("a",),
            state="asked",
            mode="ttl",
            on_partial="degraded",
            reason="",
            actor="t",
            asked_ms=asked_ms,
            ttl_sec=60,
            grace_s=1.0,
            deadline_ms=asked_ms + 60_000,
            boot_id="boot-1",
            deadline_uptime_s=1060.0,
        ),
        **fields,
    )


@contextmanager
def running() -> Iterator[asyncio.Runner]:
    """A loop whose threads do at once what they are handed."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AtOnce())
        yield runner
