"""Who makes the HTTP calls of a sweep: this process, or a caller that runs where the agents can be reached. What comes back is judged here."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import aiohttp

from windlass.infra import http


class Caller(Protocol):
    """Makes calls until its `async with` ends."""

    async def post(self, url: str, body: bytes, token: str | None, *, timeout_s: float, cap: int) -> http.Answer:
        """What one POST of JSON got. Never raises for what a peer does; raises Unavailable when no more calls can be made at all."""

    def next_command(self, command: str) -> str:
        """A command that looks at an agent, as a person must type it here to look from where the calls are made."""


Calling = Callable[[], AbstractAsyncContextManager[Caller]]
"""Opens the caller of one sweep."""


class _FromHere:
    """Calls from this process. Lives as long as its session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, body: bytes, token: str | None, *, timeout_s: float, cap: int) -> http.Answer:
        """One call over the session."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await http.call(self._session, "POST", url, body=body, headers=headers, timeout_s=timeout_s, cap=cap)

    def next_command(self, command: str) -> str:
        """The command itself."""
        return command


@contextlib.asynccontextmanager
async def from_here() -> AsyncIterator[Caller]:
    """A caller in this process."""
    async with http.session() as session:
        yield _FromHere(session)
