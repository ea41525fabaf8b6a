"""RAG_INGEST: cut documents into chunks and keep them in a collection, where RAG_RETRIEVE finds them again.

What the answer says is stored has been read back from the store, inside the transaction that wrote it: all documents, or none.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from windlass.agents import chunking, chunks, database
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.chunking import Document
from windlass.agents.chunks import Collection
from windlass.errors import AgentError

MOST_CHUNKS = 100_000
"""Chunks that one run makes at most."""


class RagIngestInputs(Inputs):
    """Documents, the collection that takes them, and how to cut them (characters; the overlap is at most half a chunk).

    An `ephemeral` ingestion is stored, read back and dropped again: it shows that the store works and leaves nothing in it.
    """

    documents: Annotated[list[Document], Field(min_length=1, max_length=10_000)]
    collection: Collection = chunks.DEFAULT_COLLECTION
    chunk_size: Annotated[int, Field(ge=20, le=100_000)] = chunking.CHUNK_SIZE
    overlap: Annotated[int, Field(ge=0)] = chunking.OVERLAP
    ephemeral: bool = False

    @model_validator(mode="after")
    def _overlap_fits(self) -> RagIngestInputs:
        if self.overlap > self.chunk_size // 2:
            raise ValueError(f"overlap is at most half of chunk_size, here {self.chunk_size // 2}")
        return self


class IngestedChunk(Item):
    """A chunk: `text[start:end]` of its document, and the SHA-256 of that piece as it was read back."""

    chunk_id: str
    start: int
    end: int
    sha256: str


class IngestedDocument(Item):
    """A document with its chunks in order; `change` says what the store held before."""

    doc_id: str
    title: str | None
    content_sha256: str
    characters: int
    change: Literal["added", "replaced", "unchanged"]
    chunks: list[IngestedChunk]


class RagIngestOutputs(Outputs):
    """What was stored, in the order of the documents; `stored_*` counts what was read back, `collection_*` the whole collection then."""

    collection: str
    ephemeral: bool
    documents: list[IngestedDocument]
    document_ids: list[str]
    chunk_ids: list[str]
    stored_documents: int
    stored_chunks: int
    collection_documents: int
    collection_chunks: int


def cut(inputs: RagIngestInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The spans and ids of every document's chunks; a document that stands there twice is taken once."""
    documents: dict[str, dict[str, Any]] = {}
    twins: list[str] = []
    total = 0
    for place, document in enumerate(inputs.documents):
        context.check()
        doc_id, content = chunking.identity(document), chunking.sha256(document.text)
        if doc_id in documents:
            if documents[doc_id]["content_sha256"] != content:
                raise _misfit(f"documents.{place}.doc_id", f"{doc_id!r} is the id of another document before it")
            twins.append(doc_id)
            continue
        pieces = []
        for chunk in chunking.cut(document, inputs.chunk_size, inputs.overlap):
            context.check()
            pieces.append([chunk.chunk_id, chunk.start, chunk.end])
        total += len(pieces)
        if total > MOST_CHUNKS:
            raise _misfit("chunk_size", f"makes more than {MOST_CHUNKS} chunks of these documents; send fewer documents or larger chunks")
        documents[doc_id] = {"place": place, "content_sha256": content, "pieces": pieces}
    return {"documents": documents, "warnings": [f"the document {doc_id!r} was given more than once and is stored once" for doc_id in twins[:20]]}


def store(inputs: RagIngestInputs, work: Work, context: Context) -> Mapping[str, Any]:
    """Write every document, read it back and compare, all in one transaction; an ephemeral collection is dropped in the next one."""
    collection = chunks.passing(inputs.collection) if inputs.ephemeral else inputs.collection
    read: dict[str, Any] = {}
    with chunks.opened(context) as connection:
        with database.transaction(connection):
            chunks.drop_leftovers(connection)
            for doc_id, entry in work["documents"].items():
                context.check()
                document = inputs.documents[entry["place"]]
                pieces = [
                    chunking.Chunk(chunk_id=chunk_id, doc_id=doc_id, start=start, end=end, text=document.text[start:end])
                    for chunk_id, start, end in entry["pieces"]
                ]
                change = chunks.put(connection, collection, document, pieces)
                found = [kept.chunk for kept in chunks.of_document(connection, collection, doc_id)]
                if found != pieces:
                    raise AgentError(
                        "STORE_MISMATCH", f"the store does not give back the chunks of {doc_id!r}; nothing was stored", {"doc_id": doc_id}
                    )
                listed = [{"chunk_id": one.chunk_id, "start": one.start, "end": one.end, "sha256": chunking.sha256(one.text)} for one in found]
                read[doc_id] = {"change": change, "chunks": listed}
            totals = chunks.count(connection, collection)
        if inputs.ephemeral:
            with database.transaction(connection):
                chunks.drop(connection, collection)
    return {"read": read, "totals": list(totals)}


def conclude(inputs: RagIngestInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """What was cut beside what was read back."""
    documents = [
        {
            "doc_id": doc_id,
            "title": inputs.documents[entry["place"]].title,
            "content_sha256": entry["content_sha256"],
            "characters": len(inputs.documents[entry["place"]].text),
            **work["read"][doc_id],
        }
        for doc_id, entry in work["documents"].items()
    ]
    chunk_ids = [chunk["chunk_id"] for document in documents for chunk in document["chunks"]]
    return {
        "outputs": {
            "collection": inputs.collection,
            "ephemeral": inputs.ephemeral,
            "documents": documents,
            "document_ids": list(work["documents"]),
            "chunk_ids": chunk_ids,
            "stored_documents": len(work["read"]),
            "stored_chunks": len(chunk_ids),
            "collection_documents": work["totals"][0],
            "collection_chunks": work["totals"][1],
        },
        "warnings": ["the collection was ephemeral: it was stored, read back and dropped"] if inputs.ephemeral else [],
    }


def _misfit(field: str, message: str) -> AgentError:
    return AgentError("VALIDATION_ERROR", f"{field}: {message}", {"fieldErrors": {field: [message]}})


def _make(seed: int) -> dict[str, Any]:
    """Two to four documents of random words and gaps, one of them without an id, for a collection that is dropped again."""
    rng = random.Random(seed)
    documents = []
    for place in range(rng.randrange(2, 5)):
        words = ("".join(rng.choices("abdegiklmnoprstuáß水", k=rng.randrange(1, 12))) for _ in range(rng.randrange(30, 90)))
        text = "".join(word + rng.choice([" ", " ", " ", "\n", ".  "]) for word in words)
        documents.append({"doc_id": f"d{place}-{rng.randrange(10**6)}", "title": f"title {rng.randrange(10**6)}", "text": text})
    del documents[rng.randrange(len(documents))]["doc_id"]
    size = rng.randrange(60, 160)
    return {
        "documents": documents,
        "collection": f"probe-{rng.randrange(10**9)}",
        "chunk_size": size,
        "overlap": rng.randrange(size // 2),
        "ephemeral": True,
    }


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    hashes = [hashlib.sha256(document["text"].encode()).hexdigest() for document in inputs["documents"]]
    ids = [document.get("doc_id", f"doc-{digest[:24]}") for document, digest in zip(inputs["documents"], hashes, strict=True)]
    if outputs["collection"] != inputs["collection"] or outputs["document_ids"] != ids or [one["doc_id"] for one in outputs["documents"]] != ids:
        return "the collection or the document ids are not those of the documents, in their order"
    if [one["content_sha256"] for one in outputs["documents"]] != hashes:
        return "a content hash is not that of its document"
    for source, stored, doc_id in zip(inputs["documents"], outputs["documents"], ids, strict=True):
        fault = _fault(source["text"], stored["chunks"], doc_id, inputs["chunk_size"], inputs["overlap"])
        if fault:
            return fault
    chunk_ids = [chunk["chunk_id"] for document in outputs["documents"] for chunk in document["chunks"]]
    if outputs["chunk_ids"] != chunk_ids or outputs["stored_chunks"] != len(chunk_ids) or outputs["stored_documents"] != len(ids):
        return "what is said to be stored is not what was cut"
    if (outputs["collection_documents"], outputs["collection_chunks"]) != (len(ids), len(chunk_ids)):
        return "the new collection does not hold these documents and nothing else"
    return None


def _fault(text: str, cuts: list[dict[str, Any]], doc_id: str, size: int, overlap: int) -> str | None:
    """What is wrong with the chunks of one document: sizes, order, overlap, coverage, ids or hashes."""
    covered = 0
    for cut_ in cuts:
        start, end = cut_["start"], cut_["end"]
        piece = text[start:end]
        if not 0 < end - start <= size or piece != piece.strip() or end <= covered:
            return f"a chunk of {doc_id} is too long, empty or out of order"
        if start < covered - overlap or text[covered:start].strip():
            return f"the chunks of {doc_id} overlap too much, or leave out a piece of it"
        if cut_["sha256"] != hashlib.sha256(piece.encode()).hexdigest():
            return f"the hash of a chunk of {doc_id} is not that of its text"
        if cut_["chunk_id"] != hashlib.sha256("\n".join((doc_id, str(start), piece)).encode()).hexdigest()[:24]:
            return f"the id of a chunk of {doc_id} is not that of its content and place"
        covered = end
    if text[covered:].strip():
        return f"the chunks of {doc_id} leave out its end"
    fewest = -(-len(text.strip()) // size)
    most = 2 + len(text) // max(1, size // 2 - overlap) if overlap < size // 2 else len(text)
    return None if fewest <= len(cuts) <= most else f"{doc_id} was cut into {len(cuts)} chunks"


AGENT = Agent(
    name="agent-rag-ingest",
    task_types=("RAG_INGEST",),
    summary="Cuts documents into chunks with spans and stable ids, and keeps them in a collection; the same document again replaces itself.",
    version="1.0.0",
    inputs=RagIngestInputs,
    outputs=RagIngestOutputs,
    steps=(Step(name="cut", run=cut), Step(name="store", run=store), Step(name="conclude", run=conclude)),
    example={
        "documents": [{"doc_id": "trial-1", "title": "A trial", "text": "In the trial, statins reduced mortality by 12% over five years."}],
        "collection": "example",
    },
    probe=Probe(make=_make, check=_check),
    needs=database.missing,
)
