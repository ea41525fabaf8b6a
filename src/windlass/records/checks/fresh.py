"""`fresh`: an audit is void when what it audited changed after it.

The rule, for each audited file, by the first of these that says anything:

1. the audit names the SHA-256 that it audited: fresh when it is the file's. An audit that names another one beside the file's name is void;
2. the record: of the attempt that first recorded this very audit (its bytes), the newest hash of the audited file up to and including
   that attempt: fresh when it is the file's;
3. the times of the two files, which a copy or a checkout changes: fresh when the audit is not older. `by` says that it came to this.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from windlass.errors import Refused
from windlass.records import artifacts
from windlass.records.artifacts import IN_RECORD
from windlass.records.checks import again
from windlass.records.checks.kept import failed

if TYPE_CHECKING:
    from windlass.records.artifacts import Artifact, Places
    from windlass.records.checks.judge import Given
    from windlass.records.checks.reading import Read
    from windlass.records.contracts.contract import Check

MAX_AUDIT = 16 * 1024 * 1024
_DIGEST = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")


def judge(check: Check, given: Given, reads: Mapping[str, Read]) -> Mapping[str, Any]:
    """Hold every audited file against the audit."""
    audit = reads[check.fields["target"]]
    try:
        content = again.content(given.places, audit, MAX_AUDIT)
        rows = [_row(given, audit.artifact, content, reads[template]) for template in check.fields["audited"]]
    except again.NotTheSame as failure:
        return failed(failure.code, failure.reason, audited=[])
    void = [f"{row['path']} {row['reason']}" for row in rows if not row["pass"]]
    if void:
        return failed("VALIDATION_FAILED", f"the audit is void: {'; '.join(void)}", audited=rows)
    return {"audited": rows, "pass": True}


def _row(given: Given, audit: Artifact, content: bytes, read: Read) -> dict[str, Any]:
    told = {"path": read.artifact.path, "resolved_path": read.artifact.resolved_path, "sha256": read.artifact.sha256}
    if read.artifact.sha256 is None or read.problem is not None:
        return {**told, "by": None, "pass": False, "reason": (read.problem or ("", "is missing"))[1]}
    by, reason = (
        named(content, read.artifact.resolved_path, read.artifact.sha256)
        or recorded(given.recorded, audit, read.artifact)
        or _dated(given.places, audit.resolved_path, read.artifact.resolved_path)
    )
    return {**told, "by": by, "pass": reason is None, **({} if reason is None else {"reason": reason})}


def named(audit: bytes, path: str, sha256: str) -> tuple[str, str | None] | None:
    """What the audit's own words say of the file: ("sha256", None) when it names its hash, a reason when it names another beside its name."""
    if any(match.group().decode().lower() == sha256 for match in _DIGEST.finditer(audit)):
        return "sha256", None
    names = (path.removeprefix(IN_RECORD).encode(), path.rpartition("/")[2].encode())
    for line in audit.splitlines():
        other = _DIGEST.search(line)
        if other and any(name in line for name in names):
            return "sha256", f"is not what was audited: the audit names {other.group()[:12].decode().lower()}…, the file is {sha256[:12]}…"
    return None


def recorded(attempts: Sequence[Mapping[str, str]], audit: Artifact, audited: Artifact) -> tuple[str, str | None] | None:
    """What the record says: the audited file's hash when this very audit was first recorded."""
    newest: str | None = None
    for attempt in attempts:
        newest = attempt.get(audited.resolved_path, newest)
        if audit.sha256 is not None and attempt.get(audit.resolved_path) == audit.sha256:
            if newest is None:
                return None
            changed = newest != audited.sha256
            return "record", f"changed after it was audited: it was {newest[:12]}… when the audit was recorded" if changed else None
    return None


def _dated(places: Places, audit: str, audited: str) -> tuple[str, str | None]:
    at, changed = _changed_at(places, audit), _changed_at(places, audited)
    if at is None or changed is None:
        return "mtime", "can't be dated, and the audit does not name its SHA-256"
    reason = "was changed after the audit was written, by the files' times; let the audit name the SHA-256 of what it audited"
    return "mtime", reason if changed > at else None


def _changed_at(places: Places, resolved: str) -> int | None:
    base = places.record if resolved.startswith(IN_RECORD) else places.root
    try:
        with artifacts.opened(base, resolved.removeprefix(IN_RECORD)) as descriptor:
            return os.fstat(descriptor).st_mtime_ns
    except (OSError, Refused):
        return None
