"""The lines of a file from its end, for whoever wants the newest few of a million."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

_BLOCK = 64 * 1024


def lines(path: Path) -> Generator[bytes]:
    """The lines that are ended by a newline, without it, the last one first; reads no further back than is asked for.

    What is appended meanwhile is not seen. Raises OSError, for what is no regular file too.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        yield from _lines(descriptor, found.st_size)
    finally:
        os.close(descriptor)


def _lines(descriptor: int, end: int) -> Generator[bytes]:
    later: list[bytes] = []  # the pieces of the line whose beginning is still to be read, the last one first
    is_ended = False  # what follows the last newline is no line yet
    while end:
        start = max(0, end - _BLOCK)
        *before, rest = os.pread(descriptor, end - start, start).split(b"\n")
        later.append(rest)
        for line in reversed(before):
            if is_ended:
                yield b"".join(reversed(later))
            later, is_ended = [line], True
        end = start
    if is_ended:
        yield b"".join(reversed(later))
