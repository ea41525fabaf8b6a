"""What a kept `sweep.json` looks like: the type of everything in it that is printed or computed with. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from windlass import model
from windlass.sweep.judge import Rung
from windlass.sweep.plan import By, Gate
from windlass.sweep.readings import FailureClass

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of the document. Lives as long as the check; what it has beyond these fields is not looked at."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Call(_Part):
    kind: str
    http: int
    elapsed_ms: float
    started_ms: float
    request_sha256: Digest | None
    response_sha256: Digest | None
    response_bytes: int
    fault: model.Fault | None
    detail: str


class _Row(_Part):
    task_type: str
    agent_name: str
    agent_url: str
    dispatch_http: int
    run_http: int
    latency_ms: float | None
    pass_fail: Literal["PASS", "FAIL"]
    rung: Rung
    by: By | None
    failure_class: FailureClass | None
    error_preview: str
    next_command: str | None
    timings: dict[str, float | None]
    calls: list[_Call]


class _Verdict(_Part):
    verdict: Literal["PASS", "FAIL", "INCOMPLETE"]
    passed: int
    total: int
    asked: bool
    reason: str | None


class _Try(_Part):
    http: int
    expected: int
    passed: bool = Field(alias="pass")


class _Gates(_Part):
    dispatch: _Verdict
    execution: _Verdict
    proof: _Verdict


class _Summary(_Part):
    passed: int
    total: int


class _Fleet(_Part):
    name: str
    expected: list[str]


class _Sweep(_Part):
    sweep_id: str
    fleet: _Fleet
    nonce: str
    gate: Gate
    orchestrator_url: str
    interrupted: bool
    bodies: str
    door: dict[str, _Try] | None
    gates: _Gates
    summary: _Summary
    rows: list[_Row]


def misfit(document: Any) -> str | None:
    """Why this is not a sweep that can be read, naming each field; None when it is one."""
    try:
        _Sweep.model_validate(document)
    except ValidationError as failure:
        return model.clip(model.summary(model.field_errors(failure)), 1000)
    return None
