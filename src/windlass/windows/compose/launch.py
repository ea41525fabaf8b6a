"""The launcher program: `python -I -S launch.py SECONDS COMMAND...` runs a command that can't outlive its time, nor whoever asked for it.

It ends the command with its whole process group after SECONDS, and as soon as its own stdin is closed, which the kernel does when the
asker dies, however it dies. A `docker compose up` that goes on by itself would start services that nobody waits for any more.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))  # -I and -S leave only the standard library to import from

from windlass.windows import prctl

TIMED_OUT, ABANDONED, NOT_FOUND = 124, 125, 127


def main(arguments: Sequence[str]) -> int:
    """The command's exit code, or one of those above; minus the number of a signal becomes 128 + that number, as in a shell."""
    limit = time.monotonic() + float(arguments[0])
    wake, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        child = subprocess.Popen(
            arguments[1:],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=functools.partial(prctl.die_with, os.getpid()),  # noqa: PLW1509  # safe: this process has one thread
        )
    except OSError as failure:
        os.write(2, f"{arguments[1]}: {failure.strerror}\n".encode())
        return NOT_FOUND
    while child.poll() is None:
        left = limit - time.monotonic()
        heard = select.select([0, wake], [], [], max(0.0, left))[0]
        if wake in heard:
            os.read(wake, 4096)
        elif 0 in heard or left <= 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return ABANDONED if 0 in heard else TIMED_OUT
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
