"""Opening and closing N services on the real engine: a window against raw `docker compose up -d` and `docker compose stop`, in turn."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from result import Result, Series, Target
from windlass.windows import moments
from windlass.windows.backend import Lease
from windlass.windows.compose.compose import Compose, Place

SERVICES, IMAGE = 6, "python:3.11-slim-bookworm"
GRACE_S = 10.0
PROGRAM = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); time.sleep(600)"


def run(*, quick: bool) -> Result:
    """Rounds in turn, each with containers that nobody made before: same file, same engine, a project of its own."""
    opened: list[float] = []
    closed: list[float] = []
    up: list[float] = []
    stopped: list[float] = []
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "compose.json"
        services = {f"s{number}": {"image": IMAGE, "command": ["python", "-c", PROGRAM]} for number in range(SERVICES)}
        file.write_text(json.dumps({"services": services}))
        for _ in range(1 if quick else 7):
            _one_round(file, list(services), (up, stopped), (opened, closed))
    more = statistics.median(1000 * (ours - 1.1 * theirs) for ours, theirs in zip(opened, up, strict=True))
    part = statistics.median(ours / theirs for ours, theirs in zip(closed, stopped, strict=True))
    return Result(
        name="windows",
        measures=f'{SERVICES} services on a real engine, to "all running" and back to "none", against raw Compose',
        series=[
            Series(what="windlass, open", unit="s", values=opened),
            Series(what="docker compose up -d", unit="s", values=up),
            Series(what="windlass, close", unit="s", values=closed),
            Series(what="docker compose stop", unit="s", values=stopped),
        ],
        targets=[
            Target(what="open − 1.1 × up", figure=more, bound=300, unit="ms"),
            Target(what="close ÷ stop", figure=part, bound=0.6, unit="×"),
        ],
        notes=["the lease is made, and observed to be all that is left, inside the times of open and close; readiness is not waited for by either"],
    )


def _one_round(file: Path, services: Sequence[str], peer: tuple[list[float], list[float]], ours: tuple[list[float], list[float]]) -> None:
    name = f"wlb{secrets.token_hex(4)}"
    compose = ["docker", "compose", "--project-name", name, "--file", str(file)]
    try:
        peer[0].append(_timed([*compose, "up", "--detach", *services]))
        peer[1].append(_timed([*compose, "stop", *services]))
    finally:
        _timed([*compose, "down", "--timeout", "0"])
    name = f"wlb{secrets.token_hex(4)}"
    try:
        opened, closed = asyncio.run(_window(file, services, name))
        ours[0].append(opened)
        ours[1].append(closed)
    finally:
        _timed(["docker", "compose", "--project-name", name, "--file", str(file), "down", "--timeout", "0"])


async def _window(file: Path, services: Sequence[str], project: str) -> tuple[float, float]:
    """Seconds to open and to close, each with its closure or observation; the backend is made before, as a controller's is."""
    async with Compose(Place(project=project, files=(str(file),), directory=file.parent)) as backend:
        await backend.preflight()
        begun = time.monotonic()
        closure = await backend.closure(services)
        now = moments.now()
        lease = Lease(
            window_id="win_bench", project=project, services=closure.services, deadline_ms=now.epoch_ms + 120_000, fencing=1, grace_s=GRACE_S
        )
        outcomes = await backend.start(closure.services, lease, timeout_s=60, digest=closure.digest)
        seen = await backend.observe()
        opened = time.monotonic() - begun
        if seen.alive() != set(services):
            raise RuntimeError(f"not all came up: {[one.stderr for one in outcomes if not one.is_done]}")
        begun = time.monotonic()
        await backend.stop(closure.services, GRACE_S, kill=False)
        left = (await backend.observe()).alive()
        await backend.drop_lease(lease.window_id)
        closed = time.monotonic() - begun
        if left:
            raise RuntimeError(f"{left} still runs")
    return opened, closed


def _timed(argv: Sequence[str]) -> float:
    begun = time.monotonic()
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {ran.stderr}")
    return time.monotonic() - begun
