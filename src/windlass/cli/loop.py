"""Runs the event loop of a command: fast where uvloop is, cancelled in good order by Ctrl-C, SIGTERM and a lost terminal."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 20.0
"""Seconds that closing in good order may take, before one more signal ends it at once."""


def run(work: Coroutine[Any, Any, Result], *, patience_s: float = PATIENCE_S) -> Result:
    """The result of `work`; raises KeyboardInterrupt after everything in it was closed, whichever signal asked for it."""
    gc.freeze()  # what is loaded by now lives as long as the command: the collector need not look at it again
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_watched(work, patience_s))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in before.items():  # uvloop leaves its own, which sleep once their loop is closed
            signal.signal(number, handler or signal.SIG_DFL)


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: a thousand agents are a thousand connections."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1_048_576) if hard != resource.RLIM_INFINITY else 65_536, hard))


async def _watched(work: Coroutine[Any, Any, Result], patience_s: float) -> Result:
    """The first signal cancels the work; more of them, as of a Ctrl-C pressed twice, cut nothing short that closes in good time."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("no task runs this coroutine")
    loop = asyncio.get_running_loop()
    asked_at: list[float] = []

    def stop() -> None:
        if not asked_at:
            task.cancel()
        elif loop.time() > asked_at[0] + patience_s:
            raise KeyboardInterrupt
        asked_at.append(loop.time())

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and a shell's background jobs, ask to be left alone
            loop.add_signal_handler(number, stop)
    return await work


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
