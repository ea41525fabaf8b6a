"""`window.json`: one window at a glance. A view: which services really run is asked of the process table, not of this file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from windlass.errors import Refused, UnusableRecord
from windlass.infra import files, instants
from windlass.windows import rules
from windlass.windows.process import Stopped
from windlass.windows.rules import Reason, WindowState

SCHEMA_VERSION = 1
FILE_NAME = "window.json"
_LARGEST = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Closed:
    """How a window was found after it was closed: `stuck` when the end of something could not be confirmed. Lives as long as its reader."""

    window_id: str
    closed_at: datetime
    state: Literal["closed", "stuck"]
    reason: Reason
    results: tuple[Stopped, ...]


@dataclass(frozen=True, kw_only=True)
class View:
    """One window as it was last written; `deadline` is the outer bound until the window is open. Lives as long as its reader."""

    window_id: str
    state: WindowState
    created_at: datetime
    deadline: datetime
    ttl_sec: int
    grace_s: float
    services: tuple[str, ...]
    closed: Closed | None = None


def write(state_dir: Path, view: View) -> None:
    """Put the view in its place, atomically and durably."""
    fields = {"schema_version": SCHEMA_VERSION, **asdict(view)}
    content = orjson.dumps(fields, default=instants.stamp, option=orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATETIME)
    files.replace(state_dir / FILE_NAME, content + b"\n", mode=0o600)


def read(state_dir: Path) -> View:
    """The view; raises Refused where there is none and UnusableRecord for a file that is none."""
    try:
        content = files.content(state_dir / FILE_NAME, _LARGEST)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Refused(f"{state_dir}: no window was ever opened here") from exc
    except OSError as exc:
        raise UnusableRecord(f"{FILE_NAME}: can't be read ({exc.strerror})") from exc
    try:
        return _parsed(orjson.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UnusableRecord(f"{FILE_NAME}: not the view of a window ({type(exc).__name__}: {exc})") from exc


def _parsed(fields: dict[str, Any]) -> View:
    if fields.pop("schema_version") != SCHEMA_VERSION:
        raise ValueError("written by another version of Windlass")
    closed, services = fields.pop("closed"), tuple(fields.pop("services"))
    if fields["state"] not in get_args(WindowState) or not isinstance(fields["window_id"], str):
        raise ValueError("it has no known state, or no id")
    if type(fields["grace_s"]) not in {int, float} or not 0 <= fields["grace_s"] <= rules.MAX_GRACE_S:
        raise ValueError("its grace is no number of seconds")
    if not all(isinstance(name, str) and rules.can_name(name) for name in services):
        raise ValueError("it names no services")
    return View(
        created_at=instants.parse(fields.pop("created_at")),
        deadline=instants.parse(fields.pop("deadline")),
        services=services,
        closed=None if closed is None else _closed(closed),
        **fields,
    )


def _closed(fields: dict[str, Any]) -> Closed:
    results = tuple(Stopped(**result) for result in fields.pop("results"))
    if fields["state"] not in {"closed", "stuck"}:
        raise ValueError("it was closed in no known way")
    return Closed(closed_at=instants.parse(fields.pop("closed_at")), results=results, **fields)
