"""Texts that a run is bound to by hash (contracts, workflow, packets, topic, keys): carried in the record under their own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from windlass.errors import Refused, UnusableRecord
from windlass.infra import files
from windlass.records import artifacts, layout
from windlass.records.events import GateApproved, GateStarted, RunStarted
from windlass.records.fields import SHA256
from windlass.records.state import Run

DIRECTORY = f"{layout.EVIDENCE}/bound"
MAX_SIZE = 16 * 1024 * 1024
"""Bytes of one bound text; a contract, a packet or a topic is thousands of times smaller."""


def path(sha256: str) -> str:
    """Where a bound text lies, relative to the record."""
    return f"{DIRECTORY}/{sha256}"


def put(record: Path, content: bytes) -> str:
    """Keep `content` in the record, durable when this returns, and return its SHA-256; raises Refused for more than `MAX_SIZE` bytes.

    Binding the same bytes again changes nothing, and a kill leaves the whole text or none.
    """
    if len(content) > MAX_SIZE:
        raise Refused(f"a text of {len(content)} bytes can't be bound to a run; the most is {MAX_SIZE}")
    digest = hashlib.sha256(content).hexdigest()
    place = record / path(digest)
    if not place.exists():
        for folder in (place.parent.parent, place.parent):
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                files.fsync_directory(folder.parent)
        files.replace(place, content)
    return digest


def read(record: Path, sha256: str) -> bytes:
    """The bound text of that hash; raises UnusableRecord when it is missing or is not what it is named after."""
    if not SHA256.fullmatch(sha256):
        raise UnusableRecord(f"{sha256[:80]!r}: is not the hash of a bound text")
    try:
        content = artifacts.content(record, path(sha256), MAX_SIZE)
    except (OSError, Refused) as failure:
        reason = "is missing" if isinstance(failure, FileNotFoundError) else str(failure)
        raise UnusableRecord(f"{record / path(sha256)}: {reason}") from failure
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UnusableRecord(f"{record / path(sha256)}: is not what it is named after")
    return content


def named(run: Run) -> Iterator[tuple[str, str]]:
    """Every text that the run's journal binds, as (what it is, its hash), in the order of the journal. Runs of schema 1 carry none."""
    if run.version < 2:
        return
    for event in run.happened:
        match event:
            case RunStarted():
                if event.workflow_sha256:
                    yield f"workflow {event.workflow.name}", event.workflow_sha256
                if event.topic_sha256:
                    yield "the topic", event.topic_sha256
            case GateStarted():
                if event.prompt_sha256:
                    yield f"the packet of {event.gate} attempt {event.attempt}", event.prompt_sha256
                if event.contract:
                    yield f"the contract of {event.gate} attempt {event.attempt}", event.contract.sha256
            case GateApproved():
                yield f"the keys that {event.who}'s approval was held against", event.keys_sha256
            case _:
                pass
