"""CLINICAL_SECTION_DRAFT: one section from the data and the evidence that are given, and what CONSORT or SPIRIT asks of it besides.

Sentences of the evidence stand as they are, with their chunks; the data are said field by field. An item of the checklist that neither
reports is missing, and stays missing.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from windlass.agents import checklists, draft_probes, drafting, item_audit, rhetoric, study_data, study_statements, trial_items
from windlass.agents.agent import Agent, Context, Inputs, Outputs, Probe, Step, Work
from windlass.agents.drafting import Drafted, Paragraph
from windlass.agents.engines import clinical
from windlass.agents.grounding import Chunk, Chunks, by_id
from windlass.agents.item_audit import Audited, Passage, Tally
from windlass.agents.rhetoric import Section
from windlass.agents.study_data import Study
from windlass.agents.study_statements import Statement
from windlass.agents.trial_items import Standard
from windlass.errors import AgentError


def _distinct(chunks: list[Chunk]) -> list[Chunk]:
    by_id(chunks)
    return chunks


class SectionInputs(Inputs):
    """Which section, and what it may be written from: the trial's data, chunks of evidence, or both."""

    section_type: Section
    results_data: Study | None = None
    evidence_chunks: Annotated[Chunks, AfterValidator(_distinct)] = Field(default_factory=list)
    reporting_standard: Standard = "CONSORT"

    @model_validator(mode="after")
    def _asked_of_it(self) -> SectionInputs:
        if self.reporting_standard == "SPIRIT" and self.section_type in {"results", "discussion"}:
            raise ValueError(f"reporting_standard: SPIRIT is for protocols and asks nothing of {self.section_type}; use CONSORT")
        return self


class SectionOutputs(Outputs):
    """The section: what the data say, what the evidence says, both as plain text, and the checklist's items for this section."""

    section_type: Section
    statements: list[Statement]
    paragraphs: list[Paragraph]
    text: str
    word_count: int
    checklist_name: str
    checklist: list[Audited]
    checklist_counts: Tally
    missing_items: list[str]
    inconsistencies: list[str]


def state(inputs: SectionInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """What the data say in this section. Raises AgentError INVALID_DRAFT for a number that the data do not hold."""
    study = inputs.results_data or Study()
    part = next(part for part in study_statements.parts(study) if part.heading.lower() == inputs.section_type)
    fields = study.model_dump(mode="json")
    for statement in part.statements:
        context.check()
        invented = study_statements.unbacked(statement, fields)
        if invented:
            raise AgentError("INVALID_DRAFT", f"the number {min(invented)} is not in {', '.join(statement.fields)}")
    return {"statements": drafting.dumped(part.statements), "inconsistencies": study_data.inconsistencies(study)}


def draw(inputs: SectionInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sentences of the evidence that belong into this section, a paragraph per move. Raises AgentError for one that does not hold."""

    def belongs(reading: rhetoric.Reading | None, _line: str) -> bool:
        return reading is not None and reading.move.section == inputs.section_type

    found = drafting.chosen(inputs.evidence_chunks, context, belongs, drafting.MOST_SENTENCES)
    sentences = [Drafted.model_validate(sentence) for sentence in found["chosen"]]
    drafting.must_hold(sentences, by_id(inputs.evidence_chunks), context)
    paragraphs = drafting.by_move(inputs.section_type, sentences, rest="further statements")
    return {"paragraphs": drafting.dumped(paragraphs), "warnings": found["warnings"]}


def audit(inputs: SectionInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The checklist's items for this section, each with the fields or the words that report it, or missing."""
    checklist = checklists.part(checklists.load(inputs.reporting_standard), inputs.section_type)
    study = inputs.results_data or Study()
    passages = [Passage(field, words) for field, words in study_data.prose(study).items()]
    first = (sentence.evidence[0] for sentence in _sentences(work))
    passages += [Passage(quote.chunk_id, quote.quote, quote.start) for quote in first]
    given = trial_items.reported(inputs.reporting_standard, study)
    return {"checklist": drafting.dumped(item_audit.audit(checklist, given, passages, context.check))}


def conclude(inputs: SectionInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The section's text and counts. Raises AgentError in LIVE mode where there is nothing to write."""
    statements = [Statement.model_validate(statement) for statement in work["statements"]]
    paragraphs = [Paragraph.model_validate(paragraph) for paragraph in work["paragraphs"]]
    audited = [Audited.model_validate(item) for item in work["checklist"]]
    written = [*(statement.text for statement in statements), *(sentence.text for sentence in _sentences(work))]
    if context.mode == "LIVE" and not written:
        raise AgentError("EVIDENCE_REQUIRED", f"neither results_data nor evidence_chunks holds anything for {inputs.section_type}")
    cited = [" ".join(drafting.cited(sentence) for sentence in paragraph.sentences) for paragraph in paragraphs]
    outputs = SectionOutputs(
        section_type=inputs.section_type,
        statements=statements,
        paragraphs=paragraphs,
        text="\n\n".join(filter(None, [" ".join(statement.text for statement in statements), *cited])),
        word_count=sum(len(sentence.split()) for sentence in written),
        checklist_name=checklists.load(inputs.reporting_standard).name,
        checklist=audited,
        checklist_counts=item_audit.tally(audited),
        missing_items=[item.id for item in audited if item.status == "missing"],
        inconsistencies=work["inconsistencies"],
    )
    warnings = [f"the data do not agree: {problem}" for problem in work["inconsistencies"][:50]]
    if not written:
        warnings.append("neither the data nor the evidence holds anything for this section: nothing was written")
    used = {quote.chunk_id for sentence in _sentences(work) for quote in sentence.evidence}
    grounding = {"chunks": len(inputs.evidence_chunks), "chunks_used": len(used), "statements": len(statements)}
    return {"outputs": outputs.model_dump(mode="json"), "grounding": grounding, "warnings": warnings}


def _sentences(work: Work) -> list[Drafted]:
    return [Drafted.model_validate(sentence) for paragraph in work["paragraphs"] for sentence in paragraph["sentences"]]


_EVIDENCE = {
    "methods": {
        "7a": ("statistics", "A sample size of {n} would serve {drug}."),
        "9": ("design", "The list for {drug} was concealed in {n} boxes."),
        "12a": ("statistics", "Values of {drug} over {n} days were analysed using Wilcoxon ranks."),
        "6a": ("measures", "The primary outcome was the level of {drug} on day {n}."),
    },
    "discussion": {
        "20": ("limitation", "A limitation is that {n} bottles of {drug} broke."),
        "22": ("comparison", "The level of {drug} is consistent with {n} earlier trials."),
    },
}
"""Sections of the probe: the sentences that report an item, each with its move."""


def _make(seed: int) -> dict[str, Any]:
    """Methods or discussion: some sentences of evidence that report an item, among strangers, and some fields that report others."""
    rng = random.Random(seed)
    drug = rng.choice(draft_probes.DRUGS)
    section = rng.choice(list(_EVIDENCE))
    lines = [template.format(n=rng.randrange(10, 9000), drug=drug) for _, template in _EVIDENCE[section].values() if rng.random() < 0.7]
    strangers = [
        f"It remains unclear whether {drug} prevents {rng.choice(draft_probes.EFFECTS)}.",
        f"With {drug} the level fell by {rng.randrange(11, 99)}% (P<0.001).",
    ]
    given = {"methods": {"blinding": "11a", "interim_analyses": "7b"}, "discussion": {"generalisability": "21"}}[section]
    fields = {field: f"Ko{drug} {field[:2]}ka {rng.randrange(10**6)}." for field in given if rng.random() < 0.6}
    chunks = draft_probes.scattered(rng, [*lines, *strangers], ["Rain fell.", "No ship left.", "Boats waited."])
    return {"section_type": section, "results_data": fields, "evidence_chunks": chunks}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    section, fields, chunks = inputs["section_type"], inputs["results_data"], inputs["evidence_chunks"]
    number = {"methods": 17, "discussion": 3}[section]
    expected = {{"blinding": "11a", "interim_analyses": "7b", "generalisability": "21"}[field] for field in fields}
    wanted: set[tuple[str, str, str]] = set()
    for item, (move, template) in _EVIDENCE[section].items():
        beginning = template.partition("{")[0]
        for chunk in chunks:
            place = chunk["text"].find(beginning)
            if place >= 0:
                expected.add(item)
                wanted.add((move, chunk["chunk_id"], chunk["text"][place : chunk["text"].index("\n", place)]))
    found = {item["id"] for item in outputs["checklist"] if item["status"] == "found"}
    if found != expected or len(outputs["checklist"]) != number or set(outputs["missing_items"]) & found:
        return f"the items found are not those that data and evidence report: {sorted(found ^ expected)} differ"
    written = [
        (paragraph["heading"], sentence["evidence"][0]["chunk_id"], sentence["text"])
        for paragraph in outputs["paragraphs"]
        for sentence in paragraph["sentences"]
    ]
    if set(written) != wanted or len(written) != len(wanted):
        return "the section does not hold the sentences of the evidence that belong into it"
    texts = {chunk["chunk_id"]: chunk["text"] for chunk in chunks} | fields
    quotes = [item["shown"] for item in outputs["checklist"] if item["shown"]]
    quotes += [{"source": one["chunk_id"], **one} for part in outputs["paragraphs"] for line in part["sentences"] for one in line["evidence"]]
    if any(texts[quote["source"]][quote["start"] : quote["end"]] != quote["quote"] for quote in quotes):
        return "a quote does not stand where it is said to"
    lines = [statement["text"] for statement in outputs["statements"]]
    if len(lines) != len(fields) or not all(any(value in line for line in lines) for value in fields.values()):
        return "the section does not say what the data say, or says more"
    shown = [*(f"{line} [{chunk_id}]" for _, chunk_id, line in wanted), *lines]
    return None if all(line in outputs["text"] for line in shown) else "the text lacks a sentence or its chunk"


AGENT = Agent(
    name="agent-section-drafter-proxy",
    task_types=("CLINICAL_SECTION_DRAFT",),
    summary="Drafts one section of a trial's report or protocol from its data and evidence, with the checklist items found and missing.",
    version="1.0.0",
    inputs=SectionInputs,
    outputs=SectionOutputs,
    steps=(
        Step(name="state", run=state),
        Step(name="draw", run=draw),
        Step(name="audit", run=audit),
        Step(name="conclude", run=conclude),
    ),
    example={
        "section_type": "results",
        "results_data": {
            "outcomes": [
                {
                    "name": "stroke",
                    "kind": "primary",
                    "groups": [{"arm": "rhythm control", "n": 400, "events": 12}, {"arm": "usual care", "n": 398, "events": 24}],
                    "effects": [{"measure": "hazard ratio", "value": 0.49, "ci_low": 0.25, "ci_high": 0.98, "ci_level": 95}],
                }
            ]
        },
        "evidence_chunks": [{"chunk_id": "r1", "doc_id": "report", "text": "Serious adverse events occurred in 18 patients. The dose was 200 mg."}],
    },
    probe=Probe(make=_make, check=_check),
    model=clinical.engine(audit, conclude),
)
