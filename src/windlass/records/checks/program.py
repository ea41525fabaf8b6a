"""Runs one program to its end, or to its deadline: no shell, little environment, no output but its tail, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from windlass.infra import escapes
from windlass.infra.redaction import SHORTEST, Redactor

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""All that a command has of our environment: no token, no password."""
KEPT = 64 * 1024
"""Bytes of output that are held while the program runs; the rest is read and dropped, so that it never waits for a reader."""
TAIL_LINES = 40
TAIL_WIDTH = 400
_SECRET_NAMES = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY")
_SHORTEST_SECRET, _LONGEST_SECRET = 8, 8 * 1024
_POLL_S = 0.02
_DRAIN_S = 1.0
_MARK = "WINDLASS_COMMAND_ID"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a program ended: its exit status, or the signal that ended it, or neither when it could not be started (`problem` says why)."""

    exit: int | None = None
    signal: str | None = None
    timed_out: bool = False
    problem: str | None = None
    tail: tuple[str, ...] = ()
    """The last lines of its output, secrets and invisible characters made harmless."""


def run(argv: Sequence[str], *, cwd: Path, timeout_s: float, env: Mapping[str, str] | None = None, lent: Iterable[str] = ()) -> Ran:
    """Run `argv` in `cwd` and wait at most `timeout_s`; when this returns or raises, every process that it left is killed.

    `lent`: secrets that are no part of our own environment, and that must not stand in the tail either.
    """
    mark = secrets.token_hex(16)
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | dict(env or {}) | {_MARK: mark}
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as failure:
        return Ran(problem=f"can't be started: {getattr(failure, 'strerror', None) or failure}")
    if process.stdout is None:
        raise AssertionError("a pipe was asked for")
    output = _Tail(process.stdout.fileno())
    try:
        in_time = _ended(process.pid, output, time.monotonic() + timeout_s)
    finally:
        _end(process, mark)
        output.drain()
        process.stdout.close()
    status = process.returncode
    tail = _shown(output.content(), lent)
    if not in_time:
        return Ran(timed_out=True, tail=tail)
    return Ran(exit=status, tail=tail) if status >= 0 else Ran(signal=_name(-status), tail=tail)


class _Tail:
    """The end of what a program writes. Lives as long as the program."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = bytearray()
        self._read = 0
        self.open = True
        os.set_blocking(descriptor, False)

    def read(self, timeout_s: float) -> bool:
        """Whether something came within that time."""
        if not select.select([self._descriptor] if self.open else [], [], [], timeout_s)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._descriptor, KEPT)
            self.open = bool(chunk)
            self._read += len(chunk)
            self._kept += chunk
            del self._kept[:-KEPT]
        return self.open

    def drain(self) -> None:
        """Take what still lies in the pipe. Somebody who holds it and writes for ever is not waited for."""
        until = time.monotonic() + _DRAIN_S
        while self.open and time.monotonic() < until and self.read(0):
            pass

    def content(self) -> bytes:
        """The last bytes; where some were dropped, a few more are, lest the end of a secret stands there without its beginning."""
        return bytes(self._kept[_LONGEST_SECRET if self._read > KEPT else 0 :])


def _ended(pid: int, output: _Tail, deadline: float) -> bool:
    """Whether the program ended before the deadline. It is not reaped here: as long as it is not, its process group is its own."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        output.read(min(_POLL_S, left))
    return True


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(3):  # one that is just being forked is found on the next look
        left = list(_left_behind(f"{_MARK}={mark}".encode()))
        if not left:
            return
        for descriptor in left:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], _DRAIN_S)  # readable when it has died
            os.close(descriptor)


def _left_behind(mark: bytes) -> Iterator[int]:
    """A descriptor of every process that has our mark in its environment: one that left the group still carries it. Linux only."""
    if not hasattr(os, "pidfd_open"):
        return
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(int(entry.name))  # first, so that what is read and what is killed are one process
            try:
                ours = mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                ours = False
            if ours:
                yield descriptor
            else:
                os.close(descriptor)


def _shown(content: bytes, lent: Iterable[str]) -> tuple[str, ...]:
    """The last lines, redacted before they are cut: the first part of a secret would not be found."""
    text = _redactor(lent).bytes(content).decode("utf-8", "replace")
    lines = [escapes.cut(escapes.visible(line[: 4 * TAIL_WIDTH]), TAIL_WIDTH) for line in text.splitlines()[-TAIL_LINES:]]
    return tuple(lines)


def _redactor(lent: Iterable[str]) -> Redactor:
    """Knows what the program was lent, and the secrets of our own environment: the program does not have them, but may read them from a file."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST_SECRET and any(part in name.upper() for part in _SECRET_NAMES) and "redacted" not in value
    }
    return Redactor(found.union(secret for secret in lent if len(secret) >= SHORTEST))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
