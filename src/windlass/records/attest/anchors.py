"""Anchors: heads of a journal that are kept outside of its record, so that a cut end, a rollback and a whole rewrite show.

Three kinds. `commit`: the journal as a commit of the repository has it, found by itself. `ref`: a head that `windlass anchor --git`
kept in `refs/windlass/anchors/<run id>`, which can be pushed. `witness`: a head that somebody else signed into a file of their own.
Each says the same: the entry at that place of the chain has that hash. What was anchored must be the beginning of what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from windlass.errors import Refused, UnusableRecord
from windlass.infra import chain, commits, files, instants
from windlass.infra.chain import Scan
from windlass.records import layout
from windlass.records.fields import INSTANT, SHA256, Fields
from windlass.records.report import Finding

SCHEMA_VERSION = 1
PURPOSE = "windlass.journal.witness"
ROLE = "witness"
PAYLOAD_TYPE = "application/vnd.windlass.journal-witness+json"
FILE = "anchor.json"
MAX_WITNESS = 64 * 1024 * 1024
"""Bytes of a witness's file."""
_REFS = "refs/windlass/anchors"


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The hash that the entry with number `entries` (from 1) has, and where that is kept. `problem`: why what is kept there is no anchor."""

    kind: Literal["commit", "ref", "witness"]
    where: str
    head: str = chain.GENESIS
    entries: int = 0
    at: str | None = None
    problem: str | None = None
    doubt: str | None = None
    """Why what is kept there says nothing, and is no reason for alarm."""

    def __str__(self) -> str:
        """`commit 3f2a91c40b1d` or `witness log.jsonl line 3`."""
        return f"{self.kind} {self.where}"

    def holds(self, scan: Scan) -> bool:
        """Whether the journal begins with what was anchored."""
        return 0 < self.entries <= len(scan.entries) and scan.entries[self.entries - 1].hash == self.head


def find(record: Path, root: Path | None = None, *, witnesses: Sequence[Path] = (), keys: Mapping[str, bytes] | None = None) -> list[Anchor]:
    """Every anchor of the run whose record lies at `record`.

    `root`: where to ask git, the record's own place by default. `witnesses`: files of witnesses, whose signatures are held against
    `keys` (id → 32 bytes of an Ed25519 public key); a signature by any other key counts for nothing. Raises Refused for a file that can't be read.
    """
    run_id = _run_id(record)
    found = [anchor for path in witnesses for anchor in _witnessed(path, run_id, keys or {})]
    if commits.in_repository(record):
        found += _committed(record)
    if run_id and commits.in_repository(root or record):
        found += _kept(root or record, run_id)
    return found


def check(scan: Scan, anchors: Iterable[Anchor]) -> Iterator[Finding]:
    """Every anchor that the journal does not begin with."""
    for anchor in anchors:
        if anchor.doubt is not None:
            continue
        if anchor.problem is not None:
            yield Finding(file=layout.JOURNAL, reason=f"the anchor {anchor}: {anchor.problem}")
        elif len(scan.entries) < anchor.entries:
            end = scan.entries[-1].end if scan.entries else 0
            reason = f"{anchor} has {anchor.entries} entries of it, here are {len(scan.entries)}: its end was cut, or it was rolled back"
            yield Finding(file=layout.JOURNAL, reason=reason, start=end, end=end)
        elif not anchor.holds(scan):
            entry = scan.entries[anchor.entries - 1]
            reason = f"{anchor} has {anchor.head[:12]}… as the hash of entry {entry.seq}, here it is {entry.hash[:12]}…: it was rewritten"
            yield Finding(file=layout.JOURNAL, reason=reason, start=entry.end, end=entry.end)


def reach(scan: Scan, anchors: Iterable[Anchor]) -> int:
    """How many entries, from the first, are anchored; 0 means that nothing is."""
    return max((anchor.entries for anchor in anchors if anchor.holds(scan)), default=0)


def holding(scan: Scan, anchors: Iterable[Anchor]) -> list[str]:
    """In words, of each kind that anchor which reaches furthest: `commit 3f2a91c40b1d (4 of 6 entries)`."""
    furthest: dict[str, Anchor] = {}
    for anchor in anchors:
        if anchor.holds(scan) and (anchor.kind not in furthest or furthest[anchor.kind].entries < anchor.entries):
            furthest[anchor.kind] = anchor
    return [f"{anchor} ({anchor.entries} of {len(scan.entries)} entries)" for anchor in furthest.values()]


def doubts(record: Path, anchors: Iterable[Anchor]) -> Iterator[Finding]:
    """What keeps anchors from being found or read, and is no damage of the record."""
    yield from (Finding(file=layout.JOURNAL, reason=f"{anchor}: {anchor.doubt}") for anchor in anchors if anchor.doubt)
    if commits.in_repository(record) and (reason := commits.doubt(record)):
        yield Finding(file=layout.JOURNAL, reason=reason)


def keep(directory: Path, run_id: str, scan: Scan, at: datetime) -> str:
    """Keep the head in the repository that `directory` lies in, and return the commit; raises Refused where there is no repository."""
    if not commits.in_repository(directory):
        raise Refused(f"--git: {directory} lies in no git repository")
    return commits.keep(directory, ref(run_id), FILE, _content(_told(run_id, scan, at)), f"anchor of {run_id}")


def ref(run_id: str) -> str:
    """Where in a repository the heads of a run are kept."""
    return f"{_REFS}/{run_id}"


def told(run_id: str, scan: Scan, at: datetime) -> bytes:
    """What a witness signs: canonical JSON that says which head the run has now."""
    import rfc8785  # noqa: PLC0415  # a verification signs nothing

    return rfc8785.dumps(_told(run_id, scan, at) | {"purpose": PURPOSE})


def _told(run_id: str, scan: Scan, at: datetime) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "run_id": run_id, "head": scan.head, "entries": len(scan.entries), "at": instants.stamp(at)}


def _content(fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _run_id(record: Path) -> str | None:
    """The run that lies, or should lie, here: a forged journal may name another, and its place still names this one."""
    place = record.absolute().parent.name
    if record.name == layout.RECORD and layout.RUN_ID.fullmatch(place):
        return place
    try:
        first = chain.scan(files.content(record / layout.JOURNAL, MAX_WITNESS)).entries
    except OSError:
        return None
    named = first[0].fields.get("run_id") if first else None
    return named if isinstance(named, str) and layout.RUN_ID.fullmatch(named) else None


def _committed(record: Path) -> Iterator[Anchor]:
    """What each commit has of the journal, up to where it holds: a torn last line was no entry then either."""
    for commit, content in commits.versions(record, layout.JOURNAL):
        scan = chain.scan(content)
        if scan.breaks:
            yield Anchor(kind="commit", where=commit[:12], problem=f"the journal is damaged there: {scan.breaks[0].reason}")
        elif scan.entries:
            yield Anchor(kind="commit", where=commit[:12], head=scan.head, entries=len(scan.entries))


def _kept(directory: Path, run_id: str) -> Iterator[Anchor]:
    for commit, content in commits.kept(directory, ref(run_id), FILE):
        where = f"{commit[:12]} of {ref(run_id)}"
        try:
            yield _read(Fields(_json(content)), run_id, "ref", where)
        except UnusableRecord as problem:
            yield Anchor(kind="ref", where=where, problem=str(problem))


def _witnessed(path: Path, run_id: str | None, keys: Mapping[str, bytes]) -> Iterator[Anchor]:
    try:
        content = files.content(path, MAX_WITNESS)
    except OSError as failure:
        raise Refused(f"--witness {path}: {failure.strerror}") from failure
    *lines, torn = content.split(b"\n")
    if torn:
        yield Anchor(
            kind="witness", where=f"{path.name} line {len(lines) + 1}", doubt="was cut before its end, as a kill leaves it, and says nothing"
        )
    for number, line in enumerate(lines, start=1):
        where = f"{path.name} line {number}"
        try:
            anchor = _signed(line, run_id, keys, where)
        except Refused as problem:
            anchor = Anchor(kind="witness", where=where, problem=str(problem))
        if anchor:
            yield anchor


def _signed(line: bytes, run_id: str | None, keys: Mapping[str, bytes], where: str) -> Anchor | None:
    """The anchor of a witness's line, None for one of another run; raises Refused for one that nobody we know has signed."""
    from windlass.records.attest import dsse  # noqa: PLC0415  # 70 ms, for those who have a witness

    envelope = _json(line)
    fields = Fields(_json(dsse.payload(envelope, PAYLOAD_TYPE)))
    fields.word("purpose", (PURPOSE,))
    named = fields.text("run_id", layout.RUN_ID)
    if named != run_id:
        return None
    if not dsse.signers(envelope, PAYLOAD_TYPE, keys):
        raise Refused(f"is signed by no key of role {ROLE} that was given, or its signature does not hold")
    return _read(fields, named, "witness", where, named=named)


def _read(fields: Fields, run_id: str, kind: Literal["ref", "witness"], where: str, named: str | None = None) -> Anchor:
    version = fields.number("schema_version", 1)
    if version != SCHEMA_VERSION:
        raise UnusableRecord(f"/schema_version: is {version}; this Windlass reads {SCHEMA_VERSION}")
    if (named or fields.text("run_id", layout.RUN_ID)) != run_id:
        raise UnusableRecord("/run_id: is another run's")
    anchor = Anchor(kind=kind, where=where, head=fields.text("head", SHA256), entries=fields.number("entries", 1), at=fields.text("at", INSTANT))
    fields.end()
    return anchor


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as failure:
        raise UnusableRecord("is not JSON") from failure
