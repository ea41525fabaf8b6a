"""Puts an agent's outputs where the workflow says: beneath the artifact path, each whole or not at all, through no link."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from windlass.errors import Refused
from windlass.infra.files import write_all

IN_ARTIFACT_PATH = "{artifact_path}/"
_NEVER = frozenset((".git", ".hg", ".svn"))
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def check(resolved: str) -> None:
    """Raise Refused for a path, relative to the root, that no agent may write: what git and the gates themselves are made of."""
    parts = resolved.split("/")
    if _NEVER & {part.lower() for part in parts} or parts[0].lower() == "orchestration":
        raise Refused(f"{resolved}: belongs to the repository or to its gates; an agent's outputs do not go there")


def put(root: Path, resolved: str, content: bytes) -> None:
    """Write a file beneath the root, durably and atomically; directories are made, a link on the way or in its place is refused.

    Raises Refused, and OSError for what the disk refuses.
    """
    check(resolved)
    *parents, name = resolved.split("/")
    with contextlib.ExitStack() as held:
        directory = _held(held, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for parent in parents:
            directory = _held(held, _into(directory, parent, resolved))
        _refuse_strange(directory, name, resolved)
        draft = f".{name[:200]}.{secrets.token_hex(6)}.tmp"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
        try:
            try:
                write_all(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=directory)
            raise
        os.fsync(directory)


def _held(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _into(held: int, name: str, resolved: str) -> int:
    """The directory of that name, made where there is none."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=held)
        return os.open(name, _DIRECTORY, dir_fd=held)
    except OSError as failure:
        if failure.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Refused(f"{resolved}: {name} is a link or no directory, and nothing is written through it") from failure
        raise


def _refuse_strange(held: int, name: str, resolved: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(name, dir_fd=held, follow_symlinks=False).st_mode):
            raise Refused(f"{resolved}: something stands there that is no regular file")
