"""Writes one row of a sweep, and adds rows up into gates. Pure; the row's keys are those of `docs/reference/sweep-evidence.md`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from windlass import model
from windlass.sweep.judge import Verdict, reaches
from windlass.sweep.plan import GATES, Cell, Gate
from windlass.sweep.readings import Call, Routed

Word = Literal["PASS", "FAIL", "INCOMPLETE"]
PREVIEW = 300


def row(cell: Cell, routed: Routed | None, calls: Sequence[Call], verdict: Verdict, gate: Gate, *, show: str) -> dict[str, Any]:
    """The row of one cell; `show` is the command that explains a row of this sweep, without the task type."""
    dispatch = next((call for call in calls if call.kind == "dispatch"), None)
    first = next((call for call in calls if call.kind == "first"), None)
    proof = [call.elapsed_ms for call in calls if call.kind not in {"dispatch", "first"}]
    passed = reaches(verdict.rung, gate) and not (gate == "proof" and verdict.failure)
    failure = verdict.failure
    return {
        "task_type": cell.task_type,
        "agent_name": (routed and routed.agent_name) or cell.agent_name,
        "agent_url": (routed and routed.agent_url) or cell.url,
        "dispatch_http": dispatch.http if dispatch else 0,
        "run_http": first.http if first else 0,
        "latency_ms": round(first.elapsed_ms, 3) if first else None,
        "pass_fail": "PASS" if passed else "FAIL",
        "rung": verdict.rung,
        "by": cell.by if verdict.rung == "executed" else None,
        "failure_class": failure,
        "error_preview": model.clip(verdict.reason, PREVIEW),
        "next_command": _next_command(cell, verdict, show) if failure else None,
        "timings": {
            "dispatch_ms": round(dispatch.elapsed_ms, 3) if dispatch else None,
            "run_ms": round(first.elapsed_ms, 3) if first else None,
            "proof_ms": round(sum(proof), 3) if proof else None,
            "total_ms": round(max(call.started_ms + call.elapsed_ms for call in calls) - min(call.started_ms for call in calls), 3) if calls else 0.0,
        },
        "request_sha256": first.request_sha256 if first else None,
        "response_sha256": first.response_sha256 if first else None,
        "response_bytes": first.response_bytes if first else None,
        "calls": [_call(call) for call in calls],
    }


def _call(call: Call) -> dict[str, Any]:
    return {**vars(call), "elapsed_ms": round(call.elapsed_ms, 3), "started_ms": round(call.started_ms, 3)}


def call(written: Mapping[str, Any]) -> Call:
    """The call that a row carries."""
    return Call(**written)


def _next_command(cell: Cell, verdict: Verdict, show: str) -> str:
    """One read-only command that brings the reader closer to the cause."""
    host = cell.url.split("//", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    match verdict.failure:
        case "DNS":
            return f"getent hosts {shlex.quote(host)}"
        case "REFUSED" | "TLS" | "HTTP_5XX" | "TIMEOUT" if verdict.rung != "none":
            return f"curl -sS -m 10 {shlex.quote(cell.url + '/health/ready')}"
        case _:
            return f"{show} {shlex.quote(cell.task_type)}"


def door_reason(door: Mapping[str, Any] | None) -> str | None:
    """What stands open, or None when the door is locked (or was not tried)."""
    open_ones = [
        f"{name.replace('_', ' ')} answered {found['http']} instead of {found['expected']}"
        for name, found in (door or {}).items()
        if not found["pass"]
    ]
    return "; ".join(open_ones) or None


def behind_open_door(written: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """A row that would pass, when the orchestrator answers whoever asks: nothing was proved to be governed."""
    if written["failure_class"]:
        return dict(written)
    return {**written, "pass_fail": "FAIL", "failure_class": "AUTH_NOT_ENFORCED", "error_preview": model.clip(reason, PREVIEW)}


def gates(rows: Sequence[Mapping[str, Any]], expected: Sequence[str], asked: Gate, door: Mapping[str, Any] | None) -> dict[str, Any]:
    """The verdict of each gate over the expectation: PASS only when every expected task type is there and reached the gate's rung."""
    found = {written["task_type"]: written for written in rows}
    return {gate: _gate(gate, [found.get(task_type) for task_type in expected], asked, door) for gate in GATES}


def _gate(gate: Gate, cells: Sequence[Mapping[str, Any] | None], asked: Gate, door: Mapping[str, Any] | None) -> dict[str, Any]:
    in_question = GATES.index(gate) <= GATES.index(asked)
    passed = sum(cell is not None and _passed(cell, gate) for cell in cells)
    never_run = sum(cell is None or (not _passed(cell, gate) and cell["failure_class"] == "NOT_RUN") for cell in cells)
    failed = len(cells) - passed - never_run
    reason = door_reason(door) if gate == "proof" else None
    verdict: Word = "FAIL" if failed or reason else "INCOMPLETE" if never_run or not cells or not in_question else "PASS"
    words = (
        ([f"AUTH_NOT_ENFORCED: {reason}"] if reason else [])
        + ([f"{failed} failed"] if failed else [])
        + ([f"{never_run} never run"] if never_run else [])
    )
    if gate == "proof" and in_question and door is None:
        verdict, words = ("FAIL" if failed else "INCOMPLETE"), [*words, "the door was not tried"]
    return {"verdict": verdict, "passed": passed, "total": len(cells), "asked": in_question, "reason": "; ".join(words) or None}


def _passed(cell: Mapping[str, Any], gate: Gate) -> bool:
    return reaches(cell["rung"], gate) and not (gate == "proof" and cell["failure_class"])
