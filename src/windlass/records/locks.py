"""One lock per record: the writer holds it over an entry and its views, so that a reader never sees one without the other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def exclusive(record: Path) -> Iterator[None]:
    """Hold the record for writing; waits until every other process has let it go. A killed holder lets go."""
    descriptor = os.open(record, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(record: Path) -> Iterator[None]:
    """Hold the record for reading. A file system without locks has no writer either: a copy is read as it lies."""
    descriptor = os.open(record, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
