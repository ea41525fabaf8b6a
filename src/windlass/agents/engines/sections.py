"""The model engine of the four section writers: sentences in a writer's words, each on verbatim quotes of the chunks that it names.

The model sees the outline, the section's moves, the chunks of the sentences that the deterministic engine found, and the claims that the
evidence carries. Its draft keeps the rules of `draft_checks`, stays in the words of its quotes, carries every claim, and is put together
by the function that puts the deterministic draft together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from windlass.agents import draft_checks, drafting, rhetoric
from windlass.agents.agent import Context
from windlass.agents.claim_support import Support
from windlass.agents.drafting import Drafted, DraftInputs, Paragraph
from windlass.agents.engines import support
from windlass.agents.grounding import Chunk, Quote, by_id
from windlass.agents.modelling import Draft, ModelEngine
from windlass.agents.rhetoric import Section

MOST_CHUNKS = 60
"""Chunks that a model sees: those that the deterministic draft rests on, and after them the others in order."""

_OF_THE_LAST_STEP = ("the evidence describes no ", "the evidence reports no number", "the evidence names no limitation")
"""Beginnings of warnings that a writer's last step gives anew for the model's draft."""

Prose = Annotated[str, Field(min_length=1, max_length=drafting.MOST_CHARACTERS)]


class DraftedQuote(Draft):
    """A verbatim piece of a chunk: copied letter by letter."""

    chunk_id: str
    quote: str


class DraftedSentence(Draft):
    """One sentence in your own order of words, and the quotes that bear it out."""

    text: Prose
    evidence: Annotated[list[DraftedQuote], Field(min_length=1, max_length=6)]


class DraftedParagraph(Draft):
    """Sentences that stand together under one of the headings."""

    heading: str
    sentences: Annotated[list[DraftedSentence], Field(min_length=1, max_length=drafting.MOST_SENTENCES)]


class SectionDraft(Draft):
    """The section, paragraph by paragraph."""

    paragraphs: Annotated[list[DraftedParagraph], Field(min_length=1, max_length=20)]


Conclude = Callable[[Any, Mapping[str, Any], Context], Mapping[str, Any]]


def engine(section: Section, conclude: Conclude) -> ModelEngine[SectionDraft]:
    """The model engine of the writer of this section; `conclude` is the writer's own last step, which makes the outputs from `paragraphs`."""

    def complaints(inputs: DraftInputs, work: Mapping[str, Any], draft: SectionDraft, context: Context) -> list[str]:
        return list(_complaints(section, inputs, work, draft, context))

    def assemble(inputs: DraftInputs, work: Mapping[str, Any], draft: SectionDraft, context: Context) -> Mapping[str, Any]:
        paragraphs = placed(by_id(inputs.groundingPack.chunks), draft.paragraphs)
        supported = [_with_claims(sentence, work) for sentence in _flat(paragraphs)]
        served, _left = drafting.kept(inputs, section, {"supported": drafting.dumped(supported)}, context)
        on_point = {sentence.text: sentence for sentence in served}
        written = [Paragraph(heading=one.heading, sentences=[on_point[sentence.text] for sentence in one.sentences]) for one in paragraphs]
        put = {"paragraphs": drafting.dumped(written), "claims": work["claims"], "left_out": 0}
        return conclude(inputs, put, context)

    return ModelEngine(
        instructions=(
            f"You write the {section} section of a scientific paper from evidence chunks. Write plain, connected sentences, ordered by the outline. "
            "Every sentence names the chunks that it rests on and quotes from each the words that bear it out, copied letter by letter. "
            "Keep every number and unit as it is printed. Stay close to the words of the quotes; never turn a direction or a negation round. "
            "Carry every claim of the list, quoting the sentence that is given with it. A heading is one of the given headings. "
            "What the evidence does not hold stays unsaid: a shorter section is right then."
        ),
        material=lambda inputs, work: _material(section, inputs, work),
        draft=SectionDraft,
        complaints=complaints,
        assemble=assemble,
        moot=lambda warning: warning.startswith(_OF_THE_LAST_STEP) or "more sentences fit" in warning,
    )


def _material(section: Section, inputs: DraftInputs, work: Mapping[str, Any]) -> Mapping[str, Any] | None:
    first = dict.fromkeys(work["outputs"]["chunk_ids"])
    if not first:
        return None
    chunks = by_id(inputs.groundingPack.chunks)
    chosen = list({**first, **dict.fromkeys(chunks)})[:MOST_CHUNKS]
    return {
        "section": section,
        "topic": inputs.topic,
        "outline": inputs.points(),
        "headings": headings(section, inputs.points()),
        "chunks": [{"chunk_id": name, "text": chunks[name].text} for name in chosen],
        "claims": [
            {"claim": claim.claim, "chunk_id": claim.evidence.chunk_id, "quote": claim.evidence.quote} for claim in _carried(work) if claim.evidence
        ],
    }


def headings(section: Section, points: Sequence[str] = ()) -> list[str]:
    """The headings that a paragraph of the section may have."""
    return [*(move.name for move in rhetoric.moves(section)), *points, "other"]


def _carried(work: Mapping[str, Any]) -> list[Support]:
    """The claims that the evidence carries."""
    words = [Support.model_validate(word) for word in work["claims"]]
    return [word for word in words if word.referenced]


def prose_faults(paragraphs: Sequence[Paragraph], chunks: Mapping[str, Chunk], known: Sequence[str], context: Context) -> Iterator[str]:
    """What is wrong with paragraphs on evidence, whatever they are for: headings, quotes, numbers, words."""
    yield from (f"the heading {one.heading[:80]!r} is none of the given ones" for one in paragraphs if one.heading not in known)
    sentences = _flat(paragraphs)
    if len({sentence.text for sentence in sentences}) < len(sentences):
        yield "a sentence stands there twice"
    for fault in draft_checks.faults(sentences, chunks, context.check):
        if fault.rule != "not_verbatim":
            yield f"{fault.message}: {sentences[fault.sentence].text[:120]!r}"
    for quote in (quote for sentence in sentences for quote in sentence.evidence):
        if quote.chunk_id in chunks and quote.start == quote.end:
            yield f"this quote does not stand in the chunk {quote.chunk_id!r}: {quote.quote[:120]!r}"
    for sentence in sentences:
        context.check()
        quotes = [quote.quote for quote in sentence.evidence]
        yield from support.faults(sentence.text, quotes)
        if reason := support.citation_of_its_own(sentence.text, quotes):
            yield reason
    if len(sentences) > drafting.MOST_SENTENCES:
        yield f"{len(sentences)} sentences, {drafting.MOST_SENTENCES} are allowed"


def placed(chunks: Mapping[str, Chunk], drafted: Sequence[DraftedParagraph]) -> list[Paragraph]:
    """The draft in the shape of the outputs; a quote that stands nowhere gets a place that no rule lets pass."""
    return [Paragraph(heading=one.heading, sentences=[_drafted(sentence, chunks) for sentence in one.sentences]) for one in drafted]


def _complaints(section: Section, inputs: DraftInputs, work: Mapping[str, Any], draft: SectionDraft, context: Context) -> Iterator[str]:
    chunks = by_id(inputs.groundingPack.chunks)
    paragraphs = placed(chunks, draft.paragraphs)
    yield from prose_faults(paragraphs, chunks, headings(section, inputs.points()), context)
    sentences = _flat(paragraphs)
    told = [_with_claims(sentence, work) for sentence in sentences]
    carried = {claim_id for sentence in told for claim_id in sentence.claim_ids}
    for claim in _carried(work):
        if claim.claim_id not in carried and claim.evidence:
            yield f"no sentence quotes, whole, the sentence that carries the claim {claim.claim_id!r}: {claim.evidence.quote[:160]!r}"
    if _all_known(sentences, chunks):
        served, _left = drafting.kept(inputs, section, {"supported": drafting.dumped(told)}, context)
        on_subject = {sentence.text for sentence in served}
        yield from (f"not on the subject: {sentence.text[:120]!r}" for sentence in sentences if sentence.text not in on_subject)


def _all_known(sentences: list[Drafted], chunks: Mapping[str, Chunk]) -> bool:
    return all(quote.chunk_id in chunks for sentence in sentences for quote in sentence.evidence)


def _flat(paragraphs: Sequence[Paragraph]) -> list[Drafted]:
    return [sentence for paragraph in paragraphs for sentence in paragraph.sentences]


def _drafted(sentence: DraftedSentence, chunks: Mapping[str, Chunk]) -> Drafted:
    reading = rhetoric.read(sentence.text)
    return Drafted(
        text=draft_checks.folded(sentence.text),
        evidence=[_quote(quote, chunks.get(quote.chunk_id)) for quote in sentence.evidence],
        move=reading.move.name if reading else None,
        cues=list(reading.cues) if reading else [],
        point=None,
        relevance=0.0,
        claim_ids=[],
    )


def _quote(quote: DraftedQuote, chunk: Chunk | None) -> Quote:
    start, end = (support.place(chunk.text, quote.quote) if chunk else None) or (0, 0)
    return Quote(chunk_id=quote.chunk_id, doc_id=chunk.doc_id if chunk else None, quote=quote.quote, start=start, end=end)


def _with_claims(sentence: Drafted, work: Mapping[str, Any]) -> Drafted:
    """The sentence with the claims whose carrying sentence it quotes whole."""
    held = [
        claim.claim_id
        for claim in _carried(work)
        if claim.evidence and any(quote.chunk_id == claim.evidence.chunk_id and claim.evidence.quote in quote.quote for quote in sentence.evidence)
    ]
    return sentence.model_copy(update={"claim_ids": held})
