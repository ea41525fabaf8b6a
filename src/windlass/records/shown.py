"""The views as they lie in the record: written after each entry, and mended when their writer was killed before it could.

Everything here is called under the record's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from windlass.errors import UnusableRecord
from windlass.infra import files
from windlass.records import artifacts, bound, difference, layout, views
from windlass.records.events import Event, GateApproved, GateFinished, GateStarted, InvocationRecorded
from windlass.records.state import Attempt, Run


def show(record: Path, run: Run, event: Event) -> None:
    """Write the views that the run's newest event changed: its attempt first, RUN.json last."""
    attempt = _changed(run, event)
    if attempt:
        _put(record, _path(attempt), views.attempt_file(run, attempt))
    _put(record, layout.RUN, views.run_file(run))


def mend_attempt(record: Path, before: Run | None, run: Run) -> None:
    """Write the attempt of the newest entry, if it still is as `before` that entry; raises UnusableRecord if it is anything else."""
    attempt = _changed(run, run.happened[-1])
    if attempt:
        path = _path(attempt)
        _mend(record, path, lambda: views.files(before).get(path) if before else None, views.attempt_file(run, attempt))


def mend_run(record: Path, before: Run | None, run: Run) -> None:
    """Write RUN.json, if it still is as `before` the newest entry; raises UnusableRecord if it is anything else."""
    _mend(record, layout.RUN, lambda: views.run_file(before) if before else None, views.run_file(run))


def remove_drafts(record: Path) -> None:
    """Remove what killed writers of views left: under the lock, no draft belongs to a living one."""
    for folder in (record, record / bound.DIRECTORY, *(record / layout.GATES).glob("*/")):
        for path in folder.iterdir() if folder.is_dir() else ():
            if layout.DRAFT.fullmatch(path.name):
                path.unlink()


def _changed(run: Run, event: Event) -> Attempt | None:
    """The attempt whose file `event` changes."""
    if not isinstance(event, GateStarted | GateFinished | InvocationRecorded | GateApproved) or event.attempt is None:
        return None
    return run.gates[event.gate].attempts[event.attempt - 1]


def _path(attempt: Attempt) -> str:
    return layout.attempt(attempt.started.gate, attempt.started.attempt)


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
