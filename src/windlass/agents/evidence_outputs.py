"""The shape of an evidence synthesis: table, bodies of evidence with their pooled estimates and certainty, conflicts, limitations."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from windlass.agents import grade
from windlass.agents.agent import Item, Outputs
from windlass.agents.conflicts import Kind
from windlass.agents.evidence_limits import Code
from windlass.agents.extraction_rows import Cited, Effect, Measure, Row


class Judgement(Item):
    """A step of GRADE that a reader decided; 0 levels: judged, and no reason to lower or raise. Lives as long as the run."""

    domain: grade.Domain
    levels: Annotated[int, Field(ge=-2, le=2)]
    """Below zero lowers, above zero raises."""
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
    outcome: Annotated[str, Field(min_length=1, max_length=300, pattern=r"\w")] | None = None
    """The outcome that the judgement is on; all of them where it names none."""

    @model_validator(mode="after")
    def _right_way(self) -> Self:
        if (self.domain in grade.UPGRADES and self.levels < 0) or (self.domain not in grade.UPGRADES and self.levels > 0):
            raise ValueError(f"levels: {self.domain} can only {'raise' if self.domain in grade.UPGRADES else 'lower'} the certainty")
        return self


class TableRow(Item):
    """One paper of the evidence table."""

    citation_key: str
    shared_terms: list[str]
    """Words that the paper shares with the question."""
    left_out: str | None
    """Why the paper is in no body of evidence; null for one that is."""
    findings: Row


class Study(Item):
    """A study's effect in a body of evidence; `weight` in percent where it was pooled."""

    citation_key: str
    effect: Effect
    weight: float | None
    not_pooled: str | None


class PooledEstimate(Item):
    """Fixed-effect inverse-variance estimate with its 95% interval, and heterogeneity; all computed, nothing rounded."""

    model: Literal["fixed effect, inverse variance"]
    studies: int
    estimate: float
    low: float
    high: float
    standard_error: float
    """On the scale of pooling: the logarithm for ratios."""
    q: float
    degrees_of_freedom: int
    q_p_value: float
    i_squared: float


class GradeStep(Item):
    """One step of the arithmetic."""

    domain: grade.Domain
    levels: int
    rule: str
    reason: str


class Certainty(Item):
    """GRADE: the level, and the arithmetic that leads to it."""

    level: grade.Level
    provisional: bool
    """Whether a domain that could lower the level was not judged: the level is then the highest that it can be."""
    points: int
    start: grade.Level
    start_rule: str
    steps: list[GradeStep]
    not_counted: list[GradeStep]
    not_judged: list[grade.Domain]


class BodyOfEvidence(Item):
    """The effects of one measure for one outcome in one stream."""

    measure: Measure
    unit: Literal["%"] | None
    outcome: str | None
    stream: grade.Stream
    studies: list[Study]
    participants: int | None
    pooled: PooledEstimate | None
    certainty: Certainty


class ConflictFound(Item):
    """Two studies of one measure and outcome, of whichever stream, that disagree."""

    measure: Measure
    outcome: str | None
    citation_keys: list[str]
    kinds: list[Kind]
    numbers: list[list[str]]
    """Estimate and limits of each, as printed."""


class LimitationFound(Item):
    """What the data say against the synthesis; no keys where it concerns all papers."""

    code: Code
    text: str
    citation_keys: list[str]


class EvidenceSynthesisOutputs(Outputs):
    """Everything is computed from the papers; `overall_certainty` is the lowest of the bodies, null where there is none."""

    research_question: str
    evidence_table: list[TableRow]
    bodies: list[BodyOfEvidence]
    overall_certainty: grade.Level | None
    conflicts: list[ConflictFound]
    conflicts_found: int
    """All of them; `conflicts` lists the first 500."""
    limitations: list[LimitationFound]
    citations: list[Cited]
    markdown: str
