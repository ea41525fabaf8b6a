"""Directories that templates mean: beneath the root, behind no link. Unlike a file, a directory may be the root itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from windlass.records import layout
from windlass.records.artifacts import IN_RECORD
from windlass.records.contracts import paths

if TYPE_CHECKING:
    from windlass.records.artifacts import Places


class NotOpened(Exception):
    """There is no such directory; `code` and `reason` say why."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


def resolve(places: Places, template: str) -> str:
    """Where it lies below the root (the empty text is the root) or, with `{record}/` in front, in the record; raises Refused."""
    if not paths.segments(template, slug=places.slug, artifact_path=places.artifact_path):
        return ""  # `{artifact_path}` of a run whose artifacts lie in the root
    return places.resolve(template)


def is_recorded(resolved: str) -> bool:
    """Whether Windlass itself writes there: what is recorded of work is no output of work, but for the evidence that it left."""
    if resolved.startswith(IN_RECORD):
        return not f"{resolved}/".startswith(f"{IN_RECORD}{layout.EVIDENCE}/")
    return f"{resolved}/".startswith(f"{paths.RUNS}/")


@contextmanager
def opened(places: Places, resolved: str) -> Iterator[int]:
    """A descriptor of the directory, opened without following a link on the way; raises NotOpened."""
    inside = resolved.startswith(IN_RECORD)
    held = os.open(places.record if inside else places.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in filter(None, resolved.removeprefix(IN_RECORD).split("/")):
            below = _step(held, part)
            os.close(held)
            held = below
        yield held
    finally:
        os.close(held)


def _step(held: int, part: str) -> int:
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
    except FileNotFoundError as failure:
        raise NotOpened("MISSING_ARTIFACT", "is missing") from failure
    except NotADirectoryError as failure:  # what a link gives too, with these flags
        raise NotOpened("MISSING_ARTIFACT", "is no directory, or lies behind a symbolic link, and none is followed") from failure
    except OSError as failure:
        raise NotOpened("UNREADABLE", f"can't be opened: {failure.strerror}") from failure
