"""Running `docker`: argument lists, no shell, an environment that holds no option of Compose, and an end for every command."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
TIMED_OUT = 124
NOT_FOUND = 127
SLACK_S = 5.0
"""A launcher that has not ended this long after its time is killed itself."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One command that has ended. Lives as long as its reader."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: str
    elapsed_ms: int


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What `docker` gets: nothing that changes what Compose does behind the arguments' back, neither here nor from a `.env` file."""
    kept = {name: value for name, value in given.items() if not name.startswith("COMPOSE_")}
    return {**kept, "COMPOSE_REMOVE_ORPHANS": "false", "COMPOSE_IGNORE_ORPHANS": "true", "COMPOSE_ANSI": "never", "DOCKER_CLI_HINTS": "false"}


async def run(argv: Sequence[str], given: Mapping[str, str], directory: Path, timeout_s: float) -> Ran:
    """Run a command to its end, `timeout_s` at most; it ends with this process, too. A program that is not there is returncode 127."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        *(["-B"] if sys.dont_write_bytecode else []),
        str(LAUNCHER),
        f"{max(0.0, timeout_s):.3f}",
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env=environment(given),
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s + SLACK_S):
            stdout, stderr = await _output(process)
    except TimeoutError:
        stdout, stderr = b"", b"the command could not be ended"
    finally:
        if process.stdin is not None:
            process.stdin.close()  # a cancelled asker leaves no command behind: the launcher ends it
        if process.returncode is None:
            await _end(process)
    return Ran(
        argv=tuple(argv),
        returncode=TIMED_OUT if process.returncode is None else process.returncode,
        stdout=stdout,
        stderr=stderr.decode("utf-8", "replace"),
        elapsed_ms=round((time.monotonic() - started) * 1000),
    )


async def _output(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Both streams to their end; stdin stays open meanwhile, since closing it ends the command."""
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the streams of a command are pipes")
    stdout, stderr = await asyncio.gather(process.stdout.read(), process.stderr.read())
    await process.wait()
    return stdout, stderr


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(1.0):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, 9)
        await process.wait()
