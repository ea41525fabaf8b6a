"""A sweep without a network: agents are functions from a request to an answer; plan, readings, judge and rows are the real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from windlass.agents.agent import Probe
from windlass.fleet import AgentEntry, Fleet, Task
from windlass.model import Fault
from windlass.sweep import conduct, evidence, plan, readings, rows
from windlass.sweep.judge import judge
from windlass.sweep.plan import Cell, Gate, Kind, Plan
from windlass.sweep.readings import Call, Reading, Routed, Wanted

SWEEP_ID = "sweep_20261120T221404512Z_k3f9x2m8qa1c7"
NONCE = "5f2c91d07ab34e6f8812c0de99a41b73"
URL = "http://127.0.0.1:9000"
STARTED = "2026-11-20T22:14:04.512Z"
EXAMPLES = [{"inputs": {"text": "the quick brown fox"}}, {"inputs": {"text": "five dozen liquor jugs here"}}]
JOB: dict[str, Any] = {"examples": EXAMPLES, "invalid_example": {"txet": "x"}}

Request = Mapping[str, Any]
Answer = tuple[int, bytes] | Fault
"""HTTP status and body, or why there is none."""
Agent = Callable[[Request], Answer]


def fleet(tasks: Sequence[str] = ("T",), **task: Any) -> Fleet:
    """A fleet of one agent that does every task; `task` replaces keys of the usual job."""
    made = {name: Task.model_validate({"agent": "agent", **JOB, **task}) for name in tasks}
    return Fleet(name="tiny", agents={"agent": AgentEntry(url=URL)}, tasks=made)


def planned(of: Fleet | None = None, *, gate: Gate = "proof", probe: Probe | None = None) -> Plan:
    """The plan of a sweep of this fleet, with this probe for every task."""
    return plan.plan(of or fleet(), plan.Terms(gate=gate), sweep_id=SWEEP_ID, nonce=NONCE, probe_for=lambda *_: probe)


def envelope(request: Request, outputs: Any, **changed: Any) -> Answer:
    """An answer in the form of the contract, with some keys changed."""
    return 200, orjson.dumps(
        {
            "status": "ok",
            "ok": True,
            "request_id": request["request_id"],
            "task_type": request["task_type"],
            "outputs": outputs,
            "error": None,
            **changed,
        }
    )


def invalid(request: Request) -> Answer:
    """The rejection of an input."""
    return envelope(request, {}, status="error", ok=False, error={"code": "VALIDATION_ERROR", "message": "text: is required"})


def honest(request: Request) -> Answer:
    """Counts the words of a text."""
    text = request["inputs"].get("text")
    return invalid(request) if text is None else envelope(request, {"words": len(text.split()), "longest": max(text.split(), key=len)})


def dispatched(request: Request, **changed: Any) -> Answer:
    """What an honest orchestrator answers."""
    return 200, orjson.dumps({"agent_name": "agent", "agent_url": URL, "request_id": request["request_id"], **changed})


def call(kind: str, answer: Answer, *, request: bytes = b"", keep: Callable[[bytes], str] | None = None) -> Call:
    """The call that had this answer."""
    keep = keep or (lambda content: hashlib.sha256(content).hexdigest())
    http, body, fault = (0, b"", answer) if isinstance(answer, str) else (*answer, None)
    return Call(
        kind=kind,
        http=http,
        elapsed_ms=12.5,
        started_ms=3.0,
        request_sha256=keep(request),
        response_sha256=keep(body) if http else None,
        response_bytes=len(body),
        fault=fault,
        detail="it did not answer" if fault else "",
    )


def climb(
    of: Plan,
    cell: Cell,
    agent: Agent,
    *,
    orchestrator: Agent = dispatched,
    keep: Callable[[bytes], str] | None = None,
    at_most: int = 99,
) -> dict[str, Any]:
    """The row of one cell after at most so many calls, in the order in which the sweep makes them."""
    routed: Routed | None = None
    known: dict[Kind, Reading] = {}
    calls: list[Call] = []
    verdict = judge(cell, routed, known, of.gate)
    while verdict.wants and len(calls) < at_most:
        for kind in verdict.wants:
            inputs = cell.questions[kind].inputs if kind != "dispatch" else None
            request_id = of.request_id(cell, kind)
            request = {"request_id": request_id, "task_type": cell.task_type} | ({} if inputs is None else {"inputs": inputs})
            answer = (orchestrator if inputs is None else agent)(request)
            body = b"" if isinstance(answer, str) else answer[1]
            calls.append(call(kind, answer, request=orjson.dumps(request), keep=keep))
            if inputs is None:
                routed = readings.route(calls[-1], body, cell.url, request_id)
            else:
                wanted = Wanted(request_id=request_id, task_type=cell.task_type, output_schema=cell.output_schema)
                known[kind] = readings.read(calls[-1], body, wanted, inputs)
        verdict = judge(cell, routed, known, of.gate)
    return rows.row(cell, routed, calls, verdict, of.gate, show="windlass sweep show x")


def door(**http: int) -> dict[str, Any]:
    """What was found at the door; locked, but for the tries whose answer is given."""
    answers = dict(rows.DOOR) | http
    return {name: {"http": answers[name], "expected": status, "pass": answers[name] == status} for name, status in rows.DOOR.items()}


def write(directory: Path, of: Plan, agents: Mapping[str, Agent]) -> dict[str, Any]:
    """The evidence of a whole sweep, as it stands on disk afterwards; returns what `sweep.json` says."""
    expectation = of.expectation() | {"started_at": STARTED, "git_commit": None}
    bodies = directory / "bodies"
    digest = evidence.begin(directory, bodies, expectation, evidence.document(of.fleet.model_dump(mode="json")))
    kept = evidence.Evidence(directory, bodies)
    made = [climb(of, cell, agents[cell.task_type], keep=kept.keep) for cell in of.cells]
    for row in made:
        kept.row(row)
    kept.close()
    swept = {
        "orchestrator_url": "http://127.0.0.1:3001",
        "finished_at": STARTED,
        "duration_ms": 12.0,
        "interrupted": False,
        "bodies": "bodies",
        "expectation_sha256": digest,
    }
    sweep = conduct.conclude(expectation, swept, made, door() if of.gate == "proof" else None)
    conduct.write(directory, sweep)
    return sweep
