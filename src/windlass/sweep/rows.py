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
KEYS = frozenset(
    (
        "task_type agent_name agent_url dispatch_http run_http latency_ms pass_fail rung by failure_class error_preview next_command "
        "timings request_sha256 response_sha256 response_bytes calls"
    ).split()
)
"""The keys of a row."""


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
        "calls": [dict(vars(call)) for call in calls],
    }


def call(written: Mapping[str, Any]) -> Call:
    """The call that a row carries."""
    return Call(**written)


def _next_command(cell: Cell, verdict: Verdict, show: str) -> str:
    """One read-only command that brings the reader closer to the cause."""
    host = cell.url.split("//", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]
    match verdict.failure:
        case "DNS" if verdict.rung != "none":
            return f"getent hosts {shlex.quote(host)}"
        case "REFUSED" | "TLS" | "HTTP_5XX" | "TIMEOUT" if verdict.rung != "none":
            return f"curl -sS -m 10 {shlex.quote(cell.url + '/health/ready')}"
        case _:
            return f"{show} {shlex.quote(cell.task_type)}"


DOOR: Mapping[str, int] = {"no_token": 401, "wrong_token": 401, "unknown_task": 400}
"""What is tried at the door, and the HTTP status that a locked one answers."""


def door_reason(door: Mapping[str, Any] | None) -> str | None:
    """What stands open, or None when the door is locked (or was not tried). A try that is missing found nothing locked."""
    if door is None:
        return None
    answered = {name: (door.get(name) or {}).get("http", "nothing") for name in DOOR}
    open_ones = [
        f"{name.replace('_', ' ')} {f'answered {answered[name]}' if answered[name] else 'got no answer'} instead of {status}"
        for name, status in DOOR.items()
        if answered[name] != status
    ]
    return "; ".join(open_ones) or None


def behind_open_door(written: Mapping[str, Any], reason: str, orchestrator_url: str) -> dict[str, Any]:
    """A row that would pass, when the orchestrator answers whoever asks: nothing was proved to be governed."""
    if written["failure_class"]:
        return dict(written)
    listing = shlex.quote(orchestrator_url + "/api/ai/router/task-types")
    return {
        **written,
        "pass_fail": "FAIL",
        "failure_class": "AUTH_NOT_ENFORCED",
        "error_preview": model.clip(reason, PREVIEW),
        "next_command": f"curl -sS -m 10 -o /dev/null -w '%{{http_code}}\\n' {listing}",
    }


def gates(rows: Sequence[Mapping[str, Any]], expected: Sequence[str], asked: Gate, door: Mapping[str, Any] | None) -> dict[str, Any]:
    """The verdict of each gate over the expectation: PASS only when every expected task type is there and reached the gate's rung.

    Of a task type with several rows each must: another row takes no failure back.
    """
    found: dict[str, list[Mapping[str, Any]]] = {task_type: [] for task_type in expected}
    for written in rows:
        found.get(written["task_type"], []).append(written)
    return {gate: _gate(gate, [_outcome(of_one, gate) for of_one in found.values()], asked, door) for gate in GATES}


def cut_short(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A gate of a sweep that did not come to its end: nothing passes that was not seen through."""
    if gate["verdict"] != "PASS":
        return dict(gate)
    return {**gate, "verdict": "INCOMPLETE", "reason": "the sweep was interrupted"}


def summary(rows: Sequence[Mapping[str, Any]], expected: Sequence[str]) -> dict[str, int]:
    """`passed` of `total`: expected task types with a row, all of whose rows pass."""
    of: dict[str, list[bool]] = {}
    for written in rows:
        of.setdefault(written["task_type"], []).append(written["pass_fail"] == "PASS")
    kinds = set(expected)
    return {"passed": sum(all(of.get(task_type) or [False]) for task_type in kinds), "total": len(kinds)}


def _outcome(of_one: Sequence[Mapping[str, Any]], gate: Gate) -> Word:
    """What the rows of one task type amount to at a gate; INCOMPLETE when it was never run."""
    short = [written for written in of_one if not _passed(written, gate)]
    if of_one and not short:
        return "PASS"
    return "INCOMPLETE" if all(written["failure_class"] == "NOT_RUN" for written in short) else "FAIL"


def _gate(gate: Gate, cells: Sequence[Word], asked: Gate, door: Mapping[str, Any] | None) -> dict[str, Any]:
    passed, never_run, failed = cells.count("PASS"), cells.count("INCOMPLETE"), cells.count("FAIL")
    if GATES.index(gate) > GATES.index(asked):
        return {"verdict": "INCOMPLETE", "passed": passed, "total": len(cells), "asked": False, "reason": "was not asked for"}
    reason = door_reason(door) if gate == "proof" else None
    verdict: Word = "FAIL" if failed or reason else "INCOMPLETE" if never_run or not cells else "PASS"
    words = (
        ([f"AUTH_NOT_ENFORCED: {reason}"] if reason else [])
        + ([f"{failed} failed"] if failed else [])
        + ([f"{never_run} never run"] if never_run else [])
    )
    if gate == "proof" and door is None:
        verdict, words = ("FAIL" if failed else "INCOMPLETE"), [*words, "the door was not tried"]
    return {"verdict": verdict, "passed": passed, "total": len(cells), "asked": True, "reason": "; ".join(words) or None}


def _passed(cell: Mapping[str, Any], gate: Gate) -> bool:
    return reaches(cell["rung"], gate) and not (gate == "proof" and cell["failure_class"])
