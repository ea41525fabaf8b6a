"""Makes the calls of a sweep: one task per cell, so many in flight, each verdict from `judge`, each row on disk as it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import orjson

from windlass import model
from windlass.errors import Refused, Unavailable, UnusableRecord
from windlass.infra import http
from windlass.infra.limit import Limit
from windlass.infra.redaction import Redactor
from windlass.sweep import calling, readings, rows
from windlass.sweep.calling import Caller, Calling
from windlass.sweep.evidence import Evidence
from windlass.sweep.judge import Verdict, judge, reaches
from windlass.sweep.plan import Cell, Kind, Plan, hidden, request_id
from windlass.sweep.readings import Call, Reading, Routed, Wanted

DISPATCH_PATH = "/api/ai/router/dispatch"
RUN_PATH = "/agents/run/sync"
MAX_BODY = 4 * 1024 * 1024
"""Bytes of an answer that are read; an answer beyond it is TOO_LARGE."""
KEPT_OF_TOO_LARGE = 64 * 1024
"""Bytes that are kept of an answer that is too large."""

LARGE = 256 * 1024
"""Bytes of answers from which reading them takes so long that other calls would miss their time on the event loop."""
_LONGEST_DETAIL = 300
"""Characters of what is said of a fault; cut only after redaction, since a cut secret is not found."""
_LONGEST_FORM = 12
"""Bytes that one character of a secret takes in the longest form that is redacted (`\\u0041` in UTF-16)."""

Stage = Literal["dispatch", "execute", "prove"]
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Access:
    """How the sweep reaches and enters the fleet: secrets stay in memory and in headers. Lives as long as the sweep.

    Raises Refused for a secret that can't be kept out of the evidence.
    """

    orchestrator_url: str
    token: str = field(repr=False)
    agent_tokens: Mapping[str, str] = field(repr=False)
    """Variable name (a cell's `token_env`) → token."""
    concurrency: int
    timeout_s: float
    called_from: str = "here"
    """Where the calls are made, as the evidence says it."""
    limit: Limit | None = None
    """Requests in flight where that changes while the sweep runs; `concurrency` is then the most cells that are under way."""

    def __post_init__(self) -> None:
        try:
            Redactor(self.secrets)
        except ValueError as failure:
            raise Refused(f"a token can't be kept out of the evidence: {failure}") from failure

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be written anywhere."""
        return (self.token, *self.agent_tokens.values())


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A cell has left a stage. Lives as long as the event."""

    task_type: str
    stage: Stage
    passed: bool
    elapsed_ms: float | None = None


OnMoment = Callable[[Moment], None]


class Sweeper:
    """Makes and stores calls, and judges cells, for one sweep. Lives as long as the sweep."""

    _caller: Caller

    def __init__(self, plan: Plan, access: Access, evidence: Evidence, *, show: str, on_moment: OnMoment, calls: Calling = calling.from_here) -> None:
        self.plan = plan
        self.access = access
        self.evidence = evidence
        self.rows: list[dict[str, Any]] = []
        self.door: dict[str, Any] | None = None
        self._show = show
        self._calls = calls
        self._on_moment = on_moment
        self._redactor = Redactor(access.secrets)
        self._began = time.perf_counter()
        self._in_flight = access.limit or Limit(access.concurrency)
        self._active = asyncio.Semaphore(access.concurrency)

    async def run(self, finished: Mapping[str, dict[str, Any]]) -> None:
        """Sweep every cell whose row is not in `finished`. Ends with `rows` and `door` complete, or is cancelled with what there is.

        Raises UnusableRecord when the evidence can't be written: a sweep that leaves none has proved nothing; and Unavailable when the
        caller is gone: what was not asked then is no failure of the agents.
        """
        self.rows.extend(finished.values())
        for task_type, row in finished.items():
            self._leave(task_type, row)
        try:
            async with self._calls() as self._caller, asyncio.TaskGroup() as group:
                if self.plan.gate == "proof":
                    group.create_task(self._try_the_door())
                for cell in self.plan.cells:
                    if cell.task_type not in finished:
                        await self._active.acquire()
                        group.create_task(self._sweep_cell(cell))
        except* (UnusableRecord, Unavailable) as failures:
            ended = failures
        else:
            return
        first = _first(ended)
        raise type(first)(str(first)) from ended

    async def _sweep_cell(self, cell: Cell) -> None:
        try:
            row = await self._climb(cell)
        finally:
            self._active.release()
        self.rows.append(row)
        self.evidence.row(row)
        self._on_moment(Moment(task_type=cell.task_type, stage="prove", passed=row["pass_fail"] == "PASS", elapsed_ms=row["timings"]["total_ms"]))

    async def _climb(self, cell: Cell) -> dict[str, Any]:
        routed: Routed | None = None
        known: dict[Kind, Reading] = {}
        calls: list[Call] = []
        verdict = judge(cell, routed, known, self.plan.gate)
        while verdict.wants:
            asked = await self._ask_all(cell, verdict.wants)
            for kind, (call, answer) in zip(verdict.wants, asked, strict=True):
                calls.append(call)
                if kind == "dispatch":
                    routed = readings.route(call, answer, cell.url, self.plan.request_id(cell, kind))
                    self._on_moment(Moment(task_type=cell.task_type, stage="dispatch", passed=routed.dispatched))
                else:
                    known[kind] = await _off_the_loop(len(answer), self._read, cell, kind, call, answer)
            verdict = await _off_the_loop(sum(call.response_bytes or 0 for call in calls), judge, cell, routed, known, self.plan.gate)
            if "first" in known and len(known) == 1:
                self._executed(cell, verdict, known["first"].elapsed_ms)
        if "first" not in known:
            self._executed(cell, verdict, None)
        row = rows.row(cell, routed, calls, verdict, self.plan.gate, show=self._show)
        return row | {"next_command": row["next_command"] and self._caller.next_command(row["next_command"])}

    def _executed(self, cell: Cell, verdict: Verdict, elapsed_ms: float | None) -> None:
        self._on_moment(Moment(task_type=cell.task_type, stage="execute", passed=reaches(verdict.rung, "execution"), elapsed_ms=elapsed_ms))

    def _leave(self, task_type: str, row: Mapping[str, Any]) -> None:
        self._on_moment(Moment(task_type=task_type, stage="dispatch", passed=reaches(row["rung"], "dispatch")))
        self._on_moment(Moment(task_type=task_type, stage="execute", passed=reaches(row["rung"], "execution"), elapsed_ms=row["latency_ms"]))
        self._on_moment(Moment(task_type=task_type, stage="prove", passed=row["pass_fail"] == "PASS"))

    async def _ask_all(self, cell: Cell, kinds: Sequence[Kind]) -> list[tuple[Call, bytes]]:
        if len(kinds) == 1:  # the usual case; a task of its own would cost a tenth of the call
            return [await self._ask(cell, kinds[0])]
        return await asyncio.gather(*(self._ask(cell, kind) for kind in kinds))

    async def _ask(self, cell: Cell, kind: Kind) -> tuple[Call, bytes]:
        if kind == "dispatch":
            url, body = self.access.orchestrator_url + DISPATCH_PATH, self._envelope(cell.task_type, self.plan.request_id(cell, kind))
            return await self._call(kind, url, body, self.access.token)
        question = cell.questions[kind]
        body = self._envelope(cell.task_type, self.plan.request_id(cell, kind), inputs=question.inputs, budgets=cell.budgets)
        token = self.access.agent_tokens.get(cell.token_env) if cell.token_env else None
        return await self._call(kind, cell.url + RUN_PATH, body, token)

    def _envelope(self, task_type: str, request_id: str, **more: Any) -> bytes:
        return orjson.dumps({"request_id": request_id, "task_type": task_type, "mode": self.plan.mode, "risk_tier": self.plan.risk_tier, **more})

    async def _call(self, kind: str, url: str, body: bytes, token: str | None) -> tuple[Call, bytes]:
        """One call, redacted and stored; the verdict is computed on exactly the bytes that are returned here."""
        async with self._in_flight:
            started = time.perf_counter()
            answer = await self._caller.post(url, body, token, timeout_s=self.access.timeout_s, cap=MAX_BODY)
        kept = await _off_the_loop(len(answer.body), self._kept, answer)
        call = Call(
            kind=kind,
            http=answer.status,
            elapsed_ms=round(answer.elapsed_ms, 3),  # as it is written, so that whoever adds up what is written comes to the same
            started_ms=round((started - self._began) * 1000, 3),
            request_sha256=self.evidence.keep(self._redactor.bytes(body)),
            response_sha256=self.evidence.keep(kept) if answer.status else None,
            response_bytes=len(answer.body),
            fault=answer.fault,
            detail=model.clip(self._redactor.text(answer.detail), _LONGEST_DETAIL),
        )
        return call, kept

    def _kept(self, answer: http.Answer) -> bytes:
        """What is stored of an answer. Of one that was cut, the end may be the first part of a secret, which no redactor knows: it goes."""
        if answer.fault is None:
            return self._redactor.bytes(answer.body)
        whole = answer.body[: max(0, len(answer.body) - _LONGEST_FORM * max(map(len, self.access.secrets)))]
        return self._redactor.bytes(whole)[:KEPT_OF_TOO_LARGE]

    def _read(self, cell: Cell, kind: Kind, call: Call, answer: bytes) -> Reading:
        wanted = Wanted(request_id=self.plan.request_id(cell, kind), task_type=cell.task_type, output_schema=cell.output_schema)
        return readings.read(call, answer, wanted, cell.questions[kind].inputs)

    async def _try_the_door(self) -> None:
        """Once per sweep: without a token, with a wrong one, and for a task type that does not exist."""
        nonce, known = self.plan.nonce, self.plan.cells[0].task_type
        wrong, unknown = hidden(nonce, "wrong_token")[:32], f"NO_SUCH_TASK_{hidden(nonce, 'unknown_task')[:8].upper()}"
        tries = {"no_token": (known, None), "wrong_token": (known, wrong), "unknown_task": (unknown, self.access.token)}
        door: dict[str, Any] = {}
        for name, (task_type, token) in tries.items():
            body = self._envelope(task_type, request_id(self.plan.sweep_id, nonce, task_type, name))
            call, _ = await self._call(name, self.access.orchestrator_url + DISPATCH_PATH, body, token)
            door[name] = {"http": call.http, "expected": rows.DOOR[name], "pass": call.http == rows.DOOR[name]}
        self.door = door


def _first(failures: BaseExceptionGroup[Any]) -> BaseException:
    """The first failure in a group of groups."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _off_the_loop(size: int, work: Callable[..., Result], *arguments: Any) -> Result:
    """The result of `work` on so many bytes, in a thread when they are many."""
    return work(*arguments) if size < LARGE else await asyncio.to_thread(work, *arguments)
