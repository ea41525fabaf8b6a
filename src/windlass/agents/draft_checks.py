"""What no drafted sentence may do, whoever drafted it: lack evidence, name a chunk that is not there, misquote it, or bring its own number.

Each rule takes a sentence and the chunks and says what is wrong, or None. They hold for an engine that extracts and for one that writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from windlass.agents import numerals
from windlass.agents.agent import Item
from windlass.agents.grounding import Chunk, Grounded
from windlass.agents.verbatim import misquoted

Rule = Literal["no_evidence", "unknown_chunk", "wrong_document", "not_verbatim", "number_not_in_evidence"]

_LINE_SPACE = re.compile(r"[ \t\r\n\f\v]+")


class Fault(Item):
    """A rule that a sentence breaks; `sentence` is its place in the draft, from 0."""

    sentence: int
    rule: Rule
    message: str


def faults(sentences: Sequence[Grounded], chunks: Mapping[str, Chunk], check: Callable[[], None] | None = None) -> list[Fault]:
    """Every rule that every sentence breaks, in order; empty for a draft that may leave. `check` is called between sentences."""
    found: list[Fault] = []
    for place, sentence in enumerate(sentences):
        if check:
            check()
        for rule, broken in _RULES:
            message = broken(sentence, chunks)
            if message is not None:
                found.append(Fault(sentence=place, rule=rule, message=message))
    return found


def no_evidence(sentence: Grounded, _chunks: Mapping[str, Chunk]) -> str | None:
    """A sentence rests on at least one quote that is not empty."""
    return None if sentence.evidence and all(quote.quote.strip() for quote in sentence.evidence) else "the sentence has no evidence"


def unknown_chunk(sentence: Grounded, chunks: Mapping[str, Chunk]) -> str | None:
    """Every chunk that a sentence names exists."""
    unknown = [quote.chunk_id for quote in sentence.evidence if quote.chunk_id not in chunks]
    return f"there is no chunk {unknown[0]!r}" if unknown else None


def wrong_document(sentence: Grounded, chunks: Mapping[str, Chunk]) -> str | None:
    """A quote names the document that its chunk is from."""
    for quote in sentence.evidence:
        if quote.chunk_id in chunks and chunks[quote.chunk_id].doc_id != quote.doc_id:
            return f"the chunk {quote.chunk_id!r} is not from the document {quote.doc_id!r}"
    return None


def not_verbatim(sentence: Grounded, chunks: Mapping[str, Chunk]) -> str | None:
    """A quote stands in its chunk, letter by letter, where it says."""
    for quote in sentence.evidence:
        chunk = chunks.get(quote.chunk_id)
        reason = misquoted(chunk.text, quote.quote, quote.start, quote.end) if chunk else None
        if reason:
            return f"the quote does not stand in the chunk {quote.chunk_id!r} at {quote.start}:{quote.end}: {reason}"
    return None


def number_not_in_evidence(sentence: Grounded, chunks: Mapping[str, Chunk]) -> str | None:
    """Every number of a sentence stands in a quote of it, or at least in a chunk that it names."""
    own = unbacked(sentence.text, (quote.quote for quote in sentence.evidence if not not_verbatim(sentence, chunks)))
    named = {quote.chunk_id for quote in sentence.evidence} if own else ()
    own = unbacked(sentence.text, (chunks[name].text for name in named if name in chunks)) & own if own else own
    return f"the evidence does not give the number {', '.join(sorted(own))}" if own else None


def unbacked(statement: str, sources: Iterable[str]) -> frozenset[str]:
    """The numbers of a statement that stand in none of the sources."""
    stated = numerals.figures(statement)
    for source in sources if stated else ():
        stated -= numerals.figures(source) | numerals.figures(folded(source))
    return stated


def folded(passage: str) -> str:
    """The passage on one line: ASCII white space as single spaces; a no-break space within a number stays."""
    return _LINE_SPACE.sub(" ", passage).strip(" ")


_RULES: tuple[tuple[Rule, Callable[[Grounded, Mapping[str, Chunk]], str | None]], ...] = (
    ("no_evidence", no_evidence),
    ("unknown_chunk", unknown_chunk),
    ("wrong_document", wrong_document),
    ("not_verbatim", not_verbatim),
    ("number_not_in_evidence", number_not_in_evidence),
)
