"""CLINICAL_MANUSCRIPT_WRITE: a trial's data as a manuscript, and what CONSORT 2010 asks of it that the data do not say.

Every sentence says fields of the data and names them; percentages are computed and name their formula. What is not given is not written:
it is an item of the checklist that is missing. Numbers that can't all be right are named and left as they are.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from windlass.agents import checklists, item_audit, study_data, study_statements, trial_items
from windlass.agents.agent import Agent, Context, Inputs, Outputs, Probe, Step, Work
from windlass.agents.engines import clinical
from windlass.agents.item_audit import Audited, Passage, Tally
from windlass.agents.study_data import StudyData
from windlass.agents.study_statements import Part
from windlass.errors import AgentError


class ManuscriptInputs(Inputs):
    """The trial, as structured data."""

    study_data: StudyData


class ManuscriptOutputs(Outputs):
    """The manuscript, section by section and as plain text, with its checklist; `empty_sections` have no data and are not in the text."""

    title: str
    sections: list[Part]
    text: str
    word_count: int
    empty_sections: list[str]
    checklist_name: str
    checklist: list[Audited]
    checklist_counts: Tally
    missing_items: list[str]
    inconsistencies: list[str]


def examine(inputs: ManuscriptInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The numbers that can't all be right. Raises AgentError in LIVE mode for data that are a title and nothing else."""
    if context.mode == "LIVE" and not inputs.study_data.model_fields_set - {"title"}:
        raise AgentError("EVIDENCE_REQUIRED", "study_data: holds a title and nothing to write of")
    return {"inconsistencies": study_data.inconsistencies(inputs.study_data)}


def assemble(inputs: ManuscriptInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The sections and their statements. Raises AgentError INVALID_DRAFT for a number that the data do not hold."""
    parts = study_statements.parts(inputs.study_data)
    study = inputs.study_data.model_dump(mode="json")
    for part in parts:
        for statement in part.statements:
            context.check()
            invented = study_statements.unbacked(statement, study)
            if invented:
                raise AgentError("INVALID_DRAFT", f"the number {min(invented)} is not in {', '.join(statement.fields)}")
    return {"sections": [part.model_dump(mode="json") for part in parts]}


def audit(inputs: ManuscriptInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """CONSORT's items, each with the fields or the words that report it, or missing."""
    study = inputs.study_data
    passages = [Passage(field, words) for field, words in study_data.prose(study).items()]
    given = trial_items.reported("CONSORT", study)
    audited = item_audit.audit(checklists.load("consort"), given, passages, context.check, title=study.title)
    return {"checklist": [item.model_dump(mode="json") for item in audited]}


def conclude(inputs: ManuscriptInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The manuscript's text and the counts."""
    sections = [Part.model_validate(section) for section in work["sections"]]
    audited = [Audited.model_validate(item) for item in work["checklist"]]
    filled = [section for section in sections if section.statements]
    paragraphs = [f"{section.heading}\n{' '.join(statement.text for statement in section.statements)}" for section in filled]
    outputs = ManuscriptOutputs(
        title=inputs.study_data.title,
        sections=sections,
        text="\n\n".join([inputs.study_data.title, *paragraphs]),
        word_count=sum(len(statement.text.split()) for section in sections for statement in section.statements),
        empty_sections=[section.heading for section in sections if not section.statements],
        checklist_name=checklists.load("consort").name,
        checklist=audited,
        checklist_counts=item_audit.tally(audited),
        missing_items=[item.id for item in audited if item.status == "missing"],
        inconsistencies=work["inconsistencies"],
    )
    warnings = [f"the data do not agree: {problem}" for problem in work["inconsistencies"][:50]]
    return {"outputs": outputs.model_dump(mode="json"), "warnings": warnings}


_PROBED = {
    "background": ("Introduction", "2a"),
    "objectives": ("Introduction", "2b"),
    "design": ("Methods", None),
    "sample_size": ("Methods", "7a"),
    "interim_analyses": ("Methods", "7b"),
    "blinding": ("Methods", "11a"),
    "statistics": ("Methods", "12a"),
    "ending": ("Results", "14b"),
    "limitations": ("Discussion", "20"),
    "generalisability": ("Discussion", "21"),
    "registration": ("Other information", "23"),
    "funding": ("Other information", "25"),
}
"""Fields of the probe: the section that each is written in and the item that it reports by itself."""


def _make(seed: int) -> dict[str, Any]:
    """A trial of invented words and random numbers with some fields left out; in every second one the arms do not add up."""
    rng = random.Random(seed)
    word = "".join(rng.choices("bdfgklmnprtvz", k=5))
    study: dict[str, Any] = {field: f"Ko{word} {field[:2]}ka {rng.randrange(10**6)}." for field in rng.sample(list(_PROBED), rng.randrange(4, 10))}
    arms = [f"arm-{word}-{letter}" for letter in "xy"]
    assigned = [rng.randrange(50, 400) for _ in arms]
    events = [rng.randrange(1, number) for number in assigned]
    study["title"] = rng.choice([f"Randomised trial of {word}", f"Remarks on {word}"])
    study["participants"] = {"randomised": sum(assigned) + rng.choice([0, rng.randrange(1, 9)])}
    study["interventions"] = [{"name": arm, "assigned": number} for arm, number in zip(arms, assigned, strict=True)]
    if rng.random() < 0.5:
        for arm, number in zip(study["interventions"], assigned, strict=True):
            arm |= {"received": number - 1, "analysed": number - 2}
    ratio = rng.randrange(100, 900)
    effect = {"measure": "risk ratio", "value": ratio / 1000, "ci_low": (ratio - 90) / 1000, "ci_high": (ratio + rng.choice([90, -5])) / 1000}
    groups = [{"arm": arm, "n": number, "events": count} for arm, number, count in zip(arms, assigned, events, strict=True)]
    study["outcomes"] = [{"name": f"loss of {word}", "kind": "primary", "groups": groups, "effects": [effect]}]
    if rng.random() < 0.5:
        study["interpretation"] = f"Ku {word}. Lots lay in opaque sealed envelopes {rng.randrange(10**6)}. Ka {word}."
    return {"study_data": study}


def _expected(study: Mapping[str, Any]) -> set[str]:
    """The items that the probe's trial reports, by hand."""
    items = {item for field, (_, item) in _PROBED.items() if field in study and item}
    items |= {"1a"} if study["title"].startswith("Randomised") else set()
    items |= {"13a"} if "analysed" in study["interventions"][0] else set()
    items |= {"9", "22"} if "interpretation" in study else set()
    return items | {"17a"}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    study = inputs["study_data"]
    found = {item["id"] for item in outputs["checklist"] if item["status"] == "found"}
    if found != _expected(study) or len(outputs["checklist"]) != 37 or set(outputs["missing_items"]) & found:
        return f"the items found are not those of the data: {sorted(found ^ _expected(study))} differ"
    said = {section["heading"]: [one["text"] for one in section["statements"]] for section in outputs["sections"]}
    for field, (section, _) in _PROBED.items():
        named = [one["text"] for part in outputs["sections"] for one in part["statements"] if one["fields"] == [field]]
        if len(named) != (field in study) or not all(study[field] in line and line in said[section] for line in named):
            return f"{field} is not where it belongs, or stands there without being given"
    (outcome,) = study["outcomes"]
    for group in outcome["groups"]:
        tenths = (2000 * group["events"] + group["n"]) // (2 * group["n"])
        wanted = f"{group['events']} of {group['n']} ({tenths // 10}.{tenths % 10}%) in {group['arm']}"
        if not any(wanted in line for line in said["Results"]) or wanted not in outputs["text"]:
            return f"the results do not say {wanted!r}"
    effect = outcome["effects"][0]
    off = study["participants"]["randomised"] != sum(arm["assigned"] for arm in study["interventions"])
    if len(outputs["inconsistencies"]) != off + (effect["value"] > effect["ci_high"]):
        return "the numbers that do not agree were not all named, or others were"
    envelopes = next((item["shown"] for item in outputs["checklist"] if item["id"] == "9"), None)
    if envelopes and study["interpretation"][envelopes["start"] : envelopes["end"]] != envelopes["quote"]:
        return "the words that report an item do not stand in the field that is named"
    return None


AGENT = Agent(
    name="agent-clinical-manuscript-proxy",
    task_types=("CLINICAL_MANUSCRIPT_WRITE",),
    summary="Puts a trial's data together as a manuscript, sentence by field, with CONSORT's missing items listed, never filled.",
    version="1.0.0",
    inputs=ManuscriptInputs,
    outputs=ManuscriptOutputs,
    steps=(
        Step(name="examine", run=examine),
        Step(name="assemble", run=assemble),
        Step(name="audit", run=audit),
        Step(name="conclude", run=conclude),
    ),
    example={
        "study_data": {
            "title": "Early rhythm control in atrial fibrillation: a randomised trial",
            "objectives": "To test whether early rhythm control prevents stroke.",
            "design": "Parallel-group, open-label trial.",
            "allocation_ratio": "1:1",
            "participants": {"eligibility": "Adults aged 60 to 80 with atrial fibrillation.", "randomised": 798},
            "interventions": [
                {"name": "rhythm control", "description": "antiarrhythmic drugs or ablation", "assigned": 400, "received": 396, "analysed": 400},
                {"name": "usual care", "description": "rate control", "assigned": 398, "received": 398, "analysed": 398},
            ],
            "outcomes": [
                {
                    "name": "stroke",
                    "kind": "primary",
                    "definition": "any stroke, adjudicated",
                    "time_point": "at 24 months",
                    "groups": [{"arm": "rhythm control", "n": 400, "events": 12}, {"arm": "usual care", "n": 398, "events": 24}],
                    "effects": [{"measure": "hazard ratio", "value": 0.49, "ci_low": 0.25, "ci_high": 0.98, "ci_level": 95, "p_value": 0.04}],
                }
            ],
        }
    },
    probe=Probe(make=_make, check=_check),
    model=clinical.manuscript_engine(conclude),
)
