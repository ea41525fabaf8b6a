"""The stage-2 pipeline: literature review → screen → extract → synthesize, each a task of the fleet, each handed over only after its check.

The tasks run through the orchestrator like anybody's. What every step answered is evidence of the run's record; a check that does not
hold stops the pipeline there. A screen that includes nothing is a clean end, with its PRISMA counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from windlass import __version__
from windlass.agents import bibliography, stage2_checks, text
from windlass.errors import AgentError, GivenUp, Refused, Unavailable, WindlassError
from windlass.gates import recorded, tasks
from windlass.gates.recorded import CLOSED, WINDOW
from windlass.infra import files, git
from windlass.model import Mode, RiskTier
from windlass.premises import Needs, Premises
from windlass.records.artifacts import Artifact
from windlass.records.events import GateName
from windlass.records.report import Report
from windlass.records.run import RunRecord

REVIEW, SCREEN, EXTRACT, SYNTHESIZE = "REVIEW", "SCREEN", "EXTRACT", "SYNTHESIZE"
_TITLES = {
    WINDOW: recorded.TITLES[WINDOW],
    REVIEW: "Literature review",
    SCREEN: "Screen",
    EXTRACT: "Extraction",
    SYNTHESIZE: "Synthesis",
    CLOSED: recorded.TITLES[CLOSED],
}
_TASKS = {REVIEW: "STAGE_2_LITERATURE_REVIEW", SCREEN: "STAGE2_SCREEN", EXTRACT: "STAGE2_EXTRACT", SYNTHESIZE: "STAGE2_SYNTHESIZE"}
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
    with recorded.beginning(request.out, premises):
        steps = _Steps(request, premises, tell)
    run = recorded.Recorded(steps.record, premises, evidence=steps.evidence, told=steps.recordable)
    return steps.end(await run.through(steps.through))


class _Steps:
    """The four tasks of one run, and the checks between them. Lives as long as the run."""

    def __init__(self, request: Request, premises: Premises | None, tell: Callable[[Step], None]) -> None:
        self._request = request
        self._premises = premises
        self._tell = tell
        self._prisma: Mapping[str, Any] | None = None
        self._section: str | None = None
        self._noted = ""
        """What a person should know of the task that ended last, beside its check."""
        self._open_to_all = request.risk_tier == "NON_SENSITIVE"
        """Whether what is asked and answered may stand in a record, which gets committed."""
        self.record = RunRecord.create(
            request.out,
            root=request.out,
            workflow="stage2",
            slug="stage2",
            gates=[GateName(gate=gate, name=name) for gate, name in _TITLES.items() if premises or gate not in {WINDOW, CLOSED}],
            version=__version__,
            prompt=request.question if self._open_to_all else None,
            git_commit=git.head_commit(Path.cwd()),
        )
        if not self._open_to_all:
            files.replace(self.record.logs_directory / "question.txt", f"{request.question}\n".encode())

    def end(self, ended: recorded.Ended) -> Outcome:
        """How the run ended."""
        return Outcome(
            run_id=self.record.run_id,
            directory=self.record.directory,
            passed=ended.passed,
            prisma=self._prisma,
            section=self._section,
            failure=ended.failure,
            report=ended.report,
        )

    def recordable(self, failure: WindlassError) -> str:
        """A failure as the record may hold it: what can repeat an agent's words stays in the logs where these may not be told."""
        if self._open_to_all:
            return str(failure)
        code = f"{failure.code}; " if isinstance(failure, tasks.TaskFailed) else ""
        return str(failure) if isinstance(failure, Unavailable) else f"{code}{_PROTECTED}"

    async def through(self) -> None:
        """The four steps; raises GivenUp for a check that does not hold, and what a task raises."""
        try:
            await self._steps()
        except WindlassError as failure:
            if not self._open_to_all:
                files.replace(self.record.logs_directory / "failure.txt", f"{failure}\n".encode())
            raise

    async def _steps(self) -> None:
        papers, question = list(self._request.papers), self._request.question
        reviewed = await self._task(REVIEW, {"research_question": question, "corpus": papers, "max_results": min(len(papers), _MOST_PAPERS)})
        places, strange = _places(reviewed, papers)
        handed = [papers[place] for place in places]
        self._judge(REVIEW, strange, f"{len(handed)} of {len(papers)} papers")

        screened = await self._task(SCREEN, {"papers": handed, "criteria": dict(self._request.criteria)})
        self._prisma = screened.get("prisma")
        self._judge(SCREEN, stage2_checks.after_screen(handed, screened), _flow(screened.get("prisma")))
        if not screened["included"]:
            self._end_cleanly(handed, screened)
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

    def _end_cleanly(self, handed: Sequence[Record], screened: Mapping[str, Any]) -> None:
        """Two gates pass without a task, because there is nothing to hand over: that is checked, on the screen's answer as it was kept."""
        for gate in (EXTRACT, SYNTHESIZE):
            self.record.gate_started(gate, "windlass")
            kept = orjson.loads(self._answer(SCREEN).read_bytes())["result"]["outputs"]
            reason = nothing_to_hand_over(handed, kept) if kept == screened else "the screen's answer is not the one that was kept"
            self._judge(gate, reason, f"all {len(handed)} papers are excluded or duplicates: a clean end", evidence_of=SCREEN)

    async def _task(self, gate: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of one task; raises TaskFailed for a refusal of the agent's, Unavailable where nobody answers."""
        task_type = _TASKS[gate]
        self.record.gate_started(gate, task_type, executor="agent")
        url, token = (self._premises.core.url, self._premises.token) if self._premises else (self._request.orchestrator_url, self._request.token)
        task = tasks.Task(
            request_id=f"{self.record.run_id}-{gate}",
            task_type=task_type,
            mode=self._request.mode,
            risk_tier=self._request.risk_tier,
            inputs=inputs,
            timeout_s=self._request.timeout_s,
        )
        answered = await tasks.execute(url, token, task)
        self._keep(gate, {"task_type": task_type, "result": answered.result})
        self._noted = f"   ({answered.note})" if answered.note else ""
        return answered.outputs

    def _judge(self, gate: str, reason: str | None, said: str, *, evidence_of: str | None = None) -> None:
        told = reason if self._open_to_all or reason is None else _PROTECTED
        check = {"type": "hand_over", "name": gate.lower(), "pass": reason is None, "said": told or said}
        artifacts = self.evidence(evidence_of or gate)
        self.record.gate_finished(gate, "FAIL" if reason else "PASS", validations=[check], artifacts=artifacts, failure_reason=told)
        self._tell(Step(gate=gate, passed=reason is None, said=(reason or said) + self._noted))
        if reason:
            raise GivenUp(f"{_TITLES[gate]}: {reason}")

    def _keep(self, gate: str, answer: Mapping[str, Any]) -> None:
        path = self._answer(gate)
        path.parent.mkdir(exist_ok=True)
        files.replace(path, orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def evidence(self, gate: str) -> list[Artifact]:
        """What a task answered, where it did."""
        path = self._answer(gate)
        return [self.record.artifact(path)] if path.exists() else []

    def _answer(self, gate: str) -> Path:
        """Where a task's answer is kept: in the record, unless it may hold what must not be committed; the record has its hash in any case."""
        return (self.record.evidence_directory if self._open_to_all else self.record.logs_directory / "answers") / f"{gate.lower()}.json"


_PROTECTED = "the reason may repeat protected text: it stands in the run's logs"


def _places(reviewed: Mapping[str, Any], papers: Sequence[Record]) -> tuple[list[int], str | None]:
    """Where the papers that the review lists stand in the corpus, and why they can't be handed over."""
    reason = stage2_checks.after_review(reviewed)
    if reason:
        return [], reason
    try:
        places = stage2_checks.positions(reviewed["papers"], papers)
    except (AttributeError, TypeError) as odd:
        return [], f"the outputs do not have their shape: {odd!r}"
    return (places, None) if places is not None else ([], "the review lists a paper that is not in the corpus")


def nothing_to_hand_over(handed: Sequence[Record], screened: Mapping[str, Any]) -> str | None:
    """None where a screen left nothing of the papers that it was handed, each with its fate; else why that is no clean end. Pure."""
    reason = stage2_checks.after_screen(handed, screened)
    if reason:
        return reason
    counts = stage2_checks.clean_end(screened)
    if counts is None:
        return f"{len(screened['included'])} papers are included, and nobody extracted them"
    if counts["included"] or counts["excluded"] + counts["duplicates"] != len(handed):
        return f"{counts['excluded']} excluded and {counts['duplicates']} duplicates are not the {len(handed)} papers that were handed over"
    return None


def _flow(prisma: Any) -> str:
    if not isinstance(prisma, Mapping):
        return "no PRISMA counts"
    return ", ".join(f"{prisma.get(key)} {key}" for key in ("identified", "duplicates", "excluded", "included"))
