"""Starts what a benchmark measures as processes of its own, in a directory of its own, and ends exactly those."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
WINDLASS = (sys.executable, "-m", "windlass")
TOKEN = "bench-token-of-nobody"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A whole process as the kernel accounts for it: wall clock and CPU in seconds, peak memory in MiB."""

    code: int
    stdout: bytes
    stderr: str
    seconds: float
    cpu_s: float
    peak_mib: float


def environment(place: Path) -> dict[str, str]:
    """Ours and the peer's alike: none of this machine's settings, and compiled modules kept in `place`, as an installed program has them."""
    left_out = {"PYTHONDONTWRITEBYTECODE", "ORCHESTRATOR_URL", "AGENT_ENDPOINTS_JSON", "MODE", "RISK_TIER", "TIMEOUT_SECS", "GITHUB_STEP_SUMMARY"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out and not name.startswith("WINDLASS_")}
    return {**kept, "PYTHONPYCACHEPREFIX": str(place / "compiled"), "WORKER_SERVICE_TOKEN": TOKEN}


def ended(argv: Sequence[str], place: Path) -> Ended:
    """Run a program to its end in `place`; its output is kept in files there, so that no pipe can stop it."""
    with (place / "stdout").open("w+b") as out, (place / "stderr").open("w+b") as err:
        started = time.perf_counter()
        child = subprocess.Popen(argv, cwd=place, env=environment(place), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, used = os.wait4(child.pid, 0)  # not `child.wait()`: only this says what the process used
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        return Ended(
            code=child.returncode,
            stdout=out.read(),
            stderr=err.read().decode("utf-8", "replace"),
            seconds=seconds,
            cpu_s=used.ru_utime + used.ru_stime,
            peak_mib=used.ru_maxrss / 1024,
        )


@contextmanager
def serving(argv: Sequence[str], path: str, place: Path) -> Iterator[tuple[str, int]]:
    """The base URL and process id of a server that is handed its listening socket as `--fd`, once it answers `path`."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        port = listener.getsockname()[1]
        given = [*argv, "--fd", str(listener.fileno())]
        with (place / f"served-{port}.log").open("wb") as log:
            process = subprocess.Popen(given, pass_fds=[listener.fileno()], cwd=place, env=environment(place), stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        try:
            urllib.request.urlopen(url + path, timeout=60).close()
        except OSError as failure:
            raise RuntimeError(f"{argv[-1]} did not come up: {(place / f'served-{port}.log').read_text()[-2000:]}") from failure
        yield url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def cpu_s(pid: int) -> float:
    """CPU seconds that a running process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def allow_many_files() -> None:
    """Raise this process's limit of open files to what it may have; its children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
