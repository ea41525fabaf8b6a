"""Lines of a sweep for a terminal or a build log: what a stranger said can't colour, move, reorder or command anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.infra.escapes import columns, terminal
from windlass.sweep.plan import GATES
from windlass.sweep.writers import cells

WIDTH = 120
LONGEST_COMMAND = 400
"""Columns; a command is for copying, so it may be wider than the terminal."""


def row(row: cells.Row, width: int = WIDTH) -> str:
    """One row: result, ladder, task type, agent, milliseconds, and what failed; at most `width` columns."""
    ladder = "●" * cells.steps(row) + "○" * (4 - cells.steps(row))
    latency = f"{cells.milliseconds(row['latency_ms']) or '–':>6} ms"
    failure = "" if cells.passed(row) else f"  {cells.failure_class(row)}  {row['error_preview']}"
    named = f"{_padded(row['task_type'], 34)}  {_padded(row['agent_name'], 42)}"
    return _line(f"{'PASS' if cells.passed(row) else 'FAIL'}  {ladder}  {named}  {latency}{failure}", width)


def failures(sweep: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """Two lines per failed row: what failed and why, then the next command. Empty when all passed."""
    return [line for failed in cells.failed(sweep) for line in failure(failed, width)]


def failure(row: cells.Row, width: int = WIDTH) -> list[str]:
    """The lines of one failed row."""
    parts = (terminal(row["task_type"], 40), terminal(row["agent_name"], 44), cells.failure_class(row), row["error_preview"])
    lines = [_line("FAIL  " + "  ".join(part for part in parts if part), width)]
    if row["next_command"]:
        lines.append(_line(f"      next: {row['next_command']}", max(width, LONGEST_COMMAND)))
    return lines


def gates(sweep: Mapping[str, Any], width: int = WIDTH) -> str:
    """The three verdicts on one line, each that did not pass with its reason."""
    return _line("   ".join(f"{name} {_result(sweep['gates'][name])}" for name in GATES), width)


def _result(gate: Mapping[str, Any]) -> str:
    result = cells.result(gate)
    return result if result in {"PASS", "not asked"} or not gate["reason"] else f"{result}: {gate['reason']}"


def door(sweep: Mapping[str, Any]) -> str:
    """What the door answered: `no token 401   wrong token 401   unknown task 400`, or that it was not tried."""
    if not sweep["door"]:
        return "door not tried"
    tries = {name: sweep["door"].get(name) for name in cells.DOOR}
    return _line("   ".join(f"{name.replace('_', ' ')} {_answer(found)}" for name, found in tries.items()), WIDTH)


def _answer(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "not tried"
    return f"{found['http']}" if found["pass"] is True else f"{found['http']} (expected {found['expected']})"


def _padded(text: str, width: int) -> str:
    shown = terminal(text, width)
    return shown + " " * (width - columns(shown))


def _line(text: str, width: int) -> str:
    """Every line leaves through here, escaped as a whole: two harmless pieces side by side must not make a command either."""
    return terminal(text, width)
