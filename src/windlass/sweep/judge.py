"""Climbs the ladder of proof for one cell: from what was read of its calls to a rung, or to the calls that are still wanted. Pure.

The loop calls this after every answer and makes the calls in `wants`; judging kept evidence again calls it once. There is no
other place where a row's verdict comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from windlass.infra import schemas
from windlass.sweep import sensitivity
from windlass.sweep.plan import Cell, Gate, Kind
from windlass.sweep.readings import FailureClass, Reading, Routed

Rung = Literal["none", "dispatched", "responded", "conformed", "executed"]
RUNGS: tuple[Rung, ...] = ("none", "dispatched", "responded", "conformed", "executed")
NEEDED: Mapping[Gate, Rung] = {"dispatch": "dispatched", "execution": "responded", "proof": "executed"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How far a cell came. `wants` names the calls that would take it further; with none left the verdict is final."""

    rung: Rung
    failure: FailureClass | None = None
    reason: str = ""
    wants: tuple[Kind, ...] = ()


def reaches(rung: Rung, gate: Gate) -> bool:
    """Whether a rung is enough for a gate."""
    return RUNGS.index(rung) >= RUNGS.index(NEEDED[gate])


def judge(cell: Cell, routed: Routed | None, readings: Mapping[Kind, Reading], gate: Gate) -> Verdict:
    """The verdict on what is known so far."""
    if routed is None:
        return _open("none", "dispatch")
    if not routed.dispatched or routed.failure == "UNREGISTERED_ENDPOINT" or (routed.failure and gate == "proof"):
        return Verdict(rung="dispatched" if routed.dispatched else "none", failure=routed.failure, reason=routed.reason)
    if gate == "dispatch":
        return Verdict(rung="dispatched", failure=routed.failure, reason=routed.reason)
    first = readings.get("first")
    if first is None:
        return _open("dispatched", "first")
    reached: Rung = "responded" if first.responded else "dispatched"
    if first.failure:
        return Verdict(rung=reached, failure=first.failure, reason=first.reason)
    if not first.responded:
        return Verdict(rung=reached, failure="EMPTY_OUTPUT", reason="the whole body is 50 characters or shorter")
    if gate == "execution":
        return Verdict(rung="conformed")
    if cell.unprovable:
        return Verdict(rung="conformed", failure="NOT_RUN", reason=f"can't be proved: {cell.unprovable}")
    return _proof_by_probe(cell, readings) if cell.probe else _proof_by_examples(cell, readings)


def _open(rung: Rung, *wants: Kind) -> Verdict:
    return Verdict(rung=rung, failure="NOT_RUN", reason="was not asked", wants=wants)


def _conformed(failure: FailureClass, reason: str) -> Verdict:
    return Verdict(rung="conformed", failure=failure, reason=reason)


def _missing(readings: Mapping[Kind, Reading], *kinds: Kind) -> tuple[Kind, ...]:
    return tuple(kind for kind in kinds if kind not in readings)


def _proof_by_probe(cell: Cell, readings: Mapping[Kind, Reading]) -> Verdict:
    first = readings["first"]
    reason = _probed(cell, "first", first)
    if reason and "second" not in readings:
        return _open("conformed", "second")  # only the second answer tells a wrong one from a canned one
    wants = _missing(readings, "second", "invalid")
    if wants and not reason:
        return _open("conformed", *wants)
    second = readings["second"]
    if not second.failure and sensitivity.same(first.outputs, second.outputs):
        return _conformed("NOT_INPUT_SENSITIVE", "two probes with different inputs got the same outputs")
    if reason:
        return _conformed("PROBE_FAILED", reason)
    if second.failure:
        return _conformed(second.failure, f"second probe: {second.reason}")
    reason = _probed(cell, "second", second)
    if reason:
        return _conformed("PROBE_FAILED", reason)
    return _rejection(readings["invalid"], "a misspelt required key")


def _probed(cell: Cell, kind: Kind, reading: Reading) -> str | None:
    """Why the outputs can't come from the work. The probe is ours, the outputs are not: whatever they make it raise is their fault."""
    question = cell.questions[kind]
    if cell.probe is None or question.seed is None:
        raise ValueError(f"{cell.task_type}: {kind} is not a probe's question")
    try:
        reason: object = cell.probe.check(question.seed, reading.inputs, reading.outputs)
        return None if reason is None else str(reason) or "the probe gives no reason"
    except Exception as failure:  # noqa: BLE001  # see above
        return f"the outputs do not have the form that the work gives ({type(failure).__name__}: {failure})"


def _proof_by_examples(cell: Cell, readings: Mapping[Kind, Reading]) -> Verdict:
    if sensitivity.echoes(readings["first"].outputs, readings["first"].inputs):
        return _conformed("NOT_INPUT_SENSITIVE", "the outputs are the inputs, sent back")
    for kind in _ASKED:
        reading = readings.get(kind)
        if reading is None:
            return _open("conformed", *(_missing(readings, kind, "invalid") if kind == "again" else (kind,)))
        if reading.failure:
            return _conformed(reading.failure, f"{_ASKED[kind]}: {reading.reason}")
        if kind == "second" and sensitivity.same(readings["first"].outputs, reading.outputs):
            return _conformed("NOT_INPUT_SENSITIVE", "different inputs got the same outputs")
        reason = _expected(cell.questions[kind].expect, reading.outputs)
        if reason:
            return _conformed("PROBE_FAILED", f"{_ASKED[kind]}: the outputs do not satisfy expect: {reason}")
    reason = sensitivity.insensitive(_asked(readings, "first", "again"), _asked(readings, "second", "second_again"))
    if reason:
        return _conformed("NOT_INPUT_SENSITIVE", reason)
    if "invalid" not in readings:
        return _open("conformed", "invalid")
    return _rejection(readings["invalid"], "the invalid example")


_ASKED: Mapping[Kind, str] = {
    "first": "first example",
    "second": "second example",
    "second_again": "second example again",
    "again": "first example again",
}
"""In the order that `sensitivity` needs, with no other call between the two in the middle: replicas that answer in turn would keep step."""


def _asked(readings: Mapping[Kind, Reading], kind: Kind, again: Kind) -> sensitivity.Asked:
    return sensitivity.Asked(inputs=readings[kind].inputs, outputs=readings[kind].outputs, again=readings[again].outputs)


def _expected(expect: Mapping[str, Any] | None, outputs: Mapping[str, Any]) -> str | None:
    return schemas.compiled(expect)(outputs) if expect is not None else None


def _rejection(reading: Reading, what: str) -> Verdict:
    if reading.rejected:
        return Verdict(rung="executed")
    if reading.failure in {"DNS", "REFUSED", "TIMEOUT", "TLS", "TOO_LARGE", "HTTP_5XX", "UNREGISTERED_ENDPOINT"}:
        return _conformed(reading.failure, f"{what} was not rejected, but met: {reading.reason}")
    if reading.failure:
        return _conformed("ACCEPTS_INVALID_INPUT", f"{what} was not answered by VALIDATION_ERROR or HTTP 400/422, but by: {reading.reason}")
    return _conformed("ACCEPTS_INVALID_INPUT", f"{what} was accepted and answered with outputs")
