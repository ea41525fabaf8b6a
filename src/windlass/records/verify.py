"""Verifies a record offline: its chain, that its views are the fold of its journal, and every byte that it carries.

Against an anchor (the hash of an entry, kept elsewhere) a cut end, a rollback and a whole rewrite show too; without one the
verdict says `unanchored`. What an honest kill leaves (a torn last line, views one entry behind, a draft) is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from windlass.errors import Refused, UnusableRecord
from windlass.infra import chain, files
from windlass.records import artifacts, bound, difference, evidence, layout, locks, state, views
from windlass.records.events import GateApproved, GateStarted
from windlass.records.fields import SHA256
from windlass.records.report import Finding, Report

if TYPE_CHECKING:
    from windlass.records.approvals.keys import Keys

_ANCHOR = re.compile(r"[0-9a-fA-F]{64}")
_MUCH = 16 * 1024 * 1024
"""Bytes by which a view may be too long and still be compared, value by value, with what it should be."""


def verify(path: Path, head: str | None = None, keys: Path | None = None, witnesses: Sequence[Path] = ()) -> Report:
    """Verify a run's directory, its record directory, a bundle, or a bare chained log, against every anchor that there is.

    Anchors are `head`, what git has of the journal where the record lies in a repository, and the `witnesses`' files, whose signatures
    are held against `keys`.

    `keys`: a keys file from outside, which approvals must hold against too; those that the record carries are its writer's word.

    Changes nothing. Raises Refused for an anchor that is none, and UnusableRecord for a path that holds nothing to verify.
    """
    anchor, outside = _anchor(head), _outside_keys(keys)
    if witnesses and outside is None:
        raise Refused("--witness: needs --keys, the file with the witness's public key; a signature by nobody in particular proves nothing")
    try:
        if path.is_dir():
            return _verify_record(_record_of(path.absolute()), anchor, outside, witnesses)
        if path.is_file() and _is_bundle(path):
            return _verify_bundle(path, anchor, outside, witnesses)
        if path.is_file():
            return _verify_log(path, anchor, outside, witnesses)
    except OSError as failure:
        raise UnusableRecord(f"{failure.filename or path}: {failure.strerror or failure}") from failure
    raise UnusableRecord(f"{path}: {'is neither a file nor a directory' if path.exists() else 'there is nothing here'}")


def _anchor(head: str | None) -> str | None:
    if head is None:
        return None
    if not _ANCHOR.fullmatch(head) or head == chain.GENESIS:
        raise Refused(f"head {head!r}: must be the hash of an entry, 64 hex digits")
    return head.lower()


def _record_of(path: Path) -> Path:
    for record in (path / layout.RECORD, path):
        if (record / layout.JOURNAL).exists() or (record / layout.JOURNAL).is_symlink():
            return record
    for record in (path / layout.RECORD, path):
        if (record / layout.RUN).is_file():
            if b'"journal_head"' in artifacts.content(record, layout.RUN):
                return record  # its journal is gone: the report says so
            raise UnusableRecord(f"{record / layout.RUN}: written by the original runner, which kept no journal; there is nothing to verify it by")
    raise UnusableRecord(f"{path}: holds no record ({layout.JOURNAL})")


def _verify_log(path: Path, anchor: str | None, keys: Keys | None, witnesses: Sequence[Path]) -> Report:
    content = artifacts.content(path.resolve().parent, path.resolve().name)
    scan = chain.scan(content)
    if content and not scan.entries and not content.startswith(b'{"seq":') and not evidence.is_log(content):
        raise UnusableRecord(f"{path}: is neither a chained log nor a bundle")
    if keys:
        name = "--witness" if witnesses else "--keys"
        raise Refused(f"{name}: {path} is a chained log by itself, in which nothing is signed; --head is what it can be held against")
    found = _Found()
    _check_chain(found, path.name, content, scan, anchor)
    return found.report(path, anchor, scan)


def _is_bundle(path: Path) -> bool:
    with path.open("rb") as stream:
        beginning = stream.read(265)
    return beginning[:2] == b"\x1f\x8b" or beginning[257:262] == b"ustar"


def _verify_bundle(path: Path, anchor: str | None, keys: Keys | None, witnesses: Sequence[Path]) -> Report:
    """What is in a bundle, as if it had been unpacked."""
    from windlass.records.attest import bundle  # noqa: PLC0415  # tarfile is slow to import, and few records come in one

    with bundle.opened(path) as directory:
        record = _record_of(directory)
        report = replace(_verify_record(record, anchor, keys, witnesses), path=str(path))
        if not bundle.has_our_verifier(directory):
            strange = Finding(
                file=bundle.VERIFIER, reason="is not the program of this Windlass: of another version, changed or missing; read it before you run it"
            )
            report = replace(report, warnings=(*report.warnings, strange))
        stated = directory / bundle.STATEMENT
        return _with_statement(report, record, stated, keys) if stated.exists() and not report.problems else report


def _with_statement(report: Report, record: Path, path: Path, keys: Keys | None) -> Report:
    """The report with what the statement beside the record adds: a signature by a known key vouches for the chain's head."""
    from windlass.records.attest import reading, stated  # noqa: PLC0415  # signatures are loaded where there is a statement

    known = {key.key_id: key for key in keys.keys} if keys else {}
    content = files.content(path, bound.MAX_SIZE)
    found = stated.check(content, path.name, reading.tell(record, report), {name: key.public_key for name, key in known.items()})
    problems, warnings = [*report.problems, *found.problems], list(report.warnings)
    if not found.is_signed:
        warnings.append(Finding(file=path.name, reason="is not signed: it repeats the record and vouches for nothing"))
    elif keys is None:
        warnings.append(Finding(file=path.name, reason="is signed; by whom, --keys would tell"))
    elif not found.signers:
        problems.append(Finding(file=path.name, reason=f"is signed by no key of {keys.path}"))
    signed_by = tuple(sorted(f"{known[name].who} (key {name[:12]})" for name in found.signers))
    anchored_by = report.anchored_by if problems else (*report.anchored_by, *(f"{path.name} signed by {name}" for name in signed_by))
    return replace(
        report,
        problems=tuple(problems),
        warnings=tuple(warnings),
        signed_by=signed_by,
        anchored_by=anchored_by,
        anchored=report.anchored or bool(anchored_by),
    )


def _verify_record(record: Path, anchor: str | None, keys: Keys | None, witnesses: Sequence[Path]) -> Report:
    found = _Found()
    with locks.shared(record):
        content = _read(found, record, layout.JOURNAL)
        scan = chain.scan(content or b"")
        _check_chain(found, layout.JOURNAL, content or b"", scan, anchor)
        replay = _replay(found, scan)
        if replay.run and replay.whole:
            _check_views(found, record, replay, scan)
        elif replay.run:
            found.warn(layout.RUN, "the views were not compared, and strange files not looked for: the journal does not hold")
    if replay.run is None:
        if content is not None:
            found.problem(layout.JOURNAL, "no entry of it can be read as the start of a run", start=0, end=len(content))
        return found.report(record, anchor, scan)
    _check_place(found, record, replay.run)
    _check_anchors(found, record, scan, keys, witnesses)
    _check_evidence(found, record, replay)
    _check_approvals(found, record, replay.run, keys, witnesses)
    return found.report(record, anchor, scan)


@dataclass(kw_only=True)
class _Found:
    """Collects what one verification finds; lives as long as it."""

    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    anchored_by: list[str] = field(default_factory=list)
    carried: evidence.Carried | None = None
    bodies: evidence.Bodies | None = None

    def problem(self, file: str, reason: str, *, start: int | None = None, end: int | None = None, pointer: str | None = None) -> None:
        self.problems.append(Finding(file=file, reason=reason, start=start, end=end, pointer=pointer))

    def warn(self, file: str, reason: str, *, start: int | None = None, end: int | None = None) -> None:
        self.warnings.append(Finding(file=file, reason=reason, start=start, end=end))

    def report(self, path: Path, anchor: str | None, scan: chain.Scan) -> Report:
        return Report(
            path=str(path),
            anchored=anchor is not None or bool(self.anchored_by),
            anchored_by=tuple(self.anchored_by),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            entries=len(scan.entries),
            head=scan.head,
            artifacts_checked=self.carried.checked if self.carried else 0,
            artifacts_outside=self.carried.outside if self.carried else 0,
            bodies_checked=self.bodies.checked if self.bodies else 0,
            bodies_not_carried=self.bodies.not_carried if self.bodies else 0,
        )


@dataclass(frozen=True, kw_only=True)
class _Replay:
    """What the journal says: the run after its last legal entry, and before it; `whole` when every entry was legal."""

    run: state.Run | None
    before: state.Run | None
    whole: bool


def _check_chain(found: _Found, name: str, content: bytes, scan: chain.Scan, anchor: str | None) -> None:
    found.problems.extend(evidence.log_problems(name, scan))
    if scan.torn:
        start = len(content) - scan.torn
        found.warn(name, f"torn tail of {scan.torn} bytes, never acknowledged", start=start, end=len(content))
    if anchor is None:
        return
    places = [place for place, entry in enumerate(scan.entries) if entry.hash == anchor]
    if not places:
        reason = f"the anchor {anchor[:12]}… is not in the chain: its end was cut, or it was rewritten"
        found.problem(name, reason, start=len(content) - scan.torn, end=len(content))
        return
    found.anchored_by.append(f"head that was given ({places[-1] + 1} of {len(scan.entries)} entries)")
    if after := len(scan.entries) - 1 - places[-1]:
        found.warn(name, f"entries after the anchor: {after}; they are chained, but not anchored")


def _replay(found: _Found, scan: chain.Scan) -> _Replay:
    run: state.Run | None = None
    before: state.Run | None = None
    legal = True
    for entry in scan.entries:
        try:
            before, run = run, state.follow(run, entry)
        except Refused as refusal:
            if not scan.breaks:  # behind a break, what does not follow is no news
                found.problem(layout.JOURNAL, f"entry {entry.seq}: {refusal}", start=entry.start, end=entry.end)
            legal = False
            break
    return _Replay(run=run, before=before, whole=legal and not scan.breaks)


def _check_views(found: _Found, record: Path, replay: _Replay, scan: chain.Scan) -> None:
    expected = views.files(replay.run) if replay.run else {}
    earlier = views.files(replay.before) if replay.before else {}
    for path, content in expected.items():
        shown = _shown(record, path, 2 * len(content) + _MUCH)
        if shown == content:
            continue
        if isinstance(shown, Refused):
            found.problem(path, str(shown).removeprefix(f"{path}: "))
        elif replay.before and shown == earlier.get(path):
            found.warn(path, "is one entry behind the journal, as a kill leaves it; the next writer brings it up to date")
        elif shown is None:
            found.problem(path, "is missing")
        else:
            differs = difference.between(shown, content)
            found.problem(path, differs.reason, start=differs.start, end=differs.end, pointer=differs.pointer)
            if path == layout.RUN:
                _check_head(found, shown, differs.pointer, scan)


def _check_head(found: _Found, shown: bytes, pointer: str | None, scan: chain.Scan) -> None:
    """Blame the journal too when RUN.json names a head that it does not hold, and not only a bit of that name was changed."""
    if pointer is None or pointer.startswith("/windlass"):
        return
    view = orjson.loads(shown)
    own = view.get("windlass") if isinstance(view, dict) else None
    named = own.get("journal_head") if isinstance(own, dict) else None
    if isinstance(named, str) and SHA256.fullmatch(named) and named not in {entry.hash for entry in scan.entries}:
        end = scan.entries[-1].end
        reason = f"{layout.RUN} was written at the entry {named[:12]}…, which is not in the chain: its end was cut, or one of the two replaced"
        found.problem(layout.JOURNAL, reason, start=end, end=end)


def _check_place(found: _Found, record: Path, run: state.Run) -> None:
    place = record.parent.name
    if record.name == layout.RECORD and layout.RUN_ID.fullmatch(place) and place != run.started.run_id:
        found.problem(layout.JOURNAL, f"is the journal of {run.started.run_id}, in the place of {place}", pointer="/run_id")


def _check_evidence(found: _Found, record: Path, replay: _Replay) -> None:
    if replay.run is None:
        return
    recorded = {artifact.carried for _, artifact in replay.run.recorded() if artifact.carried}
    found.carried = evidence.check_artifacts(record, replay.run.recorded())
    found.problems.extend(found.carried.problems)
    found.problems.extend(evidence.check_logs(record, sorted(recorded)))
    logs = record.parent / layout.LOGS if record.name == layout.RECORD else None
    if logs and logs.is_symlink():
        logs = None  # what lies behind it is not the run's
    found.bodies = evidence.check_bodies(record, logs, recorded)
    found.problems.extend(found.bodies.problems)
    _check_bound(found, record, replay.run)
    if replay.whole:
        known = {
            layout.JOURNAL,
            *views.files(replay.run),
            *recorded,
            *found.bodies.covered,
            *(bound.path(name) for _, name in bound.named(replay.run)),
        }
        _check_strangers(found, record, known, replay.run)


def _check_bound(found: _Found, record: Path, run: state.Run) -> None:
    """Hold every text that the journal binds by its hash against it."""
    for sha256, what in {sha256: what for what, sha256 in bound.named(run)}.items():
        try:
            bound.read(record, sha256)
        except UnusableRecord as unusable:
            found.problem(bound.path(sha256), f"{str(unusable).rpartition(': ')[2]}; the journal binds the run to it as {what}")


def _check_anchors(found: _Found, record: Path, scan: chain.Scan, keys: Keys | None, witnesses: Sequence[Path]) -> None:
    """Hold the journal against what git and witnesses have of it."""
    from windlass.infra import commits  # noqa: PLC0415  # processes are started only where there is a repository

    if not witnesses and not commits.in_repository(record):
        return
    from windlass.records.attest import anchors  # noqa: PLC0415  # as above

    may_witness = {key.key_id: key.public_key for key in keys.keys if anchors.ROLE in key.roles} if keys else None
    known = anchors.find(record, witnesses=witnesses, keys=may_witness)
    found.problems.extend(anchors.check(scan, known))
    found.warnings.extend(anchors.doubts(record, known))
    found.anchored_by.extend(anchors.holding(scan, known))
    reach = anchors.reach(scan, known)
    if 0 < reach < len(scan.entries):
        found.warn(
            layout.JOURNAL,
            f"entries after the newest anchor: {len(scan.entries) - reach}; until they are anchored too, a change of them may not show",
        )


def _outside_keys(keys: Path | None) -> Keys | None:
    if keys is None:
        return None
    from windlass.records.approvals import keys as keys_files  # noqa: PLC0415  # cryptography is loaded where somebody has keys

    try:
        return keys_files.read(files.content(keys, bound.MAX_SIZE), str(keys))
    except OSError as failure:
        raise Refused(f"--keys {keys}: {failure.strerror}") from failure


def _check_approvals(found: _Found, record: Path, run: state.Run, keys: Keys | None, witnesses: Sequence[Path]) -> None:
    """Hold every approval against its keys, and every PASS that needs approvals against those that it had."""
    if not any(isinstance(event, GateApproved) for event in run.happened) and not _asks_for_approvals(record, run):
        if keys and not witnesses:
            found.warn(layout.JOURNAL, "no gate of this run was approved or had to be, so --keys had nothing to check in it")
        return
    from windlass.records.approvals import check  # noqa: PLC0415  # cryptography is loaded where there is an approval

    found.problems.extend(check.check(run, lambda sha256: bound.read(record, sha256), keys))


def _asks_for_approvals(record: Path, run: state.Run) -> bool:
    """Whether a contract of the run has the word in it; which one means it is for the check to say."""
    named = {event.contract.sha256 for event in run.happened if isinstance(event, GateStarted) and event.contract}
    for sha256 in sorted(named) if run.version > 1 else ():
        try:
            if b'"approvals"' in bound.read(record, sha256):
                return True
        except UnusableRecord:
            continue  # told of already
    return False


def _check_strangers(found: _Found, record: Path, known: set[str], run: state.Run) -> None:
    for path in evidence.walk(record):
        if path in known:
            continue
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if layout.DRAFT.fullmatch(path.rpartition("/")[2]) and (_is_bound(path) or not path.startswith(f"{layout.EVIDENCE}/")):
            found.warn(shown, "a draft that a killed writer left; the next writer removes it")
        elif _is_bound(path) and _is_itself(record, path):
            found.warn(shown, "a text that was bound by an act which never happened, as a kill leaves it")
        elif run.running and path.startswith(f"{layout.EVIDENCE}/"):
            found.warn(shown, f"not recorded yet: {run.running[0].gate} attempt {run.running[0].attempt} is running")
        else:
            found.problem(shown, "is in the record, and no entry of the journal tells of it")


def _is_bound(path: str) -> bool:
    return path.startswith(f"{bound.DIRECTORY}/")


def _is_itself(record: Path, path: str) -> bool:
    """Whether a bound text that nobody names is at least what it is named after."""
    try:
        bound.read(record, path.rpartition("/")[2])
    except UnusableRecord:
        return False
    return True


def _read(found: _Found, record: Path, path: str) -> bytes | None:
    shown = _shown(record, path)
    if isinstance(shown, Refused):
        found.problem(path, str(shown).removeprefix(f"{path}: "))
        return None
    if shown is None:
        found.problem(path, "is missing")
    return shown


def _shown(record: Path, path: str, at_most: int = artifacts.MAX_CONTENT) -> bytes | Refused | None:
    try:
        return artifacts.content(record, path, at_most)
    except FileNotFoundError:
        return None
    except Refused as refusal:
        return refusal
    except OSError as failure:
        return Refused(f"{path}: {failure.strerror}")
