"""One Docker engine, spoken to over its API without blocking the event loop: containers, images and leases.

Every call ends: with its answer, or as Unavailable once the engine has been silent for the timeout.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from docker.api.client import APIClient

from windlass.errors import Unavailable
from windlass.windows.backend import Cost, Damaged, Lease, Observed, RestartPolicy
from windlass.windows.compose import calls, leases
from windlass.windows.compose.calls import Container

Answer = TypeVar("Answer")

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_S = 10.0
"""How long the engine may take for an answer, a stop's grace not counted."""


class Engine:
    """One engine, spoken to over its API. Lives as long as its owner; a connection that broke is made again."""

    def __init__(self, host: str = DEFAULT_HOST, *, answer_s: float = ANSWER_S) -> None:
        self.host = host or DEFAULT_HOST
        self._answer_s = answer_s
        self._threads = ThreadPoolExecutor(calls.AT_ONCE, thread_name_prefix="engine")
        self._client: APIClient | None = None
        self._connecting = threading.Lock()

    def close(self) -> None:
        """Let the threads go; a call that still waits for the engine ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def version(self) -> str:
        """The engine's version; raises Unavailable where none answers."""
        return await self._call("version", calls.version)

    async def images(self, names: Iterable[str]) -> frozenset[str]:
        """Those of these images that are there."""
        wanted = sorted(set(names))
        there = await asyncio.gather(*(self._call("image", partial(calls.has_image, name=name)) for name in wanted))
        return frozenset(name for name, found in zip(wanted, there, strict=True) if found)

    async def containers(self, project: str | None) -> list[Container]:
        """Every container of the project (of any project with None), also ended and one-off ones."""
        return await self._call("containers", partial(calls.containers, project=project))

    async def observe(self, project: str) -> dict[str, Observed]:
        """Every service that the project has a container of; a container that goes meanwhile is gone."""
        return await self.looked_at(await self.containers(project))

    async def looked_at(self, containers: Sequence[Container]) -> dict[str, Observed]:
        """The services of these containers."""
        looks = await asyncio.gather(*(self._call("inspect", partial(calls.observed, container=one)) for one in containers))
        by_service: dict[str, list[Observed]] = {}
        for look in looks:
            if look is not None:
                by_service.setdefault(look.service, []).append(look)
        return {service: calls.together(found) for service, found in by_service.items()}

    async def stop(self, containers: Sequence[str], grace_s: float, *, kill: bool) -> str:
        """Stop these containers at once, so that nothing starts them again; returns what went wrong, or the empty string."""
        troubles = await asyncio.gather(*(self._stop(container, grace_s, kill=kill) for container in containers))
        return "; ".join(dict.fromkeys(trouble for trouble in troubles if trouble))

    async def _stop(self, container: str, grace_s: float, *, kill: bool) -> str:
        try:
            await self._call("stop", partial(calls.stop, container=container, grace_s=grace_s, kill=kill), extra_s=0 if kill else math.ceil(grace_s))
        except Unavailable as failure:
            return str(failure)
        return ""

    async def set_restart(self, containers: Sequence[str], policy: RestartPolicy) -> str:
        """Give these containers the restart policy; returns what went wrong, or the empty string."""
        updates = (self._call("update", partial(calls.set_restart, container=container, policy=policy)) for container in containers)
        troubles = await asyncio.gather(*updates, return_exceptions=True)
        for trouble in troubles:
            if trouble is not None and not isinstance(trouble, Unavailable):
                raise trouble
        return "; ".join(dict.fromkeys(str(trouble) for trouble in troubles if trouble is not None))

    async def log_tail(self, container: str, characters: int) -> str:
        """The last characters of the container's log; empty where it keeps none that can be read."""
        return await self._call("logs", partial(calls.log_tail, container=container, characters=characters))

    async def cost(self, container: str) -> Cost:
        """What the container has used since it started."""
        return await self._call("stats", partial(calls.cost, container=container))

    async def leases(self, project: str | None = None) -> tuple[tuple[Lease, ...], tuple[Damaged, ...]]:
        """The leases of the project (of every project with None), of each window the newest; and those that can't be read."""
        kept, damaged = await self._call("volumes", partial(calls.kept_leases, project=project))
        return leases.newest(kept), tuple(damaged)

    async def put_lease(self, lease: Lease) -> None:
        """Keep this lease in place of any earlier one of its window; raises Fenced for one that was overtaken."""
        await self._call("volumes", partial(calls.put_lease, lease=lease))

    async def drop_lease(self, project: str, window_id: str) -> None:
        """Remove every lease of this window."""
        await self._call("volumes", partial(calls.drop_lease, project=project, window_id=window_id))

    async def _call(self, what: str, act: Callable[[APIClient], Answer], *, extra_s: float = 0.0) -> Answer:
        """The answer, or Unavailable: the wait is bounded here too, since a silent engine may hold a thread longer than its timeout."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._answer_s + extra_s + 1):
                return await loop.run_in_executor(self._threads, self._translated, what, act)
        except TimeoutError:
            raise Unavailable(f"the Docker engine at {self.host} did not answer within {self._answer_s + extra_s + 1:g} s ({what})") from None

    def _translated(self, what: str, act: Callable[[APIClient], Answer]) -> Answer:
        """Foreign errors become ours here, and nowhere else."""
        try:
            with self._connecting:
                client = self._client = self._client or calls.connected(self.host, self._answer_s)
            return act(client)
        except calls.TROUBLES as failure:
            raise Unavailable(f"the Docker engine at {self.host}: {what}: {calls.reason(failure)}") from failure
        except calls.NOT_UNDERSTOOD as failure:
            raise Unavailable(f"the Docker engine at {self.host}: {what}: its answer can't be understood ({calls.reason(failure)})") from failure
