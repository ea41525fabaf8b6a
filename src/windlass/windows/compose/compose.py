"""The compose backend: what it promises stands at `windlass.windows.backend.Backend`.

It opens by one `docker compose up -d --no-deps --no-recreate` for all services, from the same files that a person would use, so that the
containers are those that Compose itself would make; everything else goes over the Engine API, which answers in a tenth of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from windlass.errors import Refused, Unavailable
from windlass.infra import instants
from windlass.windows import moments
from windlass.windows.backend import (
    NO_RESTART,
    OUTPUT_CHARACTERS,
    TIMED_OUT,
    Closure,
    Cost,
    Lease,
    Moment,
    Observation,
    Observed,
    Outcome,
    restore_of,
)
from windlass.windows.compose import command, config, leases
from windlass.windows.compose.config import Project
from windlass.windows.compose.engine import ANSWER_S, DEFAULT_HOST, Engine

LEAST_COMPOSE = (2, 20)
"""The first with `include`; earlier ones resolve less than what would start."""
CONFIG_S = 15.0
"""How long resolving the configuration may take."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the Compose project is. Lives as long as its backend; `environment` is what `docker` inherits."""

    project: str
    files: tuple[str, ...]
    directory: Path
    docker: str = "docker"
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


class Compose:
    """One Compose project on one engine. Lives as long as its `async with`; all that must survive it is in the engine."""

    def __init__(self, place: Place, *, clock: instants.Clock = instants.now, answer_s: float = ANSWER_S) -> None:
        self._place = place
        self._answer_s = answer_s
        self._clock = clock
        self._engine: Engine | None = None
        self._project: Project | None = None
        self._finding = asyncio.Lock()
        self._is_new_enough = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()

    async def preflight(self) -> None:
        """See the protocol. What is missing is said one by one: the program, its Compose, the engine, the files."""
        await self._check_version()
        engine = await self._to_engine()
        await engine.version()
        await self._resolve()

    async def _check_version(self) -> None:
        ran = await self._run((self._place.docker, "compose", "version", "--short"), CONFIG_S)
        if ran.returncode == command.NOT_FOUND:
            raise self._no_docker()
        if ran.returncode:
            raise Unavailable(f"docker compose: does not answer; Compose v2 is needed ({_last_line(ran.stderr)})")
        if _version(version := ran.stdout.decode("utf-8", "replace").strip()) < LEAST_COMPOSE:
            least = ".".join(map(str, LEAST_COMPOSE))
            raise Unavailable(f"docker compose: {version[:80]} is too old, {least} or later is needed")
        self._is_new_enough = True

    def _no_docker(self) -> Unavailable:
        return Unavailable(f'{self._place.docker}: no such program; install the Docker CLI, or set [windows] backend = "process"')

    async def closure(self, services: Sequence[str], *, digest: str = "") -> Closure:
        """See the protocol."""
        known = self._project if self._project is not None and digest and self._project.digest == digest else None
        return config.closure(known or await self._resolve(), services)

    async def observe(self) -> Observation:
        """See the protocol. Three round trips to the engine, however many services there are."""
        engine = await self._to_engine()
        project = await self._known()
        (there, (held, damaged)) = await asyncio.gather(engine.observe(self._place.project), engine.leases(self._place.project))
        configured = frozenset(project.facts) if project is not None else frozenset(there)
        services = {name: Observed(service=name, state="absent") for name in sorted(configured)}
        services |= {name: replace(one, in_configuration=name in configured) for name, one in sorted(there.items())}
        return Observation(services=services, leases=held, damaged=damaged)

    async def start(self, services: Sequence[str], lease: Lease, *, timeout_s: float, digest: str = "") -> tuple[Outcome, ...]:
        """See the protocol. A service whose image is not there is left out, so that the others come up."""
        begun = time.monotonic()
        self._check(services, lease)
        limit = min(begun + timeout_s, begun + _left_s(lease, moments.now(self._clock)))  # what starts later than the deadline, nobody would stop
        engine = await self._to_engine()
        project, before = await asyncio.gather(self._resolve(), self.observe())
        if digest and project.digest != digest:
            raise Refused("the Compose configuration changed while the window was being opened; ask again")
        if strangers := sorted(set(services) - set(project.facts)):
            raise Refused(f"services: the Compose configuration has no {', '.join(strangers)}")
        missing = [name for name in services if name not in lease.restore]
        await engine.put_lease(replace(lease, restore={**restore_of(before, missing), **lease.restore}))
        left_out = await self._without_image(services, project, before)
        wanted = tuple(name for name in services if name not in left_out)
        outcomes = {one.service: one for one in left_out.values()}
        if wanted:
            outcomes |= await self._up(wanted, limit)
        await self._give_back([name for name in wanted if not before.services[name].is_alive], project)  # what ran already stays as it was
        return tuple(outcomes[name] for name in services)

    async def stop(self, services: Sequence[str], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
        """See the protocol. Every container of a service is stopped, its one-off ones too."""
        engine = await self._to_engine()
        containers = await engine.containers(self._place.project)
        return await stop_all(engine, {name: [one.id for one in containers if one.service == name] for name in services}, grace_s, kill=kill)

    async def put_lease(self, lease: Lease) -> None:
        """See the protocol."""
        self._check(lease.services, lease)
        engine = await self._to_engine()
        await engine.put_lease(lease)

    async def drop_lease(self, window_id: str) -> None:
        """See the protocol."""
        engine = await self._to_engine()
        await engine.drop_lease(self._place.project, window_id)

    async def log_tail(self, service: str, characters: int) -> str:
        """See the protocol."""
        engine = await self._to_engine()
        project = await self._known()
        found = (await engine.observe(self._place.project)).get(service)
        text = "" if found is None else await engine.log_tail(found.id, characters)
        return (text if project is None else project.redactor.text(text))[-characters:] if characters > 0 else ""

    async def cost(self, services: Sequence[str]) -> Mapping[str, Cost]:
        """See the protocol. Several containers of one service are added up."""
        engine = await self._to_engine()
        containers = [one for one in await engine.containers(self._place.project) if one.service in set(services)]
        costs = await asyncio.gather(*(engine.cost(one.id) for one in containers))
        found = {name: Cost() for name in services}
        for container, cost in zip(containers, costs, strict=True):
            found[container.service] = _added(found[container.service], cost)
        return found

    def _check(self, services: Sequence[str], lease: Lease) -> None:
        if not services:
            raise Refused("services: a window needs at least one service")  # `up` without names would start all
        if unheld := sorted(set(services) - set(lease.services)):
            raise Refused(f"services: the lease of window {lease.window_id} does not hold {', '.join(unheld)}")  # nobody would stop it
        if lease.project != self._place.project:
            raise Refused(f"project: this backend is that of {self._place.project}, not of {lease.project}")
        if not leases.can_identify(lease.window_id):
            raise Refused("window_id: can't name a lease; use letters, digits, '_', '-' and '.'")
        if lease.is_due(moments.now(self._clock)):
            raise Refused(f"window {lease.window_id}: its deadline has passed; nothing is started for it")

    async def _to_engine(self) -> Engine:
        """The engine that the `docker` command itself talks to: its host variable, else its current context."""
        async with self._finding:
            if self._engine is None:
                host = self._place.environment.get("DOCKER_HOST") or await self._context_host()
                self._engine = Engine(host, answer_s=self._answer_s)
            return self._engine

    async def _context_host(self) -> str:
        ran = await self._run((self._place.docker, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"), CONFIG_S)
        host = ran.stdout.decode("utf-8", "replace").strip()
        return host if ran.returncode == 0 and host else DEFAULT_HOST

    async def _known(self) -> Project | None:
        """The configuration as it was last read; a broken one must not hide what runs."""
        if self._project is None:
            with contextlib.suppress(Refused, Unavailable):
                return await self._resolve()
        return self._project

    async def _resolve(self) -> Project:
        """The configuration as it is now; raises Refused with Compose's own words where it is none."""
        if not self._is_new_enough:
            await self._check_version()
        ran = await self._run(self._compose("config", "--format", "json"), CONFIG_S)
        if ran.returncode == command.NOT_FOUND:
            raise self._no_docker()
        if ran.returncode == command.TIMED_OUT:
            raise Unavailable(f"docker compose config: no end within {CONFIG_S:g} s")
        if ran.returncode:
            raise Refused(f"{', '.join(self._place.files)}: {_last_line(ran.stderr)}")
        host = self._place.environment.get("DOCKER_HOST", "")
        own = (host.removeprefix("unix://"), posixpath.realpath(host.removeprefix("unix://"))) if host.startswith("unix://") else ()
        self._project = config.parsed(ran.stdout, (*config.ENGINE_SOCKETS, *own))
        return self._project

    async def _without_image(self, services: Sequence[str], project: Project, before: Observation) -> dict[str, Outcome]:
        """A failed outcome for each service that has no container yet and no image to make one from."""
        engine = await self._to_engine()
        images = {name: image for name in services if not before.services[name].ids and (image := project.facts[name].image)}
        there = await engine.images(images.values())
        return {
            name: Outcome(service=name, returncode=1, elapsed_ms=0, stderr=f"image {image}: is not there; build or pull it first: opening never does")
            for name, image in images.items()
            if image not in there
        }

    async def _up(self, services: Sequence[str], limit: float) -> dict[str, Outcome]:
        """One command for all. Where it fails it may have given up the others for one: then each that is not up is tried alone."""
        first = await self._up_once(services, limit)
        if first[services[0]].returncode in {0, TIMED_OUT} or len(services) == 1:
            return first
        seen = await self.observe()
        again = [name for name in services if not seen.services[name].is_alive]
        alone = await asyncio.gather(*(self._up_once([name], limit) for name in again))
        outcomes = {name: replace(one, returncode=0) for name, one in first.items() if name not in again}
        return outcomes | {name: one[name] for name, one in zip(again, alone, strict=True)}

    async def _up_once(self, services: Sequence[str], limit: float) -> dict[str, Outcome]:
        flags = ("--detach", "--no-deps", "--no-recreate", "--no-build", "--pull", "never", "--quiet-pull")
        ran = await self._run(self._compose("up", *flags, "--", *services), limit - time.monotonic())
        return {name: self._outcome(name, ran) for name in services}

    async def _give_back(self, services: Sequence[str], project: Project) -> None:
        """The restart policies that a close took away; only to what runs: a container at rest with one would come back with the engine."""
        engine = await self._to_engine()
        there = await engine.observe(self._place.project)
        taken = [
            there[name]
            for name in services
            if name in there and there[name].is_alive and there[name].restart_policy == NO_RESTART and project.facts[name].restart.returns
        ]
        await asyncio.gather(*(engine.set_restart(one.ids, project.facts[one.service].restart) for one in taken))

    def _compose(self, *arguments: str) -> tuple[str, ...]:
        """The command for this project and no other; every profile counts, since the window decides what starts and not a profile."""
        files = [word for name in self._place.files for word in ("--file", name)]
        project = ("--project-name", self._place.project, "--project-directory", str(self._place.directory))
        return (self._place.docker, "compose", *project, *files, "--profile", "*", "--ansi", "never", "--progress", "quiet", *arguments)

    async def _run(self, argv: Sequence[str], timeout_s: float) -> command.Ran:
        environment = dict(self._place.environment)
        if self._engine is not None:
            environment["DOCKER_HOST"] = self._engine.host  # the command and the API must speak to the same engine
        try:
            return await command.run(argv, environment, self._place.directory, timeout_s)
        except OSError as failure:  # the launcher could not be started: most of all, the directory is gone
            raise Unavailable(f"{failure.filename or self._place.directory}: {failure.strerror}") from failure

    def _outcome(self, service: str, ran: command.Ran) -> Outcome:
        redact = self._project.redactor.text if self._project is not None else str
        said = f"ended after {ran.elapsed_ms / 1000:.1f} s, its time was up\n{ran.stderr}" if ran.returncode == TIMED_OUT else ran.stderr
        return Outcome(
            service=service,
            returncode=ran.returncode,
            elapsed_ms=ran.elapsed_ms,
            argv=ran.argv,
            stdout=redact(ran.stdout.decode("utf-8", "replace").strip())[-OUTPUT_CHARACTERS:],
            stderr=redact(said.strip())[-OUTPUT_CHARACTERS:],
        )


async def stop_all(engine: Engine, containers: Mapping[str, Sequence[str]], grace_s: float, *, kill: bool) -> tuple[Outcome, ...]:
    """Stop the containers of each service, everything at once; what the backend and the reaper both do."""
    return tuple(await asyncio.gather(*(_stop_one(engine, name, ids, grace_s, kill=kill) for name, ids in containers.items())))


async def _stop_one(engine: Engine, service: str, containers: Sequence[str], grace_s: float, *, kill: bool) -> Outcome:
    begun = time.monotonic()
    trouble = await engine.stop(containers, grace_s, kill=kill)
    elapsed = round((time.monotonic() - begun) * 1000)
    return Outcome(service=service, returncode=1 if trouble else 0, elapsed_ms=elapsed, stderr=trouble[-OUTPUT_CHARACTERS:])


def _left_s(lease: Lease, now: Moment) -> float:
    """Seconds to the deadline by the earlier clock."""
    by_wall = (lease.deadline_ms - now.epoch_ms) / 1000
    return min(by_wall, lease.deadline_uptime_s - now.uptime_s) if lease.boot_id == now.boot_id else by_wall


def _added(one: Cost, other: Cost) -> Cost:
    cpu = [value for value in (one.cpu_s, other.cpu_s) if value is not None]
    peak = [value for value in (one.peak_memory_bytes, other.peak_memory_bytes) if value is not None]
    memory = [value for value in (one.memory_bytes, other.memory_bytes) if value is not None]
    return Cost(
        cpu_s=round(sum(cpu), 3) if cpu else None,
        peak_memory_bytes=sum(peak) if peak else None,
        memory_bytes=sum(memory) if memory else None,
    )


def _version(text: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0,)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-OUTPUT_CHARACTERS:] if lines else "no message"
