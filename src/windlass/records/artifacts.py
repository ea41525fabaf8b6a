"""Artifacts: where a template points, opened beneath its directory without following a link, hashed in one bounded read.

`path` keeps the template (`{artifact_path}/research/FIGURES.md`); `resolved_path` is relative to the project's root, or begins
with `{record}/evidence/`, so that a record can be moved and still be verified. No absolute path is ever recorded.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from windlass.errors import Refused, UnusableRecord
from windlass.records import layout
from windlass.records.fields import SHA256, Fields

IN_RECORD = "{record}/"
MAX_CONTENT = 512 * 1024 * 1024
"""Bytes of a file that is read into memory; a sparse file of a terabyte costs its maker nothing."""
_CHUNK = 256 * 1024
_KEYS = frozenset(("path", "resolved_path", "sha256", "size", "exists"))
_PLAIN = re.compile(r"(?!\.{1,2}(?:/|$))[\w.-]+(?:/(?!\.{1,2}(?:/|$))[\w.-]+)*", re.ASCII)
"""A path in which nothing can be wrong; any other is looked at part by part."""
_VARIABLE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file as a gate saw it: `sha256` and `size` (bytes) are of the same read, and None when it did not exist."""

    path: str
    resolved_path: str
    sha256: str | None
    size: int | None
    exists: bool

    @property
    def carried(self) -> str | None:
        """Its path inside the record, or None for a file that lies elsewhere."""
        return self.resolved_path.removeprefix(IN_RECORD) if self.resolved_path.startswith(IN_RECORD) else None

    @classmethod
    def of(cls, content: object, pointer: str) -> Artifact:
        """The artifact of a journal entry at `pointer`; raises UnusableRecord. A run may have ten thousands: the ordinary one is read at once."""
        if type(content) is dict and content.keys() == _KEYS and content["exists"] is True:
            path, resolved, sha256, size = content["path"], content["resolved_path"], content["sha256"], content["size"]
            plain = type(path) is type(resolved) is type(sha256) is str and type(size) is int
            if plain and path and size >= 0 and SHA256.fullmatch(sha256) and _PLAIN.fullmatch(resolved):
                return cls(path=path, resolved_path=resolved, sha256=sha256, size=size, exists=True)
        return cls.read(Fields(content, pointer))

    @classmethod
    def read(cls, fields: Fields) -> Artifact:
        """The artifact that a journal entry tells of; raises UnusableRecord."""
        artifact = cls(
            path=fields.text("path"),
            resolved_path=fields.text("resolved_path"),
            sha256=fields.maybe_text("sha256", SHA256),
            size=fields.maybe_number("size", 0),
            exists=fields.truth("exists"),
        )
        fields.end()
        if (artifact.sha256 is None) is artifact.exists or (artifact.size is None) is artifact.exists:
            raise UnusableRecord(f"artifact {artifact.path}: a file that exists has a hash and a size, any other has neither")
        _check_relative(artifact.carried or artifact.resolved_path)
        if artifact.carried and not artifact.carried.startswith(f"{layout.EVIDENCE}/"):
            raise UnusableRecord(f"artifact {artifact.path}: inside the record, only what lies below {layout.EVIDENCE}/ is evidence")
        return artifact


@cache
def _absolute(path: Path) -> str:
    return os.path.abspath(path).rstrip("/")  # noqa: PTH100  # links are not followed


@dataclass(frozen=True, kw_only=True)
class Places:
    """What the variables of a template stand for; lives as long as the run that is written."""

    root: Path
    record: Path
    slug: str
    artifact_path: str

    def resolve(self, template: str) -> str:
        """`resolved_path` of a template; raises Refused for an unknown variable, an absolute path or one with `..` in it."""
        named = _VARIABLE.sub(self._value, template.removeprefix(IN_RECORD))
        resolved = "/".join(part for part in named.split("/") if part != ".")  # an artifact path may be the root itself
        _check_relative(resolved)
        if template.startswith(IN_RECORD):
            return IN_RECORD + resolved
        whole, record = f"{_absolute(self.root)}/{resolved}", f"{_absolute(self.record)}/"
        return IN_RECORD + whole.removeprefix(record) if whole.startswith(record) else resolved

    def _value(self, variable: re.Match[str]) -> str:
        match variable[1]:
            case "slug":
                return self.slug
            case "artifact_path":
                return self.artifact_path
        raise Refused(f"{variable.string}: {variable[0]} is not a path variable; known are {{record}}/ in front, {{slug}}, {{artifact_path}}")

    def describe(self, template: str) -> Artifact:
        """The artifact at `template`, hashed now; a missing file is described too. Raises Refused for anything but a regular file."""
        resolved = self.resolve(template)
        inside = resolved.startswith(IN_RECORD)
        if inside and not resolved.startswith(f"{IN_RECORD}{layout.EVIDENCE}/"):
            raise Refused(f"{template}: inside the record, only what lies below {IN_RECORD}{layout.EVIDENCE}/ can be an artifact")
        try:
            with opened(self.record if inside else self.root, resolved.removeprefix(IN_RECORD)) as descriptor:
                found = digests(descriptor)
        except FileNotFoundError:
            return Artifact(path=template, resolved_path=resolved, sha256=None, size=None, exists=False)
        return Artifact(path=template, resolved_path=resolved, sha256=found.sha256, size=found.size, exists=True)


@dataclass(frozen=True, kw_only=True)
class Digests:
    """What one read of a file gave: the SHA-256 of its first n bytes for each n that was asked for, and of the whole."""

    sha256: str
    size: int
    prefixes: dict[int, str]


def digests(descriptor: int, prefixes: Iterable[int] = ()) -> Digests:
    """Hash an open file from its start to its end in one pass, in bounded memory."""
    stops = sorted(set(prefixes))
    hashed = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    size = 0
    found: dict[int, str] = {}
    while True:
        while stops and stops[0] == size:
            found[stops.pop(0)] = hashed.hexdigest()
        length = os.readv(descriptor, [view[: min(_CHUNK, stops[0] - size)] if stops else view])
        if not length:
            return Digests(sha256=hashed.hexdigest(), size=size, prefixes=found)
        hashed.update(view[:length])
        size += length


@contextmanager
def opened(directory: Path, relative: str) -> Iterator[int]:
    """A descriptor of the regular file `relative` beneath `directory`, opened for reading without following any link on the way.

    Raises FileNotFoundError when there is none, and Refused for a link, a directory, a FIFO or a device.
    """
    *parents, name = relative.split("/")
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for parent in parents:
            below = _step(held, parent, os.O_DIRECTORY, relative)
            os.close(held)
            held = below
        descriptor = _step(held, name, os.O_NONBLOCK | os.O_NOCTTY, relative)  # a FIFO would block the open for ever
    finally:
        os.close(held)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise Refused(f"{relative}: is not a regular file but {_kind(mode)}")
        yield descriptor
    finally:
        os.close(descriptor)


def content(directory: Path, relative: str, at_most: int = MAX_CONTENT) -> bytes:
    """The bytes of a file beneath `directory`; errors as those of `opened`, and Refused for one of more than `at_most` bytes."""
    with opened(directory, relative) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as stream:
        if os.fstat(descriptor).st_size > at_most:
            raise Refused(f"{relative}: is larger than {at_most} bytes, and is not read")
        return stream.read(at_most)


def _step(held: int, name: str, flags: int, relative: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=held)
    except OSError as failure:
        if failure.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise
        kind = os.stat(name, dir_fd=held, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            raise Refused(f"{relative}: {name} is a symbolic link, and none is followed") from failure
        if failure.errno == errno.ENOTDIR:
            raise FileNotFoundError(errno.ENOENT, f"{name} is not a directory", relative) from failure
        raise Refused(f"{relative}: is not a regular file but {_kind(kind)}") from failure


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((words for is_one, words in kinds if is_one(mode)), "something else")


def _check_relative(path: str) -> None:
    if "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise Refused(f"{path!r}: must be relative to the project's root, without '..', '.', '\\' or an empty part")
