"""Writing files so that a reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_below(root: Path, paths: Iterable[Path]) -> None:
    """Make files beneath `root` durable, and the names that lead to them from there; raises OSError for what is no regular file."""
    folders: set[Path] = set()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", str(path))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folders.update(folder for folder in path.parents if folder.is_relative_to(root))
    for folder in sorted(folders, reverse=True):
        fsync_directory(folder)


def make_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing; their names are durable when this returns."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        fsync_directory(folder.parent)


def content(path: Path, at_most: int) -> bytes:
    """The bytes of a regular file; raises OSError for anything else, and for more than `at_most` bytes. Waits for nobody, as opening a FIFO would."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        if found.st_size > at_most:
            raise OSError(errno.EFBIG, f"is larger than {at_most} bytes", str(path))
        return file.read(at_most)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte; a short write is continued, an error is raised."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def replace(path: Path, content: bytes, *, durable: bool = True, mode: int = 0o644) -> None:
    """Put `content` at `path` atomically; with `durable`, file and directory are fsynced before and after the rename."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        fsync_directory(path.parent)
