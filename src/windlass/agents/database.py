"""One SQLite file that several runs, threads and processes may use at once: opened, brought to its schema, closed.

Writers wait for each other, readers see whole transactions only, and every failure of SQLite or of the disk is one AgentError.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from windlass.agents.agent import Context
from windlass.errors import AgentError

LONGEST_WAIT = 30.0
"""Seconds that one run waits for another's transaction at most."""


@contextmanager
def opened(path: Path, schema: Sequence[str], version: int, context: Context) -> Iterator[sqlite3.Connection]:
    """A connection to the file at `path`, made when it is not there; `schema` are the statements that make an empty file fit `version`.

    Raises AgentError STORE_UNAVAILABLE for what the disk or SQLite refuses, inside the block too, and STORE_VERSION for a newer file.
    """
    patience = min(LONGEST_WAIT, max(0.05, context.deadline - time.monotonic()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
            _prepare(connection, schema, version, path.name)
            yield connection
    except (sqlite3.Error, OSError) as problem:
        raise AgentError("STORE_UNAVAILABLE", f"the store {path.name} can't be used: {problem}", {"store": path.name}) from problem


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that the block writes, or nothing of it; one writer at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def missing(store: Path) -> str | None:
    """For readiness: None, or the sentence that says why nothing can be kept below `store`."""
    place = next((candidate for candidate in (store, *store.parents) if candidate.exists()), store)
    return None if place.is_dir() and os.access(place, os.W_OK | os.X_OK) else "the agents' store is not a directory that can be written to"


def _prepare(connection: sqlite3.Connection, schema: Sequence[str], version: int, name: str) -> None:
    _prefer_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if _version(connection) == 0:
        with transaction(connection):
            if _version(connection) == 0:  # another run may have made the tables since
                for statement in schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")
    if _version(connection) != version:
        raise AgentError("STORE_VERSION", f"the store {name} has version {_version(connection)}, this agent reads {version}", {"store": name})


def _prefer_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side; where another run is busy in the file just now, the next one to open it will."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
