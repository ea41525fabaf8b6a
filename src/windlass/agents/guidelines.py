"""What journals ask of a manuscript: a small shipped shelf of invented journals, and the user's own records, kept in versions."""

from __future__ import annotations

import secrets
import sqlite3
import unicodedata
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Literal

import orjson
from pydantic import Field

from windlass.agents import database
from windlass.agents.agent import Context, Item
from windlass.infra import instants

JournalName = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
VERSIONS = 20
"""Versions of a record that are kept; the oldest are forgotten."""

OWN = ""
"""The shelf of the records that stay; any other shelf belongs to one run and is dropped by it."""

_LEFTOVER = timedelta(hours=1)
_SCHEMA = (
    (
        "CREATE TABLE guideline (shelf TEXT NOT NULL, journal TEXT NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL,"
        " stored_at TEXT NOT NULL, PRIMARY KEY (shelf, journal, version)) STRICT"
    ),
)


class Guideline(Item):
    """A journal's rules; null is not stated. Lives as long as the run."""

    name: JournalName
    word_limit: Count | None = None
    abstract_word_limit: Count | None = None
    max_references: Count | None = None
    max_figures: Count | None = None
    max_tables: Count | None = None
    max_keywords: Count | None = None
    reference_style: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")] | None = None
    sections: Annotated[list[Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]], Field(max_length=100)] = Field(default_factory=list)
    source: Annotated[str, Field(max_length=2000)] | None = None
    synthetic: bool = False
    note: Annotated[str, Field(max_length=2000)] | None = None


class Entry(Item):
    """A guideline and where it is from; `version` and `stored_at` are a stored record's only. Lives as long as the run."""

    guideline: Guideline
    origin: Literal["given", "stored", "shipped"]
    version: int | None = None
    stored_at: str | None = None


def key(name: str) -> str:
    """The form under which names are the same journal: case, compatibility forms and white space do not tell them apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


@cache
def shipped() -> Mapping[str, Entry]:
    """The invented journals that come with Windlass, by key."""
    lines = resources.files("windlass.agents.data").joinpath("journal_guidelines.jsonl").read_bytes().splitlines()
    entries = [Entry(guideline=Guideline.model_validate(orjson.loads(line)), origin="shipped") for line in lines]
    return MappingProxyType({key(entry.guideline.name): entry for entry in entries})


def opened(context: Context) -> AbstractContextManager[sqlite3.Connection]:
    """The user's own records."""
    return database.opened(context.store / "journals" / "guidelines.sqlite3", _SCHEMA, 1, context)


def passing() -> str:
    """A shelf for one run."""
    return secrets.token_hex(12)


def stored(connection: sqlite3.Connection, shelf: str = OWN) -> dict[str, Entry]:
    """The newest version of every record on the shelf, by key."""
    newest = "SELECT journal, max(version), record, stored_at FROM guideline WHERE shelf = ? GROUP BY journal ORDER BY journal"
    return {journal: _entry(*row) for journal, *row in connection.execute(newest, (shelf,))}


def versions(connection: sqlite3.Connection, journal: str, shelf: str = OWN) -> dict[int, Entry]:
    """The kept versions of one journal's record, the oldest first."""
    kept = "SELECT version, record, stored_at FROM guideline WHERE shelf = ? AND journal = ? ORDER BY version"
    return {row[0]: _entry(*row) for row in connection.execute(kept, (shelf, journal))}


def put(connection: sqlite3.Connection, guideline: Guideline, shelf: str = OWN) -> Literal["added", "updated", "unchanged"]:
    """Make this the journal's newest version, unless it is already; called within a transaction."""
    journal = key(guideline.name)
    before = versions(connection, journal, shelf)
    newest = max(before, default=0)
    if before and before[newest].guideline == guideline:
        return "unchanged"
    row = (shelf, journal, newest + 1, guideline.model_dump_json(), instants.stamp(instants.now()))
    connection.execute("INSERT INTO guideline VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("DELETE FROM guideline WHERE shelf = ? AND journal = ? AND version <= ?", (shelf, journal, newest + 1 - VERSIONS))
    return "updated" if before else "added"


def drop(connection: sqlite3.Connection, shelf: str) -> None:
    """Forget one run's shelf, and those that killed runs left behind more than an hour ago; called within a transaction."""
    oldest = instants.stamp(instants.now() - _LEFTOVER)
    connection.execute("DELETE FROM guideline WHERE shelf != ? AND (shelf = ? OR stored_at < ?)", (OWN, shelf, oldest))


def _entry(version: int, record: str, stored_at: str) -> Entry:
    return Entry(guideline=Guideline.model_validate_json(record), origin="stored", version=version, stored_at=stored_at)
