"""What journals ask of a manuscript: a small shipped shelf of invented journals, and the user's own records, kept in versions."""

from __future__ import annotations

import secrets
import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
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
LIMITS = ("word_limit", "abstract_word_limit", "max_references", "max_figures", "max_tables", "max_keywords")
VERSIONS = 20
"""Versions of a record that are kept; the oldest are forgotten."""

_SCHEMA = (
    (
        "CREATE TABLE guideline (journal TEXT NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL, stored_at TEXT NOT NULL,"
        " PRIMARY KEY (journal, version)) STRICT"
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


def stored(connection: sqlite3.Connection) -> dict[str, Entry]:
    """The newest version of every stored record, by key."""
    newest = (
        "SELECT journal, version, record, stored_at FROM guideline AS g"
        " WHERE instr(journal, '#') = 0 AND version = (SELECT max(version) FROM guideline WHERE journal = g.journal) ORDER BY journal"
    )
    return {name.removesuffix(_OWN): _entry(version, record, stored_at) for name, version, record, stored_at in connection.execute(newest)}
