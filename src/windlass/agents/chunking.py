"""Cuts a document into overlapping chunks, each a verbatim piece with its span and an id that depends on nothing but its content and place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, JsonValue

from windlass.agents.agent import Item

CHUNK_SIZE = 1200
"""Characters that a chunk holds at most, unless the caller says otherwise."""
OVERLAP = 200
"""Characters of a chunk that the next one repeats at most, unless the caller says otherwise."""

_SOLID = re.compile(r"\S")
_SPACE = re.compile(r"\s")


class Document(Item):
    """A document of the caller's; without a `doc_id` it is named after the hash of its text. Lives as long as the run."""

    doc_id: Annotated[str, Field(min_length=1, max_length=512, pattern=r"\S")] | None = None
    text: Annotated[str, Field(min_length=1, pattern=r"\S")]
    title: Annotated[str, Field(max_length=2000)] | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a document: `document.text[start:end] == text`. Lives as long as the run."""

    chunk_id: str
    doc_id: str
    start: int
    end: int
    text: str


def identity(document: Document) -> str:
    """The caller's `doc_id`, or `doc-` and 24 hexadecimal digits of the text's SHA-256."""
    return document.doc_id or f"doc-{sha256(document.text)[:24]}"


def sha256(text: str) -> str:
    """The SHA-256 of the text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def cut(document: Document, size: int = CHUNK_SIZE, overlap: int = OVERLAP) -> Iterator[Chunk]:
    """The document's chunks in order; a chunk's id is 24 hexadecimal digits of the SHA-256 of `doc_id`, `start` and text, one per line."""
    doc_id = identity(document)
    for start, end in spans(document.text, size, overlap):
        text = document.text[start:end]
        yield Chunk(chunk_id=sha256(f"{doc_id}\n{start}\n{text}")[:24], doc_id=doc_id, start=start, end=end, text=text)


def spans(text: str, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where the chunks stand: at most `size` characters each, white space at neither end, every other character in at least one.

    A chunk ends before a word rather than inside it where that leaves it more than half full; the next one begins at most `overlap`
    characters before that end, at a word's beginning where there is one. `overlap` is at most half of `size`.
    """
    if not 0 <= overlap <= size // 2:
        raise ValueError("overlap is at most half of the chunk size, so that every chunk goes on")
    first = _SOLID.search(text)
    while first:
        start = first.start()
        end = _end(text, start, size)
        yield start, end
        if not _SOLID.search(text, end):
            return
        first = _SOLID.search(text, _next(text, start, end, overlap))


def _end(text: str, start: int, size: int) -> int:
    end = min(start + size, len(text))
    if end < len(text) and not text[end].isspace() and not text[end - 1].isspace():
        half = text[start + size // 2 : end]
        word = half.rsplit(None, 1)[-1]
        if len(word) < len(half):
            end -= len(word)
    return start + len(text[start:end].rstrip())


def _next(text: str, start: int, end: int, overlap: int) -> int:
    if end - start <= overlap:
        return end
    place = end - overlap
    if place < end and not text[place - 1].isspace() and not text[place].isspace():
        gap = _SPACE.search(text, place, end)
        return gap.start() if gap else place
    return place
