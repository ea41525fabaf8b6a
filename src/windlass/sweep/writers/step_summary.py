"""What is appended to `$GITHUB_STEP_SUMMARY`: `gate.md`, cut to what GitHub keeps of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.sweep.writers import cells, gate_table

LIMIT = 900 * 1000
"""Bytes; GitHub drops a step's whole summary beyond 1 MiB, and other commands may write to it too."""


def render(sweep: Mapping[str, Any], limit: int = LIMIT) -> str:
    """`gate.md` in at most `limit` bytes of UTF-8 (512 at least). Begins and ends on a line of its own; a cut is stated, the summary line is kept."""
    page = "\n" + gate_table.render(sweep)
    if len(page.encode()) <= limit:
        return page
    lines = page.splitlines(keepends=True)
    end = f"\n**Cut here:** the first {{}} of {len(lines)} lines; the whole is `gate.md` in the evidence.\n\n{cells.summary(sweep)}\n"
    room = limit - len(end.encode()) - 10
    kept = 0
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            break
        kept += 1
    return "".join(lines[:kept]) + end.format(kept)
