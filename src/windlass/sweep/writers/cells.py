"""What all writers say alike: the cells of a sweep, its overall verdict and its summary line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from windlass.infra import instants
from windlass.sweep.judge import RUNGS
from windlass.sweep.plan import GATES

Row = Mapping[str, Any]
DOOR = {"no_token": "without a token", "wrong_token": "with a wrong token", "unknown_task": "for an unknown task type"}
"""The tries at the door, and what was tried."""


def every(sweep: Mapping[str, Any]) -> list[Row]:
    """One row per expected task type, in order; one that the sweep has no row for reads NOT_RUN, so that no export can lose it."""
    rows: list[Row] = list(sweep["rows"])
    missing = set(sweep["fleet"]["expected"]) - {row["task_type"] for row in rows}
    if not missing:
        return rows
    return sorted([*rows, *map(_not_run, missing)], key=lambda row: str(row["task_type"]))


def _not_run(task_type: str) -> Row:
    return {
        "task_type": task_type,
        "agent_name": "",
        "agent_url": "",
        "dispatch_http": 0,
        "run_http": 0,
        "latency_ms": None,
        "pass_fail": "FAIL",
        "rung": "none",
        "by": None,
        "failure_class": "NOT_RUN",
        "error_preview": "the sweep holds no row for this task type",
        "next_command": None,
        "timings": {"dispatch_ms": None, "run_ms": None, "proof_ms": None, "total_ms": 0.0},
        "request_sha256": None,
        "response_sha256": None,
        "response_bytes": None,
        "calls": [],
    }


def passed(row: Row) -> bool:
    """Whether a row passed the strictest gate that was asked for; anything but the word PASS is no."""
    return bool(row["pass_fail"] == "PASS")


def failed(sweep: Mapping[str, Any]) -> list[Row]:
    """The rows that did not pass, in order."""
    return [row for row in every(sweep) if not passed(row)]


def steps(row: Row) -> int:
    """How many of the ladder's four steps a row has climbed; a rung that is not known is none."""
    return RUNGS.index(row["rung"]) if row["rung"] in RUNGS else 0


def failure_class(row: Row) -> str:
    """The class of a failed row; a row that fails without one is a defect of the sweep, and says so."""
    return str(row["failure_class"] or "UNCLASSIFIED")


def preview(row: Row) -> str:
    """`CLASS: what was seen` of a failed row: the seed's columns have no other place for the class."""
    return str(row["error_preview"]) if passed(row) else f"{failure_class(row)}: {row['error_preview']}"


def result(gate: Mapping[str, Any]) -> str:
    """`PASS`, `FAIL`, `FAIL (incomplete)` or `not asked`; a verdict that is none of the three is no PASS."""
    if not gate["asked"]:
        return "not asked"
    return {"PASS": "PASS", "INCOMPLETE": "FAIL (incomplete)"}.get(gate["verdict"], "FAIL")


def verdict(sweep: Mapping[str, Any]) -> str:
    """The sweep's own result: that of the worst gate that was asked for."""
    results = {result(sweep["gates"][gate]) for gate in GATES} - {"not asked"}
    return "FAIL" if "FAIL" in results else "PASS" if results == {"PASS"} else "FAIL (incomplete)"


def summary(sweep: Mapping[str, Any]) -> str:
    """The last line of stdout and of `gate.md`: `SUMMARY: X/Y PASS`."""
    return f"SUMMARY: {int(sweep['summary']['passed'])}/{int(sweep['summary']['total'])} PASS"


def began(sweep: Mapping[str, Any]) -> datetime:
    """When the sweep started."""
    return instants.parse(sweep["started_at"])


def milliseconds(value: float | None) -> str:
    """Whole milliseconds, as the seed prints them; nothing where nothing was measured."""
    return "" if value is None else f"{value:.0f}"
