"""ARTIFACT_AUDIT: which items of a reporting standard a report speaks of, with the words that show it, and which it leaves out.

Found means that a sentence speaks of the item, not that it does so well: that is said with every answer. An item is found by stated cues, so
an unusual wording can be missed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Annotated, Any

import orjson
from pydantic import Field

from windlass.agents import checklists, manuscript, report_standard, verbatim
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.report_standard import Standard
from windlass.errors import AgentError


class ArtifactAuditInputs(Inputs):
    """A report's text, and the standard to hold it against; without one, the report's own words for its design decide."""

    artifact_content: Annotated[str, Field(min_length=1, max_length=manuscript.MOST, pattern=r"\S")]
    reporting_standard: Standard | None = None


class Evidence(Item):
    """A verbatim piece of the report: `artifact_content[start:end] == quote`; `line` counts from 1."""

    quote: str
    start: int
    end: int
    line: int
    heading: str


class AuditedItem(Item):
    """One item of the checklist; `evidence` is null for a missing one."""

    item_id: str
    section: str
    asks: str
    found: bool
    evidence: Evidence | None


class Share(Item):
    """How many items of one section were found; `score` is 100 × found ÷ of."""

    section: str
    found: int
    of: int
    score: float


class ArtifactAuditOutputs(Outputs):
    """The items in the checklist's order; `score` is 100 × found ÷ all. `chosen_by` says why this standard."""

    standard: Standard
    checklist: str
    source: str
    chosen_by: str
    items: list[AuditedItem]
    missing: list[str]
    sections: list[Share]
    found: int
    total: int
    score: float


def choose(inputs: ArtifactAuditInputs, _work: Work, _context: Context) -> Mapping[str, Any]:
    """The standard: as asked for, or as the report names its design; refuses where neither tells."""
    if inputs.reporting_standard is not None:
        return {"standard": inputs.reporting_standard, "chosen_by": "asked for"}
    choice = report_standard.choose(inputs.artifact_content)
    if choice is None:
        message = "can't be told from the text, which names no study design; give CONSORT, PRISMA or STROBE"
        raise AgentError("VALIDATION_ERROR", f"reporting_standard: {message}", {"fieldErrors": {"reporting_standard": [message]}})
    return {"standard": choice.standard, "chosen_by": f"{choice.reason}: {choice.evidence.text!r}"}


def match(inputs: ArtifactAuditInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """For every item the piece of the report that speaks of it, or null."""
    checklist = checklists.load(work["standard"])
    findings = checklists.found(checklist, manuscript.parted(inputs.artifact_content), context.check)
    places = [[finding.evidence.start, finding.evidence.end] if finding.evidence else None for finding in findings]
    return {"places": dict(zip((finding.item.id for finding in findings), places, strict=True))}


def locate(inputs: ArtifactAuditInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The items with their evidence as it stands in the report, its line and heading; a quote that is none is not let through."""
    report = manuscript.read(inputs.artifact_content)
    items = []
    for item in checklists.load(work["standard"]).items:
        context.check()
        evidence = _evidence(report, work["places"][item.id])
        items.append({"item_id": item.id, "section": item.section, "asks": item.text, "found": evidence is not None, "evidence": evidence})
    return {"items": items}


def conclude(_inputs: ArtifactAuditInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Counts and scores, from the items alone."""
    items: list[dict[str, Any]] = work["items"]
    checklist = checklists.load(work["standard"])
    sections = dict.fromkeys(item["section"] for item in items)
    count = sum(item["found"] for item in items)
    return {
        "outputs": {
            "standard": work["standard"],
            "checklist": checklist.name,
            "source": checklist.source,
            "chosen_by": work["chosen_by"],
            "items": items,
            "missing": [item["item_id"] for item in items if not item["found"]],
            "sections": [_share(section, [item["found"] for item in items if item["section"] == section]) for section in sections],
            "found": count,
            "total": len(items),
            "score": round(100 * count / len(items), 1),
        },
        "grounding": {"quotes": count},
        "warnings": ["found means that a sentence speaks of the item, by its words; whether it does so well is for a reader to judge"],
    }


def _evidence(report: manuscript.Manuscript, place: Sequence[int] | None) -> dict[str, Any] | None:
    if place is None:
        return None
    start, end = place
    quote = report.text[start:end].strip()
    start += len(report.text[start:end]) - len(report.text[start:end].lstrip())
    end = start + len(quote)
    if verbatim.misquoted(report.text, quote, start, end):
        return None
    heading = next((section.title for section in reversed(report.sections) if section.start <= start), "")
    return {"quote": quote, "start": start, "end": end, "line": report.line_of(start), "heading": heading}


def _share(section: str, found: Sequence[bool]) -> dict[str, Any]:
    return {"section": section, "found": sum(found), "of": len(found), "score": round(100 * sum(found) / len(found), 1)}


_TITLES = {"CONSORT": "randomised", "PRISMA": "systematic review", "STROBE": "cohort study"}


@cache
def _published(standard: str) -> list[dict[str, Any]]:
    """The checklist's file as it is: the probe reads it by itself."""
    entries: list[dict[str, Any]] = orjson.loads(resources.files("windlass.agents.data").joinpath(f"{standard.lower()}.json").read_bytes())["items"]
    return entries


def _make(seed: int) -> dict[str, Any]:
    """A report of invented words: a title, and one sentence with the cues of each of some items of the standard's."""
    rng = random.Random(seed)
    standard = rng.choice(sorted(_TITLES))
    items = _published(standard)
    told = rng.random() < 0.6
    lines = [f"{_nonsense(rng).capitalize()} {_nonsense(rng)} {'' if told else _TITLES[standard] + ' '}of {_nonsense(rng)}."]
    for item in rng.sample([one for one in items if one["section"] not in {"Title", "Abstract"}], rng.randrange(5, 16)):
        cues = [rng.choice(group) for group in item["cues"]]
        words = [f"{cue.replace('*', 'a').replace('#', str(rng.randrange(10)))} {_nonsense(rng)}" for cue in cues]
        lines.append(f"{_nonsense(rng).capitalize()} {' '.join(words)}.")
    return {"artifact_content": "\n".join(lines)} | ({"reporting_standard": standard} if told else {})


def _nonsense(rng: random.Random) -> str:
    return "zq" + "".join(rng.choices("bdfgklmnprtvz", k=4)) + rng.choice("aeou")


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    content = inputs["artifact_content"]
    lines = content.split("\n")
    standard = inputs.get("reporting_standard") or next(name for name, words in _TITLES.items() if words in lines[0])
    if outputs["standard"] != standard:
        return f"the report was held against {outputs['standard']}, and it calls for {standard}"
    if ("asked for" if "reporting_standard" in inputs else _TITLES[standard]) not in outputs["chosen_by"]:
        return "it is not said what chose the standard"
    words = [" ".join(["", *re.findall(r"[^\W_]+", line.lower()), ""]) for line in lines]
    items = _published(standard)
    if [item["item_id"] for item in outputs["items"]] != [item["id"] for item in items]:
        return "the items are not those of the checklist, in its order"
    hits = 0
    for item, given in zip(items, outputs["items"], strict=True):
        looked = {"Title": words[:1], "Abstract": []}.get(item["section"], words)
        shown = [number for number, line in enumerate(looked, 1) if all(any(_stands(cue, line) for cue in group) for group in item["cues"])]
        hits += bool(shown)
        if given["found"] is not bool(shown):
            return f"item {item['id']} was found {'' if given['found'] else 'missing '}and is {'there' if shown else 'not there'}"
        evidence = given["evidence"]
        if shown and (evidence["line"] not in shown or content[evidence["start"] : evidence["end"]] != evidence["quote"]):
            return f"the evidence of item {item['id']} does not stand in a line that shows it"
        if shown and evidence["quote"] not in lines[evidence["line"] - 1]:
            return f"the evidence of item {item['id']} does not stand in the line that it names"
    if outputs["missing"] != [item["item_id"] for item in outputs["items"] if not item["found"]]:
        return "the missing items are not those that were not found"
    if (outputs["found"], outputs["total"]) != (hits, len(items)) or abs(outputs["score"] - 100 * hits / len(items)) > 0.051:
        return f"the score is {outputs['score']}, the items make it {100 * hits / len(items):.1f}"
    if sum(share["found"] for share in outputs["sections"]) != hits or sum(share["of"] for share in outputs["sections"]) != len(items):
        return "the sections do not add up to the whole"
    return None


def _stands(cue: str, line: str) -> bool:
    """Whether a cue's words follow each other in a line of words between single spaces; `#` is any digit, `*` any ending."""
    wanted = " ".join(re.findall(r"(?:[^\W_]|#)+\*?", cue.lower()))
    if "#" in wanted or "*" in wanted[:-1]:
        shape = re.escape(wanted).replace(r"\#", "[0-9]").replace(r"\*", r"\w*").replace(r"\ ", " ")
        return re.search(rf" {shape} ", line) is not None
    return f" {wanted[:-1]}" in line if wanted.endswith("*") else f" {wanted} " in line


AGENT = Agent(
    name="agent-artifact-auditor-proxy",
    task_types=("ARTIFACT_AUDIT",),
    summary="Holds a report against CONSORT, PRISMA or STROBE: each item found with its words and line, or missing, and the score.",
    version="1.0.0",
    inputs=ArtifactAuditInputs,
    outputs=ArtifactAuditOutputs,
    steps=(Step(name="choose", run=choose), Step(name="match", run=match), Step(name="locate", run=locate), Step(name="conclude", run=conclude)),
    example={
        "artifact_content": "Walking and fatigue: a cohort study\n\n## Methods\nWe recruited adults from two hospitals between May and June 2024. "
        "Analyses were adjusted for age by logistic regression.\n\n## Discussion\nA limitation is residual confounding.",
        "reporting_standard": "STROBE",
    },
    probe=Probe(make=_make, check=_check),
)
