"""Whether a service answers: plain HTTP GETs, until one is answered with 200."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import SplitResult, urlsplit

_ATTEMPT_S = 5.0  # a service that takes connections but lost the first request is asked again
_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25


async def wait_for_200(url: str, timeout_s: float) -> str:
    """Ask until the URL answers 200: then the empty string; after `timeout_s`, what the last attempt met with."""
    pause, last = _PAUSE_S, "no answer"
    try:
        async with asyncio.timeout(timeout_s):
            while (last := await _attempt(urlsplit(url), last)) != "200":
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_S)
    except TimeoutError:
        return last
    return ""


async def is_taken(url: str) -> bool:
    """Whether somebody already takes connections where the URL points."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except (OSError, TimeoutError):
        return False
    await _close(writer)
    return True


async def _attempt(parts: SplitResult, last: str) -> str:
    try:
        async with asyncio.timeout(_ATTEMPT_S):
            return await _status(parts)
    except TimeoutError:
        return f"no answer within {_ATTEMPT_S:g} s"
    except (OSError, ValueError) as exc:  # ValueError: a line longer than the reader's limit
        return str(exc) or last


async def _status(parts: SplitResult) -> str:
    """The status code of one GET, or what was answered instead of one."""
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: windlass\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).decode("latin-1").split(maxsplit=2)
    finally:
        await _close(writer)
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        return "the answer is not HTTP" if words else "the connection was closed without an answer"
    return words[1] if words[1] == "200" else f"status {words[1]}"


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
