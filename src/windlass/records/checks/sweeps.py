"""`sweep`: a sweep's evidence reaches a rung, by its rows and its committed expectation; what it says of its own gates is not believed.

Every expected task type must have a row, each row must have reached the rung with the calls that lead there, and for `executed` the
door must have been found locked. With the re-judging that is handed in, rows are judged again from the stored bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from windlass.errors import WindlassError
from windlass.records.artifacts import IN_RECORD
from windlass.records.checks import again
from windlass.records.checks.kept import failed

if TYPE_CHECKING:
    from windlass.records.artifacts import Places
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check

SWEEP, EXPECTATION = "sweep.json", "expectation.json"
RUNGS = ("dispatched", "responded", "conformed", "executed")
_ASKED = {"dispatched": "dispatch", "responded": "execution", "conformed": "execution", "executed": "proof"}
_STRICTNESS = ("dispatch", "execution", "proof")
_LOCKED = {"no_token": 401, "wrong_token": 401, "unknown_task": 400}
JudgeAgain = Callable[[Path], tuple[Mapping[str, Any], Sequence[str]]]
"""Given an evidence directory: the sweep as it is judged today, and the names of bodies that are not carried. Comes from above the records."""
MAX_SWEEP = 256 * 1024 * 1024
_TOLD = 10


def judge(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    """Hold the rows against the expectation (`reads`: of `sweep.json` and of `expectation.json`), and where that can be done, judge them again."""
    sweep_at, expectation_at = reads.values()
    rung = check.fields["rung"]
    told: dict[str, Any] = {"rung": rung, "sweep_sha256": sweep_at.artifact.sha256, "rejudged": False}
    try:
        sweep = _object(again.content(given.places, sweep_at, MAX_SWEEP), sweep_at)
        expectation = _object(again.content(given.places, expectation_at, MAX_SWEEP), expectation_at)
    except again.NotTheSame as failure:
        return failed(failure.code, failure.reason, **told)
    told |= {"sweep_id": _text(sweep.get("sweep_id")), "fleet": _fleet(expectation)}
    reason = _committed(sweep, expectation, expectation_at.artifact.sha256) or _is_of(expectation, check.fields["fleet"])
    if reason:
        return failed("VALIDATION_FAILED", reason, **told)
    if given.sweep is not None:
        judged, not_carried, reason = _again(given.sweep, given.places, sweep_at, sweep)
        told |= {"rejudged": True, "bodies_not_carried": not_carried}
        if reason:
            return failed("VALIDATION_FAILED", reason, **told)
    else:
        judged = sweep
    expected = expectation["fleet"]["expected"]
    short = shortfalls(judged, expected, rung)
    told |= {"passed": len(expected) - len(short), "total": len(expected)}
    reason = _whole(judged, expectation, rung) or (_some(short, rung) if short else None)
    return failed("VALIDATION_FAILED", reason, **told) if reason else {**told, "pass": True}


def _object(content: bytes, read: Read) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise again.NotTheSame("UNREADABLE", f"{read.artifact.path} is not JSON: {failure}") from failure
    if not isinstance(found, dict):
        raise again.NotTheSame("UNREADABLE", f"{read.artifact.path} is not an object")
    return found


def _text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _fleet(expectation: Mapping[str, Any]) -> Mapping[str, Any]:
    fleet = expectation.get("fleet")
    return {key: _text(fleet.get(key)) for key in ("name", "sha256")} if isinstance(fleet, dict) else {}


def _committed(sweep: Mapping[str, Any], expectation: Mapping[str, Any], sha256: str | None) -> str | None:
    """Why the sweep is not the one that this expectation was committed for."""
    if sweep.get("schema_version") != 1 or expectation.get("schema_version") != 1:
        return "the evidence is not of schema 1"
    if sweep.get("expectation_sha256") != sha256:
        return f"{EXPECTATION} is not the expectation that this sweep committed to"
    fleet = expectation.get("fleet")
    expected = fleet.get("expected") if isinstance(fleet, dict) else None
    if not isinstance(expected, list) or not expected or not all(isinstance(one, str) for one in expected):
        return "the expectation expects nothing"
    if len(set(expected)) < len(expected):
        return "the expectation names a task type twice"
    cells = expectation.get("cells")
    if not isinstance(cells, list) or sorted(str(cell.get("task_type")) for cell in cells if isinstance(cell, dict)) != sorted(expected):
        return "the expectation's cells are not its task types"
    for key in ("sweep_id", "nonce", "gate", "fleet"):
        if sweep.get(key) != expectation.get(key):
            return f"{SWEEP} and {EXPECTATION} differ in {key}"
    rows = sweep.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return f"{SWEEP} has no list of rows"
    return None


def _is_of(expectation: Mapping[str, Any], fleet: str) -> str | None:
    found = expectation["fleet"]
    if fleet in (found.get("name"), found.get("sha256")):
        return None
    return f"the sweep is of fleet {str(found.get('name'))[:80]!r} ({str(found.get('sha256'))[:12]}…), not of {fleet[:80]!r}"


def _again(judge_again: JudgeAgain, places: Places, read: Read, sweep: Mapping[str, Any]) -> tuple[Mapping[str, Any], int, str | None]:
    """The sweep as it is judged today, how many bodies it lacks (rows without them keep their verdict), and where it is not what was written."""
    resolved = read.artifact.resolved_path
    base = places.record if resolved.startswith(IN_RECORD) else places.root
    try:
        judged, missing = judge_again((base / resolved.removeprefix(IN_RECORD)).parent)
    except WindlassError as failure:
        return sweep, 0, f"the sweep can't be judged again: {failure}"
    written, renewed = ({str(row.get("task_type")): _verdict(row) for row in one["rows"]} for one in (sweep, judged))
    differing = sorted(name for name in written.keys() | renewed.keys() if written.get(name) != renewed.get(name))
    if not differing:
        return judged, len(missing), None
    one = differing[0]
    reason = f"judged again, {len(differing)} rows differ: {one[:80]} was {written.get(one)}, is {renewed.get(one)}"
    return judged, len(missing), reason


def _verdict(row: Mapping[str, Any]) -> str:
    return f"{row.get('rung')}{' ' + str(row['failure_class']) if row.get('failure_class') else ''}"[:80]


def shortfalls(sweep: Mapping[str, Any], expected: Sequence[str], rung: str) -> list[str]:
    """`TASK_TYPE: why` for each expected task type that did not reach the rung. Of several rows of one, each must: none takes another back."""
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in expected}
    for row in sweep["rows"]:
        rows.get(str(row.get("task_type")), []).append(row)
    return [f"{name[:80]}: {reason}" for name, of_one in rows.items() if (reason := _short(of_one, rung))]


def _short(of_one: Sequence[Mapping[str, Any]], rung: str) -> str | None:
    if not of_one:
        return "was never run"
    return next((reason for row in of_one if (reason := _row_short(row, rung))), None)


def _row_short(row: Mapping[str, Any], rung: str) -> str | None:
    reached = row.get("rung")
    if reached not in RUNGS or RUNGS.index(reached) < RUNGS.index(rung):
        return f"reached {str(reached)[:20]} ({str(row.get('failure_class'))[:40]})"
    if rung == "executed" and row.get("failure_class"):
        return f"{str(row['failure_class'])[:40]}"
    calls = row.get("calls")
    made = {str(call.get("kind")) for call in calls if isinstance(call, dict) and call.get("http")} if isinstance(calls, list) else set()
    needed = {"dispatch"} | ({"first"} if rung != "dispatched" else set()) | ({"second", "invalid"} if rung == "executed" else set())
    return f"names no answered call {', '.join(sorted(needed - made))}" if needed - made else None


def _whole(sweep: Mapping[str, Any], expectation: Mapping[str, Any], rung: str) -> str | None:
    """Why the sweep as a whole can't carry the rung, whatever its rows say."""
    if sweep.get("interrupted") is not False:
        return "the sweep was interrupted"
    gate = expectation.get("gate")
    if gate not in _STRICTNESS or _STRICTNESS.index(gate) < _STRICTNESS.index(_ASKED[rung]):
        return f"the sweep asked for the gate {str(gate)[:20]} only"
    if rung != "executed":
        return None
    door = sweep.get("door")
    tries = {name: door.get(name) for name in _LOCKED} if isinstance(door, dict) else {}
    answered = {name: found.get("http") if isinstance(found, dict) else None for name, found in tries.items()}
    return None if answered == _LOCKED else "the door was not found locked (no token 401, wrong token 401, unknown task 400)"


def _some(short: Sequence[str], rung: str) -> str:
    more = f"; {len(short) - _TOLD} more" if len(short) > _TOLD else ""
    return f"{len(short)} did not reach {rung}: {'; '.join(short[:_TOLD])}{more}"
