"""RAG_RETRIEVE: the chunks of a collection that speak most of a question, verbatim, best first.

Ad hoc documents are cut and searched like stored ones, for this call only, and never stored. Without a collection they are searched
alone; with one, together with what it holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from windlass.agents import chunking, chunks, database, search
from windlass.agents.agent import Agent, Context, Inputs, Item, Outputs, Probe, Step, Work
from windlass.agents.chunking import Document
from windlass.agents.chunks import Collection, Kept
from windlass.agents.search import Query
from windlass.errors import AgentError

MOST_CHUNKS = 200_000
MOST_CHARACTERS = 50_000_000
"""What one run searches at most; it is all held in memory."""
_LISTED = 100
Source = Literal["collection", "ad_hoc"]


class RagRetrieveInputs(Inputs):
    """A question, the collection to search (`default` when there are no ad hoc documents either) and how many chunks to return."""

    query: Query
    collection: Collection | None = None
    k: Annotated[int, Field(ge=1, le=100)] = 5
    documents: Annotated[list[Document], Field(min_length=1, max_length=1000)] | None = None


class Hit(Item):
    """A chunk: `text` stands verbatim in the document from `start` to `end`; `score` is BM25's, comparable within one answer only."""

    rank: int
    score: float
    doc_id: str
    chunk_id: str
    title: str | None
    metadata: dict[str, JsonValue]
    text: str
    start: int
    end: int
    source: Source


class RagRetrieveOutputs(Outputs):
    """The chunks that share a word with the question, best first, and how many chunks and documents were searched."""

    query: str
    collection: str | None
    k: int
    chunks: list[Hit]
    searched_chunks: int
    searched_documents: int


def find(inputs: RagRetrieveInputs, _work: Work, context: Context) -> Mapping[str, Any]:
    """The best chunks of the collection and of the ad hoc documents, with their scores, best first; the others do not leave this step."""
    collection = inputs.collection or (None if inputs.documents else chunks.DEFAULT_COLLECTION)
    with closing(_candidates(collection, inputs.documents or (), context)) as candidates:
        pool = _bounded(candidates, context)
    ranked = search.rank(inputs.query, [kept.chunk.text for _, kept in pool], inputs.k, context.check)
    return {
        "collection": collection,
        "found": [_plain(*pool[place], score) for place, score in ranked if score > 0],
        "searched": [len(pool), len({(source, kept.chunk.doc_id) for source, kept in pool})],
    }


def conclude(inputs: RagRetrieveInputs, work: Work, _context: Context) -> Mapping[str, Any]:
    """The chunks with their ranks, and what an answer may be grounded on."""
    hits = [{"rank": number, **found} for number, found in enumerate(work["found"], 1)]
    return {
        "outputs": {
            "query": inputs.query,
            "collection": work["collection"],
            "k": inputs.k,
            "chunks": hits,
            "searched_chunks": work["searched"][0],
            "searched_documents": work["searched"][1],
        },
        "grounding": {"chunks": len(hits), "chunk_ids": [hit["chunk_id"] for hit in hits]},
        "warnings": [] if hits else ["no chunk shares a word with the query"],
    }


def _candidates(collection: str | None, documents: Sequence[Document], context: Context) -> Generator[tuple[Source, Kept], None, None]:
    if collection:
        yield from _stored(collection, context)
    for document in documents:
        for chunk in chunking.cut(document):
            yield "ad_hoc", Kept(chunk=chunk, title=document.title, metadata=json.dumps(document.metadata))


def _stored(collection: str, context: Context) -> Iterator[tuple[Source, Kept]]:
    empty = True
    with chunks.opened(context) as connection:
        for kept in chunks.of_collection(connection, collection):
            empty = False
            yield "collection", kept
        if empty:
            existing = chunks.names(connection)[:_LISTED]
            message = f"there is no collection {collection!r}; there are: {', '.join(existing) or 'none yet'}"
            raise AgentError("COLLECTION_NOT_FOUND", message, {"collection": collection, "existing": existing})


def _bounded(pool: Iterable[tuple[Source, Kept]], context: Context) -> list[tuple[Source, Kept]]:
    """All of the pool; raises AgentError where it would take more memory than one run may use."""
    taken: list[tuple[Source, Kept]] = []
    characters = 0
    for source, kept in pool:
        context.check()
        characters += len(kept.chunk.text)
        if len(taken) >= MOST_CHUNKS or characters > MOST_CHARACTERS:
            limits = {"chunks": MOST_CHUNKS, "characters": MOST_CHARACTERS}
            raise AgentError("COLLECTION_TOO_LARGE", f"one run searches at most {MOST_CHUNKS} chunks and {MOST_CHARACTERS} characters", limits)
        taken.append((source, kept))
    return taken


def _plain(source: Source, kept: Kept, score: float) -> dict[str, Any]:
    known = {"title": kept.title, "metadata": json.loads(kept.metadata), "source": source, "score": round(score, 6)}
    return {**dataclasses.asdict(kept.chunk), **known}


def _make(seed: int) -> dict[str, Any]:
    """Equally long documents of which one holds all three words of the query, one two, one only the commonest, and the others none."""
    rng = random.Random(seed)
    names: set[str] = set()
    while len(names) < 40:
        names.add("".join(rng.choice("bdfgklmnprtvz") + rng.choice("aou") for _ in range(4)))
    asked, others = sorted(names)[:3], sorted(names)[3:]
    rng.shuffle(asked)
    documents = []
    for held in (3, 2, 1, 0, 0, 0):
        words = [*asked[:held], *rng.sample(others, 12 - held)]
        rng.shuffle(words)
        documents.append({"doc_id": f"d{held}-{rng.randrange(10**9)}", "text": "  " * rng.randrange(4) + " ".join(words) + "."})
    rng.shuffle(documents)
    return {"query": " ".join(rng.sample(asked, 3)), "k": rng.choice([2, 3, 10]), "documents": documents}


def _check(_seed: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> str | None:
    asked = inputs["query"].split()
    held = {document["doc_id"]: sum(word in document["text"] for word in asked) for document in inputs["documents"]}
    expected = sorted((doc_id for doc_id, count in held.items() if count), key=lambda doc_id: -held[doc_id])[: inputs["k"]]
    hits = outputs["chunks"]
    if [hit["doc_id"] for hit in hits] != expected:
        return f"the chunks come from {[hit['doc_id'] for hit in hits]}, the words of the query rank {expected}"
    if [hit["rank"] for hit in hits] != list(range(1, len(hits) + 1)):
        return "the ranks do not count from 1"
    scores = [hit["score"] for hit in hits]
    if any(later >= earlier for earlier, later in pairwise(scores)) or scores[-1] <= 0:
        return "the scores do not fall, or are not above zero"
    sources = {document["doc_id"]: document["text"] for document in inputs["documents"]}
    for hit in hits:
        text = sources[hit["doc_id"]]
        if hit["text"] != text.strip() or text[hit["start"] : hit["end"]] != hit["text"]:
            return f"the text of a chunk of {hit['doc_id']} does not stand there in its document"
        if hit["chunk_id"] != hashlib.sha256("\n".join((hit["doc_id"], str(hit["start"]), hit["text"])).encode()).hexdigest()[:24]:
            return f"the id of a chunk of {hit['doc_id']} is not that of its content and place"
    return None if outputs["searched_documents"] == len(sources) else "not every document was searched"


AGENT = Agent(
    name="agent-rag-retrieve",
    task_types=("RAG_RETRIEVE",),
    summary="Ranks the chunks of a collection, and of ad hoc documents, against a question by BM25, and returns them verbatim.",
    version="1.0.0",
    inputs=RagRetrieveInputs,
    outputs=RagRetrieveOutputs,
    steps=(Step(name="find", run=find), Step(name="conclude", run=conclude)),
    example={
        "query": "Do statins reduce mortality?",
        "documents": [
            {"doc_id": "trial-1", "text": "In the trial, statins reduced mortality by 12% over five years."},
            {"doc_id": "trial-2", "text": "Sites were audited every spring."},
        ],
    },
    probe=Probe(make=_make, check=_check),
    needs=database.missing,
)
