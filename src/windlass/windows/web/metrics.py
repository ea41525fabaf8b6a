"""What the windows tell Prometheus, in its text format 0.0.4. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

STATES = ("SOLO_MADRE_CORE", "OPENING", "OPEN", "DEGRADED", "CLOSING", "STUCK")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(state: Mapping[str, Any] | None, counted: Mapping[tuple[str, str], int], *, holds_loop: bool) -> str:
    """The metrics of one moment. `counted`: (action, outcome) → how many answers of this process; no `state` where the ledger can't be read."""
    return "".join(f"{line}\n" for line in _lines(state, counted, holds_loop=holds_loop))


def _lines(state: Mapping[str, Any] | None, counted: Mapping[tuple[str, str], int], *, holds_loop: bool) -> Iterator[str]:
    yield from _head("windlass_windows_readable", "gauge", "1 where the ledger of windows can be read; without it nothing is said of them.")
    yield f"windlass_windows_readable {int(state is not None)}"
    if state is not None:
        yield from _of_state(state)
    yield from _head("windlass_windows_holds_loop", "gauge", "1 where this process acts for the windows.")
    yield f"windlass_windows_holds_loop {int(holds_loop)}"
    yield from _head("windlass_windows_answers_total", "counter", "Answers to requests, by what was asked and the HTTP status.")
    for (action, outcome), number in sorted(counted.items()):
        yield f'windlass_windows_answers_total{{action="{_escaped(action)}",status="{_escaped(outcome)}"}} {number}'


def _of_state(state: Mapping[str, Any]) -> Iterator[str]:
    yield from _head("windlass_windows_state", "gauge", "1 for the state that the windows are in.")
    for name in STATES:
        yield f'windlass_windows_state{{state="{name}"}} {int(state.get("state") == name)}'
    yield from _head("windlass_windows_open", "gauge", "Windows of which something may run.")
    yield f"windlass_windows_open {len(state.get('windows', ()))}"
    yield from _head("windlass_windows_remaining_seconds", "gauge", "Seconds until a window must be closed.")
    for window in state.get("windows", ()):
        yield f'windlass_windows_remaining_seconds{{window_id="{_escaped(window["window_id"])}"}} {window["ttl_remaining_sec"]}'
    yield from _head("windlass_windows_service_running", "gauge", "1 for a service of a window that was observed running.")
    for name in state.get("active_services", ()):
        yield f'windlass_windows_service_running{{service="{_escaped(name)}"}} 1'
    yield from _head("windlass_windows_drift", "gauge", "Services that run and belong to no window.")
    yield f"windlass_windows_drift {len(state.get('drift', ()))}"


def _head(name: str, kind: str, told: str) -> tuple[str, str]:
    return f"# HELP {name} {told}", f"# TYPE {name} {kind}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
