"""PEER_REVIEW_SIMULATION: what four reviewers' rules find in a manuscript, each remark on named words or on a thing that is missing.

Nothing is said that no line and no missing item carries, and no remark is praise: that no rule fired is not a good manuscript. A rule reads
words, not meaning, so each remark is a question to the authors.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from windlass.agents import manuscript, report_standard, review_remarks, review_sentences, review_whole
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.engines import review
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
    _take(review_whole.remarks(read, work["standard"], context.check), found, counts)
    return {"on_whole": [remark.model_dump() for remark in found], "whole_counts": dict(counts)}


def conclude(inputs: PeerReviewInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The remarks by reviewer, each held against the manuscript once more; one that nothing carries is dropped and said."""
    read = manuscript.read(inputs.manuscript)
    lacking = set(review_whole.lacks(read, work["standard"], context.check))
    every = [Remark.model_validate(remark) for remark in [*work["on_sentences"], *work["on_whole"]]]
    carried = [remark for remark in every if review_remarks.unsupported(remark, read, lacking) is None]
    fired: Counter[str] = Counter(work["sentence_counts"]) + Counter(work["whole_counts"])
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


def _take(remarks: Iterable[Remark], found: list[Remark], counts: Counter[str]) -> None:
    """Count every remark, and keep those of a rule until there are enough; what is missing is always kept."""
    for remark in remarks:
        counts[remark.rule] += 1
        if remark.missing is not None or counts[remark.rule] <= MOST_PER_RULE:
            found.append(remark)


def _reviewer(persona: Persona, remarks: Sequence[Remark]) -> dict[str, Any]:
    ordered = sorted(remarks, key=lambda one: (one.severity != "major", one.line is None, one.line or 0, one.start or 0, one.missing or ""))
    counts = Counter(one.severity for one in remarks)
    return {"persona": persona, "remarks": [one.model_dump() for one in ordered], "major": counts["major"], "minor": counts["minor"]}


_STATED = {
    "statement:ethics": "The review board agreed to all of it.",
    "statement:data": "The data are available in full.",
    "statement:funding": "Nobody funded any of this.",
    "statement:interests": "We declare no competing interests.",
    "statement:limitations": "A limitation is that nobody knows.",
}
_HEADED = {"section:methods": "Methods", "section:discussion": "Discussion"}


def _flaws(rng: random.Random, word: str) -> dict[str, str]:
    """Rule → a sentence that breaks it and no other; one that starts with `fine` breaks none."""
    n, of = rng.randrange(20, 50), rng.randrange(110, 190)
    low = rng.randrange(110, 150) / 100
    high, p = low + rng.randrange(50, 90) / 100, rng.randrange(10, 40) / 1000
    letters = "".join(rng.sample("QXZJ", 3))
    return {
        "p_without_effect": f"The {word} groups differed (p = {p:.3f}).",
        "p_zero": f"The OR was {low + 0.1:.2f} (95% CI {low:.2f} to {high:.2f}; p = 0.000) in {word}.",
        "percent_mismatch": f"In {word} we saw {n}/{of} ({100 * n / of + rng.randrange(2, 9):.1f}%) events.",
        "estimate_outside_interval": f"In {word} the HR was {low - 0.4:.2f} (95% CI {low:.2f} to {high:.2f}).",
        "p_contradicts_interval": f"In {word} the OR was {high:.2f} (95% CI {1 / high:.2f} to {high + 1:.2f}; p = {p:.3f}).",
        "estimate_without_interval": f"The odds ratio was {high:.2f} in {word}.",
        "trend_language": f"There was a trend towards more {word}.",
        "relative_only": f"We saw a {n}% reduction of {word}.",
        "overclaim": f"This proves the {word}.",
        "left_over": f"TODO {word} here.",
        "long_sentence": f"We saw {' '.join([word] * rng.randrange(62, 80))}.",
        "abbreviation": f"The {letters} of {word} is the {letters} of all.",
        "causal_word": f"In all {word} led to more of it.",
        "fine share": f"In {word} we saw {n}/{of} ({100 * n / of:.1f}%) events.",
        "fine ratio": f"In {word} the HR was {low + 0.2:.2f} (95% CI {low:.2f} to {high:.2f}; p = {p:.3f}).",
    }


def _plan(seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    word = "".join(rng.choices("bdfgklmnprtvz", k=4)) + rng.choice("aeou")
    flaws = _flaws(rng, word)
    stated = [name for name in _STATED if rng.random() < 0.5]
    headed = [name for name in _HEADED if rng.random() < 0.6]
    planted = rng.sample(sorted(flaws), rng.randrange(3, 9))
    stray = rng.randrange(10_000, 99_999) if rng.random() < 0.5 else None
    kept = rng.randrange(10_000, 99_999)
    return {
        "word": word,
        "flaws": flaws,
        "stated": stated,
        "headed": headed,
        "planted": planted,
        "stray": stray,
        "kept": kept,
        "cohort": rng.random() < 0.5,
    }


def _make(seed: int) -> dict[str, Any]:
    plan = _plan(seed)
    stray = f" and {plan['stray']}" if plan["stray"] else ""
    lines = [f"# The {plan['word']} of it", "", "## Abstract", "", f"We saw {plan['kept']}{stray} of it.", ""]
    lines += [line for name in plan["headed"] for line in (f"## {_HEADED[name]}", "", "We looked at it.", "")]
    lines += ["## Results", "", f"There were {plan['kept']} in all.", ""]
    lines += [line for name in plan["planted"] for line in (plan["flaws"][name], "")]
    lines += [line for name in plan["stated"] for line in (_STATED[name], "")]
    lines += ["## References", "", "None yet."]
    return {"manuscript": "\n".join(lines)} | ({"study_type": "cohort"} if plan["cohort"] else {})


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    plan = _plan(seed)
    lines = inputs["manuscript"].split("\n")
    wanted = {(rule, lines.index(plan["flaws"][rule]) + 1) for rule in plan["planted"] if not rule.startswith("fine")}
    if not plan["cohort"]:
        wanted = {place for place in wanted if place[0] != "causal_word"}
    if plan["stray"]:
        wanted.add(("abstract_number", 5))
    remarks = [remark for reviewer in outputs["reviewers"] for remark in reviewer["remarks"]]
    given = {(remark["rule"], remark["line"]) for remark in remarks if remark["quote"] is not None}
    if given - {("citation", len(lines))} != wanted:
        return f"the remarks on lines {sorted(given ^ wanted)} are wrong"
    lacking = {name for name in (*_STATED, *_HEADED) if name not in plan["stated"] and name not in plan["headed"]}
    missing = [remark["missing"] for remark in remarks if remark["quote"] is None]
    items = {name for name in missing if name.startswith("STROBE:")}
    if set(missing) - items != lacking or len(set(missing)) != len(missing):
        return "what is said to be missing is not what was left out"
    if bool(items) is not plan["cohort"] or ("STROBE:19" in items) is not (plan["cohort"] and "statement:limitations" in lacking):
        return "the checklist was not applied to this design"
    for remark in remarks:
        quote = remark["quote"]
        if quote is not None and (inputs["manuscript"][remark["start"] : remark["end"]] != quote or quote not in lines[remark["line"] - 1]):
            return "a quote does not stand where it is said to"
    for reviewer in outputs["reviewers"]:
        severities = [remark["severity"] for remark in reviewer["remarks"]]
        if severities != sorted(severities) or any(remark["persona"] != reviewer["persona"] for remark in reviewer["remarks"]):
            return "a reviewer's remarks are out of order, or another's"
        if (reviewer["major"], reviewer["minor"]) != (severities.count("major"), severities.count("minor")):
            return "a reviewer's remarks are counted wrongly"
    fired = Counter(remark["rule"] for remark in remarks)
    if {rule["rule"]: rule["fired"] for rule in outputs["rules"] if rule["fired"]} != fired:
        return "the rules did not fire as often as their remarks say"
    major = sum(remark["severity"] == "major" for remark in remarks)
    decision = "major_revision" if major else "minor_revision" if remarks else "no_rule_fired"
    if (outputs["major"], outputs["minor"], outputs["recommendation"]) != (major, len(remarks) - major, decision):
        return f"the recommendation does not follow from {major} major remarks"
    return None if outputs["standard"] == ("STROBE" if plan["cohort"] else None) else "the design is another"


AGENT = Agent(
    name="agent-peer-review-simulator-proxy",
    task_types=("PEER_REVIEW_SIMULATION",),
    summary="Four reviewers' rules on a manuscript: numbers that disagree, claims without ground, missing parts, each with its line.",
    version="1.0.0",
    inputs=PeerReviewInputs,
    outputs=PeerReviewOutputs,
    steps=(
        Step(name="recognise", run=recognise),
        Step(name="read_sentences", run=read_sentences),
        Step(name="read_whole", run=read_whole),
        Step(name="conclude", run=conclude),
    ),
    example={
        "manuscript": "# Walking and sleep: a cohort study\n\n## Abstract\nWe followed 212 adults.\n\n"
        "## Methods\nParticipants gave informed consent.\n\n"
        "## Results\nOf the adults, 53/212 (35%) slept badly. The groups differed (p = 0.03). Walking led to better sleep.\n\n"
        "## Discussion\nThis proves that walking helps.",
        "study_type": "cohort",
    },
    probe=Probe(make=_make, check=_check),
    model=review.ENGINE,
)
