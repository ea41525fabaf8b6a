"""The premises of a run: the orchestrator and, unless the agents are a stranger's, the reference fleet, as local services under keepers.

`prove` and `pipeline` open them for a bounded time, use them over HTTP, and close them whatever happened. Ports are the kernel's
choice and tokens are drawn per run, so that runs never meet.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windlass import fleet as fleets
from windlass.errors import InvalidFleet
from windlass.fleet import Fleet
from windlass.infra.completion import see_through
from windlass.windows import rules
from windlass.windows import window as windows
from windlass.windows.doors import Door
from windlass.windows.rules import Service
from windlass.windows.window import Closed, Window

CORE, FLEET = "orchestrator", "fleet"
STORE = "store"
"""Below the logs: what the agents keep; whoever opened the premises removes it."""
_CORE_OUTLIVES_S = 3
"""Seconds by which the orchestrator's own deadline lies behind that of the agents it routes to."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What is to stand. Lives as long as the run."""

    fleet_file: Path | None = None
    """A stranger's fleet; None for the built-in one, which is started and stopped."""
    endpoints_json: str | None = None
    agent_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    service_token: str | None = field(default=None, repr=False)
    """The orchestrator's token; drawn where there is none."""
    ttl_sec: int = 300
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Up:
    """One service is ready. Lives as long as the event."""

    service: str
    elapsed_s: float
    window: Window


@dataclass(frozen=True, kw_only=True)
class Found:
    """How the premises were found after they were closed. `left` says what is not gone; empty means that everything is."""

    closed: tuple[tuple[Window, Closed], ...]
    """The windows whose closing could be observed."""
    checks: tuple[dict[str, Any], ...]
    """One per service and one per port, as a record's validations."""
    left: tuple[str, ...]
    complaint: str | None
    """What the closing itself met, if anything."""


class Premises:
    """The services of one run. Lives as long as the run."""

    def __init__(self, needs: Needs) -> None:
        """Refuse what does not fit, before anything is started; the ports are taken from here on."""
        rules.checked_ttl(needs.ttl_sec)
        self.needs = needs
        self.token = needs.service_token or secrets.token_urlsafe(32)
        own = {} if needs.fleet_file else {fleets.AGENT_TOKEN: secrets.token_urlsafe(32)}
        self.agent_tokens = {**needs.agent_tokens, **own}
        self.core = Door()
        self.agents = Door() if needs.fleet_file is None else None
        self.held: list[Window] = []
        """What is open: also what came up while something else did not."""
        try:
            self.fleet = self._resolved()
        except BaseException:
            self.abandon()
            raise

    @property
    def doors(self) -> list[Door]:
        """Every port of the premises."""
        return [self.core, self.agents] if self.agents else [self.core]

    def abandon(self) -> None:
        """Give up ports that no service was started on."""
        for door in self.doors:
            door.close()

    async def open(self, logs: Path, on_up: Callable[[Up], None]) -> list[Window]:
        """Start everything at once below `logs`, and return what is held when all is ready: the core first, then the fleet.

        Raises NotOpened for what does not come up; whatever did come up is closed then.
        """
        wanted = [(self._orchestrator(logs), self.needs.ttl_sec + _CORE_OUTLIVES_S)]
        if self.agents:
            wanted.append((self._executor(logs, self.agents), self.needs.ttl_sec))
        opening = [asyncio.create_task(self._open_one(service, min(ttl, rules.MAX_TTL_SEC), logs, on_up)) for service, ttl in wanted]
        try:
            await asyncio.gather(*opening)
        except BaseException:
            await see_through(self._take_back(opening))
            raise
        self.held.sort(key=lambda window: window.services != (CORE,))  # the core first, whichever was up first
        return self.held

    async def close(self) -> Found:
        """Close everything at once, and believe only what is observed."""
        closing = await asyncio.gather(*(window.close("manual") for window in self.held), return_exceptions=True)
        closed: list[tuple[Window, Closed]] = []
        checks: list[dict[str, Any]] = []
        complaints: list[str] = []
        for window, found in zip(self.held, closing, strict=True):
            if isinstance(found, BaseException):
                complaints.append(f"{', '.join(window.services)}: {found}")
                checks += [{"type": "service_stopped", "service": name, "pass": False, "elapsed_ms": None} for name in window.services]
                continue
            closed.append((window, found))
            checks += [
                {"type": "service_stopped", "service": one.service, "pass": one.state == "closed", "elapsed_ms": one.elapsed_ms}
                for one in found.results
            ]
        checks += [{"type": "port_closed", "url": door.url, "pass": not door.answers()} for door in self.doors]
        left = tuple(f"{check.get('service') or check.get('url')} is not gone" for check in checks if not check["pass"])
        return Found(closed=tuple(closed), checks=tuple(checks), left=left, complaint="; ".join(complaints) or None)

    async def _open_one(self, service: Service, ttl_sec: int, logs: Path, on_up: Callable[[Up], None]) -> None:
        began = time.perf_counter()
        window = await windows.open_window([service], ttl_sec, logs / service.name)
        self.held.append(window)  # before anybody is told: whatever happens from here, it is closed
        on_up(Up(service=service.name, elapsed_s=time.perf_counter() - began, window=window))

    async def _take_back(self, opening: Sequence[asyncio.Task[None]]) -> None:
        """Not all came up: end those that still open, and close those that are open."""
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        opened, self.held = self.held, []
        await asyncio.gather(*(window.close("start_failed") for window in opened), return_exceptions=True)

    def _resolved(self) -> Fleet:
        """The fleet with every endpoint; raises InvalidFleet."""
        named = fleets.read(self.needs.fleet_file) if self.needs.fleet_file else fleets.reference(self.agents.url if self.agents else None)
        fleet = fleets.with_endpoints(named, self.needs.endpoints_json)
        gaps = fleets.gaps(fleet)
        if gaps:
            raise InvalidFleet(str(self.needs.fleet_file or "reference fleet"), gaps)
        return fleet

    def _orchestrator(self, logs: Path) -> Service:
        words = ["serve", "orchestrator", "--state-dir", "."]
        if self.needs.fleet_file:
            words += ["--fleet", os.path.relpath(self.needs.fleet_file.absolute(), logs.absolute())]
        else:
            words += ["--agents-url", self.agents.url if self.agents else ""]
        variables = {"WORKER_SERVICE_TOKEN": self.token, **self.agent_tokens}
        if self.needs.endpoints_json:
            variables[fleets.ENDPOINTS] = self.needs.endpoints_json
        return self._service(CORE, words, self.core, variables, logs)

    def _executor(self, logs: Path, door: Door) -> Service:
        words = ["serve", "executor", "--store", STORE]
        return self._service(FLEET, words, door, {fleets.AGENT_TOKEN: self.agent_tokens[fleets.AGENT_TOKEN]}, logs)

    def _service(self, name: str, words: list[str], door: Door, variables: Mapping[str, str], logs: Path) -> Service:
        inherited = {key: value for key, value in self.needs.environment.items() if key in _INHERITED or key.startswith("COVERAGE_")}
        descriptor = door.hand_over()
        return Service(
            name=name,
            argv=(sys.executable, "-m", "windlass", *words, "--fd", str(descriptor)),
            env={**inherited, **variables},
            directory=logs.absolute(),
            ready_url=f"{door.url}/health/ready",
            log_file=(logs / f"{name}.log").absolute(),
            stop_grace_s=5.0,
            start_timeout_s=60.0,
            listen_fd=descriptor,
        )
