"""Drafts a section of a paper from evidence alone: every sentence is a sentence of a chunk, and names it.

The four section writers share this engine: `chosen` reads, `support` places the caller's claims, `kept` chooses what is on the
subject, `concluded` holds the draft against the rules of `draft_checks` and puts it together. What belongs into a section, and in which
order, is each writer's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from windlass.agents import claim_support, draft_checks, prose, rhetoric, search
from windlass.agents.agent import Context, Inputs, Item, Outputs, Work
from windlass.agents.claim_support import Support, VerifiedClaim
from windlass.agents.grounding import Chunk, Grounded, GroundingPack, Quote, Text, by_id, quoted
from windlass.agents.rhetoric import Section
from windlass.errors import AgentError

MOST_SENTENCES = 60
"""Sentences that a section holds at most; beyond that the ones nearest to the outline stay."""
MOST_WEIGHED = 5000
"""Sentences that are weighed for a section at most: the first that fit."""
MOST_QUOTES = 20
"""Chunks that one sentence names at most, when it stands in many."""
MOST_CHARACTERS = claim_support.LONGEST
"""Characters of a sentence that is worth writing; what is longer is a table or a list without full stops."""
LEAST_WORDS = 4
"""Words of a sentence that is worth writing; fewer are a heading."""
_REMEMBERED = 20_000
"""Sentences that do not fit and are known again."""
_OPENING = 20_000
"""Characters of a chunk that tell whether it is on the subject."""

Line = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


class DraftInputs(Inputs):
    """What to write (an outline, as lines or as one text with a point per line, or a topic) and the evidence to write it from."""

    outline: Line | Annotated[list[Line], Field(min_length=1, max_length=200)] | None = None
    topic: Line | None = None
    groundingPack: GroundingPack  # noqa: N815  # the wire name is the seed's
    verifiedClaims: Annotated[list[Text | VerifiedClaim], Field(max_length=1000)] = Field(default_factory=list)  # noqa: N815  # as above

    @model_validator(mode="after")
    def _something_to_write(self) -> DraftInputs:
        if self.outline is None and self.topic is None:
            raise ValueError("outline or topic is required")
        return self

    def points(self) -> list[str]:
        """The outline's points in order; without an outline, the topic alone."""
        lines = [self.topic or ""] if self.outline is None else self.outline.splitlines() if isinstance(self.outline, str) else self.outline
        return [line.strip() for line in lines if line.strip()]


class Drafted(Grounded):
    """A sentence of the draft: `text` is its first quote on one line.

    `move` is what the sentence does and `cues` what shows it (null and none where it has no cue), `point` the place of the outline's
    point that it serves, from 0, and `claim_ids` the caller's claims that it carries.
    """

    move: str | None
    cues: list[str]
    point: int | None
    relevance: float
    claim_ids: list[str]


class Paragraph(Item):
    """Sentences that stand together, and what brings them together: a move of the section or a point of the outline."""

    heading: str
    sentences: list[Drafted]


class Point(Item):
    """A point of the outline and how many sentences serve it: 0 is a gap in the evidence, and is left a gap."""

    point: str
    sentences: int


class DraftOutputs(Outputs):
    """The section: paragraphs, the same as plain text with chunk ids in brackets, and what it lacks."""

    section: Section
    paragraphs: list[Paragraph]
    text: str
    word_count: int
    chunk_ids: list[str]
    moves: dict[str, int]
    missing_moves: list[str]
    outline: list[Point]
    claims: list[Support]


def chosen(
    chunks: Iterable[Chunk], context: Context, fits: Callable[[rhetoric.Reading | None, str], bool], most: int = MOST_WEIGHED
) -> Mapping[str, Any]:
    """A step's result: as `chosen` the sentences of the evidence whose reading `fits`, in the order of the chunks, at most `most`.

    A sentence that stands in several chunks has several quotes. What was passed over is told in a warning.
    """
    found: dict[str, Drafted] = {}
    unfit: set[str] = set()
    long = 0
    full = False
    for chunk in chunks:
        for span in prose.sentences(chunk.text):
            context.check()
            line = draft_checks.folded(span.text) if span.end - span.start <= MOST_CHARACTERS else ""
            if line in found:
                found[line] = _also(found[line], quoted(chunk, span))
            elif line.count(" ") + 1 >= LEAST_WORDS and line not in unfit:
                reading = rhetoric.read(line)
                if not fits(reading, line):
                    unfit = unfit if len(unfit) < _REMEMBERED else set()
                    unfit.add(line)  # long texts repeat themselves
                    continue
                full = len(found) >= most
                if full:
                    break
                found[line] = _drafted(line, quoted(chunk, span), reading)
            long += not line
        if full:
            break
    warnings = [f"more than {most} sentences of the evidence fit: the first {most} were looked at"] if full else []
    if long:
        warnings.append(f"{long} pieces of the evidence have more than {MOST_CHARACTERS} characters without a full stop: they were passed over")
    return {"chosen": dumped(found.values()), "warnings": warnings}


def support(inputs: DraftInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Adds the sentences that carry a claim of the caller's to the chosen ones, with the ids of their claims; and a word per claim."""
    found = {sentence.text: sentence for sentence in map(Drafted.model_validate, work["chosen"])}
    words = claim_support.supports(inputs.verifiedClaims, inputs.groundingPack.chunks, context.check)
    for word in words:
        if word.evidence is not None:
            line = draft_checks.folded(word.evidence.quote)
            sentence = _also(found.get(line) or _drafted(line, word.evidence, None), word.evidence)
            found[line] = sentence.model_copy(update={"claim_ids": [*sentence.claim_ids, word.claim_id]})
    return {"supported": dumped(found.values()), "claims": dumped(words)}


def kept(inputs: DraftInputs, section: Section, work: Work, context: Context) -> tuple[list[Drafted], int]:
    """The supported sentences on the subject, at most MOST_SENTENCES, each with its point and relevance; and how many more there were.

    On the subject is a sentence that shares a word with the outline or the topic, or whose chunk does; one that carries a claim always is.
    """
    points = [_Point(point, section) for point in inputs.points()]
    subject = subject_of(inputs)
    chunks = by_id(inputs.groundingPack.chunks)
    speaks: dict[str, bool] = {}
    fitting: list[Drafted] = []
    for sentence in map(Drafted.model_validate, work["supported"]):
        context.check()
        own = subject.intersection(search.terms(sentence.text))
        asked = max(range(len(points)), key=lambda place: (points[place].claim_on(own, sentence.move), -place))
        served = asked if points[asked].claim_on(own, sentence.move) > 0 else None
        if sentence.claim_ids or own or not subject or _any_speaks(sentence, chunks, subject, speaks):
            relevance = round(len(own) / len(subject), 4) if subject else 0.0
            fitting.append(sentence.model_copy(update={"point": served, "relevance": relevance}))
    best = sorted(range(len(fitting)), key=lambda place: (not fitting[place].claim_ids, -fitting[place].relevance, place))[:MOST_SENTENCES]
    return [fitting[place] for place in sorted(best)], len(fitting) - len(best)


def concluded(inputs: DraftInputs, section: Section, work: Work, context: Context) -> Mapping[str, Any]:
    """The outputs, once the draft keeps every rule. Raises AgentError: a rule broken, or in LIVE mode no evidence or a claim without any."""
    paragraphs = [Paragraph.model_validate(paragraph) for paragraph in work["paragraphs"]]
    sentences = [sentence for paragraph in paragraphs for sentence in paragraph.sentences]
    claims = [Support.model_validate(word) for word in work["claims"]]
    must_hold(sentences, by_id(inputs.groundingPack.chunks), context)
    warnings = _shortcomings(sentences, claims, work["left_out"], context)
    moves = {move.name: sum(sentence.move == move.name for sentence in sentences) for move in rhetoric.moves(section)}
    used = list(dict.fromkeys(quote.chunk_id for sentence in sentences for quote in sentence.evidence))
    outputs = DraftOutputs(
        section=section,
        paragraphs=paragraphs,
        text="\n\n".join(" ".join(cited(sentence) for sentence in paragraph.sentences) for paragraph in paragraphs),
        word_count=sum(len(sentence.text.split()) for sentence in sentences),
        chunk_ids=used,
        moves=moves,
        missing_moves=[name for name, count in moves.items() if not count],
        outline=[Point(point=point, sentences=sum(sentence.point == place for sentence in sentences)) for place, point in enumerate(inputs.points())],
        claims=claims,
    )
    grounding = {"chunks": len(inputs.groundingPack.chunks), "chunks_used": len(used), "sentences": len(sentences)}
    return {"outputs": outputs.model_dump(mode="json"), "grounding": grounding, "warnings": warnings}


def must_hold(sentences: Sequence[Grounded], chunks: Mapping[str, Chunk], context: Context) -> None:
    """Raise AgentError INVALID_DRAFT where a sentence breaks a rule of `draft_checks`."""
    faults = draft_checks.faults(sentences, chunks, context.check)
    if faults:
        message = f"{len(faults)} sentences do not hold: sentence {faults[0].sentence}: {faults[0].message}"
        raise AgentError("INVALID_DRAFT", message, {"faults": [fault.model_dump(mode="json") for fault in faults[:20]]})


def by_move(section: Section, sentences: Sequence[Drafted], rest: str) -> list[Paragraph]:
    """A paragraph per move in the section's order, by the outline's points within each; sentences of no move come last, under `rest`."""
    names = [move.name for move in rhetoric.moves(section)]
    found = [Paragraph(heading=name, sentences=in_outline_order([one for one in sentences if one.move == name])) for name in names]
    found.append(Paragraph(heading=rest, sentences=in_outline_order([one for one in sentences if one.move not in names])))
    return [paragraph for paragraph in found if paragraph.sentences]


def in_outline_order(sentences: Sequence[Drafted]) -> list[Drafted]:
    """The sentences by the point that they serve, those that serve none last; in the order given within each."""
    return sorted(sentences, key=lambda sentence: (sentence.point is None, sentence.point or 0))


def cited(sentence: Grounded) -> str:
    """The sentence with the chunks that it is from: `Statins reduced mortality. [c1; c7]`."""
    return f"{sentence.text} [{'; '.join(dict.fromkeys(quote.chunk_id for quote in sentence.evidence))}]"


def subject_of(inputs: DraftInputs) -> frozenset[str]:
    """The terms of outline and topic that say what the section is about; empty where they are labels such as `Background` alone."""
    return _subject("\n".join([*inputs.points(), inputs.topic or ""]))


def dumped(values: Iterable[BaseModel]) -> list[dict[str, Any]]:
    """The values as plain JSON, which is what a step may hand on."""
    return [value.model_dump(mode="json") for value in values]


class _Point:
    """A point of the outline: what it is about, and which moves it asks for. Lives as long as the run."""

    def __init__(self, point: str, section: Section) -> None:
        self.terms = _subject(point)
        self._moves = rhetoric.named(point, section)

    def claim_on(self, present: frozenset[str], move: str | None) -> float:
        """How much a sentence with these words and this move belongs here: 0 not at all; the move counts as much as all the words."""
        return len(self.terms & present) / max(1, len(self.terms)) + (move in self._moves)


def _subject(point: str) -> frozenset[str]:
    """The terms of a point that say what it is about: not stop words, not the labels of moves."""
    return frozenset(search.wanted_terms(point)) - _label_terms()


@cache
def _label_terms() -> frozenset[str]:
    return frozenset(search.wanted_terms(" ".join(rhetoric.label_words())))


def _drafted(line: str, quote: Quote, reading: rhetoric.Reading | None) -> Drafted:
    move, cues = (reading.move.name, list(reading.cues)) if reading else (None, [])
    return Drafted(text=line, evidence=[quote], move=move, cues=cues, point=None, relevance=0.0, claim_ids=[])


def _also(sentence: Drafted, quote: Quote) -> Drafted:
    """The sentence with one more quote, unless it has one of that chunk or enough of them."""
    if len(sentence.evidence) >= MOST_QUOTES or any(known.chunk_id == quote.chunk_id for known in sentence.evidence):
        return sentence
    return sentence.model_copy(update={"evidence": [*sentence.evidence, quote]})


def _any_speaks(sentence: Drafted, chunks: Mapping[str, Chunk], subject: frozenset[str], known: dict[str, bool]) -> bool:
    for quote in sentence.evidence:
        if quote.chunk_id not in known:
            known[quote.chunk_id] = not subject.isdisjoint(search.terms(chunks[quote.chunk_id].text[:_OPENING]))
    return any(known[quote.chunk_id] for quote in sentence.evidence)


def _shortcomings(sentences: Sequence[Drafted], claims: Sequence[Support], left_out: int, context: Context) -> list[str]:
    """What the reader must know. Raises AgentError in LIVE mode for what may not pass there."""
    unreferenced = [word for word in claims if not word.referenced]
    if context.mode == "LIVE" and unreferenced:
        message = f"{len(unreferenced)} of {len(claims)} claims have no evidence: {unreferenced[0].claim_id}: {unreferenced[0].reason}"
        raise AgentError("UNREFERENCED_CLAIM", message, {"claims": {word.claim_id: word.reason for word in unreferenced[:100]}})
    if context.mode == "LIVE" and not sentences:
        raise AgentError("EVIDENCE_REQUIRED", "the evidence holds no sentence for this section")
    warnings = [f"the claim {word.claim_id} was left out: {word.reason}" for word in unreferenced[:100]]
    if not sentences:
        warnings.append("the evidence holds no sentence for this section: nothing was written")
    if left_out:
        warnings.append(f"{left_out} more sentences fit: a section holds at most {MOST_SENTENCES}, those nearest to the outline were taken")
    return warnings
