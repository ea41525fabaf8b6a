"""The process table: which process is which, what runs below another, and signals that reach no stranger."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process for ever: pid and start (`<boot>/<clock ticks since boot>`), so that a reused pid is another process."""

    pid: int
    started: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the process table at one moment; `ended`: only its exit status is left of it."""

    process: Process
    parent: int
    group: int
    ended: bool


def identify(pid: int) -> Process | None:
    """The process that has this pid now, or None."""
    found = row(pid)
    return None if found is None or found.ended else found.process


def is_running(process: Process) -> bool:
    """Whether exactly this process still runs; an ended one that nobody has reaped does not."""
    return identify(process.pid) == process


def send(process: Process, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone. With a pidfd there is no moment in which the pid could change hands."""
    if not is_running(process):
        return False
    try:
        if sys.platform == "linux":
            descriptor = os.pidfd_open(process.pid)
            try:
                if not is_running(process):
                    return False
                signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def send_group(group: int, number: signal.Signals) -> None:
    """Signal a whole process group at once, so that no member can fork away in between; nothing happens when it is gone."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # PermissionError: macOS says so of a group of zombies
        return


def table() -> list[Row]:
    """Every process that this one may see (Linux); elsewhere nothing."""
    if sys.platform == "linux":
        found = (row(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208  # names, thousands of them: no Path objects
        return [line for line in found if line is not None]
    else:  # noqa: RET505  # the type checker follows platforms by branch
        return []


def groups_below(root: int, rows: Iterable[Row]) -> frozenset[int]:
    """The process groups of all descendants of `root`, its own group excepted. Pure.

    The descendants must have been started in sessions of their own: a group never spans sessions, so no group here holds a stranger.
    """
    found = list(rows)
    own = next((line.group for line in found if line.process.pid == root), root)
    children: dict[int, list[Row]] = {}
    for line in found:
        children.setdefault(line.parent, []).append(line)
    groups, parents = set[int](), [root]
    while parents:
        for line in children.pop(parents.pop(), ()):
            parents.append(line.process.pid)
            groups.add(line.group)  # of ended ones too: threads may outlive the first one, and an unreaped pid is not reused
    return frozenset(groups - {own, 0})


def marked(mark: str) -> list[Process]:
    """The running processes whose environment began with the variable `mark` (`NAME=value`), wherever they were re-parented to (Linux)."""
    wanted = b"\0" + mark.encode() + b"\0"
    return [line.process for line in table() if not line.ended and wanted in b"\0" + _environment(line.process.pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or another user's
        return b""


def row(pid: int) -> Row | None:
    """The line of this pid now; an ended process that nobody has reaped has one."""
    return _row_by_proc(pid) if sys.platform == "linux" else _row_by_ps(pid)


def _row_by_proc(pid: int) -> Row | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  # read for every process: Path would double the cost
            stat = file.read()
    except OSError:
        return None
    after_name = stat[stat.rindex(b")") + 2 :].split()  # a program may put anything in its name, ')' included
    started = f"{_boot()}/{after_name[19].decode()}"
    return Row(
        process=Process(pid=pid, started=started),
        parent=int(after_name[1]),
        group=int(after_name[2]),
        ended=after_name[0] in {b"Z", b"X", b"x"},
    )


@functools.cache
def _boot() -> str:
    """Ticks since boot begin anew at each boot: a state file that outlived one must not point at anybody."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


def _row_by_ps(pid: int) -> Row | None:
    shown = subprocess.run(["/bin/ps", "-o", "stat=,ppid=,pgid=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    words = shown.stdout.split(maxsplit=3)
    if len(words) < 4:
        return None
    return Row(process=Process(pid=pid, started=words[3].strip()), parent=int(words[1]), group=int(words[2]), ended=words[0].startswith("Z"))
