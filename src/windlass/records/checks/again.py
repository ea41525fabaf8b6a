"""Gives the bytes of a file that was read and hashed once more, to a rule that needs several files at a time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from windlass.errors import Refused
from windlass.records import artifacts
from windlass.records.artifacts import IN_RECORD

if TYPE_CHECKING:
    from windlass.records.artifacts import Places
    from windlass.records.checks.reading import Read


class NotTheSame(Exception):
    """The file can't be had as it was hashed; `code` and `reason` say why."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


def content(places: Places, read: Read, at_most: int) -> bytes:
    """The very bytes that `read` hashed, at most so many; raises NotTheSame for a file that was not readable then, or changed since."""
    if read.problem is not None:
        raise NotTheSame(read.problem[0], f"{read.artifact.path} {read.problem[1]}")
    if (read.artifact.size or 0) > at_most:
        raise NotTheSame("TOO_LARGE", f"{read.artifact.path} is larger than {at_most:,} bytes")
    resolved = read.artifact.resolved_path
    base = places.record if resolved.startswith(IN_RECORD) else places.root
    try:
        found = artifacts.content(base, resolved.removeprefix(IN_RECORD), at_most)
    except (OSError, Refused) as failure:
        raise NotTheSame("UNREADABLE", f"{read.artifact.path}: {failure}") from failure
    if hashlib.sha256(found).hexdigest() != read.artifact.sha256:
        raise NotTheSame("UNREADABLE", f"{read.artifact.path} changed while it was judged; finish again")
    return found
