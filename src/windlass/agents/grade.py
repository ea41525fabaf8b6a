"""GRADE by arithmetic: where a body of evidence starts, what lowers and raises its certainty, each step with its rule and its reason.

Four levels: high 4, moderate 3, low 2, very low 1. The rules here judge only what numbers show: inconsistency, imprecision and a large
effect. Risk of bias, indirectness, publication bias, dose-response and opposing confounding take a reader: they are counted where the
caller states them, and named as not judged where nobody did: until then the level is provisional, for they can lower it. Upgrades count
only for observational evidence that was judged in every domain and lowered in none.
Source: GRADE handbook (2013), sections 5.1 to 5.3, and Cochrane Handbook chapter 14; thresholds are named in each rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from windlass.agents.extraction_rows import RATIOS, Measure
from windlass.agents.pooling import no_effect

Level = Literal["high", "moderate", "low", "very low"]
Stream = Literal["randomized", "observational"]
Domain = Literal[
    "risk_of_bias",
    "inconsistency",
    "indirectness",
    "imprecision",
    "publication_bias",
    "large_effect",
    "dose_response",
    "opposing_confounding",
]

LEVELS: tuple[Level, ...] = ("very low", "low", "moderate", "high")
UPGRADES: frozenset[str] = frozenset({"large_effect", "dose_response", "opposing_confounding"})
FOR_A_READER: tuple[Domain, ...] = ("risk_of_bias", "indirectness", "publication_bias")
"""Downgrades that no number in an abstract decides."""
ENOUGH_PARTICIPANTS = 400
CONSIDERABLE, SUBSTANTIAL = 75.0, 50.0

_STREAMS: dict[str, Stream] = {
    "randomized controlled trial": "randomized",
    "non-randomized trial": "observational",
    "clinical trial": "observational",
    "cohort study": "observational",
    "case-control study": "observational",
    "cross-sectional study": "observational",
    "observational study": "observational",
    "case report": "observational",
}
SECONDARY = frozenset({"meta-analysis", "systematic review", "scoping review", "narrative review"})
"""Designs that gather other studies: rated and pooled beside primary studies, they would count participants twice."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step down or up. Lives as long as the run."""

    domain: Domain
    levels: int
    """Below zero for a downgrade."""
    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the rules look at, for one body of evidence. Lives as long as the run."""

    stream: Stream
    designs: tuple[str, ...]
    measure: Measure
    estimate: float
    low: float | None
    high: float | None
    studies: int
    i_squared: float | None
    """Percent; None where nothing was pooled."""
    apart: int
    """Pairs of studies whose intervals exclude each other."""
    participants: int | None
    """None where a study does not state its number."""


@dataclass(frozen=True, kw_only=True)
class Rating:
    """The arithmetic, written out: start + the levels of the steps that count = points, held between 1 and 4."""

    start: Level
    start_rule: str
    steps: tuple[Step, ...]
    not_counted: tuple[Step, ...]
    """Upgrades that the rules do not allow here."""
    not_judged: tuple[Domain, ...]
    points: int
    level: Level

    @property
    def provisional(self) -> bool:
        """Whether a domain that could lower the level was not judged."""
        return bool(self.not_judged)


def stream(design: str) -> Stream | None:
    """Which stream of evidence a design belongs to; None for what is rated in neither (reviews, protocols, animal studies, unknown)."""
    return _STREAMS.get(design)


def rate(evidence: Evidence, judgements: Sequence[Step] = ()) -> Rating:
    """The certainty of one body of evidence; `judgements` are the caller's own steps, a domain's own rule gives way to them."""
    start, start_rule = _start(evidence)
    stated = {step.domain for step in judgements}
    computed = [step for step in (_inconsistency(evidence), _imprecision(evidence), _large_effect(evidence)) if step and step.domain not in stated]
    steps = [*(step for step in judgements if step.levels), *computed]
    down = [step for step in steps if step.levels < 0]
    up = [step for step in steps if step.levels > 0]
    not_judged = tuple(domain for domain in FOR_A_READER if domain not in stated)
    allowed = evidence.stream == "observational" and not down and not not_judged
    points = max(1, min(4, start + sum(step.levels for step in (down + up if allowed else down))))
    return Rating(
        start=LEVELS[start - 1],
        start_rule=start_rule,
        steps=tuple(down + up if allowed else down),
        not_counted=() if allowed else tuple(up),
        not_judged=not_judged,
        points=points,
        level=LEVELS[points - 1],
    )


def _start(evidence: Evidence) -> tuple[int, str]:
    if evidence.stream == "randomized":
        return 4, "randomized trials start high"
    if set(evidence.designs) == {"case report"}:
        return 1, "case reports and series start very low"
    return 2, "observational studies and trials without randomization start low"


def _inconsistency(evidence: Evidence) -> Step | None:
    if evidence.i_squared is not None and evidence.i_squared >= SUBSTANTIAL:
        serious = evidence.i_squared < CONSIDERABLE
        rule = "I² of 50% or more lowers by one" if serious else "I² of 75% or more lowers by two"
        return Step(domain="inconsistency", levels=-1 if serious else -2, rule=rule, reason=f"I² is {evidence.i_squared:.1f}%")
    if evidence.apart:
        rule = "studies whose intervals exclude each other lower by one"
        return Step(domain="inconsistency", levels=-1, rule=rule, reason=f"pairs of studies whose intervals exclude each other: {evidence.apart}")
    return None


def _imprecision(evidence: Evidence) -> Step | None:
    null = no_effect(evidence.measure)
    if evidence.low is None or evidence.high is None or null is None:
        return Step(domain="imprecision", levels=-1, rule="an effect without an interval lowers by one", reason="no confidence interval can be used")
    shown = f"the interval {evidence.low:.4g} to {evidence.high:.4g}"
    if evidence.measure in RATIOS and evidence.low < 0.75 and evidence.high > 1.25:
        return Step(
            domain="imprecision", levels=-2, rule="an interval from below 0.75 to above 1.25 lowers by two", reason=f"{shown} holds benefit and harm"
        )
    if evidence.low <= null <= evidence.high:
        return Step(domain="imprecision", levels=-1, rule="an interval that holds no effect lowers by one", reason=f"{shown} holds {null:g}")
    if evidence.participants is not None and evidence.participants < ENOUGH_PARTICIPANTS:
        rule = f"fewer than {ENOUGH_PARTICIPANTS} participants lower by one"
        return Step(domain="imprecision", levels=-1, rule=rule, reason=f"participants: {evidence.participants}")
    return None


def _large_effect(evidence: Evidence) -> Step | None:
    if evidence.measure not in RATIOS or evidence.low is None or evidence.high is None or evidence.low <= 1 <= evidence.high:
        return None
    size = max(evidence.estimate, 1 / evidence.estimate)
    if size < 2:
        return None
    rule = "a ratio of 5 or 0.2 and beyond raises by two" if size >= 5 else "a ratio of 2 or 0.5 and beyond raises by one"
    return Step(domain="large_effect", levels=2 if size >= 5 else 1, rule=rule, reason=f"the estimate is {evidence.estimate:.4g}")
