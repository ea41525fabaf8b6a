"""The windows' audit when it is long: the newest entries, what is new since an instant or an entry, and one more entry, of 1,000,000.

The peer is what any reader of JSON lines does that knows no end of a file: read it, split it, look at the lines from the last.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from result import Result, Series, Target
from windlass.infra import instants
from windlass.infra.chain import GENESIS, seal
from windlass.windows.power.log import FILE_NAME, Log

ENTRIES, QUICK_ENTRIES = 1_000_000, 20_000
SHOWN = 1000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def run(*, quick: bool) -> Result:
    """Rounds in turn over one audit."""
    number, rounds = (QUICK_ENTRIES, 2) if quick else (ENTRIES, 7)
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / FILE_NAME
        _write(path, number)
        size = path.stat().st_size
        newest, instant, seq, noted, whole = asyncio.run(_measured(path, number, rounds))
    return Result(
        name="audit",
        measures=f"an audit of {number:,} entries, {size / 1e6:.0f} MB",
        series=[
            Series(what=f"the newest {SHOWN:,}", unit="ms", values=newest),
            Series(what="since an instant, 5 of them", unit="ms", values=instant),
            Series(what="since a seq, 5 of them", unit="ms", values=seq),
            Series(what="the first entry of a new process, on the disk", unit="ms", values=noted),
            Series(what=f"the newest {SHOWN:,} by reading the whole file", unit="ms", values=whole),
        ],
        targets=[
            Target(what=f"the newest {SHOWN:,}", figure=min(newest), bound=100, unit="ms"),
            Target(what="since an instant", figure=min(instant), bound=20, unit="ms"),
        ],
        notes=["targets hold the least of the rounds: the rest is what else the machine does"],
    )


def _write(path: Path, number: int) -> None:
    head = GENESIS
    with path.open("wb") as file:
        for seq in range(number):
            at = BEGIN + timedelta(seconds=seq)
            named = {"audit_id": f"aud_{instants.compact_ms(at)}_{seq:012x}", "action": "open_refused", "actor": "http 127.0.0.1", "window_id": None}
            said = {"code": "AUTH_REQUIRED", "http": 401, "trouble": "the header X-VX11-Token is required", "asked": None}
            line, head = seal(seq, head, {"at": instants.stamp(at), **named, **said})
            file.write(line)


async def _measured(path: Path, number: int, rounds: int) -> tuple[list[float], ...]:
    found: tuple[list[float], ...] = ([], [], [], [], [])
    for _ in range(rounds):
        async with Log(path.parent) as log:
            acts: tuple[Callable[[], Awaitable[object]], ...] = (
                lambda: log.since(None, SHOWN),  # used at once
                lambda: log.since(BEGIN + timedelta(seconds=number - 6), SHOWN),
                lambda: log.since(number - 6, SHOWN),
                lambda: log.note("bench"),
                lambda: asyncio.to_thread(_by_reading_all, path),
            )
            for values, act in zip(found, acts, strict=True):
                begun = time.perf_counter()
                await act()
                values.append(1000 * (time.perf_counter() - begun))
    return found


def _by_reading_all(path: Path) -> list[object]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()[-SHOWN:]]
