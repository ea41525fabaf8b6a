"""DISSEMINATION_FORMATTING: a manuscript against a journal's rules, its citations against its list, and references in the journal's style.

The text itself is never reworded. The only changes are citations by key (`[@roe2020]`) that become the style's, and a reference list where
none stands: each is listed as an edit, and taking the edits back gives the manuscript letter for letter, which is checked before it is answered.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from windlass.agents import citation_checks, csl, edits, guideline_rules, guidelines, keyed_citations, manuscript, manuscript_counts
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.citation_checks import Finding
from windlass.agents.csl import Reference
from windlass.agents.edits import Edit
from windlass.agents.guideline_rules import Row
from windlass.agents.guidelines import Entry, Guideline, JournalName
from windlass.errors import AgentError


class DisseminationFormattingInputs(Inputs):
    """A manuscript and the journal it goes to: a known one, or one whose `guideline` is given. `references` are CSL-JSON."""

    manuscript_text: Annotated[str, Field(min_length=1, max_length=manuscript.MOST, pattern=r"\S")]
    target_journal: JournalName
    citation_style: csl.Style | None = None
    references: Annotated[list[Reference], Field(min_length=1, max_length=1000)] | None = None
    guideline: Guideline | None = None

    @model_validator(mode="after")
    def _fits(self) -> DisseminationFormattingInputs:
        ids = [reference.id for reference in self.references or ()]
        if len(set(ids)) < len(ids):
            raise ValueError("references: two references have the same id")
        if self.guideline is not None and guidelines.key(self.guideline.name) != guidelines.key(self.target_journal):
            raise ValueError("guideline is of another journal than target_journal")
        return self


class FormattedEntry(Item):
    """One reference in the style's form."""

    id: str
    text: str


class DisseminationFormattingOutputs(Outputs):
    """`fits` is false where the manuscript breaks a rule of the journal, null where not all could be held against it.

    `style` is null where none is known or offered; then nothing is formatted and `formatted_text` is the manuscript.
    """

    journal: Entry
    measured: guideline_rules.Manuscript
    rows: list[Row]
    fits: bool | None
    style: csl.Style | None
    findings: list[Finding]
    bibliography: list[FormattedEntry]
    ambiguous: list[list[str]]
    edits: list[Edit]
    formatted_text: str


def look_up(inputs: DisseminationFormattingInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The journal's guideline: given, stored or shipped; refuses a name that nobody knows with the nearest ones. And the style to use."""
    entry = Entry(guideline=inputs.guideline, origin="given") if inputs.guideline else _known(inputs.target_journal, context)
    asked = (entry.guideline.reference_style or "").strip().casefold()
    style = inputs.citation_style or next((offered for offered in csl.STYLES if offered == asked), None)
    warnings = [f"{entry.guideline.name} is an invented journal, shipped as an example"] if entry.origin == "shipped" else []
    if style is None:
        named = f"the journal's style {entry.guideline.reference_style!r}" if asked else "a style that nobody named"
        warnings.append(f"{named} is not offered; give citation_style, one of {', '.join(csl.STYLES)}: no reference was formatted")
    return {"journal": entry.model_dump(mode="json"), "style": style, "warnings": warnings}


def measure(inputs: DisseminationFormattingInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """What the manuscript has, counted, and each of the journal's rules held against it."""
    context.check()
    read = manuscript.read(inputs.manuscript_text)
    measured = manuscript_counts.measured(read, inputs.references, work["style"] if inputs.references else None)
    rows = guideline_rules.against(Guideline.model_validate(work["journal"]["guideline"]), measured)
    return {"measured": measured.model_dump(), "rows": [row.model_dump() for row in rows], "fits": guideline_rules.fits(rows)}


def check_citations(inputs: DisseminationFormattingInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Citations that fit neither the list nor the style, keys that no reference has, and references that no key cites."""
    read = manuscript.read(inputs.manuscript_text)
    found = list(citation_checks.findings(read, work["style"], context.check))
    known = {reference.id for reference in inputs.references or ()}
    cited: set[str] = set()
    for start, end, keys in keyed_citations.groups(inputs.manuscript_text, context):
        cited.update(keys)
        for key in keys:
            if key not in known:
                quote = inputs.manuscript_text[start:end]
                message = f"the key {key!r} is cited and no reference has it"
                found.append(Finding(rule="unknown_key", message=message, line=read.line_of(start), start=start, end=end, quote=quote))
    if cited:
        unused = [reference.id for reference in inputs.references or () if reference.id not in cited]
        found += [Finding(rule="uncited_reference", message=f"the reference {key!r} is given and nowhere cited by its key") for key in unused]
    return {"findings": [one.model_dump() for one in found]}


def reformat(inputs: DisseminationFormattingInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """The references in the style, and the text with its edits; nothing without references and a style."""
    source = inputs.manuscript_text
    if not inputs.references or work["style"] is None:
        return {"bibliography": [], "ambiguous": [], "edits": [], "formatted_text": source}
    known = {reference.id: reference for reference in inputs.references}
    groups = [group for group in keyed_citations.groups(source, context) if all(key in known for key in group[2])]
    distinct = list(dict.fromkeys(keys for _, _, keys in groups))
    rendered = csl.rendered(work["style"], inputs.references, distinct)
    context.check()
    strange = [key for key, entry in rendered.entries if csl.foreign_words(entry, known[key])]
    if strange:
        raise AgentError("INVALID_OUTPUT", f"the formatted reference {strange[0]!r} holds words that are not the reference's; nothing is answered")
    read = manuscript.read(source)
    wording = dict(zip(distinct, rendered.citations, strict=True))
    changes = [("citation", read.line_of(start), start, end, wording[keys]) for start, end, keys in groups]
    changes += keyed_citations.reference_list(read, [entry for _, entry in rendered.entries])
    formatted, made = edits.applied(source, changes)
    if edits.undone(formatted, made) != source:
        raise AgentError("INVALID_OUTPUT", "the edits can't be taken back; nothing is answered")
    kept = any(True for _ in manuscript.references(read))
    return {
        "bibliography": [{"id": key, "text": entry} for key, entry in rendered.entries],
        "ambiguous": [list(keys) for keys in rendered.ambiguous],
        "edits": [edit.model_dump() for edit in made],
        "formatted_text": formatted,
        "warnings": ["the manuscript has a reference list: it was left as it is, and the formatted one stands in bibliography"] if kept else [],
    }


def conclude(_inputs: DisseminationFormattingInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """Everything beside each other."""
    warnings = [
        f"{', '.join(keys)} are cited alike: the style has no year suffixes here" for keys in work["ambiguous"] if work["style"] not in csl.NUMERIC
    ]
    return {"outputs": {name: work[name] for name in DisseminationFormattingOutputs.model_fields}, "warnings": warnings}


def _known(name: str, context: Context) -> Entry:
    with guidelines.opened(context) as connection:
        known = {**guidelines.shipped(), **guidelines.stored(connection)}
    entry = known.get(guidelines.key(name))
    if entry is None:
        nearest = [known[one].guideline.name for one in difflib.get_close_matches(guidelines.key(name), list(known), n=3, cutoff=0.5)]
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        message = f"no guideline of the target_journal {name!r} is known{hint}; or give its rules as guideline"
        raise AgentError("JOURNAL_NOT_FOUND", message, {"target_journal": name, "nearest": nearest})
    return entry


def _plan(seed: int) -> dict[str, Any]:
    """What the manuscript is made of; every name, word and number is random."""
    rng = random.Random(seed)

    def word() -> str:
        return "".join(rng.choices("bdfgklmnprtvz", k=3)) + rng.choice("aeou") + "".join(rng.choices("bdfgklmnprtvz", k=2))

    references = []
    for place in range(rng.randrange(2, 6)):
        start = rng.randrange(10, 900)
        authors = [(word().capitalize(), rng.choice("ABCDEFGH")) for _ in range(rng.randrange(1, 4))]
        plain = {"title": f"{word().capitalize()} {word()} {word()}", "journal": f"J {word().capitalize()}", "year": rng.randrange(1990, 2025)}
        numbers = {"volume": rng.randrange(1, 90), "issue": rng.randrange(1, 12), "first": start, "last": start + rng.randrange(1, 9)}
        references.append({"id": f"k{place}{word()}", "authors": authors, "doi": f"10.5555/{word()}{rng.randrange(1000)}", **plain, **numbers})
    cited = rng.sample(range(len(references)), len(references))
    return {
        "style": rng.choice(("vancouver", "ama", "apa", "harvard")),
        "references": references,
        "cited": cited,
        "pair": sorted(rng.sample(range(len(references)), 2)),
        "abstract": [word() for _ in range(rng.randrange(5, 30))],
        "keywords": [word() for _ in range(rng.randrange(2, 7))],
        "text": [[word() for _ in range(rng.randrange(5, 25))] for _ in range(3)],
        "figures": rng.randrange(4),
        "tables": rng.randrange(4),
        "limits": {field: rng.randrange(1, top) for field, top in _TOPS.items() if rng.random() < 0.7},
        "sections": rng.sample(["Introduction", "Methods", "Results", "Discussion", "Conclusions"], 3),
        "journal": f"Journal of {word()}",
        "tail": rng.choice(("", "\n## References\n")),
    }


_TOPS = {"word_limit": 80, "abstract_word_limit": 35, "max_references": 7, "max_figures": 5, "max_tables": 5, "max_keywords": 8}
_COUNTED = {
    "word_limit": "words",
    "abstract_word_limit": "abstract_words",
    "max_references": "references",
    "max_figures": "figures",
    "max_tables": "tables",
    "max_keywords": "keywords",
}
_HEADINGS = ("Introduction", "Methods", "Results")


def _make(seed: int) -> dict[str, Any]:
    plan = _plan(seed)
    keys = [reference["id"] for reference in plan["references"]]
    single = " ".join(f"[@{keys[place]}]" for place in plan["cited"])
    pair = f"[@{keys[plan['pair'][0]]}; @{keys[plan['pair'][1]]}]"
    marks = (f" {single}", f" {pair}", "")
    pieces = ["# A title", "## Abstract", " ".join(plan["abstract"]), f"Keywords: {', '.join(plan['keywords'])}"]
    for heading, words, mark in zip(_HEADINGS, plan["text"], marks, strict=True):
        pieces += [f"## {heading}", f"{' '.join(words)}{mark}."]
    pieces += [f"Figure {number}. A caption of figure {number}." for number in range(1, plan["figures"] + 1)]
    pieces += [f"Table {number}: A caption." for number in range(1, plan["tables"] + 1)]
    references = [
        {
            "id": reference["id"],
            "type": "article-journal",
            "title": reference["title"],
            "container-title": reference["journal"],
            "author": [{"family": family, "given": given} for family, given in reference["authors"]],
            "issued": {"date-parts": [[reference["year"]]]},
            "volume": reference["volume"],
            "issue": str(reference["issue"]),
            "page": f"{reference['first']}-{reference['last']}",
            "DOI": reference["doi"],
        }
        for reference in plan["references"]
    ]
    guideline = {"name": plan["journal"], "reference_style": plan["style"], "sections": plan["sections"], **plan["limits"]}
    content = "\n\n".join(pieces) + plan["tail"]
    return {"manuscript_text": content, "target_journal": plan["journal"], "guideline": guideline, "references": references}


def _entry(style: str, reference: Mapping[str, Any]) -> str:
    """An article as the style's own guide writes it."""
    numbers = f"{reference['volume']}({reference['issue']})"
    pages = f"{reference['first']}–{reference['last']}"
    if style in {"vancouver", "ama"}:
        people = ", ".join(f"{family} {given}" for family, given in reference["authors"])
        return f"{people}. {reference['title']}. {reference['journal']}. {reference['year']};{numbers}:{pages}. doi:{reference['doi']}"
    names = [f"{family}, {given}." for family, given in reference["authors"]]
    joined = names[0] if len(names) == 1 else ", ".join(names[:-1]) + (", & " if style == "apa" else " and ") + names[-1]
    if style == "apa":
        return f"{joined} ({reference['year']}). {reference['title']}. {reference['journal']}, {numbers}, {pages}. https://doi.org/{reference['doi']}"
    return f"{joined} ({reference['year']}) {reference['title']}. {reference['journal']}, {numbers}, pp. {pages}. doi:{reference['doi']}"


def _name(style: str, reference: Mapping[str, Any]) -> str:
    families = [family for family, _ in reference["authors"]]
    link = " & " if style == "apa" else " and "
    if style == "apa" and len(families) > 2:
        return f"{families[0]} et al., {reference['year']}"
    named = families[0] if len(families) == 1 else ", ".join(families[:-1]) + link + families[-1]
    return f"{named}, {reference['year']}"


def _check(seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    plan = _plan(seed)
    style, references = plan["style"], plan["references"]
    counted = {
        "words": sum(len(words) for words in plan["text"]) + len(references) + 2,
        "abstract_words": len(plan["abstract"]),
        "references": len(references),
        "figures": plan["figures"],
        "tables": plan["tables"],
        "keywords": len(plan["keywords"]),
    }
    for name, count in counted.items():
        if outputs["measured"][name] != count:
            return f"{name} were counted as {outputs['measured'][name]}, there are {count}"
    rows = {row["field"]: row for row in outputs["rows"]}
    for field, name in _COUNTED.items():
        limit = plan["limits"].get(field)
        verdict = "not_stated" if limit is None else "within" if counted[name] <= limit else "over"
        if rows[field]["verdict"] != verdict:
            return f"{field} was found {rows[field]['verdict']}, and it is {verdict}"
    missing = [section for section in plan["sections"] if section not in _HEADINGS]
    if rows["sections"]["missing"] != missing or rows["reference_style"]["verdict"] != "within":
        return "the sections that are missing, or the style, are not told right"
    if outputs["fits"] is not (not missing and all(row["verdict"] != "over" for row in outputs["rows"])):
        return "fits does not follow from the rows"
    return _check_formatted(plan, style, inputs, outputs)


def _check_formatted(plan: Mapping[str, Any], style: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    references, numeric = plan["references"], style in {"vancouver", "ama"}
    order = plan["cited"] if numeric else sorted(range(len(references)), key=lambda place: references[place]["authors"][0][0])
    wanted = [(f"{number}. " if numeric else "") + _entry(style, references[place]) for number, place in enumerate(order, 1)]
    if outputs["style"] != style or [entry["text"] for entry in outputs["bibliography"]] != wanted:
        return f"the references are not as {style} writes them"
    said = []
    for group in [*([place] for place in plan["cited"]), plan["pair"]]:
        inner = sorted(order.index(place) for place in group)
        opening, closing = ("[", "]") if style == "ama" else ("(", ")")
        pieces = [str(place + 1) if numeric else _name(style, references[order[place]]) for place in inner]
        said.append(opening + ("," if numeric else "; ").join(pieces) + closing)
    if [edit["after"] for edit in outputs["edits"] if edit["rule"] == "citation"] != said:
        return f"the citations are not as {style} writes them"
    back = outputs["formatted_text"]
    for edit in sorted(outputs["edits"], key=lambda one: -one["at"]):
        if back[edit["at"] :][: len(edit["after"])] != edit["after"]:
            return "an edit does not stand where it is said to"
        back = back[: edit["at"]] + edit["before"] + back[edit["at"] + len(edit["after"]) :]
    if back != inputs["manuscript_text"]:
        return "taking the edits back does not give the manuscript"
    if "\n".join(wanted) not in outputs["formatted_text"] or any(row["rule"] != "citation_kind" for row in outputs["findings"]):
        return "the formatted text lacks the list, or a citation that fits is said not to"
    return None


AGENT = Agent(
    name="agent-dissemination-formatter-proxy",
    task_types=("DISSEMINATION_FORMATTING",),
    summary="Holds a manuscript against a journal's rules, checks its citations and formats its references by CSL, with edits that can be undone.",
    version="1.0.0",
    inputs=DisseminationFormattingInputs,
    outputs=DisseminationFormattingOutputs,
    steps=(
        Step(name="look_up", run=look_up),
        Step(name="measure", run=measure),
        Step(name="check_citations", run=check_citations),
        Step(name="reformat", run=reformat),
        Step(name="conclude", run=conclude),
    ),
    example={
        "manuscript_text": "# Walking and sleep\n\n## Abstract\nWe walked.\n\n## Introduction\nSleep matters [@roe2020].\n\n## Methods\nWe walked.",
        "target_journal": "Invented Journal of Clinical Trials",
        "references": [
            {
                "id": "roe2020",
                "type": "article-journal",
                "title": "An invented study of sleep",
                "author": [{"family": "Roe", "given": "Jane"}],
                "container-title": "Journal of Examples",
                "issued": {"date-parts": [[2020]]},
                "volume": "1",
                "page": "1-9",
            }
        ],
    },
    probe=Probe(make=_make, check=_check),
)
