"""PEER_REVIEW_SIMULATION: what four reviewers' rules find in a manuscript, each remark on named words or on a thing that is missing.

Nothing is said that no line and no missing item carries, and no remark is praise: that no rule fired is not a good manuscript. A rule reads
words, not meaning, so each remark is a question to the authors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from windlass.agents import manuscript, report_standard, review_remarks, review_sentences, review_whole
from windlass.agents.agent import Context, Inputs, Item, Outputs, Work
from windlass.agents.review_remarks import PERSONAS, RULES, Persona, Remark, Severity

MOST_PER_RULE = 20
"""Remarks of one rule that are answered; all are counted."""

StudyType = Literal["randomized_trial", "systematic_review", "cohort", "case_control", "cross_sectional", "observational"]
_STANDARDS: Mapping[str, report_standard.Standard] = {"randomized_trial": "CONSORT", "systematic_review": "PRISMA"}


class PeerReviewInputs(Inputs):
    """A manuscript (Markdown, or text with headings) and the kind of study; without one, the manuscript's own words for its design decide."""

    manuscript: Annotated[str, Field(min_length=1, max_length=manuscript.MOST, pattern=r"\S")]
    study_type: StudyType | None = None


class Reviewer(Item):
    """One reviewer's remarks, the major ones first, then by line."""

    persona: Persona
    remarks: list[Remark]
    major: int
    minor: int


class Looked(Item):
    """A rule that was applied, and how often it fired."""

    rule: str
    persona: Persona
    severity: Severity
    looks_for: str
    fired: int


class PeerReviewOutputs(Outputs):
    """`recommendation` is `major_revision` where a major remark stands, `minor_revision` where only minor ones do, else `no_rule_fired`."""

    standard: str | None
    design: str
    reviewers: list[Reviewer]
    rules: list[Looked]
    major: int
    minor: int
    recommendation: Literal["major_revision", "minor_revision", "no_rule_fired"]


def recognise(inputs: PeerReviewInputs, _work: Work, _context: Context) -> Mapping[str, Any]:
    """The design: as given, or by the manuscript's own words for it."""
    if inputs.study_type is not None:
        standard = _STANDARDS.get(inputs.study_type, "STROBE")
        return {"standard": standard, "named": inputs.study_type, "design": f"as given: {inputs.study_type}"}
    choice = report_standard.choose(inputs.manuscript)
    if choice is None:
        warning = "no words name the design, and no study_type was given: no checklist was applied, and no causal word was looked for"
        return {"standard": None, "named": None, "design": "not known", "warnings": [warning]}
    return {"standard": choice.standard, "named": choice.evidence.text, "design": f"{choice.reason}: {choice.evidence.text!r}"}


def read_sentences(inputs: PeerReviewInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What the rules on single sentences say."""
    read = manuscript.read(inputs.manuscript)
    observational = work["named"] if work["standard"] == "STROBE" else None
    found: list[Remark] = []
    counts: Counter[str] = Counter()
    for section in read.sections:
        if section.kind in {"references", "keywords"}:
            continue
        for sentence in manuscript.sentences(read, section):
            context.check()
            _take(review_sentences.remarks(read, sentence, section.kind, observational=observational), found, counts)
    return {"on_sentences": [remark.model_dump() for remark in found], "sentence_counts": dict(counts)}


def read_whole(inputs: PeerReviewInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What the rules on the whole say."""
    read = manuscript.read(inputs.manuscript)
    found: list[Remark] = []
    counts: Counter[str] = Counter()
    _take(review_whole.remarks(read, work["standard"], context.check), found, counts, most=None)
    return {"on_whole": [remark.model_dump() for remark in found], "whole_counts": dict(counts)}


def conclude(inputs: PeerReviewInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The remarks by reviewer, each held against the manuscript once more; one that nothing carries is dropped and said."""
    read = manuscript.read(inputs.manuscript)
    lacking = set(review_whole.lacks(read, work["standard"], context.check))
    every = [Remark.model_validate(remark) for remark in [*work["on_sentences"], *work["on_whole"]]]
    carried = [remark for remark in every if review_remarks.unsupported(remark, read, lacking) is None]
    fired = Counter(work["sentence_counts"]) + Counter(work["whole_counts"])
    shown = Counter(remark.rule for remark in carried)
    warnings = [f"{len(every) - len(carried)} remarks were dropped: the manuscript does not carry them"] if len(carried) < len(every) else []
    warnings += [
        f"the rule {rule} fired {count} times; {shown[rule]} of its remarks are shown" for rule, count in fired.items() if count > shown[rule]
    ]
    warnings.append("rules read words, not meaning: a remark is a question to the authors, and no remark is no praise")
    major, minor = (sum(remark.severity == severity for remark in carried) for severity in ("major", "minor"))
    outputs = {
        "standard": work["standard"],
        "design": work["design"],
        "reviewers": [_reviewer(persona, [remark for remark in carried if remark.persona == persona]) for persona in PERSONAS],
        "rules": [
            {"rule": name, "persona": rule.persona, "severity": rule.severity, "looks_for": rule.looks_for, "fired": fired[name]}
            for name, rule in RULES.items()
        ],
        "major": major,
        "minor": minor,
        "recommendation": "major_revision" if major else "minor_revision" if minor else "no_rule_fired",
    }
    return {"outputs": outputs, "warnings": warnings, "grounding": {"quotes": sum(remark.quote is not None for remark in carried)}}


def _take(remarks: Any, found: list[Remark], counts: Counter[str], most: int | None = MOST_PER_RULE) -> None:
    """Count every remark, and keep those of a rule until there are enough; what is missing is always kept."""
    for remark in remarks:
        counts[remark.rule] += 1
        if most is None or remark.missing is not None or counts[remark.rule] <= most:
            found.append(remark)


def _reviewer(persona: Persona, remarks: Sequence[Remark]) -> dict[str, Any]:
    ordered = sorted(remarks, key=lambda one: (one.severity != "major", one.line is None, one.line or 0, one.start or 0, one.missing or ""))
    counts = Counter(one.severity for one in remarks)
    return {"persona": persona, "remarks": [one.model_dump() for one in ordered], "major": counts["major"], "minor": counts["minor"]}
