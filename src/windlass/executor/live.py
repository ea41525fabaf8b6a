"""Lets agents GET from the live sources that the operator allows, and from nothing else.

Steps run in threads; the calls are made on the service's event loop, through the one guarded client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from windlass.agents.sources import PUBLIC, Source
from windlass.errors import AgentError, Refused
from windlass.infra import addresses, http

TIMEOUT_S = 30.0
MAX_BODY = 32 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a run may reach: source → base URL, and how. Lives as long as the service."""

    sources: Mapping[Source, str]
    fetch: Callable[[str], bytes]


def allowed(names: str | None, bases: Mapping[Source, str | None]) -> dict[Source, str]:
    """The sources named in a comma list, each with its base URL (the public one without another); raises Refused that names the setting."""
    chosen: dict[Source, str] = {}
    for name in (part.strip() for part in (names or "").split(",") if part.strip()):
        known = {source: source for source in PUBLIC}
        source = known.get(name)  # type: ignore[call-overload]  # a stranger's word is looked up among ours
        if source is None:
            raise Refused(f"WINDLASS_LIVE_SOURCES: {name!r} is no source; known are {', '.join(PUBLIC)}")
        try:
            chosen[source] = addresses.base_url(bases.get(source) or PUBLIC[source])
        except ValueError as failure:
            raise Refused(f"WINDLASS_{source.upper()}_URL: {failure}") from failure
    return chosen


def opened(sources: Mapping[Source, str], client: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> Live:
    """The access to `sources` through `client`, whose loop is `loop`; `fetch` blocks and must be called in another thread."""

    def fetch(url: str) -> bytes:
        if not any(url.startswith(f"{base}/") for base in sources.values()):
            raise AgentError("SOURCE_NOT_ALLOWED", "the URL belongs to no source that the operator allows")
        call = http.call(client, "GET", url, timeout_s=TIMEOUT_S, cap=MAX_BODY)
        answer = asyncio.run_coroutine_threadsafe(call, loop).result(TIMEOUT_S + 5)
        if answer.fault or answer.status != 200:
            reason = answer.detail if answer.fault else f"HTTP {answer.status}"
            raise AgentError("SOURCE_UNAVAILABLE", f"a live source did not answer: {reason}")
        return answer.body

    return Live(sources=dict(sources), fetch=fetch)
