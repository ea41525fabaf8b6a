"""What is read from one paper: findings, each with the place where it stands, and the citation that the row belongs to."""

from __future__ import annotations

from typing import Literal

from windlass.agents.agent import Item

FieldName = Literal["title", "abstract", "study_type"]
Measure = Literal["HR", "OR", "RR", "IRR", "RD", "MD", "SMD", "unnamed"]
"""Hazard, odds, risk and rate ratio; risk, mean and standardised mean difference; an interval beside which no measure is named."""
RATIOS = frozenset({"HR", "OR", "RR", "IRR"})


class Place(Item):
    """A verbatim piece of a paper's field: `paper[field][start:end] == quote`. Lives as long as the run."""

    field: FieldName
    start: int
    end: int
    quote: str


class Count(Place):
    """A stated number of participants; `enrolled` where the words around it say that these entered the study."""

    value: int
    enrolled: bool


class PValue(Place):
    """A stated p-value."""

    relation: Literal["=", "<", ">", "<=", ">="]
    value: float


class Endpoint(Place):
    """What the study measured, in its own words; `role` as stated."""

    role: Literal["primary", "secondary"]


class Effect(Place):
    """An effect estimate with its interval, as far as both are stated."""

    measure: Measure
    adjusted: bool
    """Whether the words say that the estimate was adjusted."""
    estimate: float
    low: float | None
    high: float | None
    level: float | None
    """Percent, as stated: null where an interval stands in brackets without saying what it is."""
    interval: Literal["confidence", "credible", "unlabelled"] | None
    unit: Literal["%"] | None
    numbers: list[str]
    """Estimate and limits as they are printed."""
    endpoint: Place | None
    """What the estimate is of, where the sentence says so."""


class Unread(Place):
    """What looks like a finding and was not read, since it has no single reading."""

    reason: str


class Design(Item):
    """The kind of study, who says so, and where."""

    kind: str
    """`unknown` where nothing says."""
    source: Literal["record", "title", "abstract", "unknown"]
    place: Place | None


class Row(Item):
    """All that was read from one paper. Lives as long as the run."""

    citation_key: str
    position: int
    """The paper's place in the input, from 0."""
    has_text: bool
    """Whether there was an abstract to read."""
    design: Design
    n: int | None
    """Participants: null where no single number is stated as theirs."""
    n_rule: Literal["enrolled", "only", "total", "several", "none"]
    """Why `n` is what it is: stated as enrolled; the only count; the sum of the others; several and none of these; none stated."""
    sample_sizes: list[Count]
    effects: list[Effect]
    p_values: list[PValue]
    endpoints: list[Endpoint]
    unread: list[Unread]


class Cited(Item):
    """A paper's record under the key that rows and sections cite. Lives as long as the run."""

    key: str
    id: str
    title: str | None
    """Null for a bare abstract."""
    year: int | None
    journal: str | None
    authors: list[str]
    doi: str | None
    synthetic: bool
