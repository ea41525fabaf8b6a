"""The model engines of CLINICAL_SECTION_DRAFT and CLINICAL_MANUSCRIPT_WRITE: a model's sentences on what the data say and the evidence says.

What the data say is reworded statement by statement, with the same numbers, neither more nor fewer. Sentences on the evidence keep the rules
of the section writers. The checklist, the text and the counts are made by the agent's own steps, from the draft.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import Field

from windlass.agents import draft_checks, drafting, numerals
from windlass.agents.agent import Context
from windlass.agents.engines import sections, support
from windlass.agents.engines.sections import DraftedParagraph
from windlass.agents.grounding import Chunk, by_id
from windlass.agents.modelling import Draft, ModelEngine
from windlass.agents.rhetoric import Section

LaterStep = Callable[[Any, Mapping[str, Any], Context], Mapping[str, Any]]


class _Inputs(Protocol):
    @property
    def section_type(self) -> Section:
        """The section."""

    @property
    def evidence_chunks(self) -> list[Chunk]:
        """The evidence."""


class Reworded(Draft):
    """A statement of the data in better words; `number` is its place in the material, from 0."""

    number: int
    text: Annotated[str, Field(min_length=1, max_length=4000)]


class ClinicalDraft(Draft):
    """The section: every statement of the data once, and paragraphs on the evidence."""

    statements: Annotated[list[Reworded], Field(max_length=2000)]
    paragraphs: Annotated[list[DraftedParagraph], Field(max_length=20)]


def engine(*later: LaterStep) -> ModelEngine[ClinicalDraft]:
    """The engine; `later` are the agent's own steps after the drafting ones, which make the outputs from `statements` and `paragraphs`."""

    def assemble(inputs: _Inputs, work: Mapping[str, Any], draft: ClinicalDraft, context: Context) -> Mapping[str, Any]:
        texts = {one.number: one.text for one in draft.statements}
        statements = [{**statement, "text": texts[place]} for place, statement in enumerate(work["statements"])]
        drafted: dict[str, Any] = {
            **work,
            "statements": statements,
            "paragraphs": drafting.dumped(sections.placed(by_id(inputs.evidence_chunks), draft.paragraphs)),
        }
        for step in later:
            drafted |= step(inputs, drafted, context)
        return {"outputs": drafted["outputs"], "grounding": drafted["grounding"]}

    return ModelEngine(
        instructions=(
            "You write one section of a clinical report. `statements` say what the study's data say: reword each into plain prose under its number, "
            "all of them, with the same numbers as printed, none added and none left out. `chunks` are evidence: write sentences on them that belong "
            "into this section, each with quotes copied letter by letter from the chunks that it rests on, close to their words, under one of the "
            "headings. Never turn a direction or a negation round. What neither holds stays unsaid."
        ),
        material=_material,
        draft=ClinicalDraft,
        complaints=lambda inputs, work, draft, context: list(_complaints(inputs, work, draft, context)),
        assemble=assemble,
    )


class ManuscriptDraft(Draft):
    """The manuscript: every statement of the data once."""

    statements: Annotated[list[Reworded], Field(min_length=1, max_length=5000)]


def manuscript_engine(*later: LaterStep) -> ModelEngine[ManuscriptDraft]:
    """The engine that rewords a manuscript; `later` are the agent's own steps that make the outputs from `sections`."""

    def assemble(inputs: Any, work: Mapping[str, Any], draft: ManuscriptDraft, context: Context) -> Mapping[str, Any]:
        texts = {one.number: one.text for one in draft.statements}
        places = iter(range(len(texts)))
        parts = [{**part, "statements": [{**one, "text": texts[next(places)]} for one in part["statements"]]} for part in work["sections"]]
        drafted: dict[str, Any] = {**work, "sections": parts}
        for step in later:
            drafted |= step(inputs, drafted, context)
        return {"outputs": drafted["outputs"]}

    return ModelEngine(
        instructions=(
            "You put a clinical trial's data into plain prose. `statements` say what the data say, section by section: reword each under its number, "
            "all of them, so that those of a section read on from one another, with the same numbers as printed, none added and none left out, close "
            "to the given words. Never turn a direction or a negation round. Interpret nothing."
        ),
        material=lambda _inputs, work: {"statements": told} if (told := _told(work)) else None,
        draft=ManuscriptDraft,
        complaints=lambda _inputs, work, draft, context: list(_reworded_all([one["text"] for one in _told(work)], draft.statements, context)),
        assemble=assemble,
    )


def _told(work: Mapping[str, Any]) -> list[dict[str, Any]]:
    every = [(part["heading"], one["text"]) for part in work["sections"] for one in part["statements"]]
    return [{"number": place, "section": heading, "text": text} for place, (heading, text) in enumerate(every)]


def _material(inputs: _Inputs, work: Mapping[str, Any]) -> Mapping[str, Any] | None:
    first = dict.fromkeys(quote["chunk_id"] for paragraph in work["paragraphs"] for one in paragraph["sentences"] for quote in one["evidence"])
    if not first and not work["statements"]:
        return None
    chunks = by_id(inputs.evidence_chunks)
    return {
        "section": inputs.section_type,
        "statements": [{"number": place, "text": one["text"]} for place, one in enumerate(work["statements"])],
        "headings": sections.headings(inputs.section_type),
        "chunks": [{"chunk_id": name, "text": chunks[name].text} for name in list(first)[: sections.MOST_CHUNKS]],
    }


def _complaints(inputs: _Inputs, work: Mapping[str, Any], draft: ClinicalDraft, context: Context) -> Iterator[str]:
    yield from _reworded_all([one["text"] for one in work["statements"]], draft.statements, context)
    chunks = by_id(inputs.evidence_chunks)
    yield from sections.prose_faults(sections.placed(chunks, draft.paragraphs), chunks, sections.headings(inputs.section_type), context)
    if work["paragraphs"] and not draft.paragraphs:
        yield "the evidence holds sentences for this section, and none is written"


def _reworded_all(given: Sequence[str], statements: Sequence[Reworded], context: Context) -> Iterator[str]:
    numbers = [one.number for one in statements]
    if sorted(numbers) != list(range(len(given))):
        yield f"the statements are numbered {numbers[:20]}: each of 0 to {len(given) - 1} stands there once"
    for one in statements:
        context.check()
        if 0 <= one.number < len(given):
            yield from _reworded_faults(given[one.number], one.text)


def _reworded_faults(given: str, reworded: str) -> Iterator[str]:
    before, after = numerals.figures(given), numerals.figures(draft_checks.folded(reworded))
    if before != after:
        yield f"numbers differ: lost {sorted(before - after)[:5]}, added {sorted(after - before)[:5]}: {reworded[:120]!r}"
    yield from support.faults(reworded, [given])
    if reason := support.citation_of_its_own(reworded, [given]):
        yield reason
