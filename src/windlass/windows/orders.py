"""What a keeper is told: its order, once, through a pipe; and later changes of the deadline, through a file beside its state.

An order holds the service's environment and so its secrets: it is never written to a file or an argument list.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from windlass.infra import files
from windlass.windows.rules import Service

_LARGEST = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """One moment on two clocks: `uptime` counts, `text` (UTC) is for people."""

    uptime: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """One service, until when it may run, and `latest`: beyond this no later message moves the deadline. Lives as long as the keeper.

    `lock_fd` is the window's lock, held open while the keeper lives and given to nobody else.
    """

    window_id: str
    service: Service
    state_dir: Path
    deadline: Deadline
    latest: Deadline
    lock_fd: int

    def to_bytes(self) -> bytes:
        """The order as JSON."""
        service = {**asdict(self.service), "env": dict(self.service.env)}
        return json.dumps({**asdict(self), "service": service}, default=str).encode()


def parse(content: bytes) -> Order:
    """The order in these bytes; raises ValueError, KeyError or TypeError for a part of one: its sender died while writing."""
    fields: dict[str, Any] = json.loads(content)
    service = fields.pop("service")
    argv, place, log_file = tuple(service.pop("argv")), Path(service.pop("directory")), Path(service.pop("log_file"))
    return Order(
        service=Service(argv=argv, directory=place, log_file=log_file, **service),
        state_dir=Path(fields.pop("state_dir")),
        deadline=Deadline(**fields.pop("deadline")),
        latest=Deadline(**fields.pop("latest")),
        **fields,
    )


def write_change(state_dir: Path, service: str, window_id: str, deadline: Deadline) -> None:
    """Leave word for the keeper: the service is open, and this is its deadline now. The keeper looks when SIGUSR1 tells it to."""
    content = json.dumps({"schema_version": 1, "window_id": window_id, "deadline": asdict(deadline)}).encode()
    files.replace(_change_path(state_dir, service), content, durable=False, mode=0o600)


def read_change(order: Order) -> Deadline | None:
    """The deadline that the keeper was last told, never later than the order's `latest`; None for no word, and for words that are not for it."""
    try:
        fields = json.loads(files.content(_change_path(order.state_dir, order.service.name), _LARGEST))
        told = Deadline(uptime=float(fields["deadline"]["uptime"]), text=str(fields["deadline"]["text"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if fields.get("window_id") != order.window_id or math.isnan(told.uptime):  # NaN would never come
        return None
    return min(told, order.latest, key=lambda deadline: deadline.uptime)


def _change_path(state_dir: Path, service: str) -> Path:
    return state_dir / f"{service}.change.json"
