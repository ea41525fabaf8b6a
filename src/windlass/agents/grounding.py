"""Evidence that a text is written from: chunks with ids, verbatim quotes of them, and sentences that name theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from windlass.agents import text
from windlass.agents.agent import Item

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Key = Annotated[str, Field(min_length=1, max_length=512, pattern=r"\S")]


class Chunk(Item):
    """A piece of evidence: `text` is quoted verbatim, `chunk_id` names it, `doc_id` the document that it is from."""

    chunk_id: Key
    text: str
    doc_id: Key | None = None


Chunks = Annotated[list[Chunk], Field(max_length=100_000)]


class GroundingPack(Item):
    """The evidence, and nothing but the evidence, that may be written from; no two chunks share an id."""

    chunks: Chunks = Field(default_factory=list)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        by_id(self.chunks)
        return self


class Quote(Item):
    """A verbatim piece of a chunk: `chunk.text[start:end] == quote`."""

    chunk_id: str
    doc_id: str | None
    quote: str
    start: int
    end: int


class Grounded(Item):
    """A sentence and the quotes that it rests on."""

    text: str
    evidence: list[Quote]


def by_id(chunks: list[Chunk]) -> Mapping[str, Chunk]:
    """Chunk id → chunk; raises ValueError where two chunks share an id, because a quote could then be of either."""
    found: dict[str, Chunk] = {}
    for chunk in chunks:
        if found.setdefault(chunk.chunk_id, chunk) is not chunk:
            raise ValueError(f"the chunk_id {chunk.chunk_id!r} stands there twice")
    return found


def quoted(chunk: Chunk, span: text.Span) -> Quote:
    """A span of the chunk's text as a quote."""
    return Quote(chunk_id=chunk.chunk_id, doc_id=chunk.doc_id, quote=span.text, start=span.start, end=span.end)
