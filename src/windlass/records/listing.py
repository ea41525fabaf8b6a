"""Lists runs by opening one file of each: RUN.json, by whatever program and whatever version of it it was written.

A record that can't be read is listed too, with what is wrong: what is not listed would be forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from windlass.errors import UnusableRecord
from windlass.records import layout

_MOST = 64 * 1024 * 1024
"""Bytes of a RUN.json that is read; a run of 100,000 outputs has a third of it."""


class _NoRuns(UnusableRecord):
    """There is no directory of runs."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One run in a list. Words of older programs stand as they are; `problem` says why nothing more is known."""

    run_id: str
    workflow: str = ""
    slug: str = ""
    depth: str = ""
    status: str = ""
    started_at: str = ""
    finished_at: str | None = None
    gates: tuple[tuple[str, str, int], ...] = ()
    """(gate, status, number of attempts) in the order of the workflow."""
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The run as plain JSON values."""
        gates = [{"gate": gate, "status": status, "attempts": attempts} for gate, status, attempts in self.gates]
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "gates": gates}


def ids(runs: Path) -> list[str]:
    """The names of the runs below `runs`, oldest first; none where there is no such directory. Raises UnusableRecord where it can't be read.

    A name that is no text can't be a run's: no command could be given it.
    """
    try:
        with _opened(runs) as directory:
            return _ids(directory)
    except _NoRuns:
        return []


def _ids(directory: int) -> list[str]:
    try:
        with os.scandir(directory) as found:
            return sorted(entry.name for entry in found if _is_run(entry))
    except OSError as failure:
        raise UnusableRecord(f"the runs can't be listed: {failure.strerror}") from failure


def _is_run(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith("run_") and entry.name.isprintable() and entry.is_dir(follow_symlinks=False)


def listed(runs: Path) -> Iterator[Listed]:
    """Every run below `runs`, oldest first."""
    try:
        with _opened(runs) as directory:
            for name in _ids(directory):
                try:
                    yield _listed(name, _content(directory, name))
                except UnusableRecord as unusable:
                    yield Listed(run_id=name, problem=str(unusable))
    except _NoRuns:
        return


def view(runs: Path, run_id: str) -> dict[str, Any]:
    """The RUN.json of a run, as it lies there; raises UnusableRecord when it can't be read as an object."""
    if "/" in run_id or run_id in {"", ".", ".."} or not run_id.isprintable():
        raise UnusableRecord(f"{run_id!r} is no run id")
    with _opened(runs) as directory:
        try:
            return _object(_content(directory, run_id))
        except UnusableRecord as unusable:
            raise UnusableRecord(f"{runs / run_id / layout.RECORD / layout.RUN}: {unusable}") from unusable


@contextmanager
def _opened(runs: Path) -> Iterator[int]:
    try:
        directory = os.open(runs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as failure:
        raise _NoRuns(f"{runs}: {failure.strerror}") from failure
    except OSError as failure:
        raise UnusableRecord(f"{runs}: {failure.strerror}") from failure
    try:
        yield directory
    finally:
        os.close(directory)


def _content(runs: int, name: str) -> bytes:
    try:
        record = os.open(f"{name}/{layout.RECORD}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=runs)
    except OSError as failure:
        raise UnusableRecord(f"{layout.RECORD}: {failure.strerror}") from failure
    try:
        file = os.open(layout.RUN, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=record)
    except OSError as failure:
        raise UnusableRecord(f"{layout.RUN}: {failure.strerror}") from failure
    finally:
        os.close(record)
    try:
        content = os.read(file, 65_536)
        if len(content) < 65_536:
            return content
        with os.fdopen(os.dup(file), "rb", buffering=0) as rest:
            content += rest.read(_MOST)
    except OSError as failure:
        raise UnusableRecord(f"{layout.RUN}: {failure.strerror}") from failure
    finally:
        os.close(file)
    if len(content) > _MOST:
        raise UnusableRecord(f"{layout.RUN}: is larger than {_MOST} bytes")
    return content


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise UnusableRecord(f"{layout.RUN}: is not JSON ({failure}); the original runner left such files when it was killed") from failure
    if not isinstance(found, dict):
        raise UnusableRecord(f"{layout.RUN}: is not an object")
    return found


def _listed(name: str, content: bytes) -> Listed:
    found = _object(content)
    workflow = found.get("workflow")
    workflow = workflow if isinstance(workflow, dict) else {}
    gates = found.get("gates")
    return Listed(
        run_id=name,
        workflow=_text(workflow.get("name")),
        slug=_text(workflow.get("slug")),
        depth=_text(found.get("depth")),
        status=_text(found.get("status")),
        started_at=_text(found.get("started_at")),
        finished_at=_text(found.get("finished_at")) or None,
        gates=tuple(_gate(gate) for gate in gates if isinstance(gate, dict)) if isinstance(gates, list) else (),
    )


def _gate(gate: dict[str, Any]) -> tuple[str, str, int]:
    attempts = gate.get("attempts")
    return _text(gate.get("gate")), _text(gate.get("status")), len(attempts) if isinstance(attempts, list) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
