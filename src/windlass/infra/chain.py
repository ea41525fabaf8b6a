"""The one chained log: run journals, window audits and dispatch audits are all files of this form.

A file holds one JSON object per line. Each line names the hash of the line before it (`prev`) and ends with its own `hash`,
the SHA-256 of the line's bytes up to `,"hash":`. Hashing raw bytes needs no canonical form: any changed bit, missing line,
swapped line or foreign line breaks a hash, and a dozen lines of standard-library Python can check it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from windlass.infra.files import fsync_directory, write_all

GENESIS = "0" * 64
MAX_BREAKS = 1000
"""Breaks after which nobody learns from more of them; a file of empty lines has millions."""
_HASH_KEY = b',"hash":"'
_TAIL_LENGTH = len(_HASH_KEY) + 64 + len(b'"}\n')
_SEALED_END = re.compile(_HASH_KEY + rb'([0-9a-f]{64})"\}')
_NO_NEWLINE = (b"", b"\0")
"""What may stand for the newline of the last line: nothing yet, or, after a power loss, a file that grew by a byte that never came."""
_OWN_NAMES = frozenset(("seq", "prev", "hash"))
_BLOCK = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line as it was read: its fields, its place in the chain and its byte range in the file."""

    seq: int
    prev: str
    hash: str
    fields: dict[str, Any]
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Break:
    """A place where the chain does not hold: line number from 1, byte range, and what is wrong there."""

    line: int
    start: int
    end: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a chained log holds: its sound entries, every break, and the length of a torn last line (0 when there is none)."""

    entries: tuple[Entry, ...]
    breaks: tuple[Break, ...]
    torn: int

    @property
    def head(self) -> str:
        """The hash of the last sound entry, or GENESIS."""
        return self.entries[-1].hash if self.entries else GENESIS


def seal(seq: int, prev: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line for `fields` at place `seq` after `prev`, and its hash.

    Raises ValueError for the names seq, prev and hash, which are the chain's own, and TypeError for what is not JSON.
    """
    if not _OWN_NAMES.isdisjoint(fields):
        raise ValueError(f"{', '.join(sorted(_OWN_NAMES.intersection(fields)))}: these names belong to the chain")
    body = orjson.dumps({"seq": seq, "prev": prev, **fields})[:-1]
    digest = hashlib.sha256(body).hexdigest()
    return body + _HASH_KEY + digest.encode() + b'"}\n', digest


def scan(content: bytes, *, after: Entry | None = None) -> Scan:
    """Read a log, or what follows the entry `after` in it. Never raises for its content: what does not hold becomes a `Break`.

    Byte ranges and line numbers are those of the whole file. A last line without its newline is torn: its write was never
    acknowledged; where the newline should be, a power loss may leave a zero byte. If a whole sealed entry is followed by anything else, no
    torn write explains it: that is a break.
    """
    entries: list[Entry] = []
    breaks: list[Break] = []
    base, number, seq = (after.end, after.seq + 1, after.seq + 1) if after else (0, 0, 0)
    # None after an unreadable line: what follows it can't be held against a hash that is not known
    prev: str | None = after.hash if after else GENESIS
    start = 0
    while (newline := content.find(b"\n", start)) >= 0:
        number += 1
        entry, reason = _read_line(content[start : newline + 1], base + start)
        if entry is None:
            prev = None
        else:
            follows = entry.seq >= seq if prev is None else entry.seq == seq and entry.prev == prev
            if not follows:
                must = f"entry {seq} must follow {prev[:12]}…" if prev else f"entry {seq} or a later one must follow an unreadable line"
                reason = f"entry {entry.seq} follows {entry.prev[:12]}…, but here {must}"
            entries.append(entry)
            prev, seq = entry.hash, entry.seq + 1
        if reason:
            breaks.append(Break(line=number, start=base + start, end=base + newline + 1, reason=reason))
        start = newline + 1
        if len(breaks) == MAX_BREAKS and start < len(content):
            reason = f"what follows {MAX_BREAKS} lines that do not hold is not read"
            breaks.append(Break(line=number + 1, start=base + start, end=base + len(content), reason=reason))
            return Scan(entries=tuple(entries), breaks=tuple(breaks), torn=0)
    tail = content[start:]
    sealed = _sealed_length(tail)
    if sealed is not None and tail[sealed:] not in _NO_NEWLINE:
        reason = "a whole entry is not ended by a newline, but by other bytes"
        breaks.append(Break(line=number + 1, start=base + start, end=base + len(content), reason=reason))
        tail = b""
    return Scan(entries=tuple(entries), breaks=tuple(breaks), torn=len(tail))


def _sealed_length(tail: bytes) -> int | None:
    """The length of the whole sealed entry that `tail` begins with, its newline not counted; None when there is none."""
    hashed, length = hashlib.sha256(), 0
    for end in _SEALED_END.finditer(tail):
        hashed.update(memoryview(tail)[length : end.start()])  # each byte once, however many ends somebody has put there
        length = end.start()
        if hashed.hexdigest().encode() == end[1]:
            return end.end()
    return None


def _read_line(line: bytes, start: int) -> tuple[Entry | None, str]:
    body, tail = line[:-_TAIL_LENGTH], line[-_TAIL_LENGTH:]
    if not tail.startswith(_HASH_KEY) or not tail.endswith(b'"}\n'):
        return None, "the line does not end with its hash"
    claimed = tail[len(_HASH_KEY) : -3]
    digest = hashlib.sha256(body).hexdigest()
    if claimed != digest.encode():
        return None, f"the line hashes to {digest[:12]}…, but says {claimed[:12].decode('ascii', 'replace')}…"
    try:
        fields = orjson.loads(body + b"}")
    except orjson.JSONDecodeError:
        return None, "the line is not JSON"
    seq, prev = (fields.pop("seq", None), fields.pop("prev", None)) if isinstance(fields, dict) else (None, None)
    if type(seq) is not int or not isinstance(prev, str):
        return None, "the line is not an entry of a chain"
    return Entry(seq=seq, prev=prev, hash=digest, fields=fields, start=start, end=start + len(line)), ""


class ChainedLog:
    """One open chained log; lives as long as its writer. Safe across threads only if one thread appends; safe across processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the log at `path`; its directory must exist. Raises OSError, for what is no regular file too: it would keep nothing."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        self._size = 0
        self._head = GENESIS
        self._seq = 0
        self._last: Mapping[str, Any] | None = None
        fsync_directory(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> str:
        """The hash of the last entry that this writer appended or saw."""
        return self._head

    @property
    def size(self) -> int:
        """The log's length in bytes after the last entry that this writer appended or saw."""
        return self._size

    def append(self, fields: Mapping[str, Any], *, sync: bool = True) -> str:
        """Append one entry and return its hash; with `sync` it is on the disk when this returns, else at the next `sync()`.

        A synced entry gets its newline when the rest is on the disk. So a line that has its newline was whole once, whatever a power loss
        keeps of writes that were under way: what is wrong with it is damage, and what lacks its newline was never acknowledged.
        """
        return self._append([fields], sync=sync, newline_last=sync)[0]

    def append_all(self, batch: Iterable[Mapping[str, Any]], *, sync: bool = True) -> list[str]:
        """Append several entries under one lock and one write; returns their hashes. A power loss meanwhile may look like damage."""
        return self._append(batch, sync=sync, newline_last=False)

    def append_after(self, make: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Append, as `append` does, the entry that `make` makes of the fields of the last one (None for the first), and return its fields.

        No other writer comes between: what an entry says of the one before it holds.
        """
        made: list[Mapping[str, Any]] = []

        def batch() -> Iterator[Mapping[str, Any]]:  # drawn from when the last entry is known
            made.append(make(self._last))
            yield from made

        self._append(batch(), sync=True, newline_last=True)
        return made[0]

    def _append(self, batch: Iterable[Mapping[str, Any]], *, sync: bool, newline_last: bool) -> list[str]:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._catch_up()
            lines: list[bytes] = []
            hashes: list[str] = []
            seq, head, last = self._seq, self._head, self._last
            for fields in batch:
                line, head = seal(seq, head, fields)
                seq, last = seq + 1, fields
                lines.append(line)
                hashes.append(head)
            content = b"".join(lines)
            self._write(content, sync=sync, newline_last=newline_last)
            self._seq, self._head, self._last, self._size = seq, head, last, self._size + len(content)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return hashes

    def read(self, start: int = 0) -> bytes:
        """The log's bytes from `start` to its end, as every writer left them."""
        size = os.fstat(self._descriptor).st_size
        return os.pread(self._descriptor, size - start, start) if size > start else b""

    def mend(self) -> None:
        """Bring a torn last line in order, as the next append would, and learn the head that other writers left."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._catch_up()
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def sync(self) -> None:
        """Make every appended entry durable."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Sync and close; a second call does nothing."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, content: bytes, *, sync: bool, newline_last: bool) -> None:
        try:
            if newline_last:
                write_all(self._descriptor, content[:-1])
                os.fsync(self._descriptor)
                content = b"\n"
            write_all(self._descriptor, content)
            if sync:
                os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)  # what was not acknowledged leaves no trace
            raise

    def _catch_up(self) -> None:
        """Learn the head that other writers left; called under the lock.

        A torn last line was never acknowledged: it is cut. One that lacks only its newline is whole and may have been
        acknowledged before something took the newline away: it gets it back.
        """
        size = os.fstat(self._descriptor).st_size
        if size == self._size:
            return
        if size < self._size:
            raise OSError(f"{self.path}: the log is shorter than what was written to it; nothing is appended to a cut chain")
        start, content = self._last_lines(size)
        whole = content[: content.rfind(b"\n") + 1]
        tail = content[len(whole) :]
        sealed = _sealed_length(tail)
        if sealed is not None and tail[sealed:] not in _NO_NEWLINE:
            raise OSError(f"{self.path}: the last entry is damaged (other bytes where its newline was); nothing is appended to a broken chain")
        last = tail[:sealed] + b"\n" if sealed else whole[whole.rfind(b"\n", 0, len(whole) - 1) + 1 :]
        entry, reason = _read_line(last, 0) if last else (None, "")
        if last and entry is None:
            raise OSError(f"{self.path}: the last entry is damaged ({reason}); nothing is appended to a broken chain")
        if sealed:
            os.ftruncate(self._descriptor, start + len(whole) + sealed)
            self._write_newline(start + len(whole) + sealed)
            whole += last
        elif tail:
            os.ftruncate(self._descriptor, start + len(whole))
        if entry is not None:
            self._seq, self._head, self._last = entry.seq + 1, entry.hash, entry.fields
        self._size = start + len(whole)

    def _last_lines(self, size: int) -> tuple[int, bytes]:
        """The end of what other writers left, from somewhere before its last whole line, and where that begins; a long log is not read for it."""
        length = _BLOCK
        while True:
            start = max(self._size, size - length)
            content = os.pread(self._descriptor, size - start, start)
            if start == self._size or content.count(b"\n") > 1:
                return start, content
            length *= 4

    def _write_newline(self, size: int) -> None:
        try:
            write_all(self._descriptor, b"\n")
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise
