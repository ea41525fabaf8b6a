"""What a keeper tells: the state file of one service, written at every transition and readable after the keeper is gone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from windlass.errors import UnusableRecord
from windlass.infra import files
from windlass.windows.processes import Process
from windlass.windows.rules import Ended, ServiceState

SCHEMA_VERSION = 1
_LARGEST = 1024 * 1024
MARK_VARIABLE = "WINDLASS_KEEPER"
"""The one variable that a keeper adds to a service's environment (`<window_id>/<service>`), by which orphans are known."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One service as its keeper last knew it; `log_tail` is redacted. Lives as long as its reader looks at it.

    `deadline` is UTC text for people, `deadline_uptime` the same moment on the clock of `uptime.now`, which is the one that counts.
    """

    window_id: str
    service: str
    state: ServiceState
    keeper: Process
    process: Process | None
    deadline: str
    deadline_uptime: float
    stop_grace_s: float
    started_at: str
    exit_code: int | None = None
    signal: int | None = None
    ended: Ended | None = None
    error: str = ""
    log_tail: str = ""
    closed_at: str | None = None

    @property
    def mark(self) -> str:
        """The environment variable, with its value, that every process of this service began with."""
        return f"{MARK_VARIABLE}={self.window_id}/{self.service}"

    @property
    def returncode(self) -> int | None:
        """The exit code; minus the signal's number when a signal ended the service; None when nobody saw its end."""
        return self.exit_code if self.signal is None else -self.signal


def path(state_dir: Path, service: str) -> Path:
    """Where the state of this service is kept."""
    return state_dir / f"{service}.json"


def write(state_dir: Path, kept: Kept) -> None:
    """Put the state in its place atomically. Not fsynced: no process that it speaks of survives a power loss either."""
    content = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(kept)}, indent=1).encode() + b"\n"
    files.replace(path(state_dir, kept.service), content, durable=False, mode=0o600)


def read(state_dir: Path, service: str) -> Kept | None:
    """The state of this service, or None when none was ever written; raises UnusableRecord for one that can't be read or is none."""
    place = path(state_dir, service)
    try:
        content = files.content(place, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UnusableRecord(f"{place.name}: can't be read ({exc.strerror})") from exc
    try:
        return _parsed(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise UnusableRecord(f"{place.name}: not the state of a service ({type(exc).__name__}: {exc})") from exc


def _parsed(fields: dict[str, Any]) -> Kept:
    if fields.pop("schema_version") != SCHEMA_VERSION:
        raise ValueError("written by another version of Windlass")
    if fields["state"] not in get_args(ServiceState):
        raise ValueError("it has no known state")
    process = fields.pop("process")
    if not all(isinstance(fields[name], int | float) for name in ("deadline_uptime", "stop_grace_s")):
        raise TypeError("its times are no numbers")
    return Kept(keeper=_process(fields.pop("keeper")), process=None if process is None else _process(process), **fields)


def _process(fields: dict[str, Any]) -> Process:
    if not isinstance(fields["pid"], int) or fields["pid"] <= 1 or not isinstance(fields["started"], str):
        raise ValueError("it names no process")
    return Process(pid=fields["pid"], started=fields["started"])
