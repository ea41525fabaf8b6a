"""The stage-2 pipeline: literature review → screen → extract → synthesize, each a task of the fleet, each handed over only after its check.

The tasks run through the orchestrator like anybody's. What every step answered is evidence of the run's record; a check that does not
hold stops the pipeline there. A screen that includes nothing is a clean end, with its PRISMA counts.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from windlass import __version__
from windlass.agents import bibliography, stage2_checks, text
from windlass.errors import AgentError, GivenUp, Refused, Unavailable, WindlassError
from windlass.infra import files, git, http, instants
from windlass.infra.completion import see_through
from windlass.model import Mode, RiskTier
from windlass.premises import STORE, Needs, Premises
from windlass.records import verify as verifying
from windlass.records.events import GateName
from windlass.records.report import Report
from windlass.records.run import RunRecord

WINDOW, REVIEW, SCREEN, EXTRACT, SYNTHESIZE, CLOSED = "WINDOW", "REVIEW", "SCREEN", "EXTRACT", "SYNTHESIZE", "CLOSED"
_TITLES = {
    WINDOW: "Services are open and ready",
    REVIEW: "Literature review",
    SCREEN: "Screen",
    EXTRACT: "Extraction",
    SYNTHESIZE: "Synthesis",
    CLOSED: "Services are observed stopped",
}
_TASKS = {REVIEW: "STAGE_2_LITERATURE_REVIEW", SCREEN: "STAGE2_SCREEN", EXTRACT: "STAGE2_EXTRACT", SYNTHESIZE: "STAGE2_SYNTHESIZE"}
EXECUTE_PATH = "/api/ai/router/execute"
_MAX_BODY = 64 * 1024 * 1024
_QUESTION_WORDS = 8
_MOST_PAPERS = 200
"""A review hands over at most this many papers (the task's own limit)."""

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be reviewed, and how. Lives as long as the run."""

    papers: Sequence[Record]
    question: str
    criteria: Mapping[str, Any]
    out: Path
    mode: Mode = "DEMO"
    risk_tier: RiskTier = "NON_SENSITIVE"
    timeout_s: float = 120.0
    needs: Needs | None = None
    """What is opened for the run; None where an orchestrator stands already."""
    orchestrator_url: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step has ended, with its check's answer. Lives as long as the event."""

    gate: str
    passed: bool
    said: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the run ended. `section` is the synthesis in Markdown, None where there is nothing to synthesize."""

    run_id: str
    directory: Path
    passed: bool
    prisma: Mapping[str, Any] | None
    section: str | None
    failure: str | None
    report: Report


def read_papers(path: Path) -> list[Record]:
    """The paper records of a JSONL, RIS, BibTeX or PubMed XML file; raises Refused that names the file and the place."""
    form = bibliography.SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise Refused(f"--input {path}: the ending must be one of {', '.join(bibliography.SUFFIXES)}")
    try:
        return bibliography.parse(path.read_bytes(), form, lambda: None)
    except OSError as failure:
        raise Refused(f"--input {path}: {failure.strerror}") from failure
    except AgentError as failure:
        raise Refused(f"--input {path}: {failure.message}") from failure


def asked_by(papers: Sequence[Record]) -> str:
    """A question for whoever gave none: the words that most titles share, most frequent first, ties in the order of the file."""
    words = Counter(word for paper in papers for word in dict.fromkeys(text.content_words(str(paper.get("title", "")))) if not word[0].isdigit())
    return " ".join(word for word, _ in words.most_common(_QUESTION_WORDS))


async def stage2(request: Request, tell: Callable[[Step], None]) -> Outcome:
    """Run the pipeline and leave a record of it. Raises Refused before anything was started; what was opened is closed, whatever happens."""
    premises = Premises(request.needs) if request.needs else None
    try:
        run = _Run(request, premises, tell)
    except BaseException:
        if premises:
            premises.abandon()
        raise
    with run.record:
        try:
            await run.through()
        except asyncio.CancelledError:
            run.fail_running("interrupted")
            run.record.complete("CANCELED")
            raise
        return run.end()


class _Run:
    """One run of the pipeline. Lives as long as the run."""

    def __init__(self, request: Request, premises: Premises | None, tell: Callable[[Step], None]) -> None:
        self._request = request
        self._premises = premises
        self._tell = tell
        self._failure: str | None = None
        self._prisma: Mapping[str, Any] | None = None
        self._section: str | None = None
        self._noted = ""
        """What a person should know of the task that ended last, beside its check."""
        gates = [gate for gate in _TITLES if premises or gate not in {WINDOW, CLOSED}]
        try:
            self.record = RunRecord.create(
                request.out,
                root=request.out,
                workflow="stage2",
                slug="stage2",
                gates=[GateName(gate=gate, name=_TITLES[gate]) for gate in gates],
                version=__version__,
                prompt=request.question,
                git_commit=git.head_commit(Path.cwd()),
            )
        except OSError as failure:
            raise Refused(f"--out {request.out}: can't hold a run: {failure.strerror}") from failure

    async def through(self) -> None:
        """Open, four steps, close."""
        try:
            await self._open()
            await self._steps()
        except WindlassError as failure:
            self._failure = str(failure)
            self.fail_running(str(failure))
        finally:
            if self._premises and self._premises.held:
                await see_through(self._close(self._premises))

    def end(self) -> Outcome:
        """Seal and verify the record."""
        passed = all(gate.status == "PASS" for gate in self.record.run.gates.values())
        self.record.complete("PASSED" if passed else "FAILED")
        report = verifying.verify(self.record.directory, head=self.record.head)
        return Outcome(
            run_id=self.record.run_id,
            directory=self.record.directory,
            passed=passed and report.verdict == "intact",
            prisma=self._prisma,
            section=self._section,
            failure=self._failure,
            report=report,
        )

    def fail_running(self, reason: str) -> None:
        """Every attempt that still runs has failed, for this reason."""
        for attempt in list(self.record.run.running):
            self.record.gate_finished(attempt.gate, "FAIL", validations=[], artifacts=self._evidence(attempt.gate), failure_reason=reason)

    async def _steps(self) -> None:
        papers, question = list(self._request.papers), self._request.question
        reviewed = await self._task(REVIEW, {"research_question": question, "corpus": papers, "max_results": min(len(papers), _MOST_PAPERS)})
        places = stage2_checks.positions(reviewed["papers"], papers)
        handed = [papers[place] for place in places or ()]
        strange = None if places is not None else "the review lists a paper that is not in the corpus"
        self._judge(REVIEW, strange or stage2_checks.after_review(reviewed), f"{len(handed)} of {len(papers)} papers")

        screened = await self._task(SCREEN, {"papers": handed, "criteria": dict(self._request.criteria)})
        self._prisma = screened.get("prisma")
        self._judge(SCREEN, stage2_checks.after_screen(handed, screened), _flow(screened.get("prisma")))
        if stage2_checks.clean_end(screened) is not None:
            for gate in (EXTRACT, SYNTHESIZE):
                self.record.gate_started(gate, "windlass")
                self._judge(gate, None, "nothing was included: a clean end")
            return

        included = [handed[place] for place in screened["included"]]
        extracted = await self._task(EXTRACT, {"papers": included})
        self._judge(EXTRACT, stage2_checks.after_extract(included, extracted), f"{len(included)} rows, as many citations")

        synthesized = await self._task(SYNTHESIZE, {"papers": included, "rows": extracted["rows"], "research_question": question})
        self._judge(
            SYNTHESIZE, stage2_checks.after_synthesize(extracted, synthesized), f"{len(synthesized.get('references', ()))} references, none dangling"
        )
        self._section = synthesized["section"]["markdown"]
        files.replace(self.record.logs_directory / "section.md", self._section.encode())

    async def _task(self, gate: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of one task; raises GivenUp for a refusal of the agent's, Unavailable where nobody answers."""
        task_type = _TASKS[gate]
        self.record.gate_started(gate, task_type)
        url, token = (self._premises.core.url, self._premises.token) if self._premises else (self._request.orchestrator_url, self._request.token)
        body = {
            "request_id": f"{self.record.run_id}-{gate}",
            "task_type": task_type,
            "mode": self._request.mode,
            "risk_tier": self._request.risk_tier,
        }
        headers = {"Authorization": f"Bearer {token}", "X-Correlation-ID": f"{self.record.run_id}-{gate}"}
        async with http.session() as client:
            answer = await http.call(
                client,
                "POST",
                url + EXECUTE_PATH,
                body=orjson.dumps({**body, "inputs": inputs, "budgets": {"timeout_ms": int(self._request.timeout_s * 1000)}}),
                headers=headers,
                timeout_s=self._request.timeout_s + 5,
                cap=_MAX_BODY,
            )
        result = _result(task_type, answer)
        self._keep(gate, {"task_type": task_type, "result": result})
        if result.get("status") not in {"ok", "degraded"} or not isinstance(result.get("outputs"), dict):
            error = result.get("error") or {}
            raise GivenUp(f"{task_type}: {error.get('code', result.get('status'))}: {error.get('message', 'no outputs')}")
        self._noted = f"   (degraded: {(result.get('warnings') or [''])[0]!s})" if result["status"] == "degraded" else ""
        outputs: dict[str, Any] = result["outputs"]
        return outputs

    def _judge(self, gate: str, reason: str | None, said: str) -> None:
        check = {"type": "hand_over", "name": gate.lower(), "pass": reason is None, "said": reason or said}
        self.record.gate_finished(gate, "FAIL" if reason else "PASS", validations=[check], artifacts=self._evidence(gate), failure_reason=reason)
        self._tell(Step(gate=gate, passed=reason is None, said=(reason or said) + self._noted))
        if reason:
            raise GivenUp(f"{_TITLES[gate]}: {reason}")

    def _keep(self, gate: str, answer: Mapping[str, Any]) -> None:
        path = self._answer(gate)
        path.parent.mkdir(exist_ok=True)
        files.replace(path, orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def _evidence(self, gate: str) -> list[Any]:
        path = self._answer(gate)
        return [self.record.artifact(path)] if path.exists() else []

    def _answer(self, gate: str) -> Path:
        """Where a task's answer is kept: in the record, unless it may hold what must not be committed; the record has its hash in any case."""
        open_to_all = self._request.risk_tier == "NON_SENSITIVE"
        return (self.record.evidence_directory if open_to_all else self.record.logs_directory / "answers") / f"{gate.lower()}.json"

    async def _open(self) -> None:
        if self._premises is None:
            return
        self.record.gate_started(WINDOW, "windlass")
        held = await self._premises.open(self.record.logs_directory, lambda _: None)
        for window in held:
            self.record.window_opened(window.window_id, window.services, instants.stamp(window.deadline))
        ready = [{"type": "service_ready", "service": name, "pass": True} for window in held for name in window.services]
        self.record.gate_finished(WINDOW, "PASS", validations=ready, window_id=held[-1].window_id)

    async def _close(self, premises: Premises) -> None:
        try:
            self.record.gate_started(CLOSED, "windlass")
        finally:
            found = await premises.close()
        for window, closed in found.closed:
            self.record.window_closed(window.window_id, window.services, state=closed.state, reason=closed.reason)
        reason = "; ".join(found.left) or None
        self.record.gate_finished(CLOSED, "FAIL" if reason else "PASS", validations=found.checks, failure_reason=reason)
        self._failure = self._failure or found.complaint or reason
        shutil.rmtree(self.record.logs_directory / STORE, ignore_errors=True)


def _result(task_type: str, answer: http.Answer) -> dict[str, Any]:
    if answer.fault:
        raise Unavailable(f"{task_type}: the orchestrator did not answer: {answer.detail}")
    try:
        fields = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        fields = None
    if answer.status != 200 or not isinstance(fields, dict) or not isinstance(fields.get("result"), dict):
        said = fields.get("message") or fields.get("code") if isinstance(fields, dict) else ""
        raise GivenUp(f"{task_type}: HTTP {answer.status}: {said or 'no result'}")
    result: dict[str, Any] = fields["result"]
    return result


def _flow(prisma: Any) -> str:
    if not isinstance(prisma, Mapping):
        return "no PRISMA counts"
    return ", ".join(f"{prisma.get(key)} {key}" for key in ("identified", "duplicates", "excluded", "included"))
