"""Services that stand for a run: opened and closed in its record, which says when, until when at most, and how they were found gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.errors import Refused, WindlassError
from windlass.infra import instants
from windlass.premises import STORE, Premises, Up
from windlass.records.artifacts import Artifact
from windlass.records.run import RunRecord
from windlass.windows import view
from windlass.windows.window import close_directory


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How the services were found after they were closed: `checks` as a gate's validations, `reason` where something is not gone.

    `complaint`: what the closing itself met. `audits`: the logs of who did what, which are evidence now that nobody writes them.
    """

    window_id: str | None
    checks: tuple[dict[str, Any], ...]
    reason: str | None
    complaint: str | None
    left: tuple[str, ...]
    audits: tuple[Artifact, ...]


class Standing:
    """Premises, and what a run's record tells of them. Lives as long as they stand."""

    def __init__(self, record: RunRecord, premises: Premises) -> None:
        self._record = record
        self.premises = premises
        self._logs = record.logs_directory

    @property
    def window_id(self) -> str | None:
        """The window that work is done in: the last one that was opened."""
        return self.premises.held[-1].window_id if self.premises.held else None

    @property
    def services(self) -> list[str]:
        """What was opened."""
        return [name for window in self.premises.held for name in window.services]

    async def open(self, logs: Path, on_up: Callable[[Up], None] = lambda _: None) -> list[dict[str, Any]]:
        """Open everything, with logs in that directory, and say what is ready; raises NotOpened, and nothing is open then."""
        self._logs = logs
        held = await self.premises.open(logs, on_up)
        for window in held:
            self._record.window_opened(window.window_id, window.services, instants.stamp(window.deadline))
        return [{"type": "service_ready", "service": name, "pass": True} for name in self.services]

    async def close(self, evidence: Path) -> Closing:
        """Close everything, first of all, and record how it was found; the services' audits go into `evidence`.

        A window that its opening could not record is closed, and not told of.
        """
        found = await self.premises.close()
        for window, closed in found.closed:
            if window.window_id in self._record.run.open_windows:
                self._record.window_closed(window.window_id, window.services, state=closed.state, reason=closed.reason)
        audits = tuple(self._keep_audits(evidence))
        shutil.rmtree(self._logs / STORE, ignore_errors=True)
        return Closing(
            window_id=self.window_id,
            checks=found.checks,
            reason="; ".join(found.left) or None,
            complaint=found.complaint,
            left=found.left,
            audits=audits,
        )

    def _keep_audits(self, evidence: Path) -> Iterator[Artifact]:
        kept = [(self._logs / "orchestrator_audit.jsonl", "dispatch_audit.jsonl")]
        kept += [(window.state_dir / "audit.jsonl", f"window_audit_{window.state_dir.name}.jsonl") for window in self.premises.held]
        for source, name in kept:
            if source.exists():
                evidence.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, evidence / name)
                yield self._record.artifact(evidence / name)


async def settle(record: RunRecord) -> list[str]:
    """Close every window that a killed loop left open, record how each was found, and say so; one line per window.

    Windows that left no directory are told of, and stay open in the record: nobody saw them end.
    """
    told: list[str] = []
    places = _places(record) if record.run.open_windows else {}
    for window_id in sorted(record.run.open_windows):
        if window_id not in places:
            told.append(f"{window_id}: was open when the loop ended, and left no directory to look at")
            continue
        directory, services = places[window_id]
        try:
            closed = await close_directory(directory, "recovered", window_id=window_id)
        except WindlassError as failure:
            told.append(f"{window_id}: {failure}")
            continue
        record.window_closed(window_id, services, state=closed.state, reason=closed.reason)
        told.append(f"{window_id}: {', '.join(services)} observed {'stopped' if closed.state == 'closed' else 'stuck'} ({closed.reason})")
    return told


def _places(record: RunRecord) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """Window id → its directory and services, for every window that was opened below the run's logs."""
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for path in record.logs_directory.rglob(view.FILE_NAME):
        try:
            written = view.read(path.parent)
        except Refused:
            continue
        found[written.window_id] = (path.parent, written.services)
    return found
