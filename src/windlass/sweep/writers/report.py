"""`report.html`: one page that shows a sweep to people, by itself: no script, nothing loaded, readable on a phone and on paper."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windlass.infra import pages
from windlass.sweep.judge import NEEDED, RUNGS
from windlass.sweep.plan import GATES
from windlass.sweep.writers import cells, latencies
from windlass.sweep.writers.latencies import spoken

SHOWN_FAILURES = 60
"""Failures that are set out one by one; the others stand among the rows."""
_CLIMBS = {
    "dispatched": "The orchestrator named a registered endpoint.",
    "responded": "run/sync answered HTTP 200 with more than 50 characters.",
    "conformed": "The answer fits the contract and the task's output schema.",
    "executed": "Fresh random probes got the answers that only doing the work gives; a typo was rejected.",
}
_KINDS = {
    "dispatch": "dispatch",
    "first": "first question",
    "second": "second question",
    "again": "first again",
    "second_again": "second again",
    "invalid": "invalid input",
}
_TONES = {"PASS": "pass", "FAIL": "fail", "FAIL (incomplete)": "incomplete", "not asked": "unasked"}


def render(sweep: Mapping[str, Any]) -> str:
    """The page, HTML 5."""
    rows = cells.every(sweep)
    verdict = cells.verdict(sweep)
    failed = [row for row in rows if not cells.passed(row)]
    scale = max((row["latency_ms"] or 0.0 for row in rows), default=0.0) or 1.0
    return pages.render(
        __package__,
        "report.html.j2",
        ("report.css",),
        sweep=sweep,
        verdict=verdict,
        tone=_TONES[verdict],
        summary=cells.summary(sweep),
        said=_said(sweep, rows, failed),
        gates=[_gate(sweep, name) for name in GATES],
        facts=_facts(sweep),
        ladder=_ladder(rows),
        door=_door(sweep["door"]),
        failures=failed[:SHOWN_FAILURES],
        more_failures=len(failed) - len(failed[:SHOWN_FAILURES]),
        classes=Counter(map(cells.failure_class, failed)).most_common(),
        latency=latencies.distribution([(row["latency_ms"], cells.passed(row), row["task_type"]) for row in rows if row["latency_ms"] is not None]),
        rows=[_row(row, scale) for row in rows],
        checks=_checks(sweep),
        failure_class=cells.failure_class,
    )


def _said(sweep: Mapping[str, Any], rows: Sequence[cells.Row], failed: Sequence[cells.Row]) -> str:
    """The verdict in one sentence."""
    never_run = sum(row["failure_class"] == "NOT_RUN" for row in failed)
    if not rows:
        return "Nothing was expected, so nothing is proved."
    if failed and never_run == len(failed):
        return f"{never_run} of {len(rows)} task types never ran."
    if failed:
        start = f"{len(failed)} of {len(rows)} task types did not reach the gate {sweep['gate']}"
        return start + (f", {never_run} of them because they never ran." if never_run else ".")
    if cells.verdict(sweep) != "PASS":
        return "Every row reached its rung, and yet a gate did not pass: see the reason beside it."
    return f"All {len(rows)} task types " + {
        "dispatch": "were routed to a registered endpoint.",
        "execution": "answered run/sync with more than 50 characters.",
        "proof": "did work that can't be had by answering nicely, and the door is locked.",
    }.get(sweep["gate"], "passed.")


def _gate(sweep: Mapping[str, Any], name: str) -> dict[str, Any]:
    gate = sweep["gates"][name]
    result = cells.result(gate)
    return {
        "name": name,
        "result": result,
        "tone": _TONES[result],
        "passed": gate["passed"],
        "total": gate["total"],
        "share": _percent(gate["passed"], gate["total"]),
        "reason": gate["reason"] if result not in {"PASS", "not asked"} else None,
        "asked": gate["asked"],
        "condition": {
            "dispatch": "dispatch returns an agent URL",
            "execution": "run/sync HTTP 200, response > 50 characters",
            "proof": "executed a fresh probe; the door is locked",
        }[name],
    }


def _facts(sweep: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Started", sweep["started_at"]),
        ("Finished", sweep["finished_at"] or "never"),
        ("Took", spoken(sweep["duration_ms"])),
        ("Mode", f"{sweep['mode']}, {sweep['risk_tier']}"),
        ("Gate asked for", sweep["gate"]),
        ("Orchestrator", sweep["orchestrator_url"]),
        ("Sweep", sweep["sweep_id"]),
        ("Commit", sweep["git_commit"] or "none"),
        ("Nonce of the probes", sweep["nonce"]),
        ("Fleet, SHA-256", sweep["fleet"]["sha256"]),
        ("Expectation, SHA-256", sweep["expectation_sha256"]),
    ]


def _ladder(rows: Sequence[cells.Row]) -> list[dict[str, Any]]:
    """Per rung, how many rows stand on it or higher."""
    heights = Counter(map(cells.steps, rows))
    opened = {rung: gate for gate, rung in NEEDED.items()}
    climbed = []
    for height, rung in enumerate(RUNGS[1:], start=1):
        reached = sum(count for at, count in heights.items() if at >= height)
        fell = heights[height - 1] if reached < len(rows) else 0
        climbed.append(
            {
                "rung": rung,
                "says": _CLIMBS[rung],
                "gate": opened.get(rung),
                "reached": reached,
                "fell": fell,
                "share": _percent(reached, len(rows)),
            }
        )
    return climbed


def _door(door: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if not door:
        return []
    return [
        {
            "label": label,
            "http": found["http"] if found else "–",
            "expected": found["expected"] if found else "–",
            "locked": bool(found and found["pass"] is True),
        }
        for label, found in ((label, door.get(name)) for name, label in cells.DOOR.items())
    ]


def _row(row: cells.Row, scale: float) -> dict[str, Any]:
    calls = row["calls"]
    start = min((call["started_ms"] for call in calls), default=0.0)
    whole = max((call["started_ms"] + call["elapsed_ms"] - start for call in calls), default=0.0) or 1.0
    return {
        "of": row,
        "passed": cells.passed(row),
        "steps": cells.steps(row),
        "failure": None if cells.passed(row) else cells.failure_class(row),
        "latency": spoken(row["latency_ms"]),
        "share": _percent(row["latency_ms"] or 0.0, scale),
        "calls": [_call(call, start, whole) for call in calls],
    }


def _call(call: Mapping[str, Any], start: float, whole: float) -> dict[str, Any]:
    return {
        "kind": _KINDS.get(call["kind"], call["kind"]),
        "http": call["http"] or call["fault"] or "–",
        "answered": bool(call["http"]) and not call["fault"],
        "x": _percent(call["started_ms"] - start, whole),
        "width": _percent(call["elapsed_ms"], whole),
        "elapsed": spoken(call["elapsed_ms"]),
        "bytes": f"{call['response_bytes']:,}",
        "digest": (call["response_sha256"] or "–")[:16],
        "detail": call["detail"],
    }


def _checks(sweep: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What a reader can do who does not believe this page; each command is run in the evidence directory."""
    return [
        ("Judge the stored answers again, under today's rules, without calling anyone.", "windlass sweep judge ."),
        ("Recount the rows that passed, without Windlass.", "jq '[.rows[] | select(.pass_fail == \"PASS\")] | length' sweep.json"),
        (f"The expectation was committed before the first call: this must print {sweep['expectation_sha256']}.", "sha256sum expectation.json"),
        (
            "Every stored body is named after its SHA-256: this must print nothing.",
            f'(cd -- {shlex.quote(sweep["bodies"])} && for body in *; do echo "$body  $body"; done | sha256sum --check --quiet)',
        ),
    ]


def _percent(part: float, whole: float) -> str:
    return f"{min(max(100 * part / whole, 0.0), 100.0):.2f}%" if whole else "0%"
