"""Opening and closing N services on the real engine: a controller's window against raw `docker compose up -d` and `docker compose stop`, in turn.

Twice: six services that need nobody, where the engine's own work is nearly all there is; and six of which each needs the one before
(`depends_on`), as services of a real stack do, where Compose stops one after the other.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from result import Result, Series, Target
from windlass.windows.compose.compose import Compose, Place
from windlass.windows.power.controller import Controller, controlling
from windlass.windows.power.policy import Policy, ServicePolicy

SERVICES, IMAGE = 6, "python:3.11-slim-bookworm"
GRACE_S = 10.0
ASKED_EVERY_S = 0.1
PROGRAM = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), exit(0))); time.sleep(600)"
"""Takes as long to end as a small web server does."""


def run(*, quick: bool) -> Result:
    """Rounds in turn; nothing is measured where there is no engine with the image."""
    if why := _missing():
        return Result(name="windows", measures=f"not run: {why}", series=[], targets=[])
    loose, chain = Measured(), Measured()
    with tempfile.TemporaryDirectory() as made:
        for _ in range(1 if quick else 7):
            _one_round(_file(Path(made), chained=False), loose)
            _one_round(_file(Path(made), chained=True), chain)
    return Result(
        name="windows",
        measures=f'{SERVICES} services on a real engine, to "all running" and back to "none", against raw Compose',
        series=[*loose.series("loose"), *chain.series("chain")],
        targets=[
            Target(what="open − 1.1 × up, loose", figure=loose.more_ms, bound=300, unit="ms"),
            Target(what="open − 1.1 × up, chain", figure=chain.more_ms, bound=300, unit="ms"),
            Target(what="state while opening and closing, p99", figure=1000 * _p99([*loose.asked, *chain.asked]), bound=100, unit="ms"),
            Target(what="close ÷ stop, chain", figure=chain.closing, bound=0.6, unit="×"),
            Target(what="close ÷ stop, loose", figure=loose.closing, bound=1.0, unit="×"),
        ],
        notes=[
            "ours are a controller's: ledger, audit, admission, lease and the last look are inside its times",
            "a service without a health check is confirmed when it has run for 2 s: that is what the answer waits for",
        ],
    )


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _missing() -> str:
    if shutil.which("docker") is None:
        return "there is no docker command"
    for argv, why in (
        (["docker", "compose", "version"], "no Compose v2"),
        (["docker", "image", "inspect", IMAGE], f"no engine with the image {IMAGE}"),
    ):
        if subprocess.run(argv, capture_output=True, check=False).returncode:
            return why
    return ""


@dataclass(kw_only=True)
class Measured:
    """Seconds of every round. Lives as long as the report."""

    opened: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    up: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)

    @property
    def more_ms(self) -> float:
        return statistics.median(1000 * (ours - 1.1 * theirs) for ours, theirs in zip(self.opened, self.up, strict=True))

    @property
    def closing(self) -> float:
        return statistics.median(ours / theirs for ours, theirs in zip(self.closed, self.stopped, strict=True))

    def series(self, kind: str) -> list[Series]:
        return [
            Series(what=f"{kind}: windlass, open until all is seen running", unit="s", values=self.opened),
            Series(what=f"{kind}: windlass, open until it is answered", unit="s", values=self.ready),
            Series(what=f"{kind}: docker compose up -d", unit="s", values=self.up),
            Series(what=f"{kind}: windlass, close", unit="s", values=self.closed),
            Series(what=f"{kind}: docker compose stop", unit="s", values=self.stopped),
            Series(what=f"{kind}: state, asked meanwhile", unit="s", values=self.asked),
        ]


def _file(directory: Path, *, chained: bool) -> Path:
    services: dict[str, dict[str, Any]] = {f"s{number}": {"image": IMAGE, "command": ["python", "-c", PROGRAM]} for number in range(SERVICES)}
    for number in range(1, SERVICES if chained else 0):
        services[f"s{number}"]["depends_on"] = [f"s{number - 1}"]
    place = directory / f"{'chain' if chained else 'loose'}.json"
    place.write_text(json.dumps({"services": services}))
    return place


def _one_round(file: Path, measured: Measured) -> None:
    """Each with containers that nobody made before: same file, same engine, a project of its own."""
    services = [f"s{number}" for number in range(SERVICES)]
    name = f"wlb{secrets.token_hex(4)}"
    compose = ["docker", "compose", "--project-name", name, "--file", str(file)]
    try:
        measured.up.append(_timed([*compose, "up", "--detach", *services]))
        measured.stopped.append(_timed([*compose, "stop", *services]))
    finally:
        _timed([*compose, "down", "--timeout", "0"])
    name = f"wlb{secrets.token_hex(4)}"
    try:
        running, ready, closed = asyncio.run(_window(file, services, name, measured.asked))
        measured.opened.append(running)
        measured.ready.append(ready)
        measured.closed.append(closed)
    finally:
        _timed(["docker", "compose", "--project-name", name, "--file", str(file), "down", "--timeout", "0"])


async def _window(file: Path, services: Sequence[str], project: str, asked: list[float]) -> tuple[float, float, float]:
    """Seconds until all was seen running, until the open was answered, and until the close was: a controller with ledger, audit and loop on disk."""
    own = ServicePolicy(start_timeout_sec=60, stop_grace_sec=GRACE_S)
    policy = Policy(project=project, core=frozenset(), services=dict.fromkeys(services, own))
    place = Place(project=project, files=(str(file),), directory=file.parent)
    async with Compose(place) as backend, controlling(policy, backend, file.parent / project) as controller:
        loop = asyncio.create_task(controller.reconciler.run())
        await backend.preflight()
        asking = asyncio.create_task(_ask(controller, asked))
        try:
            begun = time.monotonic()
            answer = await controller.open({"services": list(services), "ttl_sec": 120}, actor="bench")
            ready = time.monotonic() - begun
            if answer.http != 200 or answer.body["services_started"] != sorted(services):
                raise RuntimeError(f"not all came up: {answer.body}")
            running = answer.body["running_after_ms"] / 1000
            begun = time.monotonic()
            answer = await controller.close({}, actor="bench")
            closed = time.monotonic() - begun
            if answer.body["state"] != "closed" or (await backend.observe()).alive():
                raise RuntimeError(f"not closed: {answer.body}")
        finally:
            asking.cancel()
            loop.cancel()
            await asyncio.gather(loop, asking, return_exceptions=True)
    return running, ready, closed


async def _ask(controller: Controller, asked: list[float]) -> None:
    """Ask for the state all the while; how long each answer took."""
    while True:
        begun = time.monotonic()
        await controller.state()
        asked.append(time.monotonic() - begun)
        await asyncio.sleep(ASKED_EVERY_S)


def _timed(argv: Sequence[str]) -> float:
    begun = time.monotonic()
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {ran.stderr}")
    return time.monotonic() - begun
