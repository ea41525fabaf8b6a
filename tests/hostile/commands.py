"""The real command in a place of its own, with the environment, limits and streams that a test wants; and what it left running."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

WINDLASS = [sys.executable, "-m", "windlass"]
PATIENCE_S = 30.0
TOKEN = "a-token-that-is-none-of-theirs"
FLEET = """
name: mine
agents: {a: {url: "http://127.0.0.1:9"}}
tasks: {T: {agent: a, examples: [{inputs: {n: 1}}, {inputs: {n: 2}}], invalid_example: {}}}
"""


def environment(**more: str) -> dict[str, str]:
    """Little of this process's environment; no byte code is written, because a limit on file sizes would cut it short."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"} or name.startswith("COVERAGE_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


def windlass(place: Path, *arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in `place`; `variables` go into its environment, the rest to `subprocess.run`."""
    variables = options.pop("variables", {})
    if "stdout" not in options:
        options["stdout"] = subprocess.PIPE
    if "stderr" not in options:
        options["stderr"] = subprocess.PIPE
    return subprocess.run([*WINDLASS, *arguments], cwd=place, env=environment(**variables), text=True, timeout=60, check=False, **options)


def started(place: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command in `place`, its streams in pipes unless said otherwise."""
    variables = options.pop("variables", {})
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*WINDLASS, *arguments], cwd=place, env=environment(**variables), text=True, **streams)


def files_no_larger_than(size: int) -> Callable[[], None]:
    """For `preexec_fn`: every write beyond this size fails, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def ignoring(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: what nohup does."""
    return lambda: _ignore(number)


def _ignore(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)


def run_of(place: Path) -> Path | None:
    """The directory of the one run that was begun below `place`."""
    return next(iter(place.glob(".windlass/prove/run_*")), None)


def status(place: Path) -> str:
    """What RUN.json of the one run says of it."""
    run = run_of(place)
    assert run is not None
    found: str = orjson.loads((run / "record/RUN.json").read_bytes())["status"]
    return found


def window_is_opening(place: Path) -> bool:
    """Whether the first service of the run has a keeper."""
    run = run_of(place)
    return run is not None and any((run / "logs").glob("*/window.json"))


def left_running(place: Path) -> list[str]:
    """Command lines of live processes of Windlass that work in `place` or were told of it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            directory = str((entry / "cwd").readlink())
        except OSError:
            continue
        if state != "Z" and "windlass" in words and (str(place) in words or directory.startswith(str(place))):
            found.append(words)
    return found


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` found, as soon as it finds anything."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_S} s in vain for {what}")
