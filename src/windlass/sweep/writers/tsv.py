"""`execution_sweep_v2_<UTC>.tsv`: the seed's eight columns, in its order, one row per task type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.infra import instants
from windlass.infra.escapes import tsv_cell
from windlass.sweep.writers import cells

COLUMNS = ("task_type", "dispatch_http", "agent_name", "agent_url", "run_http", "latency_ms", "pass_fail", "error_preview")


def name(sweep: Mapping[str, Any]) -> str:
    """The file's name, after the instant at which the sweep started."""
    return f"execution_sweep_v2_{instants.compact(cells.began(sweep))}.tsv"


def render(sweep: Mapping[str, Any]) -> str:
    r"""The file: a header and a line per row, each of eight cells; splitting on `\n` and `\t` always finds them.

    A cell is read back with `windlass.infra.escapes.tsv_text`. `dispatch_http` and `run_http` are 0 without an answer; `latency_ms` is
    that of the first run call in whole milliseconds, empty when there was none.
    """
    lines = ["\t".join(COLUMNS)]
    lines += ("\t".join(map(tsv_cell, _texts(row))) for row in cells.every(sweep))
    return "\n".join(lines) + "\n"


def _texts(row: cells.Row) -> tuple[str, ...]:
    shown = {**row, "latency_ms": cells.milliseconds(row["latency_ms"]), "error_preview": cells.preview(row)}
    return tuple(str(shown[column]) for column in COLUMNS)
