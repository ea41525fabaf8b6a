"""What a command leaves behind when its window stays open: a process of its own that runs the loop until no window is left.

`python -m windlass.windows.power.watcher CONFIG DIRECTORY`. It is there before anything is started, and waits for the loop's lock: a command
that is killed at any moment has left it. It holds no state: killed, it is replaced by the next command, a service, or, for Compose, the
reaper. It ends when the command that left it has ended and nothing is open, or another watcher or a service acts; and when the ledger is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from windlass.errors import WindlassError
from windlass.windows.power import reconcile
from windlass.windows.power.configured import Configured, configured
from windlass.windows.power.controller import controlling

LOG_NAME = "watcher.log"
SURE_S = 2.0
"""Who has the loop's lock for so long beside an open window is not about to end: it looks at the ledger ten times a second."""


def leave(config: Path, directory: Path) -> subprocess.Popen[bytes]:
    """Start a watcher that outlives this process; it stays at least until its `stdin` is closed here. Raises OSError."""
    argv = [sys.executable, "-m", "windlass.windows.power.watcher", str(config.absolute()), str(directory.absolute())]
    with (directory / LOG_NAME).open("ab") as log:
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/")


async def watch(known: Configured, directory: Path) -> None:
    """Run the loop over the windows that `directory` holds, until nothing is open."""
    async with (
        known.backend(directory) as backend,
        controlling(known.policy, backend, directory, audit_dir=known.audit_dir, role="watcher") as controller,
    ):
        other = Other(directory)

        async def enough() -> bool:
            if not await asyncio.to_thread(controller.ledger.path.exists):
                return True
            if not _left_alone():
                return False
            if not controller.reconciler.holds and other.acts():
                return True
            return not await controller.ledger.live() and not await controller.ledger.open_applications()

        await controller.reconciler.run(enough)


class Other:
    """Whoever has the loop's lock while this watcher waits for it. Lives as long as the watcher."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known = ""
        self._since_s = 0.0

    def acts(self) -> bool:
        """Whether a service or another watcher has had it long enough; a command is soon gone."""
        holding = reconcile.holder(self._directory) or ""
        if holding != self._known:
            self._known, self._since_s = holding, time.monotonic()
        return holding.startswith(("service", "watcher")) and time.monotonic() > self._since_s + SURE_S


def _left_alone() -> bool:
    """Whether the command that left this watcher has closed its end: nobody writes to it, so that it can be read only when it ends."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(arguments: list[str]) -> int:
    """Watch; returns the exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it stays when the terminal goes
    config, directory = map(Path, arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            table = tomllib.loads(config.read_text("utf-8")).get("windows", {})
            asyncio.run(watch(configured(table, str(config), config.parent), directory))
    except (WindlassError, OSError, ValueError) as failure:
        sys.stderr.write(f"{os.getpid()}: {failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
