"""The chunks that RAG agents remember, by collection: one SQLite file below the store, whole documents replaced at once."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from windlass.agents import database
from windlass.agents.agent import Context
from windlass.agents.chunking import Chunk, Document, identity, sha256
from windlass.infra import instants

Collection = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
"""The name of a collection; it is a value in a table and never a part of a path."""
DEFAULT_COLLECTION = "default"

_LEFTOVER_SECONDS = 3600.0
_SCHEMA = (
    (
        "CREATE TABLE document (collection TEXT NOT NULL, doc_id TEXT NOT NULL, title TEXT, metadata TEXT NOT NULL, sha256 TEXT NOT NULL,"
        " stored_at REAL NOT NULL, PRIMARY KEY (collection, doc_id)) STRICT"
    ),
    (
        "CREATE TABLE chunk (collection TEXT NOT NULL, doc_id TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, chunk_id TEXT NOT NULL,"
        " text TEXT NOT NULL, PRIMARY KEY (collection, doc_id, start),"
        " FOREIGN KEY (collection, doc_id) REFERENCES document (collection, doc_id) ON DELETE CASCADE) STRICT"
    ),
)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A chunk as the store holds it, with what is known of its document. Lives as long as the run."""

    chunk: Chunk
    title: str | None
    metadata: str
    """The document's metadata, as JSON text."""


def opened(context: Context) -> AbstractContextManager[sqlite3.Connection]:
    """The store's chunks."""
    return database.opened(context.store / "rag" / "chunks.sqlite3", _SCHEMA, 1, context)


def passing(collection: str) -> str:
    """A key for a collection that is dropped again by its own run: nobody can ask for it, and it never meets one that was asked for."""
    return f"{collection}#{secrets.token_hex(12)}"


def put(connection: sqlite3.Connection, collection: str, document: Document, chunks: Iterable[Chunk]) -> Literal["added", "replaced", "unchanged"]:
    """Make these the document's chunks; called within a transaction."""
    doc_id, fresh = identity(document), list(chunks)
    known = (document.title, _metadata(document), sha256(document.text))
    before = connection.execute("SELECT title, metadata, sha256 FROM document WHERE collection = ? AND doc_id = ?", (collection, doc_id)).fetchone()
    if before == known and [kept.chunk for kept in of_document(connection, collection, doc_id)] == fresh:
        return "unchanged"
    connection.execute("DELETE FROM document WHERE collection = ? AND doc_id = ?", (collection, doc_id))
    connection.execute("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?)", (collection, doc_id, *known, instants.now().timestamp()))
    rows = ((collection, doc_id, chunk.start, chunk.end, chunk.chunk_id, chunk.text) for chunk in fresh)
    connection.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?)", rows)
    return "added" if before is None else "replaced"


def of_document(connection: sqlite3.Connection, collection: str, doc_id: str) -> Iterator[Kept]:
    """The stored chunks of one document, in order."""
    return _kept(connection, "WHERE chunk.collection = ? AND chunk.doc_id = ?", (collection, doc_id))


def of_collection(connection: sqlite3.Connection, collection: str) -> Iterator[Kept]:
    """The stored chunks of a collection, by document id and place; one consistent view of it."""
    return _kept(connection, "WHERE chunk.collection = ?", (collection,))


def drop(connection: sqlite3.Connection, collection: str) -> None:
    """Forget a collection; called within a transaction."""
    connection.execute("DELETE FROM document WHERE collection = ?", (collection,))


def drop_leftovers(connection: sqlite3.Connection) -> None:
    """Forget what passing collections of killed runs left behind more than an hour ago; called within a transaction."""
    oldest = instants.now().timestamp() - _LEFTOVER_SECONDS
    connection.execute("DELETE FROM document WHERE instr(collection, '#') > 0 AND stored_at < ?", (oldest,))


def names(connection: sqlite3.Connection) -> list[str]:
    """The collections that hold a document, in order of name."""
    found = connection.execute("SELECT DISTINCT collection FROM document WHERE instr(collection, '#') = 0 ORDER BY collection")
    return [name for (name,) in found]


def count(connection: sqlite3.Connection, collection: str) -> tuple[int, int]:
    """How many documents and chunks a collection holds."""
    documents = connection.execute("SELECT count(*) FROM document WHERE collection = ?", (collection,)).fetchone()[0]
    chunks = connection.execute("SELECT count(*) FROM chunk WHERE collection = ?", (collection,)).fetchone()[0]
    return documents, chunks


def _kept(connection: sqlite3.Connection, where: str, values: tuple[str, ...]) -> Iterator[Kept]:
    selected = (
        "SELECT chunk_id, doc_id, start, end, text, title, metadata FROM chunk JOIN document USING (collection, doc_id)"  # noqa: S608  # `where` is ours
        f" {where} ORDER BY doc_id, start"
    )
    for chunk_id, doc_id, start, end, text, title, metadata in connection.execute(selected, values):
        yield Kept(chunk=Chunk(chunk_id=chunk_id, doc_id=doc_id, start=start, end=end, text=text), title=title, metadata=metadata)


def _metadata(document: Document) -> str:
    return json.dumps(document.metadata, ensure_ascii=False, sort_keys=True)
