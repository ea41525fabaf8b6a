"""Tells an agent's author what the agent contract still asks of it. Reads nothing but the contract; needs no orchestrator.

Source of the contract: `docs/reference/agent-contract.md`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import orjson

from windlass.infra import http
from windlass.sweep import readings
from windlass.sweep.plan import misspelt
from windlass.sweep.readings import Call, Wanted

Outcome = Literal["ok", "missing", "not shown"]
_CAP = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One clause of the contract, and whether the agent keeps it; `reason` says what is missing."""

    clause: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The agent under test: where it answers, which task it claims to do, with which inputs and token."""

    url: str
    task_type: str
    inputs: Mapping[str, Any] | None
    token: str | None
    timeout_s: float


async def check(subject: Subject) -> list[Finding]:
    """Every clause, in the order of the contract. Without inputs, what needs a successful run is reported as not shown."""
    async with http.session() as client:
        desk = _Desk(subject, client)
        findings = [
            await desk.health("/health", "GET /health answers 200"),
            await desk.health("/health/ready", "GET /health/ready answers 200 when it can work"),
        ]
        findings += await desk.runs()
        findings += [await desk.unknown_key(), await desk.unsupported(), await desk.malformed(), await desk.stream()]
        if subject.token:
            findings.append(await desk.locked())
    return findings


class _Desk:
    """Asks one agent, clause by clause. Lives as long as the check."""

    def __init__(self, subject: Subject, client: aiohttp.ClientSession) -> None:
        self.subject = subject
        self._client = client

    async def health(self, path: str, clause: str) -> Finding:
        answer = await http.call(self._client, "GET", self.subject.url + path, timeout_s=self.subject.timeout_s, cap=_CAP)
        return _finding(clause, answer, 200)

    async def runs(self) -> list[Finding]:
        clauses = (
            "POST /agents/run/sync answers in the contract's shape",
            "provenance says which engine did the work",
            "`input` is an alias of `inputs`",
        )
        if self.subject.inputs is None:
            return [Finding(clause=clause, outcome="not shown", reason="give --inputs FILE with inputs that it can do") for clause in clauses]
        reading, fields = await self._run("inputs", self.subject.inputs)
        shape = Finding(clause=clauses[0], outcome="missing" if reading.failure else "ok", reason=reading.reason)
        engine = (fields.get("provenance") or {}).get("engine") if isinstance(fields.get("provenance"), dict) else None
        said = (
            Finding(clause=clauses[1], outcome="ok")
            if engine
            else Finding(clause=clauses[1], outcome="missing", reason="provenance.engine is missing")
        )
        alias, _ = await self._run("input", self.subject.inputs)
        return [shape, said, Finding(clause=clauses[2], outcome="missing" if alias.failure else "ok", reason=alias.reason)]

    async def unknown_key(self) -> Finding:
        clause = "an unknown input key is answered by VALIDATION_ERROR that names it"
        wrong = misspelt(self.subject.inputs or {}, (), 1)
        key = next((key for key in wrong if key not in (self.subject.inputs or {})), "")
        reading, fields = await self._run("inputs", wrong)
        if not reading.rejected:
            return Finding(clause=clause, outcome="missing", reason=reading.reason or "it was accepted and answered with outputs")
        named = key in orjson.dumps(fields).decode()
        return Finding(clause=clause, outcome="ok" if named else "missing", reason="" if named else f"the answer does not name {key!r}")

    async def unsupported(self) -> Finding:
        clause = "an unsupported task type is answered by HTTP 400 UNSUPPORTED_TASK_TYPE"
        answer = await self._post("/agents/run/sync", {"request_id": _request_id(), "task_type": "NO_SUCH_TASK", "inputs": {}})
        kept = answer.status == 400 and b"UNSUPPORTED_TASK_TYPE" in answer.body
        return Finding(clause=clause, outcome="ok" if kept else "missing", reason="" if kept else answer.detail or f"HTTP {answer.status}")

    async def malformed(self) -> Finding:
        clause = "a malformed body is answered by HTTP 422"
        answer = await self._post("/agents/run/sync", b'{"request_id": ')
        return _finding(clause, answer, 422)

    async def stream(self) -> Finding:
        clause = "POST /agents/run/stream ends with exactly one `final` event that is the sync answer"
        request_id = _request_id()
        body = {"request_id": request_id, "task_type": self.subject.task_type, "inputs": self.subject.inputs or {}}
        answer = await self._post("/agents/run/stream", body, accept="text/event-stream")
        if answer.status != 200 or answer.fault:
            return Finding(clause=clause, outcome="missing", reason=answer.detail or f"HTTP {answer.status}")
        names = [line.partition(":")[2].strip() for line in answer.body.decode("utf-8", "replace").splitlines() if line.startswith("event:")]
        if names.count("final") != 1 or names[-1] != "final":
            return Finding(clause=clause, outcome="missing", reason=f"the events were: {', '.join(names[:20]) or 'none'}")
        whole = request_id.encode() in answer.body
        return Finding(clause=clause, outcome="ok" if whole else "missing", reason="" if whole else "the final event does not echo request_id")

    async def locked(self) -> Finding:
        clause = "a run without the agent token is answered by HTTP 401"
        body = {"request_id": _request_id(), "task_type": self.subject.task_type, "inputs": self.subject.inputs or {}}
        answer = await http.call(
            self._client, "POST", self.subject.url + "/agents/run/sync", body=orjson.dumps(body), timeout_s=self.subject.timeout_s, cap=_CAP
        )
        return _finding(clause, answer, 401)

    async def _run(self, key: str, inputs: Mapping[str, Any]) -> tuple[readings.Reading, dict[str, Any]]:
        request_id = _request_id()
        answer = await self._post("/agents/run/sync", {"request_id": request_id, "task_type": self.subject.task_type, key: inputs})
        call = Call(
            kind="first",
            http=answer.status,
            elapsed_ms=answer.elapsed_ms,
            started_ms=0.0,
            request_sha256=None,
            response_sha256=None,
            response_bytes=len(answer.body),
            fault=answer.fault,
            detail=answer.detail,
        )
        wanted = Wanted(request_id=request_id, task_type=self.subject.task_type, output_schema=None)
        return readings.read(call, answer.body, wanted, inputs), _object(answer.body)

    async def _post(self, path: str, body: Mapping[str, Any] | bytes, *, accept: str = "application/json") -> http.Answer:
        headers = {"Accept": accept} | ({"Authorization": f"Bearer {self.subject.token}"} if self.subject.token else {})
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await http.call(
            self._client, "POST", self.subject.url + path, body=content, headers=headers, timeout_s=self.subject.timeout_s, cap=_CAP
        )


def _finding(clause: str, answer: http.Answer, status: int) -> Finding:
    if answer.status == status and not answer.fault:
        return Finding(clause=clause, outcome="ok")
    return Finding(clause=clause, outcome="missing", reason=answer.detail or f"HTTP {answer.status}")


def _request_id() -> str:
    return f"check-{secrets.token_hex(6)}"


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
