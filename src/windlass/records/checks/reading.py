"""Reads each file once: hashed while it is read, every watcher fed the very bytes that are hashed, memory bounded."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from windlass.errors import Refused
from windlass.records import artifacts
from windlass.records.artifacts import IN_RECORD, Artifact, Places

_CHUNK = 1024 * 1024
_LARGE = 4 * 1024 * 1024
"""Bytes above which hashing in a thread beside the search pays for the thread."""
MAX_SIZE = 64 * 1024**3
"""Bytes of a file that is read: a sparse file of a thousand times as much costs its maker nothing."""


class _TooLargeError(Exception):
    """The file has more bytes than are read, or grows while it is read."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What one read of a file gave; `problem` is (code, reason) for what is no regular, non-empty, readable file."""

    artifact: Artifact
    problem: tuple[str, str] | None

    @property
    def exists(self) -> bool:
        """Whether there was a regular file."""
        return self.artifact.exists


class Watcher(Protocol):
    """One check of one file while it is read once; lives as long as the read."""

    def feed(self, chunk: memoryview) -> None:
        """The next bytes, in order; they may be of any number, and are gone afterwards."""

    def end(self, found: Read) -> Mapping[str, Any]:
        """The check's own result: `pass`, `code` and `reason` where it fails, and what its type tells."""


def read(places: Places, template: str, watchers: Sequence[Watcher], resolved: str | None = None) -> Read:
    """Read the file that `template` means (or that lies at `resolved`), feeding `watchers`; never raises for what a file is or is not."""
    resolved = resolved or places.resolve(template)
    inside = resolved.startswith(IN_RECORD)
    base = places.record if inside else places.root
    try:
        with artifacts.opened(base, resolved.removeprefix(IN_RECORD)) as descriptor:
            sha256, size = _digest(descriptor, watchers)
    except FileNotFoundError:
        return _absent(template, resolved, "MISSING_ARTIFACT", "is missing")
    except IsADirectoryError:
        return _absent(template, resolved, "NOT_A_FILE", "is a directory, not a file")
    except Refused as refusal:
        return _absent(template, resolved, "NOT_A_FILE", str(refusal).partition(": ")[2] or str(refusal))
    except _TooLargeError:
        return _absent(template, resolved, "TOO_LARGE", f"is larger than {MAX_SIZE // 1024**3} GiB, and is not read")
    except OSError as failure:
        return _absent(template, resolved, "UNREADABLE", failure.strerror or str(failure))
    found = Artifact(path=template, resolved_path=resolved, sha256=sha256, size=size, exists=True)
    return Read(artifact=found, problem=("EMPTY_FILE", "is empty") if size == 0 else None)


def _absent(template: str, resolved: str, code: str, reason: str) -> Read:
    return Read(artifact=Artifact(path=template, resolved_path=resolved, sha256=None, size=None, exists=False), problem=(code, reason))


def _digest(descriptor: int, watchers: Sequence[Watcher]) -> tuple[str, int]:
    length = os.fstat(descriptor).st_size
    if length > MAX_SIZE:
        raise _TooLargeError
    with _beside() if length > _LARGE and watchers else _inline(min(_CHUNK, length + 1)) as hashing:
        size = 0
        while True:
            buffer = hashing.buffer()
            length = os.readv(descriptor, [buffer])
            if not length:
                return hashing.result(), size
            chunk = memoryview(buffer)[:length]
            hashing.take(chunk)
            for watcher in watchers:
                watcher.feed(chunk)
            size += length
            if size > MAX_SIZE:
                raise _TooLargeError


class _Hashing(Protocol):
    def buffer(self) -> bytearray: ...
    def take(self, chunk: memoryview) -> None: ...
    def result(self) -> str: ...


class _Inline:
    """Hashes in the reading thread; lives as long as one read."""

    def __init__(self, length: int) -> None:
        self._hash = hashlib.sha256()
        self._buffer = bytearray(length)

    def buffer(self) -> bytearray:
        return self._buffer

    def take(self, chunk: memoryview) -> None:
        self._hash.update(chunk)

    def result(self) -> str:
        return self._hash.hexdigest()


class _Beside:
    """Hashes in a thread of its own (OpenSSL lets go of the interpreter), two buffers ahead at most; lives as long as one read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(3):
            self._free.put(bytearray(_CHUNK))
        self._full: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (chunk := self._full.get()) is not None:
            self._hash.update(chunk)
            owner = chunk.obj
            chunk.release()
            if isinstance(owner, bytearray):
                self._free.put(owner)

    def buffer(self) -> bytearray:
        return self._free.get()

    def take(self, chunk: memoryview) -> None:
        self._full.put(memoryview(chunk))

    def result(self) -> str:
        self.stop()
        return self._hash.hexdigest()

    def stop(self) -> None:
        self._full.put(None)
        self._thread.join()


@contextmanager
def _inline(length: int) -> Iterator[_Hashing]:
    yield _Inline(length)


@contextmanager
def _beside() -> Iterator[_Hashing]:
    hashing = _Beside()
    try:
        yield hashing
    finally:
        hashing.stop()
