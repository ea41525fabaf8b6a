"""Keeps a sweep's evidence on disk while it runs: the expectation first, then every body and every row as it ends.

One thread writes, in order: a row never stands in the file before the bodies that it names. Rows are flushed as they end and
fsynced at most every 100 ms, so that a kill at any moment keeps every finished row. A write that fails ends the sweep.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from windlass.errors import UnusableRecord
from windlass.infra import files

SYNC_EVERY_S = 0.1
_LARGEST = 1024 * 1024 * 1024
"""Bytes of a file that is read back: more than a sweep ever writes."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
EXPECTATION, FLEET, ROWS, SWEEP = "expectation.json", "fleet.json", "rows.jsonl", "sweep.json"


def document(value: Any) -> bytes:
    """A JSON document for people and programs: two spaces, a newline at the end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Raises UnusableRecord, in one line that says what can't be written and why, for whatever the system answers to a write."""
    try:
        yield
    except OSError as failure:
        raise UnusableRecord(f"{directory}: the evidence can't be written: {failure}") from failure


class Evidence:
    """The evidence of one running sweep; what can't be written raises UnusableRecord. Lives as long as the sweep."""

    def __init__(self, directory: Path, bodies: Path) -> None:
        self.directory = directory
        self.bodies = bodies
        self._known: set[str] = set()
        self._queue: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        with writing(directory):
            self._rows = os.open(directory / ROWS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._thread = threading.Thread(target=self._write, name="evidence", daemon=True)
        self._thread.start()

    def keep(self, content: bytes) -> str:
        """Store one body under its SHA-256 and return that; equal bodies are stored once."""
        self._raise_failure()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._known:
            self._known.add(digest)
            self._queue.put((digest, content))
        return digest

    def row(self, written: Mapping[str, Any]) -> None:
        """Append one finished row."""
        self._raise_failure()
        self._queue.put(("", orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)))

    def close(self) -> None:
        """Write and fsync everything that was handed in; raises what the writer met."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            with writing(self.directory):
                raise self._failure

    def _write(self) -> None:
        synced, dirty = time.monotonic(), False
        try:
            while (item := self._next(waiting=dirty)) is not None:
                for name, content in item:
                    if name == "":
                        files.write_all(self._rows, content)
                        dirty = True
                    else:
                        self._write_body(name, content)
                if dirty and time.monotonic() - synced >= SYNC_EVERY_S:
                    os.fsync(self._rows)
                    synced, dirty = time.monotonic(), False
            os.fsync(self._rows)
        except BaseException as failure:  # noqa: BLE001  # handed to the loop, which raises it
            self._failure = failure
        finally:
            os.close(self._rows)

    def _next(self, *, waiting: bool) -> list[tuple[str, bytes]] | None:
        """What is to be written next: one item, none when a sync has waited long enough, None at the end."""
        try:
            item = self._queue.get(timeout=SYNC_EVERY_S) if waiting else self._queue.get()
        except queue.Empty:
            return []
        return None if item is None else [item]

    def _write_body(self, digest: str, content: bytes) -> None:
        """Put the body in its place whole: one that a kill or a full disk cut short would look like damage."""
        draft = self.bodies / f".{digest}.tmp"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            files.write_all(descriptor, content)
        finally:
            os.close(descriptor)
        draft.rename(self.bodies / digest)


def begin(directory: Path, bodies: Path, expectation: Mapping[str, Any], fleet: bytes) -> str:
    """Commit the expectation, before any call: durable, and its digest is returned. The directory must be new or empty."""
    if not str(directory).isprintable():
        raise UnusableRecord(f"{str(directory)!r}: evidence names its own directory, and can't name one with such characters")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        bodies.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UnusableRecord(f"{directory}: can't be made: {failure.strerror}") from failure
    if any((directory / name).exists() for name in (EXPECTATION, ROWS, SWEEP)):
        raise UnusableRecord(f"{directory}: holds a sweep already; give --resume to complete it, or another --out")
    content = document(expectation)
    with writing(directory):
        files.replace(directory / FLEET, fleet)
        files.replace(directory / EXPECTATION, content)
    return hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file of the evidence; raises UnusableRecord that names a file which can't be read."""
    try:
        return hashlib.sha256(files.content(path, _LARGEST)).hexdigest()
    except OSError as failure:
        raise UnusableRecord(f"{path}: {failure.strerror}") from failure


def read_json(path: Path) -> Any:
    """A JSON document of the evidence; raises UnusableRecord that names the file."""
    try:
        return orjson.loads(files.content(path, _LARGEST))
    except OSError as failure:
        raise UnusableRecord(f"{path}: {failure.strerror}") from failure
    except orjson.JSONDecodeError as failure:
        raise UnusableRecord(f"{path}: is not JSON: {failure}") from failure


def read_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole rows of a rows file, and the length of the part that holds them: a row that a kill cut short is not a row."""
    try:
        content = files.content(path, _LARGEST)
    except FileNotFoundError:
        return [], 0
    except OSError as failure:
        raise UnusableRecord(f"{path}: {failure.strerror}") from failure
    whole = content[: content.rfind(b"\n") + 1]
    try:
        rows = [orjson.loads(line) for line in whole.splitlines()]
    except orjson.JSONDecodeError as failure:
        raise UnusableRecord(f"{path}: a row is not JSON: {failure}") from failure
    if not all(isinstance(row, dict) and isinstance(row.get("task_type"), str) for row in rows):
        raise UnusableRecord(f"{path}: holds a line that is no row")
    return rows, len(whole)


def body(bodies: Path, digest: str | None) -> bytes | None:
    """A stored body, or None where it is not carried; raises UnusableRecord where it is not the one that was stored."""
    if digest is None:
        return b""
    if not _DIGEST.fullmatch(str(digest)):
        raise UnusableRecord(f"{bodies}: {str(digest)[:80]!r} is the name of no body")
    try:
        content = files.content(bodies / digest, _LARGEST)
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        raise UnusableRecord(f"{bodies / digest}: is not the body that was stored under this name")
    return content
