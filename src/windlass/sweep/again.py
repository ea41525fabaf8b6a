"""Judges a kept sweep again, under today's rules, without calling anyone: from its expectation, its fleet and its stored bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from windlass.agents.agent import Probe
from windlass.errors import UnusableRecord
from windlass.fleet import Fleet, Task
from windlass.sweep import conduct, evidence, readings, rows
from windlass.sweep.judge import judge
from windlass.sweep.plan import Cell, Kind, Plan, Question, Terms, digest, plan, request_id
from windlass.sweep.readings import Call, Reading, Wanted

ProbeFor = Callable[[str, Task], Probe | None]


def planned(directory: Path, probe_for: ProbeFor) -> Plan:
    """The plan of a kept sweep, made again from what was committed."""
    expectation = evidence.read_json(directory / evidence.EXPECTATION)
    try:
        fleet = _fleet(directory / evidence.FLEET)
        if fleet.sha256 != expectation["fleet"]["sha256"]:
            raise UnusableRecord(f"{directory / evidence.FLEET}: is not the fleet that was swept")
        if expectation["fleet"]["expected"] != list(fleet.expected):
            raise UnusableRecord(f"{directory / evidence.EXPECTATION}: does not expect what the fleet has")
        terms = Terms(gate=expectation["gate"], mode=expectation["mode"], risk_tier=expectation["risk_tier"])
        return plan(fleet, terms, sweep_id=expectation["sweep_id"], nonce=expectation["nonce"], probe_for=probe_for)
    except (KeyError, TypeError, ValueError) as failure:
        raise UnusableRecord(f"{directory}: the expectation or the fleet can't be read: {failure}") from failure


def _fleet(path: Path) -> Fleet:
    try:
        return Fleet.model_validate(evidence.read_json(path))
    except ValidationError as failure:
        raise UnusableRecord(f"{path}: is no fleet: {failure.error_count()} fields do not fit") from failure


def judged(directory: Path, bodies: Path | None, probe_for: ProbeFor, *, show: str) -> tuple[dict[str, Any], list[str]]:
    """The sweep as it is judged today, and the names of bodies that are not carried (their rows keep their old verdict)."""
    expectation = evidence.read_json(directory / evidence.EXPECTATION)
    kept = conduct.load(directory) if (directory / evidence.SWEEP).exists() else None
    committed = evidence.digest_of(directory / evidence.EXPECTATION)
    if kept and kept["expectation_sha256"] != committed:
        raise UnusableRecord(f"{directory / evidence.EXPECTATION}: is not the expectation that this sweep committed to")
    written = kept["rows"] if kept else evidence.read_rows(directory / evidence.ROWS)[0]
    cells = {cell.task_type: cell for cell in planned(directory, probe_for).cells}
    source = bodies or directory / (kept["bodies"] if kept else "bodies")
    missing: list[str] = []
    try:
        renewed = [_again(expectation, cells, row, source, missing, show) for row in written]
    except (KeyError, TypeError, ValueError) as failure:
        raise UnusableRecord(f"{directory}: a row can't be read: {type(failure).__name__}: {failure}") from failure
    swept = kept or {
        "orchestrator_url": "",
        "finished_at": None,
        "duration_ms": 0.0,
        "interrupted": True,
        "bodies": "bodies",
        "expectation_sha256": committed,
    }
    return conduct.conclude(expectation, swept, renewed, kept["door"] if kept else None), missing


def _again(
    expectation: Mapping[str, Any], cells: Mapping[str, Cell], row: dict[str, Any], bodies: Path, missing: list[str], show: str
) -> dict[str, Any]:
    cell = cells.get(row["task_type"])
    if cell is None:
        raise UnusableRecord(f"{row['task_type']}: the row is of no task type that was expected")
    calls = [rows.call(written) for written in row["calls"]]
    answers: dict[str, tuple[bytes, bytes]] = {}
    for call in calls:
        request, response = evidence.body(bodies, call.request_sha256), evidence.body(bodies, call.response_sha256)
        if request is None or response is None:
            missing.extend(name for name, content in ((call.request_sha256, request), (call.response_sha256, response)) if name and content is None)
            return row
        answers[call.kind] = (request, response)
    dispatched_as = request_id(expectation["sweep_id"], expectation["nonce"], cell.task_type, "dispatch")
    routed = next((readings.route(call, answers[call.kind][1], cell.url, dispatched_as) for call in calls if call.kind == "dispatch"), None)
    asked, known = cell, {}
    for call in calls:
        if call.kind != "dispatch":
            kind, reading, asked = _read(expectation, asked, call, *answers[call.kind])
            known[kind] = reading
    return rows.row(cell, routed, calls, judge(asked, routed, known, expectation["gate"]), expectation["gate"], show=show)


def _read(expectation: Mapping[str, Any], cell: Cell, call: Call, request: bytes, response: bytes) -> tuple[Kind, Reading, Cell]:
    """The reading of a stored call, and the cell with the question that was really asked: today's probe may ask another."""
    kind: Kind = call.kind  # type: ignore[assignment]  # what is no kind was not committed to, and is refused in the next lines
    inputs = _inputs(request)
    committed = next(written["inputs_sha256"] for written in expectation["cells"] if written["task_type"] == cell.task_type)
    if committed.get(kind) != digest(inputs):
        raise UnusableRecord(f"{cell.task_type}: the stored request of the call {kind!r} does not ask what was committed to")
    question = cell.questions.get(kind) or Question(inputs={})
    asked = replace(cell, questions={**cell.questions, kind: replace(question, inputs=inputs)})
    expected_id = request_id(expectation["sweep_id"], expectation["nonce"], cell.task_type, kind)
    wanted = Wanted(request_id=expected_id, task_type=cell.task_type, output_schema=cell.output_schema)
    return kind, readings.read(call, response, wanted, inputs), asked


def _inputs(request: bytes) -> Any:
    """The inputs that a stored request carries."""
    try:
        return orjson.loads(request)["inputs"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
