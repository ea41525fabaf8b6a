"""The views as they lie in the record: written after each entry, and mended when their writer was killed before it could.

Everything here is called under the record's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from windlass.errors import UnusableRecord
from windlass.infra import files
from windlass.records import artifacts, difference, layout, views
from windlass.records.journal import Event, GateFinished, GateStarted
from windlass.records.state import Run


def show(record: Path, run: Run, event: Event) -> None:
    """Write the views that the run's newest event changed: its attempt first, RUN.json last."""
    if isinstance(event, GateStarted | GateFinished):
        _put(record, layout.attempt(event.gate, event.attempt), views.attempt_file(run.gates[event.gate].attempts[-1]))
    _put(record, layout.RUN, views.run_file(run))


def mend_attempt(record: Path, before: Run | None, run: Run) -> None:
    """Write the attempt of the newest entry, if it still is as `before` that entry; raises UnusableRecord if it is anything else."""
    event = run.happened[-1]
    if isinstance(event, GateStarted | GateFinished):
        path = layout.attempt(event.gate, event.attempt)
        _mend(record, path, lambda: views.files(before).get(path) if before else None, views.attempt_file(run.gates[event.gate].attempts[-1]))


def mend_run(record: Path, before: Run | None, run: Run) -> None:
    """Write RUN.json, if it still is as `before` the newest entry; raises UnusableRecord if it is anything else."""
    _mend(record, layout.RUN, lambda: views.run_file(before) if before else None, views.run_file(run))


def remove_drafts(record: Path) -> None:
    """Remove what killed writers of views left: under the lock, no draft belongs to a living one."""
    for folder in (record, *(record / layout.GATES).glob("*/")):
        for path in folder.iterdir():
            if layout.DRAFT.fullmatch(path.name):
                path.unlink()


def _mend(record: Path, path: str, before: Callable[[], bytes | None], now: bytes) -> None:
    try:
        found = artifacts.content(record, path)
    except FileNotFoundError:
        found = None
    if found == now:
        return
    if found != before():
        where = "is missing" if found is None else difference.between(found, now).reason
        raise UnusableRecord(f"{record / path}: {where}; `windlass verify` says more, and nothing was changed")
    _put(record, path, now)


def _put(record: Path, path: str, content: bytes) -> None:
    place = record / path
    for folder in (place.parent.parent, place.parent):
        if not folder.is_dir():  # git carries no empty folder
            folder.mkdir()
            files.fsync_directory(folder.parent)
    files.replace(place, content)
