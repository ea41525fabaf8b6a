"""Which sentence of the evidence carries a claim: most of its words, every number of it, and the same polarity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from windlass.agents import numerals, prose, search, text
from windlass.agents.agent import Item
from windlass.agents.grounding import Chunk, Key, Quote, Text, quoted

SUPPORT = 0.8
"""Share of a claim's content words (numbers apart) that a sentence must hold."""
LONGEST = 1000
"""Characters of a sentence that can carry a claim; what is longer is a table or a list without full stops, not a statement."""
_NEGATIONS = frozenset({"no", "not", "never", "without", "neither", "nor", "cannot", "failed", "lack", "lacked", "absence"})


class VerifiedClaim(Item):
    """A claim that the caller holds for verified; `chunk_ids` are the chunks that are said to carry it, none: any may."""

    id: Key | None = None
    text: Text
    chunk_ids: Annotated[list[Key], Field(max_length=1000)] = Field(default_factory=list)


class Support(Item):
    """Whether the evidence carries a claim, and by which sentence; `evidence` is null where `referenced` is false."""

    claim_id: str
    claim: str
    referenced: bool
    reason: str
    evidence: Quote | None


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A sentence that shares a word with a claim. Lives as long as the run."""

    chunk: Chunk
    span: text.Span


def supports(claims: Sequence[str | VerifiedClaim], chunks: Sequence[Chunk], check: Callable[[], None]) -> list[Support]:
    """One word per claim, in order; a claim without an id is `claim-1`, `claim-2` … by its place. `check` may raise to stop the work."""
    asked = [VerifiedClaim(text=claim) if isinstance(claim, str) else claim for claim in claims]
    gists = [_gist(claim.text) for claim in asked]
    lines, postings = _indexed(chunks, frozenset[str]().union(*gists), check)
    known = {chunk.chunk_id for chunk in chunks}
    found: list[Support] = []
    for number, (claim, gist) in enumerate(zip(asked, gists, strict=True), 1):
        check()
        near = _near(gist, set(claim.chunk_ids), lines, postings)
        reason, line = _carrier(claim, near, known)
        evidence = quoted(line.chunk, line.span) if line else None
        found.append(Support(claim_id=claim.id or f"claim-{number}", claim=claim.text, referenced=line is not None, reason=reason, evidence=evidence))
    return found


def _indexed(chunks: Iterable[Chunk], vocabulary: frozenset[str], check: Callable[[], None]) -> tuple[list[_Line], Mapping[str, list[int]]]:
    """The sentences that hold a word of the vocabulary, and for each word where: an index, so that claims do not multiply the reading."""
    lines: list[_Line] = []
    postings: dict[str, list[int]] = {}
    for chunk in chunks if vocabulary else ():
        check()
        for span in prose.sentences(chunk.text):
            check()
            if span.end - span.start > LONGEST:
                continue
            present = vocabulary.intersection(search.terms(span.text))
            for term in present:
                postings.setdefault(term, []).append(len(lines))
            if present:
                lines.append(_Line(chunk=chunk, span=span))
    return lines, postings


def _near(gist: frozenset[str], allowed: set[str], lines: Sequence[_Line], postings: Mapping[str, Sequence[int]]) -> list[_Line]:
    """The sentences (of the allowed chunks) with enough of the claim's words: most words first, then the shorter, then the earlier."""
    hits = Counter(place for term in gist for place in postings.get(term, ()))
    enough = [(place, hit) for place, hit in hits.items() if hit / len(gist) >= SUPPORT and (not allowed or lines[place].chunk.chunk_id in allowed)]
    enough.sort(key=lambda entry: (-entry[1], len(lines[entry[0]].span.text), entry[0]))
    return [lines[place] for place, _ in enough]


def _carrier(claim: VerifiedClaim, near: Sequence[_Line], known: set[str]) -> tuple[str, _Line | None]:
    unknown = [name for name in claim.chunk_ids if name not in known]
    if unknown:
        return f"it names the chunk {unknown[0]!r}, which is not among the evidence", None
    if not near:
        return "no sentence of the evidence carries enough of its words", None
    stated = numerals.figures(claim.text)
    agreeing = [line for line in near if stated <= numerals.figures(line.span.text)]
    if not agreeing:
        missing = sorted(stated - numerals.figures(near[0].span.text))
        return f"the sentence that is nearest does not give the number {', '.join(missing)}", None
    same = next((line for line in agreeing if _negated(line.span.text) == _negated(claim.text)), None)
    return ("a sentence carries its words and numbers", same) if same else ("the sentence that is nearest says the opposite", None)


def _gist(claim: str) -> frozenset[str]:
    return frozenset(term for term in search.wanted_terms(claim) if not term[0].isdigit())


def _negated(sentence: str) -> bool:
    return sum(word in _NEGATIONS or word.endswith("n't") for word in text.words(sentence.replace("’", "'"))) % 2 == 1
