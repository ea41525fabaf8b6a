"""The model engine of STAGE2_SYNTHESIZE: the section in a model's sentences, each on verbatim quotes of the papers that it cites.

It sees what was read from the papers and their abstracts, and keeps the deterministic engine's rules: every number stands in a quote or in
the paper's label, every key is a paper's, every paper is cited. References and Markdown are made here, not by the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

from pydantic import Field

from windlass.agents import extraction_checks, section_checks, synthesis_sentences
from windlass.agents.agent import Context
from windlass.agents.engines import support
from windlass.agents.extraction_rows import Cited, FieldName, Place
from windlass.agents.markdown_cell import escaped
from windlass.agents.modelling import Draft, ModelEngine
from windlass.agents.papers import Paper

MOST_PAPERS = 100
"""Papers of which a model can write one section; more are for the deterministic engine."""


class _Inputs(Protocol):
    @property
    def papers(self) -> list[Paper]:
        """The papers, in order."""

    @property
    def research_question(self) -> str | None:
        """What the section is on."""


class DraftedQuote(Draft):
    """A verbatim piece of a paper's field, copied letter by letter."""

    citation_key: str
    field: FieldName
    quote: str


class DraftedSentence(Draft):
    """One sentence, without citations in its text, and the quotes that bear it out; it cites the papers of its quotes."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]
    quotes: Annotated[list[DraftedQuote], Field(min_length=1, max_length=20)]


class DraftedParagraph(Draft):
    """Sentences on one subject; the heading names it without numbers."""

    heading: Annotated[str, Field(min_length=1, max_length=200)]
    sentences: Annotated[list[DraftedSentence], Field(min_length=1, max_length=100)]


class SynthesisDraft(Draft):
    """The section, paragraph by paragraph."""

    paragraphs: Annotated[list[DraftedParagraph], Field(min_length=1, max_length=50)]


def _material(inputs: _Inputs, work: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if len(inputs.papers) > MOST_PAPERS:
        return None
    listed = []
    for citation, paper, row in zip(_citations(work), inputs.papers, work["rows"], strict=True):
        read = {"effects": [effect["quote"] for effect in row["effects"]], "p_values": [value["quote"] for value in row["p_values"]], "n": row["n"]}
        listed.append(
            {
                "citation_key": citation.key,
                "label": synthesis_sentences.label(citation),
                "title": paper.title,
                "abstract": paper.abstract,
                "study_type": paper.study_type,
                "read": read,
            }
        )
    return {"research_question": inputs.research_question, "papers": listed}


def _complaints(inputs: _Inputs, work: Mapping[str, Any], draft: SynthesisDraft, context: Context) -> list[str]:
    known = dict(zip((citation.key for citation in _citations(work)), inputs.papers, strict=True))
    labels = {citation.key: synthesis_sentences.label(citation) for citation in _citations(work)}
    found: list[str] = []
    for paragraph in draft.paragraphs:
        heading_from = [
            *(inputs.research_question or "",),
            *(paper.title for paper in inputs.papers),
            *(paper.abstract or "" for paper in inputs.papers),
        ]
        if reason := section_checks.invented_number(paragraph.heading, heading_from):
            found.append(f"{reason}: heading {paragraph.heading[:120]!r}")
        for sentence in paragraph.sentences:
            context.check()
            found.extend(_faults(sentence, known, labels))
    cited = {quote.citation_key for paragraph in draft.paragraphs for sentence in paragraph.sentences for quote in sentence.quotes}
    found.extend(f"the paper {key!r} is never cited: say what it reports, or that it reports no effect" for key in known if key not in cited)
    return found


def _faults(sentence: DraftedSentence, known: Mapping[str, Paper], labels: Mapping[str, str]) -> Iterator[str]:
    shown = f": {sentence.text[:120]!r}"
    for quote in sentence.quotes:
        if quote.citation_key not in known:
            yield f"there is no paper {quote.citation_key[:60]!r}{shown}"
        elif reason := extraction_checks.misquoted(_place(quote, known[quote.citation_key]), known[quote.citation_key]):
            yield f"{reason}{shown}"
    keys = [key for key in dict.fromkeys(quote.citation_key for quote in sentence.quotes) if key in known]
    behind = [*(quote.quote for quote in sentence.quotes), *(labels[key] for key in keys), *(known[key].study_type or "" for key in keys)]
    if reason := section_checks.invented_number(sentence.text, behind):
        yield f"{reason}{shown}"
    bare = _without(sentence.text, [labels[key] for key in keys])
    yield from support.faults(bare, [quote.quote for quote in sentence.quotes] if bare else [])
    if reason := support.citation_of_its_own(bare, [quote.quote for quote in sentence.quotes]):
        yield reason


def _without(sentence: str, labels: list[str]) -> str:
    """The sentence without the papers' labels, which hold names and an `et al.` of their own."""
    for label in labels:
        sentence = sentence.replace(label, "")
    return sentence.strip(" ,;:")


def _assemble(inputs: _Inputs, work: Mapping[str, Any], draft: SynthesisDraft, _context: Context) -> Mapping[str, Any]:
    citations = _citations(work)
    known = dict(zip((citation.key for citation in citations), inputs.papers, strict=True))
    sentences: list[dict[str, Any]] = []
    title: str = work["outputs"]["section"]["title"]
    lines = [f"## {escaped(title)}", ""]
    for paragraph in draft.paragraphs:
        written = [_sentence(sentence, known) for sentence in paragraph.sentences]
        told = (f"{escaped(one['text'].rstrip('.'), 1200)} [@{'; @'.join(one['citation_keys'])}]." for one in written)
        lines += [f"### {escaped(paragraph.heading)}", "", " ".join(told), ""]
        sentences += written
    references: list[dict[str, Any]] = work["outputs"]["references"]
    lines += ["### References", "", *(f"- **{reference['key']}**: {escaped(reference['text'], 600)}" for reference in references)]
    return {
        "outputs": {
            "section": {"title": title, "sentences": sentences, "markdown": "\n".join(lines) + "\n"},
            "references": references,
            "counts": {**work["outputs"]["counts"], "sentences": len(sentences)},
        },
        "grounding": {"papers": len(citations), "quotes": sum(len(sentence["quotes"]) for sentence in sentences)},
    }


def _sentence(sentence: DraftedSentence, known: Mapping[str, Paper]) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "citation_keys": list(dict.fromkeys(quote.citation_key for quote in sentence.quotes)),
        "quotes": [{**_place(quote, known[quote.citation_key]).model_dump(), "citation_key": quote.citation_key} for quote in sentence.quotes],
        "counted": [],
    }


def _place(quote: DraftedQuote, paper: Paper) -> Place:
    source = {"title": paper.title, "abstract": paper.abstract, "study_type": paper.study_type}[quote.field] or ""
    start, end = support.place(source, quote.quote) or (0, 0)
    return Place(field=quote.field, start=start, end=end, quote=quote.quote)


def _citations(work: Mapping[str, Any]) -> list[Cited]:
    return [Cited.model_validate(citation) for citation in work["citations"]]


ENGINE = ModelEngine(
    instructions=(
        "You write a synthesis section from papers: what they report on the question, where they agree and where they differ. Group the sentences by "
        "subject. Every sentence quotes, letter by letter, the words of title, abstract or study_type that bear it out; it cites the papers that it "
        "quotes, and its text holds no citation. You may call a paper by its label. Keep every number as it is printed, count nothing, pool nothing. "
        "Cite every paper at least once; for one that reports no effect, say what it does state. Never turn a direction or a negation round."
    ),
    material=_material,
    draft=SynthesisDraft,
    complaints=_complaints,
    assemble=_assemble,
)
