"""The process backend: start a keeper per service, observe what runs, stop it and see that it is gone.

What it reports was observed, in the state file and in the process table, never concluded from having asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windlass.errors import Unavailable, UnusableRecord
from windlass.windows import kept, orders, processes
from windlass.windows.kept import Kept
from windlass.windows.processes import Process
from windlass.windows.rules import Ended, ServiceState

KEEPER = Path(__file__).with_name("keeper.py")
START_S = 15.0
"""A keeper that has not said within this time that its service runs, or why not, is given up."""
ANSWER_S = 2.0
"""A keeper that was asked to close has the service's grace and this long, before its tree is killed for it."""
SWEEP_S = 3.0
"""How long the end of killed processes is waited for, before the service is called stuck."""
_LOADER = frozenset({"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})  # some Pythons need them to start; a keeper needs nothing else
_LOOK_AGAIN_S = 0.01  # where nothing can wake us: a file that another process is about to replace


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One service as it is now; `kept` is None when no keeper ever wrote of it. Lives as long as its reader."""

    service: str
    state: ServiceState
    kept: Kept | None = None
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """How one service was found after it was stopped; `was_running` says whether there was anything to stop."""

    service: str
    state: Literal["closed", "stuck"]
    was_running: bool
    elapsed_ms: int
    rc: int | None = None
    ended: Ended | None = None
    stdout: str = ""
    stderr: str = ""

    @property
    def log_tail(self) -> str:
        """The last log lines, where both streams of a local process go; `stderr` holds what its keeper says."""
        return self.stdout


def start(order: orders.Order) -> Kept:
    """Start a keeper and return once its service was started; raises Unavailable when the keeper does not come up.

    Blocks, 50 ms as a rule: call it in a thread. A service that can't be started is no error here: its state says so.
    """
    passed = [order.lock_fd] if order.service.listen_fd is None else [order.lock_fd, order.service.listen_fd]
    starter = subprocess.Popen(
        [sys.executable, "-I", "-S", *(["-B"] if sys.dont_write_bytecode else []), str(KEEPER), order.service.name],
        env={name: value for name, value in os.environ.items() if name in _LOADER},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=passed,
    )
    try:
        _, complaint = starter.communicate(order.to_bytes(), timeout=START_S)
    except subprocess.TimeoutExpired as exc:
        starter.kill()
        starter.communicate()
        raise Unavailable(f"{order.service.name}: its keeper did not start within {START_S:g} s") from exc
    found = None if starter.returncode else kept.read(order.state_dir, order.service.name)
    if found is None or found.window_id != order.window_id:
        raise Unavailable(f"{order.service.name}: its keeper failed: {complaint.decode(errors='replace').strip()[-500:] or 'it left no word'}")
    return found


async def set_deadline(state_dir: Path, running: Kept, deadline: orders.Deadline) -> bool:
    """Tell a keeper that its service is open and when it ends; True once the keeper has it, False when the service is ending already."""
    await asyncio.to_thread(orders.write_change, state_dir, running.service, running.window_id, deadline)
    limit = time.monotonic() + ANSWER_S
    while time.monotonic() < limit and await asyncio.to_thread(processes.send, running.keeper, signal.SIGUSR1):
        for _ in range(20):  # the signal is repeated, in case that it came to nothing
            seen = await asyncio.to_thread(observe, running.service, state_dir)
            if seen.state == "open":
                return True
            if seen.state != "opening":
                return False
            await asyncio.sleep(_LOOK_AGAIN_S)
    return False


def observe(service: str, state_dir: Path) -> Observed:
    """How a service is now. A state file that can't be read is `stuck`: what it should tell is not known to be gone."""
    try:
        found = kept.read(state_dir, service)
    except UnusableRecord as exc:
        return Observed(service=service, state="stuck", trouble=str(exc))
    if found is None:
        return Observed(service=service, state="closed", trouble="it was never started")
    if found.state == "closed" or processes.is_running(found.keeper):
        return Observed(service=service, state=found.state, kept=found, trouble=found.error)
    found = kept.read(state_dir, service) or found  # the keeper may have finished between the two looks
    if found.state == "closed":
        return Observed(service=service, state="closed", kept=found, trouble=found.error)
    return Observed(service=service, state="orphaned" if _unkept(found) else "closed", kept=found, trouble="its keeper was killed")


async def ended(running: Kept) -> None:
    """Return as soon as the service's own process is gone."""
    if running.process is not None:
        await gone(running.process, None)


async def stop(services: Iterable[str], state_dir: Path) -> tuple[Stopped, ...]:
    """Stop these services, all at once, and say how each was found afterwards; at most its grace + 6 s for the slowest."""
    return tuple(await asyncio.gather(*(_stop(service, state_dir) for service in services)))


async def _stop(service: str, state_dir: Path) -> Stopped:
    begun = time.monotonic()
    before = await asyncio.to_thread(observe, service, state_dir)
    if before.kept is not None and before.state != "closed":
        await _ask_keeper(before.kept)
        if (await asyncio.to_thread(observe, service, state_dir)).state != "closed":
            await _kill(before.kept, state_dir)
    after = await asyncio.to_thread(observe, service, state_dir)
    found = after.kept
    return Stopped(
        service=service,
        state="closed" if after.state == "closed" else "stuck",
        was_running=before.state != "closed",
        elapsed_ms=round((time.monotonic() - begun) * 1000),
        rc=found.returncode if found else None,
        ended=found.ended if found else None,
        stdout=found.log_tail if found else "",
        stderr=after.trouble[-500:],
    )


async def _ask_keeper(running: Kept) -> None:
    """The ordinary way: the keeper closes. CONT wakes one that somebody has stopped."""
    asked = await asyncio.to_thread(processes.send, running.keeper, signal.SIGTERM)
    if asked:
        await asyncio.to_thread(processes.send, running.keeper, signal.SIGCONT)
        await gone(running.keeper, running.stop_grace_s + ANSWER_S)


async def _kill(running: Kept, state_dir: Path) -> None:
    """The way without the keeper: it is gone, or does not answer. Only processes that are surely of this service are touched."""
    if processes.is_running(running.keeper):
        for group in await asyncio.to_thread(lambda: processes.groups_below(running.keeper.pid, processes.table())):
            processes.send_group(group, signal.SIGKILL)
        told = observe(running.service, state_dir).state
        if not await gone(running.keeper, 1.0) and told != "stuck":  # one that says stuck still works on it, and knows the tree
            processes.send(running.keeper, signal.SIGKILL)
    limit = time.monotonic() + SWEEP_S
    while not processes.is_running(running.keeper) and (left := await asyncio.to_thread(_unkept, running)) and time.monotonic() < limit:
        for process in left:
            processes.send(process, signal.SIGKILL)
        await gone(left[0], _LOOK_AGAIN_S * 5)


def _unkept(running: Kept) -> list[Process]:
    """The processes of a service whose keeper is gone: its first process, and all that carry its mark."""
    first = [running.process] if running.process is not None and processes.is_running(running.process) else []
    return [*first, *(process for process in processes.marked(running.mark) if process not in first)]


async def gone(process: Process, timeout_s: float | None) -> bool:
    """Wait until exactly this process has ended; False when `timeout_s` came first. Woken by the kernel where it has pidfds."""
    with contextlib.ExitStack() as opened:
        ended = asyncio.Event()
        if sys.platform == "linux":
            try:
                descriptor = os.pidfd_open(process.pid)
            except ProcessLookupError:
                return True
            opened.callback(os.close, descriptor)
            loop = asyncio.get_running_loop()
            loop.add_reader(descriptor, ended.set)
            opened.callback(loop.remove_reader, descriptor)  # undone in reverse: before the close
        try:
            async with asyncio.timeout(timeout_s):
                while processes.is_running(process):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(None if sys.platform == "linux" else 0.02):
                            await ended.wait()
        except TimeoutError:
            return not processes.is_running(process)
    return True
